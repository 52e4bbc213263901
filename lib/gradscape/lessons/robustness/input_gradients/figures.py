"""Figures of the input-gradients lesson: standard is always series 0, robust 1, top 2, random 3, closed forms 4."""
from __future__ import annotations

from dataclasses import dataclass

import plotly.graph_objects as go
import torch
from torch import Tensor

from gradscape.results import Table
from gradscape.robustness.input_gradients.images import RANDOM, Blocks, Roar
from gradscape.robustness.input_gradients.points import Marks
from gradscape.robustness.input_gradients.settings import VARIANTS
from gradscape.workbench import add_line, add_points, axis, figure, heatmap, image_grid, mark_x, mark_y, panels

NAMED = {"standard": "standard", "top": "always on top", "robust": "robust"}
SERIES = {"standard": 0, "robust": 1, "top": 2, RANDOM: 3}
GARMENTS = ("T-shirt", "trouser", "bag", "ankle boot")


def _series(kind: str, kinds: tuple[str, ...]) -> int:
    return SERIES.get(kind, 1 if kinds[1:2] == (kind,) else 5)


def fig_marks(standard: Marks, robust: Marks) -> go.Figure:
    """The first network of each kind: mean gradient over points, at the signal, elsewhere on S, and off S."""
    fig = figure(
        f"Where is the gradient? {len(standard.hit)} networks of each kind", axis("network", ticks=[]),
        axis("mean |gradient|", log=True),
        takeaway=f"Left, standard: the signal's place has {float(standard.ratio.mean()):.2f} times the gradient of the "
                 f"other places of S. Right, robust: {float(robust.ratio.mean()):.0f} times.",
    )
    for shift, found, name in ((0, standard, "standard"), (len(standard.hit) + 1, robust, "robust")):
        count = torch.arange(len(found.hit)) + shift
        off = found.off * found.gradient[..., : found.relevant].mean((-1, -2))
        for i, (values, label) in enumerate(((found.at_signal, "at the signal"), (found.elsewhere, "elsewhere on S"),
                                             (off, "off S"))):
            add_points(fig, count, values, label, i, legend=name == "standard")
    mark_x(fig, len(standard.hit), "robust networks")
    return fig


def fig_maps(standard: Marks, small: Marks, robust: Marks) -> go.Figure:
    """|gradient| of the first network of three kinds: a row for each point, a column for each coordinate."""
    kinds = (("standard", standard), ("small start", small), ("robust", robust))
    fig = panels(
        "The gradient of every point", [name for name, _ in kinds], [axis("coordinate i")] * 3,
        [axis("point"), axis(""), axis("")],
        takeaway=f"The signal sits on the two diagonals. From a small start the gradient varies over S by "
                 f"{float(small.variation[0]):.3f} of its mean, by {float(robust.variation[0]):.1f} in a robust "
                 "network. Each panel is divided by its largest value.",
    )
    for panel, (_, found) in enumerate(kinds):
        size = found.gradient[0]
        heatmap(fig, list(range(size.shape[1])), list(range(len(size))), size / size.max(), "|gradient| / max",
                range=(0, 1), panel=panel, showscale=panel == 2)
    fig.update_yaxes(autorange="reversed")
    return fig


def fig_point(result: Marks) -> go.Figure:
    """One network's gradients beside the closed form of the network with maximal margin."""
    size, expected = result.gradient[0], result.expected
    trained = f"robust, ε = {result.eps:.3g}" if result.eps else "standard"
    fig = panels(
        "One network on the simplified data", [trained, "max-margin network (closed form)"],
        [axis("coordinate i")] * 2, [axis("point"), axis("")],
        takeaway=f"Largest gradient at the signal for {float(result.hit[0]):.0%} of the points, smallest on S for "
                 f"{float(result.smallest[0]):.0%}. Gradient at the signal over elsewhere: "
                 f"{float(result.ratio[0]):.2f}. Accuracy {float(result.accuracy[0]):.2f}"
                 + (f", under attack {float(result.attacked[0]):.2f}." if result.eps else "."),
    )
    for panel, values in enumerate((size, expected)):
        heatmap(fig, list(range(size.shape[1])), list(range(len(size))), values / values.max().clamp_min(1e-12),
                "|gradient| / max", range=(0, 1), panel=panel, showscale=panel == 1)
    fig.update_yaxes(autorange="reversed")
    return fig


