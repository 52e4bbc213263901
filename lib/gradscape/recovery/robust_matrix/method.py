"""The sub-gradient method for the ℓ₁ loss of a factored matrix, its starts and step rules, and least squares beside it.

Everything is batched over problems (leading axis B) and over starts of each problem (axis S before (d, rank)).
"""
from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from gradscape import validate
from gradscape.recovery.robust_matrix.problem import RobustProblem, fold, unfold

RULES = ("geometric", "oracle", "constant", "surrogate")
DECAY = 1e5  # the step shrinks by this factor over the horizon
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Trace:
    """What a run went through at ``steps`` (K,): all (*runs, K), where runs are the leading axes of the start.

    ``error`` = ‖UUᵀ - X‖_F/‖X‖_F; ``loss``; ``signal_min`` the r-th singular value of VᵀU; ``residual_norm`` the
    largest of the rest E = (I - VVᵀ)U. ``spurious`` = ‖E(I - P)‖_F, P on the rows of VᵀU: what is in the rest and in no
    column of the signal, so that it is 0 with the exact rank. ``U`` (*runs, d, rank) is the last iterate.
    """

    steps: Tensor
    error: Tensor
    loss: Tensor
    signal_min: Tensor
    residual_norm: Tensor
    spurious: Tensor
    U: Tensor

    @property
    def final(self) -> Tensor:
        """The error of the last iterate (never the best one)."""
        return self.error[..., -1]


def _checked(problem: RobustProblem, U: Tensor) -> Tensor:
    batch = problem.y.shape[:-1]
    if U.dim() < 2 + len(batch) or U.shape[: len(batch)] != batch or U.shape[-2] != problem.d:
        wanted = ", ".join(map(str, (*batch, "…", problem.d, "rank")))
        raise ValueError(f"U has shape {tuple(U.shape)}: must be ({wanted})")
    if U.dtype != problem.y.dtype:
        raise ValueError(f"U is {U.dtype}: must be {problem.y.dtype}, as the problem")
    return validate.finite("U", U)


class _View:
    """A problem and factors with exactly one axis of problems and one of starts; undone by ``back``."""

    def __init__(self, problem: RobustProblem, U: Tensor) -> None:
        self.lead = U.shape[:-2]
        batch = problem.y.shape[:-1]
        self.A, y, self.X, self.V = (
            x.reshape(-1, *x.shape[len(batch):]) for x in (problem.half, problem.y, problem.X, problem.V))
        self.y = y[:, None]
        self.d, self.m = problem.d, problem.m
        self.U = U.reshape(len(self.y), -1, *U.shape[-2:])

    def back(self, x: Tensor) -> Tensor:
        return x.reshape(*self.lead, *x.shape[2:])

    def residual(self, U: Tensor) -> Tensor:
        """(B, S, m)."""
        return fold(U @ U.mT) @ self.A.mT - self.y

    def adjoint(self, weights: Tensor) -> Tensor:
        """(1/m) sum_i w_i sym(A_i), (B, S, d, d), of weights (B, S, m)."""
        return unfold(weights @ self.A / self.m, self.d)

    def read(self, U: Tensor, residual: Tensor, spectra: bool) -> tuple[Tensor, ...]:
        """Error, loss, least singular value of the signal, norm of the rest and of what is spurious in it: (B, S)."""
        X, V = self.X[:, None], self.V[:, None]
        error = (U @ U.mT - X).flatten(-2).norm(dim=-1) / X.flatten(-2).norm(dim=-1)
        if not spectra:
            return error, residual.abs().mean(-1), *3 * (torch.full_like(error, math.nan),)
        fine = error.isfinite()
        U = U.where(fine[..., None, None], torch.zeros_like(U))  # LAPACK refuses what a diverging run leaves
        signal = V.mT @ U
        rest = U - V @ signal
        rows = torch.linalg.qr(signal.mT).Q
        spurious = (rest - rest @ rows @ rows.mT).flatten(-2).norm(dim=-1)
        least = torch.linalg.eigvalsh(signal @ signal.mT)[..., 0].clamp(min=0).sqrt()
        largest = torch.linalg.eigvalsh(rest.mT @ rest if rest.shape[-1] < self.d else rest @ rest.mT)[..., -1]
        spectrum = (least, largest.clamp(min=0).sqrt(), spurious)
        return error, residual.abs().mean(-1), *(x.where(fine, torch.nan) for x in spectrum)


