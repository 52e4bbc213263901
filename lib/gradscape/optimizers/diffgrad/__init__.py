"""diffGrad: An Optimization Method for Convolutional Neural Networks (Dubey et al. 2019, arXiv 1909.11015).

Reads in this order: `friction` (what the paper adds to Adam), `functional` and `optimizer` (the step), `toys` (its
Fig. 4), `regret` (its Theorem 1), `networks` and `cnn` (training), `settings`, `experiments` and `claims`.
"""
from __future__ import annotations

from gradscape.optimizers.diffgrad.claims import CLAIMS, MEASURES, measure, point
from gradscape.optimizers.diffgrad.friction import VARIANTS, change_for, friction
from gradscape.optimizers.diffgrad.functional import diffgrad_state, diffgrad_update, step_
from gradscape.optimizers.diffgrad.networks import trajectory_distance
from gradscape.optimizers.diffgrad.optimizer import DiffGrad, FrictionRecord
from gradscape.optimizers.diffgrad.regret import RegretTrace, online_regret, periodic_slopes, regret_bound
from gradscape.optimizers.diffgrad.settings import SIZES, Settings, Sizes
from gradscape.optimizers.diffgrad.tables import TABLES
from gradscape.optimizers.diffgrad.toys import SYNTHETIC, ScalarProblem, minimise_scalar, official_f2_grad

__all__ = [
    "CLAIMS", "MEASURES", "SIZES", "SYNTHETIC", "TABLES", "VARIANTS", "DiffGrad", "FrictionRecord", "RegretTrace",
    "ScalarProblem", "Settings", "Sizes", "change_for", "diffgrad_state", "diffgrad_update", "friction", "measure",
    "minimise_scalar", "official_f2_grad", "online_regret", "periodic_slopes", "point", "regret_bound", "step_",
    "trajectory_distance",
]
