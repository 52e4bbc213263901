"""Tool-use agents: policies that call tools over many turns, their rollouts, and what is learned from them.

Shared by the lessons: ``toolworld`` (world, tasks, teachers), ``turnpolicy`` (policy, rollouts, base checkpoints),
``policy_gradient`` (advantages, objectives, pass@k). Lessons: ``topocurate``, ``reflect_retry``.
"""
from __future__ import annotations

import lazy_loader

# Nothing below is imported before it is asked for: module -> the public names it defines.
__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    ["policy_gradient", "reflect_retry", "toolworld", "topocurate", "turnpolicy"],
    {
        "policy_gradient": [
            "group_advantages", "grpo_advantages", "kl_k3", "opmd_advantages", "pass_at_k", "policy_gradient_loss",
            "raft_advantages", "turn_mask",
        ],
        "reflect_retry": [
            "dominance_ratio", "oracle_reflect", "pivotal_mask", "positive_amplification", "random_reflect", "reflect",
            "Reflection", "Retry", "retry", "Trainer", "trigger",
        ],
        "toolworld": ["Episode", "FileSystem", "make_tasks", "Task", "teacher_trials", "TicketDesk", "World"],
        "topocurate": [
            "gradient_snr", "JaccardEquivalence", "QuotientGraph", "select_tasks", "select_trajectories", "Trajectory",
        ],
        "turnpolicy": ["Batch", "build_base", "evaluate", "load_base", "pack", "rollout", "sft", "TurnPolicy"],
    },
)
