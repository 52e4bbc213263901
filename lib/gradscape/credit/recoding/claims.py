"""The claims of Ulmer (arXiv 2101.00674) and of this lesson about recoding, and how each is measured."""
from __future__ import annotations

import math

import torch

from gradscape.credit.recoding import experiments as ex
from gradscape.credit.recoding import training
from gradscape.credit.recoding.grammar import PAIRS
from gradscape.credit.recoding.model import LSTMLanguageModel
from gradscape.credit.recoding.recoder import Recoder
from gradscape.credit.recoding.settings import Settings
from gradscape.credit.recoding.signals import DETERMINISTIC
from gradscape.lesson import Claim, Measured, at_least, at_most, between, equals, every, is_true
from gradscape.lesson import measure as measure_claims

ROUNDING = 1e-9  # of the bound, in float64

CLAIMS = (
    Claim(
        "R1", "paper", "Recoding lowers the error signal that it descends.", where="official README, first figure",
        paper="lower at every word of the example", parts={
            "share of steps with a signal not larger (least over signals and α ≤ 0.5)": every(at_least(0.999)),
            "steps beyond the descent bound (surprisal, α = 1/L)": equals(0),
        },
    ),
    Claim(
        "R2", "paper", "Recoding with surprisal brings minuscule improvements at best.",
        where="official README and abstract; at test time, α = 0.5", paper="in words", parts={
            "|change of NLL|": every(at_most(0.003)),
        },
    ),
    Claim(
        "R3", "control", "The step size matters: large steps break the model.", where="at test time, surprisal, α = 5",
        parts={"change of NLL": every(at_least(0.05))},
    ),
    Claim(
        "R4", "paper", "Recoding with entropy makes predictions more confident, not more right.",
        where="official README; at test time, α = 2", paper="in words", parts={
            "change of entropy": every(at_most(-0.05)), "change of NLL": every(at_least(0.03)),
        },
    ),
    Claim(
        "R5", "control", "Scoring the prediction after a step that has seen the true word is a leak, not a gain.",
        where="surprisal, α = 0.5", parts={
            "change of NLL with the leak": every(at_most(-0.1)),
            "the library": is_true("refuses it unless asked for"),
        },
    ),
    Claim(
        "R6", "control", "The published code's surprisal pushes unexpected words further away.",
        where="official code; p^(-p) - 1, α = 0.5", parts={
            "share of steps where p falls (p < 1/e)": every(at_least(0.99)),
            "share of steps where p falls (p > 1/e)": every(at_most(0.01)),
        },
    ),
    Claim(
        "R7", "control", "The signal spikes where a garden path ends; recoding all words before does not repair it.",
        where="surprisal of the true word, α = 0.5", parts={
            **{f"garden path minus control ({kind})": every(at_least(2.0)) for kind in PAIRS},
            **{f"change by recoding ({kind})": every(between(-0.3, 0.02)) for kind in PAIRS},
        },
    ),
    Claim(
        "R8", "counter", "One recoding step lowers the signal at later words, too.",
        where="official README, second figure; here the mean over three later words",
        paper="about .25 to .22, one word",
        parts={"largest |mean change of -log p| over t0 = 1 to 4": every(at_most(0.005))},
    ),
    Claim(
        "R9", "report", "Trained with recoding, a model is only slightly better than the plain LSTM.",
        where="abstract; grammar, all ways equally tuned", paper="in words",
    ),
    Claim(
        "R10", "report", "The same on English prose, against the plain LSTM tuned as carefully.",
        where="abstract; Genesis and Exodus instead of the Penn Treebank", paper="in words",
    ),
)


def measure_r1(settings: Settings) -> Measured:
    """Deterministic signals at all step sizes up to 0.5, each word of each test sentence; and the bound."""
    shares = []
    for signal in DETERMINISTIC:
        swept = ex.sweep(settings, signal)
        small = (swept.alphas > 0) & (swept.alphas <= ex.SMALL)
        shares.append(swept.lowered[:, small].amin(1))
    bounds = [ex.guarantee(settings, r) for r in range(settings.size.seeds)]
    broken = sum(int((b.found > b.allowed + ROUNDING).sum()) for b in bounds)
    mc = ex.sampling(settings)
    return Measured({
        "share of steps with a signal not larger (least over signals and α ≤ 0.5)": torch.stack(shares).amin(0),
        "steps beyond the descent bound (surprisal, α = 1/L)": broken,
        **{f"MC entropy, α = 0.1, {name}": share for name, share in mc.items()},
    }, n=settings.size.seeds, note=f"1/L = {bounds[0].limit / 2:.3f}")


def measure_r2(settings: Settings) -> Measured:
    """NLL of the original output, every word recoded with the true word, minus the plain LSTM's."""
    swept = ex.sweep(settings, "surprisal")
    change = swept.change[:, swept.at(ex.ALPHA)]
    left = swept.exact - swept.nll[:, 0]
    return Measured({"|change of NLL|": change.abs(), "change of NLL": change,
                     "change that the grammar itself would bring": left}, n=settings.size.seeds)


