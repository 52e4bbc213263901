"""Experiments: cached per process, seeded per replicate, each claim measured once."""
from __future__ import annotations

import functools
import math
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from gradscape.lesson.claims import Claim, Measured
from gradscape.lesson.settings import Settings

if TYPE_CHECKING:
    import torch

P = ParamSpec("P")
R = TypeVar("R")

# Enough for all experiments of one lesson and a few moves of its sliders, small enough to bound memory.
CACHE_ENTRIES = 64
_caches: list[OrderedDict[Any, Any]] = []


@dataclass(frozen=True)
class Point:
    """One experiment at the settings' own values, as named float scalars (NaN where undefined)."""

    scalars: Mapping[str, float]

    def __post_init__(self) -> None:
        object.__setattr__(self, "scalars", {name: float(value) for name, value in self.scalars.items()})


def cached(function: Callable[P, R]) -> Callable[P, R]:
    """Keep a pure function's results for this process; the keyword ``progress`` is not part of the key.

    All other arguments must be hashable. A failed or cancelled call leaves nothing in the cache.
    """
    store: OrderedDict[Any, Any] = OrderedDict()
    lock = threading.RLock()
    _caches.append(store)

    @functools.wraps(function)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        key = (args, tuple(sorted((k, v) for k, v in kwargs.items() if k != "progress")))
        with lock:
            if key in store:
                store.move_to_end(key)
                return store[key]
        result = function(*args, **kwargs)
        with lock:
            store[key] = result
            while len(store) > CACHE_ENTRIES:
                store.popitem(last=False)
        return result

    return wrapper


def protocol(function: Callable[..., R]) -> Callable[..., R]:
    """Run ``function(settings, *arguments, progress)`` at the protocol's settings, and keep the result.

    Claims and figures share one cached result that way, however far the reader has moved the sliders.
    """
    kept = cached(function)

    @functools.wraps(function)
    def wrapper(settings: Settings, *arguments: Any, progress: Callable[[int, int], None] | None = None) -> R:
        return kept(settings.protocol, *arguments, progress=progress)

    return wrapper


def clear_cache() -> None:
    """Forget every cached experiment (for stability runs over many seeds)."""
    for store in _caches:
        store.clear()


def replicate_seed(seed: int, replicate: int) -> int:
    """The seed of one replicate, drawn from ``SeedSequence([seed, replicate])``; below 2**63 so that torch takes it."""
    import numpy as np

    word = np.random.SeedSequence([seed, replicate]).generate_state(1, np.uint64)[0]
    return int(word >> np.uint64(1))


def seeds_of(settings: Settings, count: int) -> list[int]:
    """Seeds of replicates 0 … count - 1."""
    return [replicate_seed(settings.seed, replicate) for replicate in range(count)]


def generator(seed: int, replicate: int = 0, device: str = "cpu") -> torch.Generator:
    """A torch generator for one replicate."""
    import torch

    return torch.Generator(device=device).manual_seed(replicate_seed(seed, replicate))


def measure(
    claims: Sequence[Claim], measures: Mapping[str, Callable[[Any], Measured]], settings: Settings
) -> dict[str, Measured]:
    """Measure every claim by its fixed protocol, which depends on profile, sizes, seed and device only."""
    check_declared(claims, measures)
    return {claim.id: measures[claim.id](settings.protocol) for claim in claims}


def check_declared(claims: Sequence[Claim], measures: Mapping[str, Any]) -> None:
    """``ValueError`` unless each declared claim has exactly one measurement and nothing else is measured."""
    ids = [claim.id for claim in claims]
    if sorted(ids) != sorted(measures):
        raise ValueError(f"claims {sorted(ids)} and measurements {sorted(measures)} differ")


def finite_scalars(scalars: Mapping[str, float]) -> dict[str, float | None]:
    """Scalars as JSON takes them: NaN and infinities become ``None``."""
    return {name: value if math.isfinite(value) else None for name, value in scalars.items()}
