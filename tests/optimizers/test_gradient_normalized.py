"""The method against the authors' own histories, closed forms, invariants and its limiting cases."""
from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import torch
from gradscape.optimizers import gradient_normalized as gn
from gradscape.optimizers.gradient_normalized import losses, problems, solvers
from gradscape.optimizers.gradient_normalized.objective import Objective

ORACLE = json.loads((Path(__file__).parents[1] / "oracles" / "gradient_normalized.json").read_text())
CASES = ORACLE["cases"]
HISTORY = 1e-9  # relative: two codes that round differently, over up to sixty iterations
SAME = 1e-8  # solvers of the same system, metrics of the same space


def doubles(*values):
    return torch.tensor(values, dtype=torch.float64)


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def spd(n, seed=0):
    factor = draw(n, n, seed=seed)
    return factor @ factor.T + 0.5 * torch.eye(n, dtype=torch.float64)


def agrees(found, name):
    expected = CASES[name]
    torch.testing.assert_close(found.values, doubles(*expected["func"]), rtol=HISTORY, atol=1e-14)
    radii = expected.get("gamma_k", expected.get("L"))
    if "gamma_k" in expected:
        torch.testing.assert_close(found.gammas, doubles(*radii), rtol=1e-12, atol=0)
    if "x" in expected:
        torch.testing.assert_close(found.x, doubles(*expected["x"]), rtol=1e-7, atol=1e-9)


START = doubles(-2.0, 2.0)


@pytest.mark.parametrize("p", [2, 3, 4, 5, 6, 8])
def test_rosenbrock_is_the_authors_run(p):
    for kind in ("exact", "gauss_newton"):
        agrees(gn.gns_minimize(gn.rosenbrock(p), START, hessian=kind, value_tol=1e-8), f"rosenbrock {p} {kind}")
    agrees(gn.super_universal_newton(gn.rosenbrock(p), START, value_tol=1e-8), f"rosenbrock {p} super")


@pytest.mark.parametrize("p", [2, 5])
def test_gradient_method_is_the_authors(p):
    expected = CASES[f"rosenbrock {p} gradient"]
    found = gn.gradient_method(gn.rosenbrock(p), START, max_iter=59)
    torch.testing.assert_close(found.values, doubles(*expected["func"]), rtol=HISTORY, atol=0)


def test_logsumexp_is_the_authors_run():
    data = ORACLE["logsumexp"]
    problem = gn.LogSumExp(data["A"], data["b"], data["mu"])
    x0 = torch.ones(12, dtype=torch.float64)
    for kind in ("exact", "weighted_gauss_newton", "none"):
        agrees(gn.gns_minimize(problem, x0, hessian=kind, metric=problem.gram, value_tol=1e-8), f"logsumexp {kind}")
    agrees(gn.gradient_method(problem, x0, metric=problem.gram, max_iter=30), "logsumexp gradient")


def test_linear_and_chebyshev_are_the_authors_runs():
    data = ORACLE["linear"]
    problem, x0 = gn.linear_power(data["A"], data["b"], 4), torch.ones(12, dtype=torch.float64)
    metric = problem.A.T @ problem.A + 1e-2 * torch.eye(12, dtype=torch.float64)
    agrees(gn.gns_minimize(problem, x0, metric=metric, value_tol=1e-8), "linear exact")
    for solver in ("rank_one", "cholesky"):
        found = gn.gns_minimize(problem, x0, hessian="fisher_term", solver=solver, metric=metric, value_tol=1e-8)
        agrees(found, f"linear fisher_term {solver}")
    x0 = doubles(*ORACLE["chebyshev"]["x0"])
    found = gn.gns_minimize(gn.chebyshev(10, 4), x0, hessian="gauss_newton", value_tol=1e-8)
    agrees(found, "chebyshev gauss_newton")


# objectives

