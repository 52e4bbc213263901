"""Where recovery sets in: success over sensors and snapshots (the phase transition of the paper's experiments)."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from gradscape import validate
from gradscape.recovery.blind_calibration.baselines import linear_ls
from gradscape.recovery.blind_calibration.descent import calibrate
from gradscape.recovery.blind_calibration.problem import (
    calibration_problem,
    errors,
    sample_ratio,
    snapshots_for,
)

SUCCESS = 1e-3  # the larger relative error of signal and gains below which a problem counts as recovered
MOST = 16  # snapshots, at most
ENOUGH = 0.9  # share of recovered problems at which a cell counts as beyond the transition

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Cell:
    """One number of sensors and snapshots: shares of problems recovered, by descent and by linear least squares."""

    m: int
    p: int
    ratio: float
    success: float
    linear: float
    iterations: float


@dataclass(frozen=True)
class PhaseDiagram:
    """Cells at one n and rho, each with ``seeds`` problems and at most ``cap`` iterations."""

    n: int
    rho: float
    seeds: int
    cap: int
    cells: tuple[Cell, ...]

    @property
    def sensors(self) -> list[int]:
        """The numbers of sensors, in order."""
        return sorted({cell.m for cell in self.cells})

    def of(self, m: int) -> list[Cell]:
        """The cells of one number of sensors, by snapshots."""
        return sorted((cell for cell in self.cells if cell.m == m), key=lambda cell: cell.p)

    def transition(self, m: int) -> float:
        """The smallest ratio at which at least 90 % of the problems are recovered; NaN if none is."""
        return next((cell.ratio for cell in self.of(m) if cell.success >= ENOUGH - 1e-9), float("nan"))

    def columns(self) -> dict[str, list[Any]]:
        """One row per cell, as columns of a table."""
        names = ("m", "p", "ratio", "success", "linear", "iterations")
        constant: dict[str, list[Any]] = {"n": [self.n] * len(self.cells), "rho": [self.rho] * len(self.cells)}
        return constant | {name: [getattr(cell, name) for cell in self.cells] for name in names}


def snapshots_up_to(n: int, m: int, ratio: float) -> range:
    """Snapshots from 1 to the first that reaches ``ratio`` measurements per unknown, but at most 16."""
    return range(1, min(MOST, snapshots_for(n, m, ratio)) + 1)


def phase_diagram(
    n: int,
    ms: Sequence[int],
    ps: Sequence[int] | float,
    rho: float,
    seeds: int,
    *,
    seed: int = 0,
    max_iter: int = 2000,
    ensemble: str = "gaussian",
    device: str = "cpu",
    progress: Progress | None = None,
) -> PhaseDiagram:
    """Recover ``seeds`` problems for each of ``ms`` sensors and ``ps`` snapshots, without noise.

    ``ps`` may be a number: then snapshots go up to that ratio of measurements to unknowns. Success is an error of x and
    of g below 1e-3 within ``max_iter`` iterations; ``iterations`` is the median over the problems. All problems of a
    cell run in one stack. ``ValueError`` for an empty list or numbers below 1.
    """
    validate.at_least("seeds", seeds, 1)
    if not len(ms) or (not isinstance(ps, int | float) and not len(ps)):
        raise ValueError(f"ms={ms!r}, ps={ps!r}: each needs at least one entry")
    wanted = [(m, p) for m in ms for p in (snapshots_up_to(n, m, ps) if isinstance(ps, int | float) else ps)]
    cells = []
    for m, p in wanted:
        made = calibration_problem(n, m, p, rho, ensemble=ensemble, seed=seed, batch=seeds).to(device)
        run = calibrate(made.A, made.y, max_iter=max_iter, record_every=max_iter)
        descent, linear = (float((torch.maximum(*errors(*found, made.x, made.g)) < SUCCESS).double().mean())
                           for found in ((run.x, run.g), linear_ls(made.A, made.y)))
        typical = float(run.iterations.double().quantile(0.5))
        cells.append(Cell(m, p, sample_ratio(n, m, p), descent, linear, typical))
        if progress is not None:
            progress(len(cells), len(wanted))
    return PhaseDiagram(n, rho, seeds, max_iter, tuple(cells))
