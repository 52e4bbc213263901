"""Figures of the bit-planes lesson: noise images, matrices, arms, choices of patches, degradations, cues."""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from gradscape.results import Table
from gradscape.robustness.bitplanes.experiments import Robustness, Study, clipped, ones
from gradscape.robustness.bitplanes.patches import CHOICES, gradient_score, patch_grid
from gradscape.robustness.bitplanes.planes import Bytes, low_bits, noise_image
from gradscape.robustness.bitplanes.settings import ARMS, FAKES, TRAINED
from gradscape.robustness.bitplanes.world import Flat, World
from gradscape.stats import Grid
from gradscape.workbench import add_bars, add_line, axis, figure, heatmap, image_grid, mark_x, mark_y, panels
from gradscape.workbench.figures import Axis

SHOWN = 1  # images of a class in the sheet
COARSE = np.uint8(0xF8)  # bits shown of them: the other three cannot be seen, and cost half of the bytes
# paper's Table 7: NGC trained on SD 1.5, average accuracy by the planes kept
TABLE_7 = {1: 0.915, 2: 0.951, 3: 0.968, 4: 0.957, 5: 0.934, 6: 0.864}
ARM_WORDS = {"E": "E: rounded alike", "R": "R: half to even", "J75": "J75: JPEG 75", "J96": "J96: JPEG 96"}


def accuracy_axis(title: str = "balanced accuracy") -> Axis:
    """Accuracy from just below chance to 1."""
    return axis(title, range=(0.4, 1.03))


def fig_images(made: World) -> go.Figure:
    """Test images of each class, and the thresholded lowest bit of the first."""
    classes = {"real (arm E)": made.real("E")[1], **made.fake_test}
    rows = [np.concatenate([images[:SHOWN] & COARSE, noise_image(images[:1], 1), noise_image(images[:1], 3)])
            for images in classes.values()]
    words = ", ".join(f"{name} {clipped(images):.3f}" for name, images in classes.items())
    return image_grid(
        np.stack(rows), "Real crops, five small generators, and noise images of each row's first image",
        rows=list(classes), columns=[*map(str, range(1, SHOWN + 1)), "P = 1", "P = 3"], range=(0, 255),
        takeaway=f"These are poor generators. Share of values that are 0 or 255: {words}.",
    )


def fig_ones(made: World) -> go.Figure:
    """How often the lowest bit is 1: real test images in each arm, and every generator."""
    real = {ARM_WORDS[arm]: ones(made.real(arm)[1]) for arm in ARMS}
    fake = {name: ones(made.fake_test[name]) for name in FAKES}
    fig = figure(
        "How often is the lowest bit 1?", axis("class of images"), axis("share of ones", range=(0.3, 0.6)),
        takeaway=f"Half to even: {real[ARM_WORDS['R']]:.3f} (a mean of four integers predicts 3/8); the other arms "
                 f"{min(v for k, v in real.items() if k != ARM_WORDS['R']):.3f} and above; generators "
                 f"{min(fake.values()):.3f} to {max(fake.values()):.3f}.",
    )
    add_bars(fig, list(real), list(real.values()), "real test images", 0)
    add_bars(fig, list(fake), list(fake.values()), "generated images", 1)
    mark_y(fig, 0.375, "3/8")
    return fig


def fig_matrix(found: Study, how: str = "max") -> go.Figure:
    """Accuracy of each detector (rows) on each generator (columns)."""
    matrix, gap = found.matrix(how), found.gap(how)
    options = found.detectors.options
    bits = "raw patches" if options.mode == "raw" else f"P = {options.planes}, {options.mode}"
    fig = figure(
        f"Arm {found.arm}, {bits}, {how} patch: accuracy", axis("tested on"), axis("trained on"), height=340,
        takeaway=f"Diagonal {gap.diagonal:.3f}, unseen generators {gap.off:.3f}, gap {gap.gap:.3f}; quilt of real "
                 f"pixels {found.quilt(how):.3f}.",
    )
    _cells(fig, matrix)
    return fig


def _cells(fig: go.Figure, matrix: Grid, panel: int = 0) -> None:
    values = matrix.values.round(3)
    heatmap(fig, list(matrix.axes["test"]), list(matrix.axes["train"]), values, "accuracy", range=(0.4, 1.0),
            panel=panel, text=[[f"{v:.2f}" for v in row] for row in values], texttemplate="%{text}")
    fig.update_yaxes(autorange="reversed")  # the diagonal from the upper left


