"""Record histories of the authors' own code, epfml/grad-norm-smooth at commit 9f4ca00.

Run as ``python gradient_normalized.py PATH/TO/CHECKOUT/src`` (numpy and scipy). Their generic residual class is used
for a linear residual only, where its wrong second-derivative term does not matter.
"""
import json
import sys
from pathlib import Path

import numpy as np
import scipy

sys.path.insert(0, sys.argv[1])
import approximations as approx
import methods
import oracles

TOL = 1e-8
rng = np.random.default_rng(11)


def digits(values):
    return [float(f"{value:.15g}") for value in values]


def history(result):
    kept = {key: digits(result[2][key]) for key in ("func", "gamma_k", "H_k", "L") if key in result[2]}
    return kept | {"x": digits(result[0])}


cases = {}
for p in (2, 3, 4, 5, 6, 8):
    problem, x0 = oracles.NonlinearEquationsRosenbrockOracle(p), np.array([-2.0, 2.0])
    options = {"f_star": 0.0, "eps": TOL}
    cases[f"rosenbrock {p} exact"] = history(methods.grad_norm_smooth(problem, x0, **options))
    cases[f"rosenbrock {p} gauss_newton"] = history(methods.grad_norm_smooth(
        problem, x0, is_approx=True, approx_oracle=problem, approx_hess_fn=approx.approx_hess_nonlinear_equations,
        **options))
    if p <= 5:
        long = history(methods.gradient_method(problem, x0, max_iter=8000))
        count = int(np.argmax(np.array(long["func"]) < TOL))
        cases[f"rosenbrock {p} gradient"] = {"iterations": count, "func": long["func"][:60], "L": long["L"][:60]}
    found = history(methods.super_newton(problem, x0, f_star=0.0, eps=TOL))
    cases[f"rosenbrock {p} super"] = found

n = 12
A, b = rng.uniform(-1, 1, (n, n)), rng.uniform(-1, 1, n)
problem, x0, B = oracles.create_log_sum_exp_zero_oracle(A, b, 0.5), np.ones(n), A.T @ A
options = {"B": B, "Binv": np.linalg.inv(B), "f_star": problem.func(np.zeros(n)), "eps": TOL}
cases["logsumexp exact"] = history(methods.grad_norm_smooth(problem, x0, **options))
cases["logsumexp weighted_gauss_newton"] = history(methods.grad_norm_smooth(
    problem, x0, is_approx=True, approx_oracle=problem, approx_hess_fn=approx.approx_hess_fn_logsumexp, **options))
cases["logsumexp none"] = history(methods.grad_norm_smooth_gradient_method(problem, x0, **options))
cases["logsumexp gradient"] = history(methods.gradient_method(problem, x0, max_iter=30, B=B, Binv=options["Binv"]))
cases["logsumexp gradient"].pop("x")
logsumexp = {"A": A.tolist(), "b": b.tolist(), "mu": 0.5}

rows = 6
A, b = rng.uniform(-1, 1, (rows, 2 * rows)), rng.uniform(-1, 1, rows)
problem, x0 = oracles.NonlinearEquationsOracle(4, A=A, b=b), np.ones(2 * rows)
B = A.T @ A + 1e-2 * np.eye(2 * rows)
options = {"B": B, "Binv": np.linalg.inv(B), "f_star": 0.0, "eps": TOL}
cases["linear exact"] = history(methods.grad_norm_smooth(problem, x0, **options))
for backend, name in (("wsm", "rank_one"), ("cho", "cholesky")):
    cases[f"linear fisher_term {name}"] = history(methods.grad_norm_smooth_for_rank_one(
        problem, x0, is_approx=True, approx_oracle=problem, approx_hess_fn=approx.approx_hess_fn_fisher_term,
        invert_backend=backend, **options))
linear = {"A": A.tolist(), "b": b.tolist()}

# their loop stops with an error where a first exact Hessian cannot be factorized, so the inexact one only
x0 = rng.uniform(0, 1, 10)
problem = oracles.ChebyshevOracle(10, 4)
cases["chebyshev gauss_newton"] = history(methods.grad_norm_smooth(
    problem, x0, is_approx=True, approx_oracle=problem, approx_hess_fn=approx.approx_hess_fn_chebyshev, f_star=0.0,
    eps=TOL))
found = {
    "versions": {"numpy": np.__version__, "scipy": scipy.__version__, "commit": "9f4ca00"}, "logsumexp": logsumexp,
    "linear": linear, "chebyshev": {"x0": x0.tolist()}, "cases": cases,
}
Path(__file__).with_suffix(".json").write_text(json.dumps(found, separators=(",", ":")) + "\n")
