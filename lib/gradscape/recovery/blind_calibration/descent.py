"""Projected gradient descent on signal and gains from the backprojection (paper, Algorithm 1)."""
from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from gradscape import validate
from gradscape.recovery.blind_calibration.model import project_gain_box, project_zero_mean
from gradscape.recovery.blind_calibration.problem import distance, errors
from gradscape.recovery.blind_calibration.sensing import Sensing, check_data, sensing_of

UPDATES = ("simultaneous", "sequential")
REFRESH = 100  # iterations after which A xi, kept by linearity, is computed anew: rounding does not pile up
ORTHONORMAL = 1e-8  # by how much the columns of a subspace's basis may miss orthonormality


@dataclass(frozen=True)
class CalibrationResult:
    """Estimates ``x`` (*batch, n), ``g`` (*batch, m), ``iterations`` made and whether each problem ``converged``.

    Traces (*batch, T) at the iterations ``at`` (T,), 0 being the start: ``loss``, the steps ``mu_xi`` and ``mu_gamma``
    taken from there (0 after the last), and, where the truth was given, the theory's ``delta`` and ``error``, the
    larger relative one. A problem that has stopped keeps its last values. ``snapshots`` maps iterations to x then.
    """

    x: Tensor
    g: Tensor
    iterations: Tensor
    converged: Tensor
    at: Tensor
    loss: Tensor
    mu_xi: Tensor
    mu_gamma: Tensor
    delta: Tensor | None = None
    error: Tensor | None = None
    snapshots: dict[int, Tensor] = field(default_factory=dict)


@dataclass
class _State:
    """Signal coordinates ``z``, gains and ``A x`` of the problems ``who`` that are still running."""

    sensing: Sensing
    y: Tensor
    z: Tensor
    gamma: Tensor
    Az: Tensor
    scale: Tensor
    who: Tensor

    @property
    def residual(self) -> Tensor:
        """``r_l = gamma ∘ (A_l xi) - y_l``, (S, p, m)."""
        return self.gamma[:, None, :] * self.Az - self.y

    @property
    def count(self) -> int:
        """Measurements m p."""
        return self.y.shape[-1] * self.y.shape[-2]

    def keep(self, members: Tensor) -> _State:
        """The problems at these positions."""
        rest = (value[members] for value in (self.y, self.z, self.gamma, self.Az, self.scale, self.who))
        return _State(self.sensing.keep(members), *rest)


def signal_step(state: _State, mu: float | None) -> tuple[Tensor, Tensor, Tensor]:
    """Step size (S,), descent direction (S, k) and its image under A, for the signal.

    ``mu`` fixes the step; ``None`` finds the best one: with ``u = gamma ∘ (A grad)`` it is ``<u, r> / |u|²``.
    """
    r, gains = state.residual, state.gamma[:, None, :]
    gradient = state.sensing.rmatvec(gains * r) / state.count
    image = state.sensing.matvec(gradient)
    if mu is not None:
        return torch.full_like(state.scale, mu), gradient, image
    return exact_step(gains * image, r), gradient, image


def gain_step(state: _State, mu: float | None, B: Tensor | None) -> tuple[Tensor, Tensor]:
    """Step size (S,) and projected descent direction (S, m) for the gains.

    A fixed ``mu`` is multiplied by ``m / |xi_0|²``, which balances the curvatures of both blocks; ``None`` finds the
    best one: with ``v_l = (A_l xi) ∘ grad`` it is ``<v, r> / |v|²``.
    """
    r = state.residual
    gradient = project_zero_mean((state.Az * r).sum(1) / state.count)
    if B is not None:
        gradient = (gradient @ B) @ B.T
    if mu is not None:
        return mu * state.scale, gradient
    return exact_step(state.Az * gradient[:, None, :], r), gradient


def exact_step(change: Tensor, r: Tensor) -> Tensor:
    """The step s, (S,), that minimizes ``|r - s change|²``; 0 where nothing changes."""
    size = change.square().sum((1, 2))
    return torch.where(size > 0, (change * r).sum((1, 2)) / size.clamp(min=torch.finfo(size.dtype).tiny), 0.0)


def advance(
    state: _State, mu: float | None, update: str, box: float | None, B: Tensor | None
) -> tuple[Tensor, Tensor, Tensor]:
    """One iteration in place: both steps (S,), and the larger relative change of the two blocks (S,)."""
    before, gains = state.z, state.gamma
    mu_xi, down, image = signal_step(state, mu)
    if update == "simultaneous":
        mu_gamma, turn = gain_step(state, mu, B)  # both gradients at the same point
    state.z = state.z - mu_xi[:, None] * down
    state.Az = state.Az - mu_xi[:, None, None] * image
    if update == "sequential":
        mu_gamma, turn = gain_step(state, mu, B)
    state.gamma = state.gamma - mu_gamma[:, None] * turn
    if box is not None:
        state.gamma = project_gain_box(state.gamma, box)
    moved = [(new - old).norm(dim=1) / old.norm(dim=1).clamp(min=torch.finfo(old.dtype).tiny)
             for new, old in ((state.z, before), (state.gamma, gains))]
    return mu_xi, mu_gamma, torch.maximum(*moved)


