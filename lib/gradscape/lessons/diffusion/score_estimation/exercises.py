"""Checkers of the score lesson's exercises."""
from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gradscape.diffusion.score_estimation.experiments import training_times
from gradscape.diffusion.score_estimation.kernel import KernelPath
from gradscape.diffusion.score_estimation.own import training_set
from gradscape.diffusion.score_estimation.process import (
    T0,
    T_END,
    TEST,
    embed,
    make_regression,
    within_ball,
)
from gradscape.diffusion.score_estimation.real_data import SAMPLE_N, sampled
from gradscape.diffusion.score_estimation.settings import Settings
from gradscape.lesson import seeds_of
from gradscape.workbench import Feedback, as_array, as_number, checker, correct, expect

LEARNED_AT = 10.0  # training time of exercise 2
SEEDS, SAMPLES = 3, 500  # mixtures and samples of exercise 3
RELATIVE = 1e-6


@checker(1)
def check_1(answer: Callable[[float], Any]) -> Feedback | None:
    """The weight λ(t) of the variance-exploding process."""
    times = np.array([0.1, 0.5, 1.0, 2.0, 7.0])
    given = np.array([as_number(answer(float(t)), "λ(t)") for t in times])

    def is_power(k: float) -> bool:
        return bool(np.allclose(given, times**k, rtol=RELATIVE))

    expect(not is_power(2), "The two *residuals* differ by a factor; the loss holds their squares.")
    expect(not is_power(-4), "That is the factor between the losses. The weight must undo it.")
    expect(not is_power(-2), "Nearly all of it: write the score as (f - x)/t², subtract -(x - X₀)/t², and square.")
    alpha2, h = np.exp(-times), -np.expm1(-times)
    expect(not np.allclose(given, h**2 / alpha2, rtol=RELATIVE), "That is the weight of the process in this lesson. "
                                                                 "Here nothing is scaled down: α = 1, and h = t².")
    expect(is_power(4), f"At t = 2 you get {given[3]:.4g}. Write both scores with f and X₀ and take the difference.")
    return correct("The larger the noise, the less a score of given error says about the data: λ = h²/α² with h = t².")


@functools.cache
def _eigenvalues() -> Tensor:
    return training_set(Settings.of({})).path.eigenvalues


@checker(2)
def check_2(answer: object) -> Feedback | None:
    """How many directions are learned at e = 10."""
    count, ev = as_number(answer, "the count"), _eigenvalues()
    n = len(ev)
    expect(count == round(count) and 0 <= count <= n, f"A count of directions is a whole number from 0 to {n}.")
    wanted = int((ev > 1 / LEARNED_AT).sum())
    expect(count != int((n * ev > 1 / LEARNED_AT).sum()), "Those are eigenvalues of K. The path needs those of K/n.")
    expect(count != int((ev > LEARNED_AT).sum()), "None is larger than e itself. A direction is learned when e·ev > 1.")
    expect(count != n - wanted, "Those are the directions that are *not* learned yet.")
    expect(count == wanted, f"1/e is {1 / LEARNED_AT:g}; {count:.0f} eigenvalues are not what lies above it.")
    return correct(f"{wanted} of {n}: after ten units of training only the smoothest functions are known.")


@functools.cache
def _references(log_uniform: bool) -> tuple[float, float]:
    return _distances(_log_uniform if log_uniform else None)


def _log_uniform(u: Tensor) -> Tensor:
    return T0 * (T_END / T0) ** u


def _distances(schedule: Callable[[Tensor], Tensor] | None) -> tuple[float, float]:
    """Mean sliced W1 over three mixtures: at the stop of least score error, and at e = 1e7."""
    settings, times, found = Settings.of({}), training_times(41), []
    for r, seed in enumerate(seeds_of(settings, SEEDS)):
        mixture = settings.mixture(r)
        data = within_ball(make_regression(mixture, SAMPLE_N, T0, T_END, seed, schedule=schedule))
        test = make_regression(mixture, SAMPLES, T0, T_END, seed, TEST, schedule)
        path = KernelPath(embed(data.t, data.x), data.x0)
        gap = path.predict(embed(test.t, test.x), times) - mixture.posterior_mean(test.t, test.x)
        stop = float(times[(gap**2).mean((1, 2)).argmin()])
        made = sampled(mixture, path, stop, SAMPLES, seed, T0, T_END)
        found.append((made.distances["stopped"], made.distances["ended"]))
    return tuple(np.mean(found, 0).tolist())  # type: ignore[return-value]


@checker(3)
def check_3(answer: tuple[Callable[[Tensor], Tensor], object]) -> Feedback | None:
    """(a schedule that makes uniform numbers log-uniform times, whether stopping then gives the better samples)."""
    expect(isinstance(answer, tuple) and len(answer) == 2 and callable(answer[0]),
           "The answer is a pair: a function from u to times, and True or False.")
    schedule, verdict = answer
    u = torch.linspace(0, 1, 11, dtype=torch.float64)
    given = as_array(schedule(u), "the times", (11,))
    wanted = _log_uniform(u).numpy()
    uniform = (T0 + (T_END - T0) * u).numpy()
    expect(not np.allclose(given, uniform, rtol=1e-4), "Those times are uniform. Make their *logarithm* uniform.")
    expect(not np.allclose(given, np.log(wanted), rtol=1e-4), "Those are logarithms of times: take the exponential.")
    expect(given.min() > 0 and given.min() >= T0 * (1 - 1e-6) and given.max() <= T_END * (1 + 1e-6),
           f"Times must lie in [{T0:g}, {T_END:g}].")
    expect(np.allclose(given, wanted, rtol=1e-4) or np.allclose(given, wanted[::-1], rtol=1e-4),
           f"u = 1/2 gives t = {given[5]:.3g}; the middle in the logarithm is the geometric mean of both ends.")
    expect(isinstance(verdict, bool), "Say True or False: does stopping give the better samples?")
    stopped, ended = _references(True)
    before = _references(False)
    words = f"sliced W1 {stopped:.3f} stopped and {ended:.3f} at e = 1e7, mean of {SEEDS} mixtures"
    expect(verdict == (stopped < ended), f"Measured anew with such times: {words}.")
    return correct(f"Measured anew: {words} (uniform times: {before[0]:.3f} and {before[1]:.3f}). Small times, where "
                   "samples are made, now count in the error that the stop is chosen by.")
