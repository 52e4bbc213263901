"""The paper's Fig. 4 and Theorem 1, against finite differences, hand computation and the optimizer itself."""
from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from gradscape.optimizers import DiffGrad
from gradscape.optimizers.diffgrad import regret, toys
from gradscape.optimizers.diffgrad.toys import SYNTHETIC, basin_share, frictions, minimise_scalar, official_f2_grad

SLOPE = 1e-6  # central differences of width 2e-6 in float64, third derivatives up to 500
NEAR = 1e-3


def smooth_points(problem):
    x = torch.linspace(-1.7, 1.7, 1201, dtype=torch.float64)
    for kink in problem.kinks:
        x = x[(x - kink).abs() > NEAR]
    return x


@pytest.mark.parametrize("name", SYNTHETIC)
def test_derivatives_are_central_differences(name):
    problem, h = SYNTHETIC[name], 1e-6
    x = smooth_points(problem)
    numeric = (problem.f(x + h) - problem.f(x - h)) / (2 * h)
    torch.testing.assert_close(problem.grad(x), numeric, rtol=SLOPE, atol=SLOPE)


@pytest.mark.parametrize("name", SYNTHETIC)
def test_minima_are_where_the_problem_says(name):
    problem = SYNTHETIC[name]
    x = torch.linspace(-2, 2, 400_001, dtype=torch.float64)
    assert x[problem.f(x).argmin()].item() == pytest.approx(problem.global_minimum, abs=1e-4)
    for place in problem.local_minima:
        near = torch.tensor([place - 1e-3, place, place + 1e-3], dtype=torch.float64)
        values = problem.f(near)
        # F3's side minima lie on a jump: its value at 0.5 belongs to the left piece
        assert values[1] <= values.max()
        assert values[1] - problem.f(torch.tensor(problem.global_minimum, dtype=torch.float64)) > 0.01


@pytest.mark.parametrize("name", SYNTHETIC)
def test_numpy_and_torch_agree(name):
    problem = SYNTHETIC[name]
    x = np.linspace(-2, 2, 101)
    for part in (problem.f, problem.grad):
        np.testing.assert_allclose(part(x), part(torch.from_numpy(x)).numpy(), rtol=1e-14, atol=1e-14)


def test_f2_by_hand_and_the_notebooks_missing_factor():
    f2 = SYNTHETIC["F2"]
    assert f2.f(np.float64(-1.0)) == pytest.approx(4.85)
    assert f2.grad(np.float64(-1.0)) == -40
    x = torch.tensor([0.3], dtype=torch.float64)
    missing = f2.grad(x) - official_f2_grad(x)
    torch.testing.assert_close(missing, 7 * x * torch.cos(8 * x))
    # Fig. 4(f) ends at -0.64: the figure was made with the true derivative
    wrong = dataclasses.replace(f2, grad=official_f2_grad)
    assert minimise_scalar(wrong, -1.0)[-1].item() == pytest.approx(-0.81, abs=0.005)
    assert minimise_scalar(f2, -1.0)[-1].item() == pytest.approx(-0.64, abs=0.005)


def test_a_path_is_the_optimizers():
    for name, problem in SYNTHETIC.items():
        x = torch.nn.Parameter(torch.tensor(-1.0, dtype=torch.float64))
        optimizer = DiffGrad([x], lr=0.1, betas=(0.95, 0.999))
        path = [x.item()]
        for _ in range(299):
            x.grad = problem.grad(x.detach())
            optimizer.step()
            path.append(x.item())
        expected = torch.tensor(path, dtype=torch.float64)
        assert (minimise_scalar(problem, -1.0) - expected).abs().max() < 1e-9, name


