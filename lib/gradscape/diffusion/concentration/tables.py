"""The lesson's recorded tables: larger images, digits, a sampler with churn, stochastic gradient descent."""
from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from gradscape import results
from gradscape.diffusion.concentration.classifiers import sgd_classifier
from gradscape.diffusion.concentration.experiments import Universality, universality_of
from gradscape.diffusion.concentration.images import Plan
from gradscape.diffusion.concentration.settings import SIZES, Settings, Sizes
from gradscape.lesson import generator, replicate_seed

LESSON = "diffusion/concentration"
CHURN, CHURN_STEPS = 40.0, 256  # of the paper's sampler
EPOCHS = 600  # the paper's; batches of 64
SGD_DRAWS = 5


def sgd_of(seed: int) -> Callable[[Tensor, float], Tensor]:
    """Stochastic gradient descent as the classifier: the penalty as weight decay."""
    stream = generator(seed, 20)
    return lambda X, lam: sgd_classifier(X, lam, epochs=EPOCHS, generator=stream)


def variants(settings: Settings) -> dict[str, Callable[[], Universality]]:
    """Each variant as a computation; the images of 7 x 7 keep the sizes of the profile quick."""
    full, quick, seed = settings.size, SIZES["quick"], replicate_seed(settings.seed, 0)
    small = quick if settings.profile == "full" else full

    def run(
        size: Sizes, features: str, classes: str = "0 2 4 6", ns: tuple[int, ...] | None = None, draws: int = 0,
        lams: tuple[float, ...] | None = None, **options: Any,
    ) -> Universality:
        plan = Plan(features, classes, size.steps, size.width, size.depth, seed)
        return universality_of(plan, ns or size.n, lams or size.lams, size.moments, size.pool, size.test,
                               draws or size.draws, **options)

    return {
        "14 x 14": functools.partial(run, full, "14x14"),
        "7 x 7": functools.partial(run, small, "7x7"),
        "7 x 7, churn 40, 256 steps": functools.partial(
            run, small, "7x7", sampler_steps=CHURN_STEPS, churn=CHURN),
        "7 x 7, SGD": functools.partial(
            run, small, "7x7", ns=small.n[1:], draws=min(SGD_DRAWS, small.draws), lams=(1e-2,), fit=sgd_of(seed)),
        "digits, ten classes": functools.partial(run, small, "digits", "all ten", ns=small.n[:2]),
        "7 x 7, ten classes": functools.partial(run, small, "7x7", "all ten"),
    }


def universality_table(settings: Settings) -> results.Table:
    """Mean errors of each source with their standard errors, and the predicted ones."""
    sources = ("diffusion", "mixture", "real", "real_mixture")
    columns: dict[str, list] = {name: [] for name in ("variant", "n", "lam", *sources, "se", "predicted")}
    for variant, run in variants(settings).items():
        found = run()
        for i, lam in enumerate(found.lams):
            for k, n in enumerate(found.ns):
                means = {name: float(getattr(found, name)[i, k].mean()) for name in sources}
                pair = torch.stack([found.diffusion[i, k], found.mixture[i, k]])
                row: dict[str, Any] = {
                    "variant": variant, "n": n, "lam": lam,
                    "se": float((pair.var(1) / pair.shape[1]).sum().sqrt()), "predicted": float(found.predicted[i, k]),
                } | {name: mean if mean == mean else None for name, mean in means.items()}
                for name, value in row.items():
                    columns[name].append(value)
    return results.make(LESSON, "universality", columns, settings)


TABLES: dict[str, Callable[[Settings], results.Table]] = {"universality": universality_table}
