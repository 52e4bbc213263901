"""Optimizers: how far to step, and what the gradients of the last steps say about it."""
from __future__ import annotations

import lazy_loader

# Nothing below is imported before it is asked for: module -> the public names it defines.
__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    ["diffgrad"],
    {
        "diffgrad": ["DiffGrad", "diffgrad_state", "diffgrad_update", "friction", "FrictionRecord"],
    },
)
