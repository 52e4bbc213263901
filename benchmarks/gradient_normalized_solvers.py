"""Gradient-normalized smoothness: its solvers against each other, and against scipy's minimizers from the same start.

A run ends when f - f* < 1e-8 (1e-9 for the logistic loss); methods that end above it are named and not timed. Solvers
of one method must take the same steps: their values agree to 1e-4 (the first row of each group is timed as 1).
"""
from __future__ import annotations

import torch
from gradscape.lesson import generator
from gradscape.optimizers.gradient_normalized import gns_minimize, gns_minimize_batch, linear_power
from gradscape.optimizers.gradient_normalized.experiments import random_logsumexp
from gradscape.optimizers.gradient_normalized.losses import LogisticLoss, separable_data
from gradscape.optimizers.gradient_normalized.problems import LogSumExp
from gradscape.optimizers.gradient_normalized.tables import minimize_by_scipy
from side_by_side import agree, report, seconds

ROWS, RUNS, PEERS = 100, 10, ("trust-exact", "trust-krylov", "Newton-CG", "L-BFGS-B")


def main() -> None:
    torch.set_num_threads(1)
    g = generator(0, 0)
    A, b = (2 * torch.rand(*shape, generator=g, dtype=torch.float64) - 1 for shape in ((ROWS, 2 * ROWS), (ROWS,)))
    linear, start = linear_power(A, b, 4), torch.ones(2 * ROWS, dtype=torch.float64)

    def rank_one(solver: str) -> torch.Tensor:
        return gns_minimize(
            linear, start, hessian="fisher_term", solver=solver, metric=linear.gram, value_tol=1e-8
        ).values

    ours, theirs = rank_one("rank_one"), rank_one("cholesky")
    agree("relative difference of values", float(((ours - theirs) / theirs).abs().max()), 1e-4)
    report(f"|Ax - b|⁴/4, {2 * ROWS} unknowns, Fisher term",
           seconds({"Sherman-Morrison": lambda: rank_one("rank_one"), "Cholesky": lambda: rank_one("cholesky")}))

    stack = random_logsumexp(50, 1.0, 0, RUNS)
    alone = [LogSumExp(stack.A[k], stack.b[k], 1.0, centre=False) for k in range(RUNS)]
    for k, problem in enumerate(alone):
        problem.minimum = float(torch.as_tensor(stack.minimum)[k])
    x0 = torch.ones(RUNS, 50, dtype=torch.float64)

    def together() -> torch.Tensor:
        return gns_minimize_batch(stack, x0, metric=stack.gram, value_tol=1e-8).iterations

    def one_by_one() -> torch.Tensor:
        runs = [gns_minimize(problem, x0[k], metric=stack.gram[k], value_tol=1e-8) for k, problem in enumerate(alone)]
        return torch.stack([run.iterations for run in runs])

    agree("difference of iterations", float((together() - one_by_one().reshape(-1)).abs().max()), 0.0)
    report(f"LogSumExp, n = 50, exact Hessian, {RUNS} runs",
           seconds({"in one stack": together, "one by one": one_by_one}))

    sharp = random_logsumexp(100, 0.2, 0, 1)
    smooth = LogSumExp(sharp.A[0], sharp.b[0], 0.2, centre=False)
    smooth.minimum = float(torch.as_tensor(sharp.minimum)[0])
    logistic = LogisticLoss(*separable_data(300, 20, generator(0, 0)))
    cases = (("LogSumExp, n = 100, μ = 0.2", smooth, torch.ones(100, dtype=torch.float64), sharp.gram[0],
              smooth.minimum, 1e-8),
             ("separable logistic loss, 300 x 20", logistic, torch.zeros(20, dtype=torch.float64), None, 0.0, 1e-9))
    for title, problem, begin, metric, minimum, tol in cases:
        jobs = {"exact Hessian": lambda p=problem, x=begin, B=metric, f=minimum, t=tol: gns_minimize(
            p, x, metric=B, value_tol=t, minimum=f)}
        for method in PEERS:
            steps, gap = minimize_by_scipy(problem, begin, method, minimum, tol)
            if gap >= tol:
                print(f"- scipy {method}: ended at f - f* = {gap:.0e} after {steps} iterations")
                continue
            jobs[f"scipy {method} ({steps} iterations)"] = (
                lambda p=problem, x=begin, m=method, f=minimum, t=tol: minimize_by_scipy(p, x, m, f, t))
        print()
        report(title, seconds(jobs, blocks=5), behind="at so few unknowns a step of ours costs more (two trials, a "
               "metric), and theirs takes about as many steps")


if __name__ == "__main__":
    main()
