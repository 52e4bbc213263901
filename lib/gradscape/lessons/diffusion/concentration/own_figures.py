"""Figures of the explorers: one function, one classifier, one sampler, one generator."""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
import torch
from torch import Tensor

from gradscape.diffusion.concentration.lipschitz import envelope
from gradscape.diffusion.concentration.own import OwnErrors, OwnSampler, Retrained
from gradscape.lessons.diffusion.concentration.figures import RADII, density, exceeding
from gradscape.workbench import add_bars, add_line, add_points, axis, figure, panels

SOURCES = {"generated": "generated images", "mixture": "mixture with their moments", "real": "real images"}


@dataclass(frozen=True)
class OneFunction:
    """A function of the samples of one class (n,), a bound Λ, and the largest local stretch found."""

    name: str
    label: str
    values: Tensor
    bound: float
    stretch: float


def fig_function(found: OneFunction) -> go.Figure:
    """Histogram of one function, and the shares beyond each distance beside the bound."""
    values, sd = found.values, float(found.values.std())
    radii = torch.linspace(0.02, 1, RADII, dtype=torch.float64) * 1.1 * float((values - values.mean()).abs().max())
    far, bound = exceeding(values, radii), envelope(radii, found.bound)
    broken = radii[(far > bound).nonzero()[:, 0]] if bool((far > bound).any()) else None
    words = "The bound holds everywhere." if broken is None else f"The bound is broken from r = {float(broken[0]):.2f}."
    fig = panels(
        f"{found.name} of {found.label}, with Λ = {found.bound:.2f}", ["histogram", "how often it is far off"],
        [axis(found.name), axis("distance r from the mean")], [axis("density"), axis("share beyond r", log=True)],
        takeaway=f"sd {sd:.2f}; the sampler's largest stretch found in this class is {found.stretch:.2f}. {words}",
    )
    add_line(fig, *density(values), "samples", 0, mode="lines", legend=False)
    add_line(fig, radii, far, "samples", 0, gaps=True, panel=1, mode="lines")
    add_line(fig, radii, bound, "2 exp(−r²/2Λ²)", 7, panel=1, mode="lines")
    gauss = torch.special.erfc(radii / (sd * 2**0.5)).clamp_min(1e-8)
    add_line(fig, radii, gauss, "a Gaussian of the same sd", 2, panel=1, mode="lines")
    return fig


def fig_own_errors(found: OwnErrors) -> go.Figure:
    """The predicted curve at one penalty, and simulations at one n."""
    known = {name: values for name, values in found.simulated.items() if not bool(values.isnan().any())}
    words = ", ".join(f"{SOURCES[name]} {float(values.mean()):.3f}" for name, values in known.items())
    fig = figure(
        f"Error at λ = {found.lam:.2g}", axis("training samples per class n", log=True), axis("test error"),
        takeaway=f"At n = {found.n}: predicted {found.predicted:.3f}, {words}"
                 + ("." if len(known) == len(found.simulated) else "; there are not enough real images."),
    )
    add_line(fig, found.ns, found.curve, "predicted from two moments", 7, mode="lines", line={"dash": "solid"})
    for i, (name, values) in enumerate(known.items()):
        add_points(fig, [found.n * (1 + 0.03 * (i - 1))], [float(values.mean())], SOURCES[name], i,
                   error=[float(values.std()) / len(values) ** 0.5], marker={"size": 10})
    return fig


def fig_sampler(found: OwnSampler) -> go.Figure:
    """Norms and covariances of what one sampler makes, beside real images."""
    real = found.images.all.norm(dim=2)
    norms = found.functions.values["norm"]
    churn = f", churn {found.churn:g}" if found.churn else ""
    fig = panels(
        f"A sampler of {found.steps} steps{churn}", ["norm, all classes", "eigenvalues, median over classes"],
        [axis("norm"), axis("index")], [axis("density"), axis("eigenvalue of a class's covariance", log=True)],
        takeaway=f"Norms: mean {float(norms.mean()):.2f} generated, {float(real.mean()):.2f} real; sd "
                 f"{float(norms.std()):.2f} and {float(real.std()):.2f}. Largest stretch (without churn) "
                 f"{float(found.functions.stretch.max()):.2f}; largest sd along a principal direction "
                 f"{float(found.functions.values['principal direction 1'].std(1).max()):.2f}.",
    )
    index = np.arange(1, found.spectra.real.shape[1] + 1)
    for i, (word, rows, ev) in enumerate((("generated", norms, found.spectra.generated),
                                          ("real", real, found.spectra.real))):
        add_line(fig, *density(rows.flatten()), word, i, mode="lines")
        add_line(fig, index, ev.median(0).values.clamp_min(1e-9), word, i, panel=1, legend=False, mode="lines")
    return fig


def fig_retrained(found: Retrained) -> go.Figure:
    """The loss of a new generator while it trains, and errors of linear classifiers on what it makes."""
    made = found.errors
    known = {SOURCES[name]: values for name, values in made.simulated.items() if not bool(values.isnan().any())}
    fig = panels(
        f"A generator trained for {len(found.losses)} steps", ["loss, mean of 20 steps", f"errors at n = {made.n}"],
        [axis("training step"), axis("classifier's data")], [axis("loss", log=True), axis("test error")],
        takeaway=f"Predicted {made.predicted:.3f}; " + ", ".join(
            f"{name} {float(values.mean()):.3f}" for name, values in known.items()) + f" (λ = {made.lam:.2g}).",
        showlegend=False,
    )
    few = found.losses[: len(found.losses) // 20 * 20].unflatten(0, (-1, 20)).mean(1)
    add_line(fig, 20 * torch.arange(1, len(few) + 1), few, "loss", 0, mode="lines")
    labels = ["predicted", *known]
    heights = [made.predicted, *[float(values.mean()) for values in known.values()]]
    add_bars(fig, [label.replace("mixture with their moments", "mixture").replace(" images", "") for label in labels],
             heights, "test error", 1, panel=1)
    return fig
