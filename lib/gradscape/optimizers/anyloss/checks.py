"""Checks of the formulas: closed forms against autograd, the published factor of 4, operations per iteration."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from gradscape.lesson import cached, generator
from gradscape.optimizers.anyloss.confusion import METRICS, SoftConfusion, resolve
from gradscape.optimizers.anyloss.gradients import metric_gradient, official_gmean_gradient
from gradscape.optimizers.anyloss.linear import LossSpec, fit_linear


@dataclass(frozen=True)
class GradientCheck:
    """Largest difference of closed form and autograd over all metrics; lowest and highest ratio of the official G."""

    error: float
    ratio: tuple[float, float]


@cached
def gradient_check(seed: int = 0, n: int = 200, batches: int = 20) -> GradientCheck:
    """M7: every metric on random logits near the decision surface, in float64."""
    g = generator(seed, 30_000)
    z = (0.2 * torch.randn(batches, n, generator=g, dtype=torch.float64)).requires_grad_()
    y = (torch.rand(batches, n, generator=g) < 0.3).double()
    y[:, 0], y[:, 1] = 0.0, 1.0
    p = torch.sigmoid(z)
    error = 0.0
    for name in METRICS:
        for beta in (0.5, 1.0, 2.0) if name == "fbeta" else (1.0,):
            loss = 1 - resolve(name, beta)(SoftConfusion.from_probabilities(p, y))
            (truth,) = torch.autograd.grad(loss.sum(), z, retain_graph=True)
            error = max(error, float((metric_gradient(name, p.detach(), y, beta=beta) - truth).abs().max()))
    ours, theirs = metric_gradient("gmean", p.detach(), y), official_gmean_gradient(p.detach(), y)
    live = ours.abs() > 1e-12  # outside the band both are too small for a ratio
    ratio = theirs[live] / ours[live]
    return GradientCheck(error, (float(ratio.min()), float(ratio.max())))


class _Count(TorchDispatchMode):
    """Counts the entries that tensor operations write, and the multiplications of products."""

    def __init__(self) -> None:
        super().__init__()
        self.entries = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        if isinstance(out, Tensor) and not getattr(func, "is_view", False):
            depth = args[0].shape[-1] if "bmm" in func.__name__ else 1
            self.entries += out.numel() * depth
        return out


@cached
def operations_ratio(n: int = 10_000, features: int = 3) -> float:
    """M9: arithmetic of one full-batch iteration, AnyLoss-F1 over BCE, counted instead of timed."""
    X = torch.ones(1, n, features, dtype=torch.float64)
    y = (torch.arange(n) % 10 == 0).double()
    return _per_iteration(X, y, LossSpec("fbeta")) / _per_iteration(X, y, LossSpec("bce"))


def _per_iteration(X: Tensor, y: Tensor, spec: LossSpec) -> int:
    """What a second iteration adds: set-up and checks cancel."""
    counts = []
    for iterations in (1, 2):
        with _Count() as count:
            fit_linear(X, y, [spec], iterations=iterations)
        counts.append(count.entries)
    return counts[1] - counts[0]