def calibrate(
    A: Any,
    y: Tensor,
    *,
    steps: str | float = "line_search",
    update: str = "simultaneous",
    box: float | None = None,
    max_iter: int = 2000,
    tol: float = 1e-7,
    Z: Tensor | None = None,
    B: Tensor | None = None,
    xi0: Tensor | None = None,
    gamma0: Tensor | None = None,
    record_every: int = 1,
    truth: tuple[Tensor, Tensor] | None = None,
    snapshots: Sequence[int] = (),
    stop: Callable[[], bool] | None = None,
) -> CalibrationResult:
    """Find signal and gains from ``y_l = g ∘ (A_l x)`` by descent on both at once.

    ``A`` is a tensor (*batch, p, m, n), at most one batch axis, or has ``matvec`` and ``rmatvec``; ``y`` (*batch, p,
    m). Each problem of a batch stops on its own, when neither block changes by ``tol`` relatively.
    ``steps``: ``"line_search"`` (exact, each block at the present point) or the theory's fixed mu (0.5 converges where
    there are enough snapshots; 0.8 may oscillate for ever at rho = 0.9). ``update``: the paper's
    ``"simultaneous"``, or ``"sequential"``, where the gains see the new signal and the loss cannot rise.
    ``box``: rho of the theory's set G, onto which the gains are then projected. ``Z`` (n, k): orthonormal basis of the
    signals, ``B`` (m, h): of the gains, first column constant; the descent then runs in their coordinates.
    ``xi0``, ``gamma0`` (mean 1) replace the backprojection and ones. ``truth`` = (x, g) adds errors to the traces, made
    every ``record_every`` iterations; ``snapshots`` lists iterations whose x is kept; ``stop()`` ends all early.
    ``ValueError`` for bad input, also ``box`` with ``B``. Float32 warns: trust errors down to 1e-3.
    """
    batched, mu = check_data(A, y), _step_size(steps)
    _options(update, box, max_iter, tol, record_every, B)
    if y.dtype == torch.float32:
        warnings.warn("float32: the success threshold of 1e-3 is the smallest error to trust", stacklevel=2)
    if Z is not None:
        _basis("Z", Z, A.shape[-1] if isinstance(A, Tensor) else None)
    if B is not None:
        _basis("B", B, y.shape[-1], constant=True)
    if isinstance(A, Tensor) and not batched:
        A = A[None]
    rows = y if batched else y[None]
    state = _start(sensing_of(A, rows, Z), rows, Z, B, _one(xi0, batched), _one(gamma0, batched))
    if truth is not None:
        truth = (_one(truth[0], batched), _one(truth[1], batched))
    run = _Run(state, Z, truth, set(snapshots))
    for j in range(max_iter):
        if j and j % REFRESH == 0:
            state.Az = state.sensing.matvec(state.z)
        entry = run.note(state, j) if j % record_every == 0 else None
        mu_xi, mu_gamma, change = advance(state, mu, update, box, B)
        run.store(state, j + 1, entry, mu_xi, mu_gamma)
        finished = (change < tol) | ~change.isfinite()
        run.converged[state.who] = change < tol
        if bool(finished.any()):
            state = state.keep((~finished).nonzero().flatten())
        if not len(state.who) or (stop is not None and stop()):
            break
    return run.result(batched)


