"""Two groups of features with two speeds: what is known in closed form (Pezeshki et al., arXiv 2112.03215).

Latent factors ``z ~ N(0, I/d)``, teacher ``y = zᵀW + ε``; the student sees ``x = Fᵀz`` with p singular values 1 and
d - p singular values 1/κ. Everything hangs on two numbers, the alignment ``R = WᵀFŵ/d`` and the modulated norm
``Q = ŵᵀFᵀFŵ/d``. Penalties r belong to the *sum* of squared errors; errors are measured on noiseless test labels.
"""
from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from gradscape.numerics.equivalents import effective_penalty
from gradscape.numerics.rmt import as_float64
from gradscape.validate import at_least, in_range, nonnegative, one_of, positive


@dataclass(frozen=True)
class TwoScale:
    """The task: n examples of d latent factors, of which p are fast and d - p are κ times weaker (paper, model).

    ``noise``: standard deviation σ of the label noise; ``l2``: ridge coefficient λ of the sum of squares. Raises
    ``ValueError`` for n < 1, p outside (0, d), κ < 1, negative noise or l2, and for NaN or infinities.

    >>> TwoScale(n=150, p=60).counts
    (60, 40)
    """

    n: int = 110
    d: int = 100
    p: int = 70
    kappa: float = 30.0
    noise: float = 0.0
    l2: float = 0.0

    def __post_init__(self) -> None:
        at_least("n", self.n, 1)
        at_least("d", self.d, 2)
        if at_least("p", self.p, 1) >= self.d:
            raise ValueError(f"p={self.p!r}: must be below d={self.d}, so that there are slow features too")
        in_range("kappa", self.kappa, 1.0, math.inf, open_high=True)
        nonnegative("noise", self.noise)
        nonnegative("l2", self.l2)

    @property
    def counts(self) -> tuple[int, int]:
        """Numbers of fast and slow features, ``(p, d - p)``."""
        return self.p, self.d - self.p

    @property
    def scales(self) -> Tensor:
        """Singular values of the modulation matrix, (d,): p times 1, then d - p times 1/κ."""
        return torch.cat([torch.ones(self.p, dtype=torch.float64),
                          torch.full((self.d - self.p,), 1.0 / self.kappa, dtype=torch.float64)])

    @property
    def threshold(self) -> float:
        """The usual edge ``(√n + √p)²/d`` of the fast features' spectrum: 1/η for κ ≫ 1."""
        return (math.sqrt(self.n) + math.sqrt(self.p)) ** 2 / self.d


@dataclass(frozen=True)
class Orders:
    """Order parameters R and Q of any shape, and the error ``E = ½(1 - 2R + Q)`` on noiseless labels (paper, model)."""

    R: Tensor
    Q: Tensor

    @property
    def E(self) -> Tensor:
        """Generalization error; add σ²/2 for noisy test labels."""
        return 0.5 * (1.0 - 2.0 * self.R + self.Q)


@dataclass(frozen=True)
class Blocks(Orders):
    """Order parameters with the shares of the fast and of the slow features, which add up to them."""

    fast: Orders
    slow: Orders


def penalties(name: str, r: float | Tensor) -> Tensor:
    """Penalties as float64, any shape; ``ValueError`` unless all are >= 0 (infinity allowed, NaN not)."""
    made = torch.as_tensor(r, dtype=torch.float64)
    if made.numel() == 0 or not bool((made >= 0).all()):
        raise ValueError(f"{name}: shape {tuple(made.shape)}; needs entries, all >= 0 and none NaN")
    return made


def _ridge_of_block(n: int, d: int, count: int, scale: float, r: Tensor) -> Tensor:
    """``a`` of one block (paper, Eqs. 14-16): 1 + ½(√(x² + 4λ̃) - x), x = 1 - α - λ̃, free of cancellation."""
    alpha, penalty = n / count, r * d / (count * scale**2)
    finite = torch.where(torch.isinf(penalty), torch.ones_like(penalty), penalty)
    x = 1.0 - alpha - finite
    root = (x * x + 4.0 * finite).sqrt()
    # at x > 0 the second form loses its digits, at x < 0 the first
    a = 1.0 + torch.where(x > 0, 2.0 * finite / (x.clamp(min=0.0) + root), 0.5 * (root - x))
    return torch.where(torch.isinf(penalty), penalty, a)


def _combine(task: TwoScale, a_fast: Tensor, a_slow: Tensor) -> Blocks:
    """R and Q of both blocks from their ``a`` (paper, Eqs. 14-16): each is the other's label noise."""
    ratio, target = task.n / task.d, 1.0 + task.noise**2
    R, b, c = [], [], []
    for a, count in zip((a_fast, a_slow), task.counts, strict=True):
        alpha = task.n / count
        R.append(ratio / a)
        b.append(torch.where(torch.isinf(a), torch.zeros_like(a), alpha / (a * a - alpha)))
        c.append(target - ratio * (2.0 / a - 1.0))
    c = [c[0] - 2.0 * R[1], c[1] - 2.0 * R[0]]
    loop = b[0] * b[1]
    # past 1 each block would amplify the other's noise without end: the approximation has no solution there
    rest = torch.where(loop < 1.0, 1.0 - loop, torch.full_like(loop, math.nan))
    Q = [b[i] * (c[i] + b[1 - i] * c[1 - i]) / rest for i in (0, 1)]
    return Blocks(R[0] + R[1], Q[0] + Q[1], Orders(R[0], Q[0]), Orders(R[1], Q[1]))


