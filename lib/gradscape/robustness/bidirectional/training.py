"""Bidirectional learning (BL), its half-time variant and plain back-propagation (BP), many networks at once.

One iteration of BL on a batch of 100, order matters: (i) an Adam step on {W, b} for the cross-entropy of the softmax;
(ii) on the same batch, another Adam's step on {W, g} for the pixel-wise sigmoid cross-entropy between the image drawn
from the one-hot label and the image itself, a mean over batch and pixels. "half" takes step (ii) only in the first half
of the iterations and then drops that Adam's moments; "bp" never takes it.
"""
from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby

import torch
from torch import Tensor
from torch.nn.functional import one_hot, softplus

from gradscape import validate
from gradscape.ensemble import Batches
from gradscape.lesson import generator
from gradscape.robustness.bidirectional.networks import BidirectionalMLP

MODES = ("bp", "bl", "half")
BETA1, BETA2, EPS = 0.9, 0.999, 1e-8
_BATCHES = 7_000  # replicate number of the stream of batches, apart from that of the weights
Rate = float | Sequence[float]
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class History:
    """Batch losses of S members at K kept ``steps`` (K,): ``classifier`` and ``generator`` (S, K), NaN where not taken.
    """

    steps: Tensor
    classifier: Tensor
    generator: Tensor


class Adam:
    """Adam (Kingma & Ba 2015) on stacked tensors, in place, with a rate (S, 1, 1); the rule of ``torch.optim.Adam``."""

    def __init__(self, params: Sequence[Tensor], lr: Tensor, beta1: float = BETA1) -> None:
        self.params, self.lr, self.beta1, self.steps = list(params), lr, beta1, 0
        self.first = [torch.zeros_like(value) for value in self.params]
        self.second = [torch.zeros_like(value) for value in self.params]

    def step(self, grads: Sequence[Tensor]) -> None:
        """Move the parameters against ``grads``, given in their order."""
        self.steps += 1
        rate = self.lr / (1 - self.beta1**self.steps)
        root = (1 - BETA2**self.steps) ** 0.5
        torch._foreach_lerp_(self.first, list(grads), 1 - self.beta1)
        torch._foreach_mul_(self.second, BETA2)
        torch._foreach_addcmul_(self.second, list(grads), list(grads), 1 - BETA2)
        below = torch._foreach_sqrt(self.second)
        torch._foreach_div_(below, root)
        torch._foreach_add_(below, EPS)
        for value, first, scale in zip(self.params, self.first, below, strict=True):
            value.sub_((first / scale).mul_(rate))


def generator_slope(image_logits: Tensor, counts: Tensor, sums: Tensor) -> tuple[Tensor, Tensor]:
    """Loss (S,) of the generator on a batch, and its slope by the image logits of the K classes, (S, K, D).

    The drawing depends on the label alone. With n_k images of class k in the batch (``counts``, (S, K, 1)) that add up
    to ``sums`` (S, K, D), the mean over B images and D pixels of softplus(a) - a x is a sum over classes: 10 rows do
    the work of 100, exactly.
    """
    scale = 1.0 / (counts.sum(1, keepdim=True) * image_logits.shape[-1])
    loss = (counts * softplus(image_logits) - sums * image_logits).sum((1, 2)) * scale[:, 0, 0]
    return loss, (counts * torch.sigmoid(image_logits) - sums) * scale


def train_bidirectional(
    net: BidirectionalMLP,
    X: Tensor,
    y: Tensor,
    mode: str | Sequence[str] = "bl",
    *,
    iters: int,
    lr_c: Rate = 3e-3,
    lr_g: Rate = 3e-3,
    wd: Rate = 0.0,
    batch: int = 100,
    seeds: Sequence[int] = (0,),
    every: int = 50,
    progress: Progress | None = None,
) -> History:
    """Train all members in place on images X (N, D) in [0, 1] and labels y (N,), and return their losses.

    ``mode``, ``lr_c`` (classifier), ``lr_g`` (generator) and ``wd`` (adds ``wd * sum of squared weights`` to the
    classifier's loss) are one for all or one per member. ``seeds`` (one for all, or one per member) decide the batches:
    members of one seed see the same. ``ValueError`` for images outside [0, 1] or not finite, labels that are not int64
    or do not match the network's classes, an unknown mode, a negative rate.

    >>> net = BidirectionalMLP((4, 3, 2), seeds=(0, 1))
    >>> train_bidirectional(net, torch.rand(20, 4), torch.arange(20) % 2, ["bp", "bl"], iters=5, batch=10).steps
    tensor([0])
    """
    check_data(X, y, net.sizes[0], net.sizes[-1])
    modes = [mode] * net.members if isinstance(mode, str) else list(mode)
    if len(modes) != net.members:
        raise ValueError(f"mode has {len(modes)} entries: one, or one per member ({net.members})")
    for entry in modes:
        validate.one_of("mode", entry, MODES)
    validate.at_least("iters", iters, 0)
    validate.at_least("every", every, 1)
    rate_c, rate_g, decay = (_per_member(name, value, net.members) for name, value in
                             (("lr_c", lr_c), ("lr_g", lr_g), ("wd", wd)))
    penalized = bool((decay > 0).any())
    stream = _Stream(X, y, net, seeds, batch)
    forward = Adam(net.parameters("classifier"), rate_c)
    turns: list[_Generator] = []
    kept: list[tuple[int, Tensor, Tensor]] = []
    for step in range(iters):
        if step in (0, _half(iters)):  # moments of BL go on, those of "half" are dropped
            turns = _generators(net, modes, rate_g, turns, first_half=step < _half(iters))
        x, labels = stream.draw()
        loss_c, by_weight, by_bias = net.classifier_loss_and_grads(x, labels)
        if penalized:
            by_weight = [grad.addcmul_(weight, 2 * decay) for grad, weight in zip(by_weight, net.weights, strict=True)]
        forward.step(by_weight + (by_bias if net.bias else []))
        loss_g = torch.full_like(loss_c, torch.nan)
        if turns:
            code = one_hot(labels, net.sizes[-1]).to(x)
            copies = net.members // len(x)
            counts = code.sum(1).unsqueeze(-1).repeat(copies, 1, 1)
            sums = torch.bmm(code.mT, x).repeat(copies, 1, 1)
            for turn in turns:
                loss_g[turn.members] = turn.step(counts, sums)
        if step % every == 0:
            kept.append((step, loss_c, loss_g))
        if progress is not None:
            progress(step + 1, iters)
    if not kept:
        empty = torch.empty(net.members, 0)
        return History(torch.empty(0, dtype=torch.int64), empty, empty)
    steps, classifier, drawn = zip(*kept, strict=True)
    return History(torch.tensor(steps), torch.stack(classifier, 1), torch.stack(drawn, 1))


