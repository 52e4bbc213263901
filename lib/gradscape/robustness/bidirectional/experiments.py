"""The lesson's experiments: four variants side by side, tuned rates, a saturated softmax, one network to play with."""
from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from gradscape.datasets import fashion
from gradscape.lesson import Point, cached, protocol, seeds_of
from gradscape.robustness.bidirectional.networks import BidirectionalMLP, class_prototypes
from gradscape.robustness.bidirectional.report import (
    ATTACKS,
    RobustnessReport,
    attacked,
    right,
    robustness_report,
    static,
)
from gradscape.robustness.bidirectional.settings import EPS, L2, LR, NETS, VARIANTS, Settings, rates
from gradscape.robustness.bidirectional.training import History, train_bidirectional

Progress = Callable[[int, int], None]
TUNED = ("bp", "bl", "l2")
GRID = (1e-3, 3e-3, 1e-2, 3e-2)  # one decade and a half around the paper's rate, the same for every variant
SCALES = (1.0, 10.0, 50.0, 100.0)
RADII = (0.0, 0.025, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4)
AMPLITUDES = (0.0, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0)


@functools.cache
def _images(split: str) -> tuple[Tensor, Tensor]:
    x, y = fashion.load("train" if split == "train" else "test", flat=True)
    return x, y


def training_images(settings: Settings) -> tuple[Tensor, Tensor]:
    """The first images of the training split, (N, 784) in [0, 1], and labels."""
    x, y = _images("train")
    return x[: settings.size.images], y[: settings.size.images]


def test_images(settings: Settings) -> tuple[Tensor, Tensor]:
    """The first images of the test split: those that are attacked."""
    x, y = _images("test")
    return x[: settings.size.test_images], y[: settings.size.test_images]


def held_out(settings: Settings) -> tuple[Tensor, Tensor]:
    """The last images of the test split, which only ever choose learning rates."""
    x, y = _images("test")
    return x[-settings.size.held_out :], y[-settings.size.held_out :]


@dataclass(frozen=True)
class Study:
    """Variants x seeds of one network: the trained stack (variant first), and its report, fields (V, S)."""

    name: str
    variants: tuple[str, ...]
    seeds: int
    net: BidirectionalMLP
    history: History
    report: dict[str, Tensor]

    def of(self, variant: str, value: str) -> Tensor:
        """One field of one variant, (S,)."""
        return self.report[value][self.variants.index(variant)]

    def members(self, variant: str) -> range:
        """Where a variant's members stand in the stack."""
        start = self.variants.index(variant) * self.seeds
        return range(start, start + self.seeds)

    def take(self, variant: str, seed: int = 0) -> BidirectionalMLP:
        """A copy of one network."""
        return self.net.pick([self.members(variant)[seed]])


def trained(
    settings: Settings, name: str, variants: Sequence[str], seeds: Sequence[int], *, iters: int | None = None,
    lr_g: float | None = None, wd: float = L2, rates_of: str | None = None, progress: Progress | None = None,
) -> tuple[BidirectionalMLP, History]:
    """Variants x seeds as one stack, variant first. Members of one seed start alike and see the same batches.

    Rates are the paper's for each variant, or for all those of ``rates_of``.
    """
    given = [(variant, seed) for variant in variants for seed in seeds]
    net = BidirectionalMLP(NETS[name], seeds=[seed for _, seed in given])
    lr = [rates(name, rates_of or variant) for variant, _ in given]
    history = train_bidirectional(
        net, *training_images(settings), [variant if variant != "l2" else "bp" for variant, _ in given],
        iters=settings.size.iterations if iters is None else iters, lr_c=[c for c, _ in lr],
        lr_g=[g if lr_g is None else lr_g for _, g in lr], wd=[wd * (variant == "l2") for variant, _ in given],
        seeds=[seed for _, seed in given], progress=progress,
    )
    return net, history


@protocol
def study(settings: Settings, name: str = "one", *, progress: Progress | None = None) -> Study:
    """All variants of one network on all seeds, with the paper's rates (appendix, Table 1, on other data)."""
    count = settings.size.seeds if name == "one" else settings.size.deep_seeds
    net, history = trained(settings, name, VARIANTS, seeds_of(settings, count), progress=progress)
    found = robustness_report(net, *test_images(settings), EPS, seed=settings.seed)
    return Study(name, VARIANTS, count, net, history, found.reshape(len(VARIANTS), count))


