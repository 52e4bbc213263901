"""Checkers of the robust-matrix lesson's exercises."""
from __future__ import annotations

import functools
import math

from torch import Tensor

from gradscape.recovery.robust_matrix import geometric_schedule, make_problem, phi, spectral_start, starts, subgm
from gradscape.workbench import Feedback, as_array, as_number, checker, correct, expect

CLOSE = 5e-4  # exercise 1
ALPHA, ETA0, STEPS, GOOD = 1e-4, 0.1, 3000, 5e-4  # exercise 2
STEP, MOST, RECOVERED, TINY = 50, 1000, 1e-3, 1e-8  # exercise 3


@checker(1)
def check_1(answer: object) -> Feedback | None:
    """Two values of the scaling function: (outliers p = 0.3, N(0, 10²), ‖X‖ = 1; Gaussian ν = 1, ‖X‖ = 0.1)."""
    first, second = (float(value) for value in as_array(answer, "the pair", (2,)))
    a, b = float(phi(1.0, "outlier", p=0.3, scale=10.0)), float(phi(0.1, "gaussian", nu=1.0))
    clean = math.sqrt(2 / math.pi)

    def near(x: float, y: float) -> bool:
        return abs(x - y) <= CLOSE

    expect(not (near(first, b) and near(second, a)), "Both numbers occur, in the other order: outliers first.")
    expect(not near(first, a / clean) and not near(second, b / clean), "A factor √(2/π) is missing: without noise φ "
                                                                       "is not 1.")
    expect(not near(first, clean), "That is φ without outliers.")
    expect(not near(first, 0.7 * clean), "Outliers do not count for nothing: one that happens to be small still has "
                                         "the right sign, with probability p E exp(−s²/(2‖X‖²)).")
    expect(near(first, a), f"The first is not {first:.4f}. A share 1 − p of the measurements is clean; for the others "
                           "take the mean of exp(−s²/(2‖X‖²)) over s.")
    expect(not near(second, float(phi(1.0, "gaussian", nu=1.0))), "The second is asked for at ‖X‖ = 0.1, not at 1.")
    expect(near(second, b), f"The second is not {second:.4f}. Only the ratio of ‖X‖ and ν matters: here it is 0.1.")
    return correct("A Gaussian noise ten times as large as what is looked for leaves a tenth of φ. Outliers ten times "
                   "as large take away little more than their share.")


@functools.lru_cache(maxsize=16)
def replayed(rho: float) -> Tensor:
    """Final errors of three problems with 20 columns under the schedule of exercise 2."""
    problem = make_problem(20, 3, 600, "outlier", seed=0, batch=3)
    U0 = spectral_start(problem, 20, ALPHA)
    return subgm(problem, U0, steps=STEPS, eta0=ETA0, rho=rho, record_every=STEPS).final


@checker(2)
def check_2(answer: object) -> Feedback | None:
    """A factor ρ for α = 1e-4, η₀ = 0.1 that ends at 5e-4 or less within 3000 steps."""
    rho = as_number(answer, "ρ")
    expect(0 < rho <= 1, "ρ multiplies the step after each step: it lies above 0, and not above 1.")
    expect(rho < 1, "Then steps never shrink, and the error stays at about the size of a step.")
    worst, total, last = float(replayed(rho).max()), ETA0 / (1 - rho), ETA0 * rho**STEPS
    expect(worst < 0.3, f"All steps together are no longer than η₀/(1 − ρ) = {total:.2g}. A signal that starts at 1e-4 "
                        f"has not grown by then: error {worst:.2g}.")
    expect(worst <= GOOD, f"The error ends at {worst:.2g}: after 3000 steps they are still {last:.1g} long, "
                          "or so much has been walked that the rest has grown too.")
    return correct(f"Error {worst:.1g}. The steps add up to {total:.3g}, the signal needs about "
                   f"{math.sqrt(3) / 2 * math.log(1 / ALPHA):.2g}, and the last step is {last:.1g} long. The lesson's "
                   f"formula gives ρ = {geometric_schedule(ETA0, ALPHA)[0]:.4f}.")


@functools.lru_cache(maxsize=32)
def recoveries(m: int) -> tuple[int, int]:
    """How many of five rank-one problems are recovered from ``m`` measurements with 20 columns and with 1."""
    problem = make_problem(20, 1, m, "outlier", seed=0, batch=5)
    rho, horizon = geometric_schedule(0.15, TINY)
    final = subgm(
        problem, starts(problem, (20, 1), (TINY,)), steps=horizon, eta0=0.15, rho=rho, record_every=horizon).final
    wide, exact = (final[:, :, 0] <= RECOVERED).sum(0).tolist()
    return wide, exact


@checker(3)
def check_3(answer: object) -> Feedback | None:
    """The smallest numbers of measurements, in steps of 50, with five of five recoveries: (r′ = 20, r′ = 1)."""
    given = as_array(answer, "the pair", (2,))
    expect(bool((given % STEP == 0).all()) and given.min() >= STEP, "Both are multiples of 50, from 50 on.")
    expect(given.max() <= MOST, "So many are not needed: a symmetric matrix of 20 rows has 210 unknowns.")
    found = [int(value) for value in given]
    for k, (m, name) in enumerate(zip(found, ("r′ = 20", "r′ = 1"), strict=True)):
        count = recoveries(m)[k]
        expect(count == 5, f"With {name} and m = {m} only {count} of the five problems are recovered.")
        fewer = [less for less in range(m - STEP, 0, -STEP) if recoveries(less)[k] == 5]
        expect(not fewer, f"With {name} all five are recovered from fewer than {m} already.")
    return correct(f"20 columns instead of 1 cost {found[0] - found[1]} measurements, although there are 20 times as "
                   "many unknowns.")
