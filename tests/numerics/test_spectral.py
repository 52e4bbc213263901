"""Spectral filters against honest loops: gradient descent steps, solved ridge systems, minimum-norm least squares."""
import math

import pytest
import torch
from gradscape.numerics.spectral import SymmetricPath, gain, response

torch.set_num_threads(1)


def random_problem(rows=12, features=7, seed=0):
    generator = torch.Generator().manual_seed(seed)
    H = torch.randn(rows, features, generator=generator, dtype=torch.float64)
    y = torch.randn(rows, generator=generator, dtype=torch.float64)
    H_test = torch.randn(5, features, generator=generator, dtype=torch.float64)
    return H, y, H_test


@pytest.mark.parametrize("lr", [0.01, 0.06, 0.099])  # below, near and beyond the step that overshoots the top mode
def test_gd_gain_is_a_real_loop(lr):
    lam = torch.tensor([0.0, 1e-9, 0.3, 4.0, 16.0, 20.0], dtype=torch.float64)
    z = torch.zeros_like(lam)
    for _ in range(37):
        z = z + lr * lam * (1 - z)
    assert torch.allclose(gain(lam, 37, "gd", lr=lr), z, rtol=1e-11, atol=1e-18)


def test_gd_with_small_steps_is_flow():
    lam = torch.linspace(0, 5, 11, dtype=torch.float64)
    errors = [(gain(lam, 2 / lr, "gd", lr=lr) - gain(lam, 2.0)).abs().max().item() for lr in (1e-2, 1e-3)]
    assert errors[0] / errors[1] == pytest.approx(10, rel=0.05)  # Euler's scheme: first order in the step


def test_gains_share_the_same_start_and_end():
    lam = torch.tensor([0.0, 1e-12, 0.5, 2.0], dtype=torch.float64)
    for kind, lr in (("flow", None), ("ridge", None), ("gd", 0.3)):
        assert gain(lam, 0.0, kind, lr=lr).tolist() == [0.0] * 4
        assert gain(lam, math.inf, kind, lr=lr).tolist() == [0.0, 1.0, 1.0, 1.0]
        early = gain(lam, 1.0, kind, lr=lr)
        assert early[1].item() == pytest.approx(1e-12 if lr is None else 0.3e-12, rel=1e-6)  # no digit lost


def test_response_has_its_limit_at_zero():
    assert response(torch.tensor([0.0, 1e-14]), 3.0).tolist() == pytest.approx([3.0, 3.0])
    assert response(0.0, 10, "gd", lr=0.1).item() == pytest.approx(1.0)
    assert response(2.0, math.inf, "ridge").item() == 0.5


@pytest.mark.parametrize(("rows", "features"), [(12, 7), (7, 12), (6, 6)])
def test_path_end_is_least_squares(rows, features):
    H, y, H_test = random_problem(rows, features)
    expected = H_test @ torch.linalg.lstsq(H, y, driver="gelsd").solution
    dual = SymmetricPath(H @ H.T, y).predict(H_test @ H.T, math.inf)
    primal = SymmetricPath(H.T @ H, H.T @ y).predict(H_test, math.inf)
    assert torch.allclose(dual, expected, rtol=1e-8)
    assert torch.allclose(primal, expected, rtol=1e-8)


def test_path_is_the_gradient_descent_loop():
    H, y, H_test = random_problem()
    a, lr, seen = torch.zeros(7, dtype=torch.float64), 0.01, []
    for _ in range(50):
        a = a - lr * H.T @ (H @ a - y)
        seen.append(H_test @ a)
    steps = torch.arange(1, 51)
    for path, Kt in (
        (SymmetricPath(H @ H.T, y), H_test @ H.T),
        (SymmetricPath(H.T @ H, H.T @ y), H_test),
    ):
        assert torch.allclose(path.predict(Kt, steps, "gd", lr=lr), torch.stack(seen), rtol=1e-9, atol=1e-12)


def test_path_ridge_is_the_solved_system():
    H, y, H_test = random_problem()
    K = H @ H.T
    for penalty in (0.1, 3.0):
        solved = (H_test @ H.T) @ torch.linalg.solve(K + penalty * torch.eye(12, dtype=torch.float64), y)
        # the null modes of K carry data but reach no prediction
        assert torch.allclose(SymmetricPath(K, y).predict(H_test @ H.T, 1 / penalty, "ridge"), solved, rtol=1e-9)


def test_path_shapes_and_batches():
    generator = torch.Generator().manual_seed(1)
    H = torch.randn(3, 6, 4, generator=generator, dtype=torch.float64)
    Y = torch.randn(3, 6, 2, generator=generator, dtype=torch.float64)
    t = torch.tensor([[0.1, 1.0], [2.0, math.inf]])
    path, Kt = SymmetricPath(H @ H.mT, Y), H[:, :5] @ H.mT
    out = path.predict(Kt, t)
    assert out.shape == (2, 2, 3, 5, 2)
    assert path.coefficients(t).shape == (2, 2, 3, 6, 2)
    for b in range(3):
        for d in range(2):
            alone = SymmetricPath(H[b] @ H[b].mT, Y[b, :, d]).predict(Kt[b], t)
            assert torch.allclose(out[:, :, b, :, d], alone, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: gain(-1.0, 1.0), "lam"),
        (lambda: gain(1.0, -1.0), "t:"),
        (lambda: gain(1.0, 1.0, "gd"), "lr"),
        (lambda: gain(1.0, 1.0, "flow", lr=0.1), "lr"),
        (lambda: gain(1.0, 1.0, "newton"), "kind"),
        (lambda: gain(15.0, 1.5, "gd", lr=0.1), "fractional"),
        (lambda: SymmetricPath(torch.zeros(2, 3), torch.zeros(2)), "square"),
        (lambda: SymmetricPath(torch.tensor([[1.0, 2.0], [0.0, 1.0]]), torch.zeros(2)), "symmetric"),
        (lambda: SymmetricPath(-torch.eye(2), torch.zeros(2)), "semidefinite"),
        (lambda: SymmetricPath(torch.eye(2), torch.zeros(3)), "Y"),
        (lambda: SymmetricPath(torch.eye(2), torch.zeros(2)).predict(torch.eye(3), 1.0), "Kt"),
    ],
)
def test_bad_arguments_raise(call, match):
    with pytest.raises(ValueError, match=match):
        call()