@protocol
def same_rates(settings: Settings, name: str, *, progress: Progress | None = None) -> dict[str, Tensor]:
    """Back-propagation of a deep network at the rates that the paper gives BL alone: report fields, (S,)."""
    seeds = seeds_of(settings, settings.size.deep_seeds)
    net, _ = trained(settings, name, ("bp",), seeds, rates_of="bl", progress=progress)
    return robustness_report(net, *test_images(settings), EPS, seed=settings.seed).reshape(len(seeds))


@dataclass(frozen=True)
class Tuning:
    """Every variant of ``TUNED`` at every rate of ``GRID``: report fields and ``held_out`` accuracy, (V, R, S)."""

    report: dict[str, Tensor]
    held_out: Tensor

    @property
    def best(self) -> tuple[int, ...]:
        """For each variant the index of the rate with the best mean accuracy on held-out images."""
        return tuple(self.held_out.mean(-1).argmax(1).tolist())

    def of(self, variant: str, value: str) -> Tensor:
        """One field of a variant at its best rate, (S,)."""
        v = TUNED.index(variant)
        return self.report[value][v, self.best[v]]


@protocol
def tuning(settings: Settings, *, progress: Progress | None = None) -> Tuning:
    """One hidden layer; each variant's rate chosen among the same four for clean accuracy on held-out images.

    The paper's rate is one of the four; its networks are those of the study.
    """
    made, count = study(settings, "one"), min(settings.size.tuned_seeds, settings.size.seeds)
    seeds, others = seeds_of(settings, count), [lr for lr in GRID if lr != LR]
    given = [(variant, lr, seed) for variant in TUNED for lr in others for seed in seeds]
    lr = [entry[1] for entry in given]
    net = BidirectionalMLP(NETS["one"], seeds=[entry[2] for entry in given])
    train_bidirectional(
        net, *training_images(settings), ["bl" if entry[0] == "bl" else "bp" for entry in given],
        iters=settings.size.iterations, lr_c=lr, lr_g=lr, wd=[L2 * (entry[0] == "l2") for entry in given],
        seeds=[entry[2] for entry in given], progress=progress,
    )
    found = robustness_report(net, *test_images(settings), EPS, seed=settings.seed)
    same = made.net.pick([k for variant in TUNED for k in made.members(variant)[:count]])
    at = GRID.index(LR)

    def joined(new: Tensor, old: Tensor) -> Tensor:
        rows = new.reshape(len(TUNED), len(others), count)
        return torch.cat([rows[:, :at], old.reshape(len(TUNED), 1, count), rows[:, at:]], 1)

    report = {name: joined(value, torch.stack([made.of(v, name)[:count] for v in TUNED]))
              for name, value in found.reshape(-1).items()}
    X, y = held_out(settings)
    return Tuning(report, joined(right(net, X, y).float().mean(1), right(same, X, y).float().mean(1)))


@dataclass(frozen=True)
class Masking:
    """One network with its last layer scaled: accuracies and the share of images without gradient, (C, S) each."""

    scales: tuple[float, ...]
    clean: Tensor
    fgsm_pred: Tensor
    fgsm_true: Tensor
    pgd: Tensor
    pgd_margin: Tensor
    zero_grad: Tensor
    changed: Tensor  # images whose reading differs from scale 1, a count


def masked(net: BidirectionalMLP, scales: Sequence[float], X: Tensor, y: Tensor, eps: float) -> Masking:
    """Scale the last layer of every member and attack again."""
    before = net.classify(X).argmax(-1)
    rows: list[RobustnessReport] = []
    changed = []
    for scale in scales:
        twin = net.saturate(scale)
        rows.append(robustness_report(twin, X, y, eps))
        changed.append((twin.classify(X).argmax(-1) != before).sum(1))
    names = ("clean", "fgsm_pred", "fgsm_true", "pgd", "pgd_margin", "zero_grad")
    found = {name: torch.stack([getattr(row, name) for row in rows]) for name in names}
    return Masking(tuple(scales), **found, changed=torch.stack(changed))


@protocol
def masking(settings: Settings, *, progress: Progress | None = None) -> Masking:
    """The back-propagated networks of the study with saturated softmaxes."""
    made = study(settings, "one")
    return masked(made.net.pick(made.members("bp")), SCALES, *test_images(settings), EPS)


@dataclass(frozen=True)
class Curves:
    """Accuracy (V, R) of one network per variant over radii of an attack, and (V, A) over amplitudes of static."""

    name: str
    attack: str
    variants: tuple[str, ...]
    radii: tuple[float, ...]
    attacked: Tensor
    amplitudes: tuple[float, ...]
    noisy: Tensor


