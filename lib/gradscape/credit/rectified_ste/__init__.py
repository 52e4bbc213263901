"""A Rectified Straight-Through Estimator for Binary Neural Networks (Wu and others 2023, arXiv 2308.06689).

Reads in this order: `estimators` (sign with a pretended derivative), `indicators` (the two sides of the equilibrium),
`layers` and `networks` (modules), `stack` and `training` (many binary MLPs at once), then `settings`, `experiments`,
`convnet`, `claims` and `tables`.
"""
from __future__ import annotations

from gradscape.credit.rectified_ste.claims import CLAIMS, MEASURES, measure, point
from gradscape.credit.rectified_ste.estimators import (
    binarize,
    estimator,
    estimator_grad,
    o_schedule,
    reste_sign,
    tau_schedule,
)
from gradscape.credit.rectified_ste.indicators import estimating_error, gradient_instability
from gradscape.credit.rectified_ste.layers import BinaryConv2d, BinaryLinear, set_o, set_tau
from gradscape.credit.rectified_ste.networks import resnet20_1w1a, vgg_small_1w1a
from gradscape.credit.rectified_ste.settings import SIZES, Settings, Sizes
from gradscape.credit.rectified_ste.stack import Arm, BinaryStack
from gradscape.credit.rectified_ste.tables import TABLES
from gradscape.credit.rectified_ste.training import BinaryMLPEnsemble, History

__all__ = [
    "CLAIMS", "MEASURES", "SIZES", "TABLES", "Arm", "BinaryConv2d", "BinaryLinear", "BinaryMLPEnsemble", "BinaryStack",
    "History", "Settings", "Sizes", "binarize", "estimating_error", "estimator", "estimator_grad",
    "gradient_instability", "measure", "o_schedule", "point", "resnet20_1w1a", "reste_sign", "set_o", "set_tau",
    "tau_schedule", "vgg_small_1w1a",
]