def fig_arms(found: Mapping[str, Study]) -> go.Figure:
    """Diagonal, unseen generators and quilt for several studies (name -> study)."""
    gaps = {name: study.gap() for name, study in found.items()}
    least = min(gaps, key=lambda name: gaps[name].off)
    fig = figure(
        "The same generated images, other last steps of the real ones", axis("arm and detector"), accuracy_axis(),
        barmode="group",
        takeaway="Gap between both: " + ", ".join(f"{name} {gap.gap:.3f}" for name, gap in gaps.items())
                 + f". Lowest on unseen generators: {least}, {gaps[least].off:.2f}.",
    )
    add_bars(fig, list(found), [gap.diagonal for gap in gaps.values()], "generator trained on", 0)
    add_bars(fig, list(found), [gap.off for gap in gaps.values()], "unseen generators", 1)
    add_bars(fig, list(found), [study.quilt() for study in found.values()], "quilt of real pixels", 2)
    mark_y(fig, 0.5, "chance")
    return fig


def fig_choices(rounded: Study, equal: Study) -> go.Figure:
    """Accuracy by choice of the patch: unseen generators in arm R, the generator trained on in arm E."""
    off = [rounded.gap(how).off for how in CHOICES]
    own = [equal.gap(how).diagonal for how in CHOICES]
    best = CHOICES[int(np.argmax(own))]
    fig = figure(
        "Which patch says most?", axis("patch chosen by its gradient score"), accuracy_axis(), barmode="group",
        takeaway=f"Arm R: max {off[0]:.3f}, random {off[1]:.3f}, min {off[2]:.3f}. Arm E: best with the {best} patch, "
                 f"{max(own):.3f}.",
    )
    add_bars(fig, list(CHOICES), off, "arm R, unseen generators", 0)
    add_bars(fig, list(CHOICES), own, "arm E, generator trained on", 1)
    return fig


def fig_positives(found: Mapping[str, Study]) -> go.Figure:
    """False positives on test photographs, one bar per detector."""
    positives = {name: study.false_positives.select(choice="max").values for name, study in found.items()}
    words = "; ".join(f"{name}: {values.min():.2f} to {values.max():.2f}" for name, values in positives.items())
    fig = figure(
        "Real photographs called generated", axis("detector trained on"), axis("share", range=(0, 1)),
        barmode="group", takeaway=f"{words}. Accuracy on generated images alone would hide it.",
    )
    for i, (name, values) in enumerate(positives.items()):
        add_bars(fig, list(TRAINED), values, name, i)
    return fig


def fig_robustness(found: Robustness) -> go.Figure:
    """Arm R's detectors on degraded images."""
    names = [*found.cases, "real + 1 level"]
    diagonal, off = [*found.diagonal, found.brighter.diagonal], [*found.off, found.brighter.off]
    fig = figure(
        "Arm R's detectors, both classes degraded at test", axis("degradation"), accuracy_axis(), barmode="group",
        takeaway=f"Clean {found.off[0]:.3f}; at most {max(found.diagonal[1:].max(), found.off[1:].max()):.3f} after "
                 f"any degradation; {found.brighter.off:.3f} when only real images become one gray level brighter.",
    )
    add_bars(fig, names, diagonal, "generator trained on", 0)
    add_bars(fig, names, off, "unseen generators", 1)
    mark_y(fig, 0.5, "chance")
    return fig


def fig_cues(found: Grid) -> go.Figure:
    """What a threshold on one number says in arms E and R."""
    fig = panels(
        "One number per image, one threshold: balanced accuracy", [ARM_WORDS["E"], ARM_WORDS["R"]],
        [axis("tested on")] * 2, [axis(""), axis("", ticks=list(range(len(found.axes["cue"]))), labels=[""] * 6)],
        height=360, takeaway=f"The lowest bit alone: {_mean_cue(found, 'E'):.2f} in arm E, {_mean_cue(found, 'R'):.2f} "
        "in arm R (mean over generators). The other cues are the generators' own and differ from one to the next.",
    )
    for panel, arm in enumerate(("E", "R")):
        part = found.select(arm=arm).values.round(2)
        heatmap(fig, list(FAKES), list(found.axes["cue"]), part, "accuracy", range=(0.4, 1.0), panel=panel,
                text=[[f"{v:.2f}" for v in row] for row in part], texttemplate="%{text}", showscale=panel == 1)
    return fig


