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

CLAIMS = (
    Claim(
        "H1", "paper", "Random matrix theory predicts generalization and training error at every training time.",
        where="linear student, Fig. 2", parts={
            "E_g, mean of runs: largest relative gap": at_most(0.09),
            "E_g, one spectrum: largest relative gap": at_most(0.04),
            "E_t, mean of runs: largest gap": at_most(0.15),
        },
    ),
    Claim(
        "H2", "paper", "Overtraining is worst when there are as many examples as weights; smaller and larger nets "
        "overtrain less.", where="abstract, Fig. 2", paper="worst at α = 1", parts={
            "grid steps between the worst α and 1": at_most(1),
            "simulated at α = 1 over the larger of α = ¼ and 4": at_least(5),
        },
    ),
    Claim(
        "H3", "paper", "The best stopping time grows about logarithmically with the signal-to-noise ratio (at loads "
        "with an eigengap).", where="early stopping", paper="about logarithmic", parts={
            "α = ½: last increment over ln 2/λ₋": within(1, 0.12),
            "α = ½: increments": is_true("never fall"),
            "α = 2: last increment over ln 2/λ₋": within(1, 0.12),
            "α = 2: increments": is_true("never fall"),
        },
    ),
    Claim(
        "H3b", "control", "Where the logarithm ends: without an eigengap (α = 1) the best stopping time grows in "
        "proportion to the signal-to-noise ratio.", where="early stopping; our own limit", parts={
            "t_opt(2¹⁰)/t_opt(2⁹)": between(1.95, 2.05),
        },
    ),
    Claim(
        "H4", "paper", "Early stopping is nearly as good as the optimal L2 penalty.", where="early stopping",
        paper="nearly", parts={"largest ratio": between(1, 1.04), "smallest ratio": between(1, 1.04)},
    ),
    Claim(
        "H5", "paper", "Large initial weights hurt for ever when there are fewer examples than weights, and not "
        "otherwise.", where="abstract; frozen subspace", parts={
            "rise at α = ½": at_least(0.3),
            "rise at α = 4": at_most(0.02),
        },
    ),
    Claim(
        "H6", "paper", "Nonlinear students do the same: intermediate widths overtrain most, large nets little.",
        where="abstract; nonlinear networks", parts={
            "(a) worst N_h over P": equals(1),
            "(a) peak over N_h = P/2": at_least(3),
            "(a) peak over N_h = 10 P": at_least(3),
            "(b) N_h = 48 over the worst": at_most(0.75),
            "(b) N_h = 2 over the worst": at_most(0.4),
        },
    ),
    Claim(
        "H7", "paper", "The same holds on real images.", where="abstract; image experiments", parts={
            "final error rate, N_h = P over 8 P": at_least(1.3),
            "early-stopped error rate, N_h = 8 P over P/4": at_most(1),
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
        "E_g, mean of runs: largest relative gap": float(gen.max()),
        "E_g, one spectrum: largest relative gap": float(single.max()),
        "E_t, mean of runs: largest gap": float(train.max()),
    }, n=curves.gen.shape[1])


def measure_h2(settings: Settings) -> Measured:
    """Where the theory's overtraining at t = 100 peaks, and how far the simulated peak stands out."""
    table, curves = ex.overtraining_map(settings), ex.learning_curves(settings)
    worst, one = int(table.at_long.argmax()), int((table.alphas - 1).abs().argmin())
    mean = curves.gen.mean(1)
    excess = dict(zip(curves.alphas, (mean[:, -1] - mean.amin(-1)).tolist(), strict=True))
    return Measured({
        "grid steps between the worst α and 1": abs(worst - one),
        "simulated at α = 1 over the larger of α = ¼ and 4": ratio(excess[1.0], max(excess[0.25], excess[4.0])),
        "theory at α = 1": float(table.at_long[one]),
    }, n=curves.gen.shape[1])


def measure_h3(settings: Settings) -> Measured:
    """Increments of the best time per doubling of SNR, in units of their logarithmic limit."""
    times, values = ex.stopping_times(settings), {}
    for alpha, label in ((0.5, "½"), (2.0, "2")):
        steps = times.increments[times.alphas.index(alpha)]
        values[f"α = {label}: last increment over ln 2/λ₋"] = float(steps[-1]) / (math.log(2) / mp_support(alpha)[0])
        values[f"α = {label}: increments"] = bool((steps.diff() >= 0).all())
    return Measured(values)


def measure_h3b(settings: Settings) -> Measured:
    """The last doubling of SNR at alpha = 1."""
    times = ex.stopping_times(settings)
    t = times.t[times.alphas.index(1.0)]
    return Measured({"t_opt(2¹⁰)/t_opt(2⁹)": float(t[-1] / t[-2]), "t_opt over SNR": float(t[-1] / times.snrs[-1])})


def measure_h4(settings: Settings) -> Measured:
    """Extremes of the error ratio over SNR and load."""
    ratio = ex.ridge_comparison(settings).ratio
    return Measured({"largest ratio": float(ratio.max()), "smallest ratio": float(ratio.min())})


def measure_h5(settings: Settings) -> Measured:
    """What INR 5 adds to the mean error at t = 50."""
    result = ex.initial_weights(settings)
    difference = result.gen[:, 1, :, -1] - result.gen[:, 0, :, -1]
    runs = difference.shape[1]
    error = difference.std(1) / math.sqrt(runs) if runs > 1 else torch.full((2,), math.nan)
    names = ("rise at α = ½", "rise at α = 4")
    return Measured(dict(zip(names, result.rise.tolist(), strict=True)),
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
        "(a) worst N_h over P": features.widths[int(final.argmax())] / P,
        "(a) peak over N_h = P/2": float(final.max()) / at_width(features, final, P / 2),
        "(a) peak over N_h = 10 P": float(final.max()) / at_width(features, final, 10 * P),
        "(b) N_h = 48 over the worst": ratio(at_width(nets, over, 48), float(over.max())),
        "(b) N_h = 2 over the worst": ratio(at_width(nets, over, 2), float(over.max())),
        "(b) worst N_h": nets.widths[int(over.argmax())],
    }, n=features.test.shape[1], note=f"medians over {features.test.shape[1]} (a) and {nets.test.shape[1]} (b) data "
       "sets, because errors at the peak have heavy tails")


def measure_h7(settings: Settings) -> Measured:
    """Medians over draws of images: error rates after training for ever, and at the best time."""
    curves, P = ex.image_students(settings), settings.size.image_examples
    assert curves.error_rate is not None  # parities are ±1
    final, best = curves.error_rate[..., -1].median(1).values, curves.error_rate.amin(-1).median(1).values
    return Measured({
        "final error rate, N_h = P over 8 P": at_width(curves, final, P) / at_width(curves, final, 8 * P),
        "early-stopped error rate, N_h = 8 P over P/4": at_width(curves, best, 8 * P) / at_width(curves, best, P / 4),
        "final error rate at N_h = P": at_width(curves, final, P),
    }, n=curves.test.shape[1], note="medians; early stopping reads the best time off the test images")


MEASURES = {
    "H1": measure_h1, "H2": measure_h2, "H3": measure_h3, "H3b": measure_h3b, "H4": measure_h4, "H5": measure_h5,
    "H6": measure_h6, "H7": measure_h7,
}


def measure(settings: Settings) -> dict[str, Measured]:
    """Measure every claim by its fixed protocol."""
    return measure_claims(CLAIMS, MEASURES, settings)