class _Run:
    """Estimates and traces of all problems, also of those that have stopped."""

    def __init__(
        self, state: _State, Z: Tensor | None, truth: tuple[Tensor, Tensor] | None, snapshots: set[int]
    ) -> None:
        self.A, self.y, self.Z, self.truth, self.wanted = state.sensing, state.y, Z, truth, snapshots
        self.z, self.gamma = state.z.clone(), state.gamma.clone()
        self.iterations = torch.zeros(len(state.who), dtype=torch.int64, device=state.y.device)
        self.converged = torch.zeros_like(self.iterations, dtype=torch.bool)
        self.loss = torch.zeros_like(state.scale)
        self.rows: list[dict[str, Tensor]] = []
        self.at: list[int] = []
        self.snapshots: dict[int, Tensor] = {0: self.x} if 0 in snapshots else {}

    @property
    def x(self) -> Tensor:
        """The present signals, (S, n)."""
        return self.z.clone() if self.Z is None else self.z @ self.Z.T

    def note(self, state: _State, j: int) -> dict[str, Tensor]:
        """Trace the state before iteration j + 1."""
        self.loss[state.who] = 0.5 * state.residual.square().mean((1, 2))
        entry = {"loss": self.loss.clone(), "mu_xi": torch.zeros_like(self.loss),
                 "mu_gamma": torch.zeros_like(self.loss)}
        if self.truth is not None:
            x, (true_x, true_g) = self.x, self.truth
            entry["delta"] = distance(x, self.gamma, true_x, true_g)
            entry["error"] = torch.maximum(*errors(x, self.gamma, true_x, true_g))
        self.rows.append(entry)
        self.at.append(j)
        return entry

    def store(self, state: _State, j: int, entry: dict[str, Tensor] | None, mu_xi: Tensor, mu_gamma: Tensor) -> None:
        """Keep the estimates after iteration j, and the steps that led there."""
        self.z[state.who], self.gamma[state.who] = state.z, state.gamma
        self.iterations[state.who] = j
        if entry is not None:
            entry["mu_xi"][state.who], entry["mu_gamma"][state.who] = mu_xi, mu_gamma
        if j in self.wanted:
            self.snapshots[j] = self.x

    def result(self, batched: bool) -> CalibrationResult:
        """Everything, with a last entry of the traces for where each problem ended."""
        everyone = torch.arange(len(self.z), device=self.z.device)
        Az = self.A.matvec(self.z)
        end = _State(self.A, self.y, self.z, self.gamma, Az, self.loss, everyone)
        self.note(end, int(self.iterations.max()))

        def out(value: Tensor) -> Tensor:
            return value if batched else value[0]

        traces = {name: out(torch.stack([row[name] for row in self.rows], 1)) for name in self.rows[0]}
        return CalibrationResult(
            x=out(self.x), g=out(self.gamma), iterations=out(self.iterations), converged=out(self.converged),
            at=torch.tensor(self.at), snapshots={j: out(x) for j, x in sorted(self.snapshots.items())}, **traces,
        )


def _start(
    sensing: Sensing, y: Tensor, Z: Tensor | None, B: Tensor | None, xi0: Tensor | None, gamma0: Tensor | None
) -> _State:
    """Backprojection and ones, or what was given, in coordinates of the subspaces."""
    S, p, m = y.shape
    z = sensing.rmatvec(y) / (m * p)
    if xi0 is not None:
        n = z.shape[1] if Z is None else Z.shape[0]
        if tuple(xi0.shape) != (S, n):
            raise ValueError(f"xi0 has shape {tuple(xi0.shape)}: must be {(S, n)} or, for one problem, ({n},)")
        validate.finite("xi0", xi0)
        z = xi0.to(y) if Z is None else xi0.to(y) @ Z
    size = z.square().sum(1)
    if not bool((size > 0).all()):
        raise ValueError("xi0: is zero (or y is): a signal of zero says nothing about the gains")
    gamma = torch.ones(S, m, dtype=y.dtype, device=y.device)
    if gamma0 is not None:
        if tuple(gamma0.shape) != (S, m):
            raise ValueError(f"gamma0 has shape {tuple(gamma0.shape)}: must be {(S, m)} or, for one problem, ({m},)")
        validate.finite("gamma0", gamma0)
        if bool(((gamma0.mean(1) - 1).abs() > 1e-6).any()):
            raise ValueError(f"gamma0: has mean {float(gamma0.mean(1)[0]):g}; gains must have mean 1")
        gamma = gamma0.to(y) if B is None else gamma0.to(y) @ B @ B.T
    return _State(sensing, y, z, gamma, sensing.matvec(z), m / size, torch.arange(S, device=y.device))


def _one(value: Tensor | None, batched: bool) -> Any:
    return value if value is None or batched else value[None]


def _step_size(steps: str | float) -> float | None:
    if isinstance(steps, str):
        validate.one_of("steps", steps, ("line_search",))
        return None
    return float(validate.in_range("steps", steps, 0.0, math.inf, open_low=True, open_high=True))


def _options(
    update: str, box: float | None, max_iter: int, tol: float, record_every: int, B: Tensor | None
) -> None:
    validate.one_of("update", update, UPDATES)
    validate.at_least("max_iter", max_iter, 1)
    validate.nonnegative("tol", tol)
    validate.at_least("record_every", record_every, 1)
    if box is not None:
        validate.in_range("box", box, 0.0, 1.0, open_high=True)
        if B is not None:
            raise ValueError(f"box={box!r}: not together with B, the box's projection leaves the gains' subspace")


def _basis(name: str, basis: Tensor, length: int | None, constant: bool = False) -> None:
    if basis.dim() != 2 or (length is not None and basis.shape[0] != length):
        raise ValueError(f"{name} has shape {tuple(basis.shape)}: must be ({length or 'n'}, columns)")
    validate.finite(name, basis)
    gram = basis.T @ basis
    off = float((gram - torch.eye(len(gram)).to(gram)).abs().max())
    if off > ORTHONORMAL:
        raise ValueError(f"{name}: columns miss orthonormality by {off:.2g}; orthonormal ones are needed")
    if constant and float((basis[:, 0] - 1 / math.sqrt(basis.shape[0])).abs().max()) > ORTHONORMAL:
        raise ValueError(f"{name}: its first column must be constant, 1/sqrt({basis.shape[0]})")
