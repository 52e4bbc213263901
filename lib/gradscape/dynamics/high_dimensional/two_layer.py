"""Students with two trained layers: every width and data set in one stack (Advani & Saxe, nonlinear networks)."""
from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from gradscape.dynamics.high_dimensional.features import Curves, TaskData
from gradscape.ensemble import StackedMLP
from gradscape.lesson import replicate_seed
from gradscape.validate import at_least, positive


def checkpoint_steps(steps: int, checkpoints: int) -> Tensor:
    """Up to ``checkpoints`` whole steps from 0 to ``steps``, denser early on, both ends included."""
    at_least("steps", steps, 1)
    at_least("checkpoints", checkpoints, 2)
    spaced = torch.logspace(0, math.log10(steps + 1), checkpoints, dtype=torch.float64) - 1
    return spaced.round().long().unique()


def train_two_layer(
    task_data: TaskData,
    widths: Sequence[int],
    steps: int = 4000,
    lr: float = 0.2,
    init_scale: float = 1.0,
    checkpoints: int = 40,
    progress: Callable[[int, int], None] | None = None,
) -> Curves:
    """Train ReLU students ``f(x) = a·relu(Wᵀx)/√N_h`` by full-batch gradient descent on half the mean squared error.

    Advani & Saxe, nonlinear networks. ``W`` starts at N(0, 1/N), ``a`` at N(0, ``init_scale``²); all widths share the
    readout scale ``1/√N_h``, so that one ``lr`` suits them all. Narrow students are padded with hidden units whose
    weights are all zero: relu'(0) = 0 keeps them so, and a student's curve does not depend on its stack-mates. The
    student of width W on data set s draws from ``SeedSequence([task_data.seeds[s], W])``. ``times`` are steps.
    """
    positive("lr", lr)
    positive("init_scale", init_scale)
    if not len(widths):
        raise ValueError("widths is empty: at least one is needed")
    n_in, members = task_data.x.shape[-1], [(width, seed) for width in widths for seed in task_data.seeds]

    def init(layer: int, fan_in: int, fan_out: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        std = 1 / math.sqrt(n_in) if layer == 0 else init_scale
        return std * torch.randn(fan_in, fan_out, generator=generator), torch.zeros(fan_out)

    net = StackedMLP(
        (n_in, [width for width, _ in members], 1), len(members), param="ntk", bias=False, init=init,
        generators=[replicate_seed(seed, width) for width, seed in members],
    )
    # the stack divides both layers by √fan_in; only the readout is meant to be divided
    x, x_test = (_each_width(value.float() * math.sqrt(n_in), len(widths)) for value in (task_data.x, task_data.x_test))
    y, y_test = (_each_width(value.float(), len(widths)) for value in (task_data.y, task_data.y_test))
    kept = checkpoint_steps(steps, checkpoints)
    recorded, test, train = set(kept.tolist()), [], []
    for step in range(steps + 1):
        outputs, tape = net.record(x)
        error = outputs - y.unsqueeze(-1)
        if step in recorded:
            train.append(error.squeeze(-1).square().mean(-1))
            test.append((net.forward(x_test).squeeze(-1) - y_test).square().mean(-1))
        net.descend_(tape, error.mul_(lr / y.shape[-1]))
        if progress is not None:
            progress(step, steps)
    shape = (len(widths), len(task_data.seeds), -1)
    stacked = [torch.stack(values, 1).double().view(shape) for values in (test, train)]
    return Curves(tuple(widths), kept.double(), *stacked)


def _each_width(value: Tensor, widths: int) -> Tensor:
    """The data sets once per width, in the order of the stack's members."""
    return value.repeat(widths, *[1] * (value.ndim - 1)).contiguous()
