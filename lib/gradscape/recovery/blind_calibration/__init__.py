"""Blind gain calibration by non-convex descent (Cambareri & Jacques 2016, arXiv 1610.09028).

One signal, seen through random masks by sensors whose gains nobody knows: both are found at once. ``problem``: the
model; ``model``: loss, gradients, start and projections; ``descent``: the algorithm; ``baselines``: what to compare
with; ``diagram``: where recovery sets in; ``images``: a photograph and its low frequencies; ``sensing``: masks as
tensors or operators; ``experiments`` and ``claims``: what the lesson measures.
"""
from __future__ import annotations

from gradscape.recovery.blind_calibration.baselines import alternating_ls, linear_ls, uncalibrated_ls
from gradscape.recovery.blind_calibration.claims import CLAIMS, MEASURES, TABLES, measure
from gradscape.recovery.blind_calibration.descent import CalibrationResult, calibrate
from gradscape.recovery.blind_calibration.diagram import SUCCESS, Cell, PhaseDiagram, phase_diagram
from gradscape.recovery.blind_calibration.experiments import (
    ABOVE,
    BAD,
    BELOW,
    PLENTY,
    SCARCE,
    Descents,
    ImageRun,
    OwnRun,
    Trial,
    descents,
    diagram,
    diagram_at,
    image,
    look_at,
    low_image,
    own_run,
    point,
    solve_at,
    trial,
)
from gradscape.recovery.blind_calibration.images import camera, low_frequencies
from gradscape.recovery.blind_calibration.model import (
    backprojection,
    gradients,
    loss,
    project_gain_box,
    project_zero_mean,
)
from gradscape.recovery.blind_calibration.problem import (
    CalibrationProblem,
    calibration_problem,
    distance,
    draw_gains,
    errors,
    sample_ratio,
    snapshots_for,
)
from gradscape.recovery.blind_calibration.sensing import SignMasks
from gradscape.recovery.blind_calibration.settings import SIZES, Settings, Sizes

__all__ = [
    "ABOVE", "BAD", "BELOW", "CLAIMS", "MEASURES", "PLENTY", "SCARCE", "SIZES", "SUCCESS", "TABLES",
    "CalibrationProblem", "CalibrationResult", "Cell", "Descents", "ImageRun", "OwnRun", "PhaseDiagram", "Settings",
    "SignMasks", "Sizes", "Trial", "alternating_ls", "backprojection", "calibrate", "calibration_problem", "camera",
    "descents", "diagram", "diagram_at", "distance", "draw_gains", "errors", "gradients", "image", "linear_ls",
    "look_at", "loss", "low_frequencies", "low_image", "measure", "own_run", "phase_diagram", "point",
    "project_gain_box", "project_zero_mean", "sample_ratio", "snapshots_for", "solve_at", "trial", "uncalibrated_ls",
]
