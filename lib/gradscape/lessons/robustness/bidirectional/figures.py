"""Figures of the bidirectional-learning lesson: BP is always series 0, half 1, BL 2, the penalty L2 3."""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
import torch
from torch import Tensor

from gradscape.datasets.fashion import CLASSES
from gradscape.results import Table
from gradscape.robustness.bidirectional.experiments import (
    Curves,
    Drawings,
    Masking,
    Pair,
    Split,
    Study,
)
from gradscape.robustness.bidirectional.networks import BidirectionalMLP, class_prototypes
from gradscape.robustness.bidirectional.released import APPENDIX, ITERATIONS, LOG
from gradscape.robustness.bidirectional.settings import EPS
from gradscape.robustness.bidirectional.tables import SAME
from gradscape.workbench import (
    add_bars,
    add_line,
    add_points,
    axis,
    figure,
    image_grid,
    mark_x,
    mark_y,
    panels,
)

LABELS = {"bp": "BP", "half": "half", "bl": "BL", "l2": "BP + L2"}
SERIES = {"bp": 0, "half": 1, "bl": 2, "l2": 3}
SHOWN = {"clean": "clean", "noisy": "static", "fgsm_pred": "FGSM, predicted", "fgsm_true": "FGSM, true",
         "pgd": "PGD, cross-entropy", "pgd_margin": "PGD, margin"}
ATTACKED = {"fgsm_true": "FGSM, true labels", "fgsm_pred": "FGSM, predicted labels", "pgd": "PGD on the cross-entropy",
            "pgd_margin": "PGD on the margin"}
SHORT = [name.replace("ankle ", "") for name in CLASSES]
SHARE = (-0.03, 1.03)


def fig_appendix() -> go.Figure:
    """The paper's MNIST table: BP, half and BL for ten networks, three measures."""
    rows = list(APPENDIX.values())
    gained = [sum(row[m][2] > row[m][0] for row in rows) for m in range(3)]
    fig = panels(
        "The paper's own numbers (MNIST)", ["clean", "static", "FGSM, ε = .3, predicted labels"],
        [axis("accuracy")] * 3, [axis("network", ticks=range(len(rows)), labels=list(APPENDIX)),
                                 *[axis("", ticks=range(len(rows)), labels=[""] * len(rows))] * 2],
        takeaway=f"Of {len(rows)} networks BL is ahead of BP in clean accuracy for {gained[0]}, under static for "
                 f"{gained[1]}, under FGSM for {gained[2]}.",
    )
    for m in range(3):
        for k, variant in enumerate(("bp", "half", "bl")):
            add_points(fig, [row[m][k] for row in rows], np.arange(len(rows)), LABELS[variant], SERIES[variant],
                       panel=m, legend=m == 0)
    return fig


def fig_drawings(result: Drawings) -> go.Figure:
    """Class means, and what the generator draws: without hidden layer, with one, and where it was never trained."""
    gap = float((result.plain - result.means).abs().mean())
    return image_grid(
        torch.stack([result.means, result.plain, result.hidden, result.untrained]).unflatten(-1, (28, 28)),
        "What does the network draw for a class?", columns=SHORT,
        rows=["class mean", "BL, no hidden", "BL, one hidden", "BP, one hidden"],
        takeaway=f"Without a hidden layer the drawing is the class mean, within {gap:.3f} per pixel on average: the "
                 "classifier's steps pull at the same weights. The classifier alone (BP) draws nothing.",
    )


def fig_study(result: Study) -> go.Figure:
    """Six accuracies of the four variants: means over seeds, with standard deviations."""
    bp, bl = (result.report["pgd_margin"][result.variants.index(v)].mean() for v in ("bp", "bl"))
    down = float(result.of("bp", "clean").mean() - result.of("bl", "clean").mean())
    fig = figure(
        f"One hidden layer of 16, {result.seeds} seeds, ε = {EPS:g}", axis("test images"),
        axis("accuracy", range=SHARE),
        takeaway=f"Under the strongest attack BL keeps {float(bl):.3f}, BP {float(bp):.3f}; on clean images BL is "
                 f"{abs(down):.3f} {'behind' if down > 0 else 'ahead'}. Whiskers: standard deviation over seeds.",
    )
    for variant in result.variants:
        values = torch.stack([result.of(variant, name) for name in SHOWN])
        spread = values.std(1) if result.seeds > 1 else torch.zeros(len(SHOWN))
        add_bars(fig, list(SHOWN.values()), values.mean(1), LABELS[variant], SERIES[variant], error=spread)
    return fig


