"""Solutions of the input-gradients lesson's exercises, and wrong answers with the hint that each should get."""
from __future__ import annotations

import torch


def absent(images, generator):
    gone = torch.rand(len(images), generator=generator) < 0.5
    images[gone, images.shape[1] // 2 :] = 0
    return images


def fading(images, generator):
    images[:, images.shape[1] // 2 :] *= 0.5
    return images


def dropping(images, generator):
    images[:] = images * (torch.rand(len(images), 1, generator=generator) < 0.5)
    return images


def template(gradient, predicted, train_gradient, train_predicted):
    return train_gradient.mean(0).expand_as(gradient)


ORDER = ("block", "top", "absent")


def both(build, order=ORDER):
    return lambda images, generator: (build(images, generator), order)


SOLUTIONS = {1: lambda relevant: 1 / relevant, 2: both(absent), 3: template}
SLOW = (2, 3)

# exercise -> (answer, part of the hint)
WRONG = {
    1: [
        (lambda relevant: 0.5, "holds for |S| = 2"),
        (lambda relevant: relevant**-0.5, "l2 attack"),
        (lambda relevant: 0.5 / relevant, "starts from 1"),
        (lambda relevant: 1 / (relevant - 1), "can be attacked too"),
        (lambda relevant: 2.0 * relevant, "between 0 and 1"),
        (lambda relevant: 0.3, "let every place of S move"),
    ],
    2: [
        (absent, "A pair is needed"),
        (both(absent, ("block", "top")), "each of block, top, absent once"),
        (both(dropping), "must stay"),
        (both(fading), "not faded"),
        (both(lambda images, generator: images), "toss a fair coin"),
        (both(absent, ("top", "block", "absent")), "signal of other images"),
        (both(absent, ("block", "absent", "top")), "serve as a bias"),
        (lambda images, generator: (images[:, :10], ORDER), "has shape"),
    ],
    3: [
        (lambda gradient, predicted, train_gradient, train_predicted: gradient, "still spell the label"),
        (lambda gradient, predicted, train_gradient, train_predicted: -template(
            gradient, predicted, train_gradient, train_predicted), "upside down"),
        (lambda gradient, predicted, train_gradient, train_predicted: torch.rand(
            gradient.shape, generator=torch.Generator().manual_seed(0)), "has lost what the gradient knew"),
        (lambda gradient, predicted, train_gradient, train_predicted: torch.full_like(gradient, torch.nan), "NaN"),
        (lambda gradient, predicted, train_gradient, train_predicted: gradient[0], "has shape"),
    ],
}
