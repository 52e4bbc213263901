"""Least squares and kernels against scikit-learn.

Bandlimited: random nets with the lesson's features and solver against a pipeline of scikit-learn on the same features
(1e-6 of predictions); ``RBFSampler`` with ``Ridge`` is shown for time alone, for it draws other features. Score
estimation: the whole path of gradient flow, 50 times, from one decomposition against ``KernelRidge`` solved for every
time's ridge 1/time (sanity: another filter, its best error within a half); and against the loop of
gradient steps (1e-6). Concentration: the ridge classifier against ``sklearn.linear_model.Ridge`` (1e-8).
"""
from __future__ import annotations

import numpy as np
import torch
from gradscape.diffusion.concentration import ridge_classifier
from gradscape.diffusion.score_estimation.kernel import KernelPath, ntk
from gradscape.dynamics.bandlimited.networks import features, sample_hidden, solve_readout
from side_by_side import agree, report, seconds, size
from sklearn.kernel_approximation import RBFSampler
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer


def bandlimited() -> None:
    N, n, targets, lam, penalty = size(1000, 100), size(200, 20), 8, 10.0, 1e-6
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, (N, 2))
    y = np.stack([np.sin((1 + k) * x.sum(1)) for k in range(targets)], 1)
    A, b = sample_hidden(n, 2, lam, seed=0)

    def ours() -> np.ndarray:
        H = features(x, A, b)
        return H @ solve_readout(H, y, ridge=penalty).coef

    def pipeline() -> np.ndarray:
        lift = FunctionTransformer(lambda v: 1 / (1 + np.exp(-(v @ A.T - b))))
        return make_pipeline(lift, Ridge(penalty, fit_intercept=False, solver="svd")).fit(x, y).predict(x)

    def fourier() -> np.ndarray:
        return make_pipeline(RBFSampler(gamma=1.0, n_components=n, random_state=0),
                             Ridge(penalty, fit_intercept=False)).fit(x, y).predict(x)

    agree("bandlimited: largest difference of predictions", float(np.abs(ours() - pipeline()).max()), 1e-6)
    report(f"bandlimited: {N} points, {n} units, {targets} targets", seconds(
        {"features and solve_readout": ours, "sklearn: the same features, Ridge(svd)": pipeline,
         "sklearn: RBFSampler, Ridge": fourier}, blocks=5), others=("sklearn: RBFSampler, Ridge",),
        behind="both ways are one singular value decomposition")

    # of more units the features are nearly singular, and each library leaves out other directions
    A, b = A[:20], b[:20]

    def plain() -> np.ndarray:
        H = features(x, A, b)
        return H @ solve_readout(H, y).coef

    def linear() -> np.ndarray:
        lift = FunctionTransformer(lambda v: 1 / (1 + np.exp(-(v @ A.T - b))))
        return make_pipeline(lift, LinearRegression(fit_intercept=False)).fit(x, y).predict(x)

    agree("bandlimited: largest difference without a penalty", float(np.abs(plain() - linear()).max()), 1e-6)
    report("bandlimited: least squares without a penalty, 20 units", seconds(
        {"features and solve_readout (gelsd)": plain, "sklearn: LinearRegression": linear}, blocks=5),
        behind="both call the same LAPACK routine")


def score_estimation() -> None:
    n, steps = size(600, 60), size(400, 5)
    g = torch.Generator().manual_seed(0)
    Z, test = torch.randn(n, 4, generator=g, dtype=torch.float64), torch.randn(200, 4, generator=g).double()
    f = torch.tanh
    Y = f(Z[:, :2]) + 0.5 * torch.randn(n, 2, generator=g, dtype=torch.float64)
    times = torch.logspace(0, 4, size(50, 3), dtype=torch.float64)

    def path() -> torch.Tensor:
        return KernelPath(Z, Y).predict(test, times)

    def ridges() -> torch.Tensor:
        K, across = (ntk(Z, Z) / n).numpy(), (ntk(test, Z) / n).numpy()
        return torch.stack([
            torch.from_numpy(KernelRidge(alpha=1 / float(e), kernel="precomputed").fit(K, Y.numpy()).predict(across))
            for e in times])

    errors = [float((found - f(test[:, :2])).square().mean(dim=(1, 2)).min()) for found in (path(), ridges())]
    agree("score_estimation: relative difference of the best errors", abs(errors[0] - errors[1]) / errors[1], 0.5)
    report(f"score_estimation: {n} examples, {len(times)} times", seconds(
        {"one decomposition, all times": path, "KernelRidge, one solve a time": ridges}, blocks=5),
        behind="few times do not pay for a decomposition")

    lr = 1.0 / float(KernelPath(Z, Y).eigenvalues[-1])

    def closed() -> torch.Tensor:
        return KernelPath(Z, Y).discrete(test, lr, torch.tensor([steps]))[0]

    def loop() -> torch.Tensor:
        K, a = ntk(Z, Z) / n, torch.zeros_like(Y)
        for _ in range(steps):
            a = a + lr * (Y - K @ a)
        return ntk(test, Z) / n @ a

    agree("score_estimation: largest difference to the loop", float((closed() - loop()).abs().max()), 1e-6)
    report(f"score_estimation: {steps} steps of gradient descent", seconds(
        {"closed form": closed, "loop of steps": loop}, blocks=5),
        behind="a decomposition costs as much as some hundred steps, but serves any number of them")


def concentration() -> None:
    K, n, d, lam = 10, size(500, 30), size(196, 10), 0.1
    X = torch.randn(K, n, d, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    X = X + torch.randn(K, 1, d, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    rows, targets = X.reshape(-1, d).numpy(), np.repeat(np.eye(K), n, 0)

    def theirs() -> np.ndarray:
        found = Ridge(lam * len(rows), solver="cholesky").fit(rows, targets)
        return np.vstack([found.coef_.T, found.intercept_])

    agree("concentration: largest difference of weights",
          float(np.abs(ridge_classifier(X, lam).numpy() - theirs()).max()), 1e-8)
    report(f"concentration: {K} classes, {K * n} rows, d = {d}", seconds(
        {"ridge_classifier": lambda: ridge_classifier(X, lam), "sklearn.linear_model.Ridge": theirs}))


def main() -> None:
    torch.set_num_threads(1)
    bandlimited()
    score_estimation()
    concentration()


if __name__ == "__main__":
    main()
