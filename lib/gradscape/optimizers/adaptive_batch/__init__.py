"""AdAdaGrad: Adaptive Batch Size Schemes for Adaptive Gradient Methods (Lau, Liu & Kolar 2024, arXiv 2402.11215).

Reads in this order: `rules` (the tests, and who keeps the batch size), `ghost` and `merging` (their statistics without
per-sample gradients, and in parts), `optimizer`, `sampler` and `training` (one loop for any model), `plans` (what it is
held against), `robust` and `stream` (a problem whose exact gradient is known), `softmax` (many runs on images at
once), `settings`, `experiments`, `claims` and `tables`.
"""
from __future__ import annotations

from gradscape.learning.per_sample import GradientStats
from gradscape.learning.per_sample import stats as stats_from_per_sample
from gradscape.optimizers.adaptive_batch.claims import CLAIMS, MEASURES, measure, point
from gradscape.optimizers.adaptive_batch.ghost import ghost_stats
from gradscape.optimizers.adaptive_batch.merging import GradientSums, merge_stats, sums
from gradscape.optimizers.adaptive_batch.optimizer import AdaGradNorm
from gradscape.optimizers.adaptive_batch.plans import Plan, constant, doubling, linear_ramp, stages
from gradscape.optimizers.adaptive_batch.robust import GemanMcClure
from gradscape.optimizers.adaptive_batch.rules import (
    RULES,
    BatchSizeController,
    Decision,
    TestResult,
    augmented_test,
    coordinate_test,
    fixed_point,
    inner_product_test,
    norm_test,
    rule,
)
from gradscape.optimizers.adaptive_batch.sampler import ResizableBatchSampler, samples_schedule
from gradscape.optimizers.adaptive_batch.settings import SIZES, Settings, Sizes
from gradscape.optimizers.adaptive_batch.softmax import Images, Run, train_softmax
from gradscape.optimizers.adaptive_batch.stream import Stream, step_, stream_adaptive, stream_constant
from gradscape.optimizers.adaptive_batch.tables import TABLES
from gradscape.optimizers.adaptive_batch.training import History, train_adaptive

__all__ = [
    "CLAIMS", "MEASURES", "RULES", "SIZES", "TABLES", "AdaGradNorm", "BatchSizeController", "Decision", "GemanMcClure",
    "GradientStats", "GradientSums", "History", "Images", "Plan", "ResizableBatchSampler", "Run", "Settings", "Sizes",
    "Stream", "TestResult", "augmented_test", "constant", "coordinate_test", "doubling", "fixed_point", "ghost_stats",
    "inner_product_test", "linear_ramp", "measure", "merge_stats", "norm_test", "point", "rule", "samples_schedule",
    "stages", "stats_from_per_sample", "step_", "stream_adaptive", "stream_constant", "sums", "train_adaptive",
    "train_softmax",
]
