"""The lesson's recorded table: a network with one hidden layer under every schedule."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from gradscape import results
from gradscape.optimizers.adaptive_batch import plans
from gradscape.optimizers.adaptive_batch.experiments import LR, SMALLEST, Trained, controller, train_model
from gradscape.optimizers.adaptive_batch.settings import Settings

LESSON = "optimizers/adaptive_batch"


def networks_table(settings: Settings) -> results.Table:
    """784-32-10 with AdaGrad at lr 0.03: steps, last batch, training loss and test accuracy, means over seeds."""
    settings = settings.protocol
    n, epochs = settings.size.images, settings.size.network_epochs
    makers: dict[str, Callable[[], plans.BatchSizes]] = {
        "constant 32": lambda: plans.constant(SMALLEST),
        "adaptive η = 0.9": lambda: controller(settings, "norm", 0.9),
        "adaptive η = 0.5": lambda: controller(settings, "norm", 0.5),
        "adaptive η = 0.25": lambda: controller(settings, "norm", 0.25),
        "inner product 0.5": lambda: controller(settings, "inner product", 0.5),
        "doubling": lambda: plans.doubling(SMALLEST, n, n * epochs),
        "constant n": lambda: plans.constant(n),
    }
    runs = {
        name: [
            train_model(settings, "network", make(), name, lr=LR, replicate=r, epochs=epochs)
            for r in range(settings.size.network_seeds)
        ]
        for name, make in makers.items()
    }

    def mean(value: Callable[[Trained], float]) -> list[float]:
        return [float(np.mean([value(run) for run in of])) for of in runs.values()]

    return results.make(LESSON, "networks", {
        "schedule": list(runs), "steps": mean(lambda run: len(run.history.batch)),
        "last_batch": mean(lambda run: run.history.scheduled[-1]), "loss": mean(lambda run: run.loss),
        "accuracy": mean(lambda run: run.accuracy),
        "lowest": [min(run.accuracy for run in of) for of in runs.values()],
        "highest": [max(run.accuracy for run in of) for of in runs.values()],
        "n": [len(of) for of in runs.values()],
    }, settings)


TABLES: dict[str, Callable[[Any], results.Table]] = {"networks": networks_table}