def fig_gallery(result: Blocks, count: int = 7) -> go.Figure:
    """Test images and the gradients of the first network of each variant; one scale per gradient."""
    rows, names = [], []
    for variant in VARIANTS:
        shown = torch.stack([(result.labels == c).nonzero()[k, 0] for k in range(2) for c in range(4)])[:count]
        size = result.gradient[variant][0][shown]
        if variant != "robust":  # the robust networks see the images of the standard ones
            rows.append(result.images[variant][shown])
            names.append("image" if variant == "standard" else "image, on top")
        rows.append(size / size.amax(-1, keepdim=True).clamp_min(1e-12))
        names.append(NAMED[variant])
    order = [0, 1, 4, 2, 3]
    lam = {variant: float(result.lam[variant][0].median()) for variant in VARIANTS}
    return image_grid(
        torch.stack([rows[k] for k in order]).unflatten(-1, (2 * result.side, result.side)),
        "Images and input gradients", rows=[names[k] for k in order],
        takeaway=f"Median λ of these networks: standard {lam['standard']:.2f}, robust {lam['robust']:.2f}, always on "
                 f"top {lam['top']:.2f}. A gradient that keeps to the signal block has λ = 0.",
    )


def fig_leakage(result: Blocks) -> go.Figure:
    """λ and ν of every network of the three variants."""
    count = len(result.clean["standard"])
    told = ", ".join(f"{NAMED[v]} {float(result.clean[v].mean()):.3f}" for v in VARIANTS)
    under = float(result.attacked["robust"].mean())
    fig = panels(
        f"How much of the gradient lies where no signal is? {count} networks of each kind",
        ["λ, gradient norms, null over signal block", "ν, largest tenth in the null block"],
        [axis("network", ticks=[])] * 2, [axis("median over images, λ", range=(0, 1.2)),
                                         axis("mean over images, ν", range=(-0.03, 0.6))],
        takeaway=f"Accuracy: {told}; the robust networks keep {under:.2f} under the attack they were trained against, "
                 f"the standard ones {float(result.attacked['standard'].mean()):.2f}.",
    )
    for position, variant in enumerate(VARIANTS):
        at = torch.arange(count) + position * (count + 1)
        for panel, values in enumerate((result.median_lam(variant), result.mean_nu(variant))):
            add_points(fig, at, values, NAMED[variant], SERIES[variant], panel=panel, legend=panel == 0)
    mark_y(fig, 1.0, "knows nothing", panel=0)
    mark_y(fig, 0.5, "knows nothing", panel=1)
    return fig


def fig_roar(result: Roar) -> go.Figure:
    """DiffROAR over levels, and the part of it that the masks alone show."""
    levels = result.result.levels
    last = {kind: float(result.mean(kind)[-1]) for kind in result.kinds}
    told = ", ".join(f"{kind} {round(value, 1) + 0.0:+.1f}" for kind, value in last.items())
    fig = panels(
        "DiffROAR: top-ranked minus bottom-ranked pixels", ["images", "masks only"],
        [axis("level k, share of pixels kept", range=(0, max(levels) + 0.05), ticks=levels)] * 2,
        [axis("difference", "points"), axis("difference", "points")],
        takeaway=f"At k = {levels[-1]:g}: {told}. Small marks: single base networks or rankings.",
    )
    for kind in result.kinds:
        i = _series(kind, result.kinds)
        for panel, name in enumerate(("diff", "mask_only_diff")):
            values = 100 * result.of(kind, name)
            seen = values.isfinite().all(1)
            if bool(seen.any()):
                add_line(fig, levels, values[seen].mean(0), kind, i, panel=panel, legend=panel == 0)
                for row in values[seen]:
                    add_points(fig, levels, row, kind, i, panel=panel, legend=False,
                               marker={"size": 4, "opacity": 0.6})
    for panel in range(2):
        mark_y(fig, 0.0, panel=panel)
    return fig


