"""Recoding latent sentence representations (Ulmer 2019, arXiv 2101.00674): gradient steps on activations, in reading.

``grammar``: a corpus whose probabilities are known; ``model``: the LSTM; ``signals``: what a step lowers, with closed
gradients; ``recoder``: the step; ``experiments``, ``training`` and ``claims``: what the lesson measures.
"""
from __future__ import annotations

from gradscape.credit.recoding.claims import CLAIMS, MEASURES, measure
from gradscape.credit.recoding.experiments import (
    ALPHAS,
    GardenPaths,
    Guarantee,
    Language,
    Once,
    Reversal,
    SentenceResult,
    Sweep,
    garden_paths,
    guarantee,
    language,
    once,
    one_sentence,
    point,
    reversal,
    sampling,
    sweep,
    verb_of,
)
from gradscape.credit.recoding.grammar import (
    PAIRS,
    PATTERNS,
    SLOTS,
    WEIGHTS,
    Encoded,
    Vocabulary,
    exact_surprisal,
    garden_path_corpus,
    optimal_perplexity,
    stimulus_pairs,
)
from gradscape.credit.recoding.model import ADAM, THESIS, LSTMLanguageModel, Recipe, perplexity, train
from gradscape.credit.recoding.recoder import THESIS_STEPS, Recoder, RecodingTrace, StepSize
from gradscape.credit.recoding.settings import SIZES, Settings, Sizes
from gradscape.credit.recoding.signals import (
    DETERMINISTIC,
    SIGNALS,
    AnchoredEnsembleDecoder,
    curvature,
    error_signal,
    error_signal_grad,
)
from gradscape.credit.recoding.training import (
    WAYS,
    Prose,
    ProseResult,
    Way,
    WaysResult,
    on_prose,
    prose,
    trained_ways,
)

__all__ = [
    "ADAM", "ALPHAS", "CLAIMS", "DETERMINISTIC", "MEASURES", "PAIRS", "PATTERNS", "SIGNALS", "SIZES", "SLOTS",
    "THESIS", "THESIS_STEPS", "WAYS", "WEIGHTS", "AnchoredEnsembleDecoder", "Encoded", "GardenPaths", "Guarantee",
    "LSTMLanguageModel", "Language", "Once", "Prose", "ProseResult", "Recipe", "Recoder", "RecodingTrace", "Reversal",
    "SentenceResult", "Settings", "Sizes", "StepSize", "Sweep", "Vocabulary", "Way", "WaysResult", "curvature",
    "error_signal", "error_signal_grad", "exact_surprisal", "garden_path_corpus", "garden_paths", "guarantee",
    "language", "measure", "on_prose", "once", "one_sentence", "optimal_perplexity", "perplexity", "point", "prose",
    "reversal", "sampling", "stimulus_pairs", "sweep", "train", "trained_ways", "verb_of",
]
