"""SGD with the scaled hinge until the last training point is fitted, for hundreds of networks at once."""
from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields

import torch
from torch import Tensor

from gradscape.dynamics.sgd_noise.networks import MeanFieldMLP
from gradscape.dynamics.sgd_noise.theory import check_output_scale, learning_rate, scaled_hinge_grad
from gradscape.ensemble import Batches
from gradscape.validate import at_least, finite, one_of

# A run whose weights moved this far, in units of |w0| times the growth that fitting needs, has diverged.
DIVERGED = 100.0
DIVERGENCE_EVERY = 50  # steps between two looks


@dataclass(frozen=True)
class GridRuns:
    """What R runs ended with, in the order in which they were asked for.

    ``t_star`` is lr times the step of the last update that changed the weights; ``rel_change`` is |w - w0|/|w0|; errors
    are shares of wrong signs; ``margin`` is the least ``alpha y F`` over the training set, at least 1 where ``fitted``.
    A run that is neither ``fitted`` nor ``diverged`` met ``max_steps``. ``curve_error`` and ``curve_change`` (R, K)
    follow test error and relative change at the steps ``marks`` (K,) and stand still once a run has ended.
    """

    steps: Tensor
    t_star: Tensor
    rel_change: Tensor
    test_error: Tensor
    train_error: Tensor
    margin: Tensor
    fitted: Tensor
    diverged: Tensor
    curve_error: Tensor
    curve_change: Tensor
    marks: Tensor
    weights: dict[str, Tensor] = field(default_factory=dict)

    def view(self, *shape: int) -> GridRuns:
        """The same results with the run axis laid out as a grid, without weights."""
        runs = self.fitted.dim()
        parts = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in ("marks", "weights")}
        return GridRuns(**{k: v.reshape(*shape, *v.shape[runs:]) for k, v in parts.items()}, marks=self.marks)


@dataclass(frozen=True)
class _Pool:
    """All examples that any run may see."""

    inputs: Tensor
    labels: Tensor
    test_inputs: Tensor
    test_labels: Tensor


