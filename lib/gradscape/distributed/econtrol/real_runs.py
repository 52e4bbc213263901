"""The lesson's experiments on images and between real processes."""
from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from gradscape.distributed.compressors import Compressor, TopK
from gradscape.distributed.econtrol.experiments import DELTA, GAMMA, SIGMA, ZETA, quadratics
from gradscape.distributed.econtrol.learners import Softmax, Training, TwoLayer, skewed_images, train
from gradscape.distributed.econtrol.methods import econtrol_step
from gradscape.distributed.econtrol.settings import Settings
from gradscape.distributed.econtrol.simulator import Draws, ECSimulator
from gradscape.distributed.econtrol.tasks import OptimalClients, gaussian_noise
from gradscape.distributed.wire import Exchange, Memory, WireRun, exchange
from gradscape.lesson import cached, protocol, replicate_seed

Progress = Callable[[int, int], None]

IMAGE_GAMMAS = (0.02, 0.05, 0.1, 0.2)
KEPT_SHARE = 0.02  # of a message
RECORDS = 12  # per training
# name -> (method, eta/delta)
CONTENDERS: dict[str, tuple[str, float | None]] = {
    "sgd": ("sgd", None), "ec": ("ec", None), "ef21": ("ef21", None), "ef21sgdm": ("ef21sgdm", None),
    "econtrol": ("econtrol", 1.0), "too much": ("econtrol", 5.0),
}


@dataclass(frozen=True)
class Images:
    """One :class:`Training` per contender, every step of IMAGE_GAMMAS in it."""

    delta: float
    runs: dict[str, Training]

    def best(self, name: str) -> int:
        """Position of the step with the best final accuracy."""
        return int(self.runs[name].accuracy[:, -1].argmax())

    def accuracy(self, name: str) -> float:
        """Final test accuracy at the best step."""
        return float(self.runs[name].accuracy[:, -1].max())

    def behind(self, name: str, other: str = "sgd") -> float:
        """Points of accuracy by which a contender stays behind another, each at its best step."""
        return 100 * (self.accuracy(other) - self.accuracy(name))


def compete(
    learner: Softmax | TwoLayer, seed: int, rounds: int, names: tuple[str, ...], progress: Progress | None = None
) -> Images:
    """All ``names`` of CONTENDERS on the images, one class per client, with the same start and minibatches."""
    compressor = TopK(round(KEPT_SHARE * learner.d))
    delta = compressor.alpha(learner.d)
    chosen = {name: (method, None if ratio is None else ratio * delta)
              for name, (method, ratio) in CONTENDERS.items() if name in names}
    return Images(delta, train(
        learner, skewed_images(), chosen, IMAGE_GAMMAS, compressor, rounds, seed=seed,
        record_every=max(1, rounds // RECORDS), progress=progress))


@cached
def _softmax(seed: int, replicate: int, rounds: int, progress: Progress | None = None) -> Images:
    return compete(Softmax(), replicate_seed(seed, replicate), rounds, tuple(CONTENDERS), progress)


def images(settings: Settings, replicate: int = 0, *, progress: Progress | None = None) -> Images:
    """Softmax regression on label-skewed clients (C6, C7)."""
    return _softmax(settings.seed, replicate, settings.size.image_rounds, progress=progress)


@cached
def two_layer(settings: Settings) -> Images:
    """A small network on the same clients (recorded)."""
    names = ("sgd", "ec", "ef21", "econtrol")
    return compete(
        TwoLayer(settings.size.hidden), replicate_seed(settings.seed, 0), settings.size.image_rounds, names)


# ---- between processes -----------------------------------------------------------------------------------------------

WIRE_CLIENTS, WIRE_D = 16, 100


class NoisyClients:
    """Clients whose gradients carry the simulator's noise; each process draws all of it and keeps its own part."""

    def __init__(self, problem: OptimalClients, seed: int, low: int, high: int) -> None:
        self.problem, self.seed, self.low, self.high = problem, seed, low, high
        self.n, self.t = problem.n, 0
        self.own = problem.part(low, high)
        self.draws = Draws(gaussian_noise(SIGMA, problem.d), [seed], problem.n)

    def part(self, low: int, high: int) -> NoisyClients:
        """Clients ``low`` to ``high - 1``, at round 0."""
        return NoisyClients(self.problem, self.seed, low, high)

    def gradients(self, x: Tensor) -> Tensor:
        """The next round's gradients at x (d,) of the hosted clients."""
        drawn = self.draws.at(self.t)
        assert drawn is not None
        self.t += 1
        return self.own.gradients(x) + drawn[0, self.low : self.high]


def wire_clients(seed: int, n: int, d: int) -> NoisyClients:
    """The clients of the run between processes, the same in every process."""
    task = quadratics(seed, 1, n, d, ZETA)
    stacked = task.problem
    return NoisyClients(OptimalClients(stacked.matrices[0], stacked.linear[0]), task.seeds[0], 0, n)


def wire_start(gradients: Tensor, compressor: Compressor) -> tuple[Tensor, Memory]:
    """The first gradient is sent whole: it is h_0; e_0 = 0."""
    return gradients, (torch.zeros_like(gradients), gradients)


def wire_answer(memory: Memory, gradients: Tensor, compressor: Compressor, eta: float) -> tuple[Tensor, Memory]:
    """One EControl message of every client."""
    message, e, h = econtrol_step(memory[0], memory[1], gradients, eta, compressor)
    return message, (e, h)


@dataclass(frozen=True)
class Wire(WireRun):
    """EControl in the simulator and between two processes; ``whole_bits``: what uncompressed messages would take."""

    whole_bits: int


@protocol
def between_processes(settings: Settings, *, progress: Progress | None = None) -> Wire:
    """The same noisy run twice: in the simulator, and as two processes that send messages over loopback."""
    rounds, compressor = settings.size.wire_rounds, TopK(round(DELTA * WIRE_D))
    eta, x = compressor.alpha(WIRE_D), quadratics(settings.seed, 1, WIRE_CLIENTS, WIRE_D, ZETA).x0[0]
    clients = wire_clients(settings.seed, WIRE_CLIENTS, WIRE_D)
    sent, iterates = ECSimulator("econtrol", WIRE_CLIENTS, GAMMA, compressor, eta), [x]
    for t in range(rounds):
        grads = clients.gradients(x)
        if t == 0:
            sent.init(x, grads)
        x = sent.step(x, grads)
        iterates.append(x)
    log = exchange(Exchange(
        wire_clients, (settings.seed, WIRE_CLIENTS, WIRE_D), wire_start, functools.partial(wire_answer, eta=eta),
        compressor, GAMMA, rounds, iterates[0], compressor.k, WIRE_D,
    ))
    hosted, whole = WIRE_CLIENTS - WIRE_CLIENTS // 2, 64 * WIRE_D
    counted = hosted * (whole + rounds * compressor.bits(WIRE_D, value_bits=64))
    return Wire(torch.stack(iterates), log, counted, hosted * (rounds + 1) * whole)
