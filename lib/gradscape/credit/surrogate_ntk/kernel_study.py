"""Kernels: their diagonals, the regressions they make, and the empirical ones at finite width."""
from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from gradscape.credit.surrogate_ntk.circle import Model, Regression, angles, on_circle, regress, rms, target
from gradscape.credit.surrogate_ntk.networks import MLPEnsemble
from gradscape.credit.surrogate_ntk.regression import stable_eta
from gradscape.credit.surrogate_ntk.settings import Settings
from gradscape.credit.surrogate_ntk.surrogates import erf
from gradscape.lesson import protocol, replicate_seed

STEEPNESSES = (2.0, 5.0, 20.0)  # m of the paper's figures
PAIRS = 24  # angles whose pairs make up the error of an empirical kernel
CURVE = 17  # angles of a kernel's curve, crowded around 0
N_TRAIN = 8
DEPTHS = (1, 2, 3)
M_GRID = tuple(10 ** (e / 2) for e in range(7))  # m from 1 to 1000
ONE = torch.zeros(1, dtype=torch.float64)  # an angle; the circle has no preferred one


@dataclass(frozen=True)
class Diagonals:
    """Theta(x, x) of the NTK of erf_m by depth, (depths, m), and of the SG-NTK (k = 1) of the same network."""

    m: tuple[float, ...]
    depths: tuple[int, ...]
    ntk: Tensor
    sg: Tensor
    sign: Tensor  # (depths,), the SG-NTK of the sign network


def diagonal(model: Model) -> float:
    """Theta(x, x) on the unit circle."""
    return float(model.between(ONE, ONE)[1])


def diagonals(m: tuple[float, ...] = M_GRID, k: float = 1.0, sw2: float = 1.0, sb2: float = 0.1) -> Diagonals:
    """Diagonals over the steepness of the activation; nothing here is random."""

    def table(kind: str) -> Tensor:
        return torch.tensor([[diagonal(Model(depth, k, ("erf", each), sw2, sb2, kind)) for each in m]
                             for depth in DEPTHS])

    sign = torch.tensor([diagonal(Model(depth, k, "sign", sw2, sb2)) for depth in DEPTHS])
    return Diagonals(m, DEPTHS, table("ntk"), table("sg"), sign)


def growth(depth: int, low: float = 100.0, high: float = 1000.0) -> float:
    """Log-log slope of the NTK's diagonal between two steepnesses."""
    first, last = (diagonal(Model(depth, activation=("erf", m), kind="ntk")) for m in (low, high))
    return math.log(last / first) / math.log(high / low)


@dataclass(frozen=True)
class Spikes:
    """Regressions with the NTK and the SG-NTK of erf_m over all angles, and their RMS between training points."""

    m: tuple[float, ...]
    ntk: tuple[Regression, ...]
    sg: tuple[Regression, ...]
    sign: Regression
    ntk_rms: Tensor
    sg_rms: Tensor
    sign_rms: float


def spikes(m: tuple[float, ...] = (2.0, 20.0, 1000.0), k: float = 1.0, n_train: int = N_TRAIN) -> Spikes:
    """Converged regressions on n_train angles; nothing here is random."""
    dense, between = angles(5 * n_train), angles(n_train) + math.pi / n_train

    def both(kind: str) -> tuple[tuple[Regression, ...], Tensor]:
        models = [Model(1, k, ("erf", each), kind=kind) for each in m]
        return (tuple(regress(model, dense, n_train) for model in models),
                torch.tensor([rms(regress(model, between, n_train).mean) for model in models]))

    (ntk, ntk_rms), (sg, sg_rms) = both("ntk"), both("sg")
    sign = Model(1, k)
    return Spikes(m, ntk, sg, regress(sign, dense, n_train), ntk_rms, sg_rms,
                  rms(regress(sign, between, n_train).mean))


@dataclass(frozen=True)
class KernelStudy:
    """Kernels of finite networks before and after training, against their limit.

    ``theory`` (m, t) is Theta(t, 0); ``curves`` (time, m, width, network, t) the empirical ones, time 0 before and 1
    after ``steps`` steps; ``errors`` (time, m, width) the relative RMS over all pairs of 24 angles and all networks.
    """

    kind: str
    m: tuple[float, ...]
    widths: tuple[int, ...]
    steps: int
    t: Tensor
    theory: Tensor
    curves: Tensor
    errors: Tensor


@protocol
def kernel_study(
    settings: Settings, kind: str = "sg", *, progress: Callable[[int, int], None] | None = None
) -> KernelStudy:
    """Networks of erf_m, one hidden layer, trained on 8 angles: "sg" by SGL with k = 1, "ntk" by their true gradient.

    The learning rate is 1 over the largest eigenvalue of the infinitely wide network's kernel.
    """
    size, train = settings.size, angles(N_TRAIN)
    even = torch.linspace(-1, 1, CURVE, dtype=torch.float64)
    t, pairs = math.pi * even * even.abs().sqrt(), angles(PAIRS)
    shape = (2, len(STEEPNESSES), len(size.kernel_widths))
    curves, errors = torch.zeros(*shape, size.kernel_networks, CURVE), torch.zeros(shape)
    theory = torch.zeros(len(STEEPNESSES), CURVE)
    for i, m in enumerate(STEEPNESSES):
        model = Model(activation=("erf", m), kind=kind)
        theory[i], limit = model.between(t, ONE)[1][:, 0], model.between(pairs, pairs)[1]
        eta = stable_eta(model.between(train, train)[1])
        for j, width in enumerate(size.kernel_widths):
            surrogate = erf(m if kind == "ntk" else model.k)
            seed = replicate_seed(settings.seed, 1000 + 100 * i + j)
            nets = MLPEnsemble(size.kernel_networks, (2, width, 1), ("erf", m), surrogate, seed=seed)
            for time in (0, 1):
                curves[time, i, j] = nets.empirical_kernel(on_circle(t), on_circle(ONE), kind)[..., 0]
                gap = nets.empirical_kernel(on_circle(pairs), on_circle(pairs), kind) - limit
                errors[time, i, j] = rms(gap) / rms(limit)
                for _ in range(size.kernel_steps if time == 0 else 0):
                    nets.sgl_step(on_circle(train), target(train), eta)
    return KernelStudy(kind, STEEPNESSES, size.kernel_widths, size.kernel_steps, t, theory, curves, errors)
