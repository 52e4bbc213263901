"""Figures of the concentration lesson: samples, functions of samples, tails, errors of classifiers, spectra."""
from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
import torch
from torch import Tensor

from gradscape.datasets.fashion import CLASSES
from gradscape.diffusion.concentration.experiments import Functions, Nonlinear, Spectra, Tail, Universality
from gradscape.diffusion.concentration.images import Images
from gradscape.diffusion.concentration.lipschitz import envelope
from gradscape.diffusion.concentration.settings import GROUPS
from gradscape.results import Table
from gradscape.workbench import add_bars, add_line, add_points, axis, figure, image_grid, mark_y, panels

SHOWN = 12  # images per row
BINS, RADII = 30, 60
SHORT = {"distance to the nearest point": "nearest image", "distance to a fixed point": "one image",
         "largest coordinate": "largest pixel"}
SOURCES = {"diffusion": "generated images", "mixture": "mixture with their moments", "real": "real images",
           "real_mixture": "mixture with the real moments"}


def names(features: str, classes: str) -> list[str]:
    """What the classes are called."""
    return [f"digit {k}" if features == "digits" else CLASSES[k] for k in GROUPS[classes]]


def density(values: Tensor, bins: int = BINS) -> tuple[np.ndarray, np.ndarray]:
    """Midpoints and heights of a histogram of area 1."""
    heights, edges = np.histogram(values.numpy(), bins, density=True)
    return (edges[1:] + edges[:-1]) / 2, heights


def exceeding(values: Tensor, radii: Tensor) -> Tensor:
    """Share of values farther from their mean than each radius; NaN where there are none."""
    far = ((values - values.mean()).abs()[:, None] >= radii).double().mean(0)
    return torch.where(far > 0, far, torch.nan)


def fig_samples(images: Images, X: Tensor, features: str, classes: str) -> go.Figure:
    """Real and generated images of each class."""
    count = min(SHOWN, X.shape[1], images.train.shape[1])
    rows = [row[:count] for pair in zip(images.pixels(images.train), images.pixels(X), strict=True) for row in pair]
    words = [f"{name}, {what}" for name in names(features, classes) for what in ("real", "generated")]
    shades = images.pixels(X)
    outside = 100 * float(((shades < 0) | (shades > 1)).double().mean())
    return image_grid(torch.stack(rows), "Real images, and images made out of noise", rows=words,
                      takeaway=f"{outside:.0f} % of the generated pixels lie outside of black and white, no real one; "
                               "they are clipped.")


def fig_norms(found: Functions, classes: Sequence[str], name: str = "norm") -> go.Figure:
    """Histograms of a function of samples, and how often it is far from its mean, beside the bound of each class."""
    values, stretch = found.values[name], found.stretch.amax(1)
    least, means, sds = float(stretch.min()), values.mean(1), values.std(1)
    radii = torch.linspace(0.02, 6, RADII, dtype=torch.float64)
    shares, bound = [exceeding(rows, radii) for rows in values], envelope(radii, least)
    held = all(bool((share.nan_to_num(0) <= bound).all()) for share in shares)
    fig = panels(
        f"The {name} of generated samples, class by class", [f"{name} of the samples", "how often it is far off"],
        [axis(name), axis("distance r from the mean")], [axis("density"), axis("share beyond r", log=True)],
        takeaway=f"Means {float(means.min()):.1f} to {float(means.max()):.1f}, sd {float(sds.min()):.2f} to "
                 f"{float(sds.max()):.2f}. Shares {'stay' if held else 'do not stay'} below 2 exp(−r²/2Λ²) with the "
                 f"least of the classes' Λ̂, {least:.2f}; a norm more than 3 sd off has a share of "
                 f"{100 * float(found.norm_tail.max()):.2f} % at most.",
    )
    for i, (rows, share, word) in enumerate(zip(values, shares, classes, strict=True)):
        add_line(fig, *density(rows), word, i, mode="lines")
        add_line(fig, radii, share, word, i, gaps=True, panel=1, legend=False, mode="lines")
    add_line(fig, radii, bound, "the bound", 7, panel=1, mode="lines")
    return fig


