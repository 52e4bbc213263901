"""Checkers of the input-gradients lesson's exercises."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache

import torch
from torch import Tensor

from gradscape.ensemble import StackedMLP
from gradscape.lesson import generator, replicate_seed
from gradscape.robustness.input_gradients.blocks import block_images, leakage
from gradscape.robustness.input_gradients.gradients import input_gradient
from gradscape.robustness.input_gradients.images import (
    HIDDEN_BLOCK,
    HIDDEN_ROAR,
    Split,
    fashion_split,
    l2_adversary,
    standard_options,
    train_blocks,
)
from gradscape.robustness.input_gradients.roar import diffroar
from gradscape.robustness.input_gradients.settings import CLASSES, RICH, ROAR_EPS
from gradscape.robustness.input_gradients.simplified import largest_robust_eps
from gradscape.robustness.input_gradients.training import fit, network
from gradscape.workbench import Feedback, as_array, as_number, checker, correct, expect

PLACES = (2, 5, 10)
SEED, PAIR, SIDE = 7, 2, 14  # data seed, networks and block size of exercise 2
LEVEL, BLIND, GAIN = 0.1, 0.40, 2.0  # exercise 3: level, bound on mask-only accuracy, points of DiffROAR
NAMES = ("block", "top", "absent")


@checker(1)
def check_1(answer: Callable[[int], float]) -> Feedback | None:
    """The largest linf radius that a linear rule on |S| places withstands."""
    found = [as_number(answer(count), f"the radius for |S| = {count}") for count in PLACES]
    truth = [largest_robust_eps(count) for count in PLACES]
    close = [abs(a - b) < 1e-6 for a, b in zip(found, truth, strict=True)]
    if all(close):
        return correct("With |S| = 10 a linear rule withstands 0.1. The lesson's networks withstand 0.35: they "
                       "cannot be linear.")
    expect(not all(abs(a - 0.5) < 1e-6 for a in found),
           "That holds for |S| = 2. With more places the attack adds up over more of them.")
    expect(not all(abs(a - count**-0.5) < 1e-6 for a, count in zip(found, PLACES, strict=True)),
           "That is how an l2 attack scales. Here each place moves by ε on its own, so the effects add without a root.")
    expect(not all(abs(a - 1 / (2 * count)) < 1e-6 for a, count in zip(found, PLACES, strict=True)),
           "Half of it: y s·x starts from 1, not from 1/2, and need only stay above 0.")
    expect(not all(abs(a - 1 / (count - 1)) < 1e-6 for a, count in zip(found, PLACES, strict=True)),
           "The place of the signal can be attacked too: it keeps 1 - ε.")
    expect(all(0 < a <= 1 for a in found), "A radius between 0 and 1 is needed.")
    expect(False, "Not yet. Write y s·(x + δ) for s = 1 on S, and let every place of S move by ε against y.")
    return None


@cache
def known() -> dict[str, float]:
    """Median λ of Block and Top, means of two networks."""
    made = train_blocks(fashion_split(SEED, 2, 3000, 800, CLASSES), SEED, PAIR, 8, RICH, variants=("standard", "top"))
    return {"block": float(made.median_lam("standard").mean()), "top": float(made.median_lam("top").mean())}


def train_absent(images: Tensor, labels: Tensor, split: Split) -> float:
    """Median λ of two networks trained on ``images``, on test images whose null block is there."""
    x_test, _, on_top = block_images(split.x_test, split.y_test, generator(SEED, 70_001), "top")
    net = network((images.shape[1], *HIDDEN_BLOCK, len(CLASSES)), [replicate_seed(SEED, r) for r in range(PAIR)], RICH)
    fit(net, images, labels, **standard_options(8, SEED))
    lam, _ = leakage(input_gradient(net, x_test), on_top, SIDE)
    return float(lam.median(-1).values.mean())


@checker(2)
def check_2(answer: Callable[[Tensor, torch.Generator], tuple[Tensor, Sequence[str]]]) -> Feedback | None:
    """(images, order): the third data set from Top's images, and the three names from the largest λ to the smallest."""
    split = fashion_split(SEED, 2, 3000, 800, CLASSES)
    top, labels, _ = block_images(split.x, split.y, generator(SEED, 70_000), "top")
    given = answer(top.clone(), generator(SEED, 70_002))
    expect(isinstance(given, tuple) and len(given) == 2, "A pair is needed: the images, and the order of the names.")
    named = [str(name) for name in given[1]]
    expect(sorted(named) == sorted(NAMES), f"The order must hold each of {', '.join(NAMES)} once.")
    made = torch.as_tensor(as_array(given[0], "the images", shape=tuple(top.shape))).float()
    half = top.shape[1] // 2
    expect(torch.equal(made[:, :half], top[:, :half]), "The signal block, the first half of each row, must stay.")
    there, gone = ((made[:, half:] == ref).all(1) for ref in (top[:, half:], torch.zeros(half)))
    expect(bool((there | gone).all()), "Each null block must be whole, or all zeros: not faded, not pixel by pixel.")
    share = float(gone.float().mean())
    expect(0.4 < share < 0.6, f"{share:.0%} of the null blocks are absent: toss a fair coin for each image.")
    by_class = [float(gone[labels == c].float().mean()) for c in range(len(CLASSES))]
    expect(max(by_class) - min(by_class) < 0.15, "The absence tells the label: it must be independent of the class.")
    found = known() | {"absent": train_absent(made, labels, split)}
    ranked = sorted(NAMES, key=lambda name: -found[name])
    told = ", ".join(f"{name} {found[name]:.2f}" for name in ranked)
    expect(named[0] == "block", "Not so. In which data set does the lower block carry the signal of other images?")
    expect(named == ranked, "Top and absent stand in the wrong order. In one of them the null block is a constant, and "
                            "can serve as a bias; in the other it would be noise to the logits.")
    return correct(f"As measured: {told}. Presence alone makes no leak; a place lights up if it carries the label in "
                   "some images.")


