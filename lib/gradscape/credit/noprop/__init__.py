"""NoProp: training without back-propagation or forward-propagation (Li, Teh & Pascanu 2025, arXiv 2503.24322).

Reads in this order: `blocks` (T blocks in one stack), `networks` (convolutions, one block for all times), `labels`
(embeddings and heads), `learned_schedule`, `losses`, then the classifiers `estimator`, `discrete` (DT), `continuous`
(CT, FM) and `backprop` (the rival), `memory`, and `settings`, `experiments`, `claims`, `tables`. Time runs from noise
(t = 0) to label (t = T).
"""
from __future__ import annotations

from gradscape.credit.noprop.backprop import BackpropChain
from gradscape.credit.noprop.blocks import DenoisingBlocks
from gradscape.credit.noprop.claims import CLAIMS, MEASURES, measure, point
from gradscape.credit.noprop.continuous import NoPropCT, NoPropFM
from gradscape.credit.noprop.discrete import NoPropDT
from gradscape.credit.noprop.labels import RadialHead, SoftmaxHead, class_medoids
from gradscape.credit.noprop.learned_schedule import LearnedSchedule
from gradscape.credit.noprop.losses import LossTerms, ct_loss, dt_loss, fm_loss, kl_to_prior
from gradscape.credit.noprop.memory import saved_activation_bytes
from gradscape.credit.noprop.networks import BlockLoop, ConvDenoisingBlock, TimeBlock
from gradscape.credit.noprop.settings import SIZES, Settings, Sizes
from gradscape.credit.noprop.tables import TABLES
from gradscape.generative.schedule import (
    Coefficients,
    check_schedule,
    cosine_alpha_bar,
    posterior_coefficients,
    sample_q,
)

__all__ = [
    "CLAIMS", "MEASURES", "SIZES", "TABLES", "BackpropChain", "BlockLoop", "Coefficients", "ConvDenoisingBlock",
    "DenoisingBlocks", "LearnedSchedule", "LossTerms", "NoPropCT", "NoPropDT", "NoPropFM", "RadialHead", "Settings",
    "Sizes", "SoftmaxHead", "TimeBlock", "check_schedule", "class_medoids", "cosine_alpha_bar", "ct_loss", "dt_loss",
    "fm_loss", "kl_to_prior", "measure", "point", "posterior_coefficients", "sample_q", "saved_activation_bytes",
]
