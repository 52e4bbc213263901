"""Caching and seeding of experiments."""
from __future__ import annotations

import numpy as np
import pytest
from gradscape.lesson import cached, clear_cache, generator, replicate_seed


def test_cache_ignores_progress_and_forgets_failures():
    calls = []

    @cached
    def experiment(n, *, progress=None):
        calls.append(n)
        if n < 0:
            raise ValueError("n")
        return n * 2

    assert experiment(2) == experiment(2, progress=print) == 4
    assert calls == [2]
    for _ in range(2):
        with pytest.raises(ValueError):
            experiment(-1)
    assert calls == [2, -1, -1]
    clear_cache()
    experiment(2)
    assert calls[-1] == 2


def test_replicates_are_the_seed_sequence():
    expected = np.random.SeedSequence([3, 7]).generate_state(1, np.uint64)[0] >> np.uint64(1)
    assert replicate_seed(3, 7) == int(expected)
    seeds = {replicate_seed(s, r) for s in range(30) for r in range(30)}
    assert len(seeds) == 900
    assert generator(3, 7).initial_seed() == replicate_seed(3, 7)
