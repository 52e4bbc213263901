"""A probabilistic grammar with temporary ambiguity, small enough that every probability is known exactly.

Verbs such as *raced* are both past tense and participle, so "the horse raced past the barn" is usually a sentence, and
sometimes a noun phrase that still waits for its verb: a garden path. Every string has one derivation, so the 25,968
strings and their probabilities can be listed, and with them the exact surprisal of each word.
"""
from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gradscape.validate import at_least, nonnegative, one_of

START, UNKNOWN, PAD = "<s>", "<unk>", -1

SLOTS: dict[str, tuple[str, ...]] = {
    "N": ("horse", "man", "dog", "student", "boy", "teacher", "cat", "child"),
    "AMB": ("raced", "examined", "pushed", "followed", "taught", "carried"),  # past tense and participle
    "MV": ("fell", "smiled", "slept", "left", "cried", "laughed"),  # never take an object
    "OPT": ("ate", "hunted", "painted", "visited", "washed", "cleaned"),  # may take an object
    "PP": ("past the barn", "through the park", "near the house", "behind the school"),
}
PATTERNS: dict[str, str] = {
    "mv": "the N AMB PP .",
    "rr": "the N AMB PP MV .",
    "urr": "the N that was AMB PP MV .",
    "simple": "the N MV .",
    "npz": "when the N OPT the N MV .",
    "npzc": "when the N OPT , the N MV .",
    "npt": "when the N OPT the N , the N MV .",
    "trans": "the N OPT the N .",
}
WEIGHTS: dict[str, float] = {
    "mv": 0.34, "rr": 0.02, "urr": 0.08, "simple": 0.16, "npz": 0.02, "npzc": 0.06, "npt": 0.16, "trans": 0.16,
}
# garden path -> its unambiguous control, and the place of the verb that decides in each
PAIRS = {"rr": ("urr", 6, 8), "npz": ("npzc", 6, 7)}

Sentence = list[str]


def _weights(weights: Mapping[str, float] | None) -> dict[str, float]:
    given = dict(WEIGHTS if weights is None else weights)
    for kind, weight in given.items():
        one_of("weights", kind, tuple(PATTERNS))
        nonnegative(f"weights[{kind!r}]", weight)
    if not sum(given.values()) > 0:
        raise ValueError(f"weights={given!r}: at least one must be > 0")
    total = sum(given.values())
    return {kind: given.get(kind, 0.0) / total for kind in PATTERNS}


def sentence(kind: str, generator: np.random.Generator) -> Sentence:
    """One sentence of a kind of :data:`PATTERNS`, its words drawn uniformly."""
    return _filled(PATTERNS[one_of("kind", kind, tuple(PATTERNS))], generator)


def _filled(pattern: str, generator: np.random.Generator) -> Sentence:
    words: Sentence = []
    for slot in pattern.split():
        if slot in SLOTS:
            words += SLOTS[slot][int(generator.integers(len(SLOTS[slot])))].split()
        else:
            words.append(slot)
    return words


def garden_path_corpus(n: int, seed: int, weights: Mapping[str, float] | None = None) -> list[Sentence]:
    """Draw ``n`` sentences, each a list of words that ends with ".".

    ``weights`` are the kinds' relative frequencies (:data:`WEIGHTS` if left out; kinds left out do not occur).
    ``ValueError`` for an unknown kind, a negative weight, or none above 0.

    >>> garden_path_corpus(1, 0, {"simple": 1.0})[0][0]
    'the'
    """
    at_least("n", n, 1)
    share = _weights(weights)
    generator = np.random.default_rng(at_least("seed", seed, 0))
    kinds = generator.choice(list(share), size=n, p=list(share.values()))
    return [_filled(PATTERNS[str(kind)], generator) for kind in kinds]


def strings(kind: str) -> Iterable[tuple[str, ...]]:
    """Every sentence of a kind; all are equally probable."""
    slots = [SLOTS.get(slot, (slot,)) for slot in PATTERNS[one_of("kind", kind, tuple(PATTERNS))].split()]
    return (tuple(" ".join(choice).split()) for choice in itertools.product(*slots))


@functools.cache
def prefix_masses() -> dict[tuple[str, ...], float]:
    """The probability that a sentence begins with a prefix, for every prefix of the grammar at its own weights."""
    masses: dict[tuple[str, ...], float] = {(): 1.0}
    for kind, weight in _weights(None).items():
        every = list(strings(kind))
        for words in every:
            for end in range(1, len(words) + 1):
                prefix = words[:end]
                masses[prefix] = masses.get(prefix, 0.0) + weight / len(every)
    return masses


def exact_surprisal(tokens: Sequence[str]) -> NDArray[np.float64]:
    """``-log p(word | words before)`` in nats for each word (T,) of a sentence or of its beginning, from the grammar.

    ``ValueError`` for a word that the grammar does not allow there.

    >>> exact_surprisal("the horse raced past the barn fell".split())[-1].round(4)
    4.6821
    """
    masses, words = prefix_masses(), tuple(tokens)
    if not words:
        raise ValueError("tokens is empty: at least one word is needed")
    found = np.empty(len(words))
    for end, word in enumerate(words):
        mass = masses.get(words[: end + 1])
        if mass is None:
            raise ValueError(f"tokens: {word!r} cannot follow {' '.join(words[:end]) or 'the start'!r}")
        found[end] = math.log(masses[words[:end]] / mass)
    return found


