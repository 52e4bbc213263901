"""What the paper claims, what is measured for it, and by which criterion (arXiv 2402.11215)."""
from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from gradscape import lesson
from gradscape.lesson import Claim, Measured, Point, above, at_least, at_most, below, between, every, is_true
from gradscape.optimizers.adaptive_batch.experiments import (
    ETAS,
    LARGE_STEP,
    SMALL_STEP,
    SMALLEST,
    Array,
    adaptive_runs,
    constant_streams,
    own_stream,
    own_training,
    planned_runs,
    streams,
)
from gradscape.optimizers.adaptive_batch.settings import Settings
from gradscape.optimizers.adaptive_batch.softmax import Run
from gradscape.optimizers.adaptive_batch.stream import Stream

LOW, HIGH = 0.6, 1.6                                    # of eta², A1
LEVEL = 1e-3                                            # of ||grad F||², A2
FEWER = {"smoke": 5.0, "quick": 5.0, "full": 20.0}      # times fewer steps, A4

CLAIMS = (
    Claim(
        "A1", "paper", "the test keeps the error of the batch gradient at η of the gradient's size", "abstract", None,
        {f"median ‖ḡ−∇F‖²/‖∇F‖², η = {eta:g}": every(between(round(LOW * eta**2, 6), round(HIGH * eta**2, 6)))
         for eta in ETAS} | {"the same, constant b = 16": every(above(30.0))},
    ),
    Claim(
        "A2", "paper", "AdAdaGradNorm has the rate O(1/K) for ‖∇F‖², without a floor of noise", "abstract", "O(1/K)",
        {"slope, η = 0.5": every(at_most(-1.5)), "slope, η = 0.9": every(at_most(-1.5)),
         "slope, constant b = 16": every(at_least(-1.15)),
         "median steps to 1e-3, b = 16 over η = 0.5": at_least(5.0),
         "median steps to 1e-3, b = 16 over η = 0.9": at_least(5.0)},
    ),
    Claim(
        "A3", "paper", "batches grow during training, faster for smaller η", "abstract, authors' code", None,
        {"sizes never fall": is_true("in any run"), "average batch, η = 0.25 over η = 0.9": every(above(1.2))},
    ),
    Claim(
        "A4", "paper", "far fewer steps than with small batches, and more accurate than with large ones, from the same "
        "samples", "abstract", None,
        {"steps of b = 32 over η = 0.9, in units of 5 (full: 20)": every(at_least(1.0)),
         "accuracy − full batch": every(at_least(0.02)), "accuracy − constant 32": every(at_most(0.02))},
    ),
    Claim(
        "A5", "control", "the limit of the method here: from the same samples, small batches reach a lower loss", "",
        None, {"training loss, constant 32 − adaptive η = 0.9": every(below(0.0))},
    ),
    Claim(
        "A6", "control", "at the same parameter the inner-product test grows the batch much less than the norm test",
        "", None, {"last b, inner product 0.5 over norm 0.5": every(below(0.3))},
    ),
    Claim(
        "A7", "control", "the coordinate-wise test of AdAdaGrad's theory asks for the largest batch at once", "", None,
        {"step at which b reaches its maximum": every(at_most(10.0))},
    ),
    Claim("A8", "report", "the tables of CIFAR-10, CIFAR-100 and ImageNet", "experiments"),
)


def measure_a1(settings: Settings) -> Measured:
    """Median over the second half of each run, alpha = 0.1; an adaptive run ends when its batch is at the cap."""
    runs = {f"median ‖ḡ−∇F‖²/‖∇F‖², η = {eta:g}": streams(settings, eta=eta, alpha=SMALL_STEP) for eta in ETAS}
    runs["the same, constant b = 16"] = constant_streams(settings, alpha=SMALL_STEP, steps=settings.size.steps)
    return Measured({name: _each(of, Stream.late_error) for name, of in runs.items()}, n=settings.size.seeds)


def measure_a2(settings: Settings) -> Measured:
    """Slopes from step 5 on and steps to 1e-3, alpha = 0.5."""
    fixed = constant_streams(settings, alpha=LARGE_STEP, steps=settings.size.long_steps)
    runs = {eta: streams(settings, eta=eta, alpha=LARGE_STEP) for eta in (0.5, 0.9)}
    waits = {eta: _each(of, lambda run: run.steps_to(LEVEL)) for eta, of in runs.items()}
    long = _each(fixed, lambda run: run.steps_to(LEVEL))
    values: dict[str, object] = {f"slope, η = {eta:g}": _each(of, Stream.slope) for eta, of in runs.items()}
    values["slope, constant b = 16"] = _each(fixed, Stream.slope)
    for eta, steps in waits.items():
        values[f"median steps to 1e-3, b = 16 over η = {eta:g}"] = _times(np.median(long), np.median(steps))
    told = ", ".join(f"{np.median(steps):g} at η = {eta:g}" for eta, steps in waits.items())
    used = {eta: np.median([_samples_to(run) for run in of]) for eta, of in runs.items()}
    spent = ", ".join(f"{count:.3g} at η = {eta:g}" for eta, count in used.items())
    return Measured(values, n=settings.size.seeds, note=(
        f"median steps to 1e-3: {told}, {np.median(long):g} at b = 16; median samples: {spent}, "
        f"{np.median([_samples_to(run) for run in fixed]):.3g} at b = 16"
    ))


