"""Training several models in turn with coded gradients: every chunk is computed, coded, perhaps lost, and decoded.

Krishnan et al. 2022 (arXiv 2211.13802): job t trains model t mod M, so it may take M - 1 further
rounds. :class:`Worker` and :class:`Master` are what runs on either side of the wire; `train_sequence` lets them meet
in one process, `gradscape.distributed.gradient_coding.processes` in several.
"""
from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.func import functional_call

from gradscape import validate
from gradscape.distributed.gradient_coding.chunks import Layout, layout
from gradscape.distributed.gradient_coding.code import GradientCode
from gradscape.distributed.gradient_coding.schemes import Assignment, Scheme
from gradscape.distributed.gradient_coding.simulation import step
from gradscape.distributed.workers import Clock, bits, checked_delays

Batch = tuple[Tensor, Tensor]


class Stepper(Protocol):
    """What training needs of an optimizer; every ``torch.optim`` class has it."""

    def step(self) -> Any:
        """Change the parameters by their ``grad``."""
        ...


OptimizerFactory = Callable[[Iterable[nn.Parameter]], Stepper]


class Descent:
    """p <- p - lr grad: ``torch.optim.SGD`` without the second of imports that its first use costs each process."""

    def __init__(self, params: Iterable[nn.Parameter], lr: float) -> None:
        self.params, self.lr = list(params), validate.positive("lr", lr)

    @torch.no_grad()
    def step(self) -> None:
        """Take one step."""
        for p in self.params:
            if p.grad is not None:
                p.sub_(p.grad, alpha=self.lr)


@dataclass(frozen=True)
class TrainLog:
    """``losses``, ``finish_times`` (jobs,): loss of a job's batch before its step, and the second its step was taken;
    ``gradient_errors`` (jobs,): relative distance of the decoded from the directly computed gradient; ``parameters``
    (M, P): the end; ``iterates`` (jobs, P): the trained model after each job; ``up``, ``down`` (n,): bits per worker.
    """

    losses: Tensor
    finish_times: Tensor
    gradient_errors: Tensor
    parameters: Tensor
    iterates: Tensor
    up: Tensor
    down: Tensor
    waits: int

    @property
    def total(self) -> float:
        """Seconds until the last step was taken."""
        return float(self.finish_times.max())


class Gradients:
    """Gradients of a model's cross entropy, summed over the samples of each chunk and divided by the batch size.

    All parameters are one vector (P,), so a gradient is one message. ``model`` gives the architecture only.
    """

    def __init__(self, model: nn.Module) -> None:
        self.model = model
        self.shapes = {name: p.shape for name, p in model.named_parameters()}
        self.size = sum(p.numel() for p in model.parameters())

    def chunks(self, theta: Tensor, x: Tensor, y: Tensor, batch: int) -> tuple[Tensor, Tensor]:
        """Gradients (k, P) and loss contributions (k,) of k chunks ``x`` (k, size, …), ``y`` (k, size)."""
        # a loop over chunks: torch.func.grad costs each process a second of imports, more than all gradients here
        at = theta.detach().requires_grad_()
        losses = [self._loss(at, x[k], y[k], batch) for k in range(len(x))]
        if not losses:
            return theta.new_zeros(0, self.size), theta.new_zeros(0)
        return torch.stack([torch.autograd.grad(loss, at)[0] for loss in losses]), torch.stack(losses).detach()

    def _loss(self, theta: Tensor, x: Tensor, y: Tensor, batch: int) -> Tensor:
        pieces = theta.split([shape.numel() for shape in self.shapes.values()])
        named = {name: piece.view(shape) for (name, shape), piece in zip(self.shapes.items(), pieces, strict=True)}
        logits = functional_call(self.model, named, (x,))
        return nn.functional.cross_entropy(logits, y, reduction="sum") / batch


