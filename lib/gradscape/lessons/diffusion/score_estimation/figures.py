"""Figures of the score lesson: noisy labels, fields, paths with their stops, networks, learning curves, samples."""
from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
import torch
from torch import Tensor

from gradscape.diffusion.score_estimation.experiments import (
    Decomposition,
    LearningCurve,
    PathErrors,
    Widths,
)
from gradscape.diffusion.score_estimation.own import ARROWS, EXTENT, Field, NetworkRun, Rule
from gradscape.diffusion.score_estimation.process import GaussianMixture, ou_coefficients
from gradscape.diffusion.score_estimation.real_data import DigitPath, Samples
from gradscape.lesson import generator
from gradscape.workbench import add_line, add_points, axis, figure, mark_x, mark_y, panels
from gradscape.workbench.figures import Axis

CLOUD, SAMPLES = 60, 80  # labels and samples drawn per panel
EVERY = 4  # of the training times: a curve of 81 points is smooth with 21


def time_axis() -> Axis:
    """The axis of training time."""
    return axis("training time e (step size × steps)", log=True)


def error_axis(title: str = "error of the mean, per coordinate", log: bool = True) -> Axis:
    """The axis of true errors."""
    return axis(title, log=log)


def _middle(values: Sequence[Tensor]) -> tuple[Tensor, Tensor, Tensor]:
    """Least, median and largest of curves (T,)."""
    stack = torch.stack(list(values))
    return stack.amin(0), stack.median(0).values, stack.amax(0)


def fig_labels(mixture: GaussianMixture, times: Sequence[float] = (0.1, 0.7, 3.0), seed: int = 0) -> go.Figure:
    """Labels X_0 against inputs X_t (first coordinates) at three times, with the mean given that coordinate's input."""
    draws, drawn, variances = generator(seed, 12), [], []
    for t in times:
        x0 = mixture.draw(2000, draws)
        alpha, h = ou_coefficients(t)
        x = alpha * x0 + h.sqrt() * torch.randn(x0.shape, generator=draws, dtype=torch.float64)
        variances.append(float(mixture.posterior_cov_trace(t, x).mean()) / mixture.d)
        drawn.append([v[:CLOUD, 0].round(decimals=2) for v in (x, x0, mixture.posterior_mean(t, x))])
    words = ", ".join(f"{noise:.2f} at t = {t:g}" for noise, t in zip(variances, times, strict=True))
    fig = panels(
        "The label of a noisy input is itself noisy", [f"t = {t:g}" for t in times],
        [axis("input X_t")] * len(times), [axis("label X₀")] + [axis("")] * (len(times) - 1),
        takeaway=f"Variance of the label's noise per coordinate: {words}. First coordinates are shown.",
        legend={"orientation": "h", "y": -0.3},
    )
    for panel, (x, label, mean) in enumerate(drawn):
        add_points(fig, x, label, "labels X₀", 7, panel=panel, legend=panel == 0, marker={"size": 4, "opacity": 0.6})
        add_points(fig, x, mean, "their mean f*(t, X_t), what is to be learned", 0, panel=panel, legend=panel == 0,
                   marker={"size": 4})
    return fig


def fig_paths(paths: Sequence[PathErrors]) -> go.Figure:
    """True error over training time, median and range over seeds, with the stops of rule, held-out set and truth."""
    times = paths[0].times[::EVERY]
    low, middle, high = _middle([path.errors[::EVERY] for path in paths])
    worst = [float(path.errors[-1] / path.errors.min()) for path in paths]
    rule = [float(path.errors[path.rule] / path.errors[-1]) for path in paths]
    later = sum(path.holdout > path.rule for path in paths)
    fig = figure(
        f"Training to the end overfits ({len(paths)} mixtures, n = {len(paths[0].eigenvalues)})", time_axis(),
        error_axis(),
        takeaway=f"The error at the end is {min(worst):.1f} to {max(worst):.1f} times the least one; where the rule "
                 f"stops it is {min(rule):.2f} to {max(rule):.2f} of the end's. Held-out examples stop later in "
                 f"{later} of {len(paths)}.",
    )
    add_line(fig, times, middle, "kernel regression, median and range", 0, band=(low, high), mode="lines")
    for i, (name, where) in enumerate((("eigenvalue rule", [p.rule for p in paths]),
                                       ("held-out examples", [p.holdout for p in paths]),
                                       ("least error", [p.best for p in paths])), 1):
        add_points(fig, [float(p.times[k]) for p, k in zip(paths, where, strict=True)],
                   [float(p.errors[k]) for p, k in zip(paths, where, strict=True)], name, i, marker={"size": 7})
    return fig