def fig_confidence(result: Study) -> go.Figure:
    """Confidence on pure noise over that on test images, seed by seed."""
    means = {variant: float(result.of(variant, "mean_confidence_ratio").mean()) for variant in result.variants}
    told = ", ".join(f"{LABELS[variant]} {value:.2f}" for variant, value in means.items())
    fig = figure(
        "How sure is a network of pure noise?", axis("variant", ticks=range(len(means)), labels=list(LABELS.values())),
        axis("mean largest softmax, noise over images", range=(0, 1.5)),
        takeaway=f"Means: {told}. Each point is a seed; at 1 noise is read as surely as a garment.",
    )
    spread = np.linspace(-0.15, 0.15, result.seeds) if result.seeds > 1 else np.zeros(1)
    for k, variant in enumerate(result.variants):
        add_points(fig, k + spread, result.of(variant, "mean_confidence_ratio"), LABELS[variant], SERIES[variant])
    mark_y(fig, 1.0)
    return fig


def fig_split(result: Split) -> go.Figure:
    """Accuracy after FGSM of images that were right before, and of those that were wrong."""
    bp = result.variants.index("bp")
    pred, true = (float(result.wrong[attack][bp]) for attack in ("fgsm_pred", "fgsm_true"))
    fig = panels(
        "Which labels was the attack told?", ["read right before", "read wrong before"],
        [axis("variant"), axis("variant")], [axis("right after the attack", range=SHARE)] * 2,
        takeaway=f"With predicted labels {pred:.0%} of BP's misread images become right, with true ones {true:.0%}. "
                 "Images read right fare the same.",
    )
    names = [LABELS[variant] for variant in result.variants]
    for panel, among in enumerate((result.right, result.wrong)):
        for i, (attack, label) in enumerate((("fgsm_pred", "predicted labels"), ("fgsm_true", "true labels"))):
            add_bars(fig, names, among[attack], label, 4 + i, panel=panel, showlegend=panel == 0)
    return fig


def fig_curves(result: Curves) -> go.Figure:
    """Accuracy over the radius of an attack, and over the amplitude of static."""
    k = result.radii.index(EPS)
    order = sorted(result.variants, key=lambda v: -float(result.attacked[result.variants.index(v), k]))
    told = ", ".join(f"{LABELS[v]} {float(result.attacked[result.variants.index(v), k]):.2f}" for v in order)
    fig = panels(
        "How far does it reach?", [ATTACKED[result.attack], "static"],
        [axis("radius ε"), axis("amplitude a")], [axis("accuracy", range=SHARE)] * 2,
        takeaway=f"At ε = {EPS:g}: {told}.",
    )
    for variant, under, noisy in zip(result.variants, result.attacked, result.noisy, strict=True):
        add_line(fig, result.radii, under, LABELS[variant], SERIES[variant])
        add_line(fig, result.amplitudes, noisy, LABELS[variant], SERIES[variant], panel=1, legend=False)
    return fig


def fig_tuning(table: Table | None) -> go.Figure:
    """Recorded: clean accuracy against accuracy under the margin attack, each variant at four learning rates."""
    caption = table.caption if table is not None else "Not recorded yet: gradscape record robustness/bidirectional"
    rows = list(table.rows()) if table is not None else []
    told = ", ".join(f"{LABELS[row['variant']]} {row['lr']:g}" for row in rows if row["chosen"])
    fig = figure(
        "What is paid, what is got, at four learning rates (recorded)", axis("clean accuracy"),
        axis("accuracy under PGD on the margin"),
        takeaway=f"{caption}. Rates that read held-out images best (large marks): {told or 'none yet'}. Up and to the "
                 "right is better.",
    )
    for variant in dict.fromkeys(row["variant"] for row in rows):
        own = [row for row in rows if row["variant"] == variant]
        add_line(fig, [row["clean"] for row in own], [row["pgd_margin"] for row in own], LABELS[variant],
                 SERIES[variant], text=[f"{row['lr']:g}" for row in own], mode="lines+markers+text",
                 textposition=("top left", "bottom left", "top right", "bottom right"))
        best = [row for row in own if row["chosen"]]
        add_points(fig, [row["clean"] for row in best], [row["pgd_margin"] for row in best],
                   f"{LABELS[variant]}, chosen", SERIES[variant], marker={"size": 15}, legend=False)
    if not rows:
        add_points(fig, [0.0], [0.0], "not recorded")
    return fig


