"""The lesson's experiments on real tables and between real processes."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from gradscape.datasets import fashion, tables
from gradscape.distributed.compressors import Compressor, TopK
from gradscape.distributed.error_feedback import theory
from gradscape.distributed.error_feedback.experiments import SPREAD, starts, steps_of, synthetic
from gradscape.distributed.error_feedback.methods import History, ef21_round, first_estimate, gain_after, run
from gradscape.distributed.error_feedback.settings import Settings
from gradscape.distributed.error_feedback.tasks import nonconvex_logistic
from gradscape.distributed.feedback import ef21_step
from gradscape.distributed.wire import Exchange, Memory, WireRun, exchange
from gradscape.learning.problems import Clients, LogisticClients
from gradscape.lesson import protocol

Progress = Callable[[int, int], None]

ROWS = 10  # per client of the tables
DIGIT_CLIENTS, IMAGE_CLIENTS = 100, 400
KEPT_SHARE = 26 / 785  # of the entries of an image gradient
SHIRTS = (0, 6)  # T-shirt and shirt


@dataclass(frozen=True)
class Table:
    """EF21 with gamma_QM and EF21-W with gamma_AM on one data set."""

    name: str
    n: int
    d: int
    k: int
    unevenness: float
    promised: float
    measured: float
    qm: History
    am: History


def breast_cancer() -> LogisticClients:
    """569 raw feature rows, 56 clients of 10."""
    X, y = tables.breast_cancer(scale="raw")
    return nonconvex_logistic(X, y, len(X) // ROWS)


def digits() -> LogisticClients:
    """Odd against even digits in [0, 1], 100 clients of 17."""
    X, y = tables.digits(dtype=torch.float64)
    return nonconvex_logistic(X, y % 2, DIGIT_CLIENTS)


def keel(name: str) -> LogisticClients:
    """A KEEL table with raw features, clients of 10 rows."""
    X, y = tables.keel(name)
    return nonconvex_logistic(X, y, len(X) // ROWS)


def shirts(pool: int) -> LogisticClients:
    """T-shirts against shirts with an intercept, 400 clients of 5."""
    X, y = fashion.load("train", classes=SHIRTS, pool=pool, flat=True, dtype=torch.float64)
    return nonconvex_logistic(torch.cat([X, torch.ones(len(X), 1, dtype=X.dtype)], 1), y, IMAGE_CLIENTS)


def compare(name: str, problem: Clients, k: int, rounds: int) -> Table:
    """How many rounds EF21-W(gamma_AM) saves on ``rounds`` rounds of EF21(gamma_QM), both from x⁰ = 0."""
    compressor = TopK(k)
    qm, am = steps_of(problem, compressor)
    x0 = torch.zeros(problem.d, dtype=torch.float64)
    slow = run(problem, "ef21", qm, compressor, rounds, x0)
    fast = run(problem, "ef21w", am, compressor, rounds, x0)
    L_am, L_qm = theory.mean_smoothness(problem.L_i)
    return Table(
        name, problem.n, problem.d, k, float(L_qm / L_am), float(am / qm), gain_after(slow, fast), slow, fast
    )


@protocol
def real_tables(settings: Settings, *, progress: Progress | None = None) -> tuple[Table, ...]:
    """Breast cancer, two KEEL tables, digits and shirts, from unequal to equal clients (claims C5, C6)."""
    size = settings.size
    images = shirts(size.image_pool)
    cases: tuple[tuple[str, Clients, int, int], ...] = (
        ("breast cancer", breast_cancer(), 1, size.real_rounds),
        ("vehicle1", keel("vehicle1"), 1, size.table_rounds),
        ("wine quality", keel("winequality-red-8_vs_6"), 1, size.table_rounds),
        ("shirts", images, max(1, round(KEPT_SHARE * images.d)), size.image_rounds),
        ("digits", digits(), 1, size.table_rounds),
    )
    made = []
    for name, problem, k, rounds in cases:
        made.append(compare(name, problem, k, rounds))
        if progress is not None:
            progress(len(made), len(cases))
    return tuple(made)


def wire_clients(seed: int, n: int, d: int, rows: int) -> Clients:
    """The clients of the run between processes: the first synthetic problem, the same in every process."""
    problem = synthetic(seed, n, d, rows, SPREAD, 1).problem
    one = type(problem)(problem.rows[0], problem.targets[0], penalty=problem.penalty)
    return one


def wire_start(gradients: Tensor, compressor: Compressor) -> tuple[Tensor, Memory]:
    """EF21's first message C(grad) is also the first estimate."""
    estimate = first_estimate(gradients, compressor)
    return estimate, (estimate,)


def wire_answer(memory: Memory, gradients: Tensor, compressor: Compressor) -> tuple[Tensor, Memory]:
    """One EF21 message of every client."""
    message, estimate = ef21_step(memory[0], gradients, compressor)
    return message, (estimate,)


@dataclass(frozen=True)
class Wire(WireRun):
    """EF21-W in the simulator and between two processes; ``model_bits``: the model's, as counted."""

    model_bits: int


@protocol
def between_processes(settings: Settings, *, progress: Progress | None = None) -> Wire:
    """The same EF21-W run twice: as one stack of tensors, and as two processes that send messages over loopback."""
    size = settings.size
    arguments = (settings.seed, size.wire_clients, size.d, size.rows)
    problem, steps = wire_clients(*arguments), synthetic(*arguments, SPREAD, 1)
    compressor, weights = TopK(1), theory.client_weights(problem.L_i, "smoothness")
    gamma, x0 = steps.gamma_am[0], starts(settings, steps)[0]
    x, g = x0, first_estimate(problem.gradients(x0), compressor, weights)
    iterates = [x]
    for _ in range(size.wire_rounds):
        x, g = ef21_round(x, g, problem.gradients, gamma, compressor, weights)
        iterates.append(x)
    log = exchange(Exchange(
        wire_clients, arguments, wire_start, wire_answer, compressor, float(gamma), size.wire_rounds, x0, 1, 1, weights
    ))
    hosted = size.wire_clients - size.wire_clients // 2
    message = compressor.bits(size.d, value_bits=64)
    return Wire(
        torch.stack(iterates), log, hosted * (size.wire_rounds + 1) * message, 64 * size.d * size.wire_rounds
    )
