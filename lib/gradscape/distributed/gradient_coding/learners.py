"""Experiments that train: four models in turn, with and without codes, simulated and between real processes.

Krishnan et al. 2022 (arXiv 2211.13802) train four networks on 256 Lambda functions; here 16 workers train
softmax regressions on Fashion-MNIST.
"""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from gradscape import lesson
from gradscape.datasets import fashion
from gradscape.distributed.gradient_coding import loads
from gradscape.distributed.gradient_coding.processes import RealLog, Task, train_real
from gradscape.distributed.gradient_coding.schemes import make
from gradscape.distributed.gradient_coding.settings import Settings
from gradscape.distributed.gradient_coding.training import Batch, Descent, TrainLog, train_sequence
from gradscape.distributed.workers import DelayModel
from gradscape.lesson import cached

WORKERS, MODELS, BATCH, LR = 16, 4, 1600, 0.1
DESIGNS = {"uncoded": (), "gc": (3,), "srsgc": (1, 2, 3), "msgc": (1, 2, 3)}
# With p_ns = 0.02 only a quarter of the rounds of 16 workers would have a straggler; with 256 workers nearly all have
DELAYS, ALPHA = DelayModel(p_ns=0.05), 2.2
# A new learner starts here; small enough that all start with a loss near ln 10
INITIAL_SCALE = 0.01


class Batches(Sequence[Batch]):
    """Batches (x, y) cut from one table when asked for: hundreds of them would not fit into memory at once."""

    def __init__(self, x: Tensor, y: Tensor, rows: list[Tensor]) -> None:
        self.x, self.y, self.rows = x, y, rows

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, k: Any) -> Any:
        return self.x[self.rows[k]], self.y[self.rows[k]]


def four_learners(seed: int, replicate: int, jobs: int, pool: int) -> tuple[list[nn.Module], Batches, Tensor]:
    """Four softmax models, one batch (x, y) of 1600 images per job, and delays at load zero: the same in every
    process."""
    generator = lesson.generator(seed, replicate)
    x, y = fashion.load("train", pool=pool, flat=True, dtype=torch.float64)
    models: list[nn.Module] = []
    for _ in range(MODELS):
        model = nn.Linear(x.shape[1], 10, dtype=torch.float64)
        with torch.no_grad():
            model.weight.normal_(0, INITIAL_SCALE, generator=generator)
            model.bias.zero_()
        models.append(model)
    rows = [torch.randperm(len(x), generator=generator)[:BATCH] for _ in range(jobs)]
    delays = DELAYS.sample(jobs + MODELS - 1, WORKERS, generator)
    return models, Batches(x, y, rows), delays


def loaded_learners(
    scheme: str, seed: int, replicate: int, jobs: int, pool: int
) -> tuple[list[nn.Module], Batches, Tensor]:
    """As :func:`four_learners`, with the delays of a scheme's own load."""
    models, batches, delays = four_learners(seed, replicate, jobs, pool)
    return models, batches, delays + ALPHA * loads.load(scheme, WORKERS, DESIGNS[scheme])


@dataclass(frozen=True)
class Training:
    """One :class:`TrainLog` per scheme; the same models, batches and delays (each at its own load) in all of them."""

    logs: dict[str, TrainLog]

    def loss_difference(self, scheme: str = "msgc", other: str = "uncoded") -> float:
        """Largest relative difference of the two loss sequences."""
        return float((self.logs[scheme].losses / self.logs[other].losses - 1).abs().max())

    def time_ratio(self, scheme: str = "msgc", other: str = "uncoded") -> float:
        """Simulated time until the last step, over the other's."""
        return self.logs[scheme].total / self.logs[other].total


@cached
def train_learners(settings: Settings, replicate: int = 0) -> Training:
    """Train the four models with each scheme."""
    size, logs = settings.size, {}
    for name, params in DESIGNS.items():
        models, batches, delays = loaded_learners(name, settings.seed, replicate, size.training_jobs, size.pool)
        logs[name] = train_sequence(
            models, batches, make(name, WORKERS, params), delays, lambda p: Descent(p, LR),
            code_seed=lesson.replicate_seed(settings.seed, replicate),
        )
    return Training(logs)


@dataclass(frozen=True)
class Comparison:
    """The first jobs of M-SGC's training in the simulator and between two processes."""

    simulated: TrainLog
    real: RealLog

    @property
    def differences(self) -> Tensor:
        """Relative distance of the trained model after each job, (jobs,)."""
        return (self.real.iterates - self.simulated.iterates).norm(dim=1) / self.simulated.iterates.norm(dim=1)

    @property
    def hosted_bits(self) -> tuple[int, int]:
        """Bits of results that the second half of the workers sent: simulated, and on the real wire."""
        return int(self.simulated.up[WORKERS // 2 :].sum()), self.real.result_bits

    @property
    def model_bits(self) -> tuple[int, int]:
        """Bits of parameters per receiver: simulated for one worker, and on the real wire for the second process."""
        return int(self.simulated.down[-1]), self.real.model_bits


@cached
def real_comparison(settings: Settings) -> Comparison:
    """The same seeds through `train_sequence` and through two spawned processes on loopback."""
    size, seed = settings.size, lesson.replicate_seed(settings.seed, 0)
    arguments = ("msgc", settings.seed, 0, size.real_jobs, size.pool)
    models, batches, delays = loaded_learners(*arguments)
    scheme = make("msgc", WORKERS, DESIGNS["msgc"])
    simulated = train_sequence(models, batches, scheme, delays, lambda p: Descent(p, LR), code_seed=seed)
    task = Task("msgc", WORKERS, DESIGNS["msgc"], loaded_learners, arguments, lr=LR, code_seed=seed)
    return Comparison(simulated, train_real(task))
