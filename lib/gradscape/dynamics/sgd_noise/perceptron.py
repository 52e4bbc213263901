"""The perceptron on data depleted near its boundary, simulated event by event.

Late in training almost every batch is idle: all its points are fitted and nothing moves. Drawing the waiting time until
the next batch that moves is exactly SGD in law, and turns ten thousand steps into a hundred events.
"""
from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gradscape.dynamics.sgd_noise.theory import check_output_scale, learning_rate
from gradscape.lesson import replicate_seed
from gradscape.validate import at_least, nonnegative, one_of, positive

Array = NDArray[np.float64]
_REPORT_EVERY = 500  # events between two calls of progress within a run


def sample_depleted(P: int, d: int, chi: float, runs: int, seed: int) -> tuple[Tensor, Tensor]:
    """Draw data whose density vanishes like ``|x1|^chi`` at the boundary ``x1 = 0`` (perceptron section).

    ``x1`` has density ∝ ``|x|^chi exp(-x²/2)``, the other d - 1 coordinates are N(0, 1), ``y = sign x1``. Returns X
    (runs, P, d) and y (runs, P), float64; run r depends on ``SeedSequence([seed, r])`` alone.
    """
    _check_data(P, d, chi)
    at_least("runs", runs, 1)
    rngs = [np.random.default_rng(replicate_seed(seed, r)) for r in range(runs)]
    X = torch.from_numpy(np.stack([_points(P, d, chi, rng) for rng in rngs]))
    return X, X[..., 0].sign()


def _check_data(P: int, d: int, chi: float) -> None:
    at_least("P", P, 1)
    at_least("d", d, 2)
    nonnegative("chi", chi)


def _points(P: int, d: int, chi: float, rng: np.random.Generator) -> Array:
    X = rng.standard_normal((P, d))
    size = np.sqrt(2 * rng.standard_gamma((chi + 1) / 2, P))
    X[:, 0] = np.where(rng.random(P) < 0.5, -size, size)
    return X


@dataclass(frozen=True)
class Trace:
    """One run against time: lr times steps, signal w1, noise |w_perp| and the unfitted fraction, (K,) each."""

    t: Array
    w1: Array
    w_perp: Array
    unfitted: Array


@dataclass(frozen=True)
class PerceptronRuns:
    """Where R runs ended: (R,) tensors, weights relative to w0.

    ``t_star`` is lr times ``steps``; ``events`` counts the updates that moved the weights. Runs that met ``max_events``
    are not ``fitted``. ``traces`` is empty unless asked for.
    """

    steps: Tensor
    t_star: Tensor
    w1: Tensor
    w_perp: Tensor
    fitted: Tensor
    events: Tensor
    traces: tuple[Trace, ...] = ()


