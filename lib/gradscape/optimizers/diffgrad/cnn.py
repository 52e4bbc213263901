"""The friction inside a small convolutional network (Dubey et al. 2019, arXiv 1909.11015, Sec. VI, at laptop scale)."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from gradscape import validate
from gradscape.ensemble import SharedBatches
from gradscape.optimizers.diffgrad.friction import friction
from gradscape.optimizers.diffgrad.networks import DECAY, DECAY_AFTER, Progress
from gradscape.optimizers.diffgrad.optimizer import DiffGrad, FrictionRecord

# The paper's Table I compares these at one learning rate, all other options at torch's defaults.
BASELINES: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "diffgrad": DiffGrad,
    "half": lambda params, lr: torch.optim.Adam(params, lr=lr / 2),
    "adam": torch.optim.Adam,
    "amsgrad": lambda params, lr: torch.optim.Adam(params, lr=lr, amsgrad=True),
    "rmsprop": torch.optim.RMSprop,
    "adagrad": torch.optim.Adagrad,
    "sgdm": lambda params, lr: torch.optim.SGD(params, lr=lr, momentum=0.9),
}


@dataclass(frozen=True)
class FrictionRun:
    """The friction of every weight of a CNN in training with diffGrad.

    ``records``: one `FrictionRecord` a step. ``snapshots`` (S, P): xi of all P weights at steps ``at`` (S,), counted
    from 1. ``gradient``: median |g| of each step. ``accuracy`` on the test images.
    """

    records: tuple[FrictionRecord, ...]
    at: Tensor
    snapshots: Tensor
    gradient: Tensor
    accuracy: float


def small_cnn(seed: int) -> nn.Sequential:
    """conv 5x5/2 (1 to 8), conv 5x5/2 (8 to 16), linear 784 to 10, with ReLU: images (B, 1, 28, 28) to scores (B, 10).

    Weights have torch's own initial law but come from ``seed`` alone.
    """
    g = torch.Generator().manual_seed(seed)
    layers = (nn.Conv2d(1, 8, 5, 2, 2), nn.Conv2d(8, 16, 5, 2, 2), nn.Linear(784, 10))
    with torch.no_grad():
        for layer in layers:
            weight, bias = layer.parameters()
            bound = weight[0].numel() ** -0.5
            for p in (weight, bias):
                p.copy_(torch.rand(p.shape, generator=g).mul_(2 * bound).sub_(bound))
    return nn.Sequential(layers[0], nn.ReLU(), layers[1], nn.ReLU(), nn.Flatten(), layers[2])


def weights(model: nn.Module) -> Tensor:
    """All parameters in one row (P,), a copy."""
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def train_cnn(
    model: nn.Module,
    data: tuple[Tensor, Tensor],
    optimizer: torch.optim.Optimizer,
    *,
    steps: int,
    seed: int,
    batch: int = 128,
    decay: bool = True,
    watch: Callable[[int], None] | None = None,
    progress: Progress | None = None,
) -> None:
    """Train in place; ``seed`` fixes the batches, ``decay`` divides the rate by ten in the last fifth of the steps.

    ``watch(step)`` is called when the gradients of step 1, 2, … are there and the step is not yet taken.
    """
    images, labels = data
    stream = SharedBatches(len(labels), batch, torch.Generator().manual_seed(seed))
    boundary = int(DECAY_AFTER * steps) if decay else steps
    schedule = torch.optim.lr_scheduler.MultiStepLR(optimizer, [boundary], gamma=DECAY)
    for step in range(1, steps + 1):
        rows = stream.draw()
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(images[rows]), labels[rows]).backward()
        if watch is not None:
            watch(step)
        optimizer.step()
        schedule.step()
        if progress is not None:
            progress(step, steps)


@torch.no_grad()
def accuracy(model: nn.Module, test: tuple[Tensor, Tensor]) -> float:
    """Share of test images with the right label."""
    return float((model(test[0]).argmax(-1) == test[1]).float().mean())


def watch_friction(
    data: tuple[Tensor, Tensor],
    test: tuple[Tensor, Tensor],
    *,
    steps: int,
    seed: int,
    lr: float = 1e-3,
    snapshots: int = 16,
    progress: Progress | None = None,
) -> FrictionRun:
    """Train the CNN with diffGrad and keep the friction of all its weights."""
    validate.at_least("snapshots", snapshots, 1)
    model = small_cnn(seed).to(data[0].device)
    optimizer = DiffGrad(model.parameters(), lr=lr, record_friction=True)
    at = sorted({round(1 + i * (steps - 1) / max(1, snapshots - 1)) for i in range(snapshots)})
    taken, sizes = [], []

    def watch(step: int) -> None:
        new = torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])
        sizes.append(new.abs().median())
        if step in at:
            old = [optimizer.state[p].get("previous_grad", torch.zeros_like(p)).flatten() for p in model.parameters()]
            taken.append(friction(torch.cat(old), new))

    train_cnn(model, data, optimizer, steps=steps, seed=seed, watch=watch, progress=progress)
    return FrictionRun(
        tuple(optimizer.friction_log), torch.tensor(at), torch.stack(taken), torch.stack(sizes), accuracy(model, test)
    )
