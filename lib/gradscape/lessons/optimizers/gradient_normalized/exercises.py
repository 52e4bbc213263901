"""Checkers of the lesson's exercises."""
from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from gradscape.optimizers.gradient_normalized.experiments import random_logsumexp
from gradscape.optimizers.gradient_normalized.methods import gns_minimize
from gradscape.optimizers.gradient_normalized.problems import LogSumExp
from gradscape.optimizers.gradient_normalized.search import Visit
from gradscape.optimizers.gradient_normalized.smoothness import GALLERY, positive_part, progress_constant, smoothness_1d
from gradscape.workbench import Feedback, as_array, as_number, checker, correct, expect

SAME, ITERATIONS, VARIABLES = 1e-8, 8, 50


@checker(1)
def check_1(tightest: Callable[..., Any]) -> Feedback | None:
    """The smallest progress constant over given points and radii of convex functions."""
    for k, name in enumerate(("exp", "quartic", "log_cosh")):
        problem = GALLERY[name]
        x = 0.3 + torch.rand(40, generator=torch.Generator().manual_seed(k), dtype=torch.float64)
        gamma = smoothness_1d(problem.grad, problem.hess, x) * torch.linspace(0.1, 1, 40, dtype=torch.float64)
        g, H = problem.grad(x), positive_part(problem, x)
        y = x - g / (H + g.abs() / gamma)
        truth = float(progress_constant(problem.f(x), problem.f(y), g, problem.grad(y), gamma).min())
        found = as_number(tightest(problem.f, problem.grad, problem.hess, x, gamma), "the constant")
        expect(found > 0, "The constant is positive: f falls in every such step.")
        told = f"On {problem.formula} you found {found:.6f}"
        expect(found >= 0.5, f"{told}, but convexity gives at least 1/2. Is λ = |g|/γ added to the second derivative, "
                             "and is the gradient in the denominator the new one?")
        expect(abs(found - truth) <= 1e-9, f"{told}; the smallest of the 40 constants is another. Take "
                                           "(f − f₊) |g| / (γ g₊²) at each point, and the minimum.")
    return correct("With f(x) − f(y) ≥ ⟨g₊, x − y⟩ the lemma's 1/8 becomes 1/2.")


@checker(2)
def check_2(run: Callable[..., Any]) -> Feedback | None:
    """Algorithm 1 with B = I and one decomposition per iteration; returns points and radii."""
    stack = random_logsumexp(VARIABLES, 1.0, 0, 1)
    problem = LogSumExp(stack.A[0], stack.b[0], 1.0, centre=False)
    x0, points, radii = torch.ones(VARIABLES, dtype=torch.float64), [], []

    def visit(at: Visit) -> None:
        points.append(at.x[0])
        radii.append(at.gamma[0])

    gns_minimize(problem, x0, max_iter=ITERATIONS, callback=visit)
    calls = 0

    def decompose(H: Tensor) -> Any:
        nonlocal calls
        calls += 1
        return torch.linalg.eigh(H)

    made = run(problem, x0.clone(), ITERATIONS, decompose)
    expect(isinstance(made, tuple) and len(made) == 2, "Return a pair: points (K + 1, n) and radii (K + 1,).")
    xs = as_array(made[0], "the points", (ITERATIONS + 1, VARIABLES))
    gammas = as_array(made[1], "the radii", (ITERATIONS + 1,))
    expect(calls > 0, "decompose was never called: use it on the Hessian once per iteration.")
    expect(calls <= ITERATIONS, f"decompose was called {calls} times in {ITERATIONS} iterations. H does not change "
                                "while λ is searched: decompose it before the search.")
    off = float(abs(gammas - torch.stack(radii).numpy()).max())
    expect(off <= SAME, "The radii differ from the method's: start at 1, double when a trial is accepted, halve when "
                        "it is not, and accept when f falls by |g₊|²/(8λ).")
    far = float(abs(xs - torch.stack(points).numpy()).max())
    expect(far <= SAME, f"The points differ by {far:.2g}: check λ = |g|/(γ + 1e-8) and the sign of the step.")
    return correct("Every trial now costs two products with vectors instead of a factorization.")


@checker(3)
def check_3(answer: object) -> Feedback | None:
    """The smallest theta > 1 at which gamma(0) of e^x with H = theta f'' has fallen to e/2."""
    theta = as_number(answer, "θ")
    expect(theta > 1, "Look beyond θ = 1: there H is larger than the second derivative.")
    expect(theta < 10, "That is far too large: at θ = 2 the radius is already below 1.")
    gamma = smoothness_1d(torch.exp, lambda x: theta * torch.exp(x), 0.0)
    told = f"At this θ the radius is {gamma:.4f}; e/2 is {math.e / 2:.4f}."
    expect(gamma <= 1.01 * math.e / 2, f"{told} It has not fallen that far: θ must be larger.")
    expect(gamma >= 0.99 * math.e / 2, f"{told} It has fallen further: θ must be smaller.")
    return correct(told)
