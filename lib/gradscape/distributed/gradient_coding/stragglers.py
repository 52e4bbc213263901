"""Models of which workers may straggle: the promises that a coding scheme is designed for.

Krishnan, Ebrahimi & Khisti 2022 (arXiv 2211.13802), straggler models. A pattern is bool (…, rounds, n): True where a
worker's result of that round is lost. All methods take leading batch axes, so thousands of patterns are checked or
drawn at once.
"""
from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from gradscape import validate


class StragglerModel:
    """What the three models share: in a window of rounds at most ``limit`` workers straggle, and some are barred.

    A subclass sets ``limit`` and ``window`` (in rounds), says by :meth:`barred` who may not straggle next, and by
    :meth:`overdone` whether a worker straggles too often in a stretch of rounds, seen as a whole.
    """

    limit: int
    window: int

    def barred(self, history: Tensor) -> Tensor:
        """Workers (…, n) that may not straggle in the next round, given the past rounds ``history`` (…, k, n)."""
        raise NotImplementedError

    def overdone(self, stretch: Tensor) -> Tensor:
        """Whether some worker straggles more in ``stretch`` (…, k, n) than the model allows one worker; bool (…)."""
        raise NotImplementedError

    def admits(self, history: Tensor, candidate: Tensor) -> Tensor:
        """Whether ``candidate`` (…, n) may straggle after ``history`` (…, k, n), oldest round first; bool (…)."""
        recent = self._recent(history)
        counted = (recent.any(-2) | candidate).sum(-1) <= self.limit
        return counted & ~(self.barred(recent) & candidate).any(-1)

    def conforms(self, pattern: Tensor) -> Tensor:
        """Whether the pattern (…, rounds, n) keeps the model from the first round to the last; bool (…)."""
        pattern = _checked("pattern", pattern)
        fine = torch.ones(pattern.shape[:-2], dtype=torch.bool)
        for r in range(pattern.shape[-2]):
            fine &= self.admits(pattern[..., max(0, r - self.window + 1) : r, :], pattern[..., r, :])
        return fine

    def sample(
        self, rounds: int, n: int, generator: torch.Generator, density: float = 1.0, count: int | None = None,
        *, maximal: bool = False,
    ) -> Tensor:
        """Random conforming patterns, bool (rounds, n), or (count, rounds, n).

        Round by round, each worker wants to straggle with probability ``density`` and is rejected where the model would
        be violated, in random order. With density 1 workers straggle as early and as long as they may. ``maximal``
        then adds stragglers in random order of rounds and workers until no further one fits.
        """
        validate.at_least("rounds", rounds, 1)
        validate.at_least("n", n, 1)
        validate.in_range("density", density, 0.0, 1.0)
        lead = () if count is None else (validate.at_least("count", count, 1),)
        pattern = torch.zeros(*lead, rounds, n, dtype=torch.bool)
        for r in range(rounds):
            recent = pattern[..., max(0, r - self.window + 1) : r, :]
            order = torch.rand(*lead, n, generator=generator, dtype=torch.float64)
            wants = torch.rand(*lead, n, generator=generator, dtype=torch.float64) < density
            known = recent.any(-2)
            free = self.limit - known.sum(-1, keepdim=True)
            wants &= ~self.barred(recent)
            # a worker that the window already counts costs nothing; the others get the free places in random order
            new = order.masked_fill(~wants | known, torch.inf)
            rank = new.argsort(-1).argsort(-1)
            pattern[..., r, :] = wants & (known | (rank < free))
        if maximal:
            for cell in torch.randperm(rounds * n, generator=generator).tolist():
                r, i = divmod(cell, n)
                stretch = pattern[..., max(0, r - self.window + 1) : r + self.window, :].clone()
                stretch[..., min(r, self.window - 1), i] = True
                pattern[..., r, i] |= self._fits(stretch)
        return pattern

    def _fits(self, stretch: Tensor) -> Tensor:
        width = min(self.window, stretch.shape[-2])
        distinct = stretch.unfold(-2, width, 1).any(-1).sum(-1)
        return (distinct <= self.limit).all(-1) & ~self.overdone(stretch)

    def _recent(self, history: Tensor) -> Tensor:
        return history[..., max(0, history.shape[-2] - self.window + 1) :, :]