def measure_r3(settings: Settings) -> Measured:
    """The same at α = 5."""
    swept = ex.sweep(settings, "surprisal")
    return Measured({"change of NLL": swept.change[:, swept.at(5.0)]}, n=settings.size.seeds)


def measure_r4(settings: Settings) -> Measured:
    """Entropy and NLL of the output decoded anew, minus the plain LSTM's."""
    swept = ex.sweep(settings, "entropy")
    at, small = swept.at(2.0), swept.at(ex.ALPHA)
    return Measured({
        "change of entropy": swept.entropy_change[:, at], "change of NLL": swept.change[:, at],
        "change of NLL at α = 0.5": swept.change[:, small],
        "entropy - NLL before": swept.entropy[:, 0] - swept.nll[:, 0],
    }, n=settings.size.seeds)


def measure_r5(settings: Settings) -> Measured:
    """NLL of the output decoded after the step, minus the plain LSTM's."""
    swept = ex.sweep(settings, "surprisal")
    try:
        Recoder(LSTMLanguageModel(3, 2, 2), "surprisal", redecode=True)
        refused = False
    except ValueError:
        refused = True
    return Measured({"change of NLL with the leak": swept.leak[:, swept.at(ex.ALPHA)], "the library": refused},
                    n=settings.size.seeds, note="invalid as a result: the output has seen the word it is scored on")


def measure_r6(settings: Settings) -> Measured:
    """The true word's probability after the step against before, on both sides of 1/e."""
    seen = ex.reversal(settings)
    return Measured({
        "share of steps where p falls (p < 1/e)": seen.share_falling(True),
        "share of steps where p falls (p > 1/e)": seen.share_falling(False),
    }, n=settings.size.seeds, note=f"{float((seen.before < 1 / math.e).double().mean()):.0%} of words have p < 1/e")


def measure_r7(settings: Settings) -> Measured:
    """Mean surprisal at the verb of garden paths and controls; all words before it recoded."""
    values: dict[str, torch.Tensor] = {}
    for kind in PAIRS:
        seen = ex.garden_paths(settings, kind)
        values[f"garden path minus control ({kind})"] = seen.spike
        values[f"change by recoding ({kind})"] = seen.repaired
    return Measured(values, n=settings.size.seeds, note=f"{settings.size.pairs} pairs of each kind")


def measure_r8(settings: Settings) -> Measured:
    """Mean over three later words for each t0; the largest in size of the four."""
    seen = ex.once(settings)
    change = seen.change[:, :, 1:].mean(-1)
    return Measured({
        "largest |mean change of -log p| over t0 = 1 to 4": change.abs().amax(1),
        **{f"mean change, t0 = {t0}": change[:, k] for k, t0 in enumerate(ex.T0)},
        "largest |change| at a single later word": seen.change[:, :, 1:].abs().flatten(1).amax(1),
        "share of later words improved": seen.improved.flatten(1).mean(1),
    }, n=settings.size.seeds)


def measure_r9(settings: Settings) -> Measured:
    """Mean test perplexity over that of the plain LSTM, each way at its best of three learning rates."""
    if not settings.size.ways:
        return Measured.not_tested("thirty trainings and more belong to the profile full")
    result = training.trained_ways(settings)
    ratio = (result.test / result.test[0]).mean(1) - 1
    values = {"plain LSTM, perplexity": float(result.test[0].mean()), "grammar, perplexity": float(result.exact.mean())}
    values |= {f"{way.name}, relative": float(r) for way, r in zip(result.ways[1:], ratio[1:], strict=True)}
    return Measured(values, n=settings.size.ways)


def measure_r10(settings: Settings) -> Measured:
    """Test perplexities; α at test time and learning rates chosen on other chapters."""
    result = training.on_prose(settings)
    values = {f"{way.name}, trained": float(row.mean()) for way, row in zip(result.ways, result.test, strict=True)}
    for k, signal in enumerate(training.PROSE_SIGNALS):
        alpha = float(result.alphas[result.chosen(signal)])
        values[f"{signal} at test time, α = {alpha:g} chosen"] = result.tuned(signal)
        values[f"{signal} at test time, α = 5"] = float(result.swept[k, -1])
    values["entropy - NLL of the plain LSTM"] = float(result.entropy[0, 0] - result.swept[0, 0].log())
    return Measured(values, n=settings.size.prose_seeds,
                    note=f"perplexity of {result.words} test tokens, {result.unknown:.0%} unknown")


MEASURES = {
    "R1": measure_r1, "R2": measure_r2, "R3": measure_r3, "R4": measure_r4, "R5": measure_r5, "R6": measure_r6,
    "R7": measure_r7, "R8": measure_r8, "R9": measure_r9, "R10": measure_r10,
}


def measure(settings: Settings) -> dict[str, Measured]:
    """Every claim, by its fixed protocol."""
    return measure_claims(CLAIMS, MEASURES, settings)
