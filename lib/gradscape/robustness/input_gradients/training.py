"""Training many networks at once, plainly or against an adversary that maximizes the loss within a ball.

Adversarial training (Madry et al. 2018, arXiv 1706.06083): minimize ``E max_(|d| <= eps) loss(x + d)``, with projected
gradient steps of ``step * eps``. The authors' repository takes 8 steps of .25 eps (linf) and 5 of .5 eps (l2).
"""
from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import softplus

from gradscape import validate
from gradscape.ensemble import Loss, SharedBatches, StackedMLP, cross_entropy
from gradscape.lesson import generator
from gradscape.robustness import attacks

SCHEDULES = ("constant", "one_cycle")
OPTIMIZERS = ("adam", "gd")
_BATCHES = 9_000  # replicate number of the stream of batches, apart from that of the weights
Inputs = Tensor | Callable[[Tensor], Tensor]
Progress = Callable[[int, int], None]


class Logistic:
    """``log(1 + exp(-s f))`` of one logit f (M, B, 1) with s = ±1 for labels 1 and 0: a loss of the ensemble."""

    def value(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Loss of each example, (M, B)."""
        return softplus(-(2 * targets - 1) * outputs.squeeze(-1))

    def slope(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """``sigmoid(f) - y``, (M, B, 1)."""
        return torch.sigmoid(outputs) - targets.to(outputs).unsqueeze(-1)


logistic = Logistic()


def loss_of(net: StackedMLP) -> Loss:
    """Cross-entropy, or its equal for one logit."""
    return logistic if int(net.widths[0, -1]) == 1 else cross_entropy


def logits(net: StackedMLP) -> Callable[[Tensor], Tensor]:
    """The network's logits; one logit f becomes two, (-f/2, f/2), whose cross-entropy is the logistic loss of f."""
    if int(net.widths[0, -1]) > 1:
        return net.forward

    def two(x: Tensor) -> Tensor:
        half = net.forward(x) / 2
        return torch.cat([-half, half], -1)

    return two


def network(sizes: Sequence[int], seeds: Sequence[int], first_layer_scale: float = 1.0) -> StackedMLP:
    """ReLU networks with He's initialization (biases 0), the first layer's weights times ``first_layer_scale``.

    A small first layer is the rich regime: directions that no training signal reaches stay dark. ``ValueError`` unless
    the scale is positive.
    """
    validate.positive("first_layer_scale", first_layer_scale)

    def init(layer: int, fan_in: int, fan_out: int, g: torch.Generator) -> tuple[Tensor, Tensor]:
        std = math.sqrt(2 / fan_in) * (1.0 if layer else first_layer_scale)
        return torch.randn(fan_in, fan_out, generator=g) * std, torch.zeros(fan_out)

    return StackedMLP(sizes, len(seeds), init=init, generators=list(seeds))


@dataclass(frozen=True)
class Adversary:
    """An attack to train against: ``steps`` of ``step * eps`` within the eps-ball and ``bounds``.

    ``ramp`` is the share of training over which the radius grows linearly from 0 to ``eps``. ``ValueError`` for a
    negative radius, a ramp outside [0, 1]; the rest as ``attacks.pgd``.
    """

    eps: float
    norm: str = "l2"
    steps: int = 4
    step: float = 0.5
    bounds: tuple[float, float] = (0.0, 1.0)
    ramp: float = 0.0

    def __post_init__(self) -> None:
        validate.nonnegative("eps", self.eps)
        validate.one_of("norm", self.norm, attacks.NORMS)
        validate.in_range("ramp", self.ramp, 0.0, 1.0)

    def attack(self, net: StackedMLP, x: Tensor, y: Tensor, share: float = 1.0) -> Tensor:
        """Inputs (M, B, d) moved against each member's own loss, at ``share`` of training."""
        eps = self.eps * (min(1.0, share / self.ramp) if self.ramp else 1.0)
        wide = x if x.dim() == 3 else x.expand(net.members, *x.shape)
        if eps == 0:
            return wide
        return attacks.pgd(logits(net), wide, y, eps, norm=self.norm, steps=self.steps, step=self.step,
                           clip=self.bounds)


def fit(
    net: StackedMLP,
    x: Inputs,
    y: Tensor,
    *,
    epochs: int,
    lr: float,
    batch: int | None = None,
    adversary: Adversary | None = None,
    schedule: str = "constant",
    optimizer: str = "adam",
    seed: int = 0,
    progress: Progress | None = None,
) -> Tensor:
    """Train all members in place on labels y (N,) int64; returns their mean loss of each epoch, (M, epochs).

    ``x`` is (N, d), (M, N, d), or a function from indices (B,) to (M, B, d). ``batch`` None: full batch, one step per
    epoch. All members see the same batches, which ``seed`` decides. "one_cycle" is torch's OneCycleLR up to ``lr``.
    ``ValueError`` for inputs that are not finite or do not fit, unknown options, rates that are not positive.
    """
    validate.at_least("epochs", epochs, 1)
    validate.positive("lr", lr)
    validate.one_of("schedule", schedule, SCHEDULES)
    validate.one_of("optimizer", optimizer, OPTIMIZERS)
    count = _check_data(net, x, y)
    whole = torch.arange(count)
    batches = None if batch is None else SharedBatches(count, batch, generator(seed, _BATCHES))
    steps = 1 if batch is None else count // batch
    parameters = list(net.params.values())
    made: torch.optim.Optimizer = (torch.optim.Adam(parameters, lr, fused=True) if optimizer == "adam"
                                   else torch.optim.SGD(parameters, lr))
    rates = (torch.optim.lr_scheduler.OneCycleLR(made, lr, total_steps=epochs * steps)
             if schedule == "one_cycle" else None)
    loss, history = loss_of(net), []
    for epoch in range(epochs):
        total = torch.zeros(net.members, dtype=parameters[0].dtype)
        for step in range(steps):
            index = whole if batches is None else batches.draw()
            inputs, labels = _take(x, index), y[index]
            if adversary is not None:
                inputs = adversary.attack(net, inputs, labels, (epoch * steps + step) / (epochs * steps))
            values, grads = net.loss_and_grads(inputs, labels, loss)
            for name, value in net.params.items():
                value.grad = grads[name]
            made.step()
            if rates is not None:
                rates.step()
            total += values
            if progress is not None:
                progress(epoch * steps + step + 1, epochs * steps)
        history.append(total / steps)
    for value in parameters:
        value.grad = None
    return torch.stack(history, 1)


def _take(x: Inputs, index: Tensor) -> Tensor:
    if not isinstance(x, Tensor):
        return x(index)
    return x[index] if x.dim() == 2 else x[:, index]


def _check_data(net: StackedMLP, x: Inputs, y: Tensor) -> int:
    if y.dtype != torch.int64 or y.dim() != 1 or len(y) == 0:
        raise ValueError(f"y is {y.dtype} of shape {tuple(y.shape)}: must be int64, (N,), not empty")
    classes = max(int(net.widths[0, -1]), 2)
    if int(y.min()) < 0 or int(y.max()) >= classes:
        raise ValueError(f"y spans {int(y.min())} to {int(y.max())}: must lie in 0 to {classes - 1}")
    if isinstance(x, Tensor):
        validate.finite("x", x)
        allowed = (len(y), int(net.widths[0, 0]))
        if x.dim() not in (2, 3) or tuple(x.shape[-2:]) != allowed or (x.dim() == 3 and len(x) != net.members):
            raise ValueError(f"x has shape {tuple(x.shape)}: must be {allowed}, or with {net.members} in front")
    return len(y)


def accuracy(net: StackedMLP, x: Inputs, y: Tensor, adversary: Adversary | None = None, chunk: int = 500) -> Tensor:
    """Share of right answers of every member, (M,) float64; under its attack if an ``adversary`` is given."""
    right = torch.zeros(net.members, dtype=torch.float64)
    for index in torch.arange(len(y)).split(chunk):
        inputs, labels = _take(x, index), y[index]
        if adversary is not None:
            inputs = adversary.attack(net, inputs, labels)
        right += (logits(net)(inputs).argmax(-1) == labels).sum(-1)
    return right / len(y)
