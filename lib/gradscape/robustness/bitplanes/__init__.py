"""LOTA: bit-planes guided detection of generated images (Wang, Cheng, Zhang, Han & Gui 2025, arXiv 2510.14230).

``planes``: bit-planes and noise images; ``patches``: maximum gradient patch selection; ``detectors``: small networks on
noise patches; ``provenance``: how pixels became bytes; ``matrix``: accuracy across generators; ``world``,
``experiments``, ``tables`` and ``claims``: what the lesson measures.
"""
from __future__ import annotations

from gradscape.robustness.bitplanes.claims import CLAIMS, MEASURES, measure
from gradscape.robustness.bitplanes.detectors import (
    LinearClassifier,
    NoiseBasedClassifier,
    NoiseGuidedClassifier,
    average_precision,
    balanced_accuracy,
    fit_detector,
)
from gradscape.robustness.bitplanes.experiments import (
    LINEAR,
    RAW,
    Robustness,
    Study,
    clipped,
    cues,
    ones,
    own_options,
    own_study,
    point,
    robustness,
    studies,
    study,
)
from gradscape.robustness.bitplanes.matrix import (
    Detectors,
    Gap,
    Options,
    cross_generator_matrix,
    generalization_gap,
    train_detectors,
)
from gradscape.robustness.bitplanes.patches import CHOICES, Selected, gradient_score, patch_grid, select_patch
from gradscape.robustness.bitplanes.planes import (
    NotBytes,
    bit_planes,
    compose,
    low_bits,
    noise_image,
    scale_noise,
    threshold_noise,
)
from gradscape.robustness.bitplanes.provenance import CUES, cue_accuracy, degrade, provenance, shifted
from gradscape.robustness.bitplanes.settings import ARMS, FAKES, SIZES, TRAINED, Settings, Sizes
from gradscape.robustness.bitplanes.tables import TABLES
from gradscape.robustness.bitplanes.world import World, crops, flat_background, last_step, world

__all__ = [
    "ARMS", "CHOICES", "CLAIMS", "CUES", "FAKES", "LINEAR", "MEASURES", "RAW", "SIZES", "TABLES", "TRAINED",
    "Detectors", "Gap", "LinearClassifier", "NoiseBasedClassifier", "NoiseGuidedClassifier", "NotBytes", "Options",
    "Robustness", "Selected", "Settings", "Sizes", "Study", "World", "average_precision", "balanced_accuracy",
    "bit_planes", "clipped", "compose", "crops", "cross_generator_matrix", "cue_accuracy", "cues", "degrade",
    "fit_detector", "flat_background", "generalization_gap", "gradient_score", "last_step", "low_bits", "measure",
    "noise_image", "ones", "own_options", "own_study", "patch_grid", "point", "provenance", "robustness",
    "scale_noise", "select_patch", "shifted", "studies", "study", "threshold_noise", "train_detectors", "world",
]
