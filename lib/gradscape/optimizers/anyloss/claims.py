"""What the paper claims, what is measured for it, and by which criterion (arXiv 2405.14745)."""
from __future__ import annotations

import numpy as np

from gradscape import lesson
from gradscape.lesson import (
    Claim,
    Measured,
    Point,
    above,
    at_least,
    at_most,
    between,
    decreasing,
    every,
    is_true,
    mean_of,
)
from gradscape.optimizers.anyloss.checks import gradient_check, operations_ratio
from gradscape.optimizers.anyloss.experiments import (
    L_GAP,
    L_SWEEP,
    RULES,
    amplifications,
    networks,
    over_tables,
    score,
    soft_gap,
    starts,
)
from gradscape.optimizers.anyloss.plane import plane
from gradscape.optimizers.anyloss.settings import Settings

NAMES = {"fbeta": "F1", "gmean": "G", "balanced_accuracy": "BA"}

CLAIMS = (
    Claim(
        "M1", "paper", "training on the metric improves the metric on imbalanced data", "experiments, SLP result file",
        "102 tables, AnyLoss / BCE: F1 .673/.561, G .810/.620, BA .815/.739",
        {"F1 gain": every(at_least(0.08)), "G gain": every(at_least(0.15)), "BA gain": every(at_least(0.06)),
         "F1 tables won of 12": every(at_least(7)), "G tables won of 12": every(at_least(7)),
         "BA tables won of 12": every(at_least(7))},
    ),
    Claim(
        "M2", "paper", "for accuracy the gain is small (no useful gain)", "experiments, SLP result file",
        "102 tables: .887 vs .881", {"accuracy gain": every(between(-0.015, 0.015))},
    ),
    Claim(
        "M3", "control", "is it the objective that helps, or the cut? a tuned threshold does as well", "", None,
        {f"{name}, AnyLoss - (BCE + threshold)": every(between(-0.03, 0.03)) for name in NAMES.values()},
    ),
    Claim(
        "M4", "paper", "A makes the soft metric approximate the hard one", "amplifying function", None,
        {"|soft - hard F1|, L = 5 to 200": decreasing(strict=False), "gap at 5 / gap at 73": at_least(5.0)},
    ),
    Claim(
        "M5", "counter", "L = 73 is the best choice", "README of the code", "most wins among 30, 50, 73, 90, 110",
        {"F1 spread over L = 30 to 300": at_most(0.02), "BA spread over L = 30 to 300": at_most(0.02)},
    ),
    Claim(
        "M6", "counter", "A never saturates, so gradients survive", "second condition on A", None,
        {"AnyLoss F1, s = 3 minus s = 0": at_most(-0.1), "BCE moves by": at_most(0.02)},
    ),
    Claim(
        "M7", "paper", "the derivatives are these closed forms", "code of the losses", None,
        {"largest error": at_most(1e-10), "official G gradient / true one": is_true("4.000 in every component")},
    ),
    Claim(
        "M8", "paper", "it works for multi-layer perceptrons", "MLP result file", "102 tables, F1 .727 vs .615",
        {"F1 gain": mean_of(above(0.1)), "BA, n of the batch minus n of the training set": mean_of(above(0.0))},
    ),
    Claim(
        "M9", "paper", "learning speed is competitive", "learning-time table", None,
        {"operations per iteration, AnyLoss-F1 / BCE": at_most(5.0)},
    ),
    Claim(
        "M10", "paper", "102 tables, against resampling and the score-oriented loss", "experiments", None,
        {"tables won of 102": above(51)},
    ),
)


def measure_m1(settings: Settings) -> Measured:
    """Mean over tables of the test metric, trained on it minus BCE, and tables won; one value a split."""
    scores = over_tables(settings)
    values: dict[str, np.ndarray] = {}
    for metric, name in NAMES.items():
        gain = scores.of("anyloss", metric) - scores.of("bce", metric)
        values |= {f"{name} gain": gain.mean(1), f"{name} tables won of 12": (gain > 0).sum(1)}
    means = ", ".join(
        f"{name} {scores.of('anyloss', m).mean():.3f} vs {scores.of('bce', m).mean():.3f}" for m, name in NAMES.items()
    )
    return Measured(values, n=settings.size.splits, note=f"means: {means}")


def measure_m2(settings: Settings) -> Measured:
    """The same for accuracy."""
    scores = over_tables(settings)
    gain = scores.of("anyloss", "accuracy") - scores.of("bce", "accuracy")
    won = (gain > 0).sum(1)
    return Measured(
        {"accuracy gain": gain.mean(1)}, n=settings.size.splits, note=f"tables won: {won.min()} to {won.max()}"
    )