class Worker:
    """The workers ``who`` of a scheme: they hold parts of each batch and answer an assignment with messages."""

    def __init__(self, gradients: Gradients, scheme: Scheme, code: GradientCode, who: Sequence[int]) -> None:
        self.gradients, self.scheme, self.code = gradients, scheme, code
        self.who = tuple(who)

    def answer(self, i: int, slot: int, given: Assignment, theta: Tensor, batch: Batch) -> Tensor:
        """The message (P,) of worker ``i`` for one slot: the gradient of an own chunk, or a coded combination."""
        x, y = batch
        cut = layout(self.scheme, len(x))
        chunk, group = int(given.chunk[i, slot]), int(given.group[i, slot])
        if chunk >= 0:
            rows = cut.own[i, chunk]
            return self.gradients.chunks(theta, x[rows][None], y[rows][None], len(x))[0][0]
        parts = self.code.support(i)
        rows = cut.coded[group, list(parts)]
        gradients, _ = self.gradients.chunks(theta, x[rows], y[rows], len(x))
        return self.code.matrix[i, list(parts)] @ gradients


class Master:
    """Models, optimizers and what has arrived for each open job.

    Results not yet arrived are NaN: a decoder that read one would be found out.
    """

    def __init__(
        self, models: Sequence[nn.Module], scheme: Scheme, optimizer_factory: OptimizerFactory, code: GradientCode
    ) -> None:
        self.models, self.scheme, self.code = list(models), scheme, code
        self.optimizers = [optimizer_factory(model.parameters()) for model in self.models]
        self.own: dict[int, Tensor] = {}
        self.coded: dict[int, Tensor] = {}

    def model(self, job: int) -> nn.Module:
        """The model that a job trains."""
        return self.models[job % len(self.models)]

    def theta(self, job: int) -> Tensor:
        """That model's parameters (P,)."""
        return torch.cat([p.detach().reshape(-1) for p in self.model(job).parameters()])

    def open(self, job: int) -> Tensor:
        """Start a job and return the parameters that its gradient is taken at."""
        theta = self.theta(job)
        n = self.scheme.n
        self.own[job] = theta.new_full((n, self.scheme.own, len(theta)), torch.nan)
        self.coded[job] = theta.new_full((self.scheme.groups, n, len(theta)), torch.nan)
        return theta

    def receive(self, i: int, slot: int, given: Assignment, message: Tensor) -> None:
        """Store the message of worker ``i`` for one slot."""
        job, chunk, group = (int(part[i, slot]) for part in (given.job, given.chunk, given.group))
        if chunk >= 0:
            self.own[job][i, chunk] = message
        else:
            self.coded[job][group, i] = message

    def gradient(self, job: int) -> Tensor:
        """The gradient (P,) of a decodable job from the messages that arrived."""
        total = self.own[job].flatten(0, 1).sum(0)
        for j, messages in enumerate(self.coded[job]):
            total = total + self.code.decode(messages, self.scheme.coded[job][:, j])
        return validate.finite(f"gradient of job {job}", total)

    def close(self, job: int) -> Tensor:
        """Decode a job, take its optimizer step, forget its messages; returns the gradient."""
        gradient, at = self.gradient(job), 0
        for p in self.model(job).parameters():
            p.grad = gradient[at : at + p.numel()].view_as(p).clone()
            at += p.numel()
        self.optimizers[job % len(self.models)].step()
        del self.own[job], self.coded[job]
        return gradient


def check_training(models: Sequence[nn.Module], scheme: Scheme, delays: Tensor, jobs: int) -> Tensor:
    """The delays as float64; ``ValueError`` for too few models, mixed architectures, or delays that do not fit."""
    if len(models) < scheme.T + 1:
        raise ValueError(f"models: {len(models)} given, {scheme!r} needs T + 1 = {scheme.T + 1} trained in turn")
    shapes = {tuple(p.shape for p in model.parameters()) for model in models}
    if len(shapes) > 1:
        raise ValueError(f"models: parameters of {len(shapes)} different shapes; one architecture is needed")
    if any(p.dtype != torch.float64 for model in models for p in model.parameters()):
        raise ValueError("models: parameters must be float64 (decoding multiplies rounding errors)")
    return checked_delays("delays", delays, jobs + scheme.T, scheme.n)