def fig_functions(found: Functions) -> go.Figure:
    """Standard deviations of all functions over the largest stretch found in the same class."""
    shares = {name: float(share.max()) for name, share in found.shares.items()}
    order = sorted(shares, key=shares.__getitem__)
    short = [SHORT.get(name, name.replace("principal direction", "PC").replace(" direction", "")) for name in order]
    fig = figure(
        "Spread of 1-Lipschitz functions, and the stretch of the sampler", axis("1-Lipschitz function"),
        axis("sd over Λ̂, worst class", range=(0, 1.15)),
        takeaway=f"Widest: {order[-1]} with {shares[order[-1]]:.2f} of Λ̂; the norm has {shares['norm']:.2f}. "
                 f"Λ̂ is {float(found.stretch.amax(1).min()):.2f} to {float(found.stretch.amax(1).max()):.2f}, the "
                 f"largest of {found.stretch.shape[1]} samples of each class.",
    )
    add_bars(fig, short, [shares[name] for name in order], "sd over Λ̂")
    mark_y(fig, 1, "the bound")
    return fig


def fig_stretch(found: dict[int, Tensor]) -> go.Figure:
    """How far samplers of more and more steps stretch their noise, at the same noise."""
    steps = list(found)
    ends = [found[k].flatten() for k in (steps[0], steps[-1])]
    fig = figure(
        "The stretch settles as the sampler takes more steps", axis("sampler steps N"),
        axis("largest singular value of dX/dz"),
        takeaway=f"From {steps[0]} to {steps[-1]} steps the median goes from {float(ends[0].median()):.2f} to "
                 f"{float(ends[1].median()):.2f}, the largest from {float(ends[0].max()):.2f} to "
                 f"{float(ends[1].max()):.2f}; the noise itself starts at σ = 80.",
    )
    flat = torch.stack([found[k].flatten() for k in steps])
    add_line(fig, steps, flat.median(1).values, "median, and range", 0, band=(flat.amin(1), flat.amax(1)))
    add_line(fig, steps, flat.amax(1), "largest: the estimate Λ̂", 1)
    return fig


def survival(values: Tensor, count: int = 80) -> tuple[Tensor, Tensor]:
    """Values in rising order, thinned evenly in the logarithm of their rank, and the share of values beyond each."""
    ordered, n = values.sort(descending=True).values, len(values)
    rank = torch.logspace(0, np.log10(n), count, dtype=torch.float64).long().clamp(1, n).unique()
    return ordered[rank - 1], rank / n


def fig_tails(heavy: Tail, light: Tail) -> go.Figure:
    """How often the norm exceeds r, for fresh data and for samples of a generator trained on such data."""
    fig = panels(
        "Heavy tails are not learned", [f"Student-t, ν = {run.nu:g}" for run in (heavy, light)],
        [axis("norm r", log=True)] * 2, [axis("share of norms beyond r", log=True), axis("", log=True)],
        takeaway="0.999 quantile over median: " + ", ".join(
            f"{run.fresh_report.q_ratio:.2f} fresh and {run.made_report.q_ratio:.2f} generated at ν = {run.nu:g}"
            for run in (heavy, light)) + f". Hill index at ν = {heavy.nu:g}: {heavy.fresh_report.hill:.1f} and "
                                         f"{heavy.made_report.hill:.1f}.",
    )
    for panel, run in enumerate((heavy, light)):
        _tail_lines(fig, run, panel)
    return fig


def _tail_lines(fig: go.Figure, run: Tail, panel: int = 0) -> None:
    for i, (name, values) in enumerate((("fresh data", run.fresh), ("generated", run.made))):
        add_line(fig, *survival(values), name, i, panel=panel, legend=panel == 0)


def fig_tail(run: Tail) -> go.Figure:
    """One set of heavy-tailed data and its generator."""
    fig = figure(
        f"Student-t data with ν = {run.nu:.3g}, and what a generator makes of them", axis("norm r", log=True),
        axis("share of norms beyond r", log=True),
        takeaway=f"0.999 quantile over median: {run.fresh_report.q_ratio:.2f} fresh, {run.made_report.q_ratio:.2f} "
                 f"generated; Hill index {run.fresh_report.hill:.2f} and {run.made_report.hill:.2f}.",
    )
    _tail_lines(fig, run)
    return fig