def objectives():
    X, y = draw(9, 4, seed=3), torch.sign(draw(9, seed=4))
    yield "logsumexp", gn.LogSumExp(draw(7, 4), draw(7, seed=1), 0.7)
    yield "rosenbrock", gn.rosenbrock(5)
    yield "rosenbrock 2", gn.rosenbrock(2)
    yield "chebyshev", gn.chebyshev(5, 3)
    yield "linear", gn.linear_power(draw(3, 6), draw(3, seed=1), 4)
    yield "logistic", gn.LogisticLoss(X, y, 0.1)
    yield "softmax", gn.SoftmaxLoss(X, torch.tensor([0, 1, 2] * 3), 0.01)
    u = lambda x: torch.stack([x[..., 0] ** 2 - 1, x[..., 0] * x[..., 1]], -1)  # noqa: E731
    zero = lambda x: torch.zeros_like(x[..., 0])  # noqa: E731
    jac = lambda x: torch.stack([  # noqa: E731
        torch.stack([2 * x[..., 0], zero(x)], -1), torch.stack([x[..., 1], x[..., 0]], -1)], -2)
    bend = lambda x, r: torch.stack([  # noqa: E731
        torch.stack([2 * r[..., 0], r[..., 1]], -1), torch.stack([r[..., 1], zero(x)], -1)], -2)
    yield "general", gn.PowerResidual(3, u, jac, bend, n=2)


each = pytest.mark.parametrize(("name", "problem"), list(objectives()), ids=lambda v: v if isinstance(v, str) else "")


