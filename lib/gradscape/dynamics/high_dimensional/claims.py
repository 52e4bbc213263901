"""The claims of Advani & Saxe (arXiv 1710.03667) and how each is measured."""
from __future__ import annotations

import math

import torch

from gradscape.dynamics.high_dimensional import experiments as ex
from gradscape.dynamics.high_dimensional.features import Curves
from gradscape.dynamics.high_dimensional.settings import Settings
from gradscape.lesson import Claim, Measured, at_least, at_most, between, equals, is_true, within
from gradscape.lesson import measure as measure_claims
from gradscape.numerics.rmt import mp_support

DIGITS = 12  # differences of two errors below this are rounding of sums of order 1

CLAIMS = (
    Claim(
        "H1", "paper", "Random matrix theory predicts generalization and training error at every training time.",
        where="linear student, Fig. 2", parts={
            "relative gap in E_g (mean of runs)": at_most(0.09),
            "relative gap in E_g (one spectrum)": at_most(0.04),
            "gap in E_t (mean of runs)": at_most(0.15),
        },
    ),
    Claim(
        "H2", "paper", "Overtraining is worst when there are as many examples as weights; smaller and larger nets "
        "overtrain less.", where="abstract, Fig. 2", paper="worst at α = 1", parts={
            "grid steps off α = 1 (theory)": at_most(1),
            "ratio to α = ¼ and 4 (simulated)": at_least(5),
        },
    ),
    Claim(
        "H3", "paper", "The best stopping time grows about logarithmically with the signal-to-noise ratio (at loads "
        "with an eigengap).", where="early stopping", paper="about logarithmic", parts={
            "last step over ln 2/λ₋ (α = ½)": within(1, 0.12),
            "steps (α = ½)": is_true("never fall"),
            "last step over ln 2/λ₋ (α = 2)": within(1, 0.12),
            "steps (α = 2)": is_true("never fall"),
        },
    ),
    Claim(
        "H3b", "control", "Where the logarithm ends: without an eigengap (α = 1) the best stopping time grows in "
        "proportion to the signal-to-noise ratio.", where="early stopping; our own limit", parts={
            "ratio (last doubling)": between(1.95, 2.05),
        },
    ),
    Claim(
        "H4", "paper", "Early stopping is nearly as good as the optimal L2 penalty.", where="early stopping",
        paper="nearly", parts={"largest ratio": between(1, 1.04), "smallest ratio": between(1, 1.04)},
    ),
    Claim(
        "H5", "paper", "Large initial weights hurt for ever when there are fewer examples than weights, and not "
        "otherwise.", where="abstract; frozen subspace", parts={
            "rise of E_g (α = ½)": at_least(0.3),
            "rise of E_g (α = 4)": at_most(0.02),
        },
    ),
    Claim(
        "H6", "paper", "Nonlinear students do the same: intermediate widths overtrain most, large nets little.",
        where="abstract; nonlinear networks", parts={
            "worst width over P (a)": equals(1),
            "peak over width P/2 (a)": at_least(3),
            "peak over width 10 P (a)": at_least(3),
            "width 48 over the worst (b)": at_most(0.75),
            "width 2 over the worst (b)": at_most(0.4),
        },
    ),
    Claim(
        "H7", "paper", "The same holds on real images.", where="abstract; image experiments", parts={
            "width P over 8 P (final error rates)": at_least(1.3),
            "width 8 P over P/4 (early-stopped error rates)": at_most(1),
        },
    ),
)


def measure_h1(settings: Settings) -> Measured:
    """Largest gaps between theory and simulation over times up to 100 and over the loads."""
    curves = ex.learning_curves(settings)
    gen = ((curves.gen.mean(1) - curves.theory_gen).abs() / curves.theory_gen).amax(-1)
    train = (curves.train.mean(1) - curves.theory_train).abs().amax(-1)
    theory = torch.stack([curves.theory_at(alpha) for alpha in curves.spectrum_alphas])
    single = ((curves.spectrum_gen - theory).abs() / theory).amax(-1)
    return Measured({
        "relative gap in E_g (mean of runs)": float(gen.max()),
        "relative gap in E_g (one spectrum)": float(single.max()),
        "gap in E_t (mean of runs)": float(train.max()),
    }, n=curves.gen.shape[1])


def measure_h2(settings: Settings) -> Measured:
    """Where the theory's overtraining at t = 100 peaks, and how far the simulated peak stands out."""
    table, curves = ex.overtraining_map(settings), ex.learning_curves(settings)
    worst, one = int(table.at_long.argmax()), int((table.alphas - 1).abs().argmin())
    mean = curves.gen.mean(1)
    excess = dict(zip(curves.alphas, (mean[:, -1] - mean.amin(-1)).tolist(), strict=True))
    return Measured({
        "grid steps off α = 1 (theory)": abs(worst - one),
        "ratio to α = ¼ and 4 (simulated)": ratio(excess[1.0], max(excess[0.25], excess[4.0])),
        "peak (theory)": float(table.at_long[one]),
    }, n=curves.gen.shape[1])


