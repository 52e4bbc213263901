"""Real data with skewed labels: who holds which images, and the clients' minibatch gradients of two models."""
from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from gradscape import lesson, validate
from gradscape.datasets import fashion
from gradscape.distributed.compressors import Compressor
from gradscape.distributed.econtrol.simulator import ECSimulator

CLASSES, PIXELS = 10, 784
L2 = 1e-3
BATCH = 8  # images per client and round
SHOWN = 2000  # training images on which the loss is recorded
REDRAWS = 100
Progress = Callable[[int, int], None]


def label_skew_clients(
    X: Tensor, y: Tensor, n_clients: int, alpha: float | None = None, *, seed: int = 0
) -> list[Tensor]:
    """Which rows of ``X`` (N, ...) with labels ``y`` (N,) each client holds: a list of int64 indices.

    ``alpha=None``: one class per client, every class cut into equally many parts (``n_clients`` a multiple of the
    number of classes). Otherwise each class is dealt out by shares drawn from Dirichlet(alpha, ..., alpha): the
    smaller alpha, the more one-sided the clients. ``ValueError`` if that leaves some client without data.
    """
    if y.dim() != 1 or len(X) != len(y) or not len(y) or y.is_floating_point():
        found = f"X has shape {tuple(X.shape)}, y {tuple(y.shape)} of {y.dtype}"
        raise ValueError(f"{found}: must be (N, ...) and whole labels (N,) with N >= 1")
    validate.in_range("n_clients", validate.at_least("n_clients", n_clients, 1), 1, len(y))
    rows = [(y == label).nonzero()[:, 0] for label in y.unique()]
    if alpha is None:
        if n_clients % len(rows):
            raise ValueError(f"n_clients={n_clients!r}: must be a multiple of the {len(rows)} classes")
        return [part for row in rows for part in row.tensor_split(n_clients // len(rows))]
    dice = np.random.default_rng(seed)
    validate.positive("alpha", alpha)
    for _ in range(REDRAWS):
        dealt = [_deal(row, dice.dirichlet([alpha] * n_clients), dice) for row in rows]
        clients = [torch.cat([parts[i] for parts in dealt]) for i in range(n_clients)]
        if all(len(client) for client in clients):
            return clients
    raise ValueError(f"alpha={alpha!r}: {REDRAWS} draws all left some of {n_clients} clients without data")


def _deal(rows: Tensor, shares: np.ndarray, dice: np.random.Generator) -> list[Tensor]:
    shuffled = rows[torch.from_numpy(dice.permutation(len(rows)))]
    cuts = np.rint(np.cumsum(shares)[:-1] * len(rows)).astype(int)
    return list(shuffled.tensor_split(torch.from_numpy(cuts)))


@dataclass(frozen=True)
class Images:
    """Fashion-MNIST with the mean training image taken off, and who holds which training rows."""

    x: Tensor
    y: Tensor
    test_x: Tensor
    test_y: Tensor
    clients: tuple[Tensor, ...]

    def batch(self, size: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """``size`` rows per client, drawn with replacement: x (n, size, pixels), y (n, size)."""
        draw = torch.rand(len(self.clients), size, generator=generator, dtype=torch.float64)
        rows = torch.stack([held[(u * len(held)).long()] for held, u in zip(self.clients, draw, strict=True)])
        return self.x[rows], self.y[rows]


def skewed_images(clients: int = CLASSES, alpha: float | None = None, *, seed: int = 0) -> Images:
    """The committed images, split by label among the clients."""
    (x, y), (test_x, test_y) = (fashion.load(split, flat=True) for split in ("train", "test"))
    mean = x.mean(0)
    return Images(x - mean, y, test_x - mean, test_y, tuple(label_skew_clients(x, y, clients, alpha, seed=seed)))


class Learner(Protocol):
    """A model whose parameters are one vector (..., d), for any number of runs at once."""

    d: int

    def start(self, generator: torch.Generator) -> Tensor:
        """Parameters (d,) to begin with."""
        ...

    def logits(self, theta: Tensor, x: Tensor) -> Tensor:
        """Scores (R, N, classes) of images (N, pixels) for parameters (R, d)."""
        ...

    def gradients(self, theta: Tensor, x: Tensor, y: Tensor) -> Tensor:
        """Every client's gradient (R, n, d) of mean cross entropy plus L2 ‖theta‖²/2 on its images (n, b, pixels)."""
        ...


class Softmax:
    """Softmax regression without intercepts: theta is W (classes, pixels), begun at zero."""

    d = CLASSES * PIXELS

    def start(self, generator: torch.Generator) -> Tensor:
        """Zeros."""
        return torch.zeros(self.d)

    def logits(self, theta: Tensor, x: Tensor) -> Tensor:
        """x W'."""
        made = x @ theta.view(-1, PIXELS).T  # all runs in one product
        return made.view(len(x), -1, CLASSES).transpose(0, 1)

    def gradients(self, theta: Tensor, x: Tensor, y: Tensor) -> Tensor:
        """(p - y)' x / b + L2 W, one batched product for all runs and clients."""
        R, (n, b, _) = len(theta), x.shape
        pull = _pull(self.logits(theta, x.flatten(0, 1)).reshape(R, n, b, CLASSES), y)
        return (pull.mT @ x).view(R, n, self.d).add_(theta[:, None], alpha=L2)


class TwoLayer:
    """784 - hidden - 10 with ReLU: theta holds W1 (hidden, 784), b1, W2 (10, hidden), b2."""

    def __init__(self, hidden: int = 64) -> None:
        self.hidden = validate.at_least("hidden", hidden, 1)
        self.sizes = (hidden * PIXELS, hidden, CLASSES * hidden, CLASSES)
        self.d = sum(self.sizes)

    def start(self, generator: torch.Generator) -> Tensor:
        """Weights N(0, 2/inputs), intercepts 0."""
        first, second = (
            torch.randn(rows * inputs, generator=generator) * math.sqrt(2 / inputs)
            for rows, inputs in ((self.hidden, PIXELS), (CLASSES, self.hidden)))
        return torch.cat([first, torch.zeros(self.hidden), second, torch.zeros(CLASSES)])

    def _layers(self, theta: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        W1, b1, W2, b2 = theta.split(self.sizes, 1)
        return W1.view(-1, self.hidden, PIXELS), b1[:, None], W2.view(-1, CLASSES, self.hidden), b2[:, None]

    def logits(self, theta: Tensor, x: Tensor) -> Tensor:
        """W2 relu(W1 x + b1) + b2."""
        W1, b1, W2, b2 = self._layers(theta)
        return (x @ W1.mT + b1).relu() @ W2.mT + b2

    def gradients(self, theta: Tensor, x: Tensor, y: Tensor) -> Tensor:
        """Back-propagation written out, clients kept apart."""
        R, (n, b, _) = len(theta), x.shape
        W1, b1, W2, b2 = self._layers(theta)
        inner = (x.flatten(0, 1) @ W1.mT + b1).relu()
        pull = _pull((inner @ W2.mT + b2).view(R, n, b, CLASSES), y)
        inner = inner.view(R, n, b, self.hidden)
        back = (pull @ W2[:, None]) * (inner > 0)
        parts = (back.mT @ x, back.sum(2), pull.mT @ inner, pull.sum(2))
        return torch.cat([part.flatten(2) for part in parts], 2).add_(theta[:, None], alpha=L2)


def _pull(logits: Tensor, y: Tensor) -> Tensor:
    """Gradient of the mean cross entropy with respect to the scores (R, n, b, classes)."""
    made = logits.softmax(-1)
    made.scatter_add_(-1, y.expand(made.shape[:-1])[..., None], torch.full_like(made[..., :1], -1.0))
    return made / y.shape[-1]


@dataclass(frozen=True)
class Training:
    """One method with R settings: ``rounds`` (K,), ``loss`` and ``accuracy`` (R, K), ``bits`` (K,) per client.

    ``loss`` is the regularized cross entropy on training images, ``accuracy`` that on the test images.
    """

    rounds: Tensor
    loss: Tensor
    accuracy: Tensor
    bits: Tensor


def train(
    learner: Learner, images: Images, contenders: Mapping[str, tuple[str, float | None]], gammas: Sequence[float],
    compressor: Compressor, rounds: int, *, seed: int, record_every: int = 100, progress: Progress | None = None,
) -> dict[str, Training]:
    """Train side by side, with the same start and minibatches: name -> (method, eta), each with every step of
    ``gammas``.
    """
    validate.at_least("record_every", record_every, 1)
    validate.at_least("rounds", rounds, 1)
    generator, n = lesson.generator(seed), len(images.clients)
    start = learner.start(generator).repeat(len(gammas), 1)
    thetas = dict.fromkeys(contenders, start)
    sent = {name: ECSimulator(method, n, torch.tensor(gammas), compressor, eta)
            for name, (method, eta) in contenders.items()}
    rows: dict[str, list[tuple[int, Tensor, Tensor, int]]] = {name: [] for name in contenders}
    for t in range(rounds):
        x, y = images.batch(BATCH, generator)
        for name, one in sent.items():
            grads = learner.gradients(thetas[name], x, y)
            if t == 0:
                one.init(start, grads)
                rows[name].append((0, *_judged(learner, start, images), one.messages_bits))
            thetas[name] = one.step(thetas[name], grads)
            if (t + 1) % record_every == 0 or t + 1 == rounds:
                rows[name].append((t + 1, *_judged(learner, thetas[name], images), one.messages_bits))
        if progress is not None:
            progress(t + 1, rounds)
    return {name: _training(found) for name, found in rows.items()}


def _training(rows: list[tuple[int, Tensor, Tensor, int]]) -> Training:
    at, loss, accuracy, bits = zip(*rows, strict=True)
    return Training(torch.tensor(at), torch.stack(loss, 1), torch.stack(accuracy, 1), torch.tensor(bits))


def _judged(learner: Learner, theta: Tensor, images: Images) -> tuple[Tensor, Tensor]:
    """Loss on the first training images and accuracy on the test images, (R,) each."""
    x, y = images.x[:SHOWN], images.y[:SHOWN]
    log_p = learner.logits(theta, x).log_softmax(-1)
    loss = -log_p[:, torch.arange(len(y)), y].mean(1) + L2 / 2 * theta.square().sum(1)
    right = learner.logits(theta, images.test_x).argmax(-1) == images.test_y
    return loss.double().nan_to_num(nan=math.inf), right.double().mean(1)