def _mean_cue(found: Grid, arm: str) -> float:
    return float(found.select(arm=arm, cue=found.axes["cue"][0]).values.mean())


def fig_flat(found: Flat) -> go.Figure:
    """Fashion-MNIST: what the share of exact zeros alone gives away."""
    fig = figure(
        "Exact zeros in Fashion-MNIST and in its principal components", axis("share of pixels that are exactly 0"),
        axis("images", "of 400"),
        takeaway=f"One threshold on this share, no network: balanced accuracy {found.accuracy:.3f}, although clipping "
                 "gives the generator zeros too. What a flat background says is not about generation.",
    )
    edges = np.linspace(0, 1, 26)
    for i, (name, values) in enumerate((("Fashion-MNIST", found.real), ("principal components", found.fake))):
        counts, _ = np.histogram(values, edges)
        add_line(fig, (edges[1:] + edges[:-1]) / 2, counts, name, i)
    return fig


@dataclass(frozen=True)
class Look:
    """One image seen through its low bits."""

    source: str
    image: Bytes
    planes: int
    mode: str
    patch: int
    how: str
    index: int
    noise: NDArray[Any]


def fig_planes(look: Look) -> go.Figure:
    """Image, noise image, score of each patch, and the histogram of the low bits."""
    scores = gradient_score(patch_grid(look.noise, look.patch)).astype(float)
    side = look.image.shape[0]
    across = side // look.patch
    z = low_bits(look.image, look.planes)
    counts = np.bincount(z.ravel(), minlength=2**look.planes) / z.size
    rank = int((scores > scores[look.index]).sum()) + 1
    fig = panels(
        f"{look.source}: {look.planes} lowest planes",
        ["image (mean of channels)", "noise (mean of channels)", "patch scores / 1000", "values of z"],
        [axis("")] * 2 + [axis("column"), axis("z")], [axis("")] * 2 + [axis("row"), axis("share of values")],
        columns=2, height=720,
        takeaway=f"The {look.how} patch is number {look.index + 1} of {across**2} (rank {rank} by score). z = 0 in "
                 f"{counts[0]:.3f} of the values; even bits would give {2.0**-look.planes:.3f}.",
    )
    pixels = np.arange(side)
    for panel, picture in enumerate((look.image.mean(-1), look.noise.mean(-1))):
        heatmap(fig, pixels, pixels, picture.round(), "gray", range=(0, 255), panel=panel, showscale=False)
        fig.data[-1].update(colorscale="Gray", z=picture.round().astype(np.uint8))
    heatmap(fig, np.arange(across), np.arange(across), (scores / 1000).reshape(across, across).round(2), "score",
            panel=2, showscale=False, text=(scores / 1000).reshape(across, across).round(1), texttemplate="%{text}")
    add_bars(fig, [str(v) for v in range(len(counts))], counts.round(4), "share of values", 0, panel=3)
    row, column = divmod(look.index, across)
    low_x, low_y = column * look.patch - 0.5, row * look.patch - 0.5
    for panel in (0, 1):
        corners = np.array([[0, 0], [1, 0], [1, 1], [0, 1], [0, 0]]) * look.patch
        add_line(fig, low_x + corners[:, 0], low_y + corners[:, 1], "chosen patch", 1, panel=panel, mode="lines",
                 legend=panel == 0, line={"dash": "solid", "width": 3})
    for panel in (0, 1, 2):
        name = "yaxis" if panel == 0 else f"yaxis{panel + 1}"
        fig.layout[name].update(autorange="reversed")
    return fig


@dataclass(frozen=True)
class Processed:
    """Real test images after another last step: their lowest bits, and what arm R's detectors say."""

    ones: float
    fake_ones: float
    real: NDArray[np.float64]  # logits of the first detector
    fake: NDArray[np.float64]
    accuracy: dict[str, float]  # detector -> mean balanced accuracy over four generators
    trained_on: str


