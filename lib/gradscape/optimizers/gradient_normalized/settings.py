"""Parameters and sizes of the lesson on gradient-normalized smoothness (Semenov et al. 2025, arXiv 2506.13710)."""
from __future__ import annotations

from dataclasses import dataclass

from gradscape import lesson
from gradscape.lesson import choice, integer, real

FUNCTIONS = ("exp", "log_cosh", "quartic", "double_well", "cubic")
RESIDUAL_KINDS = ("exact", "gauss_newton", "fisher_term", "none")


@dataclass(frozen=True)
class Sizes:
    """How much is computed; powers, smoothing and starting points are the claims' own and fixed."""

    seeds: int = 20  # replicates of the random problems
    smooth_n: int = 50  # rows and variables of LogSumExp with mu 1
    sharp_n: int = 100  # rows and variables of LogSumExp with mu 0.2
    gradient_steps: int = 500  # iterations of the gradient method on LogSumExp
    valley_steps: int = 20_000  # most iterations of the gradient method on Rosenbrock's residual
    equations: int = 100  # rows of the linear residual, half as many as its unknowns
    logistic_steps: int = 2000  # iterations of the gradient method on the logistic loss
    cancer_steps: int = 400  # iterations on the breast-cancer table
    chain: int = 100  # length of the Chebyshev chain
    starts: int = 20  # its starting points
    gallery: int = 400  # points per function of one variable
    digits_steps: int = 40  # iterations of softmax regression on digits, 650 variables
    digits_gradient: int = 1000  # of the gradient method there
    large: tuple[int, ...] = (200,)  # variables of the recorded LogSumExp problems
    long_chain: int = 200  # length of the recorded Chebyshev chain


SIZES = {
    "smoke": Sizes(
        seeds=2, smooth_n=10, sharp_n=12, gradient_steps=40, valley_steps=200, equations=8, logistic_steps=150,
        cancer_steps=30, chain=8, starts=3, gallery=20, digits_steps=1, digits_gradient=3, large=(12,), long_chain=10,
    ),
    "quick": Sizes(),
    "full": Sizes(gallery=4000, large=(200, 500), long_chain=1000),
}


class Settings(lesson.Settings, profiles=SIZES):
    """What a reader may change; the claims are measured at the defaults."""

    function: str = choice("exp", FUNCTIONS, about="function of one variable")
    point: float = real(1.2, -2.5, 2.5, symbol="x", about="where the gradient is expanded")
    theta: float = real(1.0, 0.0, 2.0, symbol="θ", about="H over the second derivative")
    ratio: float = real(1.0, 0.01, 100.0, scale="log", symbol="γ/γ(x)", about="radius over the largest one")
    p: int = integer(5, 2, 8, symbol="p", about="power of the residual's norm")
    start_1: float = real(-2.0, -2.5, 2.5, symbol="x₁", about="start on Rosenbrock, first")
    start_2: float = real(2.0, -1.0, 3.0, symbol="x₂", about="start on Rosenbrock, second")
    kind: str = choice("gauss_newton", RESIDUAL_KINDS, symbol="H", about="Hessian or its approximation")
    gamma0: float = real(1.0, 1e-3, 1e3, scale="log", symbol="γ₀", about="radius at the start")
    n: int = integer(50, 10, 200, scale="log", symbol="n", about="rows and variables of LogSumExp")
    mu: float = real(1.0, 0.05, 2.0, scale="log", symbol="μ", about="smoothing of LogSumExp, small is sharp")
