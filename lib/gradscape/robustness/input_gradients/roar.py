"""DiffROAR: keep the best-ranked or the worst-ranked coordinates, retrain, compare (arXiv 2102.12781, Sec. 3).

    DiffROAR(k) = PredPower(top-k) - PredPower(bottom-k)

PredPower is the test accuracy of fresh networks trained on images of which only those coordinates are left, tested on
test images masked by the *same original* network's attributions. Positive: coordinates with large gradients predict
more than those with small ones. ROAR (Hooker et al. 2019, arXiv 1806.10758) looks at the removal of the top alone.

The kept coordinates of an image depend on its prediction, so that the *mask* carries the label. ``mask_only`` networks
see where something was kept and nothing of what: 1 there, 0 elsewhere.
"""
from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from gradscape import validate
from gradscape.ensemble import StackedMLP
from gradscape.robustness.input_gradients.gradients import KEEP, rank, window
from gradscape.robustness.input_gradients.training import accuracy, fit

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class DiffRoarResult:
    """Accuracies of R rankings at L levels, (R, L) each; NaN in ``mask_only`` where no such network was trained."""

    levels: tuple[float, ...]
    top: Tensor
    bottom: Tensor
    mask_only_top: Tensor
    mask_only_bottom: Tensor

    @property
    def diff(self) -> Tensor:
        """DiffROAR, (R, L)."""
        return self.top - self.bottom

    @property
    def mask_only_diff(self) -> Tensor:
        """The part of it that the masks alone show, (R, L)."""
        return self.mask_only_top - self.mask_only_bottom

    def at(self, level: float) -> int:
        """Column of a level; ``ValueError`` if it was not tried."""
        return self.levels.index(validate.one_of("level", level, self.levels))


@dataclass(frozen=True)
class Job:
    """One network to retrain."""

    ranking: int
    level: int
    keep: str
    mask_only: bool


class Masked:
    """What each network sees of images (N, d): ``masked(index)`` is (M, B, d). Nothing is stored per network."""

    def __init__(self, x: Tensor, ranks: Tensor, jobs: Sequence[Job], levels: Sequence[float], value: float) -> None:
        self.x, self.ranks, self.value = x, ranks, value
        self.ranking = torch.tensor([job.ranking for job in jobs])
        low, high = zip(*(window(levels[job.level], x.shape[1], job.keep) for job in jobs), strict=True)
        self.low, self.high = (torch.tensor(ends, dtype=torch.int16).view(-1, 1, 1) for ends in (low, high))
        self.blind = torch.tensor([job.mask_only for job in jobs]).view(-1, 1, 1)

    def __call__(self, index: Tensor) -> Tensor:
        position = self.ranks[:, index][self.ranking]
        seen = (position >= self.low) & (position < self.high)
        rest = torch.where(self.blind, 0.0, self.value)
        return torch.where(seen, torch.where(self.blind, 1.0, self.x[index]), rest)


def diffroar(
    x_train: Tensor,
    y_train: Tensor,
    x_test: Tensor,
    y_test: Tensor,
    attributions_train: Tensor,
    attributions_test: Tensor,
    levels: Sequence[float],
    make_model: Callable[[int], StackedMLP],
    fit_options: Mapping[str, Any],
    *,
    value: float = 0.0,
    mask_only: bool | Sequence[int] = True,
    generator: torch.Generator | None = None,
    progress: Progress | None = None,
) -> DiffRoarResult:
    """Retrain all rankings, levels and sides as one stack, and test them.

    Images (N, d) real and labels int64; attributions (N, d), or (R, N, d) for R rankings (the magnitudes of gradients:
    they are ranked as they are). ``make_model(members)`` makes fresh networks, ``fit_options`` go to
    :func:`training.fit`. ``value`` fills what is blanked. ``mask_only``: all rankings, none, or the indices of those
    that get blind networks too. Ties are broken by ``generator`` if given, else towards the lower index.

    ``ValueError`` for levels outside (0, 1], none of them or repeated ones, attributions that are not finite or do not
    fit their images, indices out of range.
    """
    levels = tuple(levels)
    if not levels or len(set(levels)) < len(levels):
        raise ValueError(f"levels={levels!r}: must be one or more different ones")
    for level in levels:
        validate.in_range("levels", level, 0.0, 1.0, open_low=True)
    first, second = (_stacked(*entry) for entry in (("attributions_train", attributions_train, x_train),
                                                    ("attributions_test", attributions_test, x_test)))
    if len(first) != len(second):
        raise ValueError(f"attributions_test holds {len(second)} rankings: attributions_train has {len(first)}")
    count = len(first)
    blind = list(range(count)) if mask_only is True else [] if mask_only is False else list(mask_only)
    for entry in blind:
        validate.one_of("mask_only", entry, range(count))
    jobs = [Job(r, k, keep, hidden) for hidden, rankings in ((False, range(count)), (True, blind))
            for r in rankings for k in range(len(levels)) for keep in KEEP]
    net = make_model(len(jobs))
    train, test = (Masked(x, rank(score, generator), jobs, levels, value)
                   for x, score in ((x_train, first), (x_test, second)))
    fit(net, train, y_train, progress=progress, **fit_options)
    found = accuracy(net, test, y_test)
    table = {(keep, hidden): torch.full((count, len(levels)), torch.nan, dtype=torch.float64)
             for keep in KEEP for hidden in (False, True)}
    for job, share in zip(jobs, found.tolist(), strict=True):
        table[job.keep, job.mask_only][job.ranking, job.level] = share
    return DiffRoarResult(levels, table["top", False], table["bottom", False], table["top", True],
                          table["bottom", True])


def _stacked(name: str, scores: Tensor, x: Tensor) -> Tensor:
    validate.finite(name, scores)
    validate.finite(f"images of {name}", x)
    stacked = scores if scores.dim() == 3 else scores.unsqueeze(0)
    if x.dim() != 2 or stacked.shape[1:] != x.shape:
        raise ValueError(f"{name} has shape {tuple(scores.shape)}: must be {tuple(x.shape)}, or with the rankings in "
                         "front")
    return stacked