def residual(problem: RobustProblem, U: Tensor) -> Tensor:
    """``<A_i, UUᵀ> - y_i`` (*runs, m) for factors ``U`` (*batch, …, d, rank); ValueError for other shapes."""
    view = _View(problem, _checked(problem, U))
    return view.back(view.residual(view.U))


def loss(problem: RobustProblem, U: Tensor) -> Tensor:
    """f(U) = (1/m) sum_i |<A_i, UUᵀ> - y_i|, (*runs)."""
    return residual(problem, U).abs().mean(-1)


def q_matrix(problem: RobustProblem, U: Tensor) -> Tensor:
    """Q(U) = sym((1/m) sum_i sign(residual_i) A_i), (*runs, d, d), with sign(0) = 0."""
    view = _View(problem, _checked(problem, U))
    return view.back(view.adjoint(view.residual(view.U).sign()))


def subgradient(problem: RobustProblem, U: Tensor) -> Tensor:
    """D(U) = 2 Q(U) U, a sub-gradient of the loss; shaped like ``U``."""
    return 2 * q_matrix(problem, U) @ U


def spectral_start(problem: RobustProblem, rank: int, alpha: float) -> Tensor:
    """alpha B, where BBᵀ is the best semi-definite approximation of rank ``rank`` of sym(mean_i sign(y_i) A_i).

    (*batch, d, rank). ``ValueError`` for a rank outside 1 … d or a negative alpha.
    """
    _rank(problem, rank)
    validate.nonnegative("alpha", alpha)
    C = unfold((problem.y.sign()[..., None, :] @ problem.half)[..., 0, :] / problem.m, problem.d)
    values, vectors = torch.linalg.eigh(C)
    values, vectors = values[..., -rank:].flip(-1), vectors[..., -rank:].flip(-1)
    return alpha * vectors * values.clamp(min=0).sqrt()[..., None, :]


def random_start(problem: RobustProblem, rank: int, alpha: float, generator: torch.Generator) -> Tensor:
    """alpha times a Gaussian matrix over √d, (*batch, d, rank)."""
    _rank(problem, rank)
    shape = (*problem.y.shape[:-1], problem.d, rank)
    draw = torch.randn(shape, generator=generator, dtype=torch.float64).to(problem.y.dtype)
    return validate.nonnegative("alpha", alpha) / math.sqrt(problem.d) * draw


def identity_start(problem: RobustProblem, rank: int, alpha: float) -> Tensor:
    """alpha times the first ``rank`` columns of the identity, (*batch, d, rank)."""
    _rank(problem, rank)
    eye = torch.eye(problem.d, rank, dtype=problem.y.dtype)
    return (validate.nonnegative("alpha", alpha) * eye).expand(*problem.y.shape[:-1], problem.d, rank).clone()


def _rank(problem: RobustProblem, rank: int) -> None:
    if validate.at_least("rank", rank, 1) > problem.d:
        raise ValueError(f"rank={rank!r}: must be at most d={problem.d}")


def geometric_schedule(eta0: float, alpha_ref: float, kappa: float = 1.0) -> tuple[float, int]:
    """(rho, horizon): rho = 1 - eta0/(2 kappa ln(1/alpha_ref)); after ``horizon`` steps the step has shrunk 10⁵ times.

    ``alpha_ref`` is the smallest start of a comparison: all its runs then share one schedule. The signal needs a total
    step of about (√r/2) ln(σ/alpha) to grow, and the schedule has eta0/(1 - rho) to give. ``ValueError`` where rho
    would not lie in (0, 1).
    """
    validate.positive("eta0", eta0)
    validate.in_range("alpha_ref", alpha_ref, 0.0, 1.0, open_low=True, open_high=True)
    validate.in_range("kappa", kappa, 1.0, math.inf, open_high=True)
    rho = 1 - eta0 / (2 * kappa * math.log(1 / alpha_ref))
    if rho <= 0:
        raise ValueError(f"eta0={eta0!r}, alpha_ref={alpha_ref!r}: give rho = {rho:g}, which must be > 0")
    return rho, round(math.log(DECAY) / (1 - rho))


