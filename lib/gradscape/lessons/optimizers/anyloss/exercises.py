"""Checkers of the AnyLoss lesson's exercises."""
from __future__ import annotations

from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor

from gradscape.lesson import generator
from gradscape.optimizers.anyloss.confusion import SoftConfusion, mcc
from gradscape.optimizers.anyloss.experiments import folded, scores_of, soft_gap, starting_weights, tested
from gradscape.optimizers.anyloss.linear import LossSpec, fit_linear
from gradscape.optimizers.anyloss.settings import SWEPT
from gradscape.workbench import Feedback, as_number, checker, correct, expect

AGREE = 1e-9  # exercise 1
CLOSE = 0.02  # exercise 2: soft and hard F1
NEAR = 0.03  # exercise 3: F1 from a bad start and from 0
BAD_START = 3.0


@checker(1)
def check_1(answer: Callable[[Tensor, Tensor], Tensor]) -> Feedback | None:
    """The derivative of 1 - MCC by each amplified output, as a function of (a, y)."""
    g = generator(0, 50_000)
    for _ in range(20):
        a = torch.rand(25, generator=g, dtype=torch.float64).requires_grad_()
        y = (torch.rand(25, generator=g) < 0.4).double()
        y[0], y[1] = 0.0, 1.0
        loss = 1 - mcc(SoftConfusion.from_products(a, y, torch.ones_like(y)))
        (truth,) = torch.autograd.grad(loss, a)
        found = torch.as_tensor(answer(a.detach().clone(), y.clone()))
        expect(found.shape == truth.shape, "One derivative for each sample is needed: the shape of a.")
        found = found.double()
        expect(bool(torch.isfinite(found).all()), "The derivative holds NaN or infinite values.")
        if float((found - truth).abs().max()) <= AGREE:
            continue
        expect(
            float((found + truth).abs().max()) > AGREE,
            "The sign is turned: the loss is 1 - MCC, so a better sample must lower it.",
        )
        same = (found[y == 1] - found[y == 1][0]).abs().max() + (found[y == 0] - found[y == 0][0]).abs().max()
        expect(float(same) <= AGREE, "All positives have one derivative, and all negatives another: look at which sums "
                                     "a single a enters.")
        jump = float((found[y == 1][0] - found[y == 0][0]) - (truth[y == 1][0] - truth[y == 0][0]))
        expect(abs(jump) > AGREE, "The difference between a positive and a negative is right, but both are off by the "
                                  "same amount: S stands below the root as well.")
        expect(False, "Not yet: write MCC = (n TP - S P) / sqrt(S (n - S) P N) and use the quotient rule; TP and S are "
                      "all that a enters.")
    return correct("Two numbers for the whole batch: MCC couples its samples through TP and S only.")


@cache
def gap_at(L: int) -> float:
    """Soft minus hard F1 on the random set, trained at L."""
    return abs(float(soft_gap((float(L),)).gap[0]))


@checker(2)
def check_2(answer: object) -> Feedback | None:
    """The smallest whole L whose trained soft F1 is within .02 of the hard one on the random set."""
    L = as_number(answer, "L")
    expect(int(L) == L, "L must be a whole number here.")
    expect(1 <= L <= 500, "Look between 1 and 500.")
    gap = gap_at(int(L))
    expect(gap <= CLOSE, f"At L = {int(L)} the gap is {gap:.4f}, still above {CLOSE:g}: amplify more.")
    before = gap_at(int(L) - 1) if L > 1 else 1.0
    expect(before > CLOSE, f"At L = {int(L)} the gap is {gap:.4f}, but a smaller L does as well. Halve the interval.")
    return correct(f"The gap is {gap:.4f} here and {before:.4f} one below.")


@checker(3)
def check_3(answer: Callable[..., Tensor]) -> Feedback | None:
    """robust(X, y, mask, theta0) -> theta (F, d): F1 from a bad start as good as from 0, on three tables."""
    bad: list[float] = []
    good: list[float] = []
    for table in SWEPT:
        data = folded(table, 0, 0, 1)
        begin = starting_weights(data, 0, 0, BAD_START)
        found = torch.as_tensor(answer(data.x.clone(), data.y.clone(), data.mask.clone(), begin.clone()))
        expect(found.shape == begin.shape, f"theta must have the shape of theta0, {tuple(begin.shape)}.")
        expect(bool(torch.isfinite(found).all()), "theta holds NaN or infinite values.")
        if table == SWEPT[0]:
            again = torch.as_tensor(answer(data.x.clone(), data.y.clone(), data.mask.clone(), -begin))
            expect(
                not torch.equal(found, again),
                "The result does not depend on theta0: that is starting elsewhere. Begin where you are told to.",
            )
        reference = fit_linear(data.x, data.y, [LossSpec("fbeta")], mask=data.mask)
        for theta, store in ((found.double()[None], bad), (reference, good)):
            store.append(float(tested(scores_of(theta, data.test_x) > 0, data, ("fbeta", 1.0)).mean()))
    told = "F1 from a bad start and from 0: " + ", ".join(
        f"{table} {a:.3f} and {b:.3f}" for table, a, b in zip(SWEPT, bad, good, strict=True)
    )
    lost = sum(good) / len(good) - sum(bad) / len(bad)
    expect(lost <= 0.15, f"{told}. Nothing was gained: samples outside the band give no gradient, so bring them near "
                         "p = 1/2 first.")
    expect(lost <= NEAR, f"{told}. Better, but the mean is still {lost:.3f} behind. Has the first phase brought the "
                         "rare class near p = 1/2, and does the last one train on F1?")
    return correct(told + ".")
