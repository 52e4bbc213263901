"""Checkers of the bit-planes lesson's exercises."""
from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gradscape.robustness.bitplanes.experiments import Study, study
from gradscape.robustness.bitplanes.planes import Bytes
from gradscape.robustness.bitplanes.provenance import provenance
from gradscape.robustness.bitplanes.settings import TRAINED, Settings
from gradscape.robustness.bitplanes.world import world
from gradscape.workbench import Feedback, as_array, checker, correct, expect

COUNTS = (2, 4, 8)
DRAWS = 200_000  # means per count in the simulation; its standard error is .001
CHANGE, WANTED = 1.0, 0.55

# Accuracies x 100 of five detectors, rows trained on and columns tested on pca, vae, gan, diffusion: seeds 0 and 1 of
# the quick profile.
MATRICES: dict[str, tuple[tuple[int, ...], ...]] = {
    "A": ((93, 74, 45, 45), (57, 100, 50, 50), (50, 50, 100, 50), (50, 50, 100, 100)),  # arm E, raw patches, seed 0
    "B": ((88, 89, 89, 88), (90, 91, 91, 91), (90, 91, 92, 91), (75, 72, 77, 81)),  # arm J96, lowest bit, seed 0
    "C": ((100, 99, 100, 100), (100, 99, 100, 100), (99, 100, 100, 100), (99, 100, 100, 100)),  # arm R, lowest bit
    "D": ((85, 65, 39, 39), (54, 92, 43, 43), (50, 50, 100, 50), (50, 50, 100, 100)),  # arm E, raw patches, seed 1
    "E": ((90, 90, 91, 90), (88, 88, 88, 88), (89, 91, 92, 92), (84, 84, 86, 89)),  # arm J75, lowest bit, seed 0
}
TRUTH = {"A": "generator", "B": "pipeline", "C": "pipeline", "D": "generator", "E": "pipeline"}
HIGH = 93  # mean diagonal, in percent: between what raw patches and low bits reach above


def mystery() -> dict[str, NDArray[np.float64]]:
    """The five matrices of exercise 3: accuracies (4, 4), by letter."""
    return {letter: np.array(rows) / 100 for letter, rows in MATRICES.items()}


def simulated(count: int) -> float:
    """Share of odd results when means of ``count`` random bytes are rounded half to even."""
    draws = np.random.default_rng(count).integers(0, 256, (DRAWS, count)).mean(1)
    return float((np.round(draws).astype(np.int64) & 1).mean())


@checker(1)
def check_1(answer: object) -> Feedback | None:
    """P(lowest bit = 1) after a half-to-even mean of 2, 4 and 8 integers."""
    given = as_array(answer, "the three probabilities", (3,))
    wanted = np.array([0.5 - 0.5 / n for n in COUNTS])
    expect(not np.allclose(given, 0.5),
           "That holds when halves go up. Half to even sends *every* tie to an even number.")
    expect(not np.allclose(given, 1 - wanted), "Those are the probabilities of a 0.")
    expect(not np.allclose(given, [1 / n for n in COUNTS]), "Those are the probabilities of a tie. Then it is even: "
                                                           "what is left is as often odd as even.")
    far = int(np.abs(given - wanted).argmax())
    expect(np.allclose(given, wanted, atol=1e-3),
           f"For n = {COUNTS[far]} you say {given[far]:.4g}. How often does the sum leave the remainder n/2?")
    shown = ", ".join(f"{simulated(n):.4f}" for n in COUNTS)
    return correct(f"1/2 - 1/(2n); simulated: {shown}. For odd n, as in 3 × 3 means, there are no ties, and no trace.")


@functools.cache
def _trained() -> tuple[Study, Bytes, dict[str, Bytes]]:
    """Arm R's detectors of a small world of their own, its real test images and generated ones."""
    settings = Settings.of({"sizes": "crops:40,vae_steps:20,gan_steps:20,diffusion_steps:20,real_train:200,"
                                     "fake_train:120,real_test:120,fake_test:60"})
    made = world(settings)
    fakes = {name: made.fake_test[name] for name in TRAINED}
    return study(settings, "R"), provenance(made.real_test, "half_even"), fakes


@checker(2)
def check_2(answer: Callable[[Bytes], Any]) -> Feedback | None:
    """A change of real images, uint8 to uint8, by at most one gray level in the mean, that blinds arm R's detectors."""
    trial = np.random.default_rng(0).integers(0, 256, (2, 48, 48, 3), dtype=np.uint8)
    _fits(np.asarray(answer(trial.copy())), trial)  # before any detector is trained
    found, real, fakes = _trained()
    changed = np.asarray(answer(real.copy()))
    _fits(changed, real)
    moved = float(np.abs(changed.astype(int) - real).mean())
    expect(moved <= CHANGE, f"The mean absolute change is {moved:.2f} gray levels; at most {CHANGE:g} is allowed. Did "
                            "values below 0 or above 255 wrap around?")
    before, after = (float(found.detectors.matrix(images, fakes).values.mean()) for images in (real, changed))
    expect(after <= WANTED, f"Mean accuracy goes from {before:.3f} to {after:.3f}; at most {WANTED:g} is wanted. What "
                            "does the detector count, and what does your change do to that number?")
    return correct(f"Mean accuracy goes from {before:.3f} to {after:.3f} with a mean change of {moved:.2f} levels.")


def _fits(changed: NDArray[Any], real: Bytes) -> None:
    expect(changed.shape == real.shape, f"The result has shape {changed.shape}; images have {real.shape}.")
    expect(changed.dtype == np.uint8, f"The result is {changed.dtype}; it must be uint8, as a file would hold it.")
    expect((changed != real).any(), "Nothing was changed.")


@checker(3)
def check_3(answer: dict[str, str]) -> Feedback | None:
    """Which of five matrices comes from a cue of the pipeline, which from artifacts of generators."""
    expect(isinstance(answer, dict) and set(answer) == set(MATRICES),
           f"The answer is a dictionary with the keys {', '.join(MATRICES)}.")
    expect(all(word in ("pipeline", "generator") for word in answer.values()),
           "Each value is 'pipeline' or 'generator'.")
    expect(len(set(answer.values())) > 1, "Not all five are of one kind.")
    expect(any(answer[k] != _by_height(k) for k in answer),
           "A high diagonal says how *visible* a cue is, not where it comes from. Look at the other cells.")
    wrong = [letter for letter in MATRICES if answer[letter] != TRUTH[letter]]
    if wrong:
        values = np.array(MATRICES[wrong[0]]) / 100
        same = np.eye(4, dtype=bool)
        expect(False, f"{len(wrong)} of {len(MATRICES)} are not right. Matrix {wrong[0]}: mean diagonal "
                      f"{values[same].mean():.2f}, mean of the rest {values[~same].mean():.2f}. A trace of the "
                      "pipeline is on every real image, whatever the generator.")
    return correct("A gap below .08: the cue belongs to the real class, whatever stands beside it. Above .25: it "
                   "belongs to one generator.")


def _by_height(letter: str) -> str:
    """The tempting rule: a high diagonal means the pipeline."""
    return "pipeline" if np.diag(np.array(MATRICES[letter])).mean() > HIGH else "generator"
