"""SGD noise in distinct regimes (Sclocchi, Geiger & Wyart 2023, arXiv:2301.13703).

Temperature T = lr/(width · batch) against output scale alpha: networks trained to exactly zero hinge loss, hundreds at
once, and a perceptron on data that thin out near the boundary, simulated event by event.
"""
from __future__ import annotations

from gradscape.dynamics.sgd_noise.analysis import (
    ScalingLaw,
    critical_temperature,
    fit_power,
    phase_diagram,
    stability_edge,
)
from gradscape.dynamics.sgd_noise.claims import CLAIMS, MEASURES, measure, point
from gradscape.dynamics.sgd_noise.network_studies import (
    batch_scan,
    edge_temperature,
    lazy_gain,
    lazy_scaling,
    noise_benefit,
    parity_data,
    phase,
    run_cells,
    run_point,
    stability_edges,
)
from gradscape.dynamics.sgd_noise.networks import MeanFieldMLP, unit_variance
from gradscape.dynamics.sgd_noise.perceptron import PerceptronRuns, Trace, perceptron, sample_depleted
from gradscape.dynamics.sgd_noise.perceptron_studies import perceptron_course, size_scans, temperature_scan
from gradscape.dynamics.sgd_noise.settings import SIZES, Settings, Sizes
from gradscape.dynamics.sgd_noise.tables import TABLES, phase_at, recorded_phase
from gradscape.dynamics.sgd_noise.theory import (
    Exponents,
    ScaledHinge,
    learning_rate,
    predicted_exponents,
    predicted_k,
    scaled_hinge,
    scaled_hinge_grad,
    temperature,
)
from gradscape.dynamics.sgd_noise.training import GridRuns, train_grid

__all__ = [
    "CLAIMS", "MEASURES", "SIZES", "TABLES", "Exponents", "GridRuns", "MeanFieldMLP", "PerceptronRuns", "ScaledHinge",
    "ScalingLaw", "Settings", "Sizes", "Trace", "batch_scan", "critical_temperature", "edge_temperature", "fit_power",
    "lazy_gain", "lazy_scaling", "learning_rate", "measure", "noise_benefit", "parity_data", "perceptron",
    "perceptron_course", "phase", "phase_at", "phase_diagram", "point", "predicted_exponents", "predicted_k",
    "recorded_phase", "run_cells", "run_point", "sample_depleted", "scaled_hinge", "scaled_hinge_grad", "size_scans",
    "stability_edge", "stability_edges", "temperature", "temperature_scan", "train_grid", "unit_variance",
]