def test_paths_do_not_depend_on_the_others():
    starts = torch.linspace(-2, -0.5, 4, dtype=torch.float64)[:, None]
    rates = torch.tensor([0.02, 0.1, 0.3], dtype=torch.float64)
    for name in ("adam", "half", "diffgrad", "dfc1", "dfc3"):
        together = minimise_scalar(SYNTHETIC["F2"], starts, lr=rates, optimiser=name)
        assert together.shape == (300, 4, 3)
        one = minimise_scalar(SYNTHETIC["F2"], starts[1, 0], lr=rates[2], optimiser=name)
        torch.testing.assert_close(together[:, 1, 2], one, rtol=0, atol=1e-12)


def test_optimizers_in_one_run_are_those_run_apart():
    names = ("adam", "half", "diffgrad")
    together = minimise_scalar(SYNTHETIC["F1"], -1.0, optimiser=names)
    assert together.shape == (300, 3)
    for i, name in enumerate(names):
        assert torch.equal(together[:, i], minimise_scalar(SYNTHETIC["F1"], -1.0, optimiser=name))


def test_frictions_of_a_path():
    f1 = SYNTHETIC["F1"]
    path = minimise_scalar(f1, torch.tensor([-1.0, -0.5]), steps=5)
    xi = frictions(f1, path)
    assert xi.shape == (5, 2)
    torch.testing.assert_close(xi[0], torch.sigmoid(torch.tensor([1.4, 0.4], dtype=torch.float64)))
    change = f1.grad(path[2]) - f1.grad(path[3])
    torch.testing.assert_close(xi[3], torch.sigmoid(change.abs()))


def test_loss_scale_leaves_adam_and_moves_diffgrad_between_its_halves():
    f1 = SYNTHETIC["F1"]
    for c, like in ((1e-6, "half"), (1e6, "adam")):
        problem = toys.scaled(f1, c)
        adam = minimise_scalar(problem, -1.0, eps=1e-8 * c, optimiser="adam")
        assert (adam - minimise_scalar(f1, -1.0, optimiser="adam")).abs().max() < 1e-7
        moved = minimise_scalar(problem, -1.0, eps=1e-8 * c)
        reference = minimise_scalar(f1, -1.0, optimiser=like)
        # at c = 1e6 the friction still falls to 1/2 where the gradient stands still
        assert (moved - reference).abs().max() < 5e-3


def test_basin_share_counts():
    ends = torch.tensor([[-0.3, 0.2], [-0.26, -0.3], [0.2, 0.2]], dtype=torch.float64)
    assert basin_share(SYNTHETIC["F1"], ends).tolist() == pytest.approx([2 / 3, 1 / 3])


@pytest.mark.parametrize(("arguments", "words"), [
    ({"steps": 0}, "steps=0"), ({"optimiser": "sgd"}, "optimiser='sgd'"), ({"lr": -1.0}, "lr=-1.0"),
    ({"x0": float("nan")}, "x0"), ({"optimiser": ("dfc", "dfc1")}, "at most one"),
])
def test_minimise_scalar_refuses(arguments, words):
    with pytest.raises(ValueError, match=words):
        minimise_scalar(SYNTHETIC["F1"], **{"x0": -1.0, **arguments})


# regret

def plain_regret(slopes, alpha, beta1, beta2, friction):
    """Theorem 1's game as the formula reads, one number at a time."""
    x, m, v, old, total, played = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    result = []
    for t, g in enumerate(slopes, 1):
        played, total = played + g * x, total + g
        m, v = beta1 * m + (1 - beta1) * g, beta2 * v + (1 - beta2) * g * g
        xi = friction(abs(old - g))
        x -= alpha / t**0.5 * xi * (m / (1 - beta1**t)) / ((v / (1 - beta2**t)) ** 0.5 + 1e-8)
        x, old = min(max(x, -1.0), 1.0), g
        result.append(played + abs(total))  # the best fixed point of [-1, 1] loses -|total|
    return np.array(result)


