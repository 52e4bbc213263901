"""TopoCurate: Modeling Interaction Topology for Tool-Use Agent Training (Yang and others 2026, arXiv 2603.01714).

Reads in this order: `equivalence` (which turns are the same), `graph` (all trials of a task as one graph), `scores` (of
trials and of tasks), `selection` (what to learn from), `reinforcement` (gradient signal-to-noise ratio, GRPO), `pools`
(teachers), then `settings`, `experiments`, `claims` and `tables`.
The paper's formulas could not be read: those here are reconstructed from its prose.
"""
from __future__ import annotations

from gradscape.agents.policy_gradient import pass_at_k
from gradscape.agents.topocurate.claims import CLAIMS, MEASURES, measure, point
from gradscape.agents.topocurate.equivalence import JaccardEquivalence
from gradscape.agents.topocurate.graph import QuotientGraph, Trajectory, to_networkx
from gradscape.agents.topocurate.pools import Pool, make_pool
from gradscape.agents.topocurate.reinforcement import SNR, gradient_snr, group_gradients, snr_of, train_grpo
from gradscape.agents.topocurate.scores import (
    diversity,
    efficiency,
    error_branch_ratio,
    recovery,
    strategic_heterogeneity,
    trajectory_scores,
)
from gradscape.agents.topocurate.selection import select_tasks, select_trajectories, task_scores, trial_weights
from gradscape.agents.topocurate.settings import SIZES, VARIANTS, Settings, Sizes
from gradscape.agents.topocurate.tables import TABLES
from gradscape.agents.turnpolicy.learning import sft

__all__ = [
    "CLAIMS", "MEASURES", "SIZES", "SNR", "TABLES", "VARIANTS", "JaccardEquivalence", "Pool", "QuotientGraph",
    "Settings", "Sizes", "Trajectory", "diversity", "efficiency", "error_branch_ratio", "gradient_snr",
    "group_gradients", "make_pool", "measure", "pass_at_k", "point", "recovery", "select_tasks", "select_trajectories",
    "sft", "snr_of", "strategic_heterogeneity", "task_scores", "to_networkx", "train_grpo", "trajectory_scores",
    "trial_weights",
]
