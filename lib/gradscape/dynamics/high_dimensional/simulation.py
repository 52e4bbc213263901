"""Draws of the linear teacher–student task at finite N, solved exactly in time or by an honest gradient loop.

Advani & Saxe, arXiv 1710.03667: inputs ``X`` are N × P with entries N(0, 1/N), targets ``y = Xᵀw̄ + ε``, and the
student follows ``dw/dt = X(y - Xᵀw)``.
"""
from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from gradscape.dynamics.high_dimensional.theory import LinearTask, mode_errors, response_at
from gradscape.numerics.rmt import as_float64
from gradscape.numerics.spectral import gain
from gradscape.validate import at_least, finite, one_of, positive

STABLE = 0.05  # default step of the gradient loop times the largest eigenvalue: close to gradient flow
WELL_POSED = 2  # from this many examples per weight on λ₊/λ₋ < 40: squaring X for its small Gram matrix costs no digit
NULL = 1e-10  # a squared singular value below this share of the largest is a direction in which no example points


@dataclass(frozen=True)
class Draw:
    """One data set: inputs ``X`` (N, P), targets ``y`` (P,), teacher and initial weights (N,), float64."""

    X: Tensor
    y: Tensor
    teacher: Tensor
    start: Tensor


@dataclass(frozen=True)
class Runs:
    """Errors over time of several draws: ``gen`` and ``train`` (S, T), ``eigenvalues`` (S, min(N, P)) ascending.

    The training error of ``average="teacher"`` is averaged as well. ``times`` (T,) are those really reached.
    """

    times: Tensor
    gen: Tensor
    train: Tensor
    eigenvalues: Tensor


def draw(task: LinearTask, n_features: int, seed: int) -> Draw:
    """Draw teacher, inputs, noise and initial weights for ``P = round(alpha N)`` examples (Advani & Saxe, model)."""
    n = at_least("n_features", n_features, 1)
    P = max(1, round(task.alpha * n))
    generator = torch.Generator().manual_seed(seed)
    teacher, start, noise, X = (
        torch.randn(*shape, generator=generator, dtype=torch.float64) for shape in ((n,), (n,), (P,), (n, P))
    )
    X = X / math.sqrt(n)
    teacher, start = math.sqrt(task.var_teacher) * teacher, math.sqrt(task.var_init) * start
    return Draw(X, X.T @ teacher + math.sqrt(task.var_noise) * noise, teacher, start)


def simulate(
    task: LinearTask,
    n_features: int,
    times: Tensor | Sequence[float],
    seeds: Sequence[int],
    method: str = "spectral",
    lr: float | None = None,
    average: str = "none",
    progress: Callable[[int, int], None] | None = None,
) -> Runs:
    """Train one student per seed and return its errors at ``times`` (Advani & Saxe, simulations beside the theory).

    ``method="spectral"`` solves gradient flow exactly from one singular value decomposition per draw; ``"gd"`` takes
    real steps of size ``lr`` (default: 0.05 over the largest eigenvalue) and reports the step nearest to each time.
    ``average="teacher"`` keeps only the drawn spectrum and averages teacher, noise and initial weights analytically.
    Raises ``ValueError`` for no seeds, negative times, ``lr`` without ``"gd"``, or an average of the gradient loop.

    >>> simulate(LinearTask(2.0, 0.75, 0.25), 50, [0.0, 1.0], seeds=[0, 1]).gen.shape
    torch.Size([2, 2])
    """
    times = as_float64("times", torch.as_tensor(times, dtype=torch.float64), low=0.0).flatten()
    one_of("method", method, ("spectral", "gd"))
    one_of("average", average, ("none", "teacher"))
    if not len(seeds):
        raise ValueError("seeds is empty: at least one is needed")
    if method == "gd" and average == "teacher":
        raise ValueError("average='teacher': the gradient loop trains on one teacher; use method='spectral'")
    if method == "spectral" and lr is not None:
        raise ValueError(f"lr={lr!r}: only method='gd' takes steps")
    if method == "gd":
        return gradient_loop(task, [draw(task, n_features, seed) for seed in seeds], times, lr, progress)
    solve, solved = (_averaged if average == "teacher" else _exact), []
    for done, seed in enumerate(seeds):
        solved.append(solve(task, draw(task, n_features, seed), times))
        if progress is not None:
            progress(done + 1, len(seeds))
    gen, train, spectra = (torch.stack(parts) for parts in zip(*solved, strict=True))
    return Runs(times, gen, train, spectra)


