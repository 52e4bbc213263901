"""What a reader sees of the recoding lesson: figures, explorers and checkers."""
from __future__ import annotations

from gradscape.lessons.credit.recoding.exercises import check_1, check_2, check_3
from gradscape.lessons.credit.recoding.explorers import (
    EXPLORERS,
    explorer_sentence,
    explorer_sweep,
    explorer_train,
    explorer_words,
)
from gradscape.lessons.credit.recoding.figures import (
    fig_baseline,
    fig_entropy,
    fig_garden,
    fig_once,
    fig_prose,
    fig_reversal,
    fig_sentence,
    fig_signals,
    fig_sweep,
    fig_sweeps,
    fig_train,
    fig_ways,
    fig_words,
)

__all__ = [
    "EXPLORERS", "check_1", "check_2", "check_3", "explorer_sentence", "explorer_sweep", "explorer_train",
    "explorer_words", "fig_baseline", "fig_entropy", "fig_garden", "fig_once", "fig_prose", "fig_reversal",
    "fig_sentence", "fig_signals", "fig_sweep", "fig_sweeps", "fig_train", "fig_ways", "fig_words",
]
