"""Batches: whole runs of the course, and any lesson as a sweep (:func:`gradscape.batch.sweep`)."""
from __future__ import annotations

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(__name__, submod_attrs={"sweeps.api": ["sweep"]})
