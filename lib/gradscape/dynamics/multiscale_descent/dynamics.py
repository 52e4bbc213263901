"""Gradient descent on drawn data: exact in time by its eigenmodes, and as the honest loop (Pezeshki et al., Eqs. 9-10).

The loss is the *sum* of squared errors plus ``λ‖ŵ‖²`` and the step ``η = 1/(L + λ)`` with the top eigenvalue L of XᵀX:
the top mode is learned in the first step. A mean loss (``MSELoss``) has gradients smaller by n/2.
"""
from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from gradscape.dynamics.multiscale_descent.theory import Orders, TwoScale, penalties
from gradscape.numerics.rmt import as_float64
from gradscape.numerics.spectral import gain
from gradscape.validate import at_least, in_range, nonnegative, positive

Schedule = Callable[[Tensor], Tensor]

NULL = 1e-15  # a singular value below this share of the largest, times d, is a direction in which no example points
FADED = 1e-16  # a relative penalty below this changes no digit of a step
CHUNK = 400_000  # entries of gram matrices held at once: 40 data sets of 100 features


@dataclass(frozen=True)
class Data:
    """Data sets of one task: ``X`` (S, n, d), ``y`` (S, n), ``F`` (S, d, d), teachers ``W`` and factors ``Z``."""

    task: TwoScale
    X: Tensor
    y: Tensor
    F: Tensor
    W: Tensor
    Z: Tensor


def modulation(task: TwoScale, generator: torch.Generator, rotated: bool = True) -> Tensor:
    """The modulation matrix ``F = U S Vᵀ`` (d, d) with random orthogonal U and V (paper, model).

    ``rotated=False``: S itself, which by rotation invariance has the same distribution of R and Q.
    """
    if not rotated:
        return torch.diag(task.scales)
    normal = torch.randn(2, task.d, task.d, generator=generator, dtype=torch.float64)
    q, r = torch.linalg.qr(normal)
    # the signs of R's diagonal make the law of Q uniform over the rotations
    U, V = q * r.diagonal(dim1=-2, dim2=-1).sign().unsqueeze(-2)
    return U * task.scales @ V.T


def sample(task: TwoScale, seeds: Sequence[int], rotated: bool = False) -> Data:
    """Draw one data set per seed: factors, teacher, label noise and, if ``rotated``, the rotations (paper, model)."""
    if not len(seeds):
        raise ValueError("seeds is empty: at least one is needed")
    parts = []
    for seed in seeds:
        generator = torch.Generator().manual_seed(seed)
        Z, W, noise = (torch.randn(*shape, generator=generator, dtype=torch.float64)
                       for shape in ((task.n, task.d), (task.d,), (task.n,)))
        Z = Z / math.sqrt(task.d)
        F = modulation(task, generator, rotated)
        parts.append((Z @ F, Z @ W + task.noise * noise, F, W, Z))
    return Data(task, *(torch.stack(entries) for entries in zip(*parts, strict=True)))


def eigenmodes(X: Tensor) -> tuple[Tensor, Tensor]:
    """Eigenvalues λ (…, m), descending, of XᵀX and their vectors (…, d, m), m = min(n, d), from X itself.

    Squaring X would lose slow modes: they lie κ² below the fast ones, at κ = 1e5 beyond the digits of a float64.
    Directions that no example shows are left out, or have exactly 0.
    """
    _, s, Vh = torch.linalg.svd(X, full_matrices=False)
    return torch.where(s > NULL * X.shape[-1] * s[..., :1], s, torch.zeros_like(s)).square(), Vh.mT


@dataclass(frozen=True)
class Modes:
    """The m = min(n, d) eigenmodes of XᵀX for S data sets: all that R and Q of any spectral learner need.

    ``lam`` (S, m) descending; ``gram`` (S, m, m) = (F̃ᵀF̃) ∘ (F̃⁻¹F̃⁻ᵀ) with F̃ = FV, so that ‖F̃ K F̃⁻¹‖² = kᵀ gram k for
    all times at once; ``power`` (S, m) = diag(F̃ᵀF̃), through which label noise enters; ``d``: features.
    """

    lam: Tensor
    gram: Tensor
    power: Tensor
    d: int

    @classmethod
    def of(cls, X: Tensor, F: Tensor) -> Modes:
        """From inputs X (S, n, d) and an invertible F, (d, d) or (S, d, d)."""
        lam, V = eigenmodes(X)
        forward, back = F @ V, V.mT @ torch.linalg.inv(F)
        squared = forward.mT @ forward
        return cls(lam, squared * (back @ back.mT), squared.diagonal(dim1=-2, dim2=-1), X.shape[-1])

    @property
    def top(self) -> Tensor:
        """The largest eigenvalue of each data set, (S, 1)."""
        return self.lam[:, :1]

    def orders(self, k: Tensor, noise: float) -> Orders:
        """R and Q, (S, T), for mode gains k (S, T, m), averaged over teacher and label noise (paper, Eqs. 9-10)."""
        Q = ((k @ self.gram) * k).sum(-1) / self.d
        if noise:
            seen = self.lam > 0
            spread = torch.where(seen, self.power / torch.where(seen, self.lam, torch.ones_like(self.lam)), 0.0)
            Q = Q + noise**2 / self.d * torch.einsum("stm,sm->st", k * k, spread)
        return Orders(k.sum(-1) / self.d, Q)


