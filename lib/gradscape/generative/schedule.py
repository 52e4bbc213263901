"""Noise schedules whose time runs from noise to data: ``alpha_bar`` rises with t (0 is noise, T is almost the datum).

z_t ~ N(sqrt(alpha_bar_t) u, (1 - alpha_bar_t) I). This is the direction of NoProp (Li, Teh & Pascanu 2025, arXiv
2503.24322), where u is a label's embedding. Ho, Jain & Abbeel (2020) and most diffusion code count the other way: their
alpha_bar falls with t. Flip such a schedule before it comes here; `check_schedule` refuses one that falls.
"""
from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from gradscape.validate import at_least, finite


class Coefficients(NamedTuple):
    """One posterior step z_t ~ N(a_t u + b_t z_{t-1}, c_t I), t = 1 … T: ``a``, ``b``, ``c``, ``snr_diff`` (T,).

    ``snr`` (T + 1,) is alpha_bar / (1 - alpha_bar), and snr_diff = snr_t - snr_{t-1} = a² / c.
    """

    a: Tensor
    b: Tensor
    c: Tensor
    snr: Tensor
    snr_diff: Tensor


def cosine_alpha_bar(T: int, *, dtype: torch.dtype = torch.float64) -> Tensor:
    """sin²(pi/2 (t + 1) / (T + 2)) for t = 0 … T: strictly inside (0, 1) at both ends; shape (T + 1,).

    Nichol & Dhariwal's cosine schedule (2021, eq. 17) with time turned round and the ends kept off 0 and 1.

    >>> cosine_alpha_bar(2)
    tensor([0.1464, 0.5000, 0.8536], dtype=torch.float64)
    """
    steps = torch.arange(1, at_least("T", T, 1) + 2, dtype=torch.float64)
    return torch.sin(0.5 * math.pi * steps / (T + 2)).square().to(dtype)


def linear_alpha_bar(T: int, *, dtype: torch.dtype = torch.float64) -> Tensor:
    """(t + 1) / (T + 2) for t = 0 … T: alpha_bar rises by equal steps; shape (T + 1,).

    >>> linear_alpha_bar(2)
    tensor([0.2500, 0.5000, 0.7500], dtype=torch.float64)
    """
    return (torch.arange(1, at_least("T", T, 1) + 2, dtype=torch.float64) / (T + 2)).to(dtype)


def check_schedule(alpha_bar: Tensor) -> Tensor:
    """Return ``alpha_bar`` (T + 1,) if it rises strictly inside (0, 1), T >= 1; ``ValueError`` otherwise.

    At 1 the signal-to-noise ratio is infinite, and so would be the weight of the last step.
    """
    values = torch.as_tensor(alpha_bar)
    if values.dim() != 1 or len(values) < 2 or not values.is_floating_point():
        raise ValueError(f"alpha_bar has shape {tuple(values.shape)}, {values.dtype}: (T + 1,) floats, T >= 1")
    finite("alpha_bar", values)
    if float(values.min()) <= 0 or float(values.max()) >= 1:
        raise ValueError(f"alpha_bar spans {float(values.min()):g} to {float(values.max()):g}: must lie inside (0, 1)")
    if not bool((values.diff() > 0).all()):
        raise ValueError(f"alpha_bar={values.tolist()}: must rise strictly (time runs from noise to data)")
    return values


def posterior_coefficients(alpha_bar: Tensor) -> Coefficients:
    """The step of q(z_t | z_{t-1}, u) (NoProp, eq. 6 and appendix A), from a schedule as `check_schedule` wants it.

    With r_t = alpha_bar_{t-1} / alpha_bar_t: a = sqrt(alpha_bar_t) (1 - r) / (1 - alpha_bar_{t-1}),
    b = sqrt(r) (1 - alpha_bar_t) / (1 - alpha_bar_{t-1}), c = (1 - alpha_bar_t) (1 - r) / (1 - alpha_bar_{t-1}).

    >>> posterior_coefficients(torch.tensor([0.25, 0.75])).snr_diff
    tensor([2.6667])
    """
    values = check_schedule(alpha_bar)
    before, now = values[:-1], values[1:]
    ratio, rest = before / now, 1 - before
    snr = values / (1 - values)
    a = now.sqrt() * (1 - ratio) / rest
    b = ratio.sqrt() * (1 - now) / rest
    c = (1 - now) * (1 - ratio) / rest
    return Coefficients(a, b, c, snr, snr.diff())


def sample_q(u: Tensor, alpha_bar_t: Tensor | float, *, generator: torch.Generator | None = None) -> Tensor:
    """Draw z_t ~ N(sqrt(alpha_bar_t) u, (1 - alpha_bar_t) I) directly (NoProp, eq. 5); broadcasts, u (…, B, d).

    ``ValueError`` for alpha_bar_t outside [0, 1] or u that is not finite.
    """
    finite("u", u)
    level = torch.as_tensor(alpha_bar_t, dtype=u.dtype, device=u.device)
    if not bool(((level >= 0) & (level <= 1)).all()):
        raise ValueError(f"alpha_bar_t={alpha_bar_t}: must lie in [0, 1]")
    shape = torch.broadcast_shapes(u.shape, level.shape)
    noise = torch.randn(shape, generator=generator, dtype=u.dtype, device=u.device)
    return level.sqrt() * u + (1 - level).sqrt() * noise
