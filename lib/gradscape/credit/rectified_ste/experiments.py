"""Experiments: sweeps over o_end, estimators at their own best rates, the lemma, gradients (arXiv 2308.06689)."""
from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gradscape.credit.rectified_ste.estimators import estimator, o_schedule
from gradscape.credit.rectified_ste.indicators import gradient_instability
from gradscape.credit.rectified_ste.settings import Settings
from gradscape.credit.rectified_ste.stack import Arm
from gradscape.credit.rectified_ste.training import BinaryMLPEnsemble, History, Progress
from gradscape.datasets import fashion, labels, tables
from gradscape.lesson import cached, generator, protocol

O_CLAIMED = (1.0, 3.0, 10.0, 30.0)  # the claims' values of o_end
O_ALL = (1.0, 2.0, 3.0, 5.0, 10.0, 30.0)
OTHERS = (Arm("ste"), Arm("ede"), Arm("bireal"))
RIVALS = (
    Arm("ste"), Arm(o_end=1.0), Arm(o_end=3.0), Arm("ede"), Arm("bireal"), Arm(o_end=3.0, binary_activations=False),
)
RATES = (0.03, 0.1, 0.3, 1.0)
WIDTH, DEPTH = 64, {"fashion": 3, "digits": 2}
TOGETHER = 18  # members of one stack: more do not fit into the processor's cache and cost more each
SPLIT, VALIDATION, POINTS = 20_000, 20_001, 20_002  # replicates for draws that are not networks' starts
LEMMA_O = np.geomspace(1.0, 100.0, 13)

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Images:
    """Training and test rows, standardized; ``x`` (N, d), ``y`` (N,)."""

    x: Tensor
    y: Tensor
    test: tuple[Tensor, Tensor]
    depth: int


@cached
def images(dataset: str, rows: int, seed: int) -> Images:
    """Fashion-MNIST pooled to 14 x 14, ``rows`` of its 10,000 and 2,000 test images; or 1,297 + 500 random digits."""
    if dataset == "fashion":
        x, y = fashion.load("train", n=rows, pool=2, flat=True, scale="standard")
        return Images(x, y, fashion.load("test", pool=2, flat=True, scale="standard"), DEPTH[dataset])
    x, y = tables.digits(scale="standard")
    train, test = labels.random_split(len(x), (1297, 500), generator(seed, SPLIT))
    return Images(x[train], y[train], (x[test], y[test]), DEPTH[dataset])


