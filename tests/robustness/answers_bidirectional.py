"""Solutions of the bidirectional lesson's exercises, and wrong answers with the hint that each should get."""
from __future__ import annotations

import torch


def best_logits(x, y):
    return torch.stack([torch.logit(x[y == k].mean(0)) for k in range(int(y.max()) + 1)])


def halves(before, after):
    return float(after[before].float().mean()), float(after[~before].float().mean())


SOLUTIONS = {1: best_logits, 2: halves, 3: 5e-3}
SLOW = (2, 3)

# exercise -> (answer, part of the hint)
WRONG = {
    1: [
        (lambda x, y: torch.sigmoid(best_logits(x, y)), "best *image*"),
        (lambda x, y: torch.stack([torch.logit(x[y == k]).mean(0) for k in range(3)]), "mean logits"),
        (lambda x, y: -best_logits(x, y), "sign is turned"),
        (lambda x, y: torch.logit(x.mean(0)).expand(3, 6), "draw the same image"),
        (lambda x, y: 2 * best_logits(x, y), "derivative of the mean"),
        (lambda x, y: best_logits(x, y)[0], "One row of logits"),
        (lambda x, y: torch.full((3, 6), torch.nan), "NaN"),
    ],
    2: [
        (lambda before, after: halves(before, after)[::-1], "other order"),
        (lambda before, after: (float((after & before).float().mean()), float((after & ~before).float().mean())),
         "shares of all images"),
        (lambda before, after: (float(after.float().mean()),) * 2, "look at the images that were right before"),
        (lambda before, after: (0.5, 0.5), "do not"),
        (lambda before, after: (2.0, 0.5), "between 0 and 1"),
        (lambda before, after: 0.5, "has shape"),
    ],
    3: [
        (1e-4, "Penalize more"),
        (0.05, "Penalize less"),
        (0.0, "must be positive"),
        (1.0, "below 0.1"),
        ("strong", "must be a number"),
    ],
}
