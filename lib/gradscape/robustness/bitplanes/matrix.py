"""Accuracy of detectors trained on one generator and tested on each: the matrix, its gap, and what it is made of."""
from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from gradscape.robustness.bitplanes.detectors import (
    LinearClassifier,
    NoiseBasedClassifier,
    NoiseGuidedClassifier,
    as_input,
    balanced_accuracy,
    fit_detector,
    logits,
)
from gradscape.robustness.bitplanes.patches import choose, gradient_score, patch_grid
from gradscape.robustness.bitplanes.planes import MODES, Bytes, check_images, check_planes, noise_image
from gradscape.stats import Grid
from gradscape.validate import at_least, one_of, positive

RAW = "raw"  # the patch itself instead of its noise
HEADS = ("conv", "linear", "guided")
Progress = Callable[[int, int], Any]


@dataclass(frozen=True)
class Options:
    """One kind of detector: which bits it sees, of which patches, through which head, and its training."""

    planes: int = 1
    mode: str = "threshold"  # "threshold", "scale" or "raw"
    size: int = 16
    head: str = "conv"  # "conv", "linear" or "guided"
    epochs: int = 3
    batch: int = 64
    lr: float = 2e-3

    def __post_init__(self) -> None:
        check_planes("planes", self.planes)
        one_of("mode", self.mode, (*MODES, RAW))
        at_least("size", self.size, 2)
        one_of("head", self.head, HEADS)
        at_least("epochs", self.epochs, 1)
        at_least("batch", self.batch, 2)
        positive("lr", self.lr)

    def visible(self, images: Bytes) -> NDArray[Any]:
        """What the detector sees of whole images: their noise, or all bits."""
        images = check_images("images", images)
        return images if self.mode == RAW else noise_image(images, self.planes, self.mode)

    def network(self, side: int) -> nn.Module:
        """An untrained network for images of ``side`` pixels."""
        if self.head == "guided":
            return NoiseGuidedClassifier(patch=self.size, image=side)
        return LinearClassifier(self.size) if self.head == "linear" else NoiseBasedClassifier()


class Gap(NamedTuple):
    """Mean accuracy on the generator trained on, on the others, and the difference."""

    diagonal: float
    off: float
    gap: float


def generalization_gap(matrix: Grid) -> Gap:
    """Diagonal and off-diagonal mean of accuracies with axes train and test, over the generators that both have.

    ``ValueError`` for other axes or fewer than two generators in common.
    """
    if set(matrix.axes) != {"train", "test"}:
        raise ValueError(f"matrix has axes {tuple(matrix.axes)}: must be train and test")
    names = [name for name in matrix.axes["train"] if name in matrix.axes["test"]]
    if len(names) < 2:
        raise ValueError(f"matrix has {len(names)} generators in both axes: at least two are needed")
    values = np.array([[matrix.at(train=a, test=b) for b in names] for a in names])
    same = np.eye(len(names), dtype=bool)
    diagonal, off = float(values[same].mean()), float(values[~same].mean())
    return Gap(diagonal, off, diagonal - off)


@dataclass(frozen=True)
class Detectors:
    """One trained network for each generator, all of one kind."""

    nets: Mapping[str, nn.Module]
    options: Options

    def inputs(self, images: Bytes, how: str, seed: int = 0) -> tuple[Tensor, ...]:
        """The chosen patch of each image as network input; for the guided head the whole image comes first."""
        grid = patch_grid(self.options.visible(images), self.options.size)
        index = choose(gradient_score(grid), how, np.random.default_rng(seed))
        patches = as_input(grid[np.arange(len(grid)), index])
        return (as_input(images), patches) if self.options.head == "guided" else (patches,)

    def logits(self, images: Bytes, how: str = "max", seed: int = 0) -> dict[str, Tensor]:
        """Logits (N,) of *generated* by each network."""
        inputs = self.inputs(images, how, seed)
        return {name: logits(net, *inputs) for name, net in self.nets.items()}

    def answers(
        self, real: Bytes, fakes: Mapping[str, Bytes], how: str = "max", seed: int = 0
    ) -> tuple[dict[str, Tensor], dict[str, dict[str, Tensor]]]:
        """Logits on real images, by detector, and on each generator's images, by generator and detector."""
        drawn = {name: self.logits(images, how, seed + 1 + k) for k, (name, images) in enumerate(fakes.items())}
        return self.logits(real, how, seed), drawn

    def matrix(self, real: Bytes, fakes: Mapping[str, Bytes], how: str = "max", seed: int = 0) -> Grid:
        """Balanced accuracies with axes train (detectors) and test (generators)."""
        return accuracies(*self.answers(real, fakes, how, seed))


def accuracies(on_real: Mapping[str, Tensor], on_fake: Mapping[str, Mapping[str, Tensor]]) -> Grid:
    """Balanced accuracies with axes train (detectors) and test (generators) from all logits."""
    values = [[balanced_accuracy(on_real[a], on_fake[b][a]) for b in on_fake] for a in on_real]
    return Grid({"train": tuple(on_real), "test": tuple(on_fake)}, np.array(values))


def train_detectors(
    real: Bytes, fakes: Mapping[str, Bytes], options: Options | None = None, seed: int = 0,
    progress: Progress | None = None,
) -> Detectors:
    """Train one detector for each generator on *all* patches of real images (N, H, H, 3) and of its images.

    ``ValueError`` for images of different size: size must not give the answer away.
    """
    options = options or Options()
    if not fakes:
        raise ValueError("fakes is empty: at least one generator is needed")
    side = check_images("real", real).shape[1:]
    for name, images in fakes.items():
        if check_images(name, images).shape[1:] != side or side[0] != side[1]:
            raise ValueError(f"{name} has images of {images.shape[1:]}, real ones are {side}: must be equal squares")
    real_inputs, nets = _all_patches(real, options), {}
    for k, (name, images) in enumerate(fakes.items()):
        both = tuple(torch.cat(pair) for pair in zip(real_inputs, _all_patches(images, options), strict=True))
        labels = (torch.arange(len(both[0])) >= len(real_inputs[0])).float()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed + k)
            net = options.network(side[0])
        nets[name] = fit_detector(
            net, both, labels, epochs=options.epochs, batch=options.batch, lr=options.lr, seed=seed + k)
        if progress is not None:
            progress(k + 1, len(fakes))
    return Detectors(nets, options)


def cross_generator_matrix(
    real_train: Bytes, real_test: Bytes, fake_train: Mapping[str, Bytes], fake_test: Mapping[str, Bytes],
    options: Options | None = None, *, how: str = "max", seed: int = 0, progress: Progress | None = None,
) -> Grid:
    """Train a detector on each generator of ``fake_train`` and test it on each of ``fake_test``: axes train, test."""
    return train_detectors(real_train, fake_train, options, seed, progress).matrix(real_test, fake_test, how, seed)


def _all_patches(images: Bytes, options: Options) -> tuple[Tensor, ...]:
    """Every patch of every image; for the guided head each with its whole image."""
    grid = patch_grid(options.visible(images), options.size)
    patches = as_input(grid.reshape(-1, *grid.shape[2:]))
    if options.head != "guided":
        return (patches,)
    return as_input(images).repeat_interleave(grid.shape[1], 0), patches
