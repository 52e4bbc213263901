"""Experiments: detectors in every arm, robustness of one, cues of one number, and the time that a noise patch takes."""
from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from gradscape.lesson import Point, cached, generator, protocol, replicate_seed
from gradscape.robustness.bitplanes.detectors import average_precision
from gradscape.robustness.bitplanes.matrix import (
    Detectors,
    Gap,
    Options,
    accuracies,
    generalization_gap,
    train_detectors,
)
from gradscape.robustness.bitplanes.patches import CHOICES, select_patch
from gradscape.robustness.bitplanes.planes import Bytes, noise_image
from gradscape.robustness.bitplanes.provenance import CUES, cue_accuracy, degrade, shifted
from gradscape.robustness.bitplanes.settings import ARMS, FAKES, TRAINED, Settings
from gradscape.robustness.bitplanes.world import world
from gradscape.stats import Grid

Progress = Callable[[int, int], Any]
# the seven degradations of the robustness claim, after the paper's Fig. 6
CASES: dict[str, dict[str, Any]] = {
    **{f"JPEG {q}": {"jpeg": q} for q in (100, 95, 90, 85)}, **{f"blur {s}": {"blur": float(s)} for s in (1, 2, 3)},
}
SIDES, REPEATS = (48, 256), 5  # images and repetitions of the timing
PATCHES = {48: 16, 256: 32}


@dataclass(frozen=True)
class Study:
    """Detectors of one kind in one arm, tested on patches chosen in three ways."""

    arm: str
    detectors: Detectors
    accuracy: Grid  # choice, train, test
    false_positives: Grid  # choice, train: share of real test images called generated
    precision: float  # average precision on generators not trained on, max patch

    def matrix(self, how: str = "max") -> Grid:
        """Accuracies with axes train and test."""
        return self.accuracy.select(choice=how)

    def gap(self, how: str = "max") -> Gap:
        """Means over the four trained generators; the quilt is apart."""
        return generalization_gap(self.matrix(how))

    def quilt(self, how: str = "max") -> float:
        """Mean accuracy against copied real pixels."""
        return float(self.matrix(how).select(test="quilt").values.mean())


def study(
    settings: Settings, arm: str, options: Options | None = None, replicate: int = 0, *,
    progress: Progress | None = None,
) -> Study:
    """Train a detector on each of four generators in one arm and test it on five. Epochs are the profile's."""
    options = replace(options or Options(), epochs=settings.size.epochs)
    return _study(settings, arm, options, replicate, progress=progress)


@protocol
def _study(
    settings: Settings, arm: str, options: Options, replicate: int, *, progress: Progress | None = None
) -> Study:
    made = world(settings, replicate)
    seed = replicate_seed(replicate_seed(settings.seed, replicate), 30) >> 8  # room to add the number of a network
    real_train, real_test = made.real(arm)
    learned = {name: made.fake_train[name] for name in TRAINED}
    detectors = train_detectors(real_train, learned, options, seed, progress)
    found = {how: detectors.answers(real_test, made.fake_test, how, seed) for how in CHOICES}
    on_real, on_fake = found["max"]
    return Study(
        arm, detectors,
        Grid({"choice": CHOICES, "train": TRAINED, "test": FAKES},
             np.stack([accuracies(*found[how]).values for how in CHOICES])),
        Grid({"choice": CHOICES, "train": TRAINED},
             np.array([[float((found[how][0][a] > 0).double().mean()) for a in TRAINED] for how in CHOICES])),
        float(np.mean([average_precision(on_real[a], on_fake[b][a]) for a in TRAINED for b in TRAINED if a != b])),
    )


def studies(
    settings: Settings, arm: str, options: Options | None = None, *, progress: Progress | None = None
) -> list[Study]:
    """The study of every replicate of the profile."""
    found = []
    for replicate in range(settings.size.seeds):
        found.append(study(settings, arm, options, replicate))
        if progress is not None:
            progress(replicate + 1, settings.size.seeds)
    return found


RAW = Options(mode="raw")
LINEAR = Options(head="linear")


