"""Solutions of the NoProp lesson's exercises, and wrong answers with the hint that each should get."""
from __future__ import annotations

import torch

SLOW = (2, 3)


def posterior(alpha, deviation=False, turned=False, variance=True, other=False):
    """a, b, c by completing the square of N(z_t; √ᾱ_t u, 1 − ᾱ_t) and N(z_{t−1}; √r z_t, 1 − r)."""
    before, now = alpha[:-1], alpha[1:]
    if turned:
        before, now = now, before
    r = before / now
    if other:  # b = 0: a fresh draw from q(z_t | y) keeps the marginals, and is no posterior
        return now.sqrt(), torch.zeros_like(now), 1 - now
    a = now.sqrt() * (1 - r) / (1 - before)
    b = r.sqrt() * (1 - now) / (1 - before)
    c = (1 - now) * (1 - r) / (1 - before) if variance else 1 - now
    return a, b, c.sqrt() if deviation else c


def noise_free(model, X):
    """Start at 0 and add nothing."""
    return model.predict(X, "mean")


def average(model, X, block=None):
    """Mean of what all blocks say at state 0."""
    z = torch.zeros(model.T, len(X), model.embed.shape[1])
    logits = model.block_logits(X, z)
    return (logits.softmax(-1).mean(0) if block is None else logits[block]).argmax(-1)


SOLUTIONS = {1: posterior, 2: list(range(1, 11)), 3: noise_free}

# exercise -> (answer, part of the hint)
WRONG = {
    1: [
        (lambda alpha: posterior(alpha, deviation=True), "not its standard deviation"),
        (lambda alpha: posterior(alpha, turned=True), "The mean of z_t"),
        (lambda alpha: posterior(alpha, variance=False), "the variance of z_t is not"),
        (lambda alpha: posterior(alpha, other=True), "not the posterior"),
        (lambda alpha: posterior(alpha)[:2], "three things"),
        (lambda alpha: (alpha, alpha, alpha), "one entry a step"),
        (lambda alpha: None, "returned None"),
    ],
    2: [
        (list(range(10, 0, -1)), "turned round"),
        ([1, 2, 3, 4, 5, 6, 7, 8, 10, 9], "handed the label almost clean"),
        ([9, 1, 2, 3, 4, 5, 6, 7, 8, 10], "one pair is in the wrong order"),
        ([1, 2, 3], "All 10 blocks"),
        ([1] * 10, "each once"),
    ],
    3: [
        (lambda model, X: model.predict(X, generator=torch.Generator().manual_seed(
            int(torch.randint(1000, ())))), "must not draw anything"),
        (lambda model, X: torch.zeros(len(X), dtype=torch.int64), "nothing gained"),
        (lambda model, X: model.classify(model.predict_trajectory(X, noise=0.9)[-1]), "more is asked"),
        (lambda model, X: model.predict(X)[:5], "One label a row"),
    ],
}
