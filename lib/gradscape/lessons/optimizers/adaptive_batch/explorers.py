"""Explorers of the adaptive-batch lesson: the streaming problem (quick), one batch (live), images (run)."""
from __future__ import annotations

from typing import Any

from gradscape.lessons.optimizers.adaptive_batch.figures import fig_one_batch, fig_own_stream, fig_trained
from gradscape.optimizers.adaptive_batch.experiments import (
    OneBatch,
    OwnStream,
    Trained,
    one_batch,
    own_stream,
    own_training,
)
from gradscape.optimizers.adaptive_batch.settings import Settings
from gradscape.workbench import Control, Explorer, Task, Values, explore, field, redraw

# ν matters to the augmented test alone and is moved in the explorer of one batch
STREAM = ("test", "method", "eta", "theta", "alpha", "sigma", "b0", "cap")


def explorer_stream(settings: Settings) -> Explorer:
    """One run of the streaming problem with any test; it stops early where batches stay large for long."""

    def compute(values: Values, task: Task) -> OwnStream:
        return own_stream(values.settings, lambda: task.cancelled)

    return explore(
        compute, redraw(fig_own_stream), [field(name) for name in STREAM], settings=settings, name="stream",
        mode="quick",
        presets={
            "strict": {"eta": 0.25}, "η = 1.2: never grows": {"eta": 1.2},
            "inner product": {"test": "inner product"},
            "the test of AdaGrad's theory": {"test": "coordinate", "method": "AdaGrad", "eta": 0.9},
        },
    )


def explorer_batch(settings: Settings) -> Explorer:
    """One batch at a frozen point: its gradients, and what the four tests ask for."""

    def compute(values: Values, task: Task) -> OneBatch:
        return one_batch(values.b, values.distance, values.eta, values.theta, values.nu, values.sigma, settings.seed)

    return explore(
        compute, redraw(fig_one_batch),
        [Control("b", "int", 2, 4096, scale="log2", default=64, about="samples in the batch"),
         Control("distance", lo=0.02, hi=3.0, scale="log", default=0.5, symbol="‖e‖", about="from the solution"),
         *map(field, ("eta", "theta", "nu", "sigma"))],
        settings=settings, name="batch",
        presets={
            "far away": {"distance": 1.5}, "near the solution": {"distance": 0.05}, "two samples": {"b": 2},
        },
    )


def explorer_train(settings: Settings) -> Explorer:
    """Train softmax regression or a small network on images with any test."""

    def compute(values: Values, task: Task) -> tuple[Trained, Trained]:
        return own_training(values.settings, progress=task.step)

    return explore(
        compute, redraw(fig_trained), [field(name) for name in ("test", "eta", "theta", "nu", "lr", "model")],
        settings=settings, name="train", mode="run", initial=own_training(settings),
        presets={
            "few steps": {"eta": 0.25}, "a network": {"model": "network", "eta": 0.9},
            "inner product": {"test": "inner product"}, "a larger rate": {"lr": 0.1, "eta": 0.9},
        },
    )


EXPLORERS: dict[str, Any] = {"stream": explorer_stream, "batch": explorer_batch, "train": explorer_train}
