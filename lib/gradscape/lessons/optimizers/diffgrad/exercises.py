"""Checkers of the diffGrad lesson's exercises."""
from __future__ import annotations

import functools
from collections.abc import Callable

import torch
from torch import Tensor

from gradscape.optimizers.diffgrad.experiments import PAPER_LR, single
from gradscape.optimizers.diffgrad.settings import Settings
from gradscape.optimizers.diffgrad.toys import SYNTHETIC, minimise_scalar
from gradscape.workbench import Feedback, as_number, checker, correct, expect

RATE = 1e-3  # to which exercise 1 asks for the learning rate
EVEN = (0.8, 1.25)  # ratios of the two distances that count as equal in exercise 2
AGREE = 1e-5  # how well exercise 3's two runs must agree
STEPS, LARGE = 20, 1e4


@functools.cache
def leaving_rate(optimizer: str) -> float:
    """The first learning rate, to 1e-4, at which a run on F1 from x = -1 with b1 = 0.95 ends at x > 0."""
    coarse = torch.arange(0.01, 0.5, 0.005, dtype=torch.float64)
    low, high = 0.0, float(coarse[_leaves(coarse, optimizer)][0])
    low = high - 0.005
    while high - low > 1e-4:
        middle = (low + high) / 2
        if bool(_leaves(torch.tensor([middle], dtype=torch.float64), optimizer)):
            high = middle
        else:
            low = middle
    return high


def _leaves(rates: Tensor, optimizer: str) -> Tensor:
    return minimise_scalar(SYNTHETIC["F1"], torch.full_like(rates, -1.0), lr=rates, optimiser=optimizer)[-1] > 0


@checker(1)
def check_1(answer: object) -> Feedback | None:
    """The rate at which Adam first leaves the global basin of F1 from x = -1, to 1e-3."""
    rate, truth = as_number(answer, "the learning rate"), leaving_rate("adam")
    expect(rate > 0, "A learning rate is positive.")
    expect(abs(rate - 0.1) > RATE, "0.1 is the paper's rate: there Adam has already left. Where did it begin to?")
    expect(
        abs(rate - leaving_rate("half")) > RATE and abs(rate - leaving_rate("diffgrad")) > 2 * RATE,
        "That is about where Adam at half the rate, and diffGrad, leave. Adam itself leaves earlier.",
    )
    expect(abs(rate - truth) <= RATE, f"Not to {RATE:g}: " + (
        "at this rate Adam has already left." if rate > truth else "at this rate Adam still stays."
    ) + " Halve the interval between a rate that stays and one that leaves.")
    return correct("Momentum carries Adam over the ridge at x = 0; half the rate carries it half as far.")


@checker(2)
def check_2(answer: object, settings: Settings | None = None) -> Feedback | None:
    """The loss scale at which trained diffGrad is equally far from Adam(lr) and Adam(lr/2)."""
    scale = as_number(answer, "the loss scale c")
    expect(1e-3 <= scale <= 1e6, "c must be positive; look between 0.001 and 1000000.")
    run = single((settings or Settings.of({})).replace(lr=PAPER_LR, loss_scale=scale, variant="dfc"))
    to_half, to_adam = (run.distance(PAPER_LR, scale, name) for name in ("half", "adam"))
    told = f"At this c the distance to Adam at lr/2 is {to_half:.3f}, to Adam {to_adam:.3f}."
    expect(to_half / to_adam >= EVEN[0], f"{told} Still too near to Adam at half the rate: gradients must be larger.")
    expect(to_half / to_adam <= EVEN[1], f"{told} Already too near to Adam: gradients must be smaller.")
    return correct(told)


@checker(3)
def check_3(answer: Callable[[Tensor, Tensor, Tensor, float], Tensor]) -> Feedback | None:
    """A friction(prev_grad, grad, v_hat, eps) that does not depend on the scale of the loss."""
    one, kept = _run(answer, 1.0)
    other, _ = _run(answer, LARGE)
    expect(all(xi.shape == one.shape for xi in kept), "The friction needs one value for each entry of the gradient.")
    low, high = min(float(xi.min()) for xi in kept), max(float(xi.max()) for xi in kept)
    inside = low >= 0.5 - 1e-12 and high <= 1 + 1e-12
    expect(inside, f"The friction must stay in [1/2, 1]; it ran from {low:.3g} to {high:.3g}.")
    zero, unit = torch.zeros(3, dtype=torch.float64), torch.ones(3, dtype=torch.float64)
    still, moving = answer(unit, unit, unit, 1e-8), answer(zero - 1, unit, unit, 1e-8)
    expect(
        bool((moving > still).all()),
        "This friction does not grow when the gradient changes more: it is Adam with another learning rate.",
    )
    gap = float((one - other).abs().max())
    told = f"With a loss {LARGE:g} times as large the parameters differ by {gap:.2g} after {STEPS} steps"
    expect(gap <= AGREE, f"{told}: divide the change by something that has the gradient's own unit.")
    return correct("sqrt(v_hat) has the gradient's unit, so the ratio has none: the scale of the loss is gone.")


def _run(rule: Callable[[Tensor, Tensor, Tensor, float], Tensor], scale: float) -> tuple[Tensor, list[Tensor]]:
    """Parameters after 20 steps of eq. (20) with a reader's friction, and the frictions; gradients times ``scale``."""
    g, eps = torch.Generator().manual_seed(0), 1e-8 * scale
    x, m, v, old = (torch.zeros(30, dtype=torch.float64) for _ in range(4))
    kept = []
    for t in range(1, STEPS + 1):
        grad = scale * (x + torch.randn(30, generator=g, dtype=torch.float64))
        m, v = 0.9 * m + 0.1 * grad, 0.999 * v + 0.001 * grad**2
        v_hat = v / (1 - 0.999**t)
        xi = torch.as_tensor(rule(old.clone(), grad.clone(), v_hat.clone(), eps))
        x = x - 0.1 * xi * m / (1 - 0.9**t) / (v_hat.sqrt() + eps)
        kept.append(xi.detach())
        old = grad
    return x, kept
