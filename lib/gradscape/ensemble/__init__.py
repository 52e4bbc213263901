"""Many networks at once: stacked parameters, closed-form gradients, one generator per member.

>>> net = StackedMLP((64, 32, 10), 5, generators=range(5))
>>> fit(net, (inputs, labels), loss=cross_entropy, lr=0.1, steps=100, batches=16)
"""
from __future__ import annotations

from gradscape.ensemble.activations import ACTIVATIONS, Activation, activation
from gradscape.ensemble.fit import Batches, Fit, SharedBatches, Update, fit, sgd
from gradscape.ensemble.losses import CrossEntropy, Loss, MeanSquaredError, align, cross_entropy, mse
from gradscape.ensemble.stacked import INITS, StackedMLP, Tape, member_generators, vmap_loss_and_grads

__all__ = [
    "ACTIVATIONS",
    "INITS",
    "Activation",
    "Batches",
    "CrossEntropy",
    "Fit",
    "Loss",
    "MeanSquaredError",
    "SharedBatches",
    "StackedMLP",
    "Tape",
    "Update",
    "activation",
    "align",
    "cross_entropy",
    "fit",
    "member_generators",
    "mse",
    "sgd",
    "vmap_loss_and_grads",
]