def perceptron(
    P: int,
    d: int,
    chi: float,
    T: Tensor | float,
    *,
    batch: int = 2,
    alpha: float = 2.0**15,
    seed: int = 0,
    runs: int = 1,
    method: str = "event",
    max_events: int = 10**6,
    trace: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> PerceptronRuns:
    """Train ``f = w·x/√d`` with the scaled hinge on depleted data until every point has margin 1/alpha.

    One run per entry of ``T`` (a number is repeated ``runs`` times), each on its own data: run r draws everything from
    ``SeedSequence([seed, r])``. ``method="step"`` is plain SGD with independent batches; ``"event"`` is the same
    process in law without its idle steps. ``max_events`` bounds the events of a run (steps, for ``"step"``);
    ``progress(done, total)`` counts runs.

    Raises ``ValueError`` for values out of range.

    >>> perceptron(256, 16, 1.0, 1.0, runs=8).fitted.all()
    tensor(True)
    """
    _check_data(P, d, chi)
    temperatures = torch.as_tensor(T, dtype=torch.float64).reshape(-1).tolist()
    temperatures = temperatures * at_least("runs", runs, 1) if len(temperatures) == 1 else temperatures
    for value in temperatures:
        positive("T", value)
    one_of("method", method, ("event", "step"))
    at_least("max_events", max_events, 1)
    check_output_scale(alpha, torch.float64)
    if at_least("batch", batch, 1) > P:
        raise ValueError(f"batch={batch}: must not exceed P={P}")
    found = []
    for r, value in enumerate(temperatures):
        def tell(ended: bool, r: int = r) -> None:
            if progress is not None:
                progress(r + ended, len(temperatures))

        rng = np.random.default_rng(replicate_seed(seed, r))
        points = _points(P, d, chi, rng)
        points *= (np.sign(points[:, 0]) / math.sqrt(d))[:, None]
        found.append(_train(points, value, batch, alpha, rng, method, max_events, trace, tell))
    lr = learning_rate(torch.tensor(temperatures, dtype=torch.float64), batch)
    column = {name: torch.tensor([getattr(run, name) for run in found]) for name in ("steps", "fitted", "events")}
    w = torch.from_numpy(np.stack([run.w for run in found]))
    return PerceptronRuns(
        **column, t_star=lr * column["steps"], w1=w[:, 0], w_perp=w[:, 1:].norm(dim=1),
        traces=tuple(_trace(run, float(rate)) for run, rate in zip(found, lr, strict=True)) if trace else (),
    )


@dataclass
class _Run:
    """One perceptron in training: weights relative to w0, and how far it has come."""

    w: Array
    steps: int = 0
    events: int = 0
    fitted: bool = False
    lines: list[tuple[float, ...]] = field(default_factory=list)


def _train(
    points: Array, T: float, batch: int, alpha: float, rng: np.random.Generator, method: str, max_events: int,
    trace: bool, tell: Callable[[bool], None],
) -> _Run:
    """Train on ``points`` = y x/√d (P, d); only score = y F per point and the weights are kept."""
    draw = _next_event if method == "event" else _next_step
    run, score, margin = _Run(np.zeros(points.shape[1])), np.zeros(len(points)), 1 / alpha
    for count in range(max_events + 1):
        unfitted = np.flatnonzero(score < margin)
        if trace:
            w = run.w
            run.lines.append((run.steps, w[0], math.sqrt(w[1:] @ w[1:]), len(unfitted) / len(points)))
        run.fitted = len(unfitted) == 0
        if run.fitted or count == max_events:
            break
        waited, chosen = draw(len(points), unfitted, batch, rng)
        run.steps += waited
        if len(chosen):
            run.events += 1
            move = T * points[chosen].sum(0)
            run.w += move
            score += points @ move
        if count % _REPORT_EVERY == 0:
            tell(False)
    tell(True)
    return run


def _next_event(P: int, unfitted: NDArray[np.intp], batch: int, rng: np.random.Generator) -> tuple[int, Any]:
    """Steps until a batch meets an unfitted point, and the unfitted points in that batch.

    With U of P points unfitted, a batch is idle with probability ``C(P - U, B)/C(P, B)``: the waiting time is
    geometric, the number of unfitted points in the first busy batch hypergeometric given at least one, and which ones
    is uniform.
    """
    U, everything = len(unfitted), math.comb(P, batch)
    idle = math.comb(P - U, batch)
    waited = int(rng.geometric(1 - idle / everything)) if idle else 1
    place, count = rng.random() * (everything - idle), 1
    while count < min(U, batch):
        place -= math.comb(U, count) * math.comb(P - U, batch - count)
        if place < 0:
            break
        count += 1
    return waited, unfitted[_subset(U, count, rng)]


def _next_step(P: int, unfitted: NDArray[np.intp], batch: int, rng: np.random.Generator) -> tuple[int, Any]:
    """One step: the unfitted points of a uniform batch of distinct points, perhaps none."""
    chosen = np.array(_subset(P, batch, rng))
    place = np.searchsorted(unfitted, chosen).clip(max=len(unfitted) - 1)  # unfitted is sorted and not empty
    return 1, chosen[unfitted[place] == chosen]


def _subset(population: int, count: int, rng: np.random.Generator) -> list[int]:
    """``count`` distinct numbers below ``population``, uniform (Floyd's method: one draw each)."""
    chosen: list[int] = []
    for top in range(population - count, population):
        rank = int(rng.random() * (top + 1))
        chosen.append(top if rank in chosen else rank)
    return chosen


def _trace(run: _Run, lr: float) -> Trace:
    steps, w1, w_perp, unfitted = np.array(run.lines).T
    return Trace(t=lr * steps, w1=w1, w_perp=w_perp, unfitted=unfitted)
