"""Checkers of the recoding lesson's exercises."""
from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from gradscape.credit.recoding.grammar import exact_surprisal, garden_path_corpus
from gradscape.credit.recoding.signals import DETERMINISTIC, error_signal, error_signal_grad
from gradscape.numerics.solve import top_singular
from gradscape.workbench import Feedback, as_array, as_number, checker, correct, expect

SAME = 1e-6  # relative to the largest entry: a formula is right or wrong
NEAR = 0.005  # of exercise 2
SENTENCES = 1000
TRIALS = 6


def _case(seed: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, int]:
    generator = torch.Generator().manual_seed(seed)
    W, h = (torch.randn(*shape, generator=generator, dtype=torch.float64) for shape in ((7, 4), (1, 4)))
    y = int(torch.randint(7, (1,), generator=generator))
    return W, h, (h @ W.T).softmax(-1)[0], y


@checker(1)
def check_1(answer: Callable[..., Any]) -> Feedback | None:
    """A function (kind, p, W, y) that returns ∂δ/∂h for the three deterministic signals."""
    for kind in DETERMINISTIC:
        for seed in range(TRIALS):
            W, h, p, y = _case(seed)
            given = as_array(answer(kind, p.numpy(), W.numpy(), y), f"the gradient of {kind}", (4,))
            leaf = h.clone().requires_grad_()
            [true] = torch.autograd.grad(error_signal(kind, leaf @ W.T, torch.tensor([y])).sum(), leaf)
            wanted, p_y = true[0].numpy(), float(p[y])

            def near(values: np.ndarray, given: np.ndarray = given, wanted: np.ndarray = wanted) -> bool:
                return bool(np.abs(given - values).max() <= SAME * np.abs(wanted).max())

            expect(not near(-wanted), f"{kind}: the sign is turned. A step goes *against* the gradient.")
            if kind == "entropy":
                expect(not near(-(p * p.log()).numpy() @ W.numpy()),
                       "entropy: nearly. Adding a constant to all logits must not change anything, so the entries "
                       "before W have to sum to zero.")
            if kind == "surprisal_thesis":
                away = (p - torch.eye(7, dtype=torch.float64)[y]).numpy() @ W.numpy()
                expect(not near(-(1 + math.log(p_y)) * p_y**-p_y * away),
                       "surprisal_thesis: that is dδ/dp times p − e_y. What is ∂p_y/∂logits?")
                expect(not near(away), "surprisal_thesis: that is the gradient of −log p. The signal is p^(−p) − 1.")
            expect(near(wanted), f"{kind}: not what autograd finds (word {y}, p = {p_y:.3f}). Chain rule: signal, "
                                 "softmax, decoder.")
    return correct("All three are W' times a vector that sums to zero; only the thesis signal can turn its sign.")


@checker(2)
def check_2(place: Any, share: Any) -> Feedback | None:
    """The probability at which the thesis signal turns, and the share of words below it."""
    p, below = as_number(place, "the probability"), as_number(share, "the share")
    expect(0 < p < 1, "A probability between 0 and 1 is asked for.")
    wanted = 1 / math.e
    if abs(p - wanted) > NEAR:
        side = "rises" if p < wanted else "falls"
        expect(False, f"At p = {p:.3f} the signal still {side} with p. Where is its derivative zero?")
    true = np.concatenate([exact_surprisal(words) for words in garden_path_corpus(SENTENCES, 0)])
    found = float((np.exp(-true) < wanted).mean())
    expect(not abs(below - (1 - found)) <= NEAR, "That is the share of words *above* it.")
    whole = float(np.mean([min(np.exp(-exact_surprisal(w))) < wanted for w in garden_path_corpus(SENTENCES, 0)]))
    expect(not abs(below - whole) <= NEAR, "That is the share of *sentences* with such a word. Count words.")
    expect(abs(below - found) <= NEAR, f"The place is right. The share is not {below:.3f}: take exp(−exact_surprisal) "
                                       "of every word of every sentence.")
    return correct("For about half of all words the published signal makes the true word less likely.")


@checker(3)
def check_3(answer: Callable[[Any], Any]) -> Feedback | None:
    """A function W -> largest step size that the bound guarantees, 2/L."""
    for seed in range(TRIALS):
        generator = torch.Generator().manual_seed(seed)
        W = torch.randn(11 + seed, 5, generator=generator, dtype=torch.float64) * (0.5 + seed)
        given = as_number(answer(W.numpy().copy()), "α")
        top = float(top_singular(W, tol=1e-10, max_steps=10_000).s)
        wanted = 4 / top**2

        def near(value: float, given: float = given) -> bool:
            return abs(given / value - 1) <= NEAR

        expect(given > 0, "A step size is positive.")
        expect(not near(2 / top**2), "Half as large as allowed. Is that 1/L, where the bound is best? Or did you take "
                                     "L = ‖W‖²? The covariance of a softmax is at most ½.")
        expect(not near(4 / top), "‖W‖ enters squared: once on the way to the logits, once on the way back.")
        expect(not near(4 / float(W.square().sum())), "Safe, but too careful: that is the Frobenius norm. The bound "
                                                      "needs the largest singular value.")
        expect(near(wanted), f"For a weight of {len(W)} x 5 with largest singular value {top:.4g} it should be "
                             f"{wanted:.4g}, you give {given:.4g}.")
        h, y = torch.randn(500, 5, generator=generator, dtype=torch.float64), torch.arange(500) % len(W)
        after = h - given * error_signal_grad("surprisal", h @ W.T, W, y)
        rose = error_signal("surprisal", after @ W.T, y) > error_signal("surprisal", h @ W.T, y) + 1e-9
        expect(not bool(rose.any()), f"With α = {given:.4g} the signal rises at {int(rose.sum())} of 500 states.")
    return correct("The lesson's decoder allows steps of about a tenth. Larger ones may still go down; "
                   "nothing promises it.")
