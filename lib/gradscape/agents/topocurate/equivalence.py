"""When two turns count as the same: exactly, by a canonical form, or by the overlap of their words.

The paper merges turns whose action and observation are semantically equivalent; its thresholds and its embedding could
not be read, and token overlap stands in for the embedding here.
"""
from __future__ import annotations

import re
import zlib
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, TypeAlias

import numpy as np

from gradscape.validate import at_least, in_range

Turn: TypeAlias = tuple[Hashable, Hashable]  # a call and what it was answered
_PRIME = 2**31 - 1
_ROWS = (16, 8, 4, 2, 1)
RECALL = 0.999  # of pairs exactly at the threshold, when candidates come from hashes


def tokens(value: Any) -> frozenset[str]:
    """Lower-case words of a call's or an observation's text: ``"Moved to 'a/b'"`` gives moved, to, a, b."""
    return frozenset(re.findall(r"[\w.#]+", str(value).lower()))


def jaccard(a: frozenset[str], b: frozenset[str]) -> float:
    """Shared tokens over all tokens; 1 for two empty sets."""
    return len(a & b) / len(a | b) if a or b else 1.0


@dataclass(frozen=True)
class JaccardEquivalence:
    """Turns are linked when the token overlaps of calls and of observations reach both thresholds.

    Similarity above a threshold is not transitive; classes are the connected components of the links (union-find).
    Up to ``exact`` different turns all pairs are compared; beyond, only pairs that share a band of a MinHash signature
    of the observation, which finds at least 99.9 % of the pairs right at the threshold. Thresholds in (0, 1].
    """

    action: float = 1.0
    observation: float = 0.8
    exact: int = 2000
    hashes: int = 128

    def __post_init__(self) -> None:
        for name in ("action", "observation"):
            in_range(name, getattr(self, name), 0.0, 1.0, open_low=True)
        at_least("exact", self.exact, 0)
        at_least("hashes", self.hashes, 16)

    def classes(self, turns: Sequence[Turn]) -> list[int]:
        """The class of each turn, numbered by first appearance: (n,)."""
        distinct = list(dict.fromkeys(turns))
        said = [tokens(call) for call, _ in distinct]
        seen = [tokens(obs) for _, obs in distinct]
        root = list(range(len(distinct)))

        def find(i: int) -> int:
            while root[i] != i:
                root[i] = root[root[i]]
                i = root[i]
            return i

        for i, j in self._pairs(seen):
            a, b = find(i), find(j)
            if a != b and jaccard(said[i], said[j]) >= self.action and jaccard(seen[i], seen[j]) >= self.observation:
                root[max(a, b)] = min(a, b)
        at = {turn: find(i) for i, turn in enumerate(distinct)}
        number = {r: k for k, r in enumerate(dict.fromkeys(at[turn] for turn in turns))}
        return [number[at[turn]] for turn in turns]

    def _pairs(self, seen: Sequence[frozenset[str]]) -> Iterable[tuple[int, int]]:
        if len(seen) <= self.exact:
            return combinations(range(len(seen)), 2)
        return minhash_pairs(seen, self.observation, self.hashes)


def minhash_pairs(sets: Sequence[frozenset[str]], threshold: float, hashes: int = 128) -> Iterator[tuple[int, int]]:
    """Pairs of sets that share a band of their MinHash signatures: candidates for a Jaccard index >= threshold."""
    rows = next((r for r in _ROWS if 1 - (1 - threshold**r) ** (hashes // r) >= RECALL), 1)
    rng = np.random.default_rng(0)
    a, b = rng.integers(1, _PRIME, (2, hashes), dtype=np.uint64)
    buckets: dict[Hashable, list[int]] = defaultdict(list)
    for i, words in enumerate(sets):
        x = np.array([zlib.crc32(word.encode()) % _PRIME for word in words] or [0], dtype=np.uint64)
        least = ((a[:, None] * x + b[:, None]) % _PRIME).min(1)
        for band in range(hashes // rows):
            buckets[band, least[band * rows : (band + 1) * rows].tobytes()].append(i)
    offered = set()
    for members in buckets.values():
        for pair in combinations(members, 2):
            if pair not in offered:
                offered.add(pair)
                yield pair


Equivalence: TypeAlias = "Callable[[Turn], Hashable] | JaccardEquivalence | None"


def classes_of(turns: Sequence[Turn], equivalence: Equivalence) -> list[int]:
    """Class numbers of turns, by first appearance, under any kind of equivalence."""
    if isinstance(equivalence, JaccardEquivalence):
        return equivalence.classes(turns)
    if equivalence is not None and not callable(equivalence):
        allowed = "must be None, a function turn -> hashable, or JaccardEquivalence"
        raise ValueError(f"equivalence={equivalence!r}: {allowed}")
    number: dict[Hashable, int] = {}
    return [number.setdefault(turn if equivalence is None else equivalence(turn), len(number)) for turn in turns]