def measure_m3(settings: Settings) -> Measured:
    """AnyLoss minus BCE with the threshold that is best on the training fold."""
    scores = over_tables(settings)
    values: dict[str, np.ndarray] = {}
    for metric, name in NAMES.items():
        diff = scores.of("anyloss", metric) - scores.of("threshold", metric)
        values[f"{name}, AnyLoss - (BCE + threshold)"] = diff.mean(1)
    means = ", ".join(f"{name.split(',')[0]} {value.mean():+.3f}" for name, value in values.items())
    return Measured(values, n=settings.size.splits, note=f"means: {means}")


def measure_m4(settings: Settings) -> Measured:
    """Soft minus hard F1 on the paper's "Random" set, at the seed of the settings (0 is the paper's)."""
    gap = np.abs(soft_gap(seed=settings.seed, rows=settings.size.random_rows, iterations=settings.size.iterations).gap)
    return Measured({
        "|soft - hard F1|, L = 5 to 200": gap,
        "gap at 5 / gap at 73": float(gap[L_GAP.index(5.0)] / gap[L_GAP.index(73.0)]),
    })


def measure_m5(settings: Settings) -> Measured:
    """Largest minus smallest mean over tables, L from 30 to 300."""
    result, wide = amplifications(settings), np.array(L_SWEEP) >= 30
    spread = {name: float(np.ptp(result.mean(metric)[wide])) for metric, name in NAMES.items() if metric != "gmean"}
    return Measured(
        {f"{name} spread over L = 30 to 300": value for name, value in spread.items()}, n=len(result.tables),
        note=f"tables: {len(result.tables)}; the learning rate follows 73/L",
    )


def measure_m6(settings: Settings) -> Measured:
    """F1 after training from N(0, s^2) weights; BCE's largest change from s = 0 over all s."""
    result = starts(settings)
    ours, bce = result.mean("fbeta"), result.mean("bce")
    return Measured({
        "AnyLoss F1, s = 3 minus s = 0": float(ours[-1] - ours[0]),
        "BCE moves by": float(np.abs(bce - bce[0]).max()),
    }, n=len(result.tables), note=f"AnyLoss {_listed(ours)}, BCE {_listed(bce)} at s = 0, .1, .5, 1, 3")


def measure_m7(settings: Settings) -> Measured:
    """All metrics on random batches in float64."""
    found = gradient_check(settings.seed)
    low, high = found.ratio
    return Measured({
        "largest error": found.error,
        "official G gradient / true one": bool(abs(low - 4) < 5e-4 and abs(high - 4) < 5e-4),
    }, note=f"ratio {low:.6f} to {high:.6f}")


def measure_m8(settings: Settings) -> Measured:
    """Means over four tables: F1 of AnyLoss-F1 minus BCE, and BA with n of the batch minus n of the training set."""
    nets = networks(settings)
    f1, balanced = nets.f1.mean(2), nets.balanced.mean(2)
    return Measured({
        "F1 gain": f1[1] - f1[0], "BA, n of the batch minus n of the training set": balanced[2] - balanced[3],
    }, n=settings.size.net_splits, note=f"F1 by table: AnyLoss {_listed(nets.f1[1].mean(0))}, "
                                        f"BCE {_listed(nets.f1[0].mean(0))}; all losses with batches of 5 %")


def measure_m9(settings: Settings) -> Measured:
    """Entries written and products' multiplications of one iteration; seconds are no part of a verdict."""
    return Measured({"operations per iteration, AnyLoss-F1 / BCE": operations_ratio()}, note="n = 10000, 3 columns")


def measure_m10(settings: Settings) -> Measured:
    """Not at laptop scale."""
    return Measured.not_tested("the authors' 102 tables are not available; KEEL tables stand in (M1)")


MEASURES = {
    "M1": measure_m1, "M2": measure_m2, "M3": measure_m3, "M4": measure_m4, "M5": measure_m5, "M6": measure_m6,
    "M7": measure_m7, "M8": measure_m8, "M9": measure_m9, "M10": measure_m10,
}


def measure(settings: Settings) -> dict[str, Measured]:
    """Every claim, by its fixed protocol."""
    return lesson.measure(CLAIMS, MEASURES, settings)


def point(settings: Settings) -> Point:
    """Every rule on the settings' table, trained on the settings' metric, and the plane."""
    target = (settings.metric, settings.beta if settings.metric == "fbeta" else 1.0)
    found = score(
        settings.table, settings.seed, 0, 1, targets=(target,), L=settings.L, iterations=settings.steps,
        start=settings.start,
    )[:, 0, 0]
    flat = plane(settings)
    scalars = dict(zip(RULES, found.tolist(), strict=True))
    return Point(scalars | {f"plane_{name}": float(value) for name, value in zip(flat.rules, flat.true, strict=True)})


def _listed(values: np.ndarray) -> str:
    return "/".join(f"{value:.3f}" for value in values)
