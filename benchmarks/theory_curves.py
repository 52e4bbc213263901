"""Theory curves and exact dynamics against quadrature, matrix inverses and loops.

Multiscale descent: R and Q at all times from one decomposition against the form of the official script, two products of
whole matrices for each time (1e-9). Bayes-optimal: J of 200 noise levels from the shared Gauss rule against
``scipy.integrate.quad`` of the density from the cubic's complex root, level by level (1e-4). Surrogate NTK: the kernel
of 100 points on a circle by the closed recursion against ``neural_tangents`` where it is installed (1e-5), else
against Gauss-Hermite averages in two dimensions (1e-4).
"""
from __future__ import annotations

import math

import numpy as np
import torch
from gradscape.credit.surrogate_ntk import kernels
from gradscape.dynamics.bayes_optimal import J
from gradscape.dynamics.bayes_optimal.theory import support
from gradscape.dynamics.multiscale_descent.dynamics import exact_dynamics, modes_of, sample
from gradscape.dynamics.multiscale_descent.theory import TwoScale
from scipy.integrate import quad
from side_by_side import agree, report, seconds, size

SEEDS, NODES = (0, 1), 32


def multiscale_descent() -> None:
    task = TwoScale(130, 100, 70, 100.0)
    times = torch.logspace(0, 5, size(100, 5), dtype=torch.float64)
    drawn = sample(task, SEEDS)
    F = np.diag(task.scales.numpy())

    def ours() -> torch.Tensor:
        modes_of.cache_clear()
        found = exact_dynamics(task, times, SEEDS)
        return torch.stack([found.R, found.Q])

    def official() -> np.ndarray:
        """Per seed and time: the learned operator as a matrix, and traces of its products."""
        found = np.zeros((2, len(SEEDS), len(times)))
        for s, X in enumerate(drawn.X.numpy()):
            lam, V = np.linalg.eigh(X.T @ X)
            for k, t in enumerate(times.numpy()):
                D = np.diag(1 - np.abs(1 - lam / lam[-1]) ** t)
                seen = F @ V @ D @ np.linalg.inv(F @ V)
                found[:, s, k] = np.trace(seen) / task.d, np.trace(seen @ seen.T) / task.d
        return found

    agree("largest difference of R and Q", float(np.abs(ours().numpy() - official()).max()), 1e-9)
    report(f"multiscale_descent: {len(SEEDS)} data sets, {len(times)} times, d = {task.d}",
           seconds({"one decomposition, all times": ours, "matrices for every time, numpy": official}, blocks=5))


def density(x: float, kappa: float, q: float) -> float:
    """Of S + Z/sqrt(q), from the cubic for the resolvent, by ``numpy.roots``."""
    # with S of mean 1 and m = kappa d: z = 1/g + kappa/(kappa - g) + g/q
    roots = np.roots([1 / q, -(kappa / q + x), 1 + kappa * x - kappa, -kappa])
    return max(float(np.abs(np.asarray(roots).imag).max()) / math.pi, 0.0)


def bayes_optimal() -> None:
    kappa, levels = 0.5, np.logspace(-1, 2, size(200, 3))

    def peer() -> np.ndarray:
        found = []
        for q in levels:
            edges = support(kappa, float(q))
            inside = sum(quad(lambda x, q=q: density(x, kappa, q) ** 3, a, b, epsabs=1e-8, epsrel=1e-6, limit=200)[0]
                         for a, b in zip(edges[::2], edges[1::2], strict=True))
            found.append(4 * math.pi**2 / (3 * q) * inside)
        return np.array(found)

    def ours() -> np.ndarray:
        return np.asarray(J(levels, kappa))

    agree("largest difference of J", float(np.abs(ours() - peer()).max()), 1e-4)
    report(f"bayes_optimal: J at {len(levels)} noise levels",
           seconds({"Gauss rule, all levels at once": ours, "scipy.integrate.quad, numpy.roots": peer}, blocks=5))


def surrogate_ntk() -> None:
    angle = 2 * math.pi * torch.arange(size(100, 12), dtype=torch.float64) / size(100, 12)
    X, depth, m = torch.stack([angle.cos(), angle.sin()], 1), 3, 1.0

    def ours() -> torch.Tensor:
        return kernels(X, X, depth, ("erf", m), sb2=0.1, kind="ntk")[1]

    try:
        import neural_tangents as nt
    except ImportError:
        name, peer, tolerance = f"Gauss-Hermite averages, {NODES} x {NODES}", lambda: averaged(X, depth, m), 1e-4
    else:
        parts = [nt.stax.Dense(1, 1.0, math.sqrt(0.1), parameterization="ntk")]
        for _ in range(depth):
            parts += [nt.stax.Erf(1.0, m, 0.0), nt.stax.Dense(1, 1.0, math.sqrt(0.1), parameterization="ntk")]
        kernel = nt.stax.serial(*parts)[2]
        name, tolerance = "neural_tangents", 1e-5
        peer = lambda: torch.from_numpy(np.array(kernel(X.numpy(), None, "ntk")))  # noqa: E731
    agree("largest relative difference of kernels", float(((ours() - peer()) / ours()).abs().max()), tolerance)
    report(f"surrogate_ntk: NTK of {len(X)} points, depth {depth}",
           seconds({"closed recursion": ours, name: peer}, blocks=5))


def averaged(X: torch.Tensor, depth: int, m: float, nodes: int = NODES) -> torch.Tensor:
    """The NTK of an erf network by Gauss-Hermite averages: for those who do not know the closed forms."""
    t, w = (torch.from_numpy(v) for v in np.polynomial.hermite_e.hermegauss(nodes))
    w = w / w.sum()
    S = X @ X.T / X.shape[1] + 0.1
    theta = S
    for _ in range(depth):
        scale = S.diagonal().sqrt()
        rho = (S / (scale[:, None] * scale)).clamp(-1, 1)
        product, slope = torch.zeros_like(S), torch.zeros_like(S)
        for a, wa in zip(t, w, strict=True):
            first = scale[:, None] * a
            for b, wb in zip(t, w, strict=True):
                second = scale * (rho * a + (1 - rho**2).clamp(min=0).sqrt() * b)
                product += wa * wb * torch.erf(m * first) * torch.erf(m * second)
                slope += wa * wb * 4 * m * m / math.pi * torch.exp(-(m * first) ** 2 - (m * second) ** 2)
        theta, S = product + 0.1 + theta * slope, product + 0.1
    return theta


def main() -> None:
    torch.set_num_threads(1)
    multiscale_descent()
    bayes_optimal()
    surrogate_ntk()


if __name__ == "__main__":
    main()
