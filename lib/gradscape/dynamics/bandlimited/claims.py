"""The claims of Li et al. (arXiv 2008.08427) and how each is measured."""
from __future__ import annotations

import numpy as np

from gradscape.dynamics.bandlimited import experiments as ex
from gradscape.dynamics.bandlimited import images
from gradscape.dynamics.bandlimited.settings import Settings
from gradscape.lesson import Claim, Measured, above, at_least, below, between, every, increasing
from gradscape.lesson import measure as measure_claims

CLAIMS = (
    Claim(
        "C1", "paper", "With hidden weights from a small box an error remains that more neurons do not remove.",
        where="abstract, lower bound", paper="strictly positive error", parts={
            "median error (λ = 1, n = 50)": between(0.63, 0.69),
            "median error (λ = 1, n = 800)": between(0.63, 0.69),
            "ratio n = 800 over 50": between(0.97, 1.02),
        },
    ),
    Claim(
        "C2", "paper", "A suitable box removes the floor.", where="abstract, take-home message 2", parts={
            "median error (λ = 100, n = 800)": below(1e-3),
        },
    ),
    Claim(
        "C3", "paper", "Too small a box fails, and too wide a box is wasteful at a given width.",
        where="take-home message 2", parts={
            "error at λ = 1 over λ = 50 (n = 200)": above(3),
            "error at λ = 1000 over λ = 50 (n = 200)": above(1.8),
        },
    ),
    Claim(
        "C4", "paper", "The right box depends on the complexity of the target: it grows with the frequency.",
        where="abstract, research question 2", parts={
            "smallest λ with a floor below 0.1 (ν = 1, 2, 4, 8, 16)": increasing(),
            "log-log slope (ν = 2 … 16)": between(0.9, 1.7),
        },
    ),
    Claim(
        "C5", "control", "The floor within a coefficient budget predicts wide nets, and no drawn net goes below it.",
        where="computable form of the lower bound; derived here", parts={
            "largest |error/floor − 1| over λ (n = 800)": every(below(0.03)),
            "least error − floor over λ (n = 50)": every(at_least(-0.005)),
        },
    ),
    Claim(
        "C6", "control", "Cutting the hidden weights to |a| ≤ λ is a low-pass filter with the multiplier exp(−(ξ/λ)²).",
        where="ridgelet spectrum; derived here", parts={
            "largest difference between integrals and filter": below(1e-5),
        },
    ),
    Claim(
        "C7", "control", "Where the floor ends: in exact arithmetic and with free output weights the box of C1 "
        "approximates to any accuracy.", where="our own limit: density with unbounded output weights", parts={
            "error at n = 20": every(below(1e-7)),
            "error at n = 24": every(below(1e-9)),
            "log10 of the largest |c| at n = 24": every(above(12)),
        },
    ),
    Claim(
        "C8", "control", "On real images, too, the best box is neither the smallest nor the widest.",
        where="our own check on handwritten digits", parts={
            "accuracy gained over λ = 0.01 (the lesser of λ = 0.3 and 1)": above(0.015),
            "accuracy gained over λ = 100 (the lesser of λ = 0.3 and 1)": above(0.03),
        },
    ),
)


def missing(lambdas: tuple[float, ...], widths: tuple[int, ...]) -> Measured:
    """For sizes that do not hold what a claim's protocol asks for."""
    boxes, units = (", ".join(f"{value:g}" for value in values) for values in (lambdas, widths))
    return Measured.not_tested(f"needs λ = {boxes} and n = {units}")


def measure_c1(settings: Settings) -> Measured:
    """Median errors of the smallest box at two widths."""
    result = ex.sweep(settings)
    if not result.holds((1.0,), (50, 800)):
        return missing((1.0,), (50, 800))
    narrow, wide = result.median(1.0, 50), result.median(1.0, 800)
    dense, few, many = ex.dense_errors(settings), len(result.at(1.0, 50)), len(result.at(1.0, 800))
    return Measured({
        "median error (λ = 1, n = 50)": narrow, "median error (λ = 1, n = 800)": wide,
        "ratio n = 800 over 50": wide / narrow, "numerical rank (λ = 1, n = 800)": result.rank(1.0, 800),
        "the same nets on 5000 points (n = 50 and widest)": list(dense),
    }, n=few, note=f"{few} nets at n = 50, {many} at 800; {settings.size.test_points} random test points")


