"""Experiments that only the full profile runs: hybrid adversarial networks, and a network trained far too long."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from gradscape.lesson import protocol, seeds_of
from gradscape.robustness import attacks
from gradscape.robustness.bidirectional.convolution import HAN_CNN, BidirectionalCNN
from gradscape.robustness.bidirectional.experiments import test_images, training_images
from gradscape.robustness.bidirectional.hybrid import train_han
from gradscape.robustness.bidirectional.networks import BidirectionalMLP
from gradscape.robustness.bidirectional.report import PGD_STEP, PGD_STEPS, attacked, right, robustness_report
from gradscape.robustness.bidirectional.settings import EPS, LR, Settings
from gradscape.robustness.bidirectional.training import train_bidirectional

Progress = Callable[[int, int], None]
HAN_SIZES, D_SIZES, LONG_SIZES = (784, 128, 10), (784, 128, 1), (784, 128, 10)
LONG_IMAGES, LONG_SEED = 1000, 900  # the overtrained network: images and its replicate number
MARKS = (1000, 2000, 4000, 8000, 12_000)  # iterations at which it is attacked


@dataclass(frozen=True)
class Hybrid:
    """HAN-FC and its back-propagated twin on S seeds: report fields (2, S)."""

    variants: tuple[str, ...]
    seeds: int
    report: dict[str, Tensor]

    def of(self, variant: str, value: str) -> Tensor:
        """One field of one variant, (S,)."""
        return self.report[value][self.variants.index(variant)]


@protocol
def hybrid(settings: Settings, *, progress: Progress | None = None) -> Hybrid:
    """784-128-10 rectified units with the paper's rates, its discriminator 784-128-1 (appendix, Table 2)."""
    seeds = seeds_of(settings, settings.size.han_seeds)
    rows = []
    for mode in ("bp", "bl"):
        net = BidirectionalMLP(HAN_SIZES, "relu", seeds=seeds, init="half_fan")
        judge = BidirectionalMLP(D_SIZES, "relu", seeds=[seed // 2 + 1 for seed in seeds], init="half_fan")
        train_han(net, judge, *training_images(settings), mode, iters=settings.size.han_iterations, seeds=seeds,
                  progress=progress)
        rows.append(robustness_report(net, *test_images(settings), EPS, seed=settings.seed).reshape(1, len(seeds)))
    return Hybrid(("bp", "bl"), len(seeds), {name: torch.cat([row[name] for row in rows]) for name in rows[0]})


@dataclass(frozen=True)
class Overtrained:
    """A back-propagated network at some iterations: attacks and its median margin, (K,) each."""

    iterations: tuple[int, ...]
    clean: Tensor
    fgsm_single: Tensor
    fgsm_double: Tensor
    pgd_margin: Tensor
    margin: Tensor


@protocol
def overtrained(settings: Settings, *, progress: Progress | None = None) -> Overtrained:
    """128 rectified units on 1000 images, on and on: FGSM in single and double precision, and the margin attack."""
    X, y = (part[:LONG_IMAGES] for part in training_images(settings))
    tests, labels = test_images(settings)
    marks = [mark for mark in MARKS if mark <= settings.size.long_iterations]
    net = BidirectionalMLP(LONG_SIZES, "relu", seeds=[LONG_SEED], init="half_fan")
    rows: list[Tensor] = []

    def look(done: int, total: int) -> None:
        if done in marks:
            rows.append(_looked_at(net, tests, labels))
        if progress is not None:
            progress(done, total)

    train_bidirectional(net, X, y, "bp", iters=max(marks, default=0), lr_c=LR, seeds=[settings.seed], progress=look)
    found = torch.stack(rows).T if rows else torch.empty(5, 0, dtype=torch.float64)
    return Overtrained(tuple(marks), *found)


def _looked_at(net: BidirectionalMLP, x: Tensor, y: Tensor) -> Tensor:
    """Accuracies of one network: clean, FGSM in single and double precision, margin attack; and its median margin."""
    exact, doubled = net.pick([0], torch.float64), x.double()
    z = exact.classify(doubled)[0]
    margin = z.gather(1, y[:, None]).squeeze(1) - z.scatter(1, y[:, None], -torch.inf).amax(1)
    return torch.stack([
        right(net, x, y).double().mean(),
        right(net, attacked(net, x, y, EPS, "fgsm_true"), y).double().mean(),
        right(exact, attacked(exact, doubled, y, EPS, "fgsm_true"), y).double().mean(),
        right(exact, attacked(net, x, y, EPS, "pgd_margin"), y).double().mean(),
        margin.median(),
    ])


CNN: dict[str, Any] = HAN_CNN | {"channels": (16, 32), "fc": 128}  # a quarter of the paper's


@dataclass(frozen=True)
class HybridCNN:
    """The reduced HAN-CNN and its back-propagated twin, one seed: accuracies (2,)."""

    variants: tuple[str, ...]
    clean: Tensor
    fgsm_true: Tensor
    pgd_margin: Tensor


@protocol
def hybrid_cnn(settings: Settings, *, progress: Progress | None = None) -> HybridCNN:
    """A quarter of the paper's channels and units, its rates, a hundredth of its iterations or less."""
    (seed,), rows = seeds_of(settings, 1), []
    tests, labels = test_images(settings)
    for mode in ("bp", "bl"):
        net = BidirectionalCNN(1, 28, **CNN, seeds=[seed])
        judge = BidirectionalCNN(1, 28, **CNN, classes=1, seeds=[seed // 2 + 1])
        train_han(net, judge, *training_images(settings), mode, iters=settings.size.cnn_iterations, seeds=[seed],
                  progress=progress)
        x = tests[None]
        single = attacks.fgsm(net.classify, x, EPS, labels)
        many = attacks.pgd(net.classify, x, labels, EPS, step=PGD_STEP, steps=PGD_STEPS, loss="margin")
        rows.append([float((net.classify(v).argmax(-1) == labels).double().mean()) for v in (x, single, many)])
    return HybridCNN(("bp", "bl"), *torch.tensor(rows).T)
