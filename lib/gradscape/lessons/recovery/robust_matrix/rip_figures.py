"""Figures of Sign-RIP: the scaling function, and how well a set of measurements keeps to it."""
from __future__ import annotations

import math
from typing import Any

import plotly.graph_objects as go
import torch
from torch import Tensor

from gradscape.recovery.robust_matrix import Noise, OwnRip, RipStudy, phi
from gradscape.workbench import add_band, add_line, axis, figure, mark_y, panels

CLEAN = math.sqrt(2 / math.pi)
NORMS = torch.logspace(-3, 1, 25, dtype=torch.float64)
NAMES = {"none": "no noise", "outlier": "outliers, p = 0.3", "gaussian": "Gaussian noise, ν = 1"}
COUNTED = axis("measurements m", log=True)


def fig_phi(noise: Noise) -> go.Figure:
    """The scaling function against the distance to the true matrix, for each kind of noise and for both."""
    parts = {"no noise": Noise(), f"outliers, p = {noise.p:.2g}, size {noise.scale:.3g}": Noise(noise.p, noise.scale),
             f"Gaussian noise, ν = {noise.nu:.2g}": Noise(nu=noise.nu), "both": noise}
    curves = [phi(NORMS, "both", one.p, one.scale, one.nu) for one in parts.values()]
    near, far = (float(curves[-1][int((NORMS - norm).abs().argmin())]) for norm in (0.01, 1.0))
    fig = figure(
        "How strongly sub-gradients point the right way", axis("distance ‖X‖", log=True), axis("φ", range=(0, 0.85)),
        takeaway=f"With both, φ is {far:.3f} at ‖X‖ = 1 and {near:.3f} at ‖X‖ = 0.01. Outliers, however large, cost "
                 f"at most the factor 1 − p = {1 - noise.p:.2f}; Gaussian noise takes everything near the true matrix.",
    )
    for i, (name, values) in enumerate(zip(parts, curves, strict=True)):
        add_line(fig, NORMS, values, name, i)
    mark_y(fig, CLEAN, "√(2/π)")
    return fig


def halving(m: Tensor, first: float) -> Tensor:
    """A line that falls like m^(-1/2) from ``first``."""
    return first * (m[0] / m).sqrt()


def fig_rip(study: RipStudy) -> go.Figure:
    """Alignments beside φ, and δ against the number of measurements."""
    m, at = torch.tensor(study.measurements, dtype=torch.float64), study.norms.index(1.0)
    ratios = torch.stack([study.worst(noise)[1:] / study.worst(noise)[:-1] for noise in study.noises])
    fig = panels(
        f"Sign-RIP on {study.delta.shape[-1]} random matrices of rank 3, ‖X‖ = 1, d = 20",
        ["alignment ⟨D, X/‖X‖⟩ and φ (dashed)", "largest δ and m^(-1/2) (gray)"], [COUNTED] * 2,
        [axis("alignment", range=(0.4, 0.95)), axis("δ", log=True)], height=430,
        takeaway="Medians; bands from least to largest. Four times as many measurements leave "
                 f"{float(ratios.min()):.2f} to {float(ratios.max()):.2f} of δ.",
    )
    for i, noise in enumerate(study.noises):
        scaling = float(study.phi[i, at])
        draw(fig, m, study.alignment[i, at], study.worst(noise), f"{NAMES[noise]}: φ = {scaling:.3f}", i)
        mark_y(fig, scaling, i=i)
    return fig


def draw(fig: go.Figure, m: Tensor, alignment: Tensor, worst: Tensor, name: str, i: int) -> None:
    """Alignments (measurements, matrices) in the first panel, the largest δ in the second."""
    add_band(fig, m, alignment.amin(-1), alignment.amax(-1), name, i)
    add_line(fig, m, alignment.median(-1).values, name, i)
    add_line(fig, m, worst, name, i, panel=1, legend=False)
    guide: dict[str, Any] = {"mode": "lines", "line": {"color": "#8a939c", "width": 1.2, "dash": "dot"}}
    add_line(fig, m, halving(m, float(worst[0])), "like m^(-1/2)", 6, panel=1, legend=i == 0, **guide)


def fig_limit(study: RipStudy) -> go.Figure:
    """δ near the true matrix and far from it."""
    m = torch.tensor(study.measurements, dtype=torch.float64)
    near, far = study.norms
    ratios = (study.worst("gaussian", near) / study.worst("gaussian", far)).tolist()
    fig = figure(
        "Near the true matrix", COUNTED, axis("largest δ", log=True), height=420,
        takeaway=f"Under Gaussian noise δ is {min(ratios):.1f} to {max(ratios):.1f} times larger at ‖X‖ = {near:g} "
                 f"than at ‖X‖ = {far:g}. Sign-RIP asks for δ < 1 (dashed).",
    )
    for i, (noise, norm) in enumerate((noise, norm) for noise in study.noises[1:] for norm in (far, near)):
        add_line(fig, m, study.worst(noise, norm), f"{NAMES[noise]}, ‖X‖ = {norm:g}", i)
    mark_y(fig, 1.0, "δ = 1")
    return fig


def fig_sweep(result: OwnRip) -> go.Figure:
    """Sign-RIP under one noise at one norm."""
    m, noise = torch.tensor(result.measurements, dtype=torch.float64), result.noise
    worst = result.delta.amax(-1)
    enough = [int(count) for count, delta in zip(result.measurements, worst.tolist(), strict=True) if delta < 1]
    fig = panels(
        f"Sign-RIP at ‖X‖ = {result.norm:.2g}: p = {noise.p:.2g}, outlier N(0, {noise.scale:.3g}²), ν = {noise.nu:.2g}",
        ["alignment ⟨D, X/‖X‖⟩", "largest δ"], [COUNTED] * 2, [axis("alignment"), axis("δ", log=True)], height=420,
        takeaway=f"φ = {result.phi:.3f}. With m = {result.measurements[-1]} the alignments lie between "
                 f"{float(result.alignment[-1].min()):.3f} and {float(result.alignment[-1].max()):.3f}, and δ is "
                 f"{float(worst[-1]):.2f}. δ < 1 " + (f"from m = {enough[0]} on." if enough else "nowhere here."),
    )
    draw(fig, m, result.alignment, worst, "measured", 0)
    mark_y(fig, result.phi, "φ")
    mark_y(fig, 1.0, "δ = 1", panel=1)
    return fig