def _exact(task: LinearTask, one: Draw, times: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Errors of gradient flow on one draw: each mode by its closed form, the frozen rest once."""
    n, P = one.X.shape
    V, s, target = _modes(one.X, one.y)
    lam = s**2
    start, teacher = V.T @ one.start, V.T @ one.teacher
    t = times.unsqueeze(-1)
    z = start * (1.0 - gain(lam, t)) + response_at(lam, t) * s * target
    # what lies outside the span of the data: weights that never move, residuals that no weight reaches
    frozen = ((one.teacher - one.start).square().sum() - (teacher - start).square().sum()).clamp(min=0.0)
    unreachable = (one.y.square().sum() - target.square().sum()).clamp(min=0.0)
    gen = ((z - teacher).square().sum(-1) + frozen) / n + task.var_noise
    train = ((target - s * z).square().sum(-1) + unreachable) / P
    return gen, train, lam.sort().values


def _modes(X: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Left singular vectors (N, k) and singular values (k,) of ``X``, and ``y`` along its right singular vectors."""
    if X.shape[1] >= WELL_POSED * X.shape[0]:
        lam, V = torch.linalg.eigh(X @ X.T)
        s = lam.sqrt()
        return V, s, V.T @ (X @ y) / s
    V, s, Uh = torch.linalg.svd(X, full_matrices=False)
    return V, s, Uh @ y


def _averaged(task: LinearTask, one: Draw, times: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The same averaged over teacher, noise and start: the spectrum is all that is left of the draw."""
    n, P = one.X.shape
    gram = one.X @ one.X.T if n <= P else one.X.T @ one.X
    lam = torch.linalg.eigvalsh(gram).clamp(min=0.0)
    t = times.unsqueeze(-1)
    gen = (mode_errors(task, lam, t).sum(-1) + (n - len(lam)) * task.start) / n + task.var_noise
    kept = (1.0 - gain(lam, t)).square()
    train = (kept @ (lam * task.start + task.var_noise) + (P - len(lam)) * task.var_noise) / P
    return gen, train, lam


def gradient_loop(
    task: LinearTask, draws: list[Draw], times: Tensor, lr: float | None, progress: Callable[[int, int], None] | None
) -> Runs:
    """All draws as one stack, ``w ← w - lr ∂L/∂w`` step by step; nothing is diagonalized (Advani & Saxe, student)."""
    X, y, teacher, w = (torch.stack([getattr(one, name) for one in draws]) for name in ("X", "y", "teacher", "start"))
    top = torch.linalg.matrix_norm(X, 2).max().item() ** 2
    lr = STABLE / top if lr is None else positive("lr", lr)
    steps = (times / lr).round().long()
    last, row = int(steps.max()), {int(step): i for i, step in enumerate(steps.unique())}
    gen, train = [], []
    for step in range(last + 1):
        residual = y - torch.einsum("snp,sn->sp", X, w)
        if step in row:
            gen.append((w - teacher).square().mean(-1) + task.var_noise)
            train.append(residual.square().mean(-1))
        w = w + lr * torch.einsum("snp,sp->sn", X, residual)
        if progress is not None:
            progress(step, max(last, 1))
    pick = torch.tensor([row[int(step)] for step in steps])
    spectra = torch.linalg.svdvals(X).square().flip(-1)
    return Runs(steps * lr, torch.stack(gen, 1)[:, pick], torch.stack(train, 1)[:, pick], spectra)


def frozen_projector(X: Tensor) -> Tensor:
    """Projector (N, N) on the null space of ``X Xᵀ``: the directions that never learn (Advani & Saxe, frozen subspace).

    ``X``: inputs (N, P). Its trace is N minus the number of independent examples.
    """
    finite("X", X)
    if X.ndim != 2:
        raise ValueError(f"X: shape {tuple(X.shape)}; must be (N, P)")
    V, s, _ = torch.linalg.svd(torch.as_tensor(X, dtype=torch.float64), full_matrices=False)
    V = V[:, s.square() > NULL * s[0].square()]
    return torch.eye(len(X), dtype=torch.float64) - V @ V.T


def learned_change(w0: Tensor, wt: Tensor, X: Tensor) -> tuple[float, float]:
    """Norms of ``w(t) - w(0)`` inside the frozen subspace and outside it (Advani & Saxe, frozen subspace).

    ``w0``, ``wt``: weights (N,); ``X``: inputs (N, P). Training by gradients leaves the first at 0.
    """
    change = torch.as_tensor(wt, dtype=torch.float64) - torch.as_tensor(w0, dtype=torch.float64)
    if change.shape != X.shape[:1]:
        raise ValueError(f"weights {tuple(change.shape)} do not fit X {tuple(X.shape)}; must be (N,) and (N, P)")
    frozen = frozen_projector(X) @ change
    return float(frozen.norm()), float((change - frozen).norm())
