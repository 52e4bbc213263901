"""Solutions of the calibration lesson's exercises, and wrong answers with the hint that each should get."""
from __future__ import annotations

import functools

import numpy as np
from gradscape.lessons.recovery.blind_calibration import dead_sensor
from gradscape.recovery import blind_calibration as bc


def step(A, y, projected=True, sign=1):
    xi = bc.backprojection(A, y)
    Ax = A @ xi
    r = Ax - y
    _, gradient = bc.gradients(A, y, xi, 0 * y[0] + 1)
    v = Ax * (bc.project_zero_mean(gradient) if projected else gradient)
    return sign * float((v * r).sum() / v.square().sum())


def signal_step(A, y):
    return float(bc.calibrate(A, y, max_iter=1).mu_xi[0])


@functools.cache
def gains(box=None):
    made = dead_sensor()
    return bc.calibrate(made.A, made.y, box=box, record_every=2000).g


SOLUTIONS = {1: 8, 2: step, 3: gains()}

# exercise -> (answer, part of the hint)
WRONG = {
    1: [
        (7, "2.35 each"),
        (9, "not the fewest"),
        (5, "per *pixel*"),
        (7.45, "whole"),
        (0, "at least 1"),
    ],
    2: [
        (functools.partial(step, projected=False), "changes the mean"),
        (functools.partial(step, sign=-1), "against"),
        (signal_step, "step of ξ"),
        (lambda A, y: 12 / float(bc.backprojection(A, y).square().sum()), "fixed step"),
        (lambda A, y: 0.5, "set its slope to 0"),
        (lambda A: 0.0, "TypeError"),
    ],
    3: [
        (np.ones(64), "the start"),
        (2 * gains(), "mean 2.0000"),
        (gains(0.5), "box"),
        (gains().numpy() + np.array([0, 0, 0, 0, 0, 0.02, -0.01, -0.01] + 56 * [0.0]), "Gain 6 is off by"),
        (gains().roll(1), "near 0.01"),
        (gains()[:5], "has shape"),
    ],
}
