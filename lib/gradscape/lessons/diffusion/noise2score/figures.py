"""Figures of the Noise2Score lesson: each takes an experiment's result and returns a figure."""
from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
import torch

from gradscape.diffusion.noise2score import (
    Blind,
    Comparison,
    LineCurves,
    OtherNoise,
    OwnRun,
    Schedules,
    SweepLook,
)
from gradscape.diffusion.noise2score import experiments as ex
from gradscape.diffusion.noise2score.line import TARGET
from gradscape.diffusion.noise2score.noise import TEST_NAMES
from gradscape.diffusion.noise2score.own import WINDOW
from gradscape.diffusion.noise2score.settings import SIGMA
from gradscape.workbench import Figure, add_bars, add_line, add_points, axis, figure, image_grid, mark_x, mark_y, panels

SYMBOL = {"gaussian": "σ", "poisson": "ζ", "gamma": "k"}
SHORT = {ex.NOISY: "noisy", ex.VARIATION: "TV", ex.NONLOCAL: "NLM", ex.SELF: "Noise2Self", ex.SCORE: "Noise2Score",
         ex.SUPERVISED: "supervised", ex.PLUG_IN: "plug-in"}
SMOOTH = 25  # steps that a drawn loss is averaged over
BETWEEN, BELOW = 70, 190  # pixels between images and the panels below them, and their height
SHOWN = (1, 3)  # of the crops: the cat and gravel
CUT = slice(48, 112)  # part of a crop that the sheets show


