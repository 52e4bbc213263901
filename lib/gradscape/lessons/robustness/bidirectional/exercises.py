"""Checkers of the bidirectional-learning lesson's exercises."""
from __future__ import annotations

from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor

from gradscape.lesson import generator
from gradscape.robustness.bidirectional.experiments import test_images, trained
from gradscape.robustness.bidirectional.report import attacked, right
from gradscape.robustness.bidirectional.settings import EPS, Settings
from gradscape.workbench import Feedback, as_array, as_number, checker, correct, expect

AGREE = 1e-5  # exercises 1 and 2: float32
NEAR = 0.01  # exercise 3: difference of clean accuracies
SEEDS = (11, 12, 13)  # networks of exercise 3


@checker(1)
def check_1(answer: Callable[[Tensor, Tensor], Tensor]) -> Feedback | None:
    """The generator's best image logits W_k + g of each class, (K, D), for images x (N, D) and labels y (N,)."""
    g = generator(0, 60_000)
    x = 0.1 + 0.8 * torch.rand(40, 6, generator=g)
    y = torch.cat([torch.zeros(25), torch.ones(10), torch.full((5,), 2.0)]).long()
    means = torch.stack([x[y == k].mean(0) for k in range(3)])
    truth = torch.logit(means)
    found = torch.as_tensor(answer(x.clone(), y.clone())).float()
    expect(found.shape == truth.shape, f"One row of logits for each class is needed: {tuple(truth.shape)}.")
    expect(bool(torch.isfinite(found).all()), "The logits hold NaN or infinite values.")
    if bool((found - truth).abs().max() <= AGREE * 10):
        return correct("The sigmoid of the best logits is the class mean, whatever the classes' sizes.")
    expect(float((found - means).abs().max()) > AGREE,
           "That is the best *image*. Which logits have it as their sigmoid?")
    averaged = torch.stack([torch.logit(x[y == k]).mean(0) for k in range(3)])
    expect(float((found - averaged).abs().max()) > 1e-4,
           "Those are mean logits. The loss is linear in x, so that the mean of the pixels comes first.")
    expect(float((found + truth).abs().max()) > 1e-4, "The sign is turned: brighter pixels need larger logits.")
    whole = torch.logit(x.mean(0)).expand(3, 6)
    expect(float((found - whole).abs().max()) > 1e-4, "All classes draw the same image here: average within a class.")
    expect(False, "Not yet: set the derivative of the mean of softplus(a) - a x over one class's images to zero.")
    return None


@checker(2)
def check_2(answer: Callable[[Tensor, Tensor], tuple[float, float]]) -> Feedback | None:
    """(accuracy after among images right before, the same among images wrong before), from two boolean tensors."""
    g = generator(0, 60_001)
    for n, share in ((50, 0.7), (400, 0.8)):
        before = torch.rand(n, generator=g) < share
        after = torch.where(before, torch.rand(n, generator=g) < 0.2, torch.rand(n, generator=g) < 0.6)
        a, b = (float((after & part).sum() / part.sum()) for part in (before, ~before))
        found = as_array(answer(before.clone(), after.clone()), "the pair", shape=(2,))
        total, weight = float(after.float().mean()), float(before.float().mean())
        if abs(found[0] - a) <= AGREE and abs(found[1] - b) <= AGREE:
            continue
        expect(bool(((found >= 0) & (found <= 1)).all()), "Both must be shares, between 0 and 1.")
        expect(abs(found[0] - b) > AGREE or abs(found[1] - a) > AGREE, "They stand in the other order.")
        expect(abs(found.sum() - total) > AGREE,
               "These two sum to the total accuracy: they are shares of all images. Divide each by its own group.")
        expect(abs(weight * found[0] + (1 - weight) * found[1] - total) <= AGREE,
               f"Weighted with {weight:.2f} and {1 - weight:.2f} they should give the accuracy after the attack, "
               f"{total:.3f}, and do not.")
        expect(False, "The weighted sum is right, the parts are not: look at the images that were right before alone.")
    settings = Settings.of({})
    net, _ = trained(settings, "one", ("bp",), SEEDS[:1], iters=300)
    X, y = test_images(settings)
    after = right(net, attacked(net, X, y, EPS, "fgsm_pred"), y)[0]
    a, b = as_array(answer(right(net, X, y)[0], after), "the pair", shape=(2,))
    return correct(f"On a briefly trained network: {a:.0%} of the images read right stay right, and {b:.0%} of those "
                   "read wrong *become* right. The worse the network, the more of the second kind it has.")


@cache
def penalized(wd: float) -> tuple[float, float]:
    """Clean accuracy and accuracy under the margin attack, means over three networks; wd < 0 stands for BL."""
    settings = Settings.of({})
    net, _ = trained(settings, "one", ("bl",) if wd < 0 else ("l2",), SEEDS, wd=max(wd, 0.0))
    X, y = test_images(settings)
    clean = float(right(net, X, y).float().mean())
    return clean, float(right(net, attacked(net, X, y, EPS, "pgd_margin"), y).float().mean())


@checker(3)
def check_3(answer: object) -> Feedback | None:
    """An L2 strength whose clean accuracy is within 0.01 of BL's."""
    wd = as_number(answer, "the strength")
    expect(wd > 0, "The strength must be positive: with 0 it is plain back-propagation.")
    expect(wd <= 0.1, "Look below 0.1: above it nothing is learned.")
    (clean, pgd), (target, other) = penalized(wd), penalized(-1.0)
    told = f"Clean accuracy is {clean:.3f} with the penalty and {target:.3f} with BL"
    expect(clean <= target + NEAR, f"{told}: too good. Penalize more.")
    expect(clean >= target - NEAR, f"{told}: too bad. Penalize less.")
    return correct(f"{told}. At the same price PGD on the margin leaves {pgd:.3f} right with the penalty, and "
                   f"{other:.3f} with BL.")