def fig_masking(result: Masking) -> go.Figure:
    """Attacks on the back-propagated network over the scale of its last layer."""
    first, last = (float(result.fgsm_true[k].mean()) for k in (0, -1))
    moved = float((result.pgd_margin - result.pgd_margin[0]).abs().max())
    fig = figure(
        "The same decisions, a larger softmax", axis("factor c on the last layer", log=True),
        axis("share of test images", range=SHARE),
        takeaway=f"From c = 1 to {result.scales[-1]:g} FGSM leaves {first:.2f} and then {last:.2f} right; the attack "
                 f"on the margin moves by {moved:g}.",
    )
    for i, (name, label) in enumerate((("clean", "clean"), *((k, v) for k, v in ATTACKED.items()),
                                       ("zero_grad", "without any gradient"))):
        add_line(fig, result.scales, getattr(result, name).mean(1), label, i)
    return fig


def fig_saturated(result: Masking) -> go.Figure:
    """One network at two scales of its last layer: what each attack leaves right."""
    names = ("clean", *ATTACKED, "zero_grad")
    labels = ["clean", *ATTACKED.values(), "no gradient"]
    one, other = (float(result.fgsm_true[k, 0]) for k in (0, 1))
    fig = figure(
        "One network, its last layer scaled", axis("test images"), axis("share of test images", range=SHARE),
        takeaway=f"FGSM with true labels: {one:.2f} → {other:.2f}. Margin attack: {float(result.pgd_margin[0, 0]):.2f} "
                 f"→ {float(result.pgd_margin[1, 0]):.2f}. Not one decision was changed.",
    )
    for k, i in ((0, 0), (1, 4)):
        values = [float(getattr(result, name)[k, 0]) for name in names]
        add_bars(fig, labels, values, f"last layer × {result.scales[k]:.3g}", i)
    return fig


@dataclass(frozen=True)
class Attacked:
    """One test image under attack: images and what each variant says of them."""

    variants: tuple[str, ...]
    image: Tensor
    label: int
    moved: Tensor  # (V, D)
    eps: float
    before: Tensor  # (V, K) softmax
    after: Tensor

    def said(self, k: int) -> str:
        """What variant ``k`` reads before and after."""
        (a, i), (b, j) = (p[k].max(0) for p in (self.before, self.after))
        return f"{LABELS[self.variants[k]]}: {SHORT[int(i)]} {float(a):.0%} → {SHORT[int(j)]} {float(b):.0%}"


def fig_image(result: Attacked) -> go.Figure:
    """A test image, the change that each network's attack makes, and the image after it."""
    scale = max(2 * result.eps, 1e-9)
    rows = [torch.stack([result.image, 0.5 + (moved - result.image) / scale, moved]) for moved in result.moved]
    fooled = sum(int(p.argmax()) != result.label for p in result.after)
    return image_grid(
        torch.stack(rows, 1).unflatten(-1, (28, 28)), f"A {CLASSES[result.label]}, ε = {result.eps:.3g}",
        rows=["image", "change", "attacked"], columns=[f"{LABELS[v]}" for v in result.variants],
        takeaway="; ".join(result.said(k) for k in range(len(result.variants)))
                 + f". {fooled} of {len(result.variants)} are wrong after it.",
    )


def fig_prototypes(result: tuple[str, BidirectionalMLP]) -> go.Figure:
    """What one network draws, and the weights of its hidden units."""
    variant, net = result
    drawn = class_prototypes(net)[0].unflatten(-1, (28, 28))
    weights = net.weights[0][0].T[:10]
    size = weights.abs().amax(1, keepdim=True).clamp_min(1e-12)
    smooth = float((net.weights[0][0].T.unflatten(-1, (28, 28)).diff(dim=-1)).square().mean().sqrt()
                    / net.weights[0][0].std())
    return image_grid(
        torch.stack([drawn, (0.5 + 0.5 * weights / size).unflatten(-1, (28, 28))]),
        f"{LABELS[variant]}: drawings and the weights of ten hidden units", rows=["drawing", "weights"], columns=SHORT,
        takeaway=f"Neighboring weights differ by {smooth:.2f} of their standard deviation (1.41 if they were "
                 "independent). Columns name the drawings only.",
    )


