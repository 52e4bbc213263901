"""Solutions of the lesson's exercises, and wrong answers with the hint that each should get."""
from __future__ import annotations

import torch


def tightest(f, grad, hess, x, gamma):
    g = grad(x)
    y = x - g / (hess(x) + g.abs() / gamma)
    return float(((f(x) - f(y)) * g.abs() / (gamma * grad(y) ** 2)).min())


def _old_gradient(f, grad, hess, x, gamma):
    g = grad(x)
    y = x - g / (hess(x) + g.abs() / gamma)
    return float(((f(x) - f(y)) * g.abs() / (gamma * g**2)).min())


def run(problem, x, iterations, decompose, *, again=False, start=1.0, constant=8.0, eps=1e-8, sign=-1.0, count=True):
    xs, gammas, gamma = [x], [start], start
    for _ in range(iterations):
        f, g = problem.value(x), problem.gradient(x)
        values, Q = (decompose if count else torch.linalg.eigh)(problem.hessian(x))
        while True:
            if again:
                values, Q = decompose(problem.hessian(x))
            lam = g.norm() / (gamma + eps)
            y = x + sign * Q @ ((Q.T @ g) / (values + lam))
            if f - problem.value(y) >= problem.gradient(y).norm() ** 2 / (constant * lam) or gamma < 1e-6:
                break
            gamma /= 2
        x, gamma = y, 2 * gamma
        xs.append(x)
        gammas.append(gamma)
    return torch.stack(xs).numpy(), torch.tensor(gammas).numpy()


SOLUTIONS = {1: tightest, 2: run, 3: 1.4597}

# exercise -> (answer, part of the hint)
WRONG = {
    1: [
        (_old_gradient, "new one"),
        (lambda *args: 0.5, "is another"),
        (lambda *args: -1.0, "positive"),
        (lambda f, *rest: None, "returned None"),
    ],
    2: [
        (lambda *args: run(*args, again=True), "decompose it before the search"),
        (lambda *args: run(*args, start=0.5), "The radii differ"),
        (lambda *args: run(*args, count=False), "never called"),
        (lambda *args: run(*args)[0], "Return a pair"),
        (lambda *args: run(*args, eps=0.1), "The points differ"),
    ],
    3: [(0.5, "beyond"), (1.2, "must be larger"), (1.8, "must be smaller"), (50.0, "far too large"), ("e", "number")],
}
