"""What is measured of a trained network: the paper's three accuracies, attacks it did not try, and confidence on noise.

The paper's evaluation (its code): clean accuracy; accuracy under static, ``clip(x + noise * U, 0, 1)`` with one fixed U
uniform in [0, 1] (its mean is 1/2: not centered); accuracy under FGSM towards the model's own predictions; and
"rates", the largest output over images of pure noise U over the largest on test images. Beside them: FGSM with true
labels, PGD on the cross-entropy, and PGD on the logit margin in float64, which no saturation of the softmax can hide.
"""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from gradscape import validate
from gradscape.lesson import generator
from gradscape.robustness import attacks
from gradscape.robustness.bidirectional.networks import BidirectionalMLP
from gradscape.robustness.bidirectional.training import check_data

PGD_STEP, PGD_STEPS = 0.25, 10
_NOISE = 8_000  # replicate number of the static's stream
_AT_ONCE = 2  # members attacked together
ATTACKS = ("fgsm_true", "fgsm_pred", "pgd", "pgd_margin")


@dataclass(frozen=True)
class RobustnessReport:
    """Shares of test images, one value per member (S,).

    ``clean``, ``noisy``, ``fgsm_pred``, ``fgsm_true``, ``pgd`` (cross-entropy), ``pgd_margin`` (margin, float64) are
    accuracies. ``zero_grad`` is the share of images whose cross-entropy has no gradient at all in float32.
    ``sigmoid_rate``, ``softmax_rate``: largest output on pure noise over the largest on test images.
    ``mean_confidence_ratio``: mean largest softmax on pure noise over that on test images.
    """

    clean: Tensor
    noisy: Tensor
    fgsm_pred: Tensor
    fgsm_true: Tensor
    pgd: Tensor
    pgd_margin: Tensor
    zero_grad: Tensor
    sigmoid_rate: Tensor
    softmax_rate: Tensor
    mean_confidence_ratio: Tensor

    def reshape(self, *shape: int) -> dict[str, Tensor]:
        """All fields by name, in another shape (modes, seeds)."""
        return {entry.name: getattr(self, entry.name).reshape(*shape) for entry in fields(self)}


def static(x: Tensor, noise: float, seed: int = 0) -> Tensor:
    """``clip(x + noise * U, 0, 1)`` with U uniform in [0, 1], fixed by ``seed``; x (N, D)."""
    return (x + noise * pure_noise(x, seed)).clamp(0, 1)


def pure_noise(x: Tensor, seed: int = 0) -> Tensor:
    """Images of pure noise U, uniform in [0, 1], shaped like x (N, D)."""
    return torch.rand(x.shape, generator=generator(seed, _NOISE), dtype=torch.float32).to(x)


def attacked(net: BidirectionalMLP, X: Tensor, y: Tensor, eps: float, attack: str) -> Tensor:
    """Test images (S, N, D) as one of ``ATTACKS`` moves them, for each member its own; "pgd_margin" in float64."""
    validate.one_of("attack", attack, ATTACKS)
    if net.members > _AT_ONCE:
        groups = [net.pick(part) for part in _groups(net.members)]
        return torch.cat([attacked(group, X, y, eps, attack) for group in groups])
    x = X.expand(net.members, *X.shape)
    if attack == "fgsm_true":
        return attacks.fgsm(net.classify, x, eps, y)
    if attack == "fgsm_pred":
        return attacks.fgsm(net.classify, x, eps)
    if attack == "pgd":
        return attacks.pgd(net.classify, x, y, eps, step=PGD_STEP, steps=PGD_STEPS)
    exact = net.pick(range(net.members), torch.float64)
    return attacks.pgd(exact.classify, x, y, eps, step=PGD_STEP, steps=PGD_STEPS, loss="margin", dtype=torch.float64)


def _groups(members: int) -> list[range]:
    """Few members at a time: their images then stay in the processor's cache."""
    return [range(start, min(start + _AT_ONCE, members)) for start in range(0, members, _AT_ONCE)]


def right(net: BidirectionalMLP, x: Tensor, y: Tensor) -> Tensor:
    """Which images (N, D) or (S, N, D) are read right, (S, N); computed in the precision of ``x``."""
    if x.dtype != net.weights[0].dtype:
        net = net.pick(range(net.members), x.dtype)
    return net.classify(x).argmax(-1) == y


def robustness_report(
    net: BidirectionalMLP, X: Tensor, y: Tensor, eps: float, noise: float = 0.1, seed: int = 0
) -> RobustnessReport:
    """Everything above for every member, on test images X (N, D) in [0, 1] and labels y (N,); ``seed`` fixes U.

    ``ValueError`` for images outside [0, 1], labels that do not match, a negative ``eps`` or ``noise``.
    """
    check_data(X, y, net.sizes[0], net.sizes[-1])
    validate.nonnegative("eps", eps)
    validate.nonnegative("noise", noise)
    if net.members > _AT_ONCE:
        parts = [robustness_report(net.pick(part), X, y, eps, noise, seed) for part in _groups(net.members)]
        return RobustnessReport(*(torch.cat([getattr(part, entry.name) for part in parts])
                                  for entry in fields(RobustnessReport)))
    accuracy = {name: right(net, attacked(net, X, y, eps, name), y).float().mean(1) for name in ATTACKS}
    gradient = attacks.input_gradient(net.classify, X.expand(net.members, *X.shape), y)
    on_test, on_noise = net.classify(X), net.classify(pure_noise(X, seed))

    def ratio(squash: Callable[[Tensor], Tensor], reduce: Callable[[Tensor], Tensor]) -> Tensor:
        return reduce(squash(on_noise).amax(-1)) / reduce(squash(on_test).amax(-1))

    def softmax(z: Tensor) -> Tensor:
        return torch.softmax(z, -1)

    return RobustnessReport(
        clean=right(net, X, y).float().mean(1),
        noisy=right(net, static(X, noise, seed), y).float().mean(1),
        zero_grad=(gradient == 0).all(-1).float().mean(1),
        sigmoid_rate=ratio(torch.sigmoid, lambda v: v.amax(1)),
        softmax_rate=ratio(softmax, lambda v: v.amax(1)),
        mean_confidence_ratio=ratio(softmax, lambda v: v.mean(1)),
        **accuracy,
    )
