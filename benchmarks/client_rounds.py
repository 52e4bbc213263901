"""Rounds of all clients, seeds and settings in one stack against plain loops over clients, as authors' code has them.

Error feedback: 200 clients, 20 variables, Top-1; target: at least 20 times as fast as the loop. EControl: 10 clients,
100 variables, Top-10, noise (drawn on both sides); 20 seeds and 3 gains side by side; target: at least 10 times as fast
per run. Both sides must end at the same iterates (relative 1e-9).
"""
from __future__ import annotations

import numpy as np
import torch
from gradscape.distributed import econtrol as ec
from gradscape.distributed import error_feedback as ef
from gradscape.distributed.compressors import TopK
from gradscape.distributed.econtrol import tasks
from gradscape.distributed.econtrol.simulator import Draws
from side_by_side import agree, goal, ratio, report, seconds, size

ROUNDS, CLIENTS, ENTRIES = size(300, 5), 200, 20
RUNS, GAINS, STEPS = 20, (0.01, 0.05, 0.1), size(300, 5)


def kept(v: np.ndarray, k: int) -> np.ndarray:
    out = np.zeros_like(v)
    at = np.argpartition(-np.abs(v), k - 1)[:k]
    out[at] = v[at]
    return out


def ef21_loop(problem: ef.Clients, gamma: float, x: np.ndarray, rounds: int) -> np.ndarray:
    """EF21 with Top-1, client by client, in numpy."""
    H, c, lam = problem.matrices.numpy(), problem.linear.numpy(), problem.penalty

    def gradient(i: int) -> np.ndarray:
        return H[i] @ x + c[i] + lam * 2 * x / (1 + x**2) ** 2

    g = [kept(gradient(i), 1) for i in range(len(H))]
    server = sum(g) / len(g)
    for _ in range(rounds):
        x = x - gamma * server
        for i in range(len(H)):
            message = kept(gradient(i) - g[i], 1)
            g[i] = g[i] + message
            server = server + message / len(H)
    return x


def econtrol_loop(
    curvatures: np.ndarray, linear: np.ndarray, x: np.ndarray, gamma: float, eta: float, draws: Draws
) -> np.ndarray:
    """EControl with Top-10, client by client, in numpy; ``draws`` gives the noise (1, n, d) of every round."""
    n = len(linear)
    first = draws.at(0)[0].numpy()
    h = [curvatures[i] * x + linear[i] + first[i] for i in range(n)]
    e, server = [np.zeros_like(x) for _ in range(n)], sum(h) / n
    for t in range(STEPS):
        drawn = draws.at(t)[0].numpy() if t else first
        total = np.zeros_like(x)
        for i in range(n):
            missing = curvatures[i] * x + linear[i] + drawn[i] - h[i]
            message = kept(eta * e[i] + missing, 10)
            e[i] = e[i] + missing - message
            h[i] = h[i] + message
            total += message
        server = server + total / n
        x = x - gamma * server
    return x


def error_feedback() -> None:
    problem = ef.nonconvex_least_squares(CLIENTS, ENTRIES, 10, 1.0)
    x0 = torch.randn(ENTRIES, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    gamma = float(ef.step_size(problem.L, problem.L_i, 1 / ENTRIES, "uniform"))

    def stack() -> torch.Tensor:
        return ef.run(problem, "ef21", gamma, TopK(1), ROUNDS, x0, record_every=ROUNDS).x

    def loop() -> np.ndarray:
        return ef21_loop(problem, gamma, x0.numpy(), ROUNDS)

    theirs = torch.from_numpy(loop())
    agree("relative difference of x", float((stack().reshape(-1) - theirs).norm() / theirs.norm()), 1e-9)
    times = seconds({"one stack": stack, "loop over clients": loop})
    report(f"EF21, {CLIENTS} clients, {ROUNDS} rounds, one run:", times)
    gain = ratio(*times.values())
    goal("error_feedback: one stack against the loop", gain, 20,
         cause="a round of one run is a few calls of torch on 200 rows: what is left is their fixed cost")


def econtrol() -> None:
    n, d, gamma = 10, 100, 0.003
    problem = ec.koloskova_quadratic(n, d, 10.0, list(range(RUNS)))
    x0 = problem.x_star + 1.0
    noise, eta = tasks.gaussian_noise(10.0, d), torch.tensor(GAINS, dtype=torch.float64)

    def stack() -> torch.Tensor:
        found = ec.run(problem, "econtrol", gamma, STEPS, eta=eta, compressor=TopK(10), x0=x0, noise=noise,
                       seeds=range(RUNS), record_every=STEPS)
        return found.dist_sq[..., -1]

    curvatures, linear = problem.matrices[0].numpy(), problem.linear[0].numpy()

    def loop() -> np.ndarray:
        return econtrol_loop(curvatures, linear, x0[0].numpy(), gamma, GAINS[-1], Draws(noise, [0], n))

    theirs = float(((loop() - problem.x_star[0].numpy()) ** 2).sum())
    agree("relative difference of |x - x*|²", abs(float(stack()[0, -1]) - theirs) / theirs, 1e-9)
    times = seconds({f"{RUNS * len(GAINS)} runs in one stack": stack, "loop over clients, one run": loop}, blocks=5)
    report(f"EControl, {n} clients, {STEPS} rounds (loop scaled to {RUNS * len(GAINS)} runs):", times,
           RUNS * len(GAINS))
    gain = RUNS * len(GAINS) * ratio(*times.values())
    goal("econtrol: a run in one stack against the loop", gain, 10, cause="both sides draw the same noise, and the "
         "search for the ten largest entries of each row takes most of the rest")


def main() -> None:
    torch.set_num_threads(1)
    error_feedback()
    econtrol()


if __name__ == "__main__":
    main()