def fig_targets(paths: Sequence[PathErrors]) -> go.Figure:
    """Errors of the mean when the mean is learned and when the score is learned, by the same kernel."""
    times = paths[0].times[::EVERY]
    ratios = sorted(float(path.direct.min() / path.errors.min()) for path in paths)
    fig = figure(
        "What to learn: the mean or the score?", time_axis(), error_axis(),
        takeaway=f"Each at its best time, the kernel that learns scores leaves {ratios[0]:.1f} to {ratios[-1]:.1f} "
                 f"times the error of the one that learns means (median {ratios[len(ratios) // 2]:.1f}).",
    )
    for i, (name, curves) in enumerate((("labels X₀: the parametric form", [p.errors for p in paths]),
                                        ("labels grad log p(X_t | X₀): the score itself", [p.direct for p in paths]))):
        low, middle, high = _middle([curve[::EVERY] for curve in curves])
        add_line(fig, times, middle, name, i, band=(low, high), mode="lines")
    return fig


def fig_decomposition(found: Decomposition, looks: int = 3) -> go.Figure:
    """Squared bias, variance and their sum by formula, with errors measured on redrawn labels."""
    order = found.times.argsort()
    times, bias2, variance = (values[order] for values in (found.times, found.bias2, found.variance))
    cross = int((variance > bias2).nonzero()[0]) if bool((variance > bias2).any()) else len(times) - 1
    measured = found.measured.mean(1)
    ratio = (measured / (found.bias2 + found.variance))[:looks]
    fig = figure(
        "What the error is made of", time_axis(), error_axis(),
        takeaway=f"Bias falls, variance grows, and they cross near e = {float(times[cross]):.0f}. Errors with redrawn "
                 f"labels are {float(ratio.min()):.3f} to {float(ratio.max()):.3f} of the prediction.",
    )
    add_line(fig, times, bias2, "bias²: not learned yet", 1, mode="lines")
    add_line(fig, times, variance, "variance: noise that was learned", 2, mode="lines")
    add_line(fig, times, bias2 + variance, "their sum", 0, mode="lines", line={"width": 3})
    add_points(fig, found.times[:looks], measured[:looks], f"measured, {found.measured.shape[1]} redraws", 3,
               error=found.measured.std(1)[:looks])
    return fig


def fig_networks(found: Widths) -> go.Figure:
    """RMS difference of network and kernel over the width, one line per number of steps."""
    k = found.steps.index(20)
    ratio = float((found.gaps[0, :, k] / found.gaps[-1, :, k]).mean())
    fig = figure(
        "A wide network is kernel regression", axis("width m", log=2), axis("RMS difference on test inputs", log=2),
        takeaway=f"After 20 steps the gap falls by {ratio:.1f} from m = {found.widths[0]} to {found.widths[-1]}, to "
                 f"{100 * float((found.gaps[-1, :, k] / found.size[:, k]).mean()):.1f} % of the kernel's own output.",
    )
    for s, steps in enumerate(found.steps):
        gaps = found.gaps[:, :, s]
        add_line(fig, found.widths, gaps.mean(1), f"after {steps} steps", s, band=(gaps.amin(1), gaps.amax(1)))
    ends = torch.tensor([found.widths[0], found.widths[-1]], dtype=torch.float64)
    add_line(fig, ends, float(found.gaps[0, :, k].mean()) * (ends / ends[0]).rsqrt(), "slope −½", 7, mode="lines")
    return fig


def fig_curve(found: LearningCurve) -> go.Figure:
    """Least error over the number of examples, log-log."""
    words = " and ".join(f"{slope:.2f} for d = {d}" for d, slope in zip(found.dims, found.slopes, strict=True))
    fig = figure(
        "More examples, better scores", axis("training triples n", log=True),
        error_axis("least error on the path, per coordinate"),
        takeaway=f"Slopes of the logarithms: {words} (medians of {found.best.shape[2]} seeds; bands hold all).",
    )
    for i, d in enumerate(found.dims):
        low, middle, high = _middle(list(found.best[i].T))
        add_line(fig, found.sizes, middle, f"d = {d}", i, band=(low, high))
    return fig


