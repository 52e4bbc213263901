"""Solutions of the bit-planes lesson's exercises, and wrong answers with the hint that each should get."""
from __future__ import annotations

import numpy as np


def hide(images):
    bits = np.random.default_rng(0).integers(0, 2, images.shape, dtype=np.uint8)
    return (images & np.uint8(254)) | bits


def wrap(images):
    return images + np.uint8(255)


def too_much(images):
    return images ^ np.uint8(3)


def nothing_of_use(images):
    return images & np.uint8(254)


REPORT = {"A": "generator", "B": "pipeline", "C": "pipeline", "D": "generator", "E": "pipeline"}
BY_HEIGHT = {"A": "pipeline", "B": "generator", "C": "pipeline", "D": "pipeline", "E": "generator"}

SOLUTIONS = {1: (1 / 4, 3 / 8, 7 / 16), 2: hide, 3: REPORT}

SLOW = (2,)  # trains four small detectors

# exercise -> (answer, part of the hint)
WRONG = {
    1: [
        ((0.5, 0.5, 0.5), "halves go up"),
        ((3 / 4, 5 / 8, 9 / 16), "probabilities of a 0"),
        ((1 / 2, 1 / 4, 1 / 8), "probabilities of a tie"),
        ((1 / 4, 3 / 8, 1 / 2), "remainder n/2"),
        ((1 / 4, 3 / 8), "shape"),
        ("a quarter", "array of numbers"),
    ],
    2: [
        (lambda images: images, "Nothing was changed"),
        (wrap, "wrap around"),
        (too_much, "at most 1 is allowed"),
        (nothing_of_use, "What does the detector count"),
        (lambda images: images / 255, "must be uint8"),
        (lambda images: images[:, :24], "shape"),
        (lambda images: None, "returned None"),
    ],
    3: [
        (BY_HEIGHT, "*visible*"),
        (dict.fromkeys("ABCDE", "pipeline"), "Not all five"),
        (REPORT | {"B": "generator"}, "1 of 5"),
        (REPORT | {"A": "yes"}, "'pipeline' or 'generator'"),
        ({"A": "pipeline"}, "dictionary with the keys"),
        ("ABC", "dictionary"),
    ],
}