def fig_line(made: LineCurves) -> Figure:
    """The density of noisy values, its score, and the estimate beside the three posterior means."""
    noise, mean = made.line.noise, TARGET[made.line.noise]
    error = float(np.abs(made.estimate - made.means[mean]).max())
    fig = panels(
        f"From a score to an estimate: {noise} noise, {SYMBOL[noise]} = {made.line.parameter:.3g}",
        ["density of y", "score of y", "estimate of x"], [axis("noisy value y")] * 3,
        [axis("p(y)"), axis("d log p/dy"), axis("clean value x")],
        takeaway=f"The formula follows the {mean} posterior mean; its largest distance from it here is {error:.2g}.",
        legend={"orientation": "h", "y": -0.25},
    )
    draw = add_points if made.discrete else add_line
    keep, few = (slice(None, None, max(1, len(made.y) // count)) for count in (90, 25))
    y = made.y[keep].round(4)
    draw(fig, y, made.density[keep].round(5), "p(y)", 6, panel=0)
    draw(fig, y, made.score[keep].round(4), "score", 4, panel=1)
    for i, name in enumerate(("arithmetic", "geometric", "harmonic")):
        add_line(fig, y, made.means[name][keep].round(4), f"{name} mean of x given y", i + 1, panel=2, mode="lines")
    add_points(fig, made.y[few].round(4), made.estimate[few].round(4), "Tweedie's formula", 0, panel=2)
    return fig


def fig_images(found: Comparison) -> Figure:
    """A part of two crops: clean, noisy, and what each method makes of it."""
    names = (ex.NOISY, ex.VARIATION, ex.SELF, ex.SCORE, ex.SUPERVISED)
    tiles = torch.stack([
        torch.stack([found.clean[i, 0], *(found.images[name][i, 0] for name in names)]) for i in SHOWN])[..., CUT, CUT]
    best = {TEST_NAMES[i]: max(names, key=lambda name: float(found.psnr[name][i])) for i in SHOWN}
    words = " and ".join(f"{SHORT[name]} on {crop}" for crop, name in best.items())
    return image_grid(
        tiles, "What each method makes of the same noisy image", rows=[TEST_NAMES[i] for i in SHOWN],
        columns=["clean", *(SHORT[name] for name in names)],
        takeaway=f"Of those shown, the highest PSNR on the whole crop has {words}.", gap=2)


def fig_methods(found: Comparison) -> Figure:
    """Mean PSNR and SSIM of every method on the four crops."""
    names = list(found.images)
    psnr = [float(found.psnr[name].mean()) for name in names]
    own, best = float(found.psnr[ex.SCORE].mean()), names[int(np.argmax(psnr))]
    untrained = max(float(found.psnr[name].mean()) for name in (ex.VARIATION, ex.NONLOCAL))
    if untrained > own:
        word = f"{untrained - own:.1f} dB below"
    else:
        word = f"{own - untrained:.1f} dB above"
    fig = panels(
        "Denoising at σ = 25/255, mean of four crops", ["PSNR", "SSIM"], [axis("denoiser")] * 2,
        [axis("PSNR", "dB", range=(min(psnr) - 1, max(psnr) + 1)), axis("SSIM", range=(0, 1))],
        takeaway=f"Highest PSNR: {best}. Noise2Score is {word} the better of two untrained denoisers that are told σ "
                 "and tuned on these very crops.",
        showlegend=False)
    add_bars(fig, [SHORT[name] for name in names], psnr, "PSNR", 0, panel=0)
    add_bars(fig, [SHORT[name] for name in names], [float(found.ssim[name].mean()) for name in names], "SSIM", 1,
             panel=1)
    fig.update_xaxes(tickangle=-40)
    return fig


def fig_texture(found: Comparison) -> Figure:
    """Noise2Score less Noise2Self and less supervised learning, crop by crop."""
    own, sl = found.gap(ex.SCORE, ex.SELF), found.gap(ex.SCORE, ex.SUPERVISED)
    better = [name for name, gap in zip(TEST_NAMES, own.tolist(), strict=True) if gap > 0]
    fig = figure(
        "Noise2Score against two other losses, crop by crop", axis("test crop"), axis("difference of PSNR", "dB"),
        takeaway=f"Noise2Score beats Noise2Self on {', '.join(better) or 'no crop'}; on the mean by "
                 f"{float(own.mean()):+.2f} dB.")
    add_bars(fig, TEST_NAMES, own, "minus Noise2Self", 0)
    add_bars(fig, TEST_NAMES, sl, "minus supervised", 1)
    mark_y(fig, 0.0)
    return fig


def fig_schedules(found: Schedules) -> Figure:
    """Loss by step under three schedules, and PSNR against the coefficient of the score."""
    best = {name: float(ex.RATIOS[int(np.argmax(curve))]) for name, curve in found.curves.items()}
    fig = panels(
        "How much extra noise? Three schedules, the same number of steps", ["loss", "PSNR against the coefficient"],
        [axis("step"), axis("coefficient of the score, in units of σ²")],
        [axis(f"loss, mean of {SMOOTH} steps"), axis("PSNR", "dB")],
        takeaway=f"At σ_a = .001 the loss stays at 1: nothing is learned. At .1 the best coefficient is "
                 f"{best[ex.LARGE]:.2g} σ² (σ² + a² would be {1 + (found.stops[ex.LARGE] / SIGMA) ** 2:.2g} σ²), "
                 f"annealed it is {best[ex.ANNEALED]:.2g} σ².",
        legend={"orientation": "h", "y": -0.25})
    for i, (name, losses) in enumerate(found.losses.items()):
        width = min(SMOOTH, len(losses))
        smooth = np.convolve(losses, np.ones(width) / width, "valid")
        steps = np.arange(len(smooth)) + width
        keep = slice(None, None, max(1, len(smooth) // 40))
        add_line(fig, steps[keep], smooth[keep].round(4), f"σ_a {name}", i, panel=0)
        add_line(fig, ex.RATIOS[::2], found.curves[name][::2].round(2), f"σ_a {name}", i, panel=1, legend=False)
    mark_y(fig, found.noisy, "noisy", panel=1)
    mark_x(fig, 1.0, "σ²", panel=1)
    return fig


def fig_blind(found: Blind) -> Figure:
    """Total variation of every candidate, crop by crop, with its minimum and the truth."""
    scale = 255 if found.noise == "gaussian" else 1
    fig = figure(
        f"The unknown {SYMBOL[found.noise]}: sweep it, and take the smoothest image",
        axis(f"candidate {SYMBOL[found.noise]}" + (" (of 255)" if scale > 1 else "")),
        axis("total variation over its least"),
        takeaway=f"The mean estimate is {found.values.mean() * scale:.3g} for {found.truth * scale:.3g}; not being "
                 f"told changes PSNR by {float((found.found - found.known).mean()):+.2f} dB on average.")
    keep = slice(None, None, max(1, len(found.grid) // 50))
    for i, name in enumerate(TEST_NAMES):
        curve = found.curves[i] / found.curves[i].min()
        add_line(fig, (found.grid * scale)[keep].round(4), curve[keep].round(3), name, i)
    mark_x(fig, found.truth * scale, "truth")
    return fig


def fig_noises(found: Sequence[OtherNoise]) -> Figure:
    """Poisson and Gamma noise: noisy, the plug-in, the paper's formula, by crop."""
    gains = [float((one.psnr[ex.SCORE] - one.psnr[ex.PLUG_IN]).mean()) for one in found]
    words = " and ".join(f"{gain:.1f} dB ({one.noise})" for gain, one in zip(gains, found, strict=True))
    fig = panels(
        "The same training on other noise: only the last line changes",
        [f"{one.noise} noise, {SYMBOL[one.noise]} = {one.parameter:g}" for one in found], [axis("test crop")] * 2,
        [axis("PSNR", "dB")] * 2, takeaway=f"The paper's formula beats the plug-in by {words} on the mean.",
        legend={"orientation": "h", "y": -0.25}, barmode="group")
    for panel, one in enumerate(found):
        for i, (name, values) in enumerate(one.psnr.items()):
            add_bars(fig, TEST_NAMES, values, SHORT[name], i, panel=panel, legendgroup=name, showlegend=panel == 0)
    return fig


def fig_rules(found: Sequence[Blind]) -> Figure:
    """Two rules for the unknown ζ: estimates by crop."""
    changes = [float((one.found - one.known).mean()) for one in found]
    names = {"tv": "least TV", "official": "official penalty"}
    fig = figure(
        "Blind Poisson noise: two rules", axis("test crop"), axis("estimate ζ̂"),
        takeaway="; ".join(f"{names[one.rule]}: mean {one.values.mean():.3f}, PSNR {change:+.2f} dB"
                           for one, change in zip(found, changes, strict=True)) + f". The truth is {found[0].truth:g}.")
    for i, one in enumerate(found):
        add_bars(fig, TEST_NAMES, one.values, names[one.rule], i)
    mark_y(fig, found[0].truth, "truth")
    return fig


def fig_run(run: OwnRun) -> Figure:
    """The reader's own training: images, loss and PSNR."""
    sheet = image_grid(
        run.images[list(SHOWN)][..., 16:80, 16:80],
        f"Your score network: {run.noise} noise, {SYMBOL[run.noise]} = {run.parameter:.3g}",
        rows=[TEST_NAMES[i] for i in SHOWN], columns=["noisy", "denoised", "clean"], gap=2,
        takeaway=f"PSNR {run.noisy:.1f} dB before and {run.psnr[-1]:.1f} dB after {len(run.losses)} steps"
                 + (f"; {run.corrected:.1f} dB with σ² + a_min²." if run.noise == "gaussian" else "."))
    fig = _under_images(sheet, ["loss (1: nothing learned)", "PSNR, mean of four crops"], ("step", "step"),
                        ("loss", "dB"))
    width = min(SMOOTH, len(run.losses))
    smooth = np.convolve(run.losses, np.ones(width) / width, "valid")
    keep = slice(None, None, max(1, len(smooth) // 60))
    add_line(fig, (np.arange(len(smooth)) + width)[keep], smooth[keep], "loss", 0, panel=1)
    add_line(fig, run.looks, run.psnr, "PSNR", 1, panel=2)
    mark_y(fig, run.noisy, "noisy", panel=2)
    return fig


def fig_sweep(look: SweepLook) -> Figure:
    """One candidate: noisy, estimate, clean; TV and PSNR of all candidates."""
    scale, curves = 255 if look.noise == "gaussian" else 1, look.curves
    symbol = SYMBOL[look.noise] + (" (of 255)" if scale > 1 else "")
    tiles = torch.stack([curves.noisy, look.image, curves.clean])[None, :, WINDOW, WINDOW]
    sheet = image_grid(
        tiles, f"One score map, any {SYMBOL[look.noise]}: {look.noise} noise, {look.crop}",
        columns=["noisy", f"at {look.theta * scale:.3g}", "clean"], gap=2,
        takeaway=f"TV is least at {curves.best * scale:.3g}, the truth is {curves.truth * scale:.3g}. Here: TV "
                 f"{look.tv:.3f}, PSNR {look.psnr:.2f} dB.")
    fig = _under_images(sheet, ["total variation", "PSNR (needs the clean image)"], (symbol, symbol), ("TV", "dB"))
    for panel, (values, here) in enumerate(((curves.tv, look.tv), (curves.psnr, look.psnr)), 1):
        add_line(fig, curves.grid * scale, values, "all candidates", panel - 1, panel=panel, mode="lines", legend=False)
        add_points(fig, [look.theta * scale], [here], "yours", 3, panel=panel, legend=False, marker={"size": 11})
        mark_x(fig, curves.truth * scale, "truth", panel=panel)
    return fig


def _under_images(sheet: Figure, titles: Sequence[str], x: Sequence[str], y: Sequence[str]) -> Figure:
    """A sheet of images on top and two panels below it (panels 1 and 2)."""
    top, bottom = sheet.layout.margin.t, 70
    images = sheet.layout.height - top - sheet.layout.margin.b
    area = images + BETWEEN + BELOW
    low = BELOW / area
    fig = panels(sheet.layout.title.text, ["", *titles], [axis(""), *map(axis, x)], [axis(""), *map(axis, y)])
    fig.update_layout(
        xaxis=sheet.layout.xaxis.to_plotly_json() | {"domain": [0, 1], "anchor": "y"},
        yaxis=sheet.layout.yaxis.to_plotly_json() | {"domain": [1 - images / area, 1], "anchor": "x"},
        xaxis2_domain=[0, 0.44], xaxis3_domain=[0.56, 1], yaxis2_domain=[0, low], yaxis3_domain=[0, low],
        showlegend=False, margin={"t": top, "b": bottom}, height=top + area + bottom)
    for note, middle in zip(fig.layout.annotations, (0.22, 0.78), strict=True):
        note.update(x=middle, y=low)
    fig.add_trace(go.Image(sheet.data[0].to_plotly_json()))
    return fig
