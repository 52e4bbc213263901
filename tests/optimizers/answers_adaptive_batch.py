"""Solutions of the adaptive-batch lesson's exercises, and wrong answers with the hint that each should get."""
from __future__ import annotations

import math


def loop(draw, required, total):
    """The repaired loop."""
    b, used, sizes = 10, 0, []
    while used < total:
        batch = draw(min(b, total - used))
        used += len(batch)
        b = max(b, math.ceil(required(len(batch))))
        sizes.append(b)
    return sizes


def shrinking(draw, required, total):
    """The floor is the batch at hand, which is short at the end of an epoch."""
    b, used, sizes = 10, 0, []
    while used < total:
        batch = draw(min(b, 103 - used % 103))
        used += len(batch)
        b = max(len(batch), math.ceil(required(len(batch))))
        sizes.append(b)
    return sizes


def overshooting(draw, required, total):
    b, used, sizes = 10, 0, []
    while used < total:
        used += len(draw(b))
        b = max(b, math.ceil(required(b)))
        sizes.append(b)
    return sizes


def dropping(draw, required, total):
    b, used, sizes = 10, 0, []
    while used + b <= total:
        used += len(draw(b))
        b = max(b, math.ceil(required(len(range(b)))))
        sizes.append(b)
    return sizes


def scheduled(draw, required, total):
    """Tells the test the scheduled size instead of the actual one."""
    b, used, sizes = 10, 0, []
    while used < total:
        used += len(draw(min(b, total - used)))
        b = max(b, math.ceil(required(b)))
        sizes.append(b)
    return sizes


def following(draw, required, total):
    b, used, sizes = 10, 0, []
    while used < total:
        batch = draw(min(b, total - used))
        used += len(batch)
        b = max(10, math.ceil(required(len(batch))))
        sizes.append(b)
    return sizes


def doubling(draw, required, total):
    b, used, sizes = 10, 0, []
    while used < total:
        batch = draw(min(b, total - used))
        used += len(batch)
        b = 2 * b if required(len(batch)) > b else b
        sizes.append(b)
    return sizes


SOLUTIONS = {
    1: lambda V, grad_sq, eta: (1 - eta**2) * V / (eta**2 * grad_sq),
    # eta = 0.5, V = 12, V_ip/||gbar||² = 4.5: shares 3/8 and 5/8 of eta²
    2: (0.5 * math.sqrt(3 / 8), 0.5 * math.sqrt(5 / 8)),
    3: loop,
}

# exercise -> (answer, part of the hint)
WRONG = {
    1: [
        (lambda V, grad_sq, eta: V / (eta**2 * grad_sq), "exact norm test"),
        (lambda V, grad_sq, eta: (1 + eta**2) * V / (eta**2 * grad_sq), "smaller, not larger"),
        (lambda V, grad_sq, eta: (1 - eta) * V / (eta * grad_sq), "squared"),
        (lambda V, grad_sq, eta: V / grad_sq, "solve for b"),
        (lambda V, grad_sq, eta: None, "returned None"),
    ],
    2: [
        ((0.5, 0.5), "only a part"),
        ((0.5 * math.sqrt(5 / 8), 0.5 * math.sqrt(3 / 8)), "Mend θ"),
        ((0.5 * math.sqrt(3 / 8), 0.5), "Mend ν"),
        ((-0.3, 0.4), "positive"),
        ((0.3, 0.4, 0.5), "shape"),
    ],
    3: [
        (shrinking, "shrank"),
        (overshooting, "must be cut"),
        (dropping, "were dropped"),
        (scheduled, "just drawn"),
        (following, "shrank"),
        (doubling, "not max(b, ceil(T))"),
        (lambda draw, required, total: [], "dropped"),
    ],
}
