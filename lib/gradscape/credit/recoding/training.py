"""Training with recoding in the loop beside the plain LSTM, equally tuned: on the grammar, and on English prose."""
from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from gradscape.credit.recoding.experiments import TEST, exact_nll, swept
from gradscape.credit.recoding.grammar import Encoded, Vocabulary, garden_path_corpus
from gradscape.credit.recoding.model import LSTMLanguageModel, Progress, Recipe, train
from gradscape.credit.recoding.recoder import Recoder, StepSize
from gradscape.credit.recoding.settings import Settings
from gradscape.credit.recoding.signals import AnchoredEnsembleDecoder
from gradscape.datasets import text
from gradscape.lesson import protocol, replicate_seed, seeds_of

RATES = (5e-3, 1e-2, 2e-2)  # learning rates tried for every way of training on the grammar
VALIDATION = 3000  # replicates from here on draw validation sentences
PIECE = 40  # tokens to which verses are cut
PROSE_RATES = (2e-2, 4e-2, 8e-2, 1.6e-1)  # learning rates tried for every way of training on prose
PROSE_BATCH = 50
PROSE_ALPHAS = (0.0, 0.05, 0.1, 0.2, 0.5, 1.0, 5.0)
PROSE_SIGNALS = ("surprisal", "entropy")


@dataclass(frozen=True)
class Way:
    """One way of training on the grammar: signal ("" for the plain LSTM), step size and what it looks at."""

    name: str
    signal: str = ""
    alpha: float = 0.0
    step: str = "fixed"
    target: str = "gold"


WAYS = (
    Way("plain LSTM"),
    Way("surprisal, α = 0.5", "surprisal", 0.5),
    Way("surprisal, argmax in training", "surprisal", 0.5, target="argmax"),
    Way("published surprisal, α = 5, argmax in training", "surprisal_thesis", 5.0, target="argmax"),
    Way("entropy, α = 0.1", "entropy", 0.1),
    Way("entropy, α = 0.5", "entropy", 0.5),
    Way("entropy, learned α", "entropy", 0.1, "learned"),
    Way("entropy, α from a network", "entropy", 0.1, "mlp"),
    Way("MC entropy, α = 0.001", "entropy_mc", 0.001),
    Way("ensemble entropy, α = 0.001", "entropy_ensemble", 0.001),
)


@dataclass(frozen=True)
class WaysResult:
    """Perplexities: validation (W, R) of ways and learning rates, test (W, S) at the best, the grammar's own (S,)."""

    ways: tuple[Way, ...]
    validation: Tensor
    test: Tensor
    exact: Tensor


def taught(way: Way, vocab: Vocabulary, data: Encoded, recipe: Recipe, seed: int) -> Recoder | LSTMLanguageModel:
    """A model trained one way; surprisals are read with the true word at test time."""
    model = LSTMLanguageModel(vocab, seed=seed)
    if not way.signal:
        train(model, data, recipe, seed=seed)
        return model
    ensemble = None
    if way.signal == "entropy_ensemble":
        ensemble = AnchoredEnsembleDecoder(model.hidden, len(vocab), seed=seed % 2**31)
    recoder = Recoder(model, way.signal, StepSize(way.step, way.alpha, model.hidden, seed=seed % 2**31),
                      target=way.target, ensemble=ensemble)
    train(model, data, recipe, seed=seed, recoder=recoder)
    recoder.target = "gold"
    return recoder


def perplexity_of(made: Recoder | LSTMLanguageModel, data: Encoded) -> float:
    """Perplexity of the outputs that count."""
    nll = made.nll(data) if isinstance(made, LSTMLanguageModel) else made.run(data.x, data.y).nll
    return math.exp(float(nll.double().nanmean()))


@protocol
def trained_ways(settings: Settings, *, progress: Progress | None = None) -> WaysResult:
    """Every way of :data:`WAYS`, each at the learning rate that validates best for it (replicate 0); needs ``full``."""
    size, vocab = settings.size, Vocabulary.of_grammar()
    if not size.ways:
        raise ValueError("ways=0: models trained with recoding belong to the profile full")
    seeds = seeds_of(settings, size.ways)
    sets = [vocab.encode(garden_path_corpus(size.ways_train, seed)) for seed in seeds]
    validation = vocab.encode(garden_path_corpus(size.test, replicate_seed(settings.seed, VALIDATION)))
    tests = [garden_path_corpus(size.test, replicate_seed(settings.seed, TEST + r)) for r in range(size.ways)]
    tuned, found = [], []
    total = len(WAYS) * (len(RATES) + size.ways - 1)
    done = 0
    for way in WAYS:
        made: list[Recoder | LSTMLanguageModel] = []
        for rate in RATES:
            made.append(taught(way, vocab, sets[0], Recipe(lr=rate, epochs=size.ways_epochs), seeds[0]))
            done += 1
            if progress is not None:
                progress(done, total)
        scores = [perplexity_of(one, validation) for one in made]
        best = min(range(len(RATES)), key=scores.__getitem__)
        row = [perplexity_of(made[best], vocab.encode(tests[0]))]
        for r in range(1, size.ways):
            one = taught(way, vocab, sets[r], Recipe(lr=RATES[best], epochs=size.ways_epochs), seeds[r])
            row.append(perplexity_of(one, vocab.encode(tests[r])))
            done += 1
            if progress is not None:
                progress(done, total)
        tuned.append(scores)
        found.append(row)
    exact = [math.exp(float(exact_nll(sentences).nanmean())) for sentences in tests]
    return WaysResult(WAYS, torch.tensor(tuned), torch.tensor(found), torch.tensor(exact))


