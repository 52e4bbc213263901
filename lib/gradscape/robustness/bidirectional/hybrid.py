"""Hybrid adversarial networks (HAN): the generator starts from noise and is trained by a discriminator.

One iteration: (i) Adam on {W, b} for the cross-entropy; (ii) Adam on the discriminator D for -log D(x) - log(1 - D(x̂)),
where no gradient reaches W; (iii) Adam on {W, g} for -log D(x̂) with fresh codes. Codes are uniform in (-1, 1)^K. "half"
takes (ii) and (iii) only in the first half, "bp" never. Here by autograd, for fully connected and convolutional
networks alike; so is :func:`train_by_autograd`, bidirectional learning without the closed forms of ``training``.
"""
from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, one_hot, softplus

from gradscape import validate
from gradscape.ensemble import Batches
from gradscape.lesson import generator
from gradscape.robustness.bidirectional.training import MODES, Adam, History, check_data

LR_C, LR_D, LR_G, BETA1_HAN = 2e-4, 2e-4, 1e-3, 0.5
_BATCHES, _CODES = 7_000, 7_001  # replicate numbers of the streams
Schedule = float | Callable[[int], float]
Progress = Callable[[int, int], None]


class TwoWay(Protocol):
    """A stack of S networks with two directions, differentiable by ``parameters("classifier" or "generator")``."""

    @property
    def sizes(self) -> Sequence[int]: ...

    @property
    def members(self) -> int: ...

    def parameters(self, direction: str) -> list[Tensor]: ...

    def classify(self, x: Tensor, train: bool = False) -> Tensor: ...

    def generate(self, code: Tensor, train: bool = False) -> Tensor: ...


def cnn_rate(step: int) -> float:
    """The classifier's rate of the paper's CNN scripts; the generator's is 10 times that."""
    return 1e-4 + 2.9e-3 * float(torch.exp(torch.tensor(-step / 2000, dtype=torch.float64)))


def codes(members: int, batch: int, classes: int, generators: Sequence[torch.Generator]) -> Tensor:
    """Uniform in (-1, 1), (S, B, K), each member from its own stream."""
    return torch.stack([torch.rand(batch, classes, generator=g) for g in generators]).mul_(2).sub_(1)


def train_by_autograd(
    net: TwoWay, X: Tensor, y: Tensor, mode: str = "bl", *, iters: int, lr_c: Schedule = 3e-3, lr_g: Schedule = 3e-3,
    batch: int = 100, seed: int = 0, every: int = 50, progress: Progress | None = None,
) -> History:
    """Bidirectional learning of any two-way network, in place; all members see the same batches.

    As :func:`train_bidirectional`, for one ``mode``; rates may be functions of the iteration (:func:`cnn_rate`).
    ``ValueError`` likewise.
    """
    _check(net, X, y, mode, iters)
    batches = Batches(len(y), batch, [generator(seed, _BATCHES)])
    forward = _Step(net.parameters("classifier"), lr_c)
    backward = _Step(net.parameters("generator"), lr_g)
    log = _Log(net.members, every)
    for step in range(iters):
        index = batches.draw()[0]
        x, labels = X[index], y[index]
        forward(partial(_reading_loss, net, x, labels), step)
        if _draws(mode, step, iters):
            backward(partial(_drawing_loss, net, x, labels), step)
        log(step, forward.loss, backward.loss if _draws(mode, step, iters) else None)
        if progress is not None:
            progress(step + 1, iters)
    return log.history()


