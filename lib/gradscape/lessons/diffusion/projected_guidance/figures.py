"""Figures of the lesson: each takes an experiment's result and returns a figure."""
from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
import torch
from torch import Tensor

from gradscape.datasets import fashion
from gradscape.diffusion.projected_guidance import Cost, GarmentComparison, MomentumBuffer, PatchComparison, excess
from gradscape.diffusion.projected_guidance import methods as m
from gradscape.diffusion.projected_guidance.claims import GARMENT_SCALE, PATCH_SCALE
from gradscape.diffusion.projected_guidance.patches import PHOTOS
from gradscape.results import Table
from gradscape.stats import Grid
from gradscape.workbench import Figure, add_bars, add_line, axis, figure, image_grid, mark_y, panels
from gradscape.workbench.figures import Axis

SHORT = {
    m.UNGUIDED: "none", m.CFG: "CFG", m.ORTHOGONAL: "across only", m.PARALLEL: "along only", m.APG_PATCHES: "APG",
}
GARMENT_SHORT = {
    m.UNGUIDED: "none", m.CFG: "CFG", m.ORTHOGONAL: "η = 0", m.RADIUS_ONLY: "η = 0, r",
    m.MOMENTUM_ONLY: "η = 0, β",
    m.APG_PATCHES: "η = 0, r, β", m.APG_GARMENTS: "APG, β = −.75", m.PARALLEL: "along only",
    m.NOISE_SPACE: "η = 0 on ε",
}
PHOTO_NAMES = ("astronaut", "cat", "coffee", "tissue", "rocket", "retina", "temple", "flower")
assert len(PHOTO_NAMES) == len(PHOTOS)
BETWEEN, BELOW = 80, 190  # pixels between images and the panels below them, and their height
ROWS = {m.UNGUIDED: "no guidance", m.CFG: "CFG", PatchComparison.OWN: "yours"}


def fig_parts(grid: Grid) -> Figure:
    """G1, G2: what each part of the update adds to the norm and to the class accuracy."""
    fig = panels(
        f"Along or across the image: what each part of the update does, w = {PATCH_SCALE:g}",
        ["norm", "class accuracy"],
        [axis("what is added to D_c"), axis("what is added to D_c")],
        [axis("excess over no guidance", "L2 norm"), axis("gain over no guidance")],
        takeaway="The part along D_c makes nearly all of the extra norm and adds nothing to the class; the part across "
        "does the reverse.",
        showlegend=False,
    )
    _bars(fig, grid, "norm", (m.CFG, m.PARALLEL, m.ORTHOGONAL, m.APG_PATCHES), 0)
    _bars(fig, grid, "accuracy", (m.CFG, m.PARALLEL, m.ORTHOGONAL, m.APG_PATCHES), 1)
    return fig


def fig_burn(grid: Grid) -> Figure:
    """G3: clipped pixels, overshoot and saturation beyond what no guidance has."""
    fig = panels(
        f"Burnt colors at w = {PATCH_SCALE:g}",
        ["entries outside [−1, 1]", "overshoot", "HSV saturation"],
        [axis("method")] * 3,
        [axis("excess share"), axis("excess of mean max(|x| − 1, 0)"), axis("excess saturation")],
        takeaway="At the same scale and from the same noise, projection removes most of what CFG burns.",
        showlegend=False,
    )
    for panel, metric in enumerate(("clip", "overshoot", "saturation")):
        _bars(fig, grid, metric, (m.CFG, m.ORTHOGONAL, m.APG_PATCHES), panel)
    return fig


def fig_patches(result: PatchComparison) -> Figure:
    """Patches of the eight photographs: real, and sampled in three ways from the same noise; four in each tile."""
    return _patch_images(result, "Patches of eight photographs: real, and three ways to sample from the same noise")


def fig_norms(result: PatchComparison) -> Figure:
    """How large the update is along the trajectory, and what clipping and projection keep of it."""
    fig = figure(
        "How large the update is while sampling",
        axis("noise level σ, falling", log=True, range=(float(result.sigmas[0]), float(result.sigmas[-1]))),
        axis("norm, mean over samples"),
        takeaway="The update is largest while the noise is; a radius far above this curve does nothing.",
    )
    _norm_lines(fig, result, 0)
    return fig


