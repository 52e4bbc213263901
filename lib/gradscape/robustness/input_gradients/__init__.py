"""Do Input Gradients Highlight Discriminative Features? (Shah, Jain & Netrapalli 2021, arXiv 2102.12781).

Reads in this order: `gradients` (attributions, rankings, masks), `simplified` (data with a closed form), `blocks`
(block images and leakage), `training` (many networks, plainly or against an adversary), `roar` (DiffROAR), then
`settings`, `points`, `images`, `claims` and `tables`.
"""
from __future__ import annotations

from gradscape.robustness.attacks import pgd
from gradscape.robustness.input_gradients.blocks import block_images, leakage, null_block
from gradscape.robustness.input_gradients.claims import CLAIMS, MEASURES, measure, point
from gradscape.robustness.input_gradients.gradients import (
    input_gradient,
    random_attribution,
    rank,
    signal_hit_rate,
    tied,
    unmask,
)
from gradscape.robustness.input_gradients.roar import DiffRoarResult, diffroar
from gradscape.robustness.input_gradients.settings import SIZES, VARIANTS, Settings, Sizes
from gradscape.robustness.input_gradients.simplified import (
    Points,
    dual_value,
    largest_robust_eps,
    max_margin_gradient,
    simplified_points,
)
from gradscape.robustness.input_gradients.tables import TABLES
from gradscape.robustness.input_gradients.training import Adversary, accuracy, fit, network

__all__ = [
    "CLAIMS", "MEASURES", "SIZES", "TABLES", "VARIANTS", "Adversary", "DiffRoarResult", "Points", "Settings", "Sizes",
    "accuracy", "block_images", "diffroar", "dual_value", "fit", "input_gradient", "largest_robust_eps", "leakage",
    "max_margin_gradient", "measure", "network", "null_block", "pgd", "point", "random_attribution", "rank",
    "signal_hit_rate", "simplified_points", "tied", "unmask",
]