def fig_power(result: Roar) -> go.Figure:
    """What each kind of kept pixels predicts: images, masks, at every level, beside the base accuracy."""
    levels, kind = result.result.levels, result.kinds[0]
    base, seen = float(result.clean[kind].mean()), float(result.of(kind, "mask_only_top").mean(0)[0])
    fig = panels(
        "What do the kept pixels predict?", list(result.kinds),
        [axis("level k", range=(0, max(levels) + 0.05), ticks=levels)] * len(result.kinds),
        [axis("test accuracy" if k == 0 else "", range=(0, 1)) for k in range(len(result.kinds))],
        takeaway=f"A network that sees only where the {kind} network's top {levels[0]:.0%} lie reads {seen:.3f} right; "
                 f"the network itself reads {base:.3f} (dashed).",
    )
    shown = (("top", "top-k image"), ("bottom", "bottom-k image"), ("mask_only_top", "top-k mask"),
             ("mask_only_bottom", "bottom-k mask"))
    for panel, name in enumerate(result.kinds):
        for i, (field, label) in enumerate(shown):
            add_line(fig, levels, result.of(name, field).nanmean(0), label, i, panel=panel, legend=panel == 0)
        if name in result.clean:
            mark_y(fig, float(result.clean[name].mean()), panel=panel)
    return fig


def fig_recorded_blocks(table: Table | None) -> go.Figure:
    """Recorded: λ of every variant for each data set, size and initialization."""
    caption = table.caption if table is not None else "Not recorded yet: gradscape record robustness/input_gradients"
    rows = list(table.rows()) if table is not None else []
    cases = list(dict.fromkeys((row["data"], row["side"], row["first_layer"]) for row in rows)) or [("none", 0, 1.0)]
    labels = [f"{data} {side} x {side}, first layer x {scale:g}" for data, side, scale in cases]
    fig = figure(
        "Leakage at other sizes and starts (recorded)", axis("median λ, mean over networks", range=(0, 1.2)),
        axis("", ticks=range(len(cases)), labels=labels),
        takeaway=f"{caption}. Bars run from the lowest to the highest network.",
    )
    for variant in VARIANTS:
        own = [row for row in rows if row["variant"] == variant]
        at = [cases.index((row["data"], row["side"], row["first_layer"])) for row in own]
        error = {"type": "data", "symmetric": False, "array": [row["lam_high"] - row["lam"] for row in own],
                 "arrayminus": [row["lam"] - row["lam_low"] for row in own]}
        add_points(fig, [row["lam"] for row in own] or [0.0], at or [0], NAMED[variant], SERIES[variant], error_x=error)
    return fig


def fig_recorded_roar(table: Table | None) -> go.Figure:
    """Recorded: DiffROAR over levels, with and without the masks' own difference, at the scales tried."""
    caption = table.caption if table is not None else "Not recorded yet: gradscape record robustness/input_gradients"
    rows = list(table.rows()) if table is not None else []
    cases = list(dict.fromkeys((row["side"], row["first_layer"]) for row in rows)) or [(14, 0.1)]
    kinds = tuple(dict.fromkeys(row["kind"] for row in rows)) or ("standard",)
    fig = panels(
        "DiffROAR at other sizes and starts (recorded)",
        [f"{side} x {side}, first layer x {scale:g}" for side, scale in cases],
        [axis("level k", range=(0, 0.55))] * len(cases),
        [axis("DiffROAR" if k == 0 else "", "points" if k == 0 else "") for k in range(len(cases))], takeaway=caption,
    )
    for panel, case in enumerate(cases):
        for kind in kinds:
            own = [row for row in rows if (row["side"], row["first_layer"]) == case and row["kind"] == kind]
            add_line(fig, [row["k"] for row in own] or [0.1], [row["diff"] for row in own] or [0.0], kind,
                     _series(kind, kinds), panel=panel, legend=panel == 0)
        mark_y(fig, 0.0, panel=panel)
    return fig


@dataclass(frozen=True)
class Look:
    """One test image and one network's gradient on it."""

    variant: str
    side: int
    image: Tensor  # (2 s²,)
    gradient: Tensor  # magnitudes, (2 s²,)
    kept: Tensor  # the image on the kept pixels, half gray elsewhere
    label: int
    read: int
    share: float  # percent
    lam: float
    nu: float


def fig_look(result: Look) -> go.Figure:
    """A test image, where one network's gradient is, and the pixels it ranks first."""
    size = result.gradient / result.gradient.max().clamp_min(1e-12)
    shown = torch.stack([result.image, size, result.kept]).unsqueeze(0).unflatten(-1, (2 * result.side, result.side))
    return image_grid(
        shown, f"{NAMED[result.variant].capitalize()} network, {GARMENTS[result.label]}", height=420,
        columns=["image", "|gradient|", f"top {result.share:.3g} %"],
        takeaway=f"λ = {result.lam:.2f}, ν = {result.nu:.2f}; read as {GARMENTS[result.read]}. Blanked pixels are "
                 "gray.",
    )
