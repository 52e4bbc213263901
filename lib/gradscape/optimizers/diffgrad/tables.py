"""The lesson's recorded tables: the accuracy grid, and Tables I and II of arXiv 1909.11015 at laptop scale."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from gradscape import lesson, results
from gradscape.optimizers.diffgrad import cnn
from gradscape.optimizers.diffgrad.experiments import LRS, PAPER_LR, grid, images, limits
from gradscape.optimizers.diffgrad.networks import trajectory_distance
from gradscape.optimizers.diffgrad.optimizer import DiffGrad
from gradscape.optimizers.diffgrad.settings import Settings

LESSON = "optimizers/diffgrad"


def grid_table(settings: Settings) -> results.Table:
    """Mean and standard deviation of the MLP's accuracy for each optimizer and learning rate, over ``n`` seeds."""
    accuracy, half = grid(settings.protocol).accuracy, limits(settings.protocol).half
    shares = {"adam": accuracy[:, 0], "half": half, "diffgrad": accuracy[:, 1]}
    rows = [(name, lr, values[:, j]) for name, values in shares.items() for j, lr in enumerate(LRS)]
    return results.make(LESSON, "grid", {
        "optimizer": [name for name, *_ in rows], "lr": [lr for _, lr, _ in rows],
        "accuracy": [float(values.mean()) for *_, values in rows],
        "deviation": [float(values.std(ddof=min(1, len(values) - 1))) for *_, values in rows],
        "n": [len(values) for *_, values in rows],
    }, settings)


def baselines_table(settings: Settings) -> results.Table:
    """Tables I and II of the paper at laptop scale: the CNN with each optimizer and friction variant at lr 1e-3.

    ``to_half`` and ``to_adam``: distance of the end weights to those of Adam at lr / 2 and at lr.
    """
    data, test = images(settings)
    makers = dict(cnn.BASELINES)
    makers |= {f"diffgrad {v}": _with_variant(v) for v in ("dfc1", "dfc2", "dfc3", "dfc4", "dfc5")}
    seeds = [lesson.replicate_seed(settings.seed, r) for r in range(settings.size.cnn_seeds)]
    ends: dict[str, list[torch.Tensor]] = {}
    shares: dict[str, list[float]] = {}
    for name, make in makers.items():
        for seed in seeds:
            model = cnn.small_cnn(seed).to(settings.device)
            cnn.train_cnn(model, data, make(model.parameters(), lr=PAPER_LR), steps=settings.size.cnn_steps, seed=seed)
            ends.setdefault(name, []).append(cnn.weights(model))
            shares.setdefault(name, []).append(cnn.accuracy(model, test))
    starts = [cnn.weights(cnn.small_cnn(seed).to(settings.device)) for seed in seeds]

    def distance(name: str, reference: str) -> float:
        triples = zip(ends[name], ends[reference], starts, strict=True)
        return float(np.mean([float(trajectory_distance(a, b, start)) for a, b, start in triples]))

    return results.make(LESSON, "baselines", {
        "optimizer": list(makers), "accuracy": [float(np.mean(shares[name])) for name in makers],
        "lowest": [min(shares[name]) for name in makers], "highest": [max(shares[name]) for name in makers],
        "to_half": [distance(name, "half") for name in makers], "to_adam": [distance(name, "adam") for name in makers],
    }, settings)


def _with_variant(variant: str) -> Callable[..., torch.optim.Optimizer]:
    return lambda params, lr: DiffGrad(params, lr=lr, variant=variant)


TABLES: dict[str, Callable[[Any], results.Table]] = {"grid": grid_table, "baselines": baselines_table}