def fig_errors(found: Universality, curve: tuple[Sequence[int], Tensor]) -> go.Figure:
    """Test error over n for each penalty: the prediction, and simulations on all four sources."""
    fig = panels(
        f"Linear classifiers see two moments (d = {found.d})", [f"λ = {lam:g}" for lam in found.lams],
        [axis("training samples per class n", log=True)] * len(found.lams),
        [axis("test error"), *[axis("")] * (len(found.lams) - 1)], height=440,
        legend={"orientation": "h", "y": -0.22},
        takeaway=f"Generated images and their mixture differ by {float(found.gap.abs().max()):.3f} at most, the "
                 f"prediction and the mixture by {float(found.miss.abs().max()):.3f}. Real images: "
                 f"{float(found.real[-1, -1].mean()):.3f} at n = {found.ns[-1]}, generated "
                 f"{float(found.diffusion[-1, -1].mean()):.3f} (λ = {found.lams[-1]:g}).",
    )
    for panel in range(len(found.lams)):
        add_line(fig, curve[0], curve[1][panel], "predicted from two moments", 7, panel=panel, legend=panel == 0,
                 mode="lines", line={"dash": "solid"})
        for i, (name, word) in enumerate(SOURCES.items()):
            values = getattr(found, name)[panel]
            known = ~values.isnan().any(1)
            if not bool(known.any()):
                continue
            add_points(fig, torch.tensor(found.ns)[known] * (1 + 0.04 * (i - 1.5)), values[known].mean(1), word, i,
                       error=values[known].std(1) / values.shape[1] ** 0.5, panel=panel, legend=panel == 0)
    return fig


def fig_kinds(found: Nonlinear) -> go.Figure:
    """Linear and nonlinear classifiers on generated images and on the mixture with their moments."""
    kinds = list(found.diffusion)
    words = ", ".join(f"{100 * found.gaps[name]:+.1f} ({name})" for name in kinds)
    fig = figure(
        f"Nonlinear classifiers see more than two moments (n = {found.n})", axis("classifier"), axis("test error"),
        takeaway=f"Error on generated images minus that on the mixture, in percentage points: {words}.",
        barmode="group",
    )
    for i, (word, side) in enumerate((("generated images", found.diffusion),
                                      ("mixture with their moments", found.mixture))):
        spread = [float(side[name].std()) / len(side[name]) ** 0.5 if len(side[name]) > 1 else 0.0 for name in kinds]
        add_bars(fig, kinds, [float(side[name].mean()) for name in kinds], word, i, error=spread)
    return fig


def fig_spectra(found: Spectra) -> go.Figure:
    """Eigenvalues of the classes' covariances, generated and real: median over classes, and range."""
    made, real = (ev.median().item() for ev in found.conditions)
    fig = figure(
        "Covariances of generated and of real images", axis("index of the eigenvalue"),
        axis("eigenvalue of a class's covariance", log=True),
        takeaway=f"Largest over least eigenvalue, median over classes: {made:.2g} generated and {real:.2g} real. The "
                 f"least eigenvalue is {float(found.generated[:, -1].median()):.1e} and "
                 f"{float(found.real[:, -1].median()):.1e}.",
    )
    index = torch.arange(1, found.generated.shape[1] + 1)
    for i, (word, ev) in enumerate((("generated images", found.generated), ("real images", found.real))):
        ev = ev.clamp_min(1e-9)
        add_line(fig, index, ev.median(0).values, word, i, band=(ev.amin(0), ev.amax(0)), mode="lines")
    return fig


def fig_recorded(table: Table | None) -> go.Figure:
    """The recorded variants: by how much generated images, and the prediction, differ from the mixture."""
    rows = list(table.rows()) if table is not None else []
    groups = list(dict.fromkeys(row["variant"] for row in rows)) or ["not recorded"]
    gap, miss = (
        [max([abs(row[name] - row["mixture"]) for row in rows if row["variant"] == group], default=0.0)
         for group in groups] for name in ("diffusion", "predicted"))
    caption = table.caption if table is not None else "Not recorded yet: gradscape record diffusion/concentration"
    fig = figure(
        "Differences from the mixture's error: larger images, other samplers, other data", axis("variant"),
        axis("largest difference of errors"),
        takeaway=f"{caption}. Largest differences: generated images {max(gap):.3f} ({groups[int(np.argmax(gap))]}), "
                 f"predictions {max(miss):.3f} ({groups[int(np.argmax(miss))]}).", barmode="group",
    )
    add_bars(fig, groups, gap, "generated images", 0)
    add_bars(fig, groups, miss, "prediction", 1)
    return fig