def measure_h3(settings: Settings) -> Measured:
    """Increments of the best time per doubling of SNR, in units of their logarithmic limit."""
    times, values = ex.stopping_times(settings), {}
    for alpha, label in ((0.5, "½"), (2.0, "2")):
        steps = times.increments[times.alphas.index(alpha)]
        values[f"last step over ln 2/λ₋ (α = {label})"] = float(steps[-1]) / (math.log(2) / mp_support(alpha)[0])
        values[f"steps (α = {label})"] = bool((steps.diff() >= 0).all())
    return Measured(values)


def measure_h3b(settings: Settings) -> Measured:
    """The last doubling of SNR at alpha = 1."""
    times = ex.stopping_times(settings)
    t = times.t[times.alphas.index(1.0)]
    return Measured({
        "ratio (last doubling)": float(t[-1] / t[-2]),
        "t_opt over SNR (largest)": float(t[-1] / times.snrs[-1]),
    })


def measure_h4(settings: Settings) -> Measured:
    """Extremes of the error ratio over SNR and load."""
    ratio = ex.ridge_comparison(settings).ratio
    return Measured({"largest ratio": float(ratio.max()), "smallest ratio": float(ratio.min())})


def measure_h5(settings: Settings) -> Measured:
    """What INR 5 adds to the mean error at t = 50."""
    result = ex.initial_weights(settings)
    difference = (result.gen[:, 1, :, -1] - result.gen[:, 0, :, -1]).round(decimals=DIGITS)
    runs = difference.shape[1]
    error = difference.std(1) / math.sqrt(runs) if runs > 1 else torch.full((2,), math.nan)
    names = ("rise of E_g (α = ½)", "rise of E_g (α = 4)")
    return Measured(dict(zip(names, difference.mean(1).tolist(), strict=True)),
                    spread=dict(zip(names, error.tolist(), strict=True)), n=runs)


def at_width(curves: Curves, values: torch.Tensor, width: float) -> float:
    """The entry of ``values`` (W,) at the width nearest to ``width``."""
    return float(values[min(range(len(curves.widths)), key=lambda w: abs(curves.widths[w] - width))])


def ratio(value: float, reference: float) -> float:
    """``value / reference``; NaN where the reference vanishes (sizes too small to overtrain at all)."""
    return value / reference if reference else math.nan


def measure_h6(settings: Settings) -> Measured:
    """Medians over data sets: final error of random features, overtraining of two trained layers."""
    features, nets, P = ex.feature_students(settings), ex.two_layer_students(settings), settings.size.feature_examples
    final = features.test[..., -1].median(1).values
    over = nets.overtraining.median(1).values
    return Measured({
        "worst width over P (a)": features.widths[int(final.argmax())] / P,
        "peak over width P/2 (a)": float(final.max()) / at_width(features, final, P / 2),
        "peak over width 10 P (a)": float(final.max()) / at_width(features, final, 10 * P),
        "width 48 over the worst (b)": ratio(at_width(nets, over, 48), float(over.max())),
        "width 2 over the worst (b)": ratio(at_width(nets, over, 2), float(over.max())),
        "worst width (b)": nets.widths[int(over.argmax())],
    }, n=features.test.shape[1], note=f"medians over {features.test.shape[1]} (a) and {nets.test.shape[1]} (b) data "
       "sets, because errors at the peak have heavy tails")


def measure_h7(settings: Settings) -> Measured:
    """Medians over draws of images: error rates after training for ever, and at the best time."""
    curves, P = ex.image_students(settings), settings.size.image_examples
    assert curves.error_rate is not None  # parities are ±1
    final, best = curves.error_rate[..., -1].median(1).values, curves.error_rate.amin(-1).median(1).values
    return Measured({
        "width P over 8 P (final error rates)": at_width(curves, final, P) / at_width(curves, final, 8 * P),
        "width 8 P over P/4 (early-stopped error rates)": at_width(curves, best, 8 * P) / at_width(curves, best, P / 4),
        "final error rate (width P)": at_width(curves, final, P),
    }, n=curves.test.shape[1], note="medians; early stopping reads the best time off the test images")


MEASURES = {
    "H1": measure_h1, "H2": measure_h2, "H3": measure_h3, "H3b": measure_h3b, "H4": measure_h4, "H5": measure_h5,
    "H6": measure_h6, "H7": measure_h7,
}


def measure(settings: Settings) -> dict[str, Measured]:
    """Measure every claim by its fixed protocol."""
    return measure_claims(CLAIMS, MEASURES, settings)
