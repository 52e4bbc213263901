"""diffGrad: An Optimization Method for Convolutional Neural Networks (Dubey et al. 2019, arXiv 1909.11015).

Reads in this order: `friction` (what the paper adds to Adam), `functional` and `optimizer` (the step), `toys` (its
Fig. 4), `regret` (its Theorem 1), `networks` (training), `claims` (settings, claims and how they are measured).
"""
from __future__ import annotations

from gradscape.optimizers.diffgrad.friction import VARIANTS, change_for, friction
from gradscape.optimizers.diffgrad.functional import diffgrad_state, diffgrad_update, step_
from gradscape.optimizers.diffgrad.optimizer import DiffGrad, FrictionRecord

__all__ = [
    "VARIANTS", "DiffGrad", "FrictionRecord", "change_for", "diffgrad_state", "diffgrad_update", "friction", "step_",
]
