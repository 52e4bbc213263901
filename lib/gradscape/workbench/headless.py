"""Whether anybody can move a slider: live unless ``GRADSCAPE_HEADLESS`` says otherwise."""
from __future__ import annotations

import os
from typing import Literal

VARIABLE = "GRADSCAPE_HEADLESS"
Mode = Literal["live", "static", "check"]


def mode() -> Mode:
    """``"live"`` (variable unset, empty or 0), ``"static"`` (1) or ``"check"``; ``ValueError`` for anything else."""
    value = os.environ.get(VARIABLE, "").strip().lower()
    known: dict[str, Mode] = {"": "live", "0": "live", "1": "static", "check": "check"}
    if value not in known:
        raise ValueError(f"{VARIABLE}={value!r}: must be 0, 1 or check")
    return known[value]
