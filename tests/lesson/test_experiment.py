"""Caching and seeding of experiments."""
from __future__ import annotations

import numpy as np
import pytest
from gradscape.lesson import Settings, cached, clear_cache, generator, protocol, real, replicate_seed, seeds_of


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


class _Settings(Settings, profiles=dict.fromkeys(("smoke", "quick", "full"))):
    T: float = real(0.5, 0.1, 2.0, about="temperature")


def test_a_protocol_forgets_the_sliders_and_runs_once():
    calls = []

    @protocol
    def experiment(settings, scale, *, progress=None):
        """What it does."""
        calls.append(settings)
        return scale * settings.T + settings.seed

    assert experiment(_Settings(T=1.5), 4) == experiment(_Settings(T=0.2), 4, progress=print) == 2.0
    assert experiment(_Settings(T=1.5, seed=3), 4) == 5.0
    assert [made.T for made in calls] == [0.5, 0.5]
    assert experiment.__doc__ == "What it does."


def test_seeds_are_those_of_the_replicates():
    assert seeds_of(_Settings(seed=3), 2) == [replicate_seed(3, 0), replicate_seed(3, 1)]
    assert seeds_of(_Settings(), 0) == []
