"""Statistics that several lessons need: power laws with errors, paired comparisons, grids of runs."""
from __future__ import annotations

from gradscape.stats import grid, paired, powerlaw
from gradscape.stats.grid import Grid
from gradscape.stats.paired import Paired
from gradscape.stats.powerlaw import Power

__all__ = ["Grid", "Paired", "Power", "grid", "paired", "powerlaw"]