def measure_a3(settings: Settings) -> Measured:
    """Sizes of softmax regression's batches, as scheduled."""
    runs = {eta: adaptive_runs(settings, "norm", eta) for eta in ETAS}
    rising = all(bool((np.diff(run.scheduled) >= 0).all()) for of in runs.values() for run in of)
    average = {eta: np.array([run.average for run in of]) for eta, of in runs.items()}
    told = ", ".join(f"{np.median(sizes):.0f} at η = {eta:g}" for eta, sizes in average.items())
    return Measured(
        {"sizes never fall": rising, "average batch, η = 0.25 over η = 0.9": average[0.25] / average[0.9]},
        n=settings.size.image_seeds, note=f"median average batch: {told}",
    )


def measure_a4(settings: Settings) -> Measured:
    """Steps and final accuracy from the same samples."""
    adaptive, small, large = _compared(settings)
    steps = np.array([run.steps for run in adaptive])
    accuracy, least, most = (np.array([run.accuracy[-1] for run in of]) for of in (adaptive, small, large))
    return Measured({
        "steps of b = 32 over η = 0.9, in units of 5 (full: 20)": small[0].steps / steps / FEWER[settings.profile],
        "accuracy − full batch": accuracy - most, "accuracy − constant 32": accuracy - least,
    }, n=settings.size.image_seeds, note=(
        f"steps: {small[0].steps} constant 32, median {np.median(steps):g} adaptive, {large[0].steps} full batch; "
        f"median accuracy {np.median(least):.3f}, {np.median(accuracy):.3f}, {np.median(most):.3f}"
    ))


def measure_a5(settings: Settings) -> Measured:
    """Final loss on all training images."""
    adaptive, small, _ = _compared(settings)
    ours, theirs = (np.array([run.loss[-1] for run in of]) for of in (adaptive, small))
    return Measured(
        {"training loss, constant 32 − adaptive η = 0.9": theirs - ours}, n=settings.size.image_seeds,
        note=f"median loss {np.median(theirs):.3f} with constant 32, {np.median(ours):.3f} with the adaptive batch",
    )


def measure_a6(settings: Settings) -> Measured:
    """Last scheduled sizes of both tests at 0.5."""
    runs = [adaptive_runs(settings, test, 0.5) for test in ("norm", "inner product")]
    norm, ip = (np.array([run.scheduled[-1] for run in of]) for of in runs)
    return Measured(
        {"last b, inner product 0.5 over norm 0.5": ip / norm}, n=settings.size.image_seeds,
        note=f"last b {ip.min():g} to {ip.max():g} against {norm.min():g} to {norm.max():g}",
    )


def measure_a7(settings: Settings) -> Measured:
    """AdaGrad with the coordinate-wise test at eta = 0.9, alpha = 0.1."""
    runs = streams(settings, eta=0.9, alpha=SMALL_STEP, test="coordinate", method="AdaGrad")
    hits = [float((run.batch < settings.size.cap).sum()) if run.batch[-1] >= settings.size.cap else math.inf
            for run in runs]
    return Measured({"step at which b reaches its maximum": np.array(hits)}, n=settings.size.seeds)


def measure_a8(settings: Settings) -> Measured:
    """Not at laptop scale."""
    return Measured.not_tested("needs GPUs; the tables were not read for this lesson, so no number is quoted")


MEASURES = {
    "A1": measure_a1, "A2": measure_a2, "A3": measure_a3, "A4": measure_a4, "A5": measure_a5, "A6": measure_a6,
    "A7": measure_a7, "A8": measure_a8,
}


def measure(settings: Settings) -> dict[str, Measured]:
    """Every claim, by its fixed protocol."""
    return lesson.measure(CLAIMS, MEASURES, settings)


def point(settings: Settings) -> Point:
    """One run on the streaming problem and one model on images, at the settings' own values."""
    run = own_stream(settings).run
    adaptive, small = own_training(settings)
    return Point({
        "stream_steps": len(run.batch), "stream_samples": run.samples[-1], "stream_batch": run.batch[-1],
        "stream_gradient": run.lowest[-1], "stream_error": run.late_error(),
        "steps": len(adaptive.history.batch), "batch": adaptive.history.scheduled[-1],
        "accuracy": adaptive.accuracy, "loss": adaptive.loss, "accuracy_32": small.accuracy, "loss_32": small.loss,
    })


def _compared(settings: Settings) -> tuple[tuple[Run, ...], tuple[Run, ...], tuple[Run, ...]]:
    """Adaptive at eta = 0.9, constant 32, full batch."""
    return (
        adaptive_runs(settings, "norm", 0.9), planned_runs(settings, SMALLEST),
        planned_runs(settings, settings.size.images),
    )


def _each(runs: tuple[Stream, ...], value: Callable[[Stream], float]) -> Array:
    return np.array([value(run) for run in runs])


def _times(long: float, short: float) -> float:
    """How many times more; NaN, which meets no criterion, where the shorter was never reached."""
    return float(long / short) if math.isfinite(short) else math.nan


def _samples_to(run: Stream) -> float:
    """Samples used up to the first step at or below the level (inf if none)."""
    steps = run.steps_to(LEVEL)
    return float(run.samples[int(steps) - 1]) if math.isfinite(steps) else math.inf
