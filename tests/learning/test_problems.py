"""Objectives against finite differences and autograd; smoothness constants against power iteration."""
from __future__ import annotations

import doctest

import numpy as np
import pytest
import torch
from gradscape.learning import problems
from gradscape.learning.problems import (
    LeastSquaresClients,
    LogisticClients,
    QuadraticClients,
    saturating,
    saturating_curvature,
    saturating_gradient,
)

FINITE = 1e-6  # central differences with a step of 1e-6: cancellation leaves 1e-10, curvature 1e-12
ROUNDING = 1e-12


def draw(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def symmetric(*shape: int, d: int) -> torch.Tensor:
    A = draw(*shape, d, d, seed=1)
    return A @ A.transpose(-1, -2)


MAKERS = {
    "quadratic": lambda: QuadraticClients(symmetric(3, d=4), draw(3, 4), draw(3), penalty=0.2),
    "isotropic": lambda: QuadraticClients(draw(3).abs() + 0.1, draw(3, 4), draw(3)),
    "least squares": lambda: LeastSquaresClients(draw(3, 5, 4), draw(3, 5), penalty=0.1),
    "logistic": lambda: LogisticClients(draw(3, 5, 4), draw(3, 5).sign(), penalty=0.1),
    "stack of quadratics": lambda: QuadraticClients(symmetric(2, 3, d=4), draw(2, 3, 4), draw(2, 3), penalty=0.1),
    "stack of isotropic": lambda: QuadraticClients(draw(2, 3).abs() + 0.1, draw(2, 3, 4), draw(2, 3)),
    "stack of least squares": lambda: LeastSquaresClients(draw(2, 3, 5, 4), draw(2, 3, 5), penalty=0.1),
    "stack of logistic": lambda: LogisticClients(draw(2, 3, 5, 4), draw(2, 3, 5).sign(), penalty=0.1),
}


@pytest.fixture(params=MAKERS)
def clients(request):
    return MAKERS[request.param]()


def test_gradients_and_hessians_by_central_differences(clients):
    x, step = draw(*clients.batch, 4, seed=5), 1e-6
    for k in range(4):
        move = torch.zeros(4, dtype=torch.float64)
        move[k] = step
        slope = (clients.values(x + move) - clients.values(x - move)) / (2 * step)
        assert float((slope - clients.gradients(x)[..., k]).abs().max()) < FINITE
        bend = (clients.gradients(x + move) - clients.gradients(x - move)) / (2 * step)
        assert float((bend - clients.hessians(x)[..., k]).abs().max()) < FINITE


def test_f_is_the_mean_of_its_clients(clients):
    x = draw(*clients.batch, 4, seed=5)
    assert torch.equal(clients.value(x), clients.values(x).mean(-1))
    assert torch.equal(clients.gradient(x), clients.gradients(x).mean(-2))
    assert torch.equal(clients.hessian(x), clients.hessians(x).mean(-3))


def test_many_points_at_once_are_the_points_one_by_one(clients):
    many = draw(*clients.batch, 2, 3, 4, seed=6)
    for i in range(2):
        for j in range(3):
            one = many[..., i, j, :]
            for all_of, single in ((clients.gradients(many), clients.gradients(one)),
                                   (clients.hessians(many), clients.hessians(one))):
                rest = all_of[(slice(None),) * len(clients.batch) + (i, j)]
                assert float((rest - single).abs().max()) < ROUNDING
            value = clients.values(many)[(slice(None),) * len(clients.batch) + (i, j)]
            assert float((value - clients.values(one)).abs().max()) < ROUNDING


def test_parts_are_the_clients_they_name(clients):
    x, part = draw(*clients.batch, 4, seed=5), clients.part(1, 3)
    assert part.n == 2
    assert float((part.gradients(x) - clients.gradients(x)[..., 1:3, :]).abs().max()) < ROUNDING
    assert float((part.L_i - clients.L_i[..., 1:3]).abs().max()) < ROUNDING


def test_gradients_are_lipschitz_with_the_stated_constants(clients):
    x, y = draw(*clients.batch, 500, 4, seed=7) * 3, draw(*clients.batch, 500, 4, seed=8) * 3
    distance = (x - y).norm(dim=-1)
    moved = (clients.gradients(x) - clients.gradients(y)).norm(dim=-1)
    bound = clients.L_i[(slice(None),) * len(clients.batch) + (None,)] * distance[..., None]
    assert bool((moved <= bound * (1 + 1e-9)).all())
    together = (clients.gradient(x) - clients.gradient(y)).norm(dim=-1)
    assert bool((together <= clients.L[..., None] * distance * (1 + 1e-9)).all())
    assert bool((clients.L_i.mean(-1) * (1 + 1e-12) >= clients.L).all())


def test_smoothness_by_power_iteration_and_by_numpy():
    squares = LeastSquaresClients(draw(3, 5, 4), draw(3, 5), penalty=0.1)
    logistic = LogisticClients(draw(3, 5, 4), draw(3, 5).sign(), penalty=0.1)
    for i in range(3):
        A = draw(3, 5, 4)[i].numpy()
        v = np.ones(4)
        for _ in range(3000):
            v = A.T @ (A @ v)
            v /= np.linalg.norm(v)
        top = float(v @ (A.T @ (A @ v)))
        assert top == pytest.approx(float(np.linalg.eigvalsh(A.T @ A)[-1]), rel=1e-9)
        assert float(squares.L_i[i]) == pytest.approx(2 / 5 * top + 0.2, rel=1e-9)
        assert float(logistic.L_i[i]) == pytest.approx(top / 20 + 0.2, rel=1e-9)
    whole = draw(3, 5, 4).reshape(15, 4).numpy()
    top = float(np.linalg.eigvalsh(whole.T @ whole)[-1])
    assert float(squares.L) == pytest.approx(2 / 15 * top + 0.2, rel=1e-9)
    assert float(logistic.L) == pytest.approx(top / 60 + 0.2, rel=1e-9)


def test_least_squares_is_its_definition():
    A, b, x = draw(3, 5, 4), draw(3, 5, seed=2), draw(4, seed=3)
    clients = LeastSquaresClients(A, b)
    assert torch.allclose(clients.values(x), (A @ x - b).square().mean(-1), rtol=ROUNDING)
    assert torch.allclose(clients.gradient(clients.solution), torch.zeros(4, dtype=torch.float64), atol=1e-12)


def test_logistic_is_its_definition_and_never_overflows():
    A, y, x = draw(3, 5, 4), draw(3, 5, seed=2).sign(), draw(4, seed=3)
    clients = LogisticClients(A, y)
    assert torch.allclose(clients.values(x), torch.log1p(torch.exp(-y * (A @ x))).mean(-1), rtol=ROUNDING)
    assert bool(torch.isfinite(clients.values(1e6 * x)).all())
    assert bool(torch.isfinite(clients.gradients(1e6 * x)).all())


@pytest.mark.parametrize("name", ["least squares", "logistic", "stack of least squares", "stack of logistic"])
def test_sampled_gradients_are_unbiased(name):
    clients = MAKERS[name]()
    x = draw(*clients.batch, 4, seed=5)
    draws = 4000
    many = x[..., None, :].expand(*clients.batch, draws, 4)
    sampled = clients.sampled_gradients(many, 2, torch.Generator().manual_seed(0))
    axis = len(clients.batch)
    error = sampled.std(axis) / draws**0.5
    assert bool(((sampled.mean(axis) - clients.gradients(x)).abs() < 5 * error).all())


def test_penalty_against_autograd_and_its_bounds():
    x = draw(50, 3).requires_grad_()
    [slope] = torch.autograd.grad(saturating(x).sum(), x, create_graph=True)
    [bend] = torch.autograd.grad(slope.sum(), x)
    assert torch.allclose(slope, saturating_gradient(x), rtol=1e-10)
    assert torch.allclose(bend, saturating_curvature(x), atol=1e-10)
    grid = torch.linspace(-5, 5, 10_001, dtype=torch.float64)
    assert float(saturating_curvature(grid).max()) == 2.0
    assert float(saturating_curvature(grid).min()) == pytest.approx(-0.5, abs=1e-6)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: QuadraticClients(torch.ones(3), torch.ones(3)), "linear has shape"),
        (lambda: QuadraticClients(torch.ones(2), torch.ones(3, 4)), "hessians has shape"),
        (lambda: QuadraticClients(torch.ones(3), torch.full((3, 4), torch.nan)), "linear holds 12 NaN"),
        (lambda: QuadraticClients(torch.ones(3), torch.ones(3, 4), penalty=-1), "penalty=-1"),
        (lambda: LeastSquaresClients(torch.ones(3, 5, 4), torch.ones(3, 4)), "rows has shape"),
        (lambda: LogisticClients(torch.ones(3, 5, 4), torch.zeros(3, 5)), "labels: all must be -1 or 1"),
        (lambda: MAKERS["logistic"]().gradients(torch.ones(5)), "x has shape"),
        (lambda: MAKERS["stack of logistic"]().values(torch.ones(3, 4)), "x has shape"),
        (lambda: MAKERS["quadratic"]().solution, "penalty=0.2"),
        (lambda: MAKERS["isotropic"]().sampled_gradients(torch.ones(4), 2, torch.Generator()), "not rows of data"),
        (lambda: MAKERS["logistic"]().sampled_gradients(torch.ones(4), 0, torch.Generator()), "batch=0"),
    ],
)
def test_bad_arguments(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_examples():
    assert doctest.testmod(problems).failed == 0
