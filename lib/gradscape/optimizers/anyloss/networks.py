"""The paper's small network, Dense(2) - BatchNorm - sigmoid - Dense(1) - sigmoid, in stacks (arXiv 2405.14745, MLP).

Every fit of a stack starts anew: the published notebook builds one network per table and goes on with it from loss to
loss and from fold to fold, so that later fits start trained and have seen their test data.
"""
from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from gradscape import validate
from gradscape.ensemble import INITS
from gradscape.optimizers.anyloss.confusion import L_PAPER, SoftConfusion
from gradscape.optimizers.anyloss.gradients import slopes
from gradscape.optimizers.anyloss.scoring import Folds

HIDDEN = 2
SHARE = 0.05  # of the training rows in a batch
MOMENTUM, BN_EPS, ADAM_EPS = 0.99, 1e-3, 1e-7  # Keras' own constants, of the code that the numbers come from
BETAS = (0.9, 0.999)

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class NetLoss:
    """How one network of a stack trains: ``metric`` "bce", "fbeta" or "balanced_accuracy" (any closed form), Adam's
    ``lr``; ``whole_n`` puts the size of the training set where the batch's own belongs, as the published losses do.
    """

    metric: str
    lr: float = 0.001
    whole_n: bool = False


class Stack:
    """Networks (K losses, F folds) with all parameters in one tensor (K, F, P); a fold's losses start alike."""

    def __init__(self, features: int, losses: int, generators: Sequence[torch.Generator]) -> None:
        starts = [_start(features, g) for g in generators]
        self.features, self.shape = features, (losses, len(starts))
        self.theta = torch.stack(starts).expand(losses, -1, -1).clone().requires_grad_()
        self.mean = torch.zeros(*self.shape, 1, HIDDEN, dtype=torch.float64)
        self.var = torch.ones(*self.shape, 1, HIDDEN, dtype=torch.float64)

    def logits(self, x: Tensor, *, training: bool) -> Tensor:
        """z (K, F, B) of rows x (F, B, d); ``training`` normalizes by the batch and moves the running averages."""
        sizes = (self.features * HIDDEN, HIDDEN, HIDDEN, HIDDEN, HIDDEN, 1)
        weight, bias, gain, shift, out, last = self.theta.split(sizes, -1)
        h = x @ weight.reshape(*self.shape, self.features, HIDDEN) + bias[..., None, :]
        if training:
            mean, var = h.mean(-2, keepdim=True), h.var(-2, keepdim=True, correction=0)
            with torch.no_grad():
                self.mean.lerp_(mean, 1 - MOMENTUM)
                self.var.lerp_(var, 1 - MOMENTUM)
        else:
            mean, var = self.mean, self.var
        h = (h - mean) * torch.rsqrt(var + BN_EPS) * gain[..., None, :] + shift[..., None, :]
        return (torch.sigmoid(h) * out[..., None, :]).sum(-1) + last


def train_networks(
    data: Folds, losses: Sequence[NetLoss], *, seeds: Sequence[int], epochs: int = 100,
    share: float = SHARE, L: float = L_PAPER, progress: Progress | None = None,
) -> Stack:
    """Train every loss on every fold with Adam, ``epochs`` passes in shuffled batches of a ``share`` of the rows.

    ``seeds``: one per fold; the losses of a fold share its start and its batches, so that they are paired. A batch that
    lacks a class which the metric needs gives no gradient. The incomplete last batch of a pass is left out.
    ``ValueError`` for a batch of fewer than two rows (its normalization means nothing) or a wrong number of seeds.
    """
    validate.in_range("share", share, 0.0, 1.0, open_low=True)
    folds, rows = data.mask.shape[0], data.mask.sum(1).long()
    if len(seeds) != folds:
        raise ValueError(f"seeds has {len(seeds)} entries: one per fold is needed ({folds})")
    batch = int(share * int(rows.min()))
    if batch < 2:
        raise ValueError(f"share={share!r}: a batch of {batch} rows cannot be normalized; at least 2 are needed")
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    features = data.x[..., 1:]  # the layers have their own biases
    net = Stack(features.shape[-1], len(losses), generators)
    lr = torch.tensor([loss.lr for loss in losses], dtype=torch.float64).view(-1, 1, 1)
    per_epoch = int(rows.min()) // batch
    first, second = torch.zeros_like(net.theta), torch.zeros_like(net.theta)
    own = torch.arange(folds)[:, None]
    for epoch in range(validate.at_least("epochs", epochs, 0)):
        orders = [torch.randperm(int(n), generator=g) for n, g in zip(rows, generators, strict=True)]
        order = torch.stack([o[: per_epoch * batch] for o in orders]).view(folds, per_epoch, batch)
        for k in range(per_epoch):
            x, y = features[own, order[:, k]], data.y[own, order[:, k]]
            z = net.logits(x, training=True)
            (grad,) = torch.autograd.grad(z, net.theta, residuals(z.detach(), y, losses, rows, L))
            step = epoch * per_epoch + k + 1
            with torch.no_grad():
                first.lerp_(grad, 1 - BETAS[0])
                second.lerp_(grad.square(), 1 - BETAS[1])
                scale = (second / (1 - BETAS[1] ** step)).sqrt_().add_(ADAM_EPS)
                net.theta -= lr * (first / (1 - BETAS[0] ** step)) / scale
        if progress is not None:
            progress(epoch + 1, epochs)
    return net


def residuals(z: Tensor, y: Tensor, losses: Sequence[NetLoss], rows: Tensor, L: float) -> Tensor:
    """dloss/dz (K, F, B) of a batch y (F, B) out of ``rows`` (F,) training rows."""
    p = torch.sigmoid(z)
    a = torch.sigmoid(L * (p - 0.5))
    by_z = L * a * (1 - a) * p * (1 - p)
    positives = y.sum(-1)
    tp, fp = (a * y).sum(-1), (a * (1 - y)).sum(-1)
    found = torch.empty_like(z)
    for k, loss in enumerate(losses):
        if loss.metric == "bce":
            found[k] = (p[k] - y) / y.shape[-1]
            continue
        n = rows.to(y) if loss.whole_n else y.new_full(positives.shape, y.shape[-1])
        u, v = slopes(loss.metric, SoftConfusion.from_counts(tp[k], fp[k], positives, n - positives))
        if loss.metric in ("balanced_accuracy", "gmean"):
            both = ((positives > 0) & (positives < y.shape[-1])).to(y)
            u, v = u * both, v * both
        found[k] = (u[:, None] * y + v[:, None] * (1 - y)) * by_z[k]
    return found


def _start(features: int, generator: torch.Generator) -> Tensor:
    """He's normal weights in the hidden layer, Glorot's uniform in the last, biases 0, the normalization's gain 1."""
    weight, bias = INITS["kaiming"](0, features, HIDDEN, generator)
    bound = (6 / (HIDDEN + 1)) ** 0.5
    out = torch.rand(HIDDEN, generator=generator) * 2 * bound - bound
    ones, zeros = torch.ones(HIDDEN), torch.zeros(HIDDEN)
    return torch.cat([weight.flatten(), bias, ones, zeros, out, torch.zeros(1)]).double()