@cached
def curves(settings: Settings, attack: str = "fgsm_true", seeds: int = 1, images: int = 200) -> Curves:
    """The study's first networks under one attack, means over ``seeds`` of them, on the first test images."""
    made = study(settings, "one")
    seeds = min(seeds, made.seeds)
    net = made.net.pick([k for variant in made.variants for k in made.members(variant)[:seeds]])
    X, y = (part[:images] for part in test_images(settings.protocol))

    def mean(x: Tensor) -> Tensor:
        return right(net, x, y).float().mean(1).reshape(len(made.variants), seeds).mean(1)

    under = torch.stack([mean(attacked(net, X, y, eps, attack)) for eps in RADII], 1)
    noisy = torch.stack([mean(static(X, a, settings.seed)) for a in AMPLITUDES], 1)
    return Curves(made.name, attack, made.variants, RADII, under, AMPLITUDES, noisy)


@dataclass(frozen=True)
class Split:
    """Accuracy after an attack among images read right before it, and among those read wrong, means over seeds, (V,).

    ``share`` is that of images read right before: the accuracy after is share * right + (1 - share) * wrong.
    """

    variants: tuple[str, ...]
    share: Tensor
    right: dict[str, Tensor]
    wrong: dict[str, Tensor]


@protocol
def split(settings: Settings, *, progress: Progress | None = None) -> Split:
    """What FGSM with predicted and with true labels does to images that were read right and wrong."""
    made, (X, y) = study(settings, "one"), test_images(settings)

    def by_variant(values: Tensor) -> Tensor:
        return values.reshape(len(made.variants), made.seeds, -1).double().sum((1, 2))

    before = right(made.net, X, y)
    among: dict[str, dict[str, Tensor]] = {"right": {}, "wrong": {}}
    for attack in ("fgsm_pred", "fgsm_true"):
        after = right(made.net, attacked(made.net, X, y, EPS, attack), y)
        among["right"][attack] = by_variant(after & before) / by_variant(before)
        among["wrong"][attack] = by_variant(after & ~before) / by_variant(~before)
    return Split(made.variants, by_variant(before) / (made.seeds * len(y)), among["right"], among["wrong"])


@dataclass(frozen=True)
class Drawings:
    """Mean image of each class and what networks draw for it, (K, D) each."""

    means: Tensor
    plain: Tensor  # no hidden layer, both directions trained
    hidden: Tensor  # one hidden layer, both directions trained
    untrained: Tensor  # one hidden layer, classifier only: its transposed weights draw all the same


@protocol
def drawings(settings: Settings, *, progress: Progress | None = None) -> Drawings:
    """Class prototypes of the first networks beside the class means (closed form for no hidden layer)."""
    made, (X, y) = study(settings, "one"), training_images(settings)
    plain, _ = trained(settings, "none", ("bl",), seeds_of(settings, 1))
    means = torch.stack([X[y == k].mean(0) for k in range(NETS["none"][-1])])
    return Drawings(means, class_prototypes(plain)[0], class_prototypes(made.take("bl"))[0],
                    class_prototypes(made.take("bp"))[0])


@dataclass(frozen=True)
class Pair:
    """Two networks that start alike: back-propagation and the settings' variant, with their report, fields (2,)."""

    settings: Settings
    net: BidirectionalMLP
    history: History
    report: dict[str, Tensor]


@cached
def pair(settings: Settings, *, progress: Progress | None = None) -> Pair:
    """Train back-propagation and the settings' variant on the settings' network, and attack both."""
    variants = ("bp", settings.variant)
    net, history = trained(settings, settings.net, variants, seeds_of(settings, 1), iters=settings.iters,
                           lr_g=_own(settings), wd=settings.wd, progress=progress)
    X, y = test_images(settings)
    found = robustness_report(net, X, y, settings.eps, settings.noise, seed=settings.seed)
    return Pair(settings, net, history, found.reshape(2))


def _own(settings: Settings) -> float | None:
    """The reader's generator rate once it was moved; else that of the paper's script for this network."""
    return None if settings.lr_g == LR else settings.lr_g


def point(settings: Settings) -> Point:
    """The chosen variant beside back-propagation on one seed: every value of the report, and the differences."""
    found = pair(settings).report
    scalars = {name: float(value[1]) for name, value in found.items()}
    scalars |= {f"{name}_bp": float(value[0]) for name, value in found.items()}
    return Point(scalars | {f"{name}_gain": float(found[name][1] - found[name][0]) for name in ("clean", *ATTACKS)})