def subgm(
    problem: RobustProblem,
    U0: Tensor,
    *,
    steps: int,
    eta0: float,
    rho: float | None = None,
    rule: str = "geometric",
    record_every: int = 1,
    progress: Progress | None = None,
    stop: Callable[[], bool] | None = None,
) -> Trace:
    """U_{t+1} = U_t - eta_t D(U_t): the sub-gradient method, over problems and starts at once.

    ``U0`` is (*batch, …, d, rank); starts of smaller rank may share a stack when padded with zero columns, which stay
    zero. Rules: ``"geometric"`` eta0 rho^t/‖Q‖_F; ``"constant"`` eta0/‖Q‖_F; ``"oracle"`` eta0 ‖UUᵀ - X‖_F/‖Q‖_F, which
    needs the answer; ``"surrogate"`` the same with √(π/2) f(U) for the distance, true without noise only. The norm is
    that of Q, not of D: D is of the size of U, and dividing by it would leap away from a small start. A run with Q = 0
    stands still. ``stop()`` is asked at every recorded step; if true, the run ends there and the trace is shorter.
    ``ValueError`` for an unknown rule, a rho outside (0, 1] or a bad size.
    """
    validate.one_of("rule", rule, RULES)
    validate.at_least("steps", steps, 1)
    validate.at_least("record_every", record_every, 1)
    validate.positive("eta0", eta0)
    if (rho is None) == (rule == "geometric"):
        raise ValueError(f"rho={rho!r}: rule {rule!r} {'needs' if rule == 'geometric' else 'takes no'} rho")
    decay = 1.0 if rho is None else validate.in_range("rho", rho, 0.0, 1.0, open_low=True)
    view = _View(problem, _checked(problem, U0))
    distance = _distance(view, rule)

    def update(U: Tensor, residual: Tensor, t: int) -> Tensor:
        Q = view.adjoint(residual.sign())
        norm = Q.flatten(-2).norm(dim=-1)
        size = eta0 * decay**t * distance(U, residual) / norm
        return U - (2 * size.where(norm > 0, torch.zeros_like(size)))[..., None, None] * (Q @ U)

    return _run(view, update, steps, record_every, progress, stop)


def _distance(view: _View, rule: str) -> Callable[[Tensor, Tensor], Tensor | float]:
    """What the step is proportional to, from U and the residual."""
    if rule == "oracle":
        return lambda U, residual: (U @ U.mT - view.X[:, None]).flatten(-2).norm(dim=-1)
    if rule == "surrogate":
        return lambda U, residual: math.sqrt(math.pi / 2) * residual.abs().mean(-1)
    return lambda U, residual: 1.0


def gradient_descent_l2(
    problem: RobustProblem, U0: Tensor, steps: int, lr: float | Tensor, *, record_every: int = 1,
    spectra: bool = True, progress: Progress | None = None,
) -> Trace:
    """Gradient descent on (1/2m) sum_i residual_i²: the baseline that outliers mislead. ``lr`` may be one per run.

    ``Trace.loss`` is the ℓ₁ loss here too. A run that diverges keeps infinite or NaN errors. ``spectra=False`` leaves
    signal, rest and spurious part out (NaN), which take longer than a step.
    """
    view = _View(problem, _checked(problem, U0))
    rates = torch.as_tensor(lr, dtype=view.U.dtype)
    if not bool((torch.isfinite(rates) & (rates > 0)).all()):
        raise ValueError(f"lr={lr!r}: must be finite and > 0")
    rates = rates.expand(view.lead).reshape(view.U.shape[:2])[..., None, None]

    def update(U: Tensor, residual: Tensor, t: int) -> Tensor:
        return U - 2 * rates * (view.adjoint(residual) @ U)

    return _run(view, update, validate.at_least("steps", steps, 1), record_every, progress, spectra=spectra)


def _run(
    view: _View, update: Callable[[Tensor, Tensor, int], Tensor], steps: int, every: int, progress: Progress | None,
    stop: Callable[[], bool] | None = None, spectra: bool = True,
) -> Trace:
    U, rows, at = view.U, [], []
    for t in range(steps + 1):
        residual = view.residual(U)
        if t % every == 0 or t == steps:
            rows.append(view.read(U, residual, spectra))
            at.append(t)
            if progress is not None:
                progress(t, steps)
            if stop is not None and stop():
                break
        if t < steps:
            U = update(U, residual, t)
    error, loss, least, rest, spurious = (view.back(torch.stack(column, -1)) for column in zip(*rows, strict=True))
    return Trace(torch.tensor(at), error, loss, least, rest, spurious, view.back(U))
