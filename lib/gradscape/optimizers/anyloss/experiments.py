"""The lesson's experiments: pure functions to frozen results, cached per process (arXiv 2405.14745)."""
from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gradscape.datasets import tables
from gradscape.lesson import cached, generator, replicate_seed
from gradscape.optimizers.anyloss.confusion import L_PAPER, METRICS, SoftConfusion, resolve
from gradscape.optimizers.anyloss.linear import LossSpec, fit_linear
from gradscape.optimizers.anyloss.networks import NetLoss, train_networks
from gradscape.optimizers.anyloss.scoring import Folds, fold_ids, make_folds, tune_threshold
from gradscape.optimizers.anyloss.settings import NET_TABLES, SWEPT, TABLES_12, Settings

FOLDS, NET_FOLDS = 5, 3
TARGETS = (("accuracy", 1.0), ("fbeta", 1.0), ("gmean", 1.0), ("balanced_accuracy", 1.0))  # of M1, M2 and M3
MORE_TARGETS = TARGETS + (("fbeta", 0.5), ("fbeta", 2.0))  # with them, the six of the paper
RULES = ("mse", "bce", "weighted_bce", "threshold", "anyloss")  # the order of every axis over ways to train
L_SWEEP = (10.0, 30.0, 50.0, 73.0, 90.0, 110.0, 300.0)  # M5
L_GAP = (5.0, 10.0, 30.0, 73.0, 200.0)  # M4
STARTS = (0.0, 0.1, 0.5, 1.0, 3.0)  # M6
CHUNK = 20  # splits trained together: with fewer, the many small operations of a step cost as much as the large ones

Array = NDArray[np.float64]
Progress = Callable[[int, int], None]


@cached
def folded(table: str, seed: int, first: int, last: int, folds: int = FOLDS) -> Folds:
    """Splits first … last - 1 of a KEEL table, ``folds`` folds each."""
    x, y = tables.keel(table)
    ids = torch.stack([fold_ids(y, folds, generator(seed, r)) for r in range(first, last)])
    return make_folds(x, y, ids)


def scores_of(theta: Tensor, x: Tensor) -> Tensor:
    """z (K, F, n) of perceptrons theta (K, F, d) on the rows of their own fold x (F, n, d)."""
    return torch.einsum("kfd,fnd->kfn", theta, x)


def tested(labels: Tensor, data: Folds, target: tuple[str, float]) -> Tensor:
    """The metric of predicted labels (…, F, n) on each fold's test rows, (…, F)."""
    c = SoftConfusion.from_products(labels.double(), data.test_y, data.test_mask)
    return resolve(*target)(c)


def thresholds(scores: Tensor, data: Folds, target: tuple[str, float]) -> Tensor:
    """The threshold (F,) that is best for the metric on each fold's training rows, scores (F, n)."""
    kept = data.mask.bool()
    best = [
        tune_threshold(z[m], y[m], target[0], beta=target[1])
        for z, y, m in zip(scores, data.y, kept, strict=True)
    ]
    return torch.tensor(best, dtype=torch.float64)


@dataclass(frozen=True)
class Scores:
    """Test metric ``values`` (rules, targets, splits, tables), mean over folds; the anyloss row of a target was trained
    on it. ``targets`` are (metric, beta), ``tables`` their names.
    """

    values: Array
    targets: tuple[tuple[str, float], ...]
    tables: tuple[str, ...]

    def of(self, rule: str, metric: str, beta: float = 1.0) -> Array:
        """(splits, tables) of one rule and target."""
        return self.values[RULES.index(rule), self.targets.index((metric, beta))]


