"""A generalized neural tangent kernel for surrogate gradient learning (Eilers, Memmesheimer & Goedeke 2024).

arXiv 2405.15539. Reads in this order: `surrogates` (what stands in for the derivative of sign), `theory` (kernels of
infinitely wide networks), `regression` (what training does there), `networks` (finite ones), then `settings`, `circle`
(the task), `kernel_study`, `ensembles`, `digits` and `claims`.
"""
from __future__ import annotations

from gradscape.credit.surrogate_ntk.circle import Model, Regression, angles, on_circle, regress, target
from gradscape.credit.surrogate_ntk.claims import CLAIMS, MEASURES, measure, point
from gradscape.credit.surrogate_ntk.digits import digits_study
from gradscape.credit.surrogate_ntk.ensembles import (
    Run,
    ensemble,
    run_point,
    single_scan,
    spread_run,
    train,
    width_scan,
)
from gradscape.credit.surrogate_ntk.kernel_study import diagonals, growth, kernel_study, spikes
from gradscape.credit.surrogate_ntk.networks import MLPEnsemble, SurrogateSign
from gradscape.credit.surrogate_ntk.regression import (
    check_eta,
    control_variate_mean,
    ensemble_prediction,
    kernel_flow,
    stable_eta,
)
from gradscape.credit.surrogate_ntk.settings import SIZES, Settings, Sizes
from gradscape.credit.surrogate_ntk.surrogates import Surrogate, erf, fast_sigmoid, rectangle, triangle
from gradscape.credit.surrogate_ntk.theory import kernels

__all__ = [
    "CLAIMS", "MEASURES", "SIZES", "MLPEnsemble", "Model", "Regression", "Run", "Settings", "Sizes", "Surrogate",
    "SurrogateSign", "angles", "check_eta", "control_variate_mean", "diagonals", "digits_study", "ensemble",
    "ensemble_prediction", "erf", "fast_sigmoid", "growth", "kernel_flow", "kernel_study", "kernels", "measure",
    "on_circle", "point", "rectangle", "regress", "run_point", "single_scan", "spikes", "spread_run", "stable_eta",
    "target", "train", "triangle", "width_scan",
]