def train_sequence(
    models: Sequence[nn.Module],
    batches: Sequence[Batch],
    scheme: Scheme,
    delays: Tensor,
    optimizer_factory: OptimizerFactory,
    code_seed: int = 0,
    *,
    mu: float = 1.0,
    progress: Callable[[int, int], None] | None = None,
) -> TrainLog:
    """Train ``models`` (changed in place, float64, one architecture) in turn, one job per batch (x, y).

    All chunk gradients of a job are computed at once and coded; the clock then decides round by round which results
    arrive, and the gradient is decoded from those alone. ``delays`` (>= jobs + T, n) are seconds at the scheme's
    load.
    """
    jobs = len(batches)
    delays = check_training(models, scheme, delays, jobs)
    scheme.reset(jobs)
    code = GradientCode(scheme.n, scheme.s, seed=code_seed) if scheme.groups else GradientCode(scheme.n, 0)
    master, gradients = Master(models, scheme, optimizer_factory, code), Gradients(models[0])
    clock = Clock(scheme.n, mu=mu)
    message = bits(torch.empty(gradients.size, dtype=torch.float64))
    losses, times, errors = (torch.full((jobs,), torch.nan, dtype=torch.float64) for _ in range(3))
    iterates = torch.full((jobs, gradients.size), torch.nan, dtype=torch.float64)
    made: dict[int, tuple[Tensor, Tensor, Tensor]] = {}
    for r in range(jobs + scheme.T):
        given = scheme.assign(r)
        if scheme.starts(r):
            theta = master.open(r)
            (x, y), cut = batches[r], layout(scheme, len(batches[r][0]))
            direct, loss = gradients.chunks(theta, x[None], y[None], len(x))
            made[r] = (*_messages(gradients, theta, batches[r], cut, code), direct[0])
            losses[r] = loss[0]
            clock.down += message
        event, ready, _ = step(scheme, clock, r, delays[r], message)
        for i, slot in ((given.job >= 0) & ~event.late[:, None]).nonzero().tolist():
            job, chunk, group = (int(part[i, slot]) for part in (given.job, given.chunk, given.group))
            master.receive(i, slot, given, made[job][0][i, chunk] if chunk >= 0 else made[job][1][group, i])
        for job in ready:
            gradient, direct = master.close(job), made.pop(job)[2]
            times[job] = clock.now
            errors[job] = (gradient - direct).norm() / direct.norm()
            iterates[job] = master.theta(job)
        if progress is not None:
            progress(r + 1, jobs + scheme.T)
    final = torch.stack([master.theta(m) for m in range(len(models))])
    return TrainLog(losses, times, errors, final, iterates, clock.up, clock.down, clock.waits)


def _messages(
    gradients: Gradients, theta: Tensor, batch: Batch, cut: Layout, code: GradientCode
) -> tuple[Tensor, Tensor]:
    """All messages that one job may take: own chunks (n, W - 1, P) and coded combinations (groups, n, P)."""
    x, y = batch
    own, _ = gradients.chunks(theta, x[cut.own.flatten(0, 1)], y[cut.own.flatten(0, 1)], len(x))
    parts, _ = gradients.chunks(theta, x[cut.coded.flatten(0, 1)], y[cut.coded.flatten(0, 1)], len(x))
    coded = [code.encode(part) for part in parts.view(*cut.coded.shape[:2], gradients.size)]
    stacked = torch.stack(coded) if coded else parts.view(0, code.n, gradients.size)
    return own.view(*cut.own.shape[:2], gradients.size), stacked
