"""R^3L: Reflect-then-Retry Reinforcement Learning with Language-Guided Exploration, Pivotal Credit, and Positive
Amplification (Shi and others 2026, arXiv 2601.03715).

Reads in this order: `credit` (amplified advantages, the pivotal mask), `reflection` (what an attempt is judged to be),
`retrying` (replay, guidance, the distilled copy), `trainer` (the loop, with all baselines), then `settings`,
`attempts` and `experiments`, `claims` and `tables`.
"""
from __future__ import annotations

from gradscape.agents.policy_gradient import grpo_advantages, kl_k3, policy_gradient_loss
from gradscape.agents.reflect_retry.claims import CLAIMS, MEASURES, measure, point
from gradscape.agents.reflect_retry.credit import (
    RULES,
    advantage_mass,
    dominance_ratio,
    pivotal_mask,
    positive_amplification,
)
from gradscape.agents.reflect_retry.reflection import (
    REFLECTORS,
    Reflection,
    oracle_reflect,
    random_reflect,
    reflect,
    trigger,
)
from gradscape.agents.reflect_retry.retrying import Retry, retry
from gradscape.agents.reflect_retry.settings import LABELS, SIZES, VARIANTS, Settings, Sizes
from gradscape.agents.reflect_retry.tables import TABLES
from gradscape.agents.reflect_retry.trainer import METHODS, Experience, History, Trainer

__all__ = [
    "CLAIMS", "LABELS", "MEASURES", "METHODS", "REFLECTORS", "RULES", "SIZES", "TABLES", "VARIANTS", "Experience",
    "History", "Reflection", "Retry", "Settings", "Sizes", "Trainer", "advantage_mass", "dominance_ratio",
    "grpo_advantages", "kl_k3", "measure", "oracle_reflect", "pivotal_mask", "point", "policy_gradient_loss",
    "positive_amplification", "random_reflect", "reflect", "retry", "trigger",
]