@dataclass(frozen=True)
class PerRoundModel(StragglerModel):
    """At most ``s`` stragglers in each round, whatever happened before."""

    s: int

    def __post_init__(self) -> None:
        validate.at_least("s", self.s, 0)

    @property
    def limit(self) -> int:  # type: ignore[override]
        return self.s

    @property
    def window(self) -> int:  # type: ignore[override]
        return 1

    def barred(self, history: Tensor) -> Tensor:
        return torch.zeros(*history.shape[:-2], history.shape[-1], dtype=torch.bool)

    def overdone(self, stretch: Tensor) -> Tensor:
        return torch.zeros(stretch.shape[:-2], dtype=torch.bool)


@dataclass(frozen=True)
class BurstyModel(StragglerModel):
    """(B, W, lam)-bursty: in W consecutive rounds at most ``lam`` workers straggle, each only within B rounds.

    Online form: a worker that straggled B to W - 1 rounds ago may not straggle now. Needs 1 <= B < W and lam >= 0.

    >>> BurstyModel(1, 2, 1).conforms(torch.tensor([[True, False], [False, True]])).item()
    False
    """

    B: int
    W: int
    lam: int

    def __post_init__(self) -> None:
        check_design(self.B, self.W)
        validate.at_least("lam", self.lam, 0)

    @property
    def limit(self) -> int:  # type: ignore[override]
        return self.lam

    @property
    def window(self) -> int:  # type: ignore[override]
        return self.W

    def barred(self, history: Tensor) -> Tensor:
        past = self._recent(history)
        return past[..., : max(0, past.shape[-2] - self.B + 1), :].any(-2)

    def overdone(self, stretch: Tensor) -> Tensor:
        found = torch.zeros(stretch.shape[:-2], dtype=torch.bool)
        for apart in range(self.B, min(self.W, stretch.shape[-2])):
            found |= (stretch[..., :-apart, :] & stretch[..., apart:, :]).flatten(-2).any(-1)
        return found


@dataclass(frozen=True)
class ArbitraryModel(StragglerModel):
    """(N, W, lam)-arbitrary: in W consecutive rounds at most ``lam`` workers straggle, each in at most N of them."""

    N: int
    W: int
    lam: int

    def __post_init__(self) -> None:
        validate.at_least("W", self.W, 1)
        validate.at_least("N", self.N, 0)
        validate.in_range("N", self.N, 0, self.W)
        validate.at_least("lam", self.lam, 0)

    @property
    def limit(self) -> int:  # type: ignore[override]
        return self.lam

    @property
    def window(self) -> int:  # type: ignore[override]
        return self.W

    def barred(self, history: Tensor) -> Tensor:
        return self._recent(history).sum(-2) >= self.N

    def overdone(self, stretch: Tensor) -> Tensor:
        width = min(self.W, stretch.shape[-2])
        return (stretch.unfold(-2, width, 1).sum(-1) > self.N).flatten(-2).any(-1)


def check_design(B: int, W: int) -> None:
    """``ValueError`` unless 1 <= B < W."""
    validate.at_least("B", B, 1)
    if validate.at_least("W", W, 2) <= B:
        raise ValueError(f"W={W!r}: must be larger than B={B!r}")


def _checked(name: str, pattern: Tensor) -> Tensor:
    if pattern.dtype != torch.bool or pattern.dim() < 2:
        found = f"dtype {pattern.dtype} and shape {tuple(pattern.shape)}"
        raise ValueError(f"{name} has {found}: must be bool (…, rounds, n)")
    if pattern.numel() == 0:
        raise ValueError(f"{name} is empty: shape {tuple(pattern.shape)}")
    return pattern
