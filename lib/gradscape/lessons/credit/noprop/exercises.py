"""Checkers of the NoProp lesson's exercises."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gradscape.credit.noprop.discrete import NoPropDT
from gradscape.credit.noprop.experiments import dt
from gradscape.credit.noprop.settings import Settings
from gradscape.generative.schedule import cosine_alpha_bar, linear_alpha_bar, posterior_coefficients
from gradscape.lessons.credit.noprop.views import model_and_data
from gradscape.workbench import Feedback, checker, correct, expect

AGREE = 1e-9  # exercise 1, float64
GAIN = 0.05  # exercise 3
DEFAULT = Settings.of({})  # what is asked does not hang on the notebook's parameters


@checker(1)
def check_1(answer: Callable[[Tensor], Sequence[Tensor]]) -> Feedback | None:
    """(a, b, c) of every step from alpha_bar (T + 1,)."""
    for alpha in (cosine_alpha_bar(10), linear_alpha_bar(4)):
        made = answer(alpha.clone())
        expect(len(made) == 3, "Return three things: a, b and c.")
        a, b, c = (torch.as_tensor(value).double() for value in made)
        T = len(alpha) - 1
        for name, value in (("a", a), ("b", b), ("c", c)):
            expect(value.shape == (T,), f"{name} needs one entry a step, t = 1 … T: the shape is ({T},).")
            expect(bool(torch.isfinite(value).all()), f"{name} holds NaN or infinite values.")
        truth = posterior_coefficients(alpha)
        deviation = float((c - truth.c.sqrt()).abs().max())
        expect(deviation > AGREE, "c is the variance of the step, not its standard deviation.")
        mean = float((a + b * alpha[:-1].sqrt() - alpha[1:].sqrt()).abs().max())
        spread = float((b**2 * (1 - alpha[:-1]) + c - (1 - alpha[1:])).abs().max())
        expect(mean <= AGREE, "The mean of z_t comes out wrong: a + b √ᾱ_{t−1} must be √ᾱ_t. Which of the two ᾱ stands "
                              "where?")
        expect(spread <= AGREE, "The mean is right, the variance of z_t is not: b² (1 − ᾱ_{t−1}) + c must be 1 − ᾱ_t.")
        identity = float((a**2 / c - truth.snr_diff).abs().max())
        expect(identity <= 1e-6, "Mean and variance of z_t are right, but a²/c is not SNR(t) − SNR(t−1): this step is "
                                 "not the posterior. Use Bayes' rule with z_{t−1} = √r z_t + noise, r = ᾱ_{t−1}/ᾱ_t.")
    return correct("a²/c = SNR(t) − SNR(t−1): that is why the loss of block t has this weight.")


@checker(2)
def check_2(answer: Any) -> Feedback | None:
    """Blocks 1 … 10, ordered from the one that goes by the image most to the one that does so least."""
    order = [int(k) for k in answer]
    T = 10
    expect(len(order) == T, f"All {T} blocks, each once.")
    expect(sorted(order) == list(range(1, T + 1)), f"The blocks are numbered 1 to {T}, each once.")
    heard = dt(DEFAULT)[0].listening.noise
    worst = int(heard.argmin()) + 1
    expect(order[0] != worst, f"Block {worst} is the worst of all on pure noise: you have the order turned round.")
    expect(order[-1] == worst, "Which block is handed the label almost clean, and so needs the image least?")
    rank = np.empty(T)
    rank[np.array(order) - 1] = np.arange(T)
    late = [t for t in range(T) if heard[t] < heard.max() - 0.02]
    wrong = [(s + 1, t + 1) for s in late for t in range(T) if heard[t] > heard[s] + 0.02 and rank[t] > rank[s]]
    expect(not wrong, "The end is right. Before it, one pair is in the wrong order although the accuracies on pure "
                      "noise differ by more than 0.02: the more label a block is fed, the less it needs x.")
    return correct("On pure noise: " + ", ".join(f"block {t + 1} {value:.2f}" for t, value in enumerate(heard)) + ".")


@checker(3)
def check_3(answer: Callable[[NoPropDT, Tensor], Tensor]) -> Feedback | None:
    """readout(model, X) -> labels: deterministic, without training, better than a single run by 0.05."""
    model, data = model_and_data(DEFAULT, "early")
    before = [value.clone() for value in model.blocks.state_dict().values()]
    found = torch.as_tensor(answer(model, data.test_x.clone()))
    expect(found.shape == data.test_y.shape, f"One label a row is needed: the shape is {tuple(data.test_y.shape)}.")
    same = all(torch.equal(a, b) for a, b in zip(before, model.blocks.state_dict().values(), strict=True))
    expect(same, "The model's weights have changed: no training here.")
    expect(
        torch.equal(found, torch.as_tensor(answer(model, data.test_x.clone()))),
        "Two calls give different labels: the readout must not draw anything at random.",
    )
    single = float(dt(DEFAULT)[0].early.reading.single.mean())
    score = float((found == data.test_y).double().mean())
    expect(score > single, f"{score:.3f}, and a single run has {single:.3f}: nothing gained yet.")
    expect(score >= single + GAIN, f"{score:.3f} against {single:.3f} of a single run: better, but {GAIN:g} more is "
                                   "asked. What does each û_t say, and which noise can be left out?")
    return correct(f"{score:.3f} against {single:.3f} of a single run, with the same weights.")
