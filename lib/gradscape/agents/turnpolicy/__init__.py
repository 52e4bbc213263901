"""A small turn-level transformer that acts in toolworld, its rollouts, fine-tuning and base checkpoints."""
from __future__ import annotations

from gradscape.agents.turnpolicy.base import build_base, load_base
from gradscape.agents.turnpolicy.batch import Batch, cat, goal_slots, guidance_slots, pack
from gradscape.agents.turnpolicy.learning import call_loss, descend, one_cycle, sft
from gradscape.agents.turnpolicy.model import Reflections, TurnPolicy
from gradscape.agents.turnpolicy.rollout import Evaluation, evaluate, rollout

__all__ = [
    "Batch", "Evaluation", "Reflections", "TurnPolicy", "build_base", "call_loss", "cat", "descend", "evaluate",
    "goal_slots", "guidance_slots", "load_base", "one_cycle", "pack", "rollout", "sft",
]
