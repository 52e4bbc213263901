"""Single-layer perceptrons, all folds and losses at once, by full-batch gradient descent (arXiv 2405.14745, SLP).

Row k of fold f is ``z = X[f] @ theta[k, f]``. Losses of one kind share a block of the stack; an iteration is two
batched products, one or two sigmoids and three sums, whatever the number of losses.
"""
from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from gradscape import validate
from gradscape.optimizers.anyloss.confusion import L_PAPER, METRICS, SoftConfusion, check_labels
from gradscape.optimizers.anyloss.gradients import LINEAR, inverse, slopes

PLAIN = ("bce", "weighted_bce", "mse")
# The published learning rates; the geometric mean's .005 went with a gradient four times too large, so .02 here.
RATES = {"mse": 0.01, "bce": 0.1, "weighted_bce": 0.1, "fbeta": 0.01, "gmean": 0.02}
OTHER_RATE = 0.005  # accuracy, F_beta with beta != 1, balanced accuracy, and what the paper does not train on

Watch = Callable[[int, Tensor], None]
Progress = Callable[[int, int], None]
Group = tuple[str, int, int, Tensor]
_backward = torch.ops.aten.sigmoid_backward.grad_input  # grad * s * (1 - s) in one pass


@dataclass(frozen=True)
class LossSpec:
    """One loss of a stack: ``name`` "bce", "weighted_bce" (classes weigh alike), "mse" (targets -1 and 1, output z) or
    a metric of ``METRICS``, with its ``beta`` and amplification ``L``; ``amplify=False`` leaves A out: the plain soft
    metric (the score-oriented loss with a uniform prior), which is *not* AnyLoss.
    """

    name: str
    beta: float = 1.0
    L: float = L_PAPER
    amplify: bool = True

    def __post_init__(self) -> None:
        validate.one_of("name", self.name, (*PLAIN, *METRICS))
        validate.positive("beta", self.beta)
        validate.positive("L", self.L)

    @property
    def rate(self) -> float:
        """The official learning rate, times 73 / L since a step is proportional to L; unamplified as at L = 4, the
        amplifier whose slope at 1/2 is that of p itself.
        """
        if self.name in PLAIN:
            return RATES[self.name]
        known = OTHER_RATE if self.name == "fbeta" and self.beta != 1 else RATES.get(self.name, OTHER_RATE)
        return known * L_PAPER / (self.L if self.amplify else 4.0)


def fit_linear(
    X: Tensor, y: Tensor, losses: Sequence[LossSpec], *, mask: Tensor | None = None,
    lr: float | Sequence[float] | None = None, iterations: int = 1000, theta0: Tensor | None = None,
    watch: Watch | None = None, progress: Progress | None = None,
) -> Tensor:
    """Train one perceptron for each loss and fold; returns theta (len(losses), F, d).

    ``X`` (F, n, d) float, its first column ones where a bias is wanted; ``y`` (n,) or (F, n), labels 0 or 1; ``mask``
    (F, n), 0 leaves a row out. ``lr`` one rate, one per loss, or the official ones. ``theta0`` broadcast to theta,
    zeros if left out. ``watch(iteration, theta)`` is called before each step and after the last.
    ``ValueError`` for entries that are not finite, other labels, shapes that do not match, no loss, iterations < 0.

    >>> X = torch.randn(1, 50, 3, dtype=torch.float64)
    >>> fit_linear(X, (X[0, :, 1] > 0).double(), [LossSpec("bce"), LossSpec("fbeta")], iterations=10).shape
    torch.Size([2, 1, 3])
    """
    if X.dim() != 3 or not X.is_floating_point():
        raise ValueError(f"X has shape {tuple(X.shape)} and dtype {X.dtype}: must be (F, n, d) of floats")
    validate.finite("X", X)
    validate.at_least("iterations", iterations, 0)
    if len(losses) == 0:
        raise ValueError("losses is empty: at least one LossSpec is needed")
    folds, n, d = X.shape
    labels = _expanded("y", check_labels("y", y).to(X), (folds, n))
    kept = torch.ones_like(labels) if mask is None else _expanded("mask", check_labels("mask", mask).to(X), (folds, n))
    if not bool((kept.sum(1) > 0).all()):
        raise ValueError("mask leaves a fold without rows: at least one is needed")

    order = sorted(range(len(losses)), key=lambda k: _family(losses[k]))
    specs = [losses[k] for k in order]
    rates = [spec.rate for spec in losses] if lr is None else [lr] * len(losses) if isinstance(lr, float) else list(lr)
    if len(rates) != len(losses):
        raise ValueError(f"lr has {len(rates)} entries: one, or one for each of {len(losses)} losses, is needed")
    rate = torch.tensor([validate.positive("lr", rates[k]) for k in order], dtype=X.dtype, device=X.device)
    theta = X.new_zeros(len(losses), folds, d)
    if theta0 is not None:
        theta = _expanded("theta0", validate.finite("theta0", theta0).to(X), (len(losses), folds, d))[order]
    theta = theta.transpose(0, 1).contiguous()  # (F, K, d): a fold's losses share its rows

    back = torch.tensor(order).argsort()
    rows = X * kept[..., None]  # a row left out adds nothing to any gradient
    columns = rows.mT.contiguous()
    residual = _Residual(specs, labels, kept)
    for iteration in range(iterations):
        if watch is not None:
            watch(iteration, theta.transpose(0, 1)[back])
        theta = theta - rate[:, None] * torch.bmm(residual(torch.bmm(theta, columns)), rows)
        if progress is not None:
            progress(iteration + 1, iterations)
    found = theta.transpose(0, 1)[back].contiguous()
    if watch is not None:
        watch(iterations, found)
    return found


