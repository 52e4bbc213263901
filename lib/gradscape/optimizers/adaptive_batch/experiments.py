"""The lesson's experiments: pure functions to frozen results, cached per process (arXiv 2402.11215)."""
from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from gradscape.datasets import fashion
from gradscape.learning import per_sample
from gradscape.lesson import cached, generator
from gradscape.optimizers.adaptive_batch import plans, stream
from gradscape.optimizers.adaptive_batch.robust import GemanMcClure
from gradscape.optimizers.adaptive_batch.rules import BatchSizeController, Rule, fixed_point, rule
from gradscape.optimizers.adaptive_batch.settings import Settings
from gradscape.optimizers.adaptive_batch.softmax import Images, Progress, Run, train_softmax
from gradscape.optimizers.adaptive_batch.stream import Stream
from gradscape.optimizers.adaptive_batch.training import History, train_adaptive

DIM, SIGMA, START, FIRST = 10, 0.5, 1.5, 16  # the streaming problem, distance of the start, first batch
SMALL_STEP, LARGE_STEP = 0.1, 0.5            # alpha of claims A1 and A7, of A2
LR, SMALLEST = 0.03, 32                      # AdaGrad's rate and the first batch on images
ETAS = (0.25, 0.5, 0.9)
RATES = (0.003, 0.01, 0.03, 0.1, 0.3)        # tried for every schedule alike
HIDDEN = 32                                  # the network 784-32-10
MARKS = 10                                   # points on a curve over samples
CLOUD = 500                                  # fresh batches drawn at a frozen point

Array = NDArray[np.float64]


@cached
def streams(
    settings: Settings, *, eta: float, alpha: float, test: str = "norm", method: str = "AdaGradNorm"
) -> tuple[Stream, ...]:
    """One run of the streaming problem a seed, up to the cap; the same starts for every rule and step size."""
    found = []
    for r in range(settings.size.seeds):
        x, g = _start(settings, r)
        keeper = BatchSizeController(rule(test, eta=eta), initial=FIRST, maximum=settings.size.cap)
        found.append(stream.stream_adaptive(
            GemanMcClure(DIM, SIGMA), keeper, lr=alpha, x=x, generator=g, steps=settings.size.steps, method=method,
        ))
    return tuple(found)


@cached
def constant_streams(settings: Settings, *, alpha: float, steps: int) -> tuple[Stream, ...]:
    """The same with the first batch throughout."""
    starts = [_start(settings, r) for r in range(settings.size.seeds)]
    return tuple(stream.stream_constant(
        GemanMcClure(DIM, SIGMA), FIRST, lr=alpha, x=torch.stack([x for x, _ in starts]),
        generators=[g for _, g in starts], steps=steps,
    ))


def _start(settings: Settings, replicate: int) -> tuple[Tensor, torch.Generator]:
    g = generator(settings.seed, replicate)
    return stream.start(DIM, START, g), g


@dataclass(frozen=True)
class OwnStream:
    """One run at a reader's settings, what the test allows (NaN where it bounds no relative error), and the cap."""

    run: Stream
    test: str
    eta: float
    cap: int

    @property
    def bound(self) -> float:
        return self.eta**2 if self.test in ("norm", "coordinate") else math.nan


def own_rule(settings: Settings) -> Rule:
    """The test that the settings name."""
    return rule(settings.test, eta=settings.eta, theta=settings.theta, nu=settings.nu)


def own_stream(settings: Settings, stop: Callable[[], bool] = lambda: False) -> OwnStream:
    """The streaming problem at the settings' own values."""
    x, g = _start(settings, 0)
    keeper = BatchSizeController(own_rule(settings), initial=min(settings.b0, settings.cap), maximum=settings.cap)
    run = stream.stream_adaptive(
        GemanMcClure(DIM, settings.sigma), keeper, lr=settings.alpha, x=x, generator=g, steps=settings.size.steps,
        method=settings.method, stop=stop,
    )
    return OwnStream(run, settings.test, settings.eta, settings.cap)


@dataclass(frozen=True)
class OneBatch:
    """One batch at a frozen point: ``along`` (b,) = <g_i, gbar>/||gbar||² and ``across`` (b,) = the length of the rest
    over ||gbar||; T by test (``required``), and the b* at which the norm test would settle there."""

    along: Array
    across: Array
    required: Mapping[str, float]
    eta: float
    distance: float
    settled: float


