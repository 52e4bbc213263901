"""Solutions of the recoding lesson's exercises, and wrong answers with the hint that each should get."""
from __future__ import annotations

import math

import numpy as np


def gradient(kind, p, W, y):
    away = p - np.eye(len(p))[y]
    if kind == "surprisal":
        return away @ W
    if kind == "surprisal_thesis":
        return (1 + math.log(p[y])) * p[y] ** (1 - p[y]) * away @ W
    return -(p * (np.log(p) - (p * np.log(p)).sum())) @ W


def without_mean(kind, p, W, y):
    return -(p * np.log(p)) @ W if kind == "entropy" else gradient(kind, p, W, y)


def without_softmax(kind, p, W, y):
    if kind == "surprisal_thesis":
        return -(1 + math.log(p[y])) * p[y] ** -p[y] * (p - np.eye(len(p))[y]) @ W
    return gradient(kind, p, W, y)


def one_surprisal(kind, p, W, y):
    return gradient("surprisal" if kind == "surprisal_thesis" else kind, p, W, y)


def safe_step(W):
    return 4 / np.linalg.norm(W, 2) ** 2


SOLUTIONS = {1: gradient, 2: (1 / math.e, 0.506), 3: safe_step}

# exercise -> (answer, part of the hint)
WRONG = {
    1: [
        (lambda kind, p, W, y: -gradient(kind, p, W, y), "the sign is turned"),
        (without_mean, "sum to zero"),
        (without_softmax, "What is ∂p_y/∂logits"),
        (one_surprisal, "that is the gradient of −log p"),
        (lambda kind, p, W, y: gradient(kind, p, W, y) * 2, "not what autograd finds"),
        (lambda kind, p, W, y: p, "has shape"),
    ],
    2: [
        ((0.5, 0.5), "still falls with p"),
        ((0.1, 0.5), "still rises with p"),
        ((1 / math.e, 0.49), "*above* it"),
        ((1 / math.e, 0.9), "The share is not"),
        ((2.0, 0.5), "between 0 and 1"),
    ],
    3: [
        (lambda W: 2 / np.linalg.norm(W, 2) ** 2, "Half as large"),
        (lambda W: 4 / np.linalg.norm(W, 2), "enters squared"),
        (lambda W: 4 / (W**2).sum(), "Frobenius"),
        (lambda W: 0.5, "it should be"),
        (lambda W: -1.0, "positive"),
    ],
}
