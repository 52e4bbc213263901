"""Optimizers: how far to step, and what the gradients of the last steps say about it."""
from __future__ import annotations

import lazy_loader

# Nothing below is imported before it is asked for: module -> the public names it defines.
__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    ["adaptive_batch", "anyloss", "diffgrad", "gradient_normalized"],
    {
        "adaptive_batch": [
            "AdaGradNorm", "augmented_test", "BatchSizeController", "coordinate_test", "GemanMcClure", "ghost_stats",
            "GradientStats", "inner_product_test", "merge_stats", "norm_test", "ResizableBatchSampler",
            "samples_schedule", "stats_from_per_sample", "TestResult", "train_adaptive",
        ],
        "anyloss": [
            "active_band", "amplify", "AnyLoss", "fit_linear", "hard_metrics", "LossSpec", "metric_gradient",
            "SoftConfusion", "StratifiedBatchSampler", "tune_threshold",
        ],
        "diffgrad": ["DiffGrad", "diffgrad_state", "diffgrad_update", "friction", "FrictionRecord"],
        "gradient_normalized": [
            "gns_minimize", "gns_minimize_batch", "gradient_method", "super_universal_newton", "smoothness_1d",
            "rank_one_solve",
        ],
    },
)
