"""AdAdaGradNorm and AdAdaGrad on the streaming problem, with the exact gradient beside each step (arXiv 2402.11215)."""
from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gradscape.learning import per_sample
from gradscape.optimizers.adaptive_batch.robust import GemanMcClure
from gradscape.optimizers.adaptive_batch.rules import BatchSizeController
from gradscape.validate import at_least, one_of, positive

METHODS = ("AdaGradNorm", "AdaGrad")
EPS = 1e-10      # torch.optim.Adagrad's
BLOCK = 100      # steps whose draws are made together in `stream_constant`

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Stream:
    """One run, one entry a step k = 1, 2, …, all taken before the step: ``batch`` size, ``samples`` used with it,
    ``gradient`` ||grad F(x_k)||², ``error`` ||gbar - grad F||²/||grad F||², ``required`` T (NaN where not tested)."""

    batch: Array
    samples: Array
    gradient: Array
    error: Array
    required: Array

    @property
    def lowest(self) -> Array:
        """min_{j <= k} ||grad F(x_j)||²."""
        return np.minimum.accumulate(self.gradient)

    def steps_to(self, level: float) -> float:
        """The first step whose squared gradient is at most ``level`` (inf if none), counted from 1."""
        met = np.flatnonzero(self.gradient <= level)
        return float(met[0] + 1) if len(met) else math.inf

    def slope(self, first: int = 5) -> float:
        """Least-squares slope of log min ||grad F||² on log k from step ``first`` on; NaN with fewer than two."""
        k = np.arange(1, len(self.gradient) + 1)[first - 1 :]
        if len(k) < 2:
            return math.nan
        return float(np.polyfit(np.log(k), np.log(self.lowest[first - 1 :]), 1)[0])

    def late_error(self) -> float:
        """Median relative error over the second half of the run."""
        return float(np.median(self.error[len(self.error) // 2 :]))


def start(dim: int, length: float, generator: torch.Generator) -> Tensor:
    """A point at distance ``length`` from the solution in a random direction."""
    direction = torch.randn(dim, generator=generator, dtype=torch.float64)
    return positive("length", length) * direction / direction.norm()


def step_(x: Tensor, v: Tensor, gbar: Tensor, lr: float, method: str) -> None:
    """One step in place: AdaGradNorm keeps one number v, (..., 1), AdaGrad one for each entry, (..., d)."""
    if method == "AdaGradNorm":
        v += gbar.square().sum(-1, keepdim=True)
        x -= lr * gbar / v.sqrt().clamp(min=EPS)
    else:
        v += gbar.square()
        x -= lr * gbar / (v.sqrt() + EPS)


def stream_adaptive(
    problem: GemanMcClure,
    controller: BatchSizeController,
    *,
    lr: float,
    x: Tensor,
    generator: torch.Generator,
    steps: int,
    method: str = "AdaGradNorm",
    stop: Callable[[], bool] = lambda: False,
) -> Stream:
    """Draw a batch, step, test with the same gradients, until the batch is at its maximum or ``steps`` are done.

    At the maximum nothing is tested any more, so a run ends there; the batch of that size is still drawn once.
    Raises ``ValueError`` for lr <= 0, steps < 1 or an unknown method.
    """
    positive("lr", lr)
    one_of("method", method, METHODS)
    x, v = x.clone(), x.new_zeros(1 if method == "AdaGradNorm" else problem.dim)
    rows = []
    for _ in range(at_least("steps", steps, 1)):
        gradient, b, due = problem.full_gradient(x), controller.batch_size, controller.due
        each = problem.per_sample(x, b, generator)
        gbar = each.mean(0)
        size = float(gradient.square().sum())
        error = float((gbar - gradient).square().sum()) / size
        step_(x, v, gbar, lr, method)
        controller.update(per_sample.stats(each, coordinate=True) if due else None)
        rows.append((b, size, error, controller.history[-1].required))
        if b >= controller.maximum or stop():
            break
    batch, sizes, errors, required = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
    return Stream(batch, batch.cumsum(), sizes, errors, required)


def stream_constant(
    problem: GemanMcClure,
    b: int,
    *,
    lr: float,
    x: Tensor,
    generators: Sequence[torch.Generator],
    steps: int,
    method: str = "AdaGradNorm",
    stop: Callable[[], bool] = lambda: False,
) -> list[Stream]:
    """As `stream_adaptive` with a batch of b throughout, for S starts ``x`` (S, d) in one stack, a generator for each.

    Raises ``ValueError`` as there, and unless there are S generators.
    """
    positive("lr", lr)
    one_of("method", method, METHODS)
    if x.dim() != 2 or len(x) != len(generators):
        raise ValueError(f"x has shape {tuple(x.shape)}: must be (S, d) with S = {len(generators)}, one generator each")
    x, v = x.clone(), x.new_zeros(len(x), 1 if method == "AdaGradNorm" else problem.dim)
    sizes, errors = [], []
    for k in range(at_least("steps", steps, 1)):
        if k % BLOCK == 0:
            shape = (min(BLOCK, steps - k), at_least("b", b, 1), problem.dim + 1)
            draws = torch.stack([torch.randn(shape, generator=g, dtype=x.dtype) for g in generators], 1)
        gradient, gbar = problem.full_gradient(x), problem.gradients(x, draws[k % BLOCK]).mean(1)
        sizes.append(gradient.square().sum(1))
        errors.append((gbar - gradient).square().sum(1) / sizes[-1])
        step_(x, v, gbar, lr, method)
        if stop():
            break
    batch, none = np.full(len(sizes), float(b)), np.full(len(sizes), np.nan)
    columns = zip(torch.stack(sizes, 1).numpy(), torch.stack(errors, 1).numpy(), strict=True)
    return [Stream(batch, batch.cumsum(), size, error, none) for size, error in columns]