@cached
def one_batch(b: int, distance: float, eta: float, theta: float, nu: float, sigma: float, seed: int) -> OneBatch:
    """Draw one batch of b at this distance from the solution, and apply all four tests."""
    problem, g = GemanMcClure(DIM, sigma), generator(seed)
    e = stream.start(DIM, distance, g)
    each = problem.per_sample(e, b, g)
    mean, stats = each.mean(0), per_sample.stats(each, coordinate=True)
    along = each @ mean / mean.square().sum()
    across = (each - along[:, None] * mean).norm(dim=1) / mean.norm()
    tests = {name: rule(name, eta=eta, theta=theta, nu=nu)(stats).required for name in
             ("norm", "inner product", "augmented", "coordinate")}
    settled = fixed_point(float(problem.variance(e)), float(problem.full_gradient(e).square().sum()), eta)
    return OneBatch(along.numpy(), across.numpy(), tests, eta, distance, settled)


@dataclass(frozen=True)
class Frozen:
    """The norm test at a frozen point with batches of ``sizes`` (B,): quantiles 10, 50, 90 % of T over fresh batches,
    (3, B), and the fixed point it should settle at, with and without the factor 1 - eta²."""

    sizes: Array
    quantiles: Array
    eta: float
    settled: float
    naive: float


@cached
def frozen(seed: int = 0, eta: float = 0.5, distance: float = 0.5) -> Frozen:
    """How T depends on the size of the batch that it is computed from."""
    problem, g = GemanMcClure(DIM, SIGMA), generator(seed)
    e = stream.start(DIM, distance, g)
    sizes = np.unique(np.round(np.geomspace(8, 1024, 15)).astype(int))
    rows = []
    for b in sizes:
        each = problem.gradients(e, torch.randn(CLOUD, int(b), DIM + 1, generator=g, dtype=e.dtype))
        needed = each.var(1).sum(1) / (eta**2 * each.mean(1).square().sum(1))
        rows.append(np.quantile(needed.numpy(), (0.1, 0.5, 0.9)))
    V, size = float(problem.variance(e)), float(problem.full_gradient(e).square().sum())
    return Frozen(sizes.astype(float), np.array(rows).T, eta, fixed_point(V, size, eta), V / (eta**2 * size))


@cached
def images(settings: Settings) -> Images:
    """Fashion-MNIST, standardized with the training set's mean and deviation."""
    train, test = (
        fashion.load(split, n=n, scale="standard", flat=True)
        for split, n in (("train", settings.size.images), ("test", settings.size.test_images))
    )
    place = settings.device
    return Images.of((train.x.to(place), train.y.to(place)), (test.x.to(place), test.y.to(place)))


def budget(settings: Settings) -> int:
    """Samples that every schedule of the softmax regression may use."""
    return settings.size.images * settings.size.epochs


def controller(settings: Settings, test: str, parameter: float) -> BatchSizeController:
    """The controller on images: from 32 to all of them."""
    return BatchSizeController(
        rule(test, eta=parameter, theta=parameter), initial=SMALLEST, maximum=settings.size.images
    )


@cached
def adaptive_runs(settings: Settings, test: str, parameter: float, lr: float = LR, marks: int = 1) -> tuple[Run, ...]:
    """Softmax regression with an adaptive batch, one run a seed; with ``marks`` > 1 only the seeds with curves."""
    data = images(settings)
    return tuple(
        train_softmax(
            data, controller(settings, test, parameter), [g], lr=lr, budget=budget(settings), marks=marks
        )[0]
        for g in _generators(settings, marks)
    )


@cached
def planned_runs(settings: Settings, size: int, lr: float = LR, marks: int = 1) -> tuple[Run, ...]:
    """The same with a constant batch, all seeds in one stack. With all images in a batch the seeds do not differ: each
    batch holds every image once, and training starts at zero. One run then stands for all."""
    seeds = list(_generators(settings, marks))
    if size >= settings.size.images:
        run = train_softmax(
            images(settings), plans.constant(size), seeds[:1], lr=lr, budget=budget(settings), marks=marks
        )
        return tuple(run * len(seeds))
    return tuple(train_softmax(
        images(settings), plans.constant(size), seeds, lr=lr, budget=budget(settings), marks=marks
    ))


def _generators(settings: Settings, marks: int) -> Iterator[torch.Generator]:
    count = settings.size.image_seeds if marks == 1 else min(settings.size.curve_seeds, settings.size.image_seeds)
    return (generator(settings.seed, r) for r in range(count))


