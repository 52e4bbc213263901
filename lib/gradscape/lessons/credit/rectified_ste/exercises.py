"""Checkers of the exercises: the slope of training, the largest advantage over STE, a plateau that calms gradients."""
from __future__ import annotations

from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor

from gradscape.credit.rectified_ste.estimators import estimator_grad
from gradscape.credit.rectified_ste.experiments import images, train_arms
from gradscape.credit.rectified_ste.stack import Arm
from gradscape.workbench import Feedback, as_number, checker, correct, expect

AGREE = 1e-5  # exercises 1 and 2
SAME = 0.2  # exercise 3: relative difference of instabilities
CLOSE = 0.002  # exercise 3: accuracy, one of the 1000 test answers of two seeds and a rounding
EPOCHS, SEEDS = 20, 2


@checker(1)
def check_1(answer: Callable[..., Tensor]) -> Feedback | None:
    """slope(z, o, t, m): the d(z) of training."""
    points = torch.tensor([0.0, 0.05, 0.1, 0.3, 0.5, 1.0, 1.5, 1.500001, 4.0], dtype=torch.float64)
    z = torch.cat([points, -points])
    found = torch.as_tensor(answer(z.clone(), 3.0, 1.5, 0.1))
    expect(found.shape == z.shape, "One slope for each z is needed: the shape of z.")
    expect(bool(torch.isfinite(found).all()), "NaN or infinity comes back, at 0 most likely: a power of 0 with a "
                                              "negative exponent. Keep |z| away from 0 before you raise it.")
    truth = estimator_grad(z, "reste", o=3.0, t=1.5, m=0.1)
    off = (found.double() - truth).abs() > AGREE
    expect(not bool(off[z < 0].any() and not off[z > 0].any()), "Wrong for z < 0 only: the slope depends on |z|.")
    plateau, middle, far = z.abs() < 0.09, (z.abs() > 0.2) & (z.abs() < 1.4), z.abs() > 1.5
    expect(not bool(off[far].any()), "Beyond t no gradient passes.")
    expect(not bool(off[middle].any()), "Between m and t it is f'(z): the factor 1/o belongs to it, and the exponent "
                                        "is (1 - o) / o.")
    expect(not bool(off[plateau].any()), "For |z| <= m it is the slope of the secant, f(m) / m, not f'(m).")
    expect(not bool(off.any()), "Nearly: |z| = m belongs to the plateau, and at |z| = t gradients still pass.")
    o = torch.tensor([1.0, 3.0, 10.0], dtype=torch.float64)
    together = torch.func.vmap(lambda value: torch.as_tensor(answer(z.clone(), value, 1.5, 0.1)))(o)
    each = torch.stack([estimator_grad(z, "reste", o=float(value), t=1.5, m=0.1) for value in o])
    expect(bool(((together - each).abs() <= AGREE).all()), "Right at o = 3, not for every o: is a number fixed in it?")
    return correct("It jumps by the factor o at |z| = m: the plateau is steeper than all that follows.")


@checker(2)
def check_2(answer: Callable[[float], float]) -> Feedback | None:
    """best_z(o): the 0 < z < 1 where ReSTE is ahead of STE the most."""
    for o in (3.0, 1.5, 10.0):
        found, truth = as_number(answer(o), f"best_z({o:g})"), o ** (-o / (o - 1))
        expect(0 < found < 1, f"best_z({o:g}) is {found:.4g}: look between 0 and 1.")
        expect(abs(found - o ** (-1 / (o - 1))) > AGREE, "That is where z^(1/o), not z itself, solves the equation: "
                                                        "one more power.")
        expect(abs(found - truth) > 0.02 or abs(found - truth) <= AGREE,
               f"best_z({o:g}) is near, off by {abs(found - truth):.1e}: a grid is too coarse, solve for it.")
        expect(abs(found - truth) <= AGREE, f"At z = {found:.4f} the advantage z^(1/o) - z is "
                                            f"{found ** (1 / o) - found:.4f} for o = {o:g}; it can be "
                                            f"{truth ** (1 / o) - truth:.4f}. Set its derivative to 0.")
    return correct("For o = 3 it is 0.19245: just where the weights of small layers lie.")


@cache
def trained(o_end: float, m: float) -> tuple[float, float]:
    """Mean instability and accuracy on the digits, two seeds."""
    history = train_arms(images("digits", 1, 0), [Arm(o_end=o_end, m=m)], seeds=SEEDS, epochs=EPOCHS, seed=0)
    return float(history.s.mean()), float(history.acc[:, :, -1].mean())


def calm(m: float) -> tuple[float, float]:
    """For exercise 3: s at o_end 10 and this m over s at o_end 3 and m 0.1, and the accuracy at o_end 10."""
    s, acc = trained(10.0, m)
    return s / trained(3.0, 0.1)[0], acc


@checker(3)
def check_3(m: float, accuracy: float) -> Feedback | None:
    """A plateau m at o_end 10 whose instability is that of o_end 3 within 20 %, and its accuracy."""
    width, said = as_number(m, "m"), as_number(accuracy, "the accuracy")
    expect(0 < width < 1.5, f"m is {width:g}: must lie between 0 and t = 1.5.")
    expect(0 < said <= 1, "The accuracy must be a share between 0 and 1.")
    ratio, acc = calm(width)
    expect(ratio <= 1 + SAME, f"At m = {width:g} s is {ratio:.2f} times that of o_end 3: still too restless. The "
                              "plateau's height is m^((1-o)/o): should it be wider or narrower?")
    expect(ratio >= 1 - SAME, f"At m = {width:g} s is {ratio:.2f} times that of o_end 3: calmer than asked for.")
    expect(abs(said - acc) <= CLOSE, f"m is right (ratio {ratio:.2f}), the accuracy is not: calm(m)[1] has it.")
    return correct(f"s is {ratio:.2f} times that of o_end 3. The accuracy is {acc:.3f}; with o_end 3 it is "
                   f"{trained(3.0, 0.1)[1]:.3f}.")
