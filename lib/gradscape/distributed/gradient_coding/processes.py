"""The same training between real processes: master and half of the workers in rank 0, the other half in rank 1.

Who straggles follows a recorded trace, as in the simulator: every rank reports how long its workers take, rank 0
applies the straggler rule and announces whose result is lost, and those results are never sent. (Two processes on one
machine finish within the same millisecond; the trace stands for the 256 machines we do not have.)
"""
from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from gradscape.distributed.gradient_coding.code import GradientCode
from gradscape.distributed.gradient_coding.schemes import Assignment, Scheme, make
from gradscape.distributed.gradient_coding.simulation import step
from gradscape.distributed.gradient_coding.training import Batch, Descent, Gradients, Master, Worker, check_training
from gradscape.distributed.real import Channel, launch
from gradscape.distributed.workers import Clock

Inputs = tuple[list[nn.Module], Sequence[Batch], Tensor]


@dataclass(frozen=True)
class Task:
    """What each process needs to know: the scheme by name, the code's seed, the learning rate and the rule's mu.

    ``inputs(*arguments)`` makes models, batches and delays in each process, so that only gradients and parameters
    travel.
    """

    scheme: str
    n: int
    params: tuple[int, ...]
    inputs: Callable[..., Inputs]
    arguments: tuple[object, ...] = ()
    lr: float = 0.1
    code_seed: int = 0
    mu: float = 1.0


@dataclass(frozen=True)
class RealLog:
    """``iterates`` (jobs, P): the trained model after each job; ``parameters`` (M, P): the end; ``lost`` (R, n): whose
    result was withheld; ``result_bits``: bits of results that rank 1 sent; ``model_bits``: bits of parameters it got;
    ``control_bits``: reported times and announcements, both ways.
    """

    iterates: Tensor
    parameters: Tensor
    lost: Tensor
    result_bits: int
    model_bits: int
    control_bits: int


def hosted(rank: int, size: int, n: int) -> range:
    """The workers that live in a rank: equal consecutive shares."""
    return range(rank * n // size, (rank + 1) * n // size)


def train_real(task: Task, *, processes: int = 2, timeout: float = 120.0) -> RealLog:
    """Train ``task`` between real processes on this machine; `ProcessError` if one fails."""
    return launch(program, task, processes=processes, timeout=timeout)[0]


def program(channel: Channel, task: Task) -> RealLog | None:
    """What each rank runs; rank 0 returns the log."""
    models, batches, delays = task.inputs(*task.arguments)
    scheme = make(task.scheme, task.n, task.params).reset(len(batches))
    delays = check_training(models, scheme, delays, len(batches))
    code = GradientCode(task.n, scheme.s if scheme.groups else 0, seed=task.code_seed)
    gradients = Gradients(models[0])
    worker = Worker(gradients, scheme, code, hosted(channel.rank, channel.size, task.n))
    side: _Lead | _Follow
    if channel.rank == 0:
        side = _Lead(channel, task, models, scheme, code, worker)
    else:
        side = _Follow(channel, task, scheme, worker)
    for r in range(len(batches) + scheme.T):
        side.run_round(r, batches, delays[r])
    return side.log() if isinstance(side, _Lead) else None


class _Side:
    """One rank in a round: get parameters, report times, learn who is lost, answer."""

    def __init__(self, channel: Channel, task: Task, scheme: Scheme, worker: Worker) -> None:
        self.channel, self.task, self.scheme, self.worker = channel, task, scheme, worker
        self.size = worker.gradients.size
        self.theta: dict[int, Tensor] = {}

    def run_round(self, r: int, batches: Sequence[Batch], seconds: Tensor) -> None:
        given = self.scheme.assign(r)
        if self.scheme.starts(r):
            self.theta[r] = self.parameters(r)
        lost = self.decide(r, seconds)
        for i, slot in _due(given, lost):
            if i in self.worker.who:
                job = int(given.job[i, slot])
                self.deliver(i, slot, given, self.worker.answer(i, slot, given, self.theta[job], batches[job]))
            else:
                self.expect(i, slot, given)
        self.settle(r)

    def parameters(self, job: int) -> Tensor:
        raise NotImplementedError

    def decide(self, r: int, seconds: Tensor) -> Tensor:
        raise NotImplementedError

    def deliver(self, i: int, slot: int, given: Assignment, message: Tensor) -> None:
        raise NotImplementedError

    def expect(self, i: int, slot: int, given: Assignment) -> None:
        """A worker of another rank answers; only the master listens."""

    def settle(self, r: int) -> None:
        """The end of a round."""


class _Follow(_Side):
    """A rank of workers only; it keeps the same books as the master, from what the master announces."""

    def parameters(self, job: int) -> Tensor:
        return self.channel.receive((self.size,), 0, "model")

    def decide(self, r: int, seconds: Tensor) -> Tensor:
        mine = self.worker.who
        self.channel.send(seconds[mine[0] : mine[-1] + 1], 0, "control")
        lost = self.channel.receive((self.scheme.n,), 0, "control", torch.uint8).bool()
        self.scheme.observe(r, lost)
        return lost

    def deliver(self, i: int, slot: int, given: Assignment, message: Tensor) -> None:
        self.channel.send(message, 0, "result")


class _Lead(_Side):
    """The master, with workers of its own; what those deliver does not touch the wire."""

    def __init__(
        self, channel: Channel, task: Task, models: list[nn.Module], scheme: Scheme, code: GradientCode, worker: Worker
    ) -> None:
        super().__init__(channel, task, scheme, worker)
        self.master = Master(models, scheme, lambda p: Descent(p, task.lr), code)
        self.clock = Clock(scheme.n, mu=task.mu)
        self.ready: list[int] = []
        self.lost: list[Tensor] = []
        self.iterates: dict[int, Tensor] = {}

    def parameters(self, job: int) -> Tensor:
        theta = self.master.open(job)
        self.channel.tell(theta, "model")
        return theta

    def decide(self, r: int, seconds: Tensor) -> Tensor:
        channel = self.channel
        shares = [len(hosted(rank, channel.size, self.scheme.n)) for rank in range(channel.size)]
        others = [channel.receive((shares[rank],), rank, "control") for rank in range(1, channel.size)]
        event, self.ready, _ = step(self.scheme, self.clock, r, torch.cat([seconds[: shares[0]], *others]))
        channel.tell(event.late.to(torch.uint8), "control")
        self.lost.append(event.late)
        return event.late

    def deliver(self, i: int, slot: int, given: Assignment, message: Tensor) -> None:
        self.master.receive(i, slot, given, message)

    def expect(self, i: int, slot: int, given: Assignment) -> None:
        rank = next(rank for rank in range(self.channel.size) if i in hosted(rank, self.channel.size, self.scheme.n))
        self.master.receive(i, slot, given, self.channel.receive((self.size,), rank, "result"))

    def settle(self, r: int) -> None:
        for job in self.ready:
            self.master.close(job)
            self.iterates[job] = self.master.theta(job)

    def log(self) -> RealLog:
        sent, received = self.channel.sent, self.channel.received
        return RealLog(
            torch.stack([self.iterates[job] for job in sorted(self.iterates)]),
            torch.stack([self.master.theta(m) for m in range(len(self.master.models))]),
            torch.stack(self.lost), received["result"], sent["model"], sent["control"] + received["control"],
        )


def _due(given: Assignment, lost: Tensor) -> list[list[int]]:
    """(worker, slot) of everything that is delivered this round, in an order all ranks agree on."""
    return ((given.job >= 0) & ~lost[:, None]).nonzero().tolist()