def _arrows(fig: go.Figure, field: Field, panel: int) -> None:
    """Learned and true scores as strokes from each grid point, to one scale."""
    shown = [("learned score", field.learned, 0)]
    if field.true is not None:
        shown.insert(0, ("true score", field.true, 7))
    longest = max(float(arrows.norm(dim=1).max()) for _, arrows, _ in shown)
    scale = 2.2 * (2 * EXTENT / (ARROWS - 1)) / max(longest, 1e-12)
    for name, arrows, i in shown:
        ends = field.points + scale * arrows
        gap = torch.full_like(ends, math.nan)
        x, y = torch.stack([field.points, ends, gap], 1).reshape(-1, 2).round(decimals=2).T
        add_line(fig, x, y, name, i, gaps=True, mode="lines", panel=panel,
                 line={"dash": "solid", "width": 2 if i == 0 else 4})
    add_points(fig, *field.points.round(decimals=2).T, "grid", 7, panel=panel, legend=False, marker={"size": 7})


def fig_field(field: Field) -> go.Figure:
    """The learned field beside the true one, and the error over training time with all stops."""
    made, fig = field.made, None
    errors, best = made.errors, int(made.errors.argmin())
    rule, held = made.rule(field.sigma), made.holdout.index
    now = float(errors[int((made.times.log() - math.log(field.e)).abs().argmin())])
    what = "true error" if made.mixture is not None else "test loss"
    words = f"At e = {field.e:.3g} the {what} is {now:.4f}; least {float(errors[best]):.4f}, at the end " \
            f"{float(errors[-1]):.4f}."
    if field.true is not None:
        words += f" At t = {field.t:.2g} the scores differ by {100 * field.gap:.0f} % (RMS)."
    fig = panels(
        f"The score at t = {field.t:.2g} after training time e = {field.e:.3g}",
        ["scores: strokes from the dots", f"{what} over training time"],
        [axis("first coordinate", range=(-1.7 * EXTENT, 1.7 * EXTENT)), time_axis()],
        [axis("second coordinate", range=(-1.7 * EXTENT, 1.7 * EXTENT)), error_axis(f"{what}, per coordinate")],
        takeaway=words, height=430,
    )
    _arrows(fig, field, 0)
    add_line(fig, made.times[::2], errors[::2], what, 0, panel=1, mode="lines", legend=False)
    for i, (name, k) in enumerate((("eigenvalue rule", rule), ("held-out examples", held), ("least", best)), 1):
        add_points(fig, [float(made.times[k])], [float(errors[k])], name, i, panel=1, marker={"size": 10})
    mark_x(fig, field.e, f"e = {field.e:.3g}", panel=1)
    return fig


def fig_fields(fields: Sequence[Field]) -> go.Figure:
    """Several training times side by side at one process time."""
    words = ", ".join(f"{100 * field.gap:.0f} % at e = {field.e:.3g}" for field in fields)
    ends = [axis("first coordinate", range=(-1.7 * EXTENT, 1.7 * EXTENT))] * len(fields)
    fig = panels(
        f"Under-trained, well trained, over-trained: the score at t = {fields[0].t:g}",
        [f"e = {field.e:.3g}" for field in fields], ends,
        [axis("second coordinate", range=(-1.7 * EXTENT, 1.7 * EXTENT))] * len(fields),
        takeaway=f"RMS difference of learned and true score: {words} of the true one's size.",
    )
    for panel, field in enumerate(fields):
        _arrows(fig, field, panel)
    named: set[str] = set()
    for trace in fig.data:  # one entry per series, not one per panel
        trace.showlegend = trace.name not in named and trace.name != "grid"
        named.add(trace.name)
    return fig


