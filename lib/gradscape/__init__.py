"""Gradscape: 27 papers about gradients, noise and learning, as notebooks over one tested library.

Importing the package loads nothing heavy; subpackages load when they are first used.
"""
from __future__ import annotations

import lazy_loader

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    [
        "agents", "batch", "catalog", "credit", "datasets", "diffusion", "distributed", "dynamics", "ensemble",
        "generative", "learning", "lesson", "lessons", "metrics", "numerics", "optimizers", "recovery", "results",
        "robustness", "stats", "workbench",
    ],
)
