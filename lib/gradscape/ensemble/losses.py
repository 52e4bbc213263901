"""Per-example losses with their slopes: what a stacked network needs to know about its objective.

Any object with ``value(outputs, targets) -> (..., B)`` and ``slope(outputs, targets)``, shaped like ``outputs``, is a
loss: the scaled hinge of lazy training, a surrogate of an F-score, a masked error.
"""
from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor


class Loss(Protocol):
    """A per-example loss; outputs are (M, B, O), targets (B, ...) or (M, B, ...)."""

    def value(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Loss of each example, (M, B)."""
        ...

    def slope(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Derivative of each example's loss by its outputs, (M, B, O)."""
        ...


def align(outputs: Tensor, targets: Tensor) -> Tensor:
    """Return real targets with the output axis that scalar targets lack: (B,) or (M, B) become (B, 1) or (M, B, 1)."""
    if outputs.shape[-1] == 1 and tuple(targets.shape) in (tuple(outputs.shape[:-1]), tuple(outputs.shape[-2:-1])):
        targets = targets.unsqueeze(-1)
    try:
        return targets.expand(outputs.shape)
    except RuntimeError as error:
        shapes = f"outputs {tuple(outputs.shape)}, targets {tuple(targets.shape)}"
        raise ValueError(f"targets do not match outputs: {shapes}") from error


class MeanSquaredError:
    """Mean over outputs of ``(F - y)^2``; its batch mean is ``torch.nn.MSELoss``."""

    def value(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Loss of each example, (M, B)."""
        return (outputs - align(outputs, targets)).square().mean(-1)

    def slope(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """``2 (F - y) / O``, (M, B, O)."""
        return (outputs - align(outputs, targets)).mul_(2 / outputs.shape[-1])


class CrossEntropy:
    """``log sum exp F - F_y`` for class indices y; its batch mean is ``torch.nn.CrossEntropyLoss``."""

    @staticmethod
    def _index(outputs: Tensor, targets: Tensor) -> Tensor:
        if targets.is_floating_point():
            raise ValueError(f"targets have dtype {targets.dtype}: cross-entropy needs class indices (long)")
        return targets.expand(outputs.shape[:-1]).unsqueeze(-1)

    def value(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Loss of each example, (M, B)."""
        chosen = outputs.gather(-1, self._index(outputs, targets)).squeeze(-1)
        return torch.logsumexp(outputs, -1) - chosen

    def slope(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """``softmax(F) - onehot(y)``, (M, B, O)."""
        index = self._index(outputs, targets)
        ones = torch.ones((), dtype=outputs.dtype, device=outputs.device).expand(index.shape)
        return torch.softmax(outputs, -1).scatter_add_(-1, index, -ones)


mse = MeanSquaredError()
cross_entropy = CrossEntropy()