@dataclass(frozen=True)
class Robustness:
    """Accuracy of arm R's detectors when both classes are degraded at test: mean diagonal and off-diagonal per case."""

    cases: tuple[str, ...]
    diagonal: NDArray[np.float64]
    off: NDArray[np.float64]
    brighter: Gap  # real images one gray level brighter, generated ones untouched


@protocol
def robustness(settings: Settings, replicate: int = 0, *, progress: Progress | None = None) -> Robustness:
    """Clean images, seven degradations of all test images, and one gray level on real ones."""
    made, found = world(settings, replicate), study(settings, "R", None, replicate)
    real = made.real("R")[1]
    fakes = {name: made.fake_test[name] for name in TRAINED}
    cases: Mapping[str, dict[str, Any]] = {"clean": {}} | CASES
    gaps = []
    for k, change in enumerate(cases.values()):
        worse = {name: degrade(images, **change) for name, images in fakes.items()}
        gaps.append(generalization_gap(found.detectors.matrix(degrade(real, **change), worse)))
        if progress is not None:
            progress(k + 1, len(cases))
    brighter = generalization_gap(found.detectors.matrix(shifted(real, 1), fakes))
    return Robustness(
        tuple(cases), np.array([g.diagonal for g in gaps]), np.array([g.off for g in gaps]), brighter)


@protocol
def cues(settings: Settings, replicate: int = 0, *, progress: Progress | None = None) -> Grid:
    """Balanced accuracy of the best threshold on one number per image: axes arm, cue, test (generator)."""
    made = world(settings, replicate)
    values = np.zeros((len(ARMS), len(CUES), len(FAKES)))
    fake = {(cue, name): (see(made.fake_train[name]), see(made.fake_test[name]))
            for cue, see in CUES.items() for name in FAKES}
    for a, arm in enumerate(ARMS):
        train, test = made.real(arm)
        for c, (cue, see) in enumerate(CUES.items()):
            real = see(train), see(test)
            for t, name in enumerate(FAKES):
                values[a, c, t] = cue_accuracy(real[0], fake[cue, name][0], real[1], fake[cue, name][1])
        if progress is not None:
            progress(a + 1, len(ARMS))
    return Grid({"arm": ARMS, "cue": tuple(CUES), "test": FAKES}, values)


def ones(images: Bytes) -> float:
    """Share of pixels whose lowest bit is 1."""
    return float((images & 1).mean())


def clipped(images: Bytes) -> float:
    """Share of values that are 0 or 255."""
    return float(((images == 0) | (images == 255)).mean())


@cached
def milliseconds(seed: int) -> dict[int, float]:
    """CPU milliseconds per image for noise image, scores and selection: the median of five batches, by side."""
    found = {}
    for side in SIDES:
        count = max(1, 100_000 // side**2)
        draws = generator(seed, side)
        images = torch.randint(256, (count, side, side, 3), generator=draws).to(torch.uint8).numpy()
        times = []
        for _ in range(REPEATS):
            began = time.process_time()
            select_patch(noise_image(images, 3), PATCHES[side])
            times.append(time.process_time() - began)
        found[side] = 1e3 * float(np.median(times)) / count
    return found


def own_options(settings: Settings) -> Options:
    """The detector that the settings describe."""
    return Options(planes=settings.planes, mode=settings.mode, size=settings.patch)


def own_study(settings: Settings, progress: Progress | None = None) -> Study:
    """The settings' own arm and detector, first replicate."""
    return study(settings, settings.arm, own_options(settings), 0, progress=progress)


def point(settings: Settings) -> Point:
    """Accuracy of the settings' own detector in the settings' own arm."""
    found, how = own_study(settings), settings.how
    gap = found.gap(how)
    positives = found.false_positives.select(choice=how).values
    return Point({
        "diagonal": gap.diagonal, "off": gap.off, "gap": gap.gap, "quilt": found.quilt(how),
        "average_precision_max_patch": found.precision, "false_positives_least": positives.min(),
        "false_positives_most": positives.max(), "ones_real": ones(world(settings).real(settings.arm)[1]),
    })
