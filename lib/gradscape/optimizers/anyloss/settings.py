"""Parameters and sizes of the AnyLoss lesson (Han et al. 2024, arXiv 2405.14745)."""
from __future__ import annotations

from dataclasses import dataclass

from gradscape import lesson
from gradscape.datasets.tables import KEEL_TABLES
from gradscape.lesson import choice, integer, real
from gradscape.optimizers.anyloss.confusion import L_PAPER, METRICS

# yeast4 is for the network alone
TABLES_12 = tuple(name for name in KEEL_TABLES if name != "yeast4")
SWEPT = ("ecoli3", "pima", "glass1")  # first in line when a sweep takes fewer than all tables
NET_TABLES = ("ecoli3", "yeast4", "vehicle1", "pima")


@dataclass(frozen=True)
class Sizes:
    """How much is computed; tables, folds, learning rates and values of L are the claims' own and fixed."""

    tables: int = 12  # KEEL tables of M1, M2 and M3
    splits: int = 20  # stratified 5-fold splits of each
    iterations: int = 1000  # full-batch steps of every single-layer perceptron
    sweep_tables: int = 3  # KEEL tables of M5 and M6
    sweep_splits: int = 1  # splits of each there
    epochs: int = 100  # passes of the networks of M8
    net_splits: int = 1  # 3-fold splits of the networks
    random_rows: int = 10_000  # rows of the synthetic set of M4


SIZES = {
    "smoke": Sizes(tables=2, splits=1, iterations=60, sweep_tables=1, epochs=2, random_rows=500),
    "quick": Sizes(),
    "full": Sizes(sweep_tables=12, sweep_splits=5, net_splits=5),
}


class Settings(lesson.Settings, profiles=SIZES):
    """What a reader may change; the claims are measured at the defaults."""

    table: str = choice("ecoli3", KEEL_TABLES, about="KEEL table")
    metric: str = choice("fbeta", tuple(METRICS), about="metric to train on")
    beta: float = real(1.0, 0.25, 4.0, scale="log", symbol="β", about="beta of fbeta")
    L: float = real(L_PAPER, 1.0, 500.0, scale="log", symbol="L", about="amplification")
    lr: float = real(0.01, 1e-3, 0.1, scale="log", symbol="η", about="learning rate, at L of 73")
    steps: int = integer(1000, 0, 1000, about="full-batch gradient steps")
    start: float = real(0.0, 0.0, 3.0, symbol="s", about="spread of starting weights")
    separation: float = real(1.5, 0.0, 4.0, symbol="δ", about="distance of the two classes")
    positive_rate: float = real(0.1, 0.01, 0.5, scale="log", symbol="π", about="share of the rare class")
    n: int = integer(500, 200, 2000, scale="log", symbol="n", about="points in the plane")
