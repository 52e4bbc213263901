"""Bidirectional Learning for Robust Neural Networks (Pontes-Filho & Liwicki 2018, arXiv 1805.08006).

Reads in this order: `networks` and `convolution` (one set of weights, two directions), `training` (bidirectional
learning), `hybrid` (hybrid adversarial networks), `report` (what is measured), then `settings`, `experiments`,
`hybrid_experiments`, `released` (the authors' log), `claims` and `tables`.
"""
from __future__ import annotations

from gradscape.robustness.attacks import fgsm, pgd
from gradscape.robustness.bidirectional.claims import CLAIMS, MEASURES, measure, point
from gradscape.robustness.bidirectional.convolution import BL_CNN, HAN_CNN, BidirectionalCNN
from gradscape.robustness.bidirectional.hybrid import cnn_rate, train_by_autograd, train_han
from gradscape.robustness.bidirectional.networks import BidirectionalMLP, class_prototypes, truncated_normal
from gradscape.robustness.bidirectional.report import RobustnessReport, robustness_report
from gradscape.robustness.bidirectional.settings import NETS, SIZES, Settings, Sizes
from gradscape.robustness.bidirectional.tables import TABLES
from gradscape.robustness.bidirectional.training import History, train_bidirectional

__all__ = [
    "BL_CNN", "CLAIMS", "HAN_CNN", "MEASURES", "NETS", "SIZES", "TABLES", "BidirectionalCNN", "BidirectionalMLP",
    "History", "RobustnessReport", "Settings", "Sizes", "class_prototypes", "cnn_rate", "fgsm", "measure", "pgd",
    "point", "robustness_report", "train_bidirectional", "train_by_autograd", "train_han", "truncated_normal",
]
