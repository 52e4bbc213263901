"""Choosing a scheme's parameters: replay a recorded probe for every candidate and take the fastest.

Krishnan et al. 2022 (arXiv 2211.13802), parameter choice: d_i(r; L) = d_i(r) + alpha (L - L0). Candidates of one
scheme with one (B, W) are replayed together; only the conformity of the pattern decides a round's length, so no
decoding is tracked.
"""
from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gradscape import validate
from gradscape.distributed.gradient_coding import loads
from gradscape.distributed.gradient_coding.schemes import Scheme, make
from gradscape.distributed.gradient_coding.simulation import simulate
from gradscape.distributed.workers import DelayTrace, checked_delays

Params = tuple[int, ...]
Progress = Callable[[int, int], None]
Bits = NDArray[np.uint64]


@dataclass(frozen=True)
class Candidate:
    """One scheme with its parameters, load, delay and the replayed time in seconds."""

    scheme: str
    n: int
    params: Params
    load: float
    T: int
    time: float

    def build(self) -> Scheme:
        """The scheme itself, ready to run."""
        return make(self.scheme, self.n, self.params)

    def __str__(self) -> str:
        return f"{self.scheme} ({', '.join(map(str, self.params))})" if self.params else self.scheme


def default_grids(n: int, *, lam_step: int = 3, lam_max: int = 72, s_max: int = 39) -> dict[str, list[Params]]:
    """The lesson's candidates for n = 256 workers, scaled to ``n``: GC s; SR-SGC (B, xB + 1, lam); M-SGC (B, W, lam).

    B and x run over 1 … 3, M-SGC's (B, W) over (1, 2), (1, 3), (1, 4), (2, 3), lam in steps of ``lam_step`` (at n =
    256).
    """
    scale = n / 256
    lams = sorted({max(1, round(lam * scale)) for lam in range(lam_step, lam_max + 1, lam_step)})
    s_values = sorted({max(1, round(s * scale)) for s in range(1, s_max + 1)})
    return {
        "uncoded": [()],
        "gc": [(s,) for s in s_values if s < n],
        "srsgc": [(B, x * B + 1, lam) for B in (1, 2, 3) for x in (1, 2, 3) for lam in lams if lam <= n],
        "msgc": [(B, W, lam) for B, W in ((1, 2), (1, 3), (1, 4), (2, 3)) for lam in lams if lam <= n],
    }


def search(
    n: int,
    probe: DelayTrace,
    alpha: float,
    *,
    jobs: int,
    t_max: int,
    grids: Mapping[str, Sequence[Params]],
    mu: float = 1.0,
    wait: str = "all",
    progress: Progress | None = None,
) -> list[Candidate]:
    """Replay every candidate of ``grids`` (scheme -> parameters) on the load-adjusted ``probe`` (>= jobs + t_max
    rounds, n).

    Candidates with T > ``t_max`` are left out. ``alpha`` is the load slope in seconds. ``ValueError`` when nothing is
    left or the probe is too short.
    """
    wanted = [(scheme, tuple(params)) for scheme, many in grids.items() for params in many]
    wanted = [(scheme, params) for scheme, params in wanted if loads.delay(scheme, n, params) <= t_max]
    if not wanted:
        raise ValueError(f"grids holds no candidate with T <= t_max={t_max!r}")
    rounds = validate.at_least("jobs", jobs, 1) + max(loads.delay(scheme, n, params) for scheme, params in wanted)
    checked_delays("probe", probe.seconds, rounds, n)
    times: dict[tuple[str, Params], float] = {}
    groups = _grouped(wanted)
    for k, (scheme, members) in enumerate(groups):
        at = [loads.load(scheme, n, params) for params in members]
        added = alpha * (torch.tensor(at, dtype=torch.float64) - probe.load)
        if wait == "all":
            found = replay_times(scheme, n, members, probe.seconds, added, jobs=jobs, mu=mu).tolist()
        else:
            found = [simulate(make(scheme, n, params), probe.adjusted(load, alpha), jobs=jobs, mu=mu, wait=wait).total
                     for params, load in zip(members, at, strict=True)]
        times |= {(scheme, params): time for params, time in zip(members, found, strict=True)}
        if progress is not None:
            progress(k + 1, len(groups))
    return [
        Candidate(scheme, n, params, loads.load(scheme, n, params), loads.delay(scheme, n, params), time)
        for (scheme, params), time in ((key, times[key]) for key in wanted)
    ]


def best(candidates: Iterable[Candidate]) -> dict[str, Candidate]:
    """The fastest candidate of each scheme; among equals the first."""
    found: dict[str, Candidate] = {}
    for candidate in candidates:
        if candidate.scheme not in found or candidate.time < found[candidate.scheme].time:
            found[candidate.scheme] = candidate
    return found


def replay_times(
    scheme: str, n: int, members: Sequence[Params], seconds: Tensor, added: Tensor, *, jobs: int, mu: float = 1.0
) -> Tensor:
    """Total seconds (P,) of P candidates of one scheme, with ``wait="all"``, as :func:`simulate` finds one by one.

    ``seconds`` (>= jobs + T, n): delays before ``added`` (P,) seconds of load. SR-SGC and M-SGC candidates must share
    B and W; M-SGC with lam = n has idle workers at the end and is left to :func:`simulate`.
    """
    validate.positive("mu", mu)
    loads_of = [loads.checked_params(scheme, n, params) for params in members]
    if scheme == "msgc" and any(params[2] == n for params in loads_of):
        return torch.tensor([simulate(make(scheme, n, params), seconds + extra, jobs=jobs, mu=mu).total
                             for params, extra in zip(loads_of, added, strict=True)], dtype=torch.float64)
    if scheme in ("uncoded", "gc"):
        limit = torch.tensor([params[0] if params else 0 for params in loads_of])
        return _per_round(seconds[:jobs], added, limit, mu)
    if len({params[:2] for params in loads_of}) > 1:
        raise ValueError(f"members={list(members)!r}: must share B and W")
    return _windowed(scheme, loads_of, seconds, added, jobs, mu)


