"""Ensembles of sign networks trained by surrogate gradients, compared with SG-NTK regression."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from gradscape.credit.surrogate_ntk.circle import (
    TEST_ANGLES,
    Model,
    Regression,
    angles,
    on_circle,
    regress,
    rms,
    target,
)
from gradscape.credit.surrogate_ntk.networks import MLPEnsemble
from gradscape.credit.surrogate_ntk.regression import control_variate_mean
from gradscape.credit.surrogate_ntk.settings import Settings
from gradscape.credit.surrogate_ntk.surrogates import erf
from gradscape.lesson import cached, protocol, replicate_seed

Progress = Callable[[int, int], None]
WIDTH, N_TRAIN = 300, 8  # of C4 and C5
NARROW = 30  # the other width of C6
SPREAD_WIDTH, SPREAD_TRAIN = 500, 15  # of C7
KS = (0.3, 1.0, 4.0)


@dataclass(frozen=True)
class Run:
    """One trained ensemble: outputs before and after at test angles (R, t), before and after at training angles."""

    model: Model
    width: int
    n_train: int
    steps: int
    eta: float
    t: Tensor
    f_0: Tensor
    f_T: Tensor
    f_0_train: Tensor
    f_T_train: Tensor

    def prediction(self, model: Model | None = None) -> Regression:
        """What a kernel (the matched one if left out) says of this run: its learning rate, its number of steps."""
        return regress(model or self.model, self.t, self.n_train, eta=self.eta, steps=self.steps)

    def control_variate(self, model: Model | None = None) -> Tensor:
        """The ensemble's mean (t,), with the kernel's account of each network's start taken out."""
        return control_variate_mean(self.f_T, self.f_0, self.f_0_train, self.prediction(model).G)

    def distance(self, model: Model | None = None) -> float:
        """RMS over test angles between the ensemble and a kernel, each kernel with its own control variate."""
        return rms(self.control_variate(model) - self.prediction(model).mean)

    @property
    def noise(self) -> tuple[float, float]:
        """Standard error of the control-variate mean and of the plain mean, RMS over test angles."""
        reduced = self.f_T - self.f_0 + self.f_0_train @ self.prediction().G.T
        return _standard_error(reduced), _standard_error(self.f_T)

    @property
    def raw_distance(self) -> float:
        """RMS of the plain ensemble mean to the matched kernel."""
        return rms(self.f_T.mean(0) - self.prediction().mean)

    @property
    def single_distance(self) -> float:
        """RMS over angles and networks of each network to its own prediction f_0 + G (y - f_0(X))."""
        G, y = self.prediction().G, target(angles(self.n_train))
        return rms(self.f_T - self.f_0 - (y - self.f_0_train) @ G.T)


def _standard_error(outputs: Tensor) -> float:
    return float((outputs.var(0).mean() / len(outputs)).sqrt())


def train(
    model: Model, width: int, networks: int, n_train: int, steps: int, seed: int, *, rate: float = 1.0,
    progress: Progress | None = None,
) -> Run:
    """Train ``networks`` networks of ``model`` by SGL on n_train angles, at rate times the stable learning rate."""
    t, X = angles(TEST_ANGLES), angles(n_train)
    eta = regress(model, X, n_train, rate=rate, steps=1).eta
    sizes = (2, *[width] * model.depth, 1)
    nets = MLPEnsemble(networks, sizes, model.activation, erf(model.k), model.sw2, model.sb2, seed)
    x, y = on_circle(X).float(), target(X).float()
    with torch.no_grad():
        f_0, f_0_train = nets(on_circle(t)).double(), nets(x).double()
        for step in range(steps):
            nets.sgl_step(x, y, eta)
            if progress is not None:
                progress(step + 1, steps)
        return Run(model, width, n_train, steps, eta, t, f_0, nets(on_circle(t)).double(), f_0_train, nets(x).double())


@protocol
def ensemble(settings: Settings, k: float, width: int, depth: int = 1, *, progress: Progress | None = None) -> Run:
    """The ensembles of C4, C5 and C6: 8 training angles, the profile's number of networks and steps."""
    seed = replicate_seed(settings.seed, 2000 + width + 100_000 * depth + round(10_000_000 * k))
    size = settings.size
    return train(Model(depth, k), width, size.networks, N_TRAIN, size.steps, seed, progress=progress)


@protocol
def spread_run(settings: Settings, *, progress: Progress | None = None) -> Run:
    """The ensemble of C7: width 500, 15 training angles."""
    seed = replicate_seed(settings.seed, 1)
    size = settings.size
    return train(Model(), SPREAD_WIDTH, size.spread_networks, SPREAD_TRAIN, size.steps, seed, progress=progress)


@dataclass(frozen=True)
class WidthScan:
    """Distances over width: of the raw ensemble mean and of the control-variate mean, (depths, widths).

    ``noise`` (depths, widths, 2) holds the standard errors of the control-variate mean and of the raw one.
    """

    k: float
    networks: int
    depths: tuple[int, ...]
    widths: tuple[int, ...]
    raw: Tensor
    reduced: Tensor
    noise: Tensor


@protocol
def width_scan(settings: Settings, k: float = 1.0, *, progress: Progress | None = None) -> WidthScan:
    """Agreement of ensembles with their kernel over width, for each depth of the profile."""
    size = settings.size
    runs = [[ensemble(settings, k, width, depth) for width in size.widths] for depth in size.depths]
    raw = torch.tensor([[run.raw_distance for run in row] for row in runs])
    reduced = torch.tensor([[run.distance() for run in row] for row in runs])
    noise = torch.tensor([[run.noise for run in row] for row in runs])
    return WidthScan(k, size.networks, size.depths, size.widths, raw, reduced, noise)


@dataclass(frozen=True)
class SingleScan:
    """Distance of single networks to their own predictions, over width."""

    widths: tuple[int, ...]
    networks: int
    distance: Tensor


@protocol
def single_scan(settings: Settings, *, progress: Progress | None = None) -> SingleScan:
    """C8: each network against f_0 + G (y - f_0(X)), k = 1, 8 training angles."""
    size = settings.size
    runs = [train(Model(), width, size.single_networks, N_TRAIN, size.steps, replicate_seed(settings.seed, 10 + i))
            for i, width in enumerate(size.single_widths)]
    return SingleScan(size.single_widths, size.single_networks, torch.tensor([run.single_distance for run in runs]))


@cached
def run_point(settings: Settings, *, progress: Progress | None = None) -> Run:
    """The ensemble at the settings' own values."""
    model = Model(settings.depth, settings.k, "sign", settings.sw2, settings.sb2)
    return train(model, settings.width, settings.networks, settings.n_train, settings.steps,
                 replicate_seed(settings.seed, 0), rate=settings.rate, progress=progress)