def fig_momentum(betas: Sequence[float] = (-0.5, -0.75), steps: int = 9) -> Figure:
    """What negative momentum does to a constant and to an alternating update."""
    fig = figure(
        "Negative momentum shrinks what stays and amplifies what turns", axis("evaluation k"), axis("|M_k| / |Δ|"),
        takeaway="A constant update falls to 1/(1 − β) of itself, one that turns at every step grows to 1/(1 + β).",
    )
    for i, beta in enumerate(betas):
        for turn, word in ((1, "constant"), (-1, "alternating")):
            buffer = MomentumBuffer(beta)
            updates = (torch.tensor([[float(turn) ** k]]) for k in range(steps))
            factors = [abs(float(buffer.update(update))) for update in updates]
            add_line(fig, np.arange(steps), factors, f"β = {beta:g}, {word}", 2 * i + (turn < 0))
    return fig


def fig_garments(grid: Grid) -> Figure:
    """G4, G6, G7: every switch of the guidance on the trained model."""
    fig = panels(
        f"A trained model at w = {GARMENT_SCALE:g}, switch by switch",
        ["Fréchet distance of 24 pixel components", "precision and recall", "overshoot"],
        [axis("")] * 3,
        [axis("FD"), axis("share", range=(0, 1.05)), axis("mean max(|x| − 1, 0)")],
        takeaway="η = 0 alone removes overshoot but not the distance; momentum brings that down. On ε the projection "
        "does little.",
        height=430,
        legend={"orientation": "h", "x": 0.36, "y": 1.0, "yanchor": "top"},
    )
    at = grid.select(w=GARMENT_SCALE).mean("replicate")
    names = [method for method in grid.axes["method"] if np.isfinite(at.select(method=method).values).all()]
    labels = [GARMENT_SHORT[method] for method in names]
    for panel, metrics in enumerate((("frechet",), ("precision", "recall"), ("overshoot",))):
        for i, metric in enumerate(metrics):
            values = [at.at(metric=metric, method=method) for method in names]
            add_bars(fig, labels, values, metric, 2 * panel + i if panel else 0, panel=panel, showlegend=panel == 1)
    fig.update_xaxes(tickangle=-55)
    return fig


def fig_scales(grid: Grid, recorded: Table | None = None) -> Figure:
    """FD against the guidance scale: measured now (markers), and recorded with longer training (lines)."""
    note = f" Lines: {recorded.caption[0].lower()}{recorded.caption[1:]}, longer training." if recorded else ""
    fig = figure(
        "The higher the scale, the clearer", axis("guidance scale w"), axis("Fréchet distance of pixel components"),
        takeaway="Low scales need nothing; at high ones CFG drifts away from the data faster than APG." + note,
    )
    frechet = grid.select(metric="frechet").mean("replicate")
    for i, method in enumerate((m.CFG, m.ORTHOGONAL, m.APG_GARMENTS)):
        values = [frechet.at(method=method, w=w) for w in grid.axes["w"]]
        name = GARMENT_SHORT[method]
        mode = "markers" if recorded else "lines+markers"
        add_line(fig, grid.axes["w"], values, f"{name}, this run", i, mode=mode, marker={"size": 10})
        if recorded is not None:
            points = [(row["w"], row["frechet"]) for row in recorded.rows() if row["method"] == method]
            add_line(fig, *zip(*sorted(points), strict=True), f"{name}, recorded", i)
    return fig


def fig_garment_images(result: GarmentComparison) -> Figure:
    """Generated garments of every class, four in each tile."""
    return _garment_images(result, "Garments sampled in three ways from the same noise")


def fig_cost(cost: Cost) -> Figure:
    """G5: arithmetic of one guided evaluation."""
    names = list(cost.operations)
    fig = figure(
        "What guidance costs", axis("one evaluation of the batch"), axis("operations", log=True, range=(1e4, 2e9)),
        takeaway=f"APG adds {cost.operations['APG'] / cost.operations['network pair']:.1%} to the arithmetic of the "
        "two network calls that any guidance needs.",
        showlegend=False, height=300,
    )
    add_bars(fig, names, [cost.operations[name] for name in names], "operations", 0)
    return fig


def fig_patch_explorer(result: PatchComparison) -> Figure:
    """The patches explorer: images, what changed in numbers, and the norms along the trajectory."""
    fig = _under_images(
        _patch_images(result, "Your guidance beside CFG, from the same noise"),
        ["norm (1: unguided) and shares", "norms along the trajectory"],
        [axis(""), axis("noise level σ, falling", log=True, range=(float(result.sigmas[0]), float(result.sigmas[-1])))],
        [axis("ratio or share"), axis("norm, mean over samples")],
    )
    base = result.scores[m.UNGUIDED]["norm"]
    labels = ["norm", "saturation", "clipped", "accuracy"]
    for i, (name, title) in enumerate(ROWS.items()):
        scores = result.scores[name]
        values = [scores["norm"] / base, scores["saturation"], scores["clip"], scores["accuracy"]]
        add_bars(fig, labels, values, title, i, panel=1)
    _norm_lines(fig, result, 2)
    return fig


