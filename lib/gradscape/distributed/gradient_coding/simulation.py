"""A scheme on the clock: rounds, stragglers and waiting (Krishnan et al. 2022, arXiv 2211.13802, straggler rule)."""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from gradscape import validate
from gradscape.distributed.gradient_coding.schemes import Scheme
from gradscape.distributed.workers import Clock, Round, checked_delays


@dataclass(frozen=True)
class Simulation:
    """What happened: ``durations`` (R,) and ``finish_times`` (jobs,) in seconds (NaN: never decodable), ``effective``
    (R, n): whose result was lost, ``messages`` (R, n): results that arrived, ``waits``: rounds that waited for all or
    some late workers, ``undecodable``: jobs whose gradient could not be recovered.
    """

    durations: Tensor
    finish_times: Tensor
    effective: Tensor
    messages: Tensor
    waits: int
    undecodable: int

    @property
    def total(self) -> float:
        """Seconds until the last round has ended."""
        return float(self.durations.sum())


def step(
    scheme: Scheme, clock: Clock, r: int, seconds: Tensor, message_bits: int = 0
) -> tuple[Round, list[int], Tensor]:
    """One round: hand out, let the clock run, record; returns the round, the jobs now decodable, and messages (n,).

    ``message_bits`` is the size of one mini-task's result.
    """
    given = scheme.assign(r)
    tasks = (given.job >= 0).sum(-1)
    busy = None if scheme.starts(r) else given.busy
    up = tasks * message_bits if message_bits else 0
    event = clock.round(seconds, up=up, busy=busy, admit=lambda late: bool(scheme.admits(r, late)))
    return event, scheme.observe(r, event.late), tasks.masked_fill(event.late, 0)


def simulate(scheme: Scheme, delays: Tensor, *, jobs: int, mu: float = 1.0, wait: str = "all") -> Simulation:
    """Run ``jobs`` jobs on ``delays`` (at least jobs + T rounds, n): seconds at the scheme's own load.

    A worker is late when it takes more than (1 + mu) times the fastest; its result is lost if the scheme's straggler
    model admits the *effective* pattern so far, else the master waits: ``wait="all"`` for everybody (used for all
    claims), ``"minimal"`` for as few as needed, ``"never"`` not at all (and jobs may be lost). ``ValueError`` for too
    few rounds.
    """
    rounds = validate.at_least("jobs", jobs, 1) + scheme.T
    delays = checked_delays("delays", delays, rounds, scheme.n)
    scheme.reset(jobs)
    clock = Clock(scheme.n, mu=mu, wait=wait)
    finish = torch.full((jobs,), torch.nan, dtype=torch.float64)
    durations, effective, messages = [], [], []
    for r in range(rounds):
        event, ready, arrived = step(scheme, clock, r, delays[r])
        finish[ready] = clock.now
        durations.append(event.duration)
        effective.append(event.late)
        messages.append(arrived)
    return Simulation(
        torch.tensor(durations, dtype=torch.float64), finish, torch.stack(effective), torch.stack(messages),
        clock.waits, int(finish.isnan().sum()),
    )


@dataclass(frozen=True)
class Replay:
    """A scheme on given patterns (…, R, n): ``undecodable`` jobs and ``waits`` (rounds its model forbids), both int64
    (…)."""

    undecodable: Tensor
    waits: Tensor


def replay(scheme: Scheme, patterns: Tensor, *, jobs: int) -> Replay:
    """Let exactly the workers in ``patterns`` (…, jobs + T, n) lose their rounds, all patterns at once, without a
    clock."""
    rounds, shape = validate.at_least("jobs", jobs, 1) + scheme.T, tuple(patterns.shape)
    if patterns.dtype != torch.bool or len(shape) < 2 or shape[-1] != scheme.n or shape[-2] < rounds:
        wanted = f"bool (…, at least jobs + T = {rounds}, {scheme.n})"
        raise ValueError(f"patterns has dtype {patterns.dtype}, shape {shape}: must be {wanted}")
    scheme.reset(jobs, batch=shape[:-2])
    waits = torch.zeros(scheme.batch, dtype=torch.int64)
    for r in range(rounds):
        lost = patterns[..., r, :] & scheme.assign(r).busy
        waits += ~scheme.admits(r, lost)
        scheme.observe(r, lost)
    return Replay(sum((~scheme.decodable(job)).to(torch.int64) for job in range(jobs)), waits)  # type: ignore[arg-type]


def fit_load_slope(profiles: Mapping[float, Tensor]) -> tuple[float, float]:
    """Least-squares line through the mean completion time at each load: (seconds per unit load, seconds at load 0).

    ``profiles``: load -> recorded delays (rounds, n). At least two different loads.

    >>> fit_load_slope({0.0: torch.ones(2, 2), 1.0: torch.full((2, 2), 3.0)})
    (2.0, 1.0)
    """
    if len(profiles) < 2:
        raise ValueError(f"profiles has {len(profiles)} loads: at least two are needed")
    loads = np.array(list(profiles), dtype=np.float64)
    means = np.array([float(checked_delays(f"profiles[{at}]", seconds).mean()) for at, seconds in profiles.items()])
    centered = loads - loads.mean()
    slope = float(centered @ means / (centered @ centered))
    return slope, float(means.mean() - slope * loads.mean())
