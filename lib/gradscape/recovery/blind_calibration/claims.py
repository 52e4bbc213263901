"""The claims of Cambareri & Jacques (arXiv 1610.09028) and how each is measured."""
from __future__ import annotations

import math

from gradscape import results
from gradscape.lesson import Claim, Measured, at_least, at_most, below, between, every
from gradscape.lesson import measure as measure_claims
from gradscape.recovery.blind_calibration import experiments as ex
from gradscape.recovery.blind_calibration.settings import Settings

TRANSITIONS = (16, 32, 64, 128)  # sensors at which the criterion asks for the transition
MILD, WORST = 0.1, 0.99  # rho at the ends of the comparison of gains
CALM, LOUD = 1e-3, 1e-2  # noises of the criterion
MOST_IGNORED = {0.1: 0.015, 0.5: 0.08, 0.9: 0.15}  # least error that ignoring gains must cost, by rho
LESSON = "recovery/blind_calibration"


def cells(pairs: tuple[tuple[int, int], ...]) -> list[tuple[int, int, float]]:
    """Sensors and snapshots, each with mild and with bad gains."""
    return [(m, p, rho) for m, p in pairs for rho in (MILD, ex.BAD)]


def cell_name(m: int, p: int, rho: float) -> str:
    """A cell as the ledger calls it."""
    return f"recovered (m = {m}, p = {p}, ρ = {rho:g})"


CLAIMS = (
    Claim(
        "C1", "paper", "Plain projected gradient descent recovers signal and gains exactly when the measurements "
        "exceed a number linear in n + m.", where="abstract, theorem; n = 64, ratios 3.02 and 2.69", parts={
            cell_name(*cell): every(below(ex.SUCCESS)) for cell in cells(ex.ABOVE)
        },
    ),
    Claim(
        "C2", "paper", "With about as many measurements as unknowns it does not.",
        where="numerical part (figure not seen); n = 64, ratio 1.01", parts={
            cell_name(*cell): at_most(0) for cell in cells(ex.BELOW)
        },
    ),
    Claim(
        "C3", "paper", "Between them lies a sharp transition, at a few measurements per unknown for every m.",
        where="numerical part (figure not seen); n = 64, ρ = 0.9", parts={
            f"smallest ratio with 90 % success (m = {m})": between(1.05, 2.6) for m in TRANSITIONS
        },
    ),
    Claim(
        "C4", "paper", "Gains that deviate by up to 99 % are no obstacle.", where="theorem (ρ < 1); (m, p) = (64, 8)",
        parts={
            "share recovered (ρ = 0.1)": at_least(1), "share recovered (ρ = 0.99)": at_least(1),
            "iterations to 1e-9, ρ = 0.99 over ρ = 0.1": at_most(1.6),
        },
    ),
    Claim(
        "C5", "paper", "The error grows linearly with the noise.", where="abstract, theorem; (64, 8), ρ = 0.9", parts={
            "log10 slope of error on noise": every(between(0.97, 1.03)),
            "error over noise (1e-3)": every(between(0.3, 0.55)),
            "error over noise (1e-2)": every(between(0.3, 0.55)),
        },
    ),
    Claim(
        "C6", "paper", "Calibration matters: least squares that ignores gains fails.",
        where="numerical part; (64, 8), no noise", parts={
            f"error ignoring gains (ρ = {rho:g})": every(at_least(least)) for rho, least in MOST_IGNORED.items()
        },
    ),
    Claim(
        "C6a", "control", "In noise, descent is better than least squares of the problem made linear.",
        where="our own comparison; (64, 8), ρ = 0.9, noise 1e-2",
        parts={"error of linear least squares over that of descent": every(at_least(1.3))},
    ),
    Claim(
        "C7", "paper", "A sensor array is calibrated while it takes an image; without calibration the image fails.",
        where="numerical part (numbers not seen); camera, ±1 masks, p = 10, ρ = 0.9", parts={
            "RSNR of x (dB)": at_least(60), "RSNR of g (dB)": at_least(60),
            "RSNR of x ignoring gains (dB)": at_most(12),
        },
    ),
    Claim(
        "C8", "paper", "A subspace that holds the signal cuts the number of snapshots.",
        where="abstract; 12 x 12 lowest cosines, m = 256, ρ = 0.9", parts={
            "RSNR of x (p = 4, dB)": at_least(60), "RSNR of g (p = 4, dB)": at_least(60),
            "RSNR of x (p = 1, dB)": at_most(15),
        },
    ),
    Claim(
        "C9", "control", "Where descent does not help: without noise linear least squares is as exact and needs no "
        "iterations, and just above the transition descent is slow.", where="our own limit; ρ = 0.9", parts={
            "error of linear least squares (64, 8)": every(at_most(1e-10)),
            "iterations at ratio 1.5 over those at 4": at_least(4),
        },
    ),
)


def measure_c1(settings: Settings) -> Measured:
    """The larger relative error of signal and gains of each problem, in all four cells."""
    runs = {cell: ex.trial(settings, *cell) for cell in cells(ex.ABOVE)}
    return Measured({cell_name(*cell): run.error.tolist() for cell, run in runs.items()}
                    | {"largest error": max(float(run.error.max()) for run in runs.values())},
                    n=settings.size.seeds, note="a problem counts as recovered below 1e-3")


