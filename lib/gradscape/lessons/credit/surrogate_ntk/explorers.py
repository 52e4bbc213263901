"""Explorers of the surrogate-NTK lesson: kernels and regressions (live), a trained ensemble (run)."""
from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import plotly.graph_objects as go
import torch
from torch import Tensor

from gradscape.credit.surrogate_ntk import (
    Model,
    Regression,
    Run,
    Settings,
    angles,
    diagonals,
    regress,
    run_point,
    target,
)
from gradscape.credit.surrogate_ntk.circle import TEST_ANGLES, rms
from gradscape.credit.surrogate_ntk.kernel_study import ONE, Diagonals
from gradscape.lessons.credit.surrogate_ntk.figures import BELOW, angle_axis, asinh_axis, fig_run
from gradscape.workbench import (
    Explorer,
    Task,
    Values,
    add_line,
    add_points,
    axis,
    explore,
    field,
    figure,
    mark_x,
    panels,
    redraw,
)

CURVE = 31  # angles of a kernel's curve
MARKS = tuple(10.0**e for e in range(4))  # steepnesses of the live diagonal: few, so that a move stays fast


def models(settings: Settings) -> dict[str, Model]:
    """The three kernels at the settings' values: naive NTK of erf_m, SG-NTK and NNGP of sign."""
    shared: dict[str, Any] = {"depth": settings.depth, "k": settings.k, "sw2": settings.sw2, "sb2": settings.sb2}
    return {
        f"NTK of erf({settings.m:.3g} z)": Model(activation=("erf", settings.m), kind="ntk", **shared),
        f"SG-NTK of sign, k = {settings.k:.3g}": Model(**shared), "NNGP of sign": Model(kind="nngp", **shared),
    }


@dataclass(frozen=True)
class KernelView:
    """Three kernels over the angle, and diagonals over m, at the settings that made them."""

    settings: Settings
    t: Tensor
    curves: dict[str, Tensor]
    found: Diagonals


def kernel_view(settings: Settings) -> KernelView:
    """The kernels at the settings' values."""
    t = torch.linspace(-math.pi, math.pi, CURVE, dtype=torch.float64)
    curves = {name: model.between(t, ONE)[1][:, 0] for name, model in models(settings).items()}
    return KernelView(settings, t, curves, diagonals(MARKS, settings.k, settings.sw2, settings.sb2))


def fig_kernel_view(view: KernelView) -> go.Figure:
    """Kernels over the angle, and their diagonals over the steepness of the activation."""
    low, high = (float(f(torch.cat(list(view.curves.values())))) for f in (torch.min, torch.max))
    peak = {name: float(curve.max()) for name, curve in view.curves.items()}
    row = view.settings.depth - 1
    fig = panels(
        f"Kernels with L = {view.settings.depth} hidden layers", ["over the angle", "an input with itself"],
        [angle_axis("angle between inputs"), axis("steepness m", log=True)],
        [asinh_axis("Θ(t, 0)", low, high), axis("Θ(x, x)", log=True)], height=420,
        takeaway="Peaks: " + ", ".join(f"{name} {value:.3g}" for name, value in peak.items()) + ".",
    )
    for i, (name, curve) in enumerate(view.curves.items()):
        add_line(fig, view.t, np.arcsinh(curve.numpy()), name, i, mode="lines")
    add_line(fig, view.found.m, view.found.ntk[row], "NTK of erf(m z)", 3, panel=1)
    add_line(fig, view.found.m, view.found.sg[row], "SG-NTK of erf(m z)", 4, panel=1)
    mark_x(fig, view.settings.m, f"m = {view.settings.m:.3g}", panel=1)
    fig.update_layout(legend=BELOW, margin={"b": 90})
    return fig


@dataclass(frozen=True)
class RegressionView:
    """Converged regressions with the three kernels."""

    settings: Settings
    found: dict[str, Regression]


def regression_view(settings: Settings) -> RegressionView:
    """The regressions at the settings' values."""
    t = angles(TEST_ANGLES)
    return RegressionView(settings, {name: regress(model, t, settings.n_train)
                                     for name, model in models(settings).items()})


def fig_regression_view(view: RegressionView) -> go.Figure:
    """Regressions with three kernels; the band of the SG-NTK is the spread of an ensemble of networks."""
    t = angles(TEST_ANGLES)
    errors = {name: rms(each.mean - target(t)) for name, each in view.found.items()}
    fig = figure(
        f"Regression on {view.settings.n_train} angles, L = {view.settings.depth}", angle_axis(),
        axis("prediction", range=(-2.6, 2.6)),
        takeaway="Test error (RMS): " + ", ".join(f"{name} {error:.3f}" for name, error in errors.items())
        + ". The band is the SG-NTK's standard deviation.", height=420,
    )
    for i, (name, each) in enumerate(view.found.items()):
        mean, sd = each.mean[::3], each.sd[::3]
        band = (mean - sd, mean + sd) if name.startswith("SG") else None
        add_line(fig, t[::3], mean, name, i, mode="lines", band=band)
    add_line(fig, t[::3], target(t[::3]), "target", 6, mode="lines", line={"width": 1.2})
    train = angles(view.settings.n_train)
    add_points(fig, train, target(train), "training points", 7)
    return fig


def explorer_kernels(settings: Settings) -> Explorer:
    """Kernels over the angle, for any steepness, surrogate, depth and variances."""

    def compute(values: Values, task: Task) -> KernelView:
        return kernel_view(values.settings)

    return explore(
        compute, redraw(fig_kernel_view), [field(name) for name in ("m", "k", "depth", "sw2", "sb2")],
        settings=settings, name="kernels",
        presets={
            "smooth": {"m": 1.0, "k": 1.0}, "nearly a sign": {"m": 1000.0, "k": 1.0, "depth": 3},
            "hidden layers asleep": {"m": 20.0, "k": 0.1}, "narrow surrogate": {"m": 20.0, "k": 10.0},
        },
    )


def explorer_regression(settings: Settings) -> Explorer:
    """Converged regressions with the three kernels."""

    def compute(values: Values, task: Task) -> RegressionView:
        return regression_view(values.settings)

    return explore(
        compute, redraw(fig_regression_view), [field(name) for name in ("m", "k", "depth", "n_train", "sw2", "sb2")],
        settings=settings, name="regression",
        presets={
            "spikes": {"m": 1000.0, "k": 1.0}, "last layer only": {"m": 1000.0, "k": 0.1},
            "narrow surrogate": {"k": 10.0}, "plenty of data": {"n_train": 24, "m": 20.0},
        },
    )


def explorer_ensemble(settings: Settings) -> Explorer:
    """Train an ensemble of sign networks and lay it over its kernel's prediction."""

    def compute(values: Values, task: Task) -> Run:
        return run_point(values.settings, progress=task.step)

    names = ("k", "depth", "n_train", "width", "networks", "steps", "rate", "sw2", "sb2")
    return explore(
        compute, redraw(fig_run), [field(name) for name in names], settings=settings, name="ensemble", mode="run",
        initial=run_point(settings),
        presets={
            "narrow": {"width": 10, "networks": 200}, "wide": {"width": 300, "networks": 100},
            "wide surrogate": {"k": 0.3, "width": 300}, "deep and narrow": {"depth": 3, "width": 30},
        },
    )


EXPLORERS: dict[str, Any] = {
    "kernels": explorer_kernels, "regression": explorer_regression, "ensemble": explorer_ensemble,
}