def fig_pair(result: Pair) -> go.Figure:
    """Two networks that started alike: six accuracies, and the losses of the second."""
    name = LABELS[result.settings.variant]
    gain = float(result.report["pgd_margin"][1] - result.report["pgd_margin"][0])
    fig = panels(
        f"BP and {name}, {result.settings.iters} batches, ε = {result.settings.eps:.3g}",
        ["test images", "losses of a batch"], [axis(""), axis("batch")],
        [axis("accuracy", range=SHARE), axis("loss")],
        takeaway=f"Margin attack: {name} minus BP is {gain:+.3f}; clean "
                 f"{float(result.report['clean'][1] - result.report['clean'][0]):+.3f}.",
    )
    for k, variant in enumerate(("bp", result.settings.variant)):
        values = [float(result.report[field][k]) for field in SHOWN]
        i = 4 if k and variant == "bp" else SERIES[variant]
        add_bars(fig, list(SHOWN.values()), values, LABELS[variant], i)
    for losses, label, i in ((result.history.classifier, "classifier", 5), (result.history.generator, "generator", 6)):
        seen = losses[1].isfinite()
        if bool(seen.any()):
            add_line(fig, result.history.steps[seen], losses[1][seen], label, i, panel=1)
    return fig


def fig_log(result: tuple[str, str]) -> go.Figure:
    """The released log of a hybrid study: one measure over iterations, BP and BL."""
    study, measure = result
    runs = {run.method: run.of(measure) for run in LOG if run.name == study}
    early, late = ({method: values[k] for method, values in runs.items()} for k in (0, -1))
    fig = figure(
        f"{study}: {measure} accuracy in the authors' log (MNIST, one run each)", axis("iteration", log=True),
        axis("accuracy", range=SHARE),
        takeaway="From 5 000 to 500 000 iterations "
                 + ", ".join(f"{method} goes from {early[method]:.3f} to {late[method]:.3f}" for method in runs) + ".",
    )
    for method, values in runs.items():
        add_line(fig, ITERATIONS, values, method, SERIES[method.lower()])
    if study == "HAN-CNN" and measure == "FGSM":
        mark_x(fig, 305_000, "BL in the paper's table")
        mark_x(fig, 5_000, "BP in the table", i=0)
    return fig


def fig_networks(table: Table | None) -> go.Figure:
    """The recorded networks: what BL gains and loses against BP at the paper's rates, and at the same ones."""
    caption = table.caption if table is not None else "Not recorded yet: gradscape record robustness/bidirectional"
    rows = {(row["network"], row["variant"]): row for row in table.rows()} if table is not None else {}
    names = [n for n in dict.fromkeys(network for network, _ in rows) if (n, "bl") in rows]
    compared = [(n, rival) for n in names for rival in ("bp", SAME) if (n, rival) in rows]
    shown = {"none": "no hidden", "one": "one hidden", "two": "two hidden", "four": "four hidden"}
    labels = [shown.get(n, n) + ("" if rival == "bp" else ", same rates") for n, rival in compared]
    more = " Same rates: BP trained at the rates that the paper gives BL."
    fig = figure(
        "BL minus BP, network by network (recorded)", axis("network"), axis("difference of accuracies"),
        takeaway=f"{caption}. Fashion-MNIST, ε = {EPS:g}." + more * any(rival == SAME for _, rival in compared),
    )
    for i, (field, label) in enumerate((("clean", "clean"), ("fgsm_true", "FGSM, true labels"),
                                        ("pgd_margin", "PGD on the margin"))):
        gains = [rows[n, "bl"][field] - rows[n, rival][field] for n, rival in compared]
        add_bars(fig, labels or ["not recorded"], gains or [0.0], label, i)
    mark_y(fig, 0.0)
    return fig


def fig_overtrained(table: Table | None) -> go.Figure:
    """The recorded network that was trained on and on: FGSM in both precisions, the margin attack."""
    caption = table.caption if table is not None else "Not recorded yet: gradscape record robustness/bidirectional"
    columns = table.columns if table is not None else {}
    at = columns.get("iterations") or [1000, 12_000]
    empty = [0.0] * len(at)
    margins = columns.get("margin") or empty
    single, double = ((columns.get(name) or empty)[-1] for name in ("fgsm_single", "fgsm_double"))
    fig = figure(
        "Trained too long: 128 units, 1000 images (recorded)", axis("iteration", log=True), axis("accuracy"),
        takeaway=f"{caption}. The median margin of the logits grows from {margins[0]:.1f} to {margins[-1]:.1f}; FGSM "
                 f"then leaves {single:.3f} right in single precision and {double:.3f} in double.",
    )
    for i, (name, label) in enumerate((("fgsm_single", "FGSM, single precision"),
                                       ("fgsm_double", "FGSM, double precision"), ("pgd_margin", "PGD on the margin"))):
        add_line(fig, at, columns.get(name) or empty, label, i)
    return fig