@each
def test_gradients_and_hessians_are_derivatives(name, problem):
    x = 0.7 * draw(problem.n, seed=8)
    eye, h = torch.eye(problem.n, dtype=torch.float64), 1e-5
    slope = torch.stack([(problem.value(x + h * e) - problem.value(x - h * e)) / (2 * h) for e in eye])
    torch.testing.assert_close(problem.gradient(x), slope, rtol=1e-6, atol=1e-8)
    bend = torch.stack([(problem.gradient(x + h * e) - problem.gradient(x - h * e)) / (2 * h) for e in eye])
    torch.testing.assert_close(problem.hessian(x), bend, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("name", ["logsumexp", "logistic", "softmax", "linear", "chebyshev"])
def test_exact_hessians_are_those_of_torch(name):
    problem = dict(objectives())[name]
    x = 0.4 * draw(problem.n, seed=9)
    found = torch.autograd.functional.hessian(lambda z: problem._value(z, problem._shared(z)), x)
    torch.testing.assert_close(problem.hessian(x), found, rtol=1e-10, atol=1e-12)


@each
def test_points_in_a_stack_are_points_alone(name, problem):
    x = draw(3, problem.n, seed=2)
    assert not problem.hessian(x, "none").any()
    for kind in problem.kinds:
        product = problem.product(x, kind)(x.flip(0))
        for s in range(3):
            torch.testing.assert_close(problem.hessian(x, kind)[s], problem.hessian(x[s].clone(), kind))
            torch.testing.assert_close(product[s], problem.hessian(x[s].clone(), kind) @ x.flip(0)[s])
    f, g = problem.value_and_gradient(x)
    for s in range(3):
        torch.testing.assert_close(f[s], problem.value(x[s].clone()))
        torch.testing.assert_close(g[s], problem.gradient(x[s].clone()))


def test_what_the_approximations_leave_out():
    mu = 0.3
    lse, x = gn.LogSumExp(draw(7, 4), draw(7, seed=1), mu), draw(4, seed=5)
    g = lse.gradient(x)
    gap = lse.hessian(x, "weighted_gauss_newton") - lse.hessian(x)
    torch.testing.assert_close(gap, torch.outer(g, g) / mu, rtol=0, atol=1e-12)
    assert lse.gradient(lse.solution).norm() < 1e-14
    assert float(lse.value(lse.solution)) == pytest.approx(float(lse.minimum))
    p, linear = 5, gn.linear_power(draw(3, 6), draw(3, seed=1), 5)
    x = draw(6, seed=6)
    g, r = linear.gradient(x), (linear.A @ x - linear.b).norm()
    torch.testing.assert_close(linear.hessian(x, "fisher_term"), (p - 2) / r**p * torch.outer(g, g))
    torch.testing.assert_close(linear.hessian(x), linear.hessian(x, "gauss_newton"))
    assert linear.value(linear.solution) < 1e-20
    V, a = linear.factor(x, "fisher_term")
    torch.testing.assert_close(V.T @ torch.diag(a) @ V, linear.hessian(x, "fisher_term"))


def test_empirical_fisher_is_the_mean_of_outer_products():
    X, y = draw(9, 4, seed=3), torch.sign(draw(9, seed=4))
    w = draw(4, seed=5)
    rows = torch.stack([gn.LogisticLoss(X[i : i + 1], y[i : i + 1]).gradient(w) for i in range(9)])
    torch.testing.assert_close(gn.LogisticLoss(X, y).hessian(w, "fisher"), rows.T @ rows / 9)
    labels = torch.tensor([0, 1, 2] * 3)
    soft, w = gn.SoftmaxLoss(X, labels), draw(12, seed=6)
    value = lambda z, i: torch.logsumexp(z.view(3, 4) @ X[i], 0) - (z.view(3, 4) @ X[i])[labels[i]]  # noqa: E731
    w.requires_grad_()
    rows = torch.stack([torch.autograd.grad(value(w, i), w)[0] for i in range(9)])
    w = w.detach()
    torch.testing.assert_close(soft.hessian(w, "fisher"), rows.T @ rows / 9)
    blocks = soft.hessian(w, "weighted_gauss_newton").view(3, 4, 3, 4)
    assert not blocks[0, :, 1].any()
    assert torch.linalg.eigvalsh(soft.hessian(w, "weighted_gauss_newton") - soft.hessian(w)).min() > -1e-12


def test_at_a_residual_of_zero():
    one = torch.ones(2, dtype=torch.float64)
    J = gn.rosenbrock(2).jacobian(one)
    torch.testing.assert_close(gn.rosenbrock(2).hessian(one, "gauss_newton"), J.T @ J)
    assert not gn.rosenbrock(2).hessian(START, "fisher_term").any()
    for p in (3, 5):
        assert not gn.rosenbrock(p).hessian(one, "gauss_newton").any()
        assert not gn.rosenbrock(p).gradient(one).any()


def test_separable_data_has_its_margin():
    X, y = losses.separable_data(300, 20, torch.Generator().manual_seed(0))
    assert X.shape == (300, 20)
    assert X.var().item() == pytest.approx(1 / 20, rel=0.1)
    found = gn.gns_minimize(gn.LogisticLoss(X, y), torch.zeros(20, dtype=torch.float64), value_tol=1e-6, minimum=0.0)
    assert (y * (X @ found.x)).min() > 0


# the method

class Quadratic(Objective):
    """x'Qx/2, with exact Hessian."""

    def __init__(self, Q):
        super().__init__(len(Q), minimum=0.0)
        self.Q = Q

    def take(self, rows):
        return self

    def _shared(self, x):
        return x @ self.Q

    def _value(self, x, shared):
        return (x * shared).sum(-1) / 2

    def _gradient(self, x, shared):
        return shared

    def _hessian(self, x, shared, kind):
        return self.Q.expand(*x.shape, self.n)


def test_on_a_quadratic_it_becomes_newton():
    found = gn.gns_minimize(Quadratic(spd(4)), draw(4, seed=1), max_iter=5, eps=0.0)
    assert found.trials.tolist() == [1] * 5
    assert found.gammas.tolist() == [2.0**k for k in range(6)]
    ratios = found.grad_norms[1:] / found.grad_norms[:-1]
    assert bool((ratios.diff() < 0).all())
    assert ratios[-1] < 1e-2  # superlinear


def test_without_a_hessian_the_step_is_normalized():
    problem, x0 = gn.rosenbrock(4), START
    points = []
    found = gn.gns_minimize(
        problem, x0, hessian="none", eps=0.0, max_iter=5, callback=lambda visit: points.append(visit.x[0])
    )
    for k in range(5):
        g = problem.gradient(points[k].clone())
        radius = float(found.grad_norms[k] / found.lambdas[k])
        torch.testing.assert_close(points[k + 1] - points[k], -radius * g / g.norm())
    assert found.gammas[1:].tolist() == [2 * float(found.grad_norms[k] / found.lambdas[k]) for k in range(5)]


def test_no_hessian_and_radius_g_over_l_is_gradient_descent():
    Q, x0 = spd(3), draw(3, seed=2)
    problem, L = Quadratic(Q), float(torch.linalg.eigvalsh(Q)[-1])
    size = float(problem.gradient(x0).norm())
    found = gn.gns_minimize(problem, x0, hessian="none", gamma0=size / L, eps=0.0, max_iter=1)
    torch.testing.assert_close(found.x, x0 - problem.gradient(x0) / L)


@pytest.mark.parametrize("kind", ["exact", "gauss_newton"])
def test_every_step_stays_in_its_ball_and_descends(kind):
    found = gn.gns_minimize(gn.rosenbrock(5), START, hessian=kind, value_tol=1e-8)
    radius = found.grad_norms[:-1] / found.lambdas
    # an exact Hessian that is indefinite may step farther; Gauss-Newton never does
    if kind == "gauss_newton":
        assert bool((found.steps <= radius * (1 + 1e-12)).all())
    assert bool((found.values.diff() < 0).all())
    drop = found.values[:-1] - found.values[1:]
    assert bool((drop >= found.grad_norms[1:] ** 2 / (8 * found.lambdas) * (1 - 1e-12)).all())


def test_trials_follow_from_the_radii():
    found = gn.gns_minimize(gn.rosenbrock(3), START, value_tol=1e-8)
    K = int(found.iterations)
    assert int(found.trials.sum()) == 2 * K + round(math.log2(1.0 / float(found.gammas[-1])))


def test_a_metric_is_a_change_of_variables():
    A, b, B = draw(9, 4), draw(9, seed=1), spd(4, seed=2)
    values, vectors = torch.linalg.eigh(B)
    root = vectors @ torch.diag(values**-0.5) @ vectors.T  # x = B^{-1/2} z
    plain = gn.LogSumExp(A @ root, b, 0.5)
    curved = gn.LogSumExp(A, b, 0.5)
    x0 = draw(4, seed=3)
    a = gn.gns_minimize(plain, torch.linalg.solve(root, x0), value_tol=1e-10)
    c = gn.gns_minimize(curved, x0, metric=B, value_tol=1e-10)
    torch.testing.assert_close(root @ a.x, c.x, rtol=SAME, atol=SAME)
    torch.testing.assert_close(a.gammas, c.gammas, rtol=0, atol=0)
    torch.testing.assert_close(a.steps, c.steps, rtol=1e-6, atol=SAME)


def test_scaling_the_objective_changes_nothing():
    class Scaled(Quadratic):
        def __init__(self, c):
            super().__init__(torch.eye(2, dtype=torch.float64))
            self.c, self.inner = c, gn.rosenbrock(4)

        def _shared(self, x):
            return None

        def _value(self, x, shared):
            return self.c * self.inner.value(x.clone())

        def _gradient(self, x, shared):
            return self.c * self.inner.gradient(x.clone())

        def _hessian(self, x, shared, kind):
            return self.c * self.inner.hessian(x.clone(), "gauss_newton")

    runs = [gn.gns_minimize(Scaled(c), START, eps=0.0, max_iter=25) for c in (1.0, 1000.0)]
    torch.testing.assert_close(runs[0].x, runs[1].x, rtol=1e-6, atol=1e-8)
    assert torch.equal(runs[0].gammas, runs[1].gammas)


@pytest.mark.parametrize("kind", ["exact", "weighted_gauss_newton"])
def test_solvers_take_the_same_steps(kind):
    problem = gn.LogSumExp(draw(12, 6), draw(12, seed=1), 0.4)
    x0 = torch.ones(6, dtype=torch.float64)
    runs = {
        solver: gn.gns_minimize(problem, x0, hessian=kind, metric=problem.gram, solver=solver, value_tol=1e-9)
        for solver in ("cholesky", "eigen", "cg")
    }
    by_hand = gn.gns_minimize(
        problem, x0, hessian=lambda part, x: part.hessian(x, kind), metric=problem.gram, value_tol=1e-9
    )
    for found in (*runs.values(), by_hand):
        assert torch.equal(found.gammas, runs["cholesky"].gammas)
        torch.testing.assert_close(found.x, runs["cholesky"].x, rtol=SAME, atol=SAME)
    assert int(runs["cholesky"].factorizations) == int(runs["cholesky"].total_trials)
    assert int(runs["eigen"].factorizations) == int(runs["eigen"].iterations)
    assert int(runs["cg"].factorizations) == 0


def test_low_rank_solvers_are_exact():
    rows, n = 5, 10
    problem, x0 = gn.linear_power(draw(rows, n), draw(rows, seed=1), 4), torch.ones(n, dtype=torch.float64)
    metric = problem.A.T @ problem.A + 1e-2 * torch.eye(n, dtype=torch.float64)
    options = {"hessian": "fisher_term", "metric": metric, "value_tol": 1e-8}
    runs = [gn.gns_minimize(problem, x0, solver=name, **options) for name in ("cholesky", "rank_one", "low_rank")]
    for found in runs[1:]:
        torch.testing.assert_close(found.x, runs[0].x, rtol=SAME, atol=SAME)
        assert torch.equal(found.gammas, runs[0].gammas)
    X, y = losses.separable_data(6, 9, torch.Generator().manual_seed(1))
    logistic, w = gn.LogisticLoss(X, y), torch.zeros(9, dtype=torch.float64)
    runs = [gn.gns_minimize(logistic, w, hessian="fisher", solver=name, max_iter=20, minimum=0.0)
            for name in ("cholesky", "low_rank")]
    torch.testing.assert_close(runs[1].x, runs[0].x, rtol=SAME, atol=SAME)


def test_rank_one_solve_solves():
    B, v, rhs = spd(5), draw(5, seed=1), draw(5, seed=2)
    found = gn.rank_one_solve(torch.linalg.inv(B), v, 0.7, 0.3, rhs)
    torch.testing.assert_close((0.3 * B + 0.7 * torch.outer(v, v)) @ found, rhs)
    plain = gn.rank_one_solve(torch.linalg.inv(B), v, 0.0, 0.3, rhs)
    torch.testing.assert_close(plain, torch.linalg.solve(0.3 * B, rhs))


def test_a_run_does_not_notice_the_others():
    A, b = draw(3, 8, 4), draw(3, 8, seed=1)
    stack, x0 = gn.LogSumExp(A, b, 0.3), 2 * draw(3, 4, seed=2)
    together = gn.gns_minimize_batch(stack, x0, metric=stack.gram, value_tol=1e-9)
    gradient = gn.gradient_method(stack, x0, metric=stack.gram, value_tol=1e-9)
    for s in range(3):
        problem = gn.LogSumExp(A[s], b[s], 0.3)
        for run, alone in (
            (together, gn.gns_minimize(problem, x0[s], metric=problem.gram, value_tol=1e-9)),
            (gradient, gn.gradient_method(problem, x0[s], metric=problem.gram, value_tol=1e-9)),
        ):
            K = int(run.iterations[s])
            assert int(alone.iterations) == K
            torch.testing.assert_close(run.values[: K + 1, s], alone.values, rtol=1e-12, atol=1e-12)
            torch.testing.assert_close(run.x[s], alone.x, rtol=1e-9, atol=1e-9)
            assert bool(run.values[K + 1 :, s].isnan().all())


def test_a_matrix_that_cannot_be_factored_is_a_rejected_trial():
    problem = gn.rosenbrock(2)
    x0 = doubles(0.0, 1.0)  # the exact Hessian is indefinite here
    assert torch.linalg.eigvalsh(problem.hessian(x0))[0] < 0
    for solver in ("cholesky", "eigen", "cg"):
        found = gn.gns_minimize(problem, x0, gamma0=1e3, solver=solver, value_tol=1e-8)
        assert found.trials[0] > 1
        assert found.status == "converged"


def test_ends_are_told():
    problem = gn.rosenbrock(2)
    assert gn.gns_minimize(problem, START, max_iter=3).status == "max_iter"
    assert gn.gns_minimize(problem, START, grad_tol=1e-3).grad_norms[-1] < 1e-3
    at_rest = gn.gns_minimize(problem, torch.ones(2, dtype=torch.float64))
    assert (at_rest.status, int(at_rest.iterations)) == ("converged", 0)
    lost = gn.gns_minimize(problem, START, progress=1e9, max_search=5)
    assert (lost.status, int(lost.failed_trials)) == ("search_failed", 5)
    assert torch.equal(lost.x, START)
    assert int(lost.total_trials) == 5


def test_super_universal_newton_by_hand():
    Q, x0 = torch.diag(doubles(1.0, 4.0)), doubles(1.0, 1.0)
    found = gn.super_universal_newton(Quadratic(Q), x0, max_iter=1, alpha=0.5)
    lam = float(17.0**0.25)
    assert found.lambdas.tolist() == pytest.approx([lam])
    torch.testing.assert_close(found.x, x0 - torch.linalg.solve(Q + lam * torch.eye(2).double(), Q @ x0))


# bad input

@pytest.mark.parametrize(("options", "words"), [
    ({"gamma0": 0.0}, "gamma0"), ({"gamma0": math.nan}, "gamma0"), ({"gamma_min": -1.0}, "gamma_min"),
    ({"eps": -1.0}, "eps"), ({"progress": 0.0}, "progress"), ({"max_iter": 0}, "max_iter"),
    ({"max_search": 0}, "max_search"), ({"value_tol": 0.0}, "value_tol"), ({"grad_tol": -1.0}, "grad_tol"),
    ({"solver": "lu"}, "solver='lu'"), ({"solver": "rank_one"}, "no factors"), ({"hessian": "newton"}, "kind='newton'"),
    ({"hessian": "fisher"}, "offers exact"), ({"metric": doubles([1.0, 1.0], [0.0, 1.0])}, "symmetric"),
    ({"metric": torch.eye(3).double()}, "metric has shape"), ({"metric": -torch.eye(2).double()}, "positive definite"),
    ({"x0": doubles(math.nan, 0.0)}, "x0"), ({"x0": doubles(1.0)}, "x0 has shape"), ({"x0": torch.zeros(2)}, "float64"),
    ({"x0": torch.zeros(2, 2).double()}, "x0 has shape"), ({"hessian": lambda p, x: x}, "returned shape"),
    ({"hessian": lambda p, x: x, "solver": "low_rank"}, "is a function"), ({"metric": "B"}, "metric"),
])
def test_minimize_refuses(options, words):
    with pytest.raises(ValueError, match=words):
        gn.gns_minimize(**{"problem": gn.rosenbrock(4), "x0": START, **options})


@pytest.mark.parametrize(("make", "words"), [
    (lambda: gn.LogSumExp(draw(3, 2), draw(2), 1.0), "b has shape"),
    (lambda: gn.LogSumExp(draw(3, 2), draw(3), 0.0), "mu=0.0"),
    (lambda: gn.LogSumExp(draw(3, 2).float(), draw(3), 1.0), "float64"),
    (lambda: gn.LogSumExp(draw(3), draw(3), 1.0), "dimensions"),
    (lambda: gn.LogSumExp([["a"]], [1.0], 1.0), "must be numbers"),
    (lambda: gn.rosenbrock(1.5), "p=1.5"), (lambda: gn.rosenbrock(math.nan), "p"), (lambda: gn.chebyshev(1, 4), "n=1"),
    (lambda: gn.linear_power(draw(3, 2), draw(2), 4), "b has shape"),
    (lambda: gn.LogisticLoss(draw(3, 2), doubles(1.0, 0.0, 1.0)), "-1 or 1"),
    (lambda: gn.LogisticLoss(draw(3, 2), doubles(1.0)), "y has shape"),
    (lambda: gn.LogisticLoss(draw(3, 2), torch.ones(3).double(), -1.0), "l2"),
    (lambda: gn.SoftmaxLoss(draw(3, 2), torch.zeros(3).long()), "C >= 2"),
    (lambda: gn.SoftmaxLoss(draw(3, 2), torch.zeros(3)), "whole numbers"),
    (lambda: gn.rosenbrock(3).value(torch.zeros(3).double()), "x has shape"),
    (lambda: gn.rosenbrock(3).value(torch.zeros(2)), "float64"),
    (lambda: gn.rosenbrock(3).factor(START, "gauss_newton"), "no factors"),
    (lambda: gn.PowerResidual(3, START.mul, START.mul, n=2).hessian(START, "exact"), "offers gauss_newton"),
    (lambda: losses.separable_data(0, 2, torch.Generator()), "samples=0"),
    (lambda: losses.separable_data(5, 2, torch.Generator(), margin=1e9), "margin"),
    (lambda: gn.rank_one_solve(torch.eye(2), torch.ones(3), 1.0, 1.0, torch.ones(3)), "shapes differ"),
    (lambda: gn.rank_one_solve(torch.eye(2), torch.ones(2), 1.0, 0.0, torch.ones(2)), "lam"),
    (lambda: gn.gradient_method(gn.rosenbrock(3), START, L0=0.0), "L0"),
    (lambda: gn.super_universal_newton(gn.rosenbrock(3), START, alpha=2.0), "alpha"),
    (lambda: gn.gns_minimize(gn.LogSumExp(draw(2, 3, 2), draw(2, 3), 1.0), START), "stack"),
    (lambda: gn.gns_minimize(gn.LogisticLoss(draw(3, 2), torch.ones(3).double()), START, value_tol=1.0), "minimum"),
])
def test_makers_refuse(make, words):
    with pytest.raises(ValueError, match=words):
        make()


def test_metric_by_hand():
    B = doubles([4.0, 0.0], [0.0, 9.0])
    metric = solvers.Metric(B, 2, 1)
    assert metric.norm(doubles([1.0, 1.0])).item() == pytest.approx(13**0.5)
    assert metric.dual_square(doubles([2.0, 3.0])).item() == pytest.approx(2.0)
    torch.testing.assert_close(metric.raised(doubles([4.0, 9.0])), doubles([1.0, 1.0]))
    assert isinstance(problems.linear_power(draw(2, 3), draw(2), 4).gram, torch.Tensor)
