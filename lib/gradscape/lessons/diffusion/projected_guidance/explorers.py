"""Explorers of the lesson: the geometry of one step, patches with the exact denoiser, the trained model."""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from gradscape.diffusion.projected_guidance import (
    PatchComparison,
    Settings,
    cfg,
    clip_norm,
    compare_garments,
    compare_patches,
    decompose,
    project_guidance,
)
from gradscape.lessons.diffusion.projected_guidance.figures import fig_patch_explorer, fig_trained
from gradscape.workbench import Control, Explorer, Figure, Task, Values, axis, explore, field, figure, redraw, style

GUIDANCE = ("w", "eta", "clip", "r", "beta")


@dataclass(frozen=True)
class Step:
    """One guided step in the plane: points and vectors (2,)."""

    w: float
    d_cond: np.ndarray
    d_uncond: np.ndarray
    cfg: np.ndarray
    apg: np.ndarray
    parallel: np.ndarray  # (w - 1) times the part of the update along D_c, before eta
    orthogonal: np.ndarray


def step_in_the_plane(values: Values, task: Task | None = None) -> Step:
    """One step of CFG and of APG between two points of the plane."""
    d_cond = torch.tensor([[values.cond_x, values.cond_y]], dtype=torch.float64)
    d_uncond = torch.tensor([[values.uncond_x, values.uncond_y]], dtype=torch.float64)
    parallel, orthogonal = decompose(clip_norm(d_cond - d_uncond, values.r), d_cond)
    apg = project_guidance(d_cond, d_uncond, values.w, values.eta, values.r)
    parts = (values.w - 1) * parallel, (values.w - 1) * orthogonal
    points = [point[0].numpy() for point in (d_cond, d_uncond, cfg(d_cond, d_uncond, values.w), apg, *parts)]
    return Step(values.w, *points)


def fig_geometry(step: Step) -> Figure:
    """Arrows from D_c: CFG, APG, and the two parts of the update."""
    fig = figure(
        f"One guided step from D_c, w = {step.w:g}", axis("first coordinate of D"), axis("second coordinate of D"),
        takeaway="The dotted circle keeps the norm of D_c: the part along leaves it on the ray from 0, the part across "
        "on the tangent.",
        height=480,
    )
    angle = np.linspace(0, 2 * np.pi, 73)
    ring = float(np.hypot(*step.d_cond)) * np.stack([np.cos(angle), np.sin(angle)])
    fig.add_scatter(x=ring[0], y=ring[1], mode="lines", name="norm of D_c", hoverinfo="skip",
                    line={"dash": "dot", "width": 1.2, "color": style(6)["color"]})
    _arrow(fig, step.d_cond, step.apg, "APG", 0, width=7)  # broad and below: with η = 0 the part across covers it
    _arrow(fig, step.d_cond, step.cfg, "CFG", 1, width=4)
    _arrow(fig, step.d_cond, step.d_cond + step.parallel, "(w − 1) × part along", 4)
    _arrow(fig, step.d_cond, step.d_cond + step.orthogonal, "(w − 1) × part across", 2)
    _arrow(fig, step.d_uncond, step.d_cond, "Δ = D_c − D_u", 7)
    for name, at, spot in (("D_u", step.d_uncond, "bottom left"), ("D_c", step.d_cond, "top left")):
        fig.add_scatter(x=[at[0]], y=[at[1]], mode="markers+text", name=name, text=[name], textposition=spot,
                        marker={"size": 10, "color": style(7)["color"]}, showlegend=False)
    fig.update_yaxes(scaleanchor="x", scaleratio=1)
    return fig


def _arrow(fig: Figure, start: np.ndarray, end: np.ndarray, name: str, i: int, width: float = 2) -> None:
    looks = style(i)
    fig.add_scatter(
        x=[start[0], end[0]], y=[start[1], end[1]], mode="lines+markers", name=name,
        line={"color": looks["color"], "dash": looks["dash"], "width": width},
        marker={"symbol": ["circle", "arrow"], "angleref": "previous", "size": [1, 10 + 1.5 * width],
                "color": looks["color"]},
    )


def explorer_geometry(settings: Settings) -> Explorer:
    """Move D_c and D_u in the plane and watch CFG and APG (live)."""


    def coordinate(name: str, default: float, symbol: str) -> Control:
        return Control(name, lo=-2, hi=2, default=default, symbol=symbol, about=f"{symbol} coordinate")

    controls = [
        coordinate("cond_x", 1.4, "D_c[0]"), coordinate("cond_y", 0.6, "D_c[1]"),
        coordinate("uncond_x", 0.8, "D_u[0]"), coordinate("uncond_y", 0.6, "D_u[1]"),
        field("w"),
        Control("eta", lo=-1, hi=1.5, default=0.0, symbol="η", about="weight of the part along D_c"),
        Control("r", lo=0, hi=5, default=0.0, symbol="r", about="largest norm of the update; 0 does not clip"),
    ]
    example = {"cond_x": 2.0, "cond_y": 0.0, "uncond_x": 1.0, "uncond_y": -1.0, "w": 3.0}
    presets = {
        "worked example": example,
        "only along: pure contrast": {"cond_x": 1.2, "cond_y": 0.6, "uncond_x": 0.8, "uncond_y": 0.4},
        "only across": {"cond_x": 1.0, "cond_y": 0.5, "uncond_x": 1.2, "uncond_y": 0.1},
        "CFG lowers contrast": {"cond_x": 0.8, "cond_y": 0.8, "uncond_x": 1.1, "uncond_y": 0.9, "w": 3.0},
    }
    return explore(
        step_in_the_plane, redraw(fig_geometry), controls, settings=settings, name="geometry", presets=presets
    )


def compute_patches(values: Values, task: Task) -> PatchComparison:
    """Sample part A at the controls' values."""
    return compare_patches(values.settings)


def explorer_patches(settings: Settings) -> Explorer:
    """Guide the exact denoiser of part A (quick)."""
    presets = {
        "CFG": {"eta": 1.0, "clip": False, "beta": 0.0},
        "projection only": {"eta": 0.0, "clip": False, "beta": 0.0},
        "APG": {"eta": 0.0, "clip": True, "r": 2.5, "beta": -0.5},
        "radius too large": {"w": 10.0, "eta": 0.0, "clip": True, "r": 10.0, "beta": 0.0},
    }
    return explore(
        compute_patches, redraw(fig_patch_explorer), [field(name) for name in GUIDANCE], settings=settings,
        name="patches", mode="quick", presets=presets,
    )


def explorer_trained(settings: Settings) -> Explorer:
    """Guide the trained model of part B (run): trains it first if this process has not yet."""
    presets = {
        "CFG": {"w": 4.0, "eta": 1.0, "clip": False, "beta": 0.0},
        "APG": {"w": 4.0, "eta": 0.0, "clip": True, "r": 2.5, "beta": -0.75},
        "projection only": {"w": 4.0, "eta": 0.0, "clip": False, "beta": 0.0},
        "very high scale": {"w": 12.0, "eta": 0.0, "clip": True, "r": 2.5, "beta": -0.75},
    }

    def compute(values: Values, task: Task):
        return compare_garments(values.settings, progress=task.step)

    return explore(
        compute, redraw(fig_trained), [field(name) for name in GUIDANCE], settings=settings, name="trained", mode="run",
        presets=presets, initial=compare_garments(settings),
    )


EXPLORERS = {"geometry": explorer_geometry, "patches": explorer_patches, "trained": explorer_trained}
