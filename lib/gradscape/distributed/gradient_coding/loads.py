"""Normalized load, delay and lower bound in closed form (Krishnan et al. 2022, arXiv 2211.13802).

The normalized load L is the fraction of one job's data that each worker processes per round.
"""
from __future__ import annotations

from collections.abc import Sequence

from gradscape import validate
from gradscape.distributed.gradient_coding.stragglers import check_design

SCHEMES = ("uncoded", "gc", "srsgc", "msgc")
_PARAMETERS = {"uncoded": (), "gc": ("s",), "srsgc": ("B", "W", "lam"), "msgc": ("B", "W", "lam")}


def srsgc_s(B: int, W: int, lam: int) -> int:
    """Stragglers per round that SR-SGC's code covers: ceil(B lam/(W - 1 + B)).

    >>> srsgc_s(2, 3, 23)
    12
    """
    check_design(B, W)
    validate.at_least("lam", lam, 0)
    return -(-B * lam // (W - 1 + B))


def load(scheme: str, n: int, params: Sequence[int] = ()) -> float:
    """L of a scheme: uncoded 1/n; GC (s + 1)/n; SR-SGC the same with :func:`srsgc_s`; M-SGC for lam < n

        L = (lam + 1)(W - 1 + B) / (n (B + (W - 1)(lam + 1))),   for lam = n: (W - 1 + B)/(n (W - 1)).

    ``params``: () or (s,) or (B, W, lam). ``ValueError`` for an unknown scheme and parameters that do not fit.

    >>> round(load("msgc", 256, (1, 2, 27)), 6)
    0.007543
    """
    values = checked_params(scheme, n, params)
    if scheme == "uncoded":
        return 1 / n
    if scheme == "gc":
        return (values[0] + 1) / n
    B, W, lam = values
    if scheme == "srsgc":
        return (srsgc_s(B, W, lam) + 1) / n
    if lam == n:
        return (W - 1 + B) / (n * (W - 1))
    return (lam + 1) * (W - 1 + B) / (n * (B + (W - 1) * (lam + 1)))


def delay(scheme: str, n: int, params: Sequence[int] = ()) -> int:
    """T, the rounds after its own that a job may need: 0, 0, B for SR-SGC, W - 2 + B for M-SGC."""
    values = checked_params(scheme, n, params)
    return {"srsgc": lambda B, W, lam: B, "msgc": lambda B, W, lam: W - 2 + B}.get(scheme, lambda *_: 0)(*values)


def load_lower_bound(n: int, B: int, W: int, lam: int) -> float:
    """L* = (W - 1 + B)/(n (W - 1) + B (n - lam)): no sequential scheme that survives (B, W, lam)-bursts has less.

    Let lam workers be silent for B rounds and all work for the next W - 1: W - 1 + B jobs must fit into
    n (W - 1) + B (n - lam) rounds of work.

    >>> load("msgc", 256, (1, 5, 255)) == load_lower_bound(256, 1, 5, 255)
    True
    """
    B, W, lam = checked_params("msgc", n, (B, W, lam))
    return (W - 1 + B) / (n * (W - 1) + B * (n - lam))


def checked_params(scheme: str, n: int, params: Sequence[int]) -> tuple[int, ...]:
    """The parameters as whole numbers; ``ValueError`` says which one is wrong and what is allowed."""
    validate.one_of("scheme", scheme, SCHEMES)
    validate.at_least("n", n, 1)
    names = _PARAMETERS[scheme]
    if len(params) != len(names):
        raise ValueError(f"params={tuple(params)!r}: {scheme} takes ({', '.join(names)})")
    values = tuple(validate.at_least(name, value, 0) for name, value in zip(names, params, strict=True))
    if scheme == "gc":
        validate.in_range("s", values[0], 0, n - 1)
    if len(values) == 3:
        B, W, lam = values
        check_design(B, W)
        validate.in_range("lam", lam, 0, n)
        if scheme == "srsgc":
            if (W - 1) % B:
                raise ValueError(f"W={W!r}: SR-SGC needs B={B!r} to divide W - 1")
            validate.in_range("s = ceil(B lam/(W - 1 + B))", srsgc_s(B, W, lam), 0, n - 1)
    return values
