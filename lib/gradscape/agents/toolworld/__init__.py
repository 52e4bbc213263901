"""A small multi-turn tool-use world: typed tools, errors as observations, generated tasks, teachers that do not peek.

Two simulators (a file system, a ticket desk) behave as two of the Berkeley function-calling leaderboard (BFCL v3);
over them the agent has twelve tools, a lexicon of 31 words and twelve calls per task. The verifier compares the whole
state, as BFCL's does. Pure Python: one call costs about two microseconds.
"""
from __future__ import annotations

from gradscape.agents.toolworld.filesystem import FileSystem
from gradscape.agents.toolworld.lexicon import (
    HORIZON,
    STATUSES,
    TOOLS,
    VERBS,
    WORDS,
    Call,
    Obs,
    call,
    show_call,
    show_obs,
    well_typed,
)
from gradscape.agents.toolworld.oracle import (
    FAILURE,
    INEFFICIENT,
    OUTCOMES,
    SUCCESS,
    next_call,
    oracle_pivot,
    remaining,
)
from gradscape.agents.toolworld.tasks import Task, goal_sentence, make_tasks
from gradscape.agents.toolworld.teachers import STYLES, WEIGHTS, Episode, replay, teach, teacher_trials
from gradscape.agents.toolworld.ticketdesk import TicketDesk
from gradscape.agents.toolworld.world import State, World

__all__ = [
    "FAILURE", "HORIZON", "INEFFICIENT", "OUTCOMES", "STATUSES", "STYLES", "SUCCESS", "TOOLS", "VERBS", "WEIGHTS",
    "WORDS", "Call", "Episode", "FileSystem", "Obs", "State", "Task", "TicketDesk", "World", "call", "goal_sentence",
    "make_tasks", "next_call", "oracle_pivot", "remaining", "replay", "show_call", "show_obs", "teach",
    "teacher_trials", "well_typed",
]
