"""The search for a scheme's parameters against replaying candidate by candidate, and decoding against least squares.

256 workers, the lesson's default grids on a probe of 84 rounds. Target: all candidates below one second on one core.
The plain loop takes every tenth candidate; its times are scaled up. Both must find the same times to 1e-12.
"""
from __future__ import annotations

import statistics
from itertools import count

import numpy as np
import torch
from gradscape.distributed import gradient_coding as gc
from gradscape.distributed.gradient_coding import selection
from gradscape.distributed.gradient_coding.schemes import make
from gradscape.distributed.workers import DelayModel, DelayTrace
from side_by_side import agree, goal, report, seconds

N, JOBS, T_MAX, ALPHA, TENTH, S = 256, 80, 3, 5.0, 10, 27
TARGET = 1.0


def main() -> None:
    torch.set_num_threads(1)
    delays = DelayModel().sample(JOBS + 20, N, torch.Generator().manual_seed(0))
    probe = delays if isinstance(delays, DelayTrace) else DelayTrace(delays)
    grids = selection.default_grids(N)

    def search() -> list[selection.Candidate]:
        return selection.search(N, probe, ALPHA, jobs=JOBS, t_max=T_MAX, grids=grids)

    candidates = search()
    some = candidates[::TENTH]

    def plain() -> list[float]:
        return [gc.simulate(make(c.scheme, N, c.params), probe.adjusted(c.load, ALPHA), jobs=JOBS).total for c in some]

    agree("relative difference of times", max(abs(a.time - b) / b for a, b in zip(some, plain(), strict=True)), 1e-12)
    times = seconds({"all candidates together": search, "one after the other": plain}, blocks=5)
    report(f"{len(candidates)} candidates (the loop timed on {len(some)} of them):", times, len(candidates) / len(some))
    took = statistics.median(times["all candidates together"])
    goal("gradient_coding: all candidates", took, TARGET, "s", most=True)

    code = gc.GradientCode(N, S)
    matrix, ones = code.matrix.numpy(), np.ones(N)
    fresh = count()

    def alive() -> torch.Tensor:
        """Never the same set twice: known sets come from a cache."""
        dead = torch.randperm(N, generator=torch.Generator().manual_seed(next(fresh)))[:S]
        return torch.ones(N, dtype=torch.bool).index_fill_(0, dead, False)

    def least_squares() -> np.ndarray:
        keep = alive().numpy()
        weights = np.zeros(N)
        weights[keep] = np.linalg.lstsq(matrix[keep].T, ones, rcond=None)[0]
        return weights

    off = max(float((code.matrix.T @ code.decode_vector(alive()) - 1).abs().max()) for _ in range(5))
    theirs = max(float(np.abs(matrix.T @ least_squares() - 1).max()) for _ in range(5))
    print(f"Worst entry of C'a - 1: {off:.1e}, by least squares {theirs:.1e}")
    agree("residual of decoding", off, 1e-8)
    known = alive()
    code.decode_vector(known)
    report(f"decoding vector, n = {N}, s = {S}:", seconds(
        {"null space, then s unknowns": lambda: code.decode_vector(alive()), "numpy.linalg.lstsq": least_squares,
         "a set seen before": lambda: code.decode_vector(known)}, calls=5), others=("a set seen before",))


if __name__ == "__main__":
    main()