class _Residual:
    """dloss/dz (F, K, n) of every loss at logits z (F, K, n), for specs in the order of :func:`_family`."""

    def __init__(self, specs: Sequence[LossSpec], labels: Tensor, kept: Tensor) -> None:
        self.y = labels[:, None]
        families = [_family(spec) for spec in specs]
        self.amplified = sum(family[0] == 0 for family in families)
        self.metrics = sum(family[0] <= 1 for family in families)
        self.crossed = sum(family[0] <= 2 for family in families)
        yes, no = kept * labels, kept * (1 - labels)
        self.sides = torch.stack([yes, no], 2)  # (F, n, 2): sums a over positives and over negatives in one product
        self.positives, self.negatives = yes.sum(1, keepdim=True), no.sum(1, keepdim=True)
        L = labels.new_tensor([[spec.L] for spec in specs[: self.amplified]])
        self.L, self.half = L, -L / 2
        self.slope = torch.cat([L, labels.new_ones(self.metrics - self.amplified, 1)])[None, :, 0]
        self.groups: list[Group] = []  # (metric, first row, last row, betas): rows of one formula
        for family in dict.fromkeys(families[: self.metrics]):
            at = [k for k, other in enumerate(families) if other == family]
            betas = labels.new_tensor([specs[k].beta for k in at])
            self.groups.append((specs[at[0]].name, at[0], at[-1] + 1, betas))
        shape = (len(labels), self.metrics)
        self.u, self.v = labels.new_zeros(shape), labels.new_zeros(shape)
        self._update(labels.new_zeros(*shape, 2), self.groups)
        self.groups = [group for group in self.groups if group[0] not in LINEAR]
        even = kept / kept.sum(1, keepdim=True)
        balanced = (yes * inverse(self.positives) + no * inverse(self.negatives)) / 2
        weights = [balanced if spec.name == "weighted_bce" else even for spec in specs[self.metrics : self.crossed]]
        self.weights = torch.stack(weights, 1) if weights else None
        self.even = even[:, None]

    def __call__(self, z: Tensor) -> Tensor:
        m, c, k = self.metrics, self.crossed, self.amplified
        out = torch.empty_like(z)
        if m:
            p = torch.sigmoid(z[:, :m])
            a = p
            if k:
                top = torch.addcmul(self.half, self.L, p[:, :k]).sigmoid_()
                a = top if k == m else torch.cat([top, p[:, k:]], 1)
            if self.groups:
                self._update(torch.bmm(a, self.sides), self.groups)
            by_a = torch.addcmul(self.v[..., None], (self.u - self.v)[..., None], self.y)
            if k:
                _backward(by_a[:, :k], a[:, :k], grad_input=by_a[:, :k])
            _backward(by_a, p, grad_input=out[:, :m])
        if c > m:
            assert self.weights is not None
            torch.sigmoid(z[:, m:c], out=out[:, m:c])
            out[:, m:c].sub_(self.y).mul_(self.weights)
        if z.shape[1] > c:
            torch.sub(z[:, c:], 2 * self.y - 1, out=out[:, c:])
            out[:, c:].mul_(2 * self.even)
        return out

    def _update(self, sums: Tensor, groups: Sequence[Group]) -> None:
        """u and v (F, K) from TP and FP (F, K, 2), times the amplifier's L."""
        for name, first, last, beta in groups:
            tp, fp = sums[:, first:last, 0], sums[:, first:last, 1]
            c = SoftConfusion.from_counts(tp, fp, self.positives.expand_as(tp), self.negatives.expand_as(tp))
            u, v = slopes(name, c, beta=beta)
            torch.mul(u, self.slope[:, first:last], out=self.u[:, first:last])
            torch.mul(v, self.slope[:, first:last], out=self.v[:, first:last])


def _family(spec: LossSpec) -> tuple[int, int]:
    """Amplified metrics, plain soft metrics, cross-entropies, squared error; within these by metric."""
    if spec.name in METRICS:
        return (0 if spec.amplify else 1), list(METRICS).index(spec.name)
    return (3 if spec.name == "mse" else 2), PLAIN.index(spec.name)


def _expanded(name: str, value: Tensor, shape: tuple[int, ...]) -> Tensor:
    try:
        return value.expand(shape)
    except RuntimeError as error:
        raise ValueError(f"{name} has shape {tuple(value.shape)}: must broadcast to {shape}") from error
