"""What every lesson is made of: settings and sizes, claims and measurements, the ledger.

Imports neither torch nor widgets.
"""
from __future__ import annotations

from gradscape.lesson.claims import (
    Claim,
    Criterion,
    Measured,
    Verdict,
    above,
    at_least,
    at_most,
    below,
    between,
    decreasing,
    equals,
    every,
    increasing,
    is_true,
    judge,
    mean_of,
    within,
)
from gradscape.lesson.experiment import (
    Point,
    cached,
    clear_cache,
    generator,
    measure,
    protocol,
    replicate_seed,
    seeds_of,
)
from gradscape.lesson.ledger import Ledger
from gradscape.lesson.settings import (
    FieldInfo,
    Settings,
    choice,
    explain,
    field_info,
    fields,
    integer,
    parameters_source,
    real,
    switch,
)

__all__ = [
    "Claim", "Criterion", "FieldInfo", "Ledger", "Measured", "Point", "Settings", "Verdict", "above", "at_least",
    "at_most", "below", "between", "cached", "choice", "clear_cache", "decreasing", "equals", "every", "explain",
    "field_info", "fields", "generator", "increasing", "integer", "is_true", "judge", "mean_of", "measure",
    "parameters_source", "protocol", "real", "replicate_seed", "seeds_of", "switch", "within",
]