def train_arms(
    data: Images, arms: Sequence[Arm], *, seeds: int, epochs: int, seed: int, progress: Progress = None
) -> History:
    """Train all arms, as many at once as are fast; the result does not depend on how they are put together."""
    stacks = math.ceil(len(arms) / max(1, TOGETHER // seeds))
    each = math.ceil(len(arms) / stacks)
    chunks = [tuple(arms[k : k + each]) for k in range(0, len(arms), each)]
    found = []
    for k, chunk in enumerate(chunks):
        ensemble = BinaryMLPEnsemble(data.x.shape[1], WIDTH, data.depth, 10, chunk, seeds, seed=seed)

        def tell(done: int, total: int, k: int = k) -> None:
            if progress is not None:
                progress(k * total + done, len(chunks) * total)

        found.append(ensemble.fit(data.x, data.y, epochs, test=data.test, progress=tell))
    return joined(found)


def joined(parts: Sequence[History]) -> History:
    """Several trainings as one, arms after arms."""
    values: dict[str, Any] = {"arms": tuple(arm for part in parts for arm in part.arms)}
    for entry in fields(History):
        if entry.name == "weights":
            values["weights"] = torch.cat([part.weights for part in parts])
        elif entry.name != "arms":
            values[entry.name] = np.concatenate([getattr(part, entry.name) for part in parts])
    return History(**values)


@protocol
def sweep(settings: Settings, dataset: str, *, progress: Progress = None) -> History:
    """Model A at rate 0.1: ReSTE for several o_end, in full also the other estimators."""
    size = settings.size
    arms = [Arm(o_end=o) for o in (O_ALL if dataset == "digits" or size.more_arms else O_CLAIMED)]
    arms += OTHERS if size.more_arms else ()
    seeds, epochs = (size.digit_seeds, size.digit_epochs) if dataset == "digits" else (size.seeds, size.epochs)
    return train_arms(
        images(dataset, size.rows, settings.seed), arms, seeds=seeds, epochs=epochs, seed=settings.seed,
        progress=progress,
    )


@dataclass(frozen=True)
class Tuned:
    """Validation accuracy (arms, rates), means over seeds; the best rate of each arm; its runs on all training rows."""

    dataset: str
    validation: Array
    rates: tuple[float, ...]
    best: History


@protocol
def tuned(settings: Settings, dataset: str, *, progress: Progress = None) -> Tuned:
    """Every estimator at the best of four rates, chosen on a fifth of the training rows, same budget for all."""
    size = settings.size
    seeds, epochs = (size.digit_seeds, size.digit_epochs) if dataset == "digits" else (size.seeds, size.epochs)
    data = images(dataset, size.rows, settings.seed)
    rest, held = labels.random_split(
        len(data.x), (len(data.x) * 4 // 5, len(data.x) // 5), generator(settings.seed, VALIDATION)
    )
    part = Images(data.x[rest], data.y[rest], (data.x[held], data.y[held]), data.depth)
    tried = train_arms(
        part, [replace(arm, lr=rate) for arm in RIVALS for rate in RATES], seeds=size.tune_seeds, epochs=epochs,
        seed=settings.seed, progress=progress,
    )
    validation = tried.acc[:, :, -1].mean(1).reshape(len(RIVALS), len(RATES))
    rates = tuple(RATES[k] for k in validation.argmax(1))
    best = train_arms(
        data, [replace(arm, lr=rate) for arm, rate in zip(RIVALS, rates, strict=True)], seeds=seeds, epochs=epochs,
        seed=settings.seed, progress=progress,
    )
    return Tuned(dataset, validation, rates, best)


@dataclass(frozen=True)
class Lemma:
    """How often |1 - |z|^(1/o)| rose from one o to the next, how often it was above that at o = 1; number of values."""

    rises: int
    above_ste: int
    values: int


@protocol
def lemma(settings: Settings, *, progress: Progress = None) -> Lemma:
    """Lemma 3.1 on points of all sizes, 1e-6 to 1e3, and on every weight that the sweeps trained; float64."""
    g = generator(settings.seed, POINTS)
    points = 10 ** (9 * torch.rand(settings.size.points, generator=g, dtype=torch.float64) - 6)
    signs = torch.where(torch.rand(len(points), generator=g) < 0.5, -1.0, 1.0)
    rises = above = values = 0
    for z in (points * signs, *(sweep(settings, name).weights.double().flatten() for name in ("fashion", "digits"))):
        first = before = gap_of(z, 1.0)
        for o in LEMMA_O[1:]:
            gap = gap_of(z, float(o))
            rises += int((gap > before + 1e-6).sum())
            above += int((gap > first + 1e-6).sum())
            before = gap
        values += len(z)
    return Lemma(rises, above, values)


def gap_of(z: Tensor, o: float) -> Tensor:
    """|sign(z) - f(z)|, entry by entry."""
    return (z.sign() - estimator(z, "reste", o=o)).abs()


@dataclass(frozen=True)
class Alone:
    """One arm trained, and as arm 1 the identity (o = 1) at the same rate and for as long."""

    dataset: str
    history: History


@cached
def alone(
    dataset: str, arm: Arm, epochs: int, rows: int, seed: int, *, seeds: int = 2, progress: Progress = None
) -> Alone:
    """Train one arm on one data set, and the identity beside it."""
    data = images(dataset, rows, seed)
    arms = [arm, Arm(o_end=1.0, lr=arm.lr)]
    return Alone(dataset, train_arms(data, arms, seeds=seeds, epochs=epochs, seed=seed, progress=progress))


def arm_of(settings: Settings) -> Arm:
    """The arm that the settings describe; ``ValueError`` when m is not below t."""
    return Arm(settings.kind, settings.o_end, settings.lr, settings.t, settings.m)


@dataclass(frozen=True)
class Gradients:
    """Gradients (depth, entries) of the binary layers of one network on the digits, last batch of ``epoch``."""

    by_layer: Array
    instability: Array
    epoch: int
    o: float


@cached
def gradients(arm: Arm, epoch: int, epochs: int, seed: int, *, progress: Progress = None) -> Gradients:
    """Train one network on the digits up to the end of ``epoch`` of ``epochs`` and keep what its last batch said."""
    data = images("digits", 1, seed)
    ensemble = BinaryMLPEnsemble(data.x.shape[1], WIDTH, data.depth, 10, [arm], 1, seed=seed)
    kept: list[Tensor] = []

    def keep(grads: dict[str, Tensor]) -> None:
        kept.extend(grads[name][0].clone() for name in ensemble.net.binary_names)

    ensemble.fit(data.x, data.y, epochs, test=data.test, stop=epoch, keep=keep, progress=progress)
    return Gradients(
        torch.stack(kept).flatten(1).double().numpy(), gradient_instability(kept).double().numpy(), epoch,
        o_schedule(epoch - 1, epochs, arm.o_end, arm.schedule),
    )