@cached
def score(
    table: str, seed: int, first: int, last: int, *, targets: tuple[tuple[str, float], ...] = TARGETS,
    L: float = L_PAPER, iterations: int = 1000, start: float = 0.0, progress: Progress | None = None,
) -> Array:
    """Test metrics (rules, targets, splits) of every rule on some splits of one table, all trained in one stack."""
    data = folded(table, seed, first, last)
    specs = [LossSpec(name) for name in RULES[:3]] + [LossSpec(m, b, L) for m, b in targets]
    theta = fit_linear(
        data.x, data.y, specs, mask=data.mask, iterations=iterations, theta0=starting_weights(data, seed, first, start),
        progress=progress,
    )
    z = scores_of(theta, data.test_x)
    train = scores_of(theta[1:2], data.x)[0]
    found = np.empty((len(RULES), len(targets), last - first))
    for k, target in enumerate(targets):
        cut = thresholds(train, data, target)
        labels = torch.cat([z[:3] > 0, (z[1] > cut[:, None])[None], (z[3 + k] > 0)[None]])
        found[:, k] = tested(labels, data, target).view(len(RULES), last - first, FOLDS).mean(-1).numpy()
    return found


def starting_weights(data: Folds, seed: int, first: int, scale: float) -> Tensor:
    """Starting weights (F, d): one normal draw a fold, times the scale, so that scales are compared on one draw."""
    folds, _, d = data.x.shape
    return scale * torch.randn(folds, d, generator=generator(seed, 10_000 + first), dtype=torch.float64)


@cached
def over_tables(
    settings: Settings, targets: tuple[tuple[str, float], ...] = TARGETS, progress: Progress | None = None
) -> Scores:
    """M1, M2, M3: every rule on every table and split."""
    size, names = settings.size, TABLES_12[: settings.size.tables]
    found = np.empty((len(RULES), len(targets), size.splits, len(names)))
    for t, name in enumerate(names):
        for first in range(0, size.splits, CHUNK):
            last = min(first + CHUNK, size.splits)
            found[:, :, first:last, t] = score(
                name, settings.seed, first, last, targets=targets, iterations=size.iterations
            )
        if progress is not None:
            progress(t + 1, len(names))
    return Scores(found, targets, names)


@dataclass(frozen=True)
class Sweep:
    """Test metrics ``values`` {name: (points, tables)}, means over folds and splits, at ``at`` (points,) values of L or
    of the starting scale."""

    at: tuple[float, ...]
    values: Mapping[str, Array]
    tables: tuple[str, ...]

    def mean(self, name: str) -> Array:
        """Mean over tables (points,)."""
        return self.values[name].mean(1)


def swept(count: int) -> tuple[str, ...]:
    """The first ``count`` tables of the sweeps: the quick ones first, then the rest."""
    return (SWEPT + tuple(name for name in TABLES_12 if name not in SWEPT))[:count]


@cached
def amplifications(settings: Settings) -> Sweep:
    """M5: F1 and balanced accuracy, each trained on itself, over L; learning rates follow 73 / L."""
    metrics = ("fbeta", "balanced_accuracy")
    specs = [LossSpec(name, L=L) for name in metrics for L in L_SWEEP]
    return _sweep(settings, L_SWEEP, metrics, lambda data, first: _trained(data, specs, settings))


@cached
def starts(settings: Settings) -> Sweep:
    """M6: F1 of AnyLoss and of BCE over the scale of the starting weights."""
    losses = [LossSpec("fbeta"), LossSpec("bce")]
    specs = [spec for spec in losses for _ in STARTS]

    def train(data: Folds, first: int) -> Tensor:
        begin = torch.stack([starting_weights(data, settings.seed, first, scale) for scale in STARTS]).repeat(2, 1, 1)
        return _trained(data, specs, settings, begin)

    return _sweep(settings, STARTS, ("fbeta", "bce"), train)


def _trained(data: Folds, specs: Sequence[LossSpec], settings: Settings, theta0: Tensor | None = None) -> Tensor:
    return fit_linear(
        data.x, data.y, specs, mask=data.mask, iterations=settings.size.iterations, theta0=theta0
    )


def _sweep(
    settings: Settings, at: tuple[float, ...], names: Sequence[str], train: Callable[[Folds, int], Tensor]
) -> Sweep:
    """Rows of ``train`` are names x points; "bce" is scored by F1."""
    size, chosen = settings.size, swept(settings.size.sweep_tables)
    values = {name: np.empty((len(at), len(chosen))) for name in names}
    for t, table in enumerate(chosen):
        parts: dict[str, list[Tensor]] = {name: [] for name in names}
        for first in range(size.sweep_splits):
            data = folded(table, settings.seed, first, first + 1)
            labels = scores_of(train(data, first), data.test_x) > 0
            for k, name in enumerate(names):
                target = ("fbeta" if name == "bce" else name, 1.0)
                parts[name].append(tested(labels[k * len(at) : (k + 1) * len(at)], data, target).mean(1))
        for name in names:
            values[name][:, t] = torch.stack(parts[name]).mean(0).numpy()
    return Sweep(at, values, chosen)


