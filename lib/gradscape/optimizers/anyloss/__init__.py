"""AnyLoss: Transforming Classification Metrics into Loss Functions (Han, Moniz, Chawla 2024, arXiv 2405.14745).

Reads in this order: `confusion` (amplifier, soft confusion matrix, metrics), `gradients` (closed forms), `loss` (the
torch loss), `linear` and `networks` (training), `scoring` (hard metrics, thresholds, folds), then `settings`,
`experiments`, `plane`, `checks` and `claims`.
"""
from __future__ import annotations

from gradscape.optimizers.anyloss.claims import CLAIMS, MEASURES, measure, point
from gradscape.optimizers.anyloss.confusion import METRICS, SoftConfusion, active_band, amplify
from gradscape.optimizers.anyloss.gradients import metric_gradient, official_gmean_gradient
from gradscape.optimizers.anyloss.linear import LossSpec, fit_linear
from gradscape.optimizers.anyloss.loss import AnyLoss, StratifiedBatchSampler
from gradscape.optimizers.anyloss.scoring import fold_ids, hard_metrics, make_folds, tune_threshold
from gradscape.optimizers.anyloss.settings import SIZES, Settings, Sizes
from gradscape.optimizers.anyloss.tables import TABLES

__all__ = [
    "CLAIMS", "MEASURES", "METRICS", "SIZES", "TABLES", "AnyLoss", "LossSpec", "Settings", "Sizes", "SoftConfusion",
    "StratifiedBatchSampler", "active_band", "amplify", "fit_linear", "fold_ids", "hard_metrics", "make_folds",
    "measure", "metric_gradient", "official_gmean_gradient", "point", "tune_threshold",
]
