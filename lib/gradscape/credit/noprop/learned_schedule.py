"""The learned schedule of NoProp-CT (appendix B): alpha_bar(t) = sigmoid(-gamma(t)), gamma falls with t."""
from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from gradscape import validate

STEEP = 4.0  # initial slope of each hidden unit; with their centers spread over [0, 1] gamma starts almost linear


class LearnedSchedule(nn.Module):
    """gamma(t) = gamma_0 + (gamma_1 - gamma_0) (1 - g(t)), g(t) = (h(t) - h(0)) / (h(1) - h(0)), h rising.

    h(t) = t + softplus(v) · tanh(softplus(w) t + b): positive weights make it rise. gamma(0) = gamma_1 is the noisy end
    and gamma(1) = gamma_0 the clean one; both, v, w and b learn. ``ValueError`` unless gamma1 > gamma0.

    >>> LearnedSchedule().alpha_bar(torch.tensor([0.0, 1.0]))
    tensor([0.0474, 0.9526], grad_fn=<SigmoidBackward0>)
    """

    def __init__(self, gamma0: float = -3.0, gamma1: float = 3.0, hidden: int = 32) -> None:
        super().__init__()
        for name, value in (("gamma0", gamma0), ("gamma1", gamma1)):
            validate.in_range(name, value, -50.0, 50.0)
        if not gamma1 > gamma0:
            raise ValueError(f"gamma1={gamma1!r}: must be above gamma0={gamma0!r} (t = 0 is the noisy end)")
        validate.at_least("hidden", hidden, 1)
        self.gamma0 = nn.Parameter(torch.tensor(float(gamma0)))
        self.gamma1 = nn.Parameter(torch.tensor(float(gamma1)))
        centers = (torch.arange(hidden) + 0.5) / hidden
        self.v = nn.Parameter(torch.full((hidden,), math.log(math.expm1(1 / hidden))))
        self.w = nn.Parameter(torch.full((hidden,), math.log(math.expm1(STEEP))))
        self.b = nn.Parameter(-STEEP * centers)

    def gamma(self, t: Tensor) -> Tensor:
        """gamma at times t in [0, 1], any shape."""
        return self._both(t)[0]

    def alpha_bar(self, t: Tensor) -> Tensor:
        """sigmoid(-gamma(t)), rising from noise to label."""
        return torch.sigmoid(-self.gamma(t))

    def snr(self, t: Tensor) -> Tensor:
        """alpha_bar / (1 - alpha_bar) = exp(-gamma)."""
        return torch.exp(-self.gamma(t))

    def snr_prime(self, t: Tensor) -> Tensor:
        """d snr / dt = -gamma'(t) exp(-gamma(t)) > 0: the weight of eq. 9."""
        gamma, slope = self._both(t)
        return -slope * torch.exp(-gamma)

    def grid(self, steps: int) -> Tensor:
        """alpha_bar(n / steps), n = 0 … steps, detached, in float64: a schedule for `posterior_coefficients`."""
        with torch.no_grad():
            return self.alpha_bar(torch.linspace(0, 1, validate.at_least("steps", steps, 1) + 1)).double()

    def _both(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """gamma and its derivative in closed form, so that learning needs no second pass of autograd."""
        if not bool(((t >= 0) & (t <= 1)).all()):
            raise ValueError(f"t spans {float(t.min()):g} to {float(t.max()):g}: must lie in [0, 1]")
        softplus = nn.functional.softplus
        v, w = softplus(self.v), softplus(self.w)
        unit = torch.tanh(w * t[..., None] + self.b)
        start, end = (v * torch.tanh(self.b)).sum(), 1 + (v * torch.tanh(w + self.b)).sum()
        rise = (t + (v * unit).sum(-1) - start) / (end - start)
        slope = (1 + (v * w * (1 - unit**2)).sum(-1)) / (end - start)
        span = self.gamma1 - self.gamma0
        return self.gamma0 + span * (1 - rise), -span * slope