def _grouped(wanted: Sequence[tuple[str, Params]]) -> list[tuple[str, list[Params]]]:
    groups: dict[tuple[str, Params], list[Params]] = {}
    for scheme, params in wanted:
        groups.setdefault((scheme, params[:2] if len(params) == 3 else ()), []).append(params)
    return [(scheme, members) for (scheme, _), members in groups.items()]


def _lasting(first: Tensor, last: Tensor, accepted: Tensor, mu: float) -> Tensor:
    return torch.where(accepted, torch.minimum((1 + mu) * first, last), last)


def _per_round(seconds: Tensor, added: Tensor, limit: Tensor, mu: float) -> Tensor:
    """No memory between rounds: all rounds and candidates at once; late workers are counted by bisection."""
    ordered = seconds.sort(1).values
    first, last = ordered[:, :1] + added, ordered[:, -1:] + added
    late = seconds.shape[1] - torch.searchsorted(ordered, (1 + mu) * first - added, right=True)
    return _lasting(first, last, late <= limit, mu).sum(0)


def _windowed(scheme: str, members: Sequence[Params], seconds: Tensor, added: Tensor, jobs: int, mu: float) -> Tensor:
    """Candidates with one (B, W), round by round; a set of workers is a row of bits, so a round takes microseconds."""
    B, W, n, repeats = *members[0][:2], seconds.shape[1], scheme == "srsgc"
    rounds = jobs + (B if repeats else W - 2 + B)
    seconds = seconds[:rounds]
    first, last = seconds.amin(1, keepdim=True) + added, seconds.amax(1, keepdim=True) + added
    late = _packed((seconds.unsqueeze(1) > ((1 + mu) * first - added).unsqueeze(2)).numpy())
    lam = np.array([params[2] for params in members])
    s = np.array([loads.srsgc_s(*params) for params in members])
    nobody = np.zeros_like(late[0])
    window: list[Bits] = []    # counted stragglers of the last W - 1 rounds, oldest first
    missing: list[Bits] = []   # SR-SGC: who did not deliver the job of that round
    accepted = np.ones((rounds, len(members)), dtype=bool)
    for r in range(rounds):
        again = _repeaters(missing[r - B], s, n) if repeats and r >= B else nobody
        if repeats and r >= jobs:
            first[r], last[r], lost = _last_rounds(seconds[r], added, again, mu)
        else:
            lost = late[r]
        old = max(0, len(window) - B + 1)
        barred = _union(window[:old], nobody)
        known = _union(window[old:], barred)
        accepted[r] = (_count(known | lost) <= lam) & ~(barred & lost).any(1)
        if repeats:
            plain = ~again.any(1) & (_count(lost) <= s)
            accepted[r] |= plain
            missing.append(lost * accepted[r][:, None] | again)
            lost = lost * ~plain[:, None]
        lost = lost * accepted[r][:, None]
        window = [*window, lost][-(W - 1) :]
    return _lasting(first, last, torch.from_numpy(accepted), mu).sum(0)


def _repeaters(missing: Bits, s: NDArray[np.int64], n: int) -> Bits:
    """SR-SGC: the lowest-numbered workers of those missing beyond ``s``."""
    excess = _count(missing) - s
    if excess.max() <= 0:
        return np.zeros_like(missing)
    flags = np.unpackbits(missing.view(np.uint8), axis=-1, count=n, bitorder="little").astype(bool)
    return _packed(flags & (flags.cumsum(1) <= excess[:, None]))


def _last_rounds(seconds: Tensor, added: Tensor, busy: Bits, mu: float) -> tuple[Tensor, Tensor, Bits]:
    """First and last arrival and who is late when only the ``busy`` ones work; zero seconds where nobody does."""
    flags = np.unpackbits(busy.view(np.uint8), axis=-1, count=len(seconds), bitorder="little").astype(bool)
    working = torch.from_numpy(flags)
    first = seconds.expand(working.shape).masked_fill(~working, torch.inf).amin(1) + added
    last = seconds.expand(working.shape).masked_fill(~working, -torch.inf).amax(1) + added
    late = working & (seconds > ((1 + mu) * first - added).unsqueeze(1))
    idle = ~working.any(1)
    return first.masked_fill(idle, 0.0), last.masked_fill(idle, 0.0), _packed(late.numpy())


def _packed(flags: NDArray[np.bool_]) -> Bits:
    """Flags (…, n) as 64-bit words (…, ceil(n/64))."""
    spare = -flags.shape[-1] % 64
    if spare:
        flags = np.concatenate([flags, np.zeros((*flags.shape[:-1], spare), dtype=bool)], axis=-1)
    return np.packbits(flags, axis=-1, bitorder="little").view(np.uint64)


def _count(sets: Bits) -> NDArray[np.int64]:
    return np.bitwise_count(sets).sum(-1, dtype=np.int64)


def _union(sets: Sequence[Bits], start: Bits) -> Bits:
    for other in sets:
        start = start | other
    return start
