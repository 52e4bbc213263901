"""Training any model with a batch that grows (arXiv 2402.11215): the loop, and what it leaves behind."""
from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset

from gradscape.learning import per_sample
from gradscape.learning.per_sample import GradientStats, Loss
from gradscape.optimizers.adaptive_batch.ghost import explicit_step, ghost_step
from gradscape.optimizers.adaptive_batch.merging import merge_stats, sums
from gradscape.optimizers.adaptive_batch.plans import BatchSizes
from gradscape.optimizers.adaptive_batch.rules import BatchSizeController
from gradscape.optimizers.adaptive_batch.sampler import ResizableBatchSampler
from gradscape.validate import at_least

Progress = Callable[[int, int], None]
Data = tuple[Tensor, Tensor] | Dataset[Any]


@dataclass(frozen=True)
class History:
    """One entry a step: actual batch size, samples used so far, mean loss of the batch before the step, T (NaN where
    nothing was tested) and the size decided on for the next batch."""

    batch: NDArray[np.int64]
    samples: NDArray[np.int64]
    loss: NDArray[np.float64]
    required: NDArray[np.float64]
    scheduled: NDArray[np.int64]


def train_adaptive(
    model: nn.Module,
    data: Data,
    optimizer: torch.optim.Optimizer,
    controller: BatchSizes,
    budget: int,
    *,
    generator: torch.Generator,
    loss_fn: Loss = F.cross_entropy,
    coordinate: bool = False,
    micro_batch: int | None = None,
    schedule: Callable[[int], float] | None = None,
    workers: int = 0,
    progress: Progress | None = None,
) -> History:
    """Train until exactly ``budget`` samples were used; the last batch is cut to what is left.

    One iteration: draw a batch, gradients at the present parameters, step, test with the *same* per-sample gradients,
    size of the next batch. ``data`` is (x, y) or a dataset of such pairs; its order comes from ``generator`` alone.
    ``coordinate`` computes what the coordinate-wise test needs, ``micro_batch`` splits larger batches (norm test only).
    ``schedule`` maps samples used to the learning rate of all groups. ``workers`` of a loader draw ahead: batches then
    lag behind the size decided on. Raises ``ValueError`` for a budget or micro_batch < 1 and for data without samples.

    >>> x, y = torch.randn(100, 3), torch.randint(2, (100,))
    >>> model = nn.Linear(3, 2)
    >>> history = train_adaptive(model, (x, y), torch.optim.Adagrad(model.parameters()), constant(10), 250,
    ...                          generator=torch.Generator().manual_seed(0))
    >>> len(history.batch)
    25
    """
    at_least("budget", budget, 1)
    if micro_batch is not None:
        at_least("micro_batch", micro_batch, 1)
    count = len(data[0]) if isinstance(data, tuple) else len(data)  # type: ignore[arg-type]
    sampler = ResizableBatchSampler(count, min(controller.batch_size, budget), generator=generator)
    draw = _drawer(data, sampler, workers)
    names = dict(model.named_parameters())
    used, rows = 0, []
    while used < budget:
        if schedule is not None:
            for group in optimizer.param_groups:
                group["lr"] = schedule(used)
        sampler.batch_size = min(controller.batch_size, budget - used)
        x, y = draw()
        x, y = x[: budget - used], y[: budget - used]  # a loader may have drawn more ahead
        due = controller.due and len(x) > 1
        loss, grads, stats = _gradients(model, loss_fn, x, y, due, coordinate, micro_batch)
        for name, grad in grads.items():
            names[name].grad = grad
        optimizer.step()
        used += len(x)
        required, scheduled = math.nan, controller.batch_size
        if stats is not None or not controller.due:  # a last batch of one sample has no variance to test
            scheduled = controller.update(stats)
            required = controller.history[-1].required if isinstance(controller, BatchSizeController) else math.nan
        rows.append((len(x), used, loss, required, scheduled))
        if progress is not None:
            progress(used, budget)
    optimizer.zero_grad()
    batch, samples, losses, needed, sizes = (np.array(column) for column in zip(*rows, strict=True))
    return History(batch, samples, losses, needed, sizes)


def _drawer(data: Data, sampler: ResizableBatchSampler, workers: int) -> Callable[[], tuple[Tensor, Tensor]]:
    if isinstance(data, tuple):
        x, y = data
        if len(x) != len(y):
            raise ValueError(f"x has {len(x)} rows, y {len(y)}: both need one row for each sample")

        def draw() -> tuple[Tensor, Tensor]:
            indices = sampler.take().to(x.device)
            return x[indices], y[indices]

        return draw
    batches = iter(DataLoader(data, batch_sampler=sampler, num_workers=workers))
    return lambda: next(batches)


def _gradients(
    model: nn.Module, loss_fn: Loss, x: Tensor, y: Tensor, due: bool, coordinate: bool, micro_batch: int | None
) -> tuple[float, dict[str, Tensor], GradientStats | None]:
    """Mean loss and gradients of a batch, with statistics if they are due."""
    if micro_batch is not None and len(x) > micro_batch:
        return _in_parts(model, loss_fn, x, y, due, micro_batch)
    if due:
        step = functools.partial(explicit_step, coordinate=True) if coordinate else ghost_step
        return step(model, loss_fn, x, y)
    names, params = zip(*((name, p) for name, p in model.named_parameters() if p.requires_grad), strict=True)
    loss = loss_fn(model(x), y).mean()
    found = torch.autograd.grad(loss, params, allow_unused=True)
    grads = {
        name: torch.zeros_like(p) if grad is None else grad for name, p, grad in zip(names, params, found, strict=True)
    }
    return float(loss.detach()), grads, None


def _in_parts(
    model: nn.Module, loss_fn: Loss, x: Tensor, y: Tensor, due: bool, micro_batch: int
) -> tuple[float, dict[str, Tensor], GradientStats | None]:
    """As `_gradients`, one micro-batch after the other: memory for ``micro_batch`` samples at a time."""
    loss, parts = 0.0, []
    total: dict[str, Tensor] = {}
    for some_x, some_y in zip(x.split(micro_batch), y.split(micro_batch), strict=True):
        share = len(some_x) / len(x)
        if due:
            each = per_sample.grads(model, loss_fn, some_x, some_y)
            parts.append(sums(each))
            grads = {name: tensor.mean(0) for name, tensor in each.items()}
            with torch.no_grad():
                loss += share * float(loss_fn(model(some_x), some_y).mean())
        else:
            value, grads, _ = _gradients(model, loss_fn, some_x, some_y, False, False, None)
            loss += share * value
        for name, grad in grads.items():
            total[name] = total.get(name, 0) + share * grad
    return loss, total, merge_stats(parts) if due else None