@cached
def schedules(settings: Settings) -> dict[str, tuple[Run, ...]]:
    """Six schedules with curves, the same seeds and index streams; all use the same samples. The average batch and the
    linear ramp take as many steps as the adaptive run of their seed."""
    adaptive, data, total = adaptive_runs(settings, "norm", 0.9, marks=MARKS), images(settings), budget(settings)
    found = {
        "adaptive η = 0.9": adaptive, "constant 32": planned_runs(settings, SMALLEST, marks=MARKS),
        "constant n": planned_runs(settings, settings.size.images, marks=MARKS),
    }
    makers: dict[str, Callable[[Run], plans.Plan]] = {
        "constant, same steps": lambda run: plans.constant(math.ceil(total / run.steps)),
        "linear ramp, same steps": lambda run: plans.linear_ramp(SMALLEST, run.steps, total),
        "doubling": lambda run: plans.doubling(SMALLEST, settings.size.images, total),
    }
    for name, make in makers.items():
        found[name] = tuple(
            train_softmax(data, make(run), [g], lr=LR, budget=total, marks=MARKS)[0]
            for run, g in zip(adaptive, _generators(settings, MARKS), strict=True)
        )
    return found


@dataclass(frozen=True)
class Rates:
    """At each of ``RATES``, mean over seeds (L,): test accuracy and final training loss by schedule."""

    accuracy: Mapping[str, Array]
    loss: Mapping[str, Array]
    seeds: int


@cached
def rates(settings: Settings) -> Rates:
    """Every schedule at every learning rate, on the seeds with curves."""
    makers: dict[str, Callable[[float], tuple[Run, ...]]] = {
        "adaptive η = 0.9": lambda lr: adaptive_runs(settings, "norm", 0.9, lr, 2),
        "constant 32": lambda lr: planned_runs(settings, SMALLEST, lr, 2),
        "constant n": lambda lr: planned_runs(settings, settings.size.images, lr, 2),
    }
    runs = {name: [make(lr) for lr in RATES] for name, make in makers.items()}
    seeds = len(runs["constant 32"][0])
    accuracy, loss = (
        {name: np.array([np.mean([getattr(run, part)[-1] for run in of]) for of in rows])
         for name, rows in runs.items()} for part in ("accuracy", "loss")
    )
    return Rates(accuracy, loss, seeds)


def network(seed: int, pixels: int, classes: int) -> nn.Sequential:
    """784-32-10 with torch's own initialization, from a seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return nn.Sequential(nn.Linear(pixels, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, classes))


def linear(pixels: int, classes: int) -> nn.Linear:
    """Softmax regression that starts at zero."""
    layer = nn.Linear(pixels, classes)
    with torch.no_grad():
        for p in layer.parameters():
            p.zero_()
    return layer


@dataclass(frozen=True)
class Trained:
    """A model trained with one schedule: its history, and at the end training loss and test accuracy."""

    name: str
    history: History
    loss: float
    accuracy: float


def train_model(
    settings: Settings, model: str, sizes: plans.BatchSizes, name: str, *, lr: float, replicate: int = 0,
    epochs: int, coordinate: bool = False, progress: Progress | None = None,
) -> Trained:
    """Train ``"softmax"`` or ``"network"`` by `train_adaptive` with AdaGrad."""
    data, g = images(settings), generator(settings.seed, replicate)
    x, test_x = data.x[:, :-1], data.test_x[:, :-1]
    made: nn.Module = linear(x.shape[1], data.classes)
    if model == "network":
        made = network(int(torch.randint(2**31, (), generator=generator(settings.seed, 10_000 + replicate))),
                       x.shape[1], data.classes)
    made.to(x.device)
    history = train_adaptive(
        made, (x, data.y), torch.optim.Adagrad(made.parameters(), lr=lr), sizes, epochs * len(x), generator=g,
        coordinate=coordinate, progress=progress,
    )
    with torch.no_grad():
        loss = float(nn.functional.cross_entropy(made(x), data.y))
        accuracy = float((made(test_x).argmax(1) == data.test_y).double().mean())
    return Trained(name, history, loss, accuracy)


@cached
def own_training(settings: Settings, progress: Progress | None = None) -> tuple[Trained, Trained]:
    """The settings' own test and a constant batch of 32, on the settings' own model and rate."""
    epochs = settings.size.epochs if settings.model == "softmax" else settings.size.network_epochs

    def part(k: int) -> Progress | None:
        return None if progress is None else lambda done, total: progress(k * total + done, 2 * total)

    sizes: dict[str, plans.BatchSizes] = {
        settings.test: BatchSizeController(own_rule(settings), initial=SMALLEST, maximum=settings.size.images),
        "constant 32": plans.constant(SMALLEST),
    }
    first, second = (
        train_model(
            settings, settings.model, by, name, lr=settings.lr, epochs=epochs, progress=part(k),
            coordinate=name == "coordinate",
        )
        for k, (name, by) in enumerate(sizes.items())
    )
    return first, second