@lru_cache(maxsize=16)
def modes_of(n: int, d: int, p: int, kappa: float, seeds: tuple[int, ...]) -> Modes:
    """The eigenmodes of the data sets that :func:`sample` draws (F diagonal); kept, whatever noise and penalty."""
    task = TwoScale(n, d, p, kappa)
    return Modes.of(sample(task, seeds).X, torch.diag(task.scales))


def _chunks(task: TwoScale, seeds: Sequence[int]) -> Iterator[Modes]:
    """Eigenmodes of a few data sets at a time."""
    if not len(seeds):
        raise ValueError("seeds is empty: at least one is needed")
    few = max(1, CHUNK // task.d**2)
    for first in range(0, len(seeds), few):
        yield modes_of(task.n, task.d, task.p, float(task.kappa), tuple(seeds[first : first + few]))


def _orders(task: TwoScale, seeds: Sequence[int], gains: Callable[[Modes], Tensor]) -> Orders:
    """R and Q, (S, T), for the gains (s, T, m) that each batch of modes has."""
    parts = [modes.orders(gains(modes), task.noise) for modes in _chunks(task, seeds)]
    return Orders(torch.cat([part.R for part in parts]), torch.cat([part.Q for part in parts]))


def exact_dynamics(task: TwoScale, t: float | Tensor, seeds: Sequence[int], flow: bool = False) -> Orders:
    """R and Q, (S, T), after t steps of gradient descent on each seed's data (paper, Eqs. 9-10).

    Averaged over teacher and label noise in closed form. ``t`` (T,) >= 0, real: |1 - η(λ_i + λ)|^t. ``flow=True``:
    gradient flow for time ηt, which differs for t < 10 because descent kills the largest mode in one step.
    """
    t = as_float64("t", t, low=0.0).flatten()
    return _orders(task, seeds, lambda modes: descent_gains(modes, t, task.l2, flow))


def descent_gains(modes: Modes, t: Tensor, l2: float, flow: bool = False) -> Tensor:
    """Mode gains ``(1 - |1 - η(λ_i + λ)|^t) λ_i/(λ_i + λ)``, (S, T, m), at times t (T,) (paper, Eqs. 9-10)."""
    # λ_i + λ over L + λ: never above 1, not even by rounding
    step = ((modes.lam + l2) / (modes.top + l2)).unsqueeze(1)
    t = t.unsqueeze(-1)
    learned = gain(step, t) if flow else gain(step, t, "gd", lr=1.0)
    return learned * _shrunk(modes.lam, l2).unsqueeze(1)


def _shrunk(lam: Tensor, r: float | Tensor) -> Tensor:
    """``λ/(λ + r)``, and 0 where ``λ = 0``."""
    return torch.where(lam > 0, lam / torch.where(lam > 0, lam + r, torch.ones_like(lam + r)), 0.0)


def exact_ridge(task: TwoScale, r: float | Tensor, seeds: Sequence[int]) -> Orders:
    """R and Q, (S, T), of ridge regression at penalties r (T,) on each seed's data (paper, Fig. 3).

    Averaged over teacher and label noise. r = 0 is the solution of least norm; ``task.l2`` is not added.
    """
    r = penalties("r", r).flatten()
    return _orders(task, seeds, lambda modes: _shrunk(modes.lam.unsqueeze(1), r.unsqueeze(-1)))


def gradient_descent(
    data: Data, steps: int, checkpoints: Sequence[int], q_penalty: Schedule | None = None
) -> Orders:
    """The loop itself, on all data sets at once: R and Q, (S, T), after the numbers of steps in ``checkpoints``.

    ``ŵ ← ŵ - η[((1 + a_t) XᵀX + λ)ŵ - Xᵀy]`` from ŵ = 0, with ``a_t = q_penalty(t)`` (0 if left out; paper, Fig. 6).
    R and Q are those of this one teacher. ``ValueError`` for a checkpoint that is no whole number from 0 to ``steps``.
    """
    at_least("steps", steps, 0)
    for step in checkpoints:
        if at_least("checkpoints", step, 0) > steps:
            raise ValueError(f"checkpoints: {step!r} must be at most steps={steps}")
    d, l2 = data.task.d, data.task.l2
    gram, target = data.X.mT @ data.X, torch.einsum("snd,sn->sd", data.X, data.y)
    top = torch.linalg.eigvalsh(gram)[:, -1:]
    eta = 1.0 / (top + l2)
    extra = _checked(q_penalty, steps, top, l2) if q_penalty is not None else torch.zeros(steps, dtype=torch.float64)
    w, wanted, kept = torch.zeros_like(target), set(checkpoints), {}
    for step in range(steps + 1):
        if step in wanted:
            seen = torch.einsum("sij,sj->si", data.F, w)
            kept[step] = ((data.W * seen).sum(-1) / d, seen.square().sum(-1) / d)
        if step < steps:
            w = w - eta * ((1.0 + extra[step]) * torch.einsum("sij,sj->si", gram, w) + l2 * w - target)
    R, Q = (torch.stack([kept[int(step)][i] for step in checkpoints], -1) for i in (0, 1))
    return Orders(R, Q)


# ---- penalizing Q ----------------------------------------------------------------------------------------------------


def q_schedule(a0: float = 0.6, rate: float = 1e-3) -> Schedule:
    """The decaying penalty on Q, ``a_t = a_0 ln(1 + e^{-rate t})/ln 2``: a_0 at t = 0, gone after some 1/rate (Fig. 6).

    >>> q_schedule()(torch.tensor(0.0)).item()
    0.6
    """
    nonnegative("a0", a0)
    positive("rate", rate)

    def schedule(t: Tensor) -> Tensor:
        t = torch.as_tensor(t, dtype=torch.float64)
        return a0 * torch.log1p(torch.exp(-rate * t)) / math.log(2.0)

    return schedule


def _checked(schedule: Schedule, steps: int, top: Tensor, l2: float) -> Tensor:
    """``a_0 … a_{steps - 1}``; ``ValueError`` if they rise or the first makes the top mode diverge."""
    a = torch.as_tensor(schedule(torch.arange(max(steps, 1), dtype=torch.float64)), dtype=torch.float64)
    if not bool((a >= 0).all()) or bool((a.diff() > 0).any()):
        raise ValueError("schedule: must be >= 0 and never rise, so that it can be left out once it has faded")
    bound = float((1.0 + l2 / top).min())  # η((1 + a)L + λ) < 2
    in_range("schedule at t = 0", float(a[0]), 0.0, bound, open_high=True)
    return a


def q_regularised(task: TwoScale, t: Tensor, seeds: Sequence[int], schedule: Schedule) -> Orders:
    """R and Q, (S, T), after t whole steps of descent with a decaying penalty on Q (paper, Fig. 6).

    In mode space ``k ← k - η[(λ_i(1 + a_t) + λ)k - λ_i]``: a recursion of d numbers per data set, until ``a_t`` is
    below 1e-16, exact in time from there. ``ValueError`` for a fractional t, a rising schedule, or one that starts at 1
    or above (without ridge): steps of 1/L then diverge in the top mode.
    """
    t = as_float64("t", t, low=0.0).flatten()
    if bool((t != t.round()).any()):
        raise ValueError("t: must hold whole numbers of steps")
    return _orders(task, seeds, lambda modes: _penalized_gains(modes, t, task.l2, schedule))


def _penalized_gains(modes: Modes, t: Tensor, l2: float, schedule: Schedule) -> Tensor:
    last, times = int(t.max()), torch.cat([t, torch.logspace(0, 7, 141, dtype=torch.float64).round()]).unique()
    faded = times[schedule(times) < FADED]
    switch = min(last, int(faded[0])) if len(faded) else last
    a = _checked(schedule, switch, modes.top, l2).tolist()
    eta = 1.0 / (modes.top + l2)
    drive, shrink = (eta * modes.lam).numpy(), (eta * (modes.lam + l2)).numpy()
    k, wanted, kept = 0.0 * drive, {int(step) for step in t if step <= switch}, {}
    for step in range(switch + 1):
        if step in wanted:
            kept[step] = k.copy()
        if step < switch:
            k += drive - (shrink + a[step] * drive) * k
    early = torch.from_numpy(np.stack([kept.get(int(step), k) for step in t], 1))
    fixed = _shrunk(modes.lam, l2).unsqueeze(1)
    since = (t - switch).clamp(min=0.0).unsqueeze(-1)
    rest = 1.0 - gain(torch.from_numpy(shrink).clamp(max=1.0).unsqueeze(1), since, "gd", lr=1.0)
    later = fixed + (torch.from_numpy(k).unsqueeze(1) - fixed) * rest
    return torch.where((t <= switch).unsqueeze(-1), early, later)
