"""Shallow networks with bandlimited random weights (Li, Sonoda, Cao, Wang & Liang 2020, arXiv 2008.08427).

Hidden weights are drawn from a box and frozen, output weights fitted: what is lost? ``networks`` and ``estimator``:
the nets; ``ridgelet``: a box is a low-pass filter; ``floors``: the error that no width removes; ``precision``: the same
nets in exact arithmetic; ``experiments``, ``images``, ``views`` and ``claims``: what the lesson measures.
"""
from __future__ import annotations

from gradscape.dynamics.bandlimited.claims import CLAIMS, MEASURES, measure
from gradscape.dynamics.bandlimited.estimator import RandomNet
from gradscape.dynamics.bandlimited.experiments import (
    BudgetCurve,
    BudgetedNets,
    ExactNets,
    Floors,
    LowPass,
    Spectra,
    Sweep,
    budget_curve,
    budgeted_nets,
    dense_errors,
    exact_nets,
    filtered_wave,
    floors,
    low_pass,
    spectra,
    sweep,
)
from gradscape.dynamics.bandlimited.floors import (
    DualBound,
    FloorResult,
    Modes,
    band_kernel,
    dual_bound,
    error_floor,
    floor_from_modes,
)
from gradscape.dynamics.bandlimited.images import DigitAccuracy, OtherNets, digit_accuracy, other_nets
from gradscape.dynamics.bandlimited.networks import (
    ACTIVATIONS,
    Fits,
    Readout,
    activate,
    coefficient_norms,
    features,
    fit_many,
    fit_table,
    sample_hidden,
    solve_readout,
)
from gradscape.dynamics.bandlimited.precision import PreciseFit, high_precision_fit, high_precision_fits
from gradscape.dynamics.bandlimited.ridgelet import (
    bandlimited_reconstruction,
    energy_outside,
    lowpass_multiplier,
    multiplier_by_quadrature,
    ridgelet,
    ridgelet_transform,
)
from gradscape.dynamics.bandlimited.settings import SIZES, Settings, Sizes
from gradscape.dynamics.bandlimited.targets import bumps, franke, sine, target_function, unit
from gradscape.dynamics.bandlimited.views import (
    FloorsAt,
    OneNet,
    RidgeletMap,
    floors_at,
    one_net,
    point,
    ridgelet_map,
)

__all__ = [
    "ACTIVATIONS",
    "CLAIMS",
    "MEASURES",
    "SIZES",
    "BudgetCurve",
    "BudgetedNets",
    "DigitAccuracy",
    "DualBound",
    "ExactNets",
    "Fits",
    "FloorResult",
    "Floors",
    "FloorsAt",
    "LowPass",
    "Modes",
    "OneNet",
    "OtherNets",
    "PreciseFit",
    "RandomNet",
    "Readout",
    "RidgeletMap",
    "Settings",
    "Sizes",
    "Spectra",
    "Sweep",
    "activate",
    "band_kernel",
    "bandlimited_reconstruction",
    "budget_curve",
    "budgeted_nets",
    "bumps",
    "coefficient_norms",
    "dense_errors",
    "digit_accuracy",
    "dual_bound",
    "energy_outside",
    "error_floor",
    "exact_nets",
    "features",
    "filtered_wave",
    "fit_many",
    "fit_table",
    "floor_from_modes",
    "floors",
    "floors_at",
    "franke",
    "high_precision_fit",
    "high_precision_fits",
    "low_pass",
    "lowpass_multiplier",
    "measure",
    "multiplier_by_quadrature",
    "one_net",
    "other_nets",
    "point",
    "ridgelet",
    "ridgelet_map",
    "ridgelet_transform",
    "sample_hidden",
    "sine",
    "solve_readout",
    "spectra",
    "sweep",
    "target_function",
    "unit",
]
