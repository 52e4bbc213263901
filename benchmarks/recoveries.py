"""Recovery of matrices and gains against autograd and scipy.

Robust matrix: the sub-gradient method for eight starts at once against a loop over starts that takes its gradient from
autograd; both must end at the same factors (1e-8, 200 steps). Blind calibration: the descent with the theory's fixed
step against autograd on the same loss, same iterates (1e-8); and with line search against
``scipy.optimize.least_squares`` (trf) on the same residuals with the exact Jacobian, both to the true signal (1e-6).
"""
from __future__ import annotations

import numpy as np
import torch
from gradscape.recovery.blind_calibration import calibrate, calibration_problem
from gradscape.recovery.robust_matrix import make_problem, random_start, subgm
from scipy.optimize import least_squares
from side_by_side import agree, report, seconds, size

D, MEASUREMENTS, STARTS = 20, 600, 8
ETA, RHO, DESCENT = 0.1, 0.99, 0.5


def robust_matrix() -> None:
    steps = size(200, 5)
    problem = make_problem(D, 2, MEASUREMENTS, noise="outlier", seed=0)
    g = torch.Generator().manual_seed(1)
    starts = torch.stack([random_start(problem, 4, 0.1, g) for _ in range(STARTS)])

    def stack() -> torch.Tensor:
        return subgm(problem, starts, steps=steps, eta0=ETA, rho=RHO, record_every=steps).U

    def loop() -> torch.Tensor:
        found = []
        for start in starts:
            U = start.clone()
            for t in range(steps):
                X = (U @ U.T).requires_grad_()
                loss = ((problem.A @ X.flatten()) - problem.y).abs().mean()
                (Q,) = torch.autograd.grad(loss, X)
                Q = (Q + Q.T) / 2  # the rule of the method divides by the norm of this
                U = U - 2 * ETA * RHO**t / Q.norm() * Q @ U
            found.append(U)
        return torch.stack(found)

    agree("largest difference of factors", float((stack() - loop()).abs().max()), 1e-8)
    report(f"robust_matrix: {STARTS} starts, d = {D}, m = {MEASUREMENTS}, {steps} steps",
           seconds({"one stack, closed form": stack, "loop over starts, autograd": loop}, blocks=5))


def blind_calibration() -> None:
    steps = size(300, 5)
    problem = calibration_problem(64, 64, 8, 0.5, seed=0)
    A, y = problem.A, problem.y

    def ours(A: torch.Tensor = A, y: torch.Tensor = y) -> torch.Tensor:
        return calibrate(A, y, steps=DESCENT, max_iter=steps, tol=1e-300, record_every=steps).x

    def by_autograd(A: torch.Tensor = A, y: torch.Tensor = y) -> torch.Tensor:
        # the largest squared norm that the theory's step is measured in is that of the backprojection
        back = torch.einsum("lmn,lm->n", A, y) / y.numel()
        share = DESCENT * y.shape[-1] / float(back.square().sum())
        xi, gamma = back.clone(), torch.ones(64, dtype=torch.float64)
        for _ in range(steps):
            xi.requires_grad_()
            gamma.requires_grad_()
            loss = (gamma * (A @ xi) - y).square().sum() / (2 * y.numel())
            by_xi, by_gamma = torch.autograd.grad(loss, (xi, gamma))
            xi = (xi - DESCENT * by_xi).detach()
            gamma = (gamma - share * (by_gamma - by_gamma.mean())).detach()
        return xi

    agree("largest difference of signals", float((ours() - by_autograd()).abs().max()), 1e-8)
    report(f"blind_calibration: n = m = 64, p = 8, {steps} steps of a fixed size",
           seconds({"closed form": ours, "autograd": by_autograd}, blocks=5),
           behind="at this size the number of torch calls decides, and ours also keeps the stopping rule, traces and a "
           "batch axis")

    many = calibration_problem(64, 64, 8, 0.5, seed=0, batch=size(16, 2))

    def each() -> torch.Tensor:
        return torch.stack([by_autograd(*pair) for pair in zip(many.A, many.y, strict=True)])

    agree("largest difference of all signals", float((ours(many.A, many.y) - each()).abs().max()), 1e-8)
    report(f"blind_calibration: {len(many.y)} such problems",
           seconds({"one stack": lambda: ours(many.A, many.y), "one after another, autograd": each}, blocks=5),
           behind="the products with the masks, which both ways must do, take most of the time")

    masks, seen = A.numpy(), y.numpy()
    back = torch.einsum("lmn,lm->n", A, y) / y.numel()

    def residual(v: np.ndarray) -> np.ndarray:
        return np.append((v[64:] * (masks @ v[:64]) - seen).ravel(), v[64:].mean() - 1)

    def jacobian(v: np.ndarray) -> np.ndarray:
        J = np.zeros((seen.size + 1, 128))
        J[:-1, :64] = (v[64:, None] * masks).reshape(-1, 64)
        inner = masks @ v[:64]
        for p in range(len(masks)):
            J[64 * p : 64 * (p + 1), 64:] = np.diag(inner[p])
        J[-1, 64:] = 1 / 64
        return J

    def by_scipy() -> np.ndarray:
        start = np.append(back.numpy(), np.ones(64))
        return least_squares(residual, start, jacobian, method="trf", xtol=1e-10, ftol=1e-14, gtol=1e-14).x[:64]

    def searched() -> torch.Tensor:
        return calibrate(A, y, tol=1e-9, record_every=1000).x

    for name, found in (("ours", searched()), ("scipy's", torch.from_numpy(by_scipy()))):
        agree(f"relative error of {name} signal", float((found - problem.x).norm() / problem.x.norm()), 1e-6)
    report("blind_calibration: to the true signal", seconds(
        {"descent with line search": searched, "scipy least_squares (trf), exact Jacobian": by_scipy}, blocks=5),
        behind="its second-order steps are few, and at 128 unknowns each factorization is cheap")


def main() -> None:
    torch.set_num_threads(1)
    robust_matrix()
    blind_calibration()


if __name__ == "__main__":
    main()