def fig_pipeline(found: Processed) -> go.Figure:
    """Scores of both classes, and accuracy of each detector."""
    mean = float(np.mean(list(found.accuracy.values())))
    fig = panels(
        "Real test images through another last step, seen by arm R's detectors",
        [f"logits of the detector trained on {found.trained_on}", "accuracy by detector"],
        [axis("logit (above 0: called generated)", range=(-15, 15)), axis("trained on")],
        [axis("share of images"), accuracy_axis()],
        takeaway=f"Ones in the lowest bit: real {found.ones:.3f}, generated {found.fake_ones:.3f}. Mean accuracy "
                 f"{mean:.3f}.",
    )
    edges = np.linspace(-15, 15, 31)
    for i, (name, values) in enumerate((("real", found.real), ("generated", found.fake))):
        counts, _ = np.histogram(np.clip(values, -14.9, 14.9), edges)
        add_line(fig, (edges[1:] + edges[:-1]) / 2, counts / max(len(values), 1), name, i, mode="lines")
    mark_x(fig, 0.0, "threshold")
    add_bars(fig, list(found.accuracy), list(found.accuracy.values()), "accuracy", 2, panel=1)
    return fig


def fig_table(table: Table | None, title: str) -> go.Figure:
    """A recorded table: diagonal, unseen generators and quilt of each row; the min patch beside the max patch."""
    rows = list(table.rows()) if table is not None else []
    words = "Nothing is recorded: run gradscape record robustness/bitplanes."
    if table is not None:
        best = max(rows, key=lambda row: row["off"])
        wide = max(rows, key=lambda row: row["diagonal"] - row["off"])
        words = (f"{table.caption}. Highest on unseen generators: {best['arm']}, {best['detector']}, "
                 f"{best['off']:.3f}; largest gap: {wide['arm']}, {wide['detector']}, "
                 f"{wide['diagonal'] - wide['off']:.3f}.")
    fig = figure(title, axis("arm, detector"), accuracy_axis(), takeaway=words, height=420)
    labels = [f"{row['arm']}, {row['detector']}" for row in rows] or ["none"]
    for i, (name, key) in enumerate((("generator trained on", "diagonal"), ("unseen generators", "off"),
                                     ("quilt of real pixels", "quilt"), ("generator trained on, min patch",
                                                                        "diagonal_min"))):
        values = [row[key] for row in rows] or [0.5]
        fig.add_trace(go.Scatter(x=labels, y=values, name=name, mode="markers"))
        fig.data[-1].update(marker=_marker(i))
    mark_y(fig, 0.5, "chance")
    return fig


def _marker(i: int) -> dict[str, Any]:
    from gradscape.workbench import style

    looks = style(i)
    return {"color": looks["color"], "symbol": looks["symbol"], "size": 10}


def fig_planes_kept(table: Table | None) -> go.Figure:
    """Accuracy over the number of planes: recorded here (arm R, arm E) beside the paper's Table 7."""
    fig = figure(
        "How many planes?", axis("planes kept", ticks=list(range(1, 7))), accuracy_axis(),
        takeaway=(table.caption + ". " if table is not None else "") + "The paper's curve: NGC trained on SD 1.5, "
        "average over GenImage's eight generators (Table 7). Ours is NBC-small, unseen generators; the scales differ.",
    )
    add_line(fig, list(TABLE_7), list(TABLE_7.values()), "paper, Table 7 (NGC)", 7)
    if table is not None:
        for i, arm in enumerate("RE"):
            rows = [r for r in table.rows() if r["arm"] == arm and r["detector"].endswith("threshold")]
            add_line(fig, [int(r["detector"][4]) for r in rows], [r["off"] for r in rows], f"here, arm {arm}", i)
    return fig


def fig_mystery(matrices: Mapping[str, NDArray[np.float64]]) -> go.Figure:
    """Five matrices without labels."""
    fig = panels(
        "Which detectors saw a pipeline, which a generator?", list(matrices), [axis("tested on")] * len(matrices),
        [axis("trained on")] + [axis("", ticks=list(range(4)), labels=[""] * 4)] * (len(matrices) - 1), height=270,
        takeaway="Rows: trained on; columns: tested on; pca, vae, gan, diffusion.",
    )
    for panel, values in enumerate(matrices.values()):
        heatmap(fig, list("pvgd"), list(TRAINED), values, "accuracy", range=(0.4, 1.0), panel=panel, showscale=False,
                text=[[f"{100 * v:.0f}" for v in row] for row in values], texttemplate="%{text}")
    fig.update_yaxes(autorange="reversed")
    return fig


__all__ = [
    "Look", "Processed", "fig_arms", "fig_choices", "fig_cues", "fig_flat", "fig_images", "fig_matrix", "fig_mystery",
    "fig_ones", "fig_pipeline", "fig_planes", "fig_planes_kept", "fig_positives", "fig_robustness", "fig_table",
]