def measure_c2(settings: Settings) -> Measured:
    """Median error of a wide net in the box 100."""
    result = ex.sweep(settings)
    if not result.holds((100.0,), (800,)):
        return missing((100.0,), (800,))
    errors = result.at(100.0, 800)
    return Measured({
        "median error (λ = 100, n = 800)": float(np.median(errors)), "largest error": float(errors.max()),
    }, n=len(errors))


def measure_c3(settings: Settings) -> Measured:
    """Both sides of the U-curve at n = 200."""
    result = ex.sweep(settings)
    if not result.holds((1.0, 50.0, 1000.0), (200,)):
        return missing((1.0, 50.0, 1000.0), (200,))
    middle = result.median(50.0, 200)
    return Measured({
        "error at λ = 1 over λ = 50 (n = 200)": result.median(1.0, 200) / middle,
        "error at λ = 1000 over λ = 50 (n = 200)": result.median(1000.0, 200) / middle,
        "median error (λ = 50)": middle,
    }, n=len(result.at(50.0, 200)))


def measure_c4(settings: Settings) -> Measured:
    """The box that each frequency needs, tanh, budget 1000."""
    result = ex.floors(settings)
    return Measured({
        "smallest λ with a floor below 0.1 (ν = 1, 2, 4, 8, 16)": result.needed,
        "log-log slope (ν = 2 … 16)": float(result.slope.exponents[0]),
    }, spread={"log-log slope (ν = 2 … 16)": float(result.slope.stderr[0])})


def measure_c5(settings: Settings) -> Measured:
    """Each drawn net against the floor of its box: the worst of three boxes per seed."""
    result = ex.budgeted_nets(settings)
    narrow, wide = result.errors
    floors = result.floors[:, None]
    return Measured({
        "largest |error/floor − 1| over λ (n = 800)": np.abs(wide / floors - 1).max(axis=0),
        "least error − floor over λ (n = 50)": (narrow - floors).min(axis=0),
        "floors (λ = 1, 3, 10)": result.floors,
        "median errors (n = 800)": np.median(wide, axis=1),
    }, n=wide.shape[1])


def measure_c6(settings: Settings) -> Measured:
    """Largest difference over six reconstructions."""
    result = ex.low_pass(settings)
    lost = dict(zip(result.pairs, result.lost.tolist(), strict=True))
    return Measured({
        "largest difference between integrals and filter": result.gap,
        "relative error (ν = 1; λ = 2, 5, 10)": [lost[1.0, lam] for lam in (2.0, 5.0, 10.0)],
        "relative error (ν = 3; λ = 2)": lost[3.0, 2.0],
    })


def measure_c7(settings: Settings) -> Measured:
    """Errors (the larger of training and test) and weights of exact nets, per draw."""
    result = ex.exact_nets(settings)
    if not {20, 24} <= set(result.widths):
        return Measured.not_tested("needs exact widths 20 and 24")
    return Measured({
        "error at n = 20": [fit.error for fit in result.of(20)],
        "error at n = 24": [fit.error for fit in result.of(24)],
        "log10 of the largest |c| at n = 24": [fit.log10_coef for fit in result.of(24)],
        "float64 error at n = 24 (tanh)": float(result.float64[result.widths.index(24)]),
        "float64 error at n = 24 (sigmoid)": float(result.float64_sigmoid[result.widths.index(24)]),
    }, n=len(result.fits), note=f"{result.digits} digits, the larger of the errors on and between 60 points")


def measure_c8(settings: Settings) -> Measured:
    """Mean test accuracies over splits and draws."""
    result = images.digit_accuracy(settings)
    if not {0.01, 0.3, 1.0, 100.0} <= set(result.lambdas):
        return Measured.not_tested("needs λ = 0.01, 0.3, 1 and 100")
    mean = dict(zip(result.lambdas, result.accuracy.mean(axis=1).tolist(), strict=True))
    good = min(mean[0.3], mean[1.0])
    return Measured({
        "accuracy gained over λ = 0.01 (the lesser of λ = 0.3 and 1)": good - mean[0.01],
        "accuracy gained over λ = 100 (the lesser of λ = 0.3 and 1)": good - mean[100.0],
        "accuracy (λ = 0.01, 0.3, 1, 100)": [mean[lam] for lam in (0.01, 0.3, 1.0, 100.0)],
    }, n=result.accuracy.shape[1])


MEASURES = {
    "C1": measure_c1, "C2": measure_c2, "C3": measure_c3, "C4": measure_c4, "C5": measure_c5, "C6": measure_c6,
    "C7": measure_c7, "C8": measure_c8,
}


def measure(settings: Settings) -> dict[str, Measured]:
    """Measure every claim by its fixed protocol."""
    return measure_claims(CLAIMS, MEASURES, settings)
