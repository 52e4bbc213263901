"""The two-layer network and its gradient descent."""
from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from gradscape.diffusion.score_estimation.kernel import check_rate, ntk
from gradscape.lesson import generator
from gradscape.numerics.solve import top_singular
from gradscape.validate import at_least, finite


class ScoreMLP(nn.Module):
    """f_W(z) = (1/sqrt m) Σ_r a_r relu(w_r·z) with signs a_r fixed and W trained; zero at the start.

    ``dim``: outputs d (inputs are d + 2); ``width`` m, even: w_r ~ N(0, I) in pairs (w_r, a_r), (w_r, -a_r).
    """

    a: Tensor

    def __init__(self, dim: int, width: int, seed: int) -> None:
        super().__init__()
        half, odd = divmod(at_least("width", width, 2), 2)
        if odd:
            raise ValueError(f"width={width!r}: must be even, for pairs that cancel at the start")
        draws = generator(seed, 4)
        w = torch.randn(half, at_least("dim", dim, 1) + 2, generator=draws, dtype=torch.float64)
        a = 2.0 * torch.randint(2, (half, dim), generator=draws).double() - 1
        self.W = nn.Parameter(torch.cat([w, w]))
        self.register_buffer("a", torch.cat([a, -a]))

    def forward(self, z: Tensor) -> Tensor:
        """(n, d + 2) -> (n, d)."""
        return self._output(z @ self.W.mT)

    def _output(self, before: Tensor) -> Tensor:
        """The second layer on preactivations (n, m); pairs are subtracted first, so that zero is exactly zero."""
        half = len(self.a) // 2
        fired = before.relu()
        return (fired[:, :half] - fired[:, half:]) @ self.a[:half] / math.sqrt(len(self.W))

    @torch.no_grad()
    def gradient(self, Z: Tensor, Y: Tensor) -> Tensor:
        """Gradient in W of (1/2n) Σ|f(z_i) - y_i|², (m, d + 2)."""
        before = Z @ self.W.mT
        error = self._output(before) - Y
        return ((error @ self.a.mT) * (before > 0)).mT @ Z / (len(Z) * math.sqrt(len(self.W)))


@dataclass(frozen=True)
class Recorded:
    """Outputs on given inputs after some steps, (len(steps), n_test, d)."""

    steps: tuple[int, ...]
    outputs: Tensor


def train_gd(
    model: ScoreMLP, Z: Tensor, Y: Tensor, lr: float = 0.5, steps: int = 200, record: Sequence[int] = (),
    Z_test: Tensor | None = None, watch: Callable[[int, int], None] | None = None,
) -> Recorded:
    """Full-batch gradient descent on (1/2n) Σ|f(z_i) - y_i|²; outputs on ``Z_test`` after the steps of ``record``.

    ``ValueError`` for lr >= 2/ev_max of the kernel, or steps to record that are never taken.
    """
    at_least("steps", steps, 1)
    finite("Y", Y)
    check_rate(lr, float(top_singular(ntk(Z, Z) / len(Z)).s))
    if record and (min(record) < 0 or max(record) > steps):
        raise ValueError(f"record={tuple(record)}: steps must lie between 0 and {steps}")
    kept, test = [], Z if Z_test is None else Z_test
    with torch.no_grad():
        for k in range(steps + 1):
            if k in record:
                kept.append(model(test))
            if k < steps:
                model.W.sub_(model.gradient(Z, Y), alpha=lr)
            if watch is not None:
                watch(k, steps)
    return Recorded(tuple(sorted(set(record))), torch.stack(kept) if kept else torch.empty(0, len(test), Y.shape[1]))
