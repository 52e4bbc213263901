"""Solutions of the Bayes-optimal lesson's exercises, and wrong answers with the hint that each should get."""
from __future__ import annotations

import math

import torch


def shrink(R, D, kappa):
    eye = torch.eye(len(R), dtype=R.dtype)
    return eye + (R - eye) / (1 + kappa * D)


def shrink_error(D, kappa):
    return D / (1 + kappa * D)


def starts(within, optimum):
    return math.floor(within / (0.05 * optimum) + 1e-9) + 1


SOLUTIONS = {
    1: lambda kappa: kappa - kappa**2 / 2 if kappa <= 1 else 0.5,
    2: (shrink, shrink_error),
    3: starts,
}
SLOW = (2,)

# exercise -> (answer, part of the hint)
WRONG = {
    1: [
        (lambda kappa: kappa, "rotating the neurons"),
        (lambda kappa: kappa / 2, "Nearly, for small κ"),
        (lambda kappa: 0.5, "low rank"),
        (lambda kappa: kappa - kappa**2 / 2, "full rank"),
        (lambda kappa: kappa**2, "another load"),
    ],
    2: [
        ((lambda R, D, kappa: R / (1 + kappa * D), shrink_error), "toward 0"),
        ((lambda R, D, kappa: shrink(R, D, 1.0), shrink_error), "where does κ enter"),
        ((lambda R, D, kappa: R, shrink_error), "leaves all the noise"),
        ((lambda R, D, kappa: shrink(R, 2 * D, kappa), shrink_error), "Another matrix"),
        ((shrink, lambda D, kappa: D), "without shrinking"),
        ((shrink, lambda D, kappa: kappa * D / (1 + kappa * D)), "κ times the error"),
        ((shrink, lambda D, kappa: 1 / kappa), "what variance is left"),
    ],
    3: [
        (lambda within, optimum: within / (0.05 * optimum), "whole number"),
        (lambda within, optimum: math.floor(within / (0.05 * optimum)), "One too few"),
        (lambda within, optimum: math.ceil((within / (0.05 * optimum)) ** 2), "already squared"),
        (lambda within, optimum: math.ceil(optimum / (0.05 * within)), "Upside down"),
        (lambda within, optimum: math.ceil(within / 0.05), "5 % of what"),
        (lambda within, optimum: 64, "Which B"),
    ],
}