def fast_slow(task: TwoScale, r: float | Tensor) -> Blocks:
    """The closed form for two well separated scales at penalties r, any shape (paper, Eqs. 14-16).

    Exact for large sizes as long as slow features are hardly learned. Then it errs at every κ, because it forgets that
    the learned fast block has used up p of the n examples; for n <= d it even has no solution at small r, and is NaN
    there. :func:`deterministic_equivalent` has no such fault. ``r`` of gradient descent: :func:`ridge_clock`.

    >>> task = TwoScale(n=110, p=70, kappa=100.0)
    >>> round(fast_slow(task, 4.0 / 25.9846).E.item(), 6)
    0.27246
    """
    r = penalties("r", r)
    return _combine(task, *(_ridge_of_block(task.n, task.d, count, scale, r)
                            for count, scale in zip(task.counts, (1.0, 1.0 / task.kappa), strict=True)))


def fast_slow_only(task: TwoScale, r: float | Tensor, which: str) -> Blocks:
    """One group of features learns while the other is frozen, at penalties r (paper, Fig. 1).

    ``which="fast"``: slow features are untouched and stay noise on the labels; ``"slow"``: fast features are fitted
    already, as far as r -> 0 takes them.
    """
    one_of("which", which, ("fast", "slow"))
    r = penalties("r", r)
    a = [_ridge_of_block(task.n, task.d, count, scale, r)
         for count, scale in zip(task.counts, (1.0, 1.0 / task.kappa), strict=True)]
    if which == "fast":
        a[1] = torch.full_like(r, math.inf)
    else:
        a[0] = _ridge_of_block(task.n, task.d, task.p, 1.0, torch.zeros_like(r))
    return _combine(task, *a)


def deterministic_equivalent(task: TwoScale, r: float | Tensor) -> Orders:
    """Ridge regression at penalties r for large n, d, p and *any* κ (own derivation; Dobriban & Wager 2015).

    With σ = s²/d and the effective penalty κ̃ of :func:`gradscape.numerics.equivalents.effective_penalty`:
    ``R = (1/d) Σ σ/(σ + κ̃)`` and ``2E = [(1/d) Σ κ̃²/(σ + κ̃)² + σ_ε² γ]/(1 - γ)``, ``γ = (1/n) Σ σ²/(σ + κ̃)²``.
    At r = 0 and n = d the error is 0 without noise and infinite with it.
    """
    r = penalties("r", r)
    values = torch.tensor([1.0, 1.0 / task.kappa**2], dtype=torch.float64) / task.d
    counts = torch.tensor(task.counts, dtype=torch.float64)
    kept = effective_penalty(r, task.n, values, counts).unsqueeze(-1)
    learned = values / (values + kept)  # 0 where the penalty is infinite
    R = (counts * learned).sum(-1) / task.d
    missed = (counts * (1.0 - learned) ** 2).sum(-1) / task.d
    used = (counts * learned**2).sum(-1) / task.n
    error = (missed + (task.noise**2 * used if task.noise else 0.0)) / (1.0 - used)
    error = torch.where((used == 1.0) & (missed == 0.0), math.inf if task.noise else 0.0, error)
    return Orders(R, error - 1.0 + 2.0 * R)


def plateau(task: TwoScale) -> float:
    """Error when fast features are fully fitted and slow ones untouched, κ → ∞ (paper's mechanism; own formula).

    ``½[(1 - p/d) n/(n - p) + σ² p/(n - p)]``; ``ValueError`` unless n > p, for otherwise fast features alone fit all.

    >>> plateau(TwoScale(n=110, p=70))
    0.4125
    """
    n, p = task.n, task.p
    if n <= p:
        raise ValueError(f"n={n!r}: must be above p={p}: with fewer examples fast features alone fit every label")
    return 0.5 * ((1.0 - p / task.d) * n + task.noise**2 * p) / (n - p)


def ridge_clock(task: TwoScale, t: float | Tensor, eta: float | None = None) -> Tensor:
    """The penalty ``λ + 1/(ηt)`` that stands for t steps of gradient descent, any shape (paper, appendix lemma).

    ``eta``: the step size; by default 1/η is the usual edge ``(√n + √p)²/d`` of XᵀX for κ ≫ 1, plus λ.
    """
    t = as_float64("t", t, low=0.0)
    rate = task.threshold + task.l2 if eta is None else 1.0 / positive("eta", eta)
    return task.l2 + rate / t
