"""Training a stack: batches drawn member by member, updates that are pure functions of stacked tensors."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor

from gradscape.ensemble.losses import Loss
from gradscape.ensemble.stacked import StackedMLP
from gradscape.validate import at_least

Params = dict[str, Tensor]
Rate = float | Tensor


class Update(Protocol):
    """One optimizer step on stacked tensors, pure: new parameters and new state out, nothing changed in place.

    ``lr`` is a float or (M, 1, 1), which broadcasts against every stacked parameter; ``state`` starts as ``{}``.
    """

    def __call__(self, params: Params, grads: Params, state: Any, *, lr: Rate) -> tuple[Params, Any]: ...


def sgd(params: Params, grads: Params, state: Any, *, lr: Rate) -> tuple[Params, Any]:
    """Plain gradient descent, ``w - lr * g``; what ``fit`` does in place when no update is given."""
    return {name: value - lr * grads[name] for name, value in params.items()}, state


class Batches:
    """Batches of distinct indices, uniform and independent from step to step, one stream per member.

    ``population`` P is an integer or one per member; ``generators`` has one entry per member: the indices of a member
    then do not depend on its stack-mates. Subsets come from Floyd's algorithm (Bentley & Floyd 1987), vectorized over
    ``chunk`` steps at once: exact for every B <= P, with B uniform numbers per step. Within a batch the order of the
    indices is not uniform.

    >>> Batches(100, 4, [torch.Generator().manual_seed(0)]).draw().shape
    torch.Size([1, 4])
    """

    def __init__(
        self,
        population: int | Sequence[int] | Tensor,
        batch: int,
        generators: Sequence[torch.Generator],
        *,
        chunk: int = 256,
    ) -> None:
        self.batch = at_least("batch", batch, 1)
        self.generators = list(generators)
        self.population = torch.as_tensor(population).expand(len(self.generators)).clone()
        if int(self.population.min()) < batch:
            raise ValueError(f"batch={batch}: must not exceed the population, {int(self.population.min())}")
        self.chunk = at_least("chunk", chunk, 1)
        self._buffer = torch.empty(len(self.generators), 0, batch, dtype=torch.long)
        self._next = 0

    def draw(self) -> Tensor:
        """Return the next batch of every member, long (M, B)."""
        if self._next == self._buffer.shape[1]:
            self._fill()
        self._next += 1
        return self._buffer[:, self._next - 1]

    def _fill(self) -> None:
        shape = (self.chunk, self.batch)
        uniform = torch.stack([torch.rand(shape, generator=g, dtype=torch.float64) for g in self.generators])
        top = self.population.view(-1, 1, 1) - self.batch + torch.arange(1, self.batch + 1)
        chosen = (uniform * top).long().clamp_(max=top - 1)
        for k in range(1, self.batch):
            taken = (chosen[..., :k] == chosen[..., k : k + 1]).any(-1)
            chosen[..., k] = torch.where(taken, top[..., k] - 1, chosen[..., k])
        self._buffer, self._next = chosen, 0

    def compact(self, mask: Tensor) -> None:
        """Keep only the members where ``mask`` (M,) is true; their streams go on undisturbed."""
        keep = mask.nonzero().squeeze(1).cpu()
        self.generators = [self.generators[i] for i in keep.tolist()]
        self.population, self._buffer = self.population[keep], self._buffer[keep]


class SharedBatches:
    """One stream of batches for all members, (B,): cheaper where members differ only in how they train.

    With ``epochs`` the data are shuffled and passed through once per epoch (the incomplete last batch is dropped).
    """

    def __init__(self, population: int, batch: int, generator: torch.Generator, *, epochs: bool = True) -> None:
        self.population = at_least("population", population, 1)
        self.batch = at_least("batch", batch, 1)
        if batch > population:
            raise ValueError(f"batch={batch}: must not exceed the population, {population}")
        self.generator, self.epochs = generator, epochs
        self._order, self._start = torch.empty(0, dtype=torch.long), 0

    def draw(self) -> Tensor:
        """Return the next batch, long (B,)."""
        if not self.epochs or self._start + self.batch > len(self._order):
            self._order, self._start = torch.randperm(self.population, generator=self.generator), 0
        self._start += self.batch
        return self._order[self._start - self.batch : self._start]


@dataclass(frozen=True)
class Fit:
    """What ``fit`` recorded: batch losses (M, K) at ``steps`` (K,), what ``watch`` returned there, the last state."""

    steps: Tensor
    losses: Tensor
    watched: list[Any] = field(default_factory=list)
    state: Any = None


def _gather(values: Tensor, index: Tensor, shared_dims: int) -> Tensor:
    """Rows of a pool shared by all members (N, …), or of one pool each (M, N, …), at indices (B,) or (M, B)."""
    if values.dim() == shared_dims:
        return values[index]
    if index.dim() == 1:
        return values[:, index]
    return values[torch.arange(len(values)).unsqueeze(1), index]


def fit(
    net: StackedMLP,
    data: tuple[Tensor, Tensor],
    *,
    loss: Loss,
    lr: Rate | Callable[[int], Rate],
    update: Update | None = None,
    steps: int,
    batches: int | Batches | SharedBatches | None = None,
    state: Any = None,
    every: int = 1,
    watch: Callable[[int, StackedMLP], Any] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Fit:
    """Train every member for ``steps`` steps, in place, and return the recorded losses.

    ``data`` is ``(inputs, targets)``: a pool (N, d), (N, …) shared by all members or one each, (M, N, d), (M, N, …).
    ``lr`` is a float, one rate per member (M,), or a function of the step that returns either. ``update`` is a pure
    optimizer step (default: plain SGD, in place). ``batches`` is a batch size (independent batches from the net's own
    generators), a stream, or ``None`` for full-batch steps. Losses are kept at every ``every``-th step, before its
    update, and ``watch(step, net)`` is called there.

    >>> net = StackedMLP((2, 8, 1), 3, generators=range(3))
    >>> fit(net, (torch.randn(32, 2), torch.zeros(32)), loss=mse, lr=0.1, steps=5, batches=4).losses.shape
    torch.Size([3, 5])
    """
    at_least("steps", steps, 0)
    at_least("every", every, 1)
    inputs, targets = data
    target_dims = targets.dim() - (inputs.dim() == 3)
    if inputs.shape[-2] != targets.shape[inputs.dim() - 2]:
        raise ValueError(f"data: {inputs.shape[-2]} inputs but {targets.shape[inputs.dim() - 2]} targets")
    if isinstance(batches, int):
        batches = Batches(inputs.shape[-2], batches, net.generators)
    state = {} if state is None else state
    losses, kept, watched = [], [], []
    for step in range(steps):
        if batches is None:
            x, y = inputs, targets
        else:
            index = batches.draw()
            x, y = _gather(inputs, index, 2), _gather(targets, index, target_dims)
        rate = lr(step) if callable(lr) else lr
        rate = rate.to(inputs).view(-1, 1, 1) if isinstance(rate, Tensor) and rate.dim() else rate
        if step % every == 0 and watch is not None:
            watched.append(watch(step, net))
        if update is None:
            outputs, tape = net.record(x)
            values = loss.value(outputs, y)
            net.descend_(tape, loss.slope(outputs, y).mul(rate / values.shape[-1]))
            values = values.mean(-1)
        else:
            values, grads = net.loss_and_grads(x, y, loss)
            net.params, state = update(net.params, grads, state, lr=rate)
        if step % every == 0:
            losses.append(values)
            kept.append(step)
        if progress is not None:
            progress(step + 1, steps)
    history = torch.stack(losses, 1) if losses else torch.empty(net.members, 0)
    return Fit(torch.tensor(kept), history, watched, state)