@cached
def random_set(seed: int = 0, rows: int = 10_000) -> tuple[Tensor, Tensor]:
    """The paper's "Random" set as far as its code shows it: X (1, n, 3) with a column of ones, two principal
    components of the standardized features, and labels y (1, n), a tenth of them 1.
    """
    from sklearn.datasets import make_classification

    x, y = make_classification(
        rows, weights=[0.9, 0.1], class_sep=1.2, n_features=5, n_informative=3, n_redundant=1,
        n_clusters_per_class=1, random_state=seed,
    )
    x = (x - x.mean(0)) / x.std(0)
    # principal components by the singular value decomposition; their signs are fixed for the machine's sake
    _, _, axes = np.linalg.svd(x, full_matrices=False)
    axes *= np.sign(axes[np.arange(len(axes)), np.abs(axes).argmax(1)])[:, None]
    plane = np.column_stack([np.ones(rows), x @ axes[:2].T])
    return torch.from_numpy(plane)[None], torch.from_numpy(y.astype(float))[None]


@dataclass(frozen=True)
class Gap:
    """Soft and hard F1 (len(L),) on the training rows of the random set, trained at each ``L``."""

    L: tuple[float, ...]
    soft: Array
    hard: Array

    @property
    def gap(self) -> Array:
        """Soft minus hard."""
        return self.soft - self.hard


@cached
def soft_gap(L: tuple[float, ...] = L_GAP, seed: int = 0, rows: int = 10_000, iterations: int = 1000) -> Gap:
    """M4: train on F1 at each L, then compare the soft F1 that was trained with the hard one; 1000 steps from 0."""
    X, y = random_set(seed, rows)
    theta = fit_linear(X, y, [LossSpec("fbeta", L=value) for value in L], iterations=iterations)
    p = torch.sigmoid(scores_of(theta, X)[:, 0])
    ones = torch.ones_like(y[0])
    amplified = torch.sigmoid(torch.tensor(L, dtype=torch.float64)[:, None] * (p - 0.5))
    soft, hard = (
        METRICS["fbeta"](SoftConfusion.from_products(a, y[0], ones)).numpy() for a in (amplified, (p > 0.5).double())
    )
    return Gap(L, soft, hard)


NET_LOSSES = (
    NetLoss("bce", 0.003), NetLoss("fbeta"), NetLoss("balanced_accuracy"), NetLoss("balanced_accuracy", whole_n=True)
)


@dataclass(frozen=True)
class Nets:
    """Test F1 and balanced accuracy (losses, splits, tables) of the networks, in the order of ``NET_LOSSES``."""

    f1: Array
    balanced: Array


@cached
def networks(settings: Settings, progress: Progress | None = None) -> Nets:
    """M8: four losses on four tables, three folds a split; every fit from its own new start, batches of 5 %."""
    shape = (len(NET_LOSSES), settings.size.net_splits, len(NET_TABLES))
    f1, balanced = np.empty(shape), np.empty(shape)
    for t, table in enumerate(NET_TABLES):
        for r in range(settings.size.net_splits):
            data = folded(table, settings.seed, r, r + 1, NET_FOLDS)
            seeds = [replicate_seed(settings.seed, 20_000 + r * NET_FOLDS + k) for k in range(NET_FOLDS)]
            net = train_networks(data, NET_LOSSES, seeds=seeds, epochs=settings.size.epochs)
            with torch.no_grad():
                labels = net.logits(data.test_x[..., 1:], training=False) > 0
            f1[:, r, t] = tested(labels, data, ("fbeta", 1.0)).mean(1).numpy()
            balanced[:, r, t] = tested(labels, data, ("balanced_accuracy", 1.0)).mean(1).numpy()
        if progress is not None:
            progress(t + 1, len(NET_TABLES))
    return Nets(f1, balanced)