def train_han(
    net: TwoWay, discriminator: TwoWay, X: Tensor, y: Tensor, mode: str = "bl", *, iters: int, lr_c: float = LR_C,
    lr_d: float = LR_D, lr_g: float = LR_G, batch: int = 100, seeds: Sequence[int] = (0,), every: int = 50,
    progress: Progress | None = None,
) -> History:
    """Train a hybrid adversarial network in place; ``History.generator`` holds -log D(x̂).

    ``discriminator`` is a two-way network of one output, of which the classifier direction is used. Member s draws its
    batches and codes from ``seeds[s]``. ``ValueError`` as :func:`train_bidirectional`, and for a discriminator of
    another number of members, pixels or outputs.
    """
    _check(net, X, y, mode, iters)
    wanted = (net.members, net.sizes[0], 1)
    if (discriminator.members, discriminator.sizes[0], discriminator.sizes[-1]) != wanted:
        raise ValueError(f"discriminator has sizes {tuple(discriminator.sizes)} and {discriminator.members} members: "
                         f"must have {net.sizes[0]} pixels, one output and {net.members} members")
    if len(seeds) != net.members:
        raise ValueError(f"seeds has {len(seeds)} entries: one per member is needed ({net.members})")
    batches = Batches(len(y), batch, [generator(int(seed), _BATCHES) for seed in seeds])
    streams = [generator(int(seed), _CODES) for seed in seeds]
    forward = _Step(net.parameters("classifier"), lr_c, BETA1_HAN)
    judge = _Step(discriminator.parameters("classifier"), lr_d, BETA1_HAN)
    backward = _Step(net.parameters("generator"), lr_g, BETA1_HAN)
    log = _Log(net.members, every)
    for step in range(iters):
        index = batches.draw()
        x, labels = X[index], y[index]
        forward(partial(_reading_loss, net, x, labels), step)
        drawing = _draws(mode, step, iters)
        if drawing:
            z, fresh = (codes(net.members, batch, net.sizes[-1], streams) for _ in range(2))
            judge(partial(_judging_loss, net, discriminator, x, z), step)
            backward(partial(_fooling_loss, net, discriminator, fresh), step)
        log(step, forward.loss, backward.loss if drawing else None)
        if progress is not None:
            progress(step + 1, iters)
    return log.history()


def _reading_loss(net: TwoWay, x: Tensor, labels: Tensor) -> Tensor:
    logits = net.classify(x, train=True)
    wide = labels.expand(logits.shape[:-1])
    return cross_entropy(logits.flatten(0, 1), wide.flatten(), reduction="none").view(wide.shape).mean(1)


def _drawing_loss(net: TwoWay, x: Tensor, labels: Tensor) -> Tensor:
    drawn = net.generate(one_hot(labels, net.sizes[-1]).to(x), train=True)
    return binary_cross_entropy_with_logits(drawn, x.expand(drawn.shape), reduction="none").mean((1, 2))


def _judging_loss(net: TwoWay, discriminator: TwoWay, x: Tensor, z: Tensor) -> Tensor:
    with torch.no_grad():  # the drawings are data for D: its step must not move W
        drawn = torch.sigmoid(net.generate(z, train=True))
    real, fake = (discriminator.classify(images, train=True) for images in (x, drawn))
    return (softplus(-real) + softplus(fake)).mean((1, 2))


def _fooling_loss(net: TwoWay, discriminator: TwoWay, z: Tensor) -> Tensor:
    drawn = torch.sigmoid(net.generate(z, train=True))
    return softplus(-discriminator.classify(drawn, train=True)).mean((1, 2))


class _Step:
    """One Adam on some parameters: computes a loss per member, differentiates their sum, moves the parameters."""

    def __init__(self, params: list[Tensor], lr: Schedule, beta1: float = 0.9) -> None:
        self.lr = lr
        self.adam = Adam(params, torch.tensor(0.0), beta1)
        self.loss = torch.empty(0)

    def __call__(self, losses: Callable[[], Tensor], step: int) -> None:
        params = self.adam.params
        for value in params:
            value.requires_grad_(True)
        with torch.enable_grad():
            each = losses()
            grads = torch.autograd.grad(each.sum(), params)
        for value in params:
            value.requires_grad_(False)
        self.loss = each.detach()
        self.adam.lr = torch.tensor(self.lr(step) if callable(self.lr) else self.lr)
        self.adam.step(grads)


class _Log:
    """Losses at every ``every``-th step, NaN where a step was not taken."""

    def __init__(self, members: int, every: int) -> None:
        self.every, self.none = validate.at_least("every", every, 1), torch.full((members,), torch.nan)
        self.rows: list[tuple[int, Tensor, Tensor]] = []

    def __call__(self, step: int, classifier: Tensor, drawn: Tensor | None) -> None:
        if step % self.every == 0:
            self.rows.append((step, classifier, self.none if drawn is None else drawn))

    def history(self) -> History:
        if not self.rows:
            empty = torch.empty(len(self.none), 0)
            return History(torch.empty(0, dtype=torch.int64), empty, empty)
        steps, classifier, drawn = zip(*self.rows, strict=True)
        return History(torch.tensor(steps), torch.stack(classifier, 1), torch.stack(drawn, 1))


def _draws(mode: str, step: int, iters: int) -> bool:
    return mode == "bl" or (mode == "half" and step < (iters + 1) // 2)


def _check(net: TwoWay, X: Tensor, y: Tensor, mode: str, iters: int) -> None:
    check_data(X, y, net.sizes[0], net.sizes[-1])
    validate.one_of("mode", mode, MODES)
    validate.at_least("iters", iters, 0)
