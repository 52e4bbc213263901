"""Checkers of the Noise2Score lesson's exercises."""
from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from gradscape.diffusion.noise2score import ScoreNet, Settings, Sweep, ardae_loss, score_map, score_of, sweep
from gradscape.diffusion.noise2score.noise import OTHER_CROP, corrupt, photographs
from gradscape.lesson import generator
from gradscape.workbench import Feedback, as_array, as_number, checker, correct, expect

A, B, LOOKS = 3.0, 1.2, 4  # inverse-gamma prior, and looks of the second function
CLOSE = 1e-8
ZETAS, ALLOWED = (0.02, 0.05), 0.2


@checker(1)
def check_1(single: Callable[[Any, Any], Any], multi: Callable[[Any, Any], Any]) -> Feedback | None:
    """Estimates for exponential speckle (k = 1) and for four looks, from y and the score."""
    y = np.linspace(0.1, 3.0, 20)
    for name, function, k in (("multi", multi, LOOKS), ("single", single, 1)):
        s = (k - 1) / y - k * (A + k) / (B + k * y)
        given, truth = as_array(function(y, s), f"{name}(y, score)", (20,)), (B + k * y) / (A + k)
        if k > 1:
            expect(not np.allclose(given, y / ((k - 1) - y * s), rtol=1e-6),
                   "The noise has mean one: its rate is k/x, and k stands in the numerator.")
            expect(not np.allclose(given, k * y / ((k - 1) + y * s), rtol=1e-6), "Mind the sign of the score.")
            expect(not np.allclose(given, k * y / (k - y * s), rtol=1e-6),
                   "The density of y given x holds y to the power k - 1, not k.")
        expect(np.allclose(given, truth, rtol=CLOSE),
               f"{name}: at y = {y[5]:.2f} you get {given[5]:.4g}. Differentiate log p(y|x) = {k - 1} log y - {k} y/x, "
               "and average over x.")
    return correct("With k = 1 the estimate is -1/s(y): y itself drops out, nothing keeps the denominator positive "
                   "when the score is only nearly right, and the library asks for k > 1.")


@checker(2)
def check_2(answer: Callable[[float, float], Any]) -> Feedback | None:
    """The least loss of AR-DAE on white Gaussian data of variance v."""
    pairs = ((0.5, 0.7), (1.0, 0.1), (0.04, 0.2))
    given = np.array([as_number(answer(v, a), "the floor") for v, a in pairs])
    truth = np.array([v / (v + a**2) for v, a in pairs])
    expect(not np.allclose(given, [a**2 / (v + a**2) for v, a in pairs], rtol=1e-6),
           "That is the part that is explained; the floor is what remains.")
    expect(not np.allclose(given, [v / (v + a) for v, a in pairs], rtol=1e-6),
           "a is a standard deviation: which variance has y + a u?")
    expect(not np.allclose(given, 1.0), "At a > 0 some of u can be told from y + a u, so that the floor is below 1.")
    expect(np.allclose(given, truth, rtol=1e-6), f"At v = .5, a = .7 you get {given[0]:.4g}. Put r(y) = c y into the "
                                                 "loss and minimize over c.")
    v, a = pairs[0]
    y = v**0.5 * torch.randn(200, 1, 32, 32, generator=generator(0, 1))
    measured = float(ardae_loss(lambda x: -x / (v + a**2), y, a, generator(0, 2)))
    expect(abs(measured / given[0] - 1) < 0.01, f"A Monte-Carlo run gives {measured:.4f}.")
    return correct(f"A Monte-Carlo run with the exact score gives {measured:.4f} at v = .5, a = .7.")


@functools.cache
def held_out() -> tuple[tuple[float, tuple[tuple[torch.Tensor, Sweep], ...]], ...]:
    """For both ζ the other crops, noisy, with their sweeps by a network of that ζ."""
    found = []
    for i, zeta in enumerate(ZETAS):
        net: ScoreNet = score_of(Settings.of({}), "poisson", zeta).net  # type: ignore[assignment]
        noisy = corrupt(photographs(OTHER_CROP), "poisson", zeta, generator(77, i))
        pairs = zip(noisy[:, 0], score_map(net, noisy)[:, 0], strict=True)
        found.append((zeta, tuple((y, sweep(y, s, "poisson")) for y, s in pairs)))
    return tuple(found)


@checker(3)
def check_3(answer: Callable[[Any, Sweep], Any]) -> Feedback | None:
    """A rule (y, sweep) -> ζ whose mean over four held-out crops is within 20 % for both ζ."""
    words = []
    for zeta, cases in held_out():
        given = [as_number(answer(y, found), "the rule's answer") for y, found in cases]
        grid = cases[0][1].grid
        expect(max(given) < 1, "That looks like an index: return the candidate itself, found.grid[...].")
        mean = float(np.mean(given))
        top = all(value >= grid.max() - 1e-9 for value in given)
        expect(not top, "All at the largest candidate: is what you take the least, or the largest?")
        expect(np.ptp(given) > 1e-9, "The rule gives one answer whatever it sees.")
        near = abs(mean / zeta - 1) <= ALLOWED
        expect(near, f"Mean {mean:.4f} for ζ = {zeta:g}: too {'large' if mean > zeta else 'small'}. Which image is too "
                     "rough, and which has inverted noise?")
        words.append(f"{mean:.4f} for {zeta:g}")
    return correct("Mean estimates: " + ", ".join(words) + ".")
