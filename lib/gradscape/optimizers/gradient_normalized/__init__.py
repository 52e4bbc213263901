"""Gradient-Normalized Smoothness for Optimization with Approximate Hessians (Semenov et al. 2025, arXiv 2506.13710).

Reads in this order: `smoothness` (the notion, on the line), `objective`, `problems` and `losses` (what is minimized),
`solvers` (the linear systems), `search` and `methods` (the algorithm and its peers), `settings`, `experiments`,
`single` and `claims`.
"""
from __future__ import annotations

from gradscape.optimizers.gradient_normalized.claims import CLAIMS, MEASURES, measure, point
from gradscape.optimizers.gradient_normalized.losses import LogisticLoss, SoftmaxLoss, separable_data
from gradscape.optimizers.gradient_normalized.methods import (
    gns_minimize,
    gns_minimize_batch,
    gns_rule,
    gradient_method,
    super_universal_newton,
)
from gradscape.optimizers.gradient_normalized.objective import KINDS, Objective
from gradscape.optimizers.gradient_normalized.problems import (
    LogSumExp,
    PowerResidual,
    chebyshev,
    linear_power,
    rosenbrock,
)
from gradscape.optimizers.gradient_normalized.search import GnsResult, Visit, search
from gradscape.optimizers.gradient_normalized.settings import SIZES, Settings, Sizes
from gradscape.optimizers.gradient_normalized.smoothness import (
    GALLERY,
    Scalar,
    combine,
    lower_bound_hoelder,
    lower_bound_qsc,
    lower_bound_smooth,
    progress_constant,
    smoothness_1d,
)
from gradscape.optimizers.gradient_normalized.solvers import SOLVERS, Metric, rank_one_solve
from gradscape.optimizers.gradient_normalized.tables import TABLES

__all__ = [
    "CLAIMS", "GALLERY", "KINDS", "MEASURES", "SIZES", "SOLVERS", "TABLES", "GnsResult", "LogSumExp", "LogisticLoss",
    "Metric", "Objective", "PowerResidual", "Scalar", "Settings", "Sizes", "SoftmaxLoss", "Visit", "chebyshev",
    "combine", "gns_minimize", "gns_minimize_batch", "gns_rule", "gradient_method", "linear_power",
    "lower_bound_hoelder", "lower_bound_qsc", "lower_bound_smooth", "measure", "point", "progress_constant",
    "rank_one_solve", "rosenbrock", "search", "separable_data", "smoothness_1d", "super_universal_newton",
]
