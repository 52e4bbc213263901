"""The claims of Pezeshki et al. (arXiv 2112.03215) and how each is measured."""
from __future__ import annotations

import math

from gradscape.dynamics.multiscale_descent import experiments as ex
from gradscape.dynamics.multiscale_descent.settings import Settings
from gradscape.dynamics.multiscale_descent.shape import descent_shape
from gradscape.dynamics.multiscale_descent.theory import plateau
from gradscape.lesson import Claim, Measured, at_least, at_most, every, is_true, within
from gradscape.lesson import measure as measure_claims
from gradscape.stats import powerlaw

SECOND = 0.1  # the error below which the second descent has happened

CLAIMS = (
    Claim(
        "M1", "paper", "Features learned at very different speeds give epoch-wise double descent, features of nearly "
        "equal speed do not.", where="Fig. 4; exact gradient descent, n = 110, p = 70", parts={
            "share with double descent (κ = 4)": at_most(0.05),
            "share with double descent (κ = 30)": at_least(0.95),
        },
    ),
    Claim(
        "M2", "paper", "Fast features overfit because slow features, not yet learned, act as noise on the labels.",
        where="Figs. 1 and 4; κ = 1e5", paper="plateaus 0.4125 and 0.325", parts={
            f"plateau over its formula (n = {n}, p = {p})": within(1, 0.06) for n, p in ex.PLATEAUS
        },
    ),
    Claim(
        "M3", "paper", "The second descent comes when slow features are learned: at a time in proportion to κ².",
        where="Fig. 4; n = 110, p = 70", parts={"slope of ln t on ln κ": within(2, 0.1)},
    ),
    Claim(
        "M4", "paper", "The closed form for two scales lies on ridge regression.", where="Fig. 3, κ = 1e5",
        parts={f"largest gap (n = {n}, p = {p}, κ = 1e5)": at_most(0.002) for n, p in ex.GEOMETRIES},
    ),
    Claim(
        "M4a", "control", "The limit for large sizes at any κ lies on ridge regression.", where="our own limit",
        parts={f"largest gap (κ = {kappa:g})": at_most(0.005) for kappa in ex.KAPPAS},
    ),
    Claim(
        "M4b", "report", "How far the closed form lies from ridge regression where scales are not well separated.",
        where="Fig. 3, κ = 1 and 50",
    ),
    Claim(
        "M5", "paper", "Gradient descent after t steps behaves like ridge regression with penalty 1/(ηt).",
        where="appendix lemma; n = 110, p = 70, κ = 30", parts={
            "gradient descent": is_true("has a double descent"),
            "ridge regression": is_true("has one too"),
            "difference of peak heights": at_most(0.08),
        },
    ),
    Claim(
        "M6", "paper", "Penalizing Q for a while removes the bump and leaves the end as good.",
        where="Fig. 6; n = 120, p = 70, κ = 30", paper="peak about 0.36 → 0.28", parts={
            "drop of the peak": every(at_least(0.04)),
            "difference at 1e5 steps": every(at_most(0.005)),
        },
    ),
    Claim(
        "M7", "paper", "Real data behave alike (here: a linear student on whitened images; the paper: a ResNet-18).",
        where="Fig. 5; n = 130, p = 70, κ = 100", parts={
            "largest gap to Gaussian data (a)": at_most(0.10),
            "share with double descent (a)": at_least(0.95),
            "rise of the 0–1 error (b)": at_least(0.012),
            "second minimum below the first (b)": at_least(0.01),
        },
    ),
    Claim(
        "M8", "control", "No second descent when fast features alone can fit every label (n ≤ p).",
        where="our own limit; n = 60, p = 70, κ = 100", parts={
            "final error over its maximum after the first minimum": every(at_least(0.95)),
        },
    ),
)


def measure_m1(settings: Settings) -> Measured:
    """Data sets whose own error curve falls, rises by 0.005 or more, and ends below its first minimum."""
    few, many = (ex.curves_at(settings, kappa).shapes for kappa in (4.0, 30.0))
    return Measured({
        "share with double descent (κ = 4)": sum(shape.is_double for shape in few) / len(few),
        "share with double descent (κ = 30)": sum(shape.is_double for shape in many) / len(many),
    }, n=len(few))


def measure_m2(settings: Settings) -> Measured:
    """Mean error at t = κ, half way in the logarithm between fast (1) and slow (κ²) learning, over the formula."""
    values, spread, sets = {}, {}, 1
    for (n, p), name in zip(ex.PLATEAUS, CLAIMS[1].parts, strict=True):
        curves = ex.plateau_curves(settings, n, p)
        at, formula = curves.at(ex.FAR), plateau(curves.task)
        sets = len(at)
        values[name] = float(at.mean()) / formula
        spread[name] = float(at.std()) / formula / math.sqrt(sets) if sets > 1 else math.nan
    return Measured(values, spread=spread, n=sets)


def measure_m3(settings: Settings) -> Measured:
    """Last time at which the mean error passes 0.1, for three values of κ."""
    kappas = (30.0, 100.0, 300.0)
    times = [ex.curves_at(settings, kappa).crossing(SECOND) for kappa in kappas]
    slope = float(powerlaw.fit(kappas, times).exponents[0]) if all(map(math.isfinite, times)) else math.nan
    named = {f"t (κ = {kappa:g})": time for kappa, time in zip(kappas, times, strict=True)}
    return Measured({"slope of ln t on ln κ": slope, **named}, n=settings.size.sets)