def train_grid(
    inputs: Tensor,
    labels: Tensor,
    test_inputs: Tensor,
    test_labels: Tensor,
    net: MeanFieldMLP,
    alpha: Tensor,
    T: Tensor,
    seeds: Sequence[int] | Tensor,
    subsets: Tensor,
    *,
    batch: int = 16,
    max_steps: int,
    check: str = "streak",
    marks: Sequence[int] = (),
    keep_weights: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> GridRuns:
    """Train R networks with SGD at temperatures ``T`` until their hinge loss is exactly zero (Sec. 2).

    ``inputs`` (N, d) and ``labels`` (N,) = ±1 are a pool; run r trains on its rows ``subsets[r]`` (P,) with output
    scale ``alpha[r]`` and step ``T[r] * width * batch``, each batch drawn independently, without repeats in it.
    ``seeds[r]`` decides its weights and batches: a run's result does not depend on the others. ``check="streak"`` looks
    at the whole training set only after a streak of fitted batches, during which weights do not move, so t* is exact;
    ``"every"`` looks at each step. Ended runs leave the stack. ``progress(done, total)`` counts runs.

    Raises ``ValueError`` for shapes that do not match, labels that are not ±1 or an alpha beyond float32's reach.
    """
    alpha, T = (torch.as_tensor(value, dtype=torch.float64, device=inputs.device) for value in (alpha, T))
    seeds, subsets = [int(seed) for seed in seeds], subsets.to(inputs.device)
    pool = _Pool(inputs, labels, test_inputs, test_labels)
    _check(pool, alpha, T, len(seeds), subsets)
    one_of("check", check, ("streak", "every"))
    at_least("max_steps", max_steps, 1)
    runs = _Runs(pool, net, alpha, learning_rate(T, batch, net.width), seeds, subsets, batch)
    streak = 1 if check == "every" else max(8, subsets.shape[1] // (2 * batch))
    out = _Outcome(len(seeds), marks)
    for step in range(1, max_steps + 1):
        runs.advance(step)
        fitted = runs.newly_fitted(streak)
        last = step == max_steps
        diverged = runs.diverged() & ~fitted if last or step % DIVERGENCE_EVERY == 0 else torch.zeros_like(fitted)
        ended = torch.ones_like(fitted) if last else fitted | diverged
        if step in out.places:
            out.mark(runs, step)
        if ended.any():
            out.close(runs, ended, fitted, diverged, step, keep_weights)
            if progress is not None:
                progress(out.done, len(seeds))
            if ended.all():
                break
            runs.compact(~ended)
    return out.result()


def _check(pool: _Pool, alpha: Tensor, T: Tensor, runs: int, subsets: Tensor) -> None:
    finite("inputs", pool.inputs)
    finite("test_inputs", pool.test_inputs)
    check_output_scale(alpha, pool.inputs.dtype)
    for name, y, x in (("labels", pool.labels, pool.inputs), ("test_labels", pool.test_labels, pool.test_inputs)):
        if y.shape != x.shape[:1] or not bool((y.abs() == 1).all()):
            raise ValueError(f"{name}: must be {len(x)} values of -1 or +1, got shape {tuple(y.shape)}")
    if alpha.shape != (runs,) or T.shape != (runs,) or subsets.dim() != 2 or len(subsets) != runs:
        shapes = f"alpha {tuple(alpha.shape)}, T {tuple(T.shape)}, subsets {tuple(subsets.shape)}"
        raise ValueError(f"{shapes}: all need one row per seed ({runs})")
    if not bool((T > 0).all()):
        raise ValueError(f"T={float(T.min())!r}: must be > 0")


class _Runs:
    """The runs that still train; ``rows`` holds everything with one entry per run, so that compaction is one loop."""

    def __init__(
        self, pool: _Pool, net: MeanFieldMLP, alpha: Tensor, lr: Tensor, seeds: list[int], subsets: Tensor, batch: int
    ) -> None:
        self.pool, self.device = pool, pool.inputs.device
        self.stack = net.stack(seeds, dtype=pool.inputs.dtype, device=self.device)
        self.batches = Batches(subsets.shape[1], batch, self.stack.generators)
        self.start = {name: value.clone() for name, value in self.stack.params.items()}
        never = torch.zeros(len(seeds), dtype=torch.long, device=self.device)
        self.rows = {
            "run": torch.arange(len(seeds), device=self.device), "lr": lr, "subset": subsets,
            "alpha": alpha.to(pool.inputs).view(-1, 1),
            "size": _norm(self.start), "limit": DIVERGED * (alpha ** (-1 / self.stack.layers)).clamp_min(1),
            "step_scale": (lr / batch).to(pool.inputs).view(-1, 1), "streak": never, "moved": never.clone(),
            "origin": self.stack.forward(pool.inputs).squeeze(-1).gather(1, subsets),
            "test_origin": self.stack.forward(pool.test_inputs).squeeze(-1),
        }

    def advance(self, step: int) -> None:
        """One SGD step of every run; a batch without unfitted points moves nothing."""
        rows, index = self.rows, self.batches.draw().to(self.device)
        where = rows["subset"].gather(1, index)
        outputs, tape = self.stack.record(_rows_of(self.pool.inputs, where))
        F = outputs.squeeze(-1) - rows["origin"].gather(1, index)
        slope = scaled_hinge_grad(F, self.pool.labels[where], rows["alpha"])
        self.stack.descend_(tape, (slope * rows["step_scale"]).unsqueeze(-1))
        moved = slope.any(1)
        rows["moved"].masked_fill_(moved, step)
        rows["streak"].add_(1).masked_fill_(moved, 0)

    def newly_fitted(self, streak: int) -> Tensor:
        """Runs without an unfitted training point, among those whose streak asks for a look (R,)."""
        fitted = self.rows["streak"] >= streak
        if fitted.any():
            looked = fitted.nonzero().squeeze(1)
            fitted[looked] = self.margins(looked).amin(1) >= 1
            self.rows["streak"][looked] = 0
        return fitted

    def margins(self, chosen: Tensor) -> Tensor:
        """``alpha y F`` of the chosen runs (C,) on their own training sets, (C, P)."""
        subset = self.rows["subset"][chosen]
        params = {name: value[chosen] for name, value in self.stack.params.items()}
        outputs = self.stack.call(params, _rows_of(self.pool.inputs, subset)).squeeze(-1)
        return self.rows["alpha"][chosen] * self.pool.labels[subset] * (outputs - self.rows["origin"][chosen])

    def test_error(self) -> Tensor:
        """Share of test points on the wrong side, (R,)."""
        F = self.stack.forward(self.pool.test_inputs).squeeze(-1) - self.rows["test_origin"]
        return (~(F * self.pool.test_labels > 0)).double().mean(1)  # NaN is wrong, too

    def change(self) -> Tensor:
        """|w - w0|/|w0|, (R,)."""
        moves = {name: value - self.start[name] for name, value in self.stack.params.items()}
        return _norm(moves) / self.rows["size"]

    def diverged(self) -> Tensor:
        """Runs beyond the limit or no longer finite, (R,)."""
        return ~(self.change() <= self.rows["limit"])

    def compact(self, mask: Tensor) -> None:
        """Keep only the runs where ``mask`` is true."""
        self.stack.compact(mask)
        self.batches.compact(mask)
        self.start = {name: value[mask] for name, value in self.start.items()}
        self.rows = {name: value[mask] for name, value in self.rows.items()}


def _rows_of(pool: Tensor, index: Tensor) -> Tensor:
    """``pool[index]`` for a matrix and an index table; this way is four times as fast."""
    return pool.index_select(0, index.reshape(-1)).view(*index.shape, pool.shape[1])


def _norm(params: dict[str, Tensor]) -> Tensor:
    """Euclidean norm over all of a run's weights, float64 (R,)."""
    return torch.stack([value.double().square().sum((1, 2)) for value in params.values()]).sum(0).sqrt()


class _Outcome:
    """Where ended runs leave their results."""

    def __init__(self, runs: int, marks: Sequence[int]) -> None:
        self.done, self.places = 0, {int(mark): k for k, mark in enumerate(marks)}
        self.marks = torch.tensor(list(marks), dtype=torch.long)
        self.values = {name: torch.full((runs,), math.nan, dtype=torch.float64)
                       for name in ("t_star", "rel_change", "test_error", "train_error", "margin")}
        self.steps, self.weights = torch.zeros(runs, dtype=torch.long), dict[str, Tensor]()
        self.fitted, self.diverged = torch.zeros(2, runs, dtype=torch.bool)
        self.curves = torch.full((2, runs, len(marks)), math.nan, dtype=torch.float64)

    def mark(self, runs: _Runs, step: int) -> None:
        """Note test error and relative change of the runs that train."""
        now = torch.stack([runs.test_error(), runs.change()])
        self.curves[:, runs.rows["run"].cpu(), self.places[step]] = now.cpu()

    def close(
        self, runs: _Runs, ended: Tensor, fitted: Tensor, diverged: Tensor, step: int, keep_weights: bool
    ) -> None:
        """Take down what the ended runs reached."""
        chosen, rows = ended.nonzero().squeeze(1), runs.rows
        where, margins = rows["run"][chosen].cpu(), runs.margins(chosen)
        found = {
            "t_star": (rows["lr"] * rows["moved"])[chosen], "rel_change": runs.change()[chosen],
            "test_error": runs.test_error()[chosen], "train_error": (~(margins > 0)).double().mean(1),
            "margin": margins.amin(1).double(),
        }
        found = {name: value.cpu() for name, value in found.items()}
        for name, value in found.items():
            self.values[name][where] = value
        self.steps[where] = torch.where(fitted, rows["moved"], step)[chosen].cpu()
        self.fitted[where], self.diverged[where] = fitted[chosen].cpu(), diverged[chosen].cpu()
        later = (self.marks > step).nonzero().squeeze(1)
        final = torch.stack([found["test_error"], found["rel_change"]])
        self.curves[:, where.unsqueeze(1), later] = final.unsqueeze(-1)
        self.done += len(chosen)
        for name, value in runs.stack.params.items() if keep_weights else ():
            kept = self.weights.setdefault(name, torch.zeros(len(self.steps), *value.shape[1:], dtype=value.dtype))
            kept[where] = value[chosen].cpu()

    def result(self) -> GridRuns:
        """Everything, frozen."""
        return GridRuns(
            steps=self.steps, **self.values, fitted=self.fitted, diverged=self.diverged, curve_error=self.curves[0],
            curve_change=self.curves[1], marks=self.marks, weights=self.weights,
        )