def fig_trained(result: GarmentComparison) -> Figure:
    """The explorer of the trained model: images and metrics."""
    fig = _under_images(
        _garment_images(result, "Your guidance beside CFG on the trained model"),
        ["distance to real images", "shares"],
        [axis(""), axis("")],
        [axis("Fréchet distance"), axis("share")],
    )
    for i, (name, title) in enumerate(ROWS.items()):
        scores = result.scores[name]
        add_bars(fig, ["FD"], [scores["frechet"]], title, i, panel=1)
        shares = [scores[key] for key in ("precision", "recall", "accuracy", "clip")]
        add_bars(fig, ["precision", "recall", "accuracy", "clipped"], shares, title, i, panel=2, showlegend=False)
    return fig


def _bars(fig: Figure, grid: Grid, metric: str, names: Sequence[str], panel: int) -> None:
    added = {name: excess(grid, metric, name, PATCH_SCALE) for name in names}
    spread = [float(values.std(ddof=1)) if len(values) > 1 else 0.0 for values in added.values()]
    means = [float(values.mean()) for values in added.values()]
    add_bars(fig, [SHORT[name] for name in names], means, metric, panel, error=spread, panel=panel)


def _norm_lines(fig: Figure, result: PatchComparison, panel: int) -> None:
    names = {
        "delta": "‖Δ‖", "update": "after momentum and clipping", "parallel": "its part along",
        "orthogonal": "its part across",
    }
    for i, (part, name) in enumerate(names.items()):
        add_line(fig, result.sigmas, result.norms[part], name, i, panel=panel)
    if result.radius:
        mark_y(fig, result.radius, f"r = {result.radius:g}", panel=panel)


def _patch_images(result: PatchComparison, title: str) -> Figure:
    rows = [result.real.transpose(0, 1).flatten(0, 1), *result.images.values()]
    tiles = torch.stack([_tiles(row, len(PHOTO_NAMES)).permute(0, 2, 3, 1) for row in rows])
    return image_grid(
        tiles, title, rows=["real", *(ROWS[name] for name in result.images)], columns=PHOTO_NAMES, range=(-1, 1), gap=2
    )


def _garment_images(result: GarmentComparison, title: str) -> Figure:
    tiles = torch.stack([_tiles(row[:, None], len(fashion.CLASSES))[:, 0] for row in result.images.values()])
    rows = [ROWS[name] for name in result.images]
    return image_grid(tiles, title, rows=rows, columns=fashion.CLASSES, range=(-1, 1), gap=2)


def _tiles(images: Tensor, classes: int) -> Tensor:
    """Put the first four images of each class (images go round the classes) into a 2 x 2 tile: (classes, C, 2H, 2W)."""
    channels, height, width = images.shape[1:]
    four = images[: 4 * classes].view(2, 2, classes, channels, height, width)
    return four.permute(2, 3, 0, 4, 1, 5).reshape(classes, channels, 2 * height, 2 * width)


def _under_images(
    sheet: Figure, titles: Sequence[str], x: Sequence[Axis], y: Sequence[Axis]
) -> Figure:
    """A sheet of images on top and two panels below it (panels 1 and 2)."""
    top, bottom = sheet.layout.margin.t, 100
    images = sheet.layout.height - top - sheet.layout.margin.b  # pixels, as are all of these
    area = images + BETWEEN + BELOW
    low = BELOW / area
    fig = panels(sheet.layout.title.text, ["", *titles], [axis(""), *x], [axis(""), *y])
    fig.update_layout(
        xaxis=sheet.layout.xaxis.to_plotly_json() | {"domain": [0, 1], "anchor": "y"},
        yaxis=sheet.layout.yaxis.to_plotly_json() | {"domain": [1 - images / area, 1], "anchor": "x"},
        xaxis2_domain=[0, 0.42], xaxis3_domain=[0.56, 1], yaxis2_domain=[0, low], yaxis3_domain=[0, low],
        legend={"orientation": "h", "y": -50 / area, "yanchor": "top", "x": 0},
        margin={"t": top, "b": bottom}, height=top + area + bottom,
    )
    for note, middle in zip(fig.layout.annotations, (0.21, 0.78), strict=True):
        note.update(x=middle, y=low)
    fig.add_trace(go.Image(sheet.data[0].to_plotly_json()))
    return fig