@pytest.mark.parametrize("beta1", [0.0, 0.9])
def test_regret_is_the_plain_loop(beta1):
    slopes = np.random.default_rng(0).normal(0.3, 1.0, size=(200, 2))
    rules = {"adam": lambda d: 1.0, "half": lambda d: 0.5, "diffgrad": lambda d: 1 / (1 + np.exp(-d))}
    for name, rule in rules.items():
        trace = regret.online_regret(slopes, alpha=[0.1, 0.5], betas=(beta1, [0.9, 0.99]), optimiser=name)
        for k, (alpha, beta2) in enumerate(((0.1, 0.9), (0.5, 0.99))):
            np.testing.assert_allclose(
                trace.regret[:, k], plain_regret(slopes[:, k], alpha, beta1, beta2, rule), rtol=1e-10, atol=1e-10
            )
    np.testing.assert_allclose(trace.average, trace.regret / np.arange(1, 201)[:, None])


def test_regret_of_constant_losses_is_small():
    """Where every loss points the same way, all optimizers walk to the right end and average regret vanishes."""
    slopes = np.ones(2000)
    for name in toys.OPTIMIZERS:
        trace = regret.online_regret(slopes, alpha=0.5, betas=(0.0, 0.99), optimiser=name)
        assert trace.end[0] == -1.0
        assert trace.average[-1, 0] < 0.01
        assert trace.regret[-1, 0] < regret.regret_bound(trace, alpha=0.5, betas=(0.0, 0.99))[0]


def test_bound_by_hand():
    trace = regret.online_regret(np.array([2.0, -1.0]), alpha=0.5, betas=(0.0, 0.75))
    vhat = (0.75 * 0.25 * 4 + 0.25) / (1 - 0.75**2)
    expected = 4 * (1 + np.exp(-2)) * np.sqrt(2 * vhat) + 0.5 * 2 / 0.5 * np.sqrt(5) + 4 * 2 * 0.5 / 0.25
    assert regret.regret_bound(trace, alpha=0.5, betas=(0.0, 0.75))[0] == pytest.approx(expected)
    wider = regret.regret_bound(trace, alpha=0.5, betas=(0.0, 0.75), largest_moment=True)[0]
    assert wider == pytest.approx(expected + 4 * (1 + np.exp(-2)) * np.sqrt(2) * (2 - np.sqrt(vhat)))


def test_decaying_first_moment_follows_the_theorem():
    slopes = np.array([1.0, -2.0, 0.5])
    trace = regret.online_regret(slopes, alpha=0.1, betas=(0.5, 0.9), optimiser="adam", lam=0.5, domain=(-10.0, 10.0))
    m1 = 0.5 * 1.0
    m2 = 0.25 * m1 + 0.75 * -2.0
    v1, v2 = 0.1 * 1.0, 0.9 * 0.1 + 0.1 * 4.0
    x1 = -0.1 * (m1 / 0.5) / np.sqrt(v1 / 0.1)
    x2 = x1 - 0.1 / np.sqrt(2) * (m2 / 0.75) / np.sqrt(v2 / (1 - 0.81))
    np.testing.assert_allclose(trace.x[1:, 0], [x1, x2], rtol=1e-6)


@pytest.mark.parametrize(("arguments", "words"), [
    ({"optimiser": "dfc"}, "optimiser='dfc'"), ({"domain": (1.0, -1.0)}, "domain"), ({"start": 3.0}, "start=3.0"),
    ({"betas": (1.0, 0.9)}, r"betas\[0\]"), ({"betas": (0.0, 1.0)}, r"betas\[1\]"), ({"losses": [np.nan]}, "losses"),
    ({"lam": 0.0}, "lam=0.0"),
])
def test_online_regret_refuses(arguments, words):
    with pytest.raises(ValueError, match=words):
        regret.online_regret(**{"losses": np.ones(5), **arguments})
    if words == "lam=0.0":
        with pytest.raises(ValueError, match="theorem asks"):
            regret.regret_bound(regret.online_regret(np.ones(5)), alpha=0.5, betas=(0.99, 0.5))
