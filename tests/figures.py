"""What every lesson's figures are held to."""
from __future__ import annotations

import numpy as np
from gradscape.workbench import Figure, describe


def assert_words_and_data(fig: Figure, name: str = "", *, finite: bool = False) -> None:
    """A text alternative that names an axis, and data in every trace (``finite``: numbers without gaps)."""
    assert len(fig.data) > 0, name
    assert "X axis" in describe(fig), name
    for trace in fig.data:
        y = np.asarray(trace.y, dtype=float if finite else object)
        assert len(y) > 0, name
        assert not finite or np.isfinite(y).all(), name