class _Generator:
    """Step (ii) for a run of neighboring members, with an Adam of its own on views of the shared weights."""

    def __init__(self, net: BidirectionalMLP, members: slice, lr: Tensor) -> None:
        self.net, self.members = net, members
        biases = [bias[members] for bias in net.generator_biases] if net.bias else []
        self.adam = Adam([*(weight[members] for weight in net.weights), *biases], lr[members])
        self.code = torch.eye(net.sizes[-1], dtype=net.weights[0].dtype)

    def step(self, counts: Tensor, sums: Tensor) -> Tensor:
        logits, tape = self.net.record_generator(self.code, self.members)
        loss, slope = generator_slope(logits, counts[self.members], sums[self.members])
        by_weight, by_bias = self.net.generator_backward(tape, slope, self.members)
        self.adam.step(by_weight + (by_bias if self.net.bias else []))
        return loss


def _half(iters: int) -> int:
    return (iters + 1) // 2


def _generators(
    net: BidirectionalMLP, modes: Sequence[str], lr: Tensor, old: list[_Generator], *, first_half: bool
) -> list[_Generator]:
    """One per run of members of one mode that take step (ii) now; those there already are kept."""
    kept = {turn.members.start: turn for turn in old}
    found, start = [], 0
    for mode, run in groupby(modes):
        stop = start + len(list(run))
        if mode == "bl" or (mode == "half" and first_half):
            found.append(kept.get(start) or _Generator(net, slice(start, stop), lr))
        start = stop
    return found


class _Stream:
    """Batches by seed. Where the seeds repeat as a block, one batch each serves all copies of the block."""

    def __init__(self, X: Tensor, y: Tensor, net: BidirectionalMLP, seeds: Sequence[int], batch: int) -> None:
        each = list(seeds) * net.members if len(seeds) == 1 else list(seeds)
        if len(each) != net.members:
            raise ValueError(f"seeds has {len(each)} entries: one, or one per member ({net.members})")
        distinct = list(dict.fromkeys(each))
        self.X, self.y = X.to(net.weights[0].dtype), y
        blocks = each == distinct * (len(each) // len(distinct))
        self.owner = None if blocks else torch.tensor([distinct.index(seed) for seed in each])
        self.batches = Batches(len(y), batch, [generator(int(seed), _BATCHES) for seed in distinct])

    def draw(self) -> tuple[Tensor, Tensor]:
        """Images (U, B, D) and labels (U, B): one batch per seed, or per member."""
        index = self.batches.draw()
        index = index if self.owner is None else index[self.owner]
        return self.X[index], self.y[index]


def check_data(X: Tensor, y: Tensor, pixels: int, classes: int) -> None:
    """``ValueError`` unless X is (N, pixels) in [0, 1] and y (N,) int64 below ``classes``."""
    validate.finite("X", X)
    if X.dim() != 2 or X.shape[1] != pixels or not X.is_floating_point():
        raise ValueError(f"X is {X.dtype} of shape {tuple(X.shape)}: must be real, (N, {pixels})")
    if float(X.min()) < 0 or float(X.max()) > 1:
        raise ValueError(f"X spans {float(X.min()):g} to {float(X.max()):g}: must lie in [0, 1]")
    if y.dtype != torch.int64 or y.shape != X.shape[:1]:
        raise ValueError(f"y is {y.dtype} of shape {tuple(y.shape)}: must be int64, ({len(X)},)")
    if int(y.min()) < 0 or int(y.max()) >= classes:
        raise ValueError(f"y spans {int(y.min())} to {int(y.max())}: must lie in 0 to {classes - 1}, the last size")


def _per_member(name: str, value: Rate, members: int) -> Tensor:
    given = [value] * members if isinstance(value, int | float) else list(value)
    if len(given) != members:
        raise ValueError(f"{name} has {len(given)} entries: one, or one per member ({members})")
    return torch.tensor([validate.nonnegative(name, entry) for entry in given]).view(-1, 1, 1)