def optimal_perplexity() -> float:
    """Perplexity per word of the grammar itself: 2.9593."""
    entropy = length = 0.0
    for kind, weight in _weights(None).items():
        every = list(strings(kind))
        entropy += weight * math.log(len(every) / weight)
        length += weight * len(every[0])
    return math.exp(entropy / length)


def stimulus_pairs(kind: str, n: int, seed: int) -> tuple[list[Sentence], list[Sentence], int, int]:
    """``n`` garden paths of ``kind`` "rr" or "npz", their unambiguous controls with the same words, and two places.

    The places are those of the verb that decides, counted from 0: a control has one or two words more before it.

    >>> garden, control, at_garden, at_control = stimulus_pairs("npz", 3, 0)
    >>> garden[0][at_garden] == control[0][at_control]
    True
    """
    control, at_garden, at_control = PAIRS[one_of("kind", kind, tuple(PAIRS))]
    at_least("n", n, 1)
    generator = np.random.default_rng(at_least("seed", seed, 0))
    pairs: tuple[list[Sentence], list[Sentence]] = ([], [])
    for _ in range(n):
        state = generator.bit_generator.state
        pairs[0].append(_filled(PATTERNS[kind], generator))
        generator.bit_generator.state = state  # the same slots in the same order: the same words
        pairs[1].append(_filled(PATTERNS[control], generator))
    return *pairs, at_garden, at_control


@dataclass(frozen=True)
class Encoded:
    """Sentences as numbers (B, T): inputs ``x`` (first the start symbol) and next words ``y``, -1 past the end."""

    x: Tensor
    y: Tensor

    def __len__(self) -> int:
        return len(self.x)

    @property
    def mask(self) -> Tensor:
        """Where there is a word to predict, (B, T)."""
        return self.y != PAD

    @property
    def lengths(self) -> Tensor:
        """Words of each sentence, (B,)."""
        return self.mask.sum(1)

    def take(self, rows: Tensor) -> Encoded:
        """Some of the sentences, cut to the longest among them."""
        longest = int(self.lengths[rows].max())
        return Encoded(self.x[rows, :longest], self.y[rows, :longest])


class Vocabulary:
    """Numbers of words: the start symbol is 0; words left out are "<unk>" if ``unknown``, else an error."""

    def __init__(self, words: Sequence[str], *, unknown: bool = False) -> None:
        kept = [START, *([UNKNOWN] if unknown else []), *words]
        if len(set(kept)) != len(kept):
            raise ValueError(f"words: {len(kept) - len(set(kept))} occur twice or are {START} or {UNKNOWN}")
        self.words, self.unknown = tuple(kept), unknown
        self._index = {word: i for i, word in enumerate(kept)}

    @classmethod
    def of_grammar(cls) -> Vocabulary:
        """The 40 words of the grammar."""
        slots = [word for choices in SLOTS.values() for choice in choices for word in choice.split()]
        fixed = [slot for pattern in PATTERNS.values() for slot in pattern.split() if slot not in SLOTS]
        return cls(list(dict.fromkeys([*fixed, *slots])))

    @classmethod
    def most_frequent(cls, sentences: Sequence[Sequence[str]], size: int) -> Vocabulary:
        """The ``size - 2`` most frequent words (ties in alphabetical order), the start symbol and "<unk>"."""
        at_least("size", size, 3)
        counts: dict[str, int] = {}
        for word in itertools.chain.from_iterable(sentences):
            counts[word] = counts.get(word, 0) + 1
        return cls(sorted(counts, key=lambda word: (-counts[word], word))[: size - 2], unknown=True)

    def __len__(self) -> int:
        return len(self.words)

    def number(self, word: str) -> int:
        """The number of a word; ``ValueError`` for one that is not known."""
        if word not in self._index and not self.unknown:
            raise ValueError(f"word={word!r}: not in the vocabulary of {len(self)} words")
        return self._index.get(word, self._index.get(UNKNOWN, 0))

    def encode(self, sentences: Sequence[Sequence[str]]) -> Encoded:
        """Sentences side by side, padded at the end; ``ValueError`` for none, an empty one or an unknown word."""
        if not len(sentences) or not all(len(words) for words in sentences):
            raise ValueError(f"sentences: {len(sentences)} given; at least one, none of them empty, is needed")
        longest = max(map(len, sentences))
        y = torch.full((len(sentences), longest), PAD)
        for row, words in enumerate(sentences):
            y[row, : len(words)] = torch.tensor([self.number(word) for word in words])
        x = torch.zeros_like(y)
        x[:, 1:] = y[:, :-1].clamp(min=0)
        return Encoded(x, y)