def measure_c2(settings: Settings) -> Measured:
    """Problems recovered in all four cells, and beside them those that linear least squares solves."""
    runs = {cell: ex.trial(settings, *cell) for cell in cells(ex.BELOW)}
    return Measured({cell_name(*cell): run.successes for cell, run in runs.items()} | {
        "smallest error": min(float(run.error.min()) for run in runs.values()),
        "share that linear least squares recovers": sum(float((run.linear < ex.SUCCESS).double().mean())
                                                        for run in runs.values()) / len(runs),
    }, n=settings.size.seeds, note=f"within {settings.size.iterations} iterations")


def measure_c3(settings: Settings) -> Measured:
    """The first cell of each m in which at least 90 % of the problems are recovered."""
    made = ex.diagram(settings)
    found = {f"smallest ratio with 90 % success (m = {m})": made.transition(settings.scaled(m)) for m in TRANSITIONS}
    return Measured(found, n=made.seeds, note=f"within {made.cap} iterations")


def measure_c4(settings: Settings) -> Measured:
    """Median iterations until the larger error passes 1e-9, and the problems recovered."""
    mild, worst = ex.descents(settings, MILD), ex.descents(settings, WORST)
    count = len(mild.reached)
    return Measured({
        "share recovered (ρ = 0.1)": mild.successes / count, "share recovered (ρ = 0.99)": worst.successes / count,
        "iterations to 1e-9, ρ = 0.99 over ρ = 0.1": worst.median / mild.median if math.isfinite(mild.median) else
        math.nan, "median iterations (ρ = 0.1)": mild.median, "median iterations (ρ = 0.99)": worst.median,
    }, n=count)


def measure_c5(settings: Settings) -> Measured:
    """The same problems and noise draws at two levels."""
    calm, loud = (ex.trial(settings, *ex.PLENTY, ex.BAD, noise).error for noise in (CALM, LOUD))
    return Measured({
        "log10 slope of error on noise": ((loud / calm).log10() / math.log10(LOUD / CALM)).tolist(),
        "error over noise (1e-3)": (calm / CALM).tolist(), "error over noise (1e-2)": (loud / LOUD).tolist(),
    }, n=len(calm))


def measure_c6(settings: Settings) -> Measured:
    """The error of x of least squares that takes every gain for 1."""
    return Measured({f"error ignoring gains (ρ = {rho:g})": ex.trial(settings, *ex.PLENTY, rho).ignoring.tolist()
                     for rho in MOST_IGNORED}, n=settings.size.seeds)


def measure_c6a(settings: Settings) -> Measured:
    """Errors of both methods on the same noisy problems, the larger one of signal and gains."""
    run = ex.trial(settings, *ex.PLENTY, ex.BAD, LOUD)
    return Measured({"error of linear least squares over that of descent": (run.linear / run.error).tolist()},
                    n=len(run.error))


def measure_c7(settings: Settings) -> Measured:
    """Ratio of signal to error of image and gains."""
    made = ex.image(settings)
    return Measured({
        "RSNR of x (dB)": made.x_db, "RSNR of g (dB)": made.g_db, "RSNR of x ignoring gains (dB)": made.ignoring_db,
        "iterations": int(made.run.iterations), "ratio": made.ratio,
    }, n=1, note=f"{made.side} x {made.side} pixels, {made.problem.m} sensors")


def measure_c8(settings: Settings) -> Measured:
    """The same image of low frequencies with four snapshots and with one; beside it four without the prior."""
    many, one = (ex.low_image(settings, p) for p in ex.LOW_SNAPSHOTS)
    bare = ex.low_image(settings, ex.LOW_SNAPSHOTS[0], False)
    return Measured({
        "RSNR of x (p = 4, dB)": many.x_db, "RSNR of g (p = 4, dB)": many.g_db, "RSNR of x (p = 1, dB)": one.x_db,
        "RSNR of x (p = 4, without the prior, dB)": bare.x_db, "ratio (p = 4)": many.ratio, "ratio (p = 1)": one.ratio,
        "ratio (p = 4, without the prior)": bare.ratio,
    }, n=1, note=f"{many.side} x {many.side} pixels, {many.problem.m} sensors")


def measure_c9(settings: Settings) -> Measured:
    """Median iterations until nothing changes by 1e-7, a run given up counting with the cap."""
    scarce, plenty = ex.trial(settings, *ex.SCARCE), ex.trial(settings, *ex.PLENTY)
    slow, fast = (float(run.iterations.double().quantile(0.5)) for run in (scarce, plenty))
    return Measured({
        "error of linear least squares (64, 8)": plenty.linear.tolist(),
        "iterations at ratio 1.5 over those at 4": slow / fast, "median iterations at ratio 1.5": slow,
        "median iterations at ratio 4": fast, "largest error of descent (64, 8)": float(plenty.error.max()),
        "recovered at ratio 1.5": scarce.successes,
    }, n=len(plenty.error), note=f"within {settings.size.iterations} iterations")


MEASURES = {
    "C1": measure_c1, "C2": measure_c2, "C3": measure_c3, "C4": measure_c4, "C5": measure_c5, "C6": measure_c6,
    "C6a": measure_c6a, "C7": measure_c7, "C8": measure_c8, "C9": measure_c9,
}


def measure(settings: Settings) -> dict[str, Measured]:
    """Measure every claim by its fixed protocol."""
    return measure_claims(CLAIMS, MEASURES, settings)


def transition_table(settings: Settings) -> results.Table:
    """Phase diagrams of all n and rho of the profile."""
    size = settings.size
    made = [ex.diagram_at(settings, n, rho).columns() for n in size.table_signals for rho in size.table_rhos]
    columns = {name: [entry for one in made for entry in one[name]] for name in made[0]}
    return results.make(LESSON, "transition", columns, settings)


TABLES = {"transition": transition_table}
