"""Experiments on the grammar: sweeps of the step size, garden paths, one step and what follows.

Change always means: with recoding minus without, on the same sentences and weights, in nats per word.
"""
from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from gradscape.credit.recoding.grammar import (
    PAIRS,
    PATTERNS,
    Encoded,
    Vocabulary,
    exact_surprisal,
    garden_path_corpus,
    sentence,
    stimulus_pairs,
)
from gradscape.credit.recoding.model import LSTMLanguageModel, Progress, Recipe
from gradscape.credit.recoding.recoder import Recoder, RecodingTrace, StepSize
from gradscape.credit.recoding.settings import Settings
from gradscape.credit.recoding.signals import curvature, error_signal_grad
from gradscape.lesson import Point, cached, protocol, replicate_seed

ALPHAS = (0.0, 0.01, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
ALPHA = 0.5  # of everything that is not swept
SMALL = 0.5  # up to here a step is small (R1)
SLACK = 1e-6  # what counts as not larger
TEST, STIMULI = 1000, 2000  # replicates from here on draw test sentences and pairs
T0, LATER = (1, 2, 3, 4), 3  # words after which the one step is taken, and words after it that are looked at
MC_SENTENCES = 200


@dataclass(frozen=True)
class Language:
    """A trained model (``model``; ``twin`` in float64) and its test sentences with the grammar's own NLL (B, T)."""

    model: LSTMLanguageModel
    twin: LSTMLanguageModel
    vocab: Vocabulary
    test: Encoded
    exact: Tensor
    losses: tuple[float, ...]


def exact_nll(sentences: list[list[str]]) -> Tensor:
    """Exact surprisal of every word (B, T), NaN past the end."""
    found = torch.full((len(sentences), max(map(len, sentences))), math.nan, dtype=torch.float64)
    for row, words in enumerate(sentences):
        found[row, : len(words)] = torch.from_numpy(exact_surprisal(words))
    return found


@protocol
def language(settings: Settings, replicate: int = 0, *, progress: Progress | None = None) -> Language:
    """The plain LSTM of one replicate."""
    size, vocab = settings.size, Vocabulary.of_grammar()
    seed = replicate_seed(settings.seed, replicate)
    model = LSTMLanguageModel(vocab, seed=seed)
    losses = model.fit(vocab.encode(garden_path_corpus(size.train, seed)), Recipe(epochs=size.epochs), seed=seed,
                       progress=progress)
    sentences = garden_path_corpus(size.test, replicate_seed(settings.seed, TEST + replicate))
    return Language(model, model.in_double(), vocab, vocab.encode(sentences), exact_nll(sentences), tuple(losses))


def languages(settings: Settings) -> list[Language]:
    """The plain LSTM of every replicate."""
    return [language(settings, replicate) for replicate in range(settings.size.seeds)]


@dataclass(frozen=True)
class Sweep:
    """Means over words for each replicate and step size, (S, A); ``leaky``: the true word's after the step."""

    signal: str
    alphas: Tensor
    nll: Tensor
    leaky: Tensor
    entropy: Tensor
    lowered: Tensor  # share of steps whose signal is not larger after the step
    exact: Tensor  # (S,), the grammar's own

    @property
    def change(self) -> Tensor:
        """Honest NLL minus that without recoding."""
        return self.nll - self.nll[:, :1]

    @property
    def leak(self) -> Tensor:
        """The same, scored after the step with the true word."""
        return self.leaky - self.nll[:, :1]

    @property
    def entropy_change(self) -> Tensor:
        """Entropy of the output that counts, minus that without recoding."""
        return self.entropy - self.entropy[:, :1]

    def at(self, alpha: float) -> int:
        """The column of a step size."""
        return int((self.alphas - alpha).abs().argmin())


def swept(model: LSTMLanguageModel, signal: str, alphas: Tensor, data: Encoded) -> list[Tensor]:
    """NLL, leaky NLL, entropy and share of lowered signals over step sizes, each (A,): copies side by side."""
    rows = StepSize(value=alphas.repeat_interleave(len(data)))
    trace = Recoder(model, signal, rows).run(data.x.repeat(len(alphas), 1), data.y.repeat(len(alphas), 1))
    kept = data.mask.repeat(len(alphas), 1)
    lowered = (trace.delta_after <= trace.delta + SLACK).to(trace.nll.dtype).masked_fill(~kept, math.nan)
    parts = (trace.nll, -trace.logp_gold_after, trace.entropy, lowered)
    return [part.unflatten(0, (len(alphas), len(data))).flatten(1).nanmean(1) for part in parts]


@protocol
def sweep(settings: Settings, signal: str, *, progress: Progress | None = None) -> Sweep:
    """Step sizes from 0 to 10 at test time, all words recoded."""
    alphas = torch.tensor(ALPHAS, dtype=torch.float64)
    known = languages(settings)
    parts = [swept(one.twin, signal, alphas, one.test) for one in known]
    exact = torch.stack([one.exact.nanmean() for one in known])
    nll, leaky, entropy, lowered = (torch.stack(part) for part in zip(*parts, strict=True))
    return Sweep(signal, alphas, nll, leaky, entropy, lowered, exact)


@dataclass(frozen=True)
class Guarantee:
    """The descent bound at each step of α = 1/L: what it allows and what was found, (N,); ``limit`` is 2/L."""

    limit: float
    allowed: Tensor
    found: Tensor


@protocol
def guarantee(settings: Settings, replicate: int = 0, *, progress: Progress | None = None) -> Guarantee:
    """Surprisal after a step of α = 1/L beside the bound ``δ - α (1 - αL/2) ‖g‖²``."""
    one = language(settings, replicate)
    W = one.twin.decoder.weight
    L, kept = curvature(W), one.test.mask
    trace = Recoder(one.twin, "surprisal", StepSize(value=1 / L)).run(one.test.x, one.test.y, keep=True)
    assert trace.before is not None
    g = error_signal_grad("surprisal", trace.before[kept].log(), W, one.test.y[kept])
    allowed = trace.delta[kept] - 0.5 / L * g.square().sum(-1)
    return Guarantee(2 / L, allowed, trace.delta_after[kept])


@protocol
def sampling(settings: Settings, *, progress: Progress | None = None) -> dict[str, float]:
    """Share of steps of α = 0.1 that lower the MC entropy, read with the same dropout masks and with fresh ones."""
    one = language(settings)
    data, shares = one.test.take(torch.arange(min(MC_SENTENCES, len(one.test)))), {}
    for name, fresh in (("same masks", False), ("fresh masks", True)):
        trace = Recoder(one.twin, "entropy_mc", StepSize(value=0.1), fresh=fresh).run(
            data.x, data.y, seed=settings.seed)
        lowered = trace.delta_after <= trace.delta + SLACK
        shares[name] = float(lowered[data.mask].double().mean())
    return shares


@dataclass(frozen=True)
class Reversal:
    """Probability of the true word before and after a step, (N,) for each replicate in a row."""

    before: Tensor
    after: Tensor
    replicate: Tensor

    def share_falling(self, unexpected: bool) -> list[float]:
        """Share of steps where it falls, for words with p < 1/e or p > 1/e, per replicate."""
        side = (self.before < 1 / math.e) if unexpected else (self.before > 1 / math.e)
        falls = self.after < self.before
        return [float(falls[side & (self.replicate == r)].double().mean())
                for r in range(int(self.replicate.max()) + 1)]


@protocol
def reversal(settings: Settings, *, progress: Progress | None = None) -> Reversal:
    """The published code's signal, α = 0.5: what happens to the true word's probability."""
    rows = []
    for r, one in enumerate(languages(settings)):
        trace = Recoder(one.twin, "surprisal_thesis", StepSize(value=ALPHA)).run(one.test.x, one.test.y)
        before, after = (part[one.test.mask].exp() for part in (trace.logp_gold, trace.logp_gold_after))
        rows.append((before, after, torch.full_like(before, r, dtype=torch.int64)))
    return Reversal(*(torch.cat(part) for part in zip(*rows, strict=True)))


@dataclass(frozen=True)
class GardenPaths:
    """Mean surprisal word by word: garden path plain and recoded, and control plain, (S, T) or (S, T'); exact ones."""

    kind: str
    words: list[str]
    control_words: list[str]
    at: int
    at_control: int
    plain: Tensor
    recoded: Tensor
    control: Tensor
    exact: Tensor
    exact_control: Tensor

    @property
    def spike(self) -> Tensor:
        """Surprisal at the verb minus that in the control, (S,)."""
        return self.plain[:, self.at] - self.control[:, self.at_control]

    @property
    def repaired(self) -> Tensor:
        """Change at the verb when all words before it were recoded, (S,)."""
        return self.recoded[:, self.at] - self.plain[:, self.at]


@protocol
def garden_paths(settings: Settings, kind: str, *, progress: Progress | None = None) -> GardenPaths:
    """Surprisal at the verb that decides, and what recoding every earlier word (α = 0.5, true word) does to it."""
    rows = []
    for r, one in enumerate(languages(settings)):
        seed = replicate_seed(settings.seed, STIMULI + r)
        garden, control, at, at_control = stimulus_pairs(kind, settings.size.pairs, seed)
        g, c = one.vocab.encode(garden), one.vocab.encode(control)
        trace = Recoder(one.twin, "surprisal", StepSize(value=ALPHA)).run(g.x, g.y, range(at))
        rows.append([one.twin.nll(g).mean(0), trace.nll.mean(0), one.twin.nll(c).mean(0)])
    plain, recoded, other = (torch.stack(part) for part in zip(*rows, strict=True))
    control_kind = PAIRS[kind][0]
    return GardenPaths(kind, PATTERNS[kind].split(), PATTERNS[control_kind].split(), at, at_control, plain, recoded,
                       other, exact_nll(garden).mean(0), exact_nll(control).mean(0))


@dataclass(frozen=True)
class Once:
    """One step after word t0: mean change of ``-log p`` (S, T0, 1 + LATER), first at t0 itself, decoded anew (a leak).

    ``improved`` (S, T0, LATER): share of the later words whose probability rose.
    """

    change: Tensor
    improved: Tensor


@protocol
def once(settings: Settings, *, progress: Progress | None = None) -> Once:
    """Recode one word only (surprisal, true word, α = 0.5) and look at the words after it."""
    changes, improved = [], []
    for one in languages(settings):
        recoder, base = Recoder(one.twin, "surprisal", StepSize(value=ALPHA)), one.twin.nll(one.test)
        for t0 in T0:
            trace = recoder.run(one.test.x, one.test.y, {t0})
            moved = trace.nll - base
            now = (trace.logp_gold - trace.logp_gold_after)[:, t0].nanmean()
            later = [moved[:, t0 + k] for k in range(1, LATER + 1)]
            changes.append(torch.stack([now, *(part.nanmean() for part in later)]))
            improved.append(torch.stack([(part[~part.isnan()] < 0).double().mean() for part in later]))
    shape = (settings.size.seeds, len(T0))
    return Once(torch.stack(changes).unflatten(0, shape), torch.stack(improved).unflatten(0, shape))


@dataclass(frozen=True)
class SentenceResult:
    """One sentence read with recoding, and without: the trace, the plain NLL and the exact surprisal (T,)."""

    settings: Settings
    words: list[str]
    trace: RecodingTrace
    plain: Tensor
    exact: Tensor
    vocab: tuple[str, ...]
    recoded: tuple[int, ...]


def verb_of(kind: str) -> int:
    """The place of the word that decides: the main verb where there is one, else the last word."""
    words = PATTERNS[kind].replace("PP", "P1 P2 P3").split()
    return words.index("MV") if "MV" in words else len(words) - 1


@cached
def one_sentence(settings: Settings, *, progress: Progress | None = None) -> SentenceResult:
    """The sentence that the settings name, recoded where they say."""
    one = language(settings)
    words = sentence(settings.kind, np.random.default_rng([settings.seed, settings.number]))
    data = one.vocab.encode([words])
    places = {"every word": range(len(words)), "before the verb": range(verb_of(settings.kind)),
              "one word": range(settings.t0, settings.t0 + 1)}[settings.where]
    recoder = Recoder(one.twin, settings.signal, StepSize(value=settings.alpha), target=settings.target)
    trace = recoder.run(data.x, data.y, places, keep=True)
    return SentenceResult(settings, words, trace, one.twin.nll(data)[0], exact_nll([words])[0], one.vocab.words,
                          tuple(t for t in places if t < len(words)))


@cached
def at_values(settings: Settings, *, progress: Progress | None = None) -> dict[str, float]:
    """Means over the test sentences at the settings' signal, step size and target."""
    one = language(settings)
    step = StepSize(value=settings.alpha)
    trace = Recoder(one.twin, settings.signal, step, target=settings.target).run(one.test.x, one.test.y)
    base = one.twin.nll(one.test)
    lowered = (trace.delta_after <= trace.delta + SLACK)[one.test.mask]
    return {
        "nll": float(trace.nll.nanmean()), "nll_change": float((trace.nll - base).nanmean()),
        "leaky_nll_change": float((-trace.logp_gold_after - base).nanmean()), "entropy": float(trace.entropy.nanmean()),
        "share_lowered": float(lowered.double().mean()), "nll_exact": float(one.exact.nanmean()),
        "step_limit": 2 / curvature(one.twin.decoder.weight),
    }


def point(settings: Settings) -> Point:
    """What recoding at the settings' signal and step size does to the test sentences, and to the one sentence."""
    seen = one_sentence(settings)
    verb = min(verb_of(settings.kind), len(seen.words) - 1)
    return Point({
        **at_values(settings), "verb_surprisal": float(seen.trace.nll[0, verb]),
        "verb_surprisal_plain": float(seen.plain[verb]), "verb_surprisal_exact": float(seen.exact[verb]),
    })