def fig_rule(rule: Rule) -> go.Figure:
    """The eigenvalues with what has been learned at e, and both sides of the stopping inequality."""
    ev = rule.made.path.eigenvalues.flip(0)
    known = int((ev > 1 / rule.e).sum())
    stop = rule.made.rule(rule.sigma)
    fig = panels(
        f"The rule of Raskutti, Wainwright and Yu at noise level σ = {rule.sigma:.2g}",
        ["eigenvalues of K/n", "both sides of the inequality"],
        [axis("index of the eigenvalue", log=True), time_axis()], [axis("eigenvalue", log=True), axis("", log=True)],
        takeaway=f"At e = {rule.e:.3g}, {known} of {len(ev)} directions have an eigenvalue above 1/e and count as "
                 f"learned. The rule stops at e = {float(rule.made.times[stop]):.3g}, where the falling line is "
                 "crossed.",
    )
    shown = ev > 0
    add_line(fig, torch.arange(1, len(ev) + 1)[shown], ev[shown], "eigenvalues", 0, mode="lines")
    mark_y(fig, 1 / rule.e, "1/e")
    add_line(fig, rule.made.times[::2], rule.left[::2], "R̂(1/√e): how much could be fitted", 1, panel=1, mode="lines")
    add_line(fig, rule.made.times[::2], rule.right[::2], "1/(2 · 2.718 σ e): how much may be", 2, panel=1, mode="lines")
    mark_x(fig, float(rule.made.times[stop]), "stop", panel=1)
    return fig


def fig_samples(found: Samples) -> go.Figure:
    """Samples of the score stopped at its best, of the score trained on, and fresh data."""
    shown = [("fresh data", found.fresh), (f"stopped at e = {found.stop:.3g}", found.stopped),
             ("trained to e = 1e7", found.ended)]
    near = found.distances
    fig = panels(
        "Samples of two learned scores", [name for name, _ in shown], [axis("first coordinate", range=(-3, 3))] * 3,
        [axis("second coordinate", range=(-3, 3))] * 3,
        takeaway=f"Sliced Wasserstein-1 distance to fresh data: {near['stopped']:.3f} stopped, {near['ended']:.3f} "
                 f"trained on, {near['true score']:.3f} with the true score, {near['fresh data']:.3f} for fresh data.",
    )
    for panel, (name, points) in enumerate(shown):
        add_points(fig, *points[:SAMPLES].round(decimals=2).T, name, panel, panel=panel, legend=False,
                   marker={"size": 4, "opacity": 0.7})
    return fig


def fig_digits(paths: Sequence[DigitPath]) -> go.Figure:
    """Test loss over training time on digits, with the stops."""
    words = "; ".join(
        f"d = {path.d}: least {float(path.losses[path.best]):.3f}, rule {float(path.losses[path.rule]):.3f}, end "
        f"{float(path.losses[-1]):.3f}" for path in paths)
    fig = figure("Images of digits: test loss over training time", time_axis(),
                 axis("test loss, per coordinate (1: the mean image)"), takeaway=words + ".")
    for i, path in enumerate(paths):
        add_line(fig, path.times[::EVERY], path.losses[::EVERY], f"{path.d} principal components", i, mode="lines")
        for k, (name, where) in enumerate((("rule", path.rule), ("held-out", path.holdout.index)), 2):
            add_points(fig, [float(path.times[where])], [float(path.losses[where])], name, k, legend=i == 0,
                       marker={"size": 10})
    return fig


def fig_network(run: NetworkRun) -> go.Figure:
    """One network beside the kernel: their outputs at the end, and the gap over steps."""
    ends = run.kernel[-1].flatten(), run.network[-1].flatten()
    low, high = (float(value) for value in (torch.cat(ends).min(), torch.cat(ends).max()))
    gaps = run.gaps
    fig = panels(
        f"A network of width {run.width} beside the kernel, n ≤ 200",
        [f"outputs after {run.steps[-1]} steps", "RMS difference over steps"],
        [axis("kernel regression"), axis("steps of 0.5", log=True)],
        [axis("network"), axis("RMS difference", range=(0, 1.1 * float(gaps.max())))],
        takeaway=f"They differ by {float(gaps[run.steps.index(20)]):.4f} after 20 steps and {float(gaps[-1]):.4f} "
                 f"after {run.steps[-1]}.",
    )
    add_points(fig, ends[0], ends[1], "test outputs", 0, marker={"size": 4})
    add_line(fig, [low, high], [low, high], "equal", 7, mode="lines")
    add_line(fig, np.asarray(run.steps), gaps, "RMS difference", 1, panel=1)
    return fig