@dataclass(frozen=True)
class Prose:
    """Genesis and Exodus as pieces of verses: training, validation and test sentences, each from other chapters."""

    vocab: Vocabulary
    train: Encoded
    validation: Encoded
    test: Encoded

    @property
    def unknown(self) -> float:
        """Share of test words that are not in the vocabulary."""
        return float((self.test.y[self.test.mask] == self.vocab.number("<unk>")).double().mean())


def pieces(split: str, limit: int) -> list[list[str]]:
    """The verses of a split cut into pieces of at most 40 tokens; ``limit`` of them, evenly spread."""
    cut = []
    for verse in text.verses(split):
        tokens = verse.tokens
        cut += [tokens[start : start + PIECE] for start in range(0, len(tokens), PIECE)]
    count = min(limit, len(cut))
    return [cut[k * len(cut) // count] for k in range(count)]


@protocol
def prose(settings: Settings, *, progress: Progress | None = None) -> Prose:
    """The English text; no draw is made, so that every seed reads the same."""
    size = settings.size
    parts = {"train": size.prose_train, "validation": size.prose_validation, "test": size.prose_test}
    words = {split: pieces(split, limit) for split, limit in parts.items()}
    vocab = Vocabulary.most_frequent(words["train"], size.prose_words)
    return Prose(vocab, *(vocab.encode(words[split]) for split in parts))


PROSE_WAYS = (Way("plain LSTM"), Way("entropy, α = 0.1", "entropy", 0.1), Way("surprisal, α = 0.5", "surprisal", 0.5))


@dataclass(frozen=True)
class ProseResult:
    """On prose, validation perplexities (W, R) of each way and learning rate, and test (W, S) at the best of them.

    The plain LSTM recoded at test time: perplexities ``tried`` on validation and ``swept`` on test (2, A) for each of
    :data:`PROSE_SIGNALS` and step size, test ``entropy`` (2, A), all of the first seed.
    """

    ways: tuple[Way, ...]
    validation: Tensor
    test: Tensor
    alphas: Tensor
    tried: Tensor
    swept: Tensor
    entropy: Tensor
    words: int
    unknown: float

    def chosen(self, signal: str) -> int:
        """The column of the step size that validates best."""
        return int(self.tried[PROSE_SIGNALS.index(signal)].argmin())

    def tuned(self, signal: str) -> float:
        """Test perplexity of recoding at test time, its step size chosen on validation."""
        return float(self.swept[PROSE_SIGNALS.index(signal), self.chosen(signal)])


@protocol
def on_prose(settings: Settings, *, progress: Progress | None = None) -> ProseResult:
    """The plain LSTM and models trained with recoding, same passes, each at its best of four learning rates."""
    size, data = settings.size, prose(settings)
    ways = PROSE_WAYS if size.prose_supervised else PROSE_WAYS[:2]
    seeds, total, done = seeds_of(settings, size.prose_seeds), len(ways) * (len(PROSE_RATES) + size.prose_seeds - 1), 0
    tuned, found, plain = [], [], None

    def make(way: Way, rate: float, seed: int) -> Recoder | LSTMLanguageModel:
        nonlocal done
        recipe = Recipe(lr=rate, epochs=size.prose_epochs, batch=PROSE_BATCH, by_length=True)
        made = taught(way, data.vocab, data.train, recipe, seed)
        done += 1
        if progress is not None:
            progress(done, total)
        return made

    for way in ways:
        made = [make(way, rate, seeds[0]) for rate in PROSE_RATES]
        scores = [perplexity_of(one, data.validation) for one in made]
        best = min(range(len(made)), key=scores.__getitem__)
        plain = made[best] if plain is None else plain
        tuned.append(scores)
        found.append([perplexity_of(one, data.test)
                      for one in [made[best], *(make(way, PROSE_RATES[best], seed) for seed in seeds[1:])]])
    assert isinstance(plain, LSTMLanguageModel)
    alphas = torch.tensor(PROSE_ALPHAS)
    rows = {name: [_one_by_one(plain, signal, alphas, part) for signal in PROSE_SIGNALS]
            for name, part in (("validation", data.validation), ("test", data.test))}
    tried, swept_ = (torch.stack([nll for nll, _ in rows[name]]).exp() for name in ("validation", "test"))
    entropy = torch.stack([entropy for _, entropy in rows["test"]])
    return ProseResult(ways, torch.tensor(tuned), torch.tensor(found), alphas, tried, swept_, entropy,
                       int(data.test.mask.sum()), data.unknown)


def _one_by_one(model: LSTMLanguageModel, signal: str, alphas: Tensor, data: Encoded) -> tuple[Tensor, Tensor]:
    """NLL and entropy over step sizes, one after the other: side by side the copies would not fit into the cache."""
    parts = [swept(model, signal, alpha[None], data) for alpha in alphas]
    return torch.cat([part[0] for part in parts]), torch.cat([part[2] for part in parts])