def measure_m4(settings: Settings) -> Measured:
    """Largest distance of the mean error over all penalties, κ = 1e5; beside it, over those that Fig. 3 shows."""
    gaps = ex.ridge_gaps(settings)
    values = {name: float(gaps.closed[g, -1]) for g, name in enumerate(CLAIMS[3].parts)}
    shown = {f"within Fig. 3's range, 1/r ≤ 1e6 (n = {n}, p = {p})": float(gaps.closed_shown[g, -1])
             for g, (n, p) in enumerate(ex.GEOMETRIES)}
    return Measured(values | shown, n=settings.size.ridge_sets,
                    note="the gap opens at the second descent, which Fig. 3 does not reach at κ = 1e5")


def measure_m4a(settings: Settings) -> Measured:
    """The same for the limit of large sizes; the larger of two geometries."""
    worst = ex.ridge_gaps(settings).limit.amax(0).tolist()
    return Measured(dict(zip(CLAIMS[4].parts, worst, strict=True)), n=settings.size.ridge_sets)


def measure_m4b(settings: Settings) -> Measured:
    """The same for the closed form at κ = 1 and 50."""
    gaps = ex.ridge_gaps(settings)
    return Measured({
        f"largest gap (n = {n}, p = {p}, κ = {kappa:g})": float(gaps.closed[g, k])
        for g, (n, p) in enumerate(ex.GEOMETRIES) for k, kappa in enumerate(ex.KAPPAS[:-1])
    }, n=settings.size.ridge_sets)


def measure_m5(settings: Settings) -> Measured:
    """Shapes of the mean error of gradient descent and of the ridge limit on the clock r = 1/(ηt)."""
    curves, slow = ex.curves_at(settings, 30.0), ex.curves_at(settings, 7.0)
    descent, ridge = (descent_shape(curves.times, E) for E in (curves.mean, curves.limit))
    small = [descent_shape(slow.times, E).is_double for E in (slow.mean, slow.limit)]
    return Measured({
        "gradient descent": descent.is_double, "ridge regression": ridge.is_double,
        "difference of peak heights": abs(descent.e_peak - ridge.e_peak),
        "peak (descent)": descent.e_peak, "peak (ridge)": ridge.e_peak,
        "its time (descent)": descent.t_peak, "its time (ridge)": ridge.t_peak,
        "first minimum (descent)": descent.e_min, "first minimum (ridge)": ridge.e_min,
        "a bump at κ = 7 (descent)": small[0], "a bump at κ = 7 (ridge)": small[1],
    }, n=settings.size.sets)


def measure_m6(settings: Settings) -> Measured:
    """Peaks and ends of each data set with and without the schedule."""
    result = ex.penalized(settings)
    peaks = result.peaks
    ends = [E[:, -1] for E in (result.plain, result.penalized)]
    return Measured({
        "drop of the peak": (peaks[0] - peaks[1]).tolist(),
        "difference at 1e5 steps": (ends[0] - ends[1]).abs().tolist(),
        "mean peak": float(peaks[0].mean()), "with the penalty": float(peaks[1].mean()),
    }, n=len(peaks[0]))


def measure_m7(settings: Settings) -> Measured:
    """(a) Random linear teachers on images beside Gaussian factors; (b) the images' own labels, odd or even class."""
    result = ex.image_students(settings)
    shapes = [descent_shape(result.times, E) for E in result.teacher.E]
    error = result.given.err.mean(0)
    first = descent_shape(result.times, error)
    later = error[result.times >= first.t_peak]
    second = int(later.argmin())
    return Measured({
        "largest gap to Gaussian data (a)": float((result.teacher.E.mean(0) - result.gaussian.mean(0)).abs().max()),
        "share with double descent (a)": sum(shape.is_double for shape in shapes) / len(shapes),
        "rise of the 0–1 error (b)": first.rise,
        "second minimum below the first (b)": first.e_min - float(later[second]),
        "first minimum (b)": first.e_min, "peak (b)": first.e_peak, "second minimum (b)": float(later[second]),
        "end (b)": first.e_end,
    }, n=len(shapes))


def measure_m8(settings: Settings) -> Measured:
    """Each data set's final error over the largest after its first minimum."""
    curves = ex.example_curves(settings, 60)
    ratio = [shape.e_end / shape.e_peak if shape.e_peak else math.nan for shape in curves.shapes]
    mean = descent_shape(curves.times, curves.mean)
    return Measured({"final error over its maximum after the first minimum": ratio, "first minimum (mean)": mean.e_min,
                     "end (mean)": mean.e_end}, n=len(ratio))


MEASURES = {
    "M1": measure_m1, "M2": measure_m2, "M3": measure_m3, "M4": measure_m4, "M4a": measure_m4a, "M4b": measure_m4b,
    "M5": measure_m5, "M6": measure_m6, "M7": measure_m7, "M8": measure_m8,
}


def measure(settings: Settings) -> dict[str, Measured]:
    """Measure every claim by its fixed protocol."""
    return measure_claims(CLAIMS, MEASURES, settings)
