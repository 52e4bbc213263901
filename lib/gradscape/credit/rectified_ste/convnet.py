"""Model B: a small binary convolutional network on Fashion-MNIST, one run after another (arXiv 2308.06689)."""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from gradscape.credit.rectified_ste.estimators import o_schedule
from gradscape.credit.rectified_ste.experiments import O_CLAIMED, images
from gradscape.credit.rectified_ste.indicators import estimating_error, gradient_instability
from gradscape.credit.rectified_ste.layers import binary_layers, set_o
from gradscape.credit.rectified_ste.networks import accuracy, small_convnet
from gradscape.credit.rectified_ste.settings import Settings
from gradscape.credit.rectified_ste.training import BATCH, DECAY, MOMENTUM, ORDER, Progress
from gradscape.ensemble import SharedBatches
from gradscape.lesson import generator, protocol, seeds_of

Array = NDArray[np.float64]


@dataclass(frozen=True)
class ConvRuns:
    """Test accuracy, estimating error and mean gradient instability (o_end, seeds)."""

    o_end: tuple[float, ...]
    acc: Array
    e: Array
    s: Array


@protocol
def conv_runs(settings: Settings, *, progress: Progress = None) -> ConvRuns:
    """o_end 1, 3, 10, 30; ``conv_seeds`` starts each; the rate, the batches and the schedule are model A's."""
    seeds = seeds_of(settings, settings.size.conv_seeds)
    found = np.zeros((3, len(O_CLAIMED), len(seeds)))
    for k, o_end in enumerate(O_CLAIMED):
        for r, seed in enumerate(seeds):
            found[:, k, r] = conv_run(settings, o_end, seed)
            if progress is not None:
                progress(k * len(seeds) + r + 1, len(O_CLAIMED) * len(seeds))
    return ConvRuns(O_CLAIMED, *found)


def conv_run(settings: Settings, o_end: float, seed: int) -> tuple[float, float, float]:
    """(accuracy, e, s) of one network."""
    data, epochs = images("fashion", settings.size.rows, settings.seed), settings.size.conv_epochs
    x, test = (rows.view(-1, 1, 14, 14) for rows in (data.x, data.test[0]))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = small_convnet()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=MOMENTUM, weight_decay=DECAY)
    rate = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
    batches, layers, s = SharedBatches(len(x), BATCH, generator(settings.seed, ORDER)), binary_layers(net), []
    for epoch in range(epochs):
        set_o(net, o_schedule(epoch, epochs, o_end))
        for _ in range(len(x) // BATCH):
            index = batches.draw()
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(net(x[index]), data.y[index]).backward()
            grads = [layer.weight.grad for layer in layers if layer.weight.grad is not None]
            s.append(float(gradient_instability(grads).sum()))
            optimizer.step()
        rate.step()
    e = float(estimating_error([layer.weight.detach() for layer in layers], o_end).sum())
    return accuracy(net, test, data.test[1]), e, float(np.mean(s))
