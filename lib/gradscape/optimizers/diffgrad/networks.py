"""Training networks with Adam, Adam at half the rate and diffGrad (Dubey et al. 2019, arXiv 1909.11015, Sec. VI).

Paired throughout: the members of one replicate share initial weights and the order of batches. All losses are means
over the batch; with sums Adam would be the same and diffGrad would not.
"""
from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from gradscape import validate
from gradscape.ensemble import INITS, SharedBatches, StackedMLP, Update, cross_entropy, fit
from gradscape.optimizers.diffgrad.functional import STATE, diffgrad_state, step_
from gradscape.optimizers.diffgrad.toys import OPTIMIZERS

Named = dict[str, Tensor]
Progress = Callable[[int, int], None]

EPS = 1e-8  # at loss scale 1; a scaled loss gets a scaled eps, so that Adam does not notice
DECAY_AFTER, DECAY = 0.8, 0.1  # the paper's schedule: 80 of 100 epochs at lr, the rest at lr / 10


@dataclass(frozen=True)
class Member:
    """How one network of a stack trains: ``optimizer`` "adam", "half" or "diffgrad", ``lr``, and its loss ``scale``."""

    optimizer: str
    lr: float
    scale: float = 1.0


@dataclass(frozen=True)
class Trained:
    """What became of M members that started alike: test ``accuracy`` (M,), ``weights`` and ``start`` (M, P), one row
    each.

    ``losses`` (M, K) are batch losses, divided by the member's loss scale, at ``steps`` (K,).
    """

    members: tuple[Member, ...]
    accuracy: Tensor
    weights: Tensor
    start: Tensor
    steps: Tensor
    losses: Tensor

    def index(self, optimizer: str, lr: float, scale: float = 1.0) -> int:
        """The row of one member."""
        return self.members.index(Member(optimizer, lr, scale))

    def distance(self, lr: float, scale: float, reference: str) -> float:
        """How far diffGrad ends from ``reference`` ("half" or "adam"), in units of its own way from the start."""
        own, other = self.index("diffgrad", lr, scale), self.index(reference, lr, scale)
        return float(trajectory_distance(self.weights[own], self.weights[other], self.start[own]))


class ScaledLoss:
    """A loss multiplied by one number a member (M,)."""

    def __init__(self, base: Any, scale: Tensor) -> None:
        self.base, self.scale = base, scale

    def value(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Loss of each example, (M, B)."""
        return self.base.value(outputs, targets) * self.scale.view(-1, 1)

    def slope(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Its derivative by the outputs, (M, B, O)."""
        return self.base.slope(outputs, targets) * self.scale.view(-1, 1, 1)


def trajectory_distance(a: Tensor, b: Tensor, ref: Tensor) -> Tensor:
    """||a - b|| / ||a - ref|| over the last axis: how far two runs are apart, in units of the first one's way from
    ``ref``.

    >>> trajectory_distance(torch.tensor([3.0, 4.0]), torch.tensor([3.0, 5.0]), torch.zeros(2))
    tensor(0.2000)
    """
    validate.same_shape(a=a, b=b, ref=ref)
    return torch.linalg.vector_norm(a - b, dim=-1) / torch.linalg.vector_norm(a - ref, dim=-1)


def stacked_update(members: Sequence[Member], variant: str = "dfc", device: str | torch.device = "cpu") -> Update:
    """Eq. (20) for ``ensemble.fit``: each member with its own friction and eps; its lr comes from ``fit``.

    Parameters are new at each step; the moments are the update's own and change in place.
    """
    rubbed = [i for i, member in enumerate(members) if member.optimizer == "diffgrad"]
    rows = torch.tensor(rubbed, dtype=torch.long, device=device)
    eps = torch.tensor([EPS * member.scale for member in members], device=device)[:, None, None]

    def update(params: Named, grads: Named, state: Any, *, lr: Any) -> tuple[Named, Any]:
        step, moments = state.get("step", 0) + 1, state.get("moments") or diffgrad_state(params)
        new = {name: value.clone() for name, value in params.items()}
        for name, param in new.items():
            own = (moments[key][name] for key in STATE)
            step_(param, grads[name], *own, step=step, lr=lr, eps=eps, variant=variant, rows=rows, stacked=True)
        return new, {"step": step, "moments": moments}

    return update


def rate_schedule(members: Sequence[Member], steps: int) -> Callable[[int], Tensor]:
    """Each member's rate (M,) by step: Adam at half the rate for "half", a tenth of it in the last fifth of the
    steps."""
    base = torch.tensor([member.lr * (0.5 if member.optimizer == "half" else 1.0) for member in members])
    return lambda step: base * (DECAY if step >= DECAY_AFTER * steps else 1.0)


def train_mlp(
    data: tuple[Tensor, Tensor],
    test: tuple[Tensor, Tensor],
    members: Sequence[Member],
    *,
    seed: int,
    epochs: int,
    hidden: int = 32,
    batch: int = 128,
    variant: str = "dfc",
    every: int = 5,
    progress: Progress | None = None,
) -> Trained:
    """Train a stack of 784-32-10 networks that share start and batches and differ only as ``members`` say.

    ``data`` and ``test``: images (N, d) and labels (N,). Layer 1 has He's initial weights, layer 2 N(0, 1 / hidden),
    biases start at 0. ``every``: losses are kept at every so many steps.
    """
    inputs, labels = data
    for member in members:
        validate.one_of("optimizer", member.optimizer, tuple(OPTIMIZERS))
    net = StackedMLP(
        (inputs.shape[1], hidden, int(labels.max()) + 1), len(members), init=_start, generators=[seed] * len(members),
        device=inputs.device,
    )
    start = _rows(net)
    steps = epochs * (len(labels) // batch)
    scale = torch.tensor([member.scale for member in members], device=inputs.device)
    record = fit(
        net, data, loss=ScaledLoss(cross_entropy, scale), lr=rate_schedule(members, steps),
        update=stacked_update(members, variant, inputs.device), steps=steps, every=every, progress=progress,
        batches=SharedBatches(len(labels), batch, torch.Generator().manual_seed(seed)),
    )
    accuracy = (net.forward(test[0]).argmax(-1) == test[1]).float().mean(-1)
    losses = record.losses / scale[:, None]
    return Trained(tuple(members), accuracy.cpu(), _rows(net).cpu(), start.cpu(), record.steps, losses.cpu())


def _start(layer: int, fan_in: int, fan_out: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    return INITS["lecun" if layer else "kaiming"](layer, fan_in, fan_out, generator)


def _rows(net: StackedMLP) -> Tensor:
    """All parameters of each member in one row (M, P)."""
    return torch.cat([value.flatten(1) for value in net.params.values()], 1)