@cache
def robust_gradients() -> tuple[Split, Tensor, Tensor, Tensor, Tensor]:
    """Images, |gradients| of one robust network on training and test images, and its predictions."""
    split = fashion_split(SEED, 2, 3000, 1000)
    net = network((split.x.shape[1], *HIDDEN_ROAR, 10), [replicate_seed(SEED, 0)], RICH)
    fit(net, split.x, split.y, adversary=l2_adversary(ROAR_EPS), **standard_options(8, SEED))
    first, second = (input_gradient(net, x)[0].abs() for x in (split.x, split.x_test))
    return split, first, second, net(split.x)[0].argmax(-1), net(split.x_test)[0].argmax(-1)


@checker(3)
def check_3(answer: Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]) -> Feedback | None:
    """A score (N, d) from gradients (N, d), predictions (N,), and those of the training images."""
    few = torch.rand(20, SIDE * SIDE, generator=generator(SEED, 70_004))
    answer(few, torch.arange(20) % 10, few.clone(), torch.arange(20) % 10)  # a stub is not worth training for
    split, first, second, read, read_test = robust_gradients()
    scores = [torch.as_tensor(as_array(answer(g.clone(), p.clone(), first.clone(), read.clone()), "the score",
                                       shape=tuple(g.shape))).float()
              for g, p in ((first, read), (second, read_test))]
    expect(all(bool(torch.isfinite(score).all()) for score in scores), "The score holds NaN or infinite values.")

    def fresh(members: int) -> StackedMLP:
        return network((split.x.shape[1], *HIDDEN_ROAR, 10), [replicate_seed(SEED, 100 + m) for m in range(members)],
                       RICH)

    found = diffroar(split.x, split.y, split.x_test, split.y_test, scores[0], scores[1], (LEVEL,), fresh,
                     standard_options(5, SEED), generator=generator(SEED, 70_003))
    blind, gain = float(found.mask_only_top[0, 0]), 100 * float(found.diff[0, 0])
    told = f"Mask-only accuracy at k = .1 is {blind:.2f}, DiffROAR {gain:+.1f} points"
    expect(blind < BLIND, f"{told}. The masks still spell the label: what in them differs from class to class?")
    expect(gain > -GAIN, f"{told}. The order is upside down.")
    expect(gain >= GAIN, f"{told}. The masks are silent now, but the score has lost what the gradient knew.")
    return correct(f"{told}. One ranking for all images cannot tell the label; it says which *places* matter, and no "
                   "longer claims to explain an image.")
