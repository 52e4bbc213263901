"""Simulated workers: how long they take, who straggles, what a master's clock shows, and the bits on the wire.

One master and n workers go through rounds. Times are seconds, messages are counted in whole bits. Everything is a
tensor over workers (and rounds); every draw takes a ``torch.Generator``. Shared by all lessons on distributed
gradients.
"""
from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor

from gradscape import validate

WAITS = ("all", "minimal", "never")


def gilbert_elliott(rounds: int, n: int, p_ns: float, p_sn: float, generator: torch.Generator) -> Tensor:
    """Which workers are slow in which round: one two-state Markov chain per worker (Gilbert 1960, Elliott 1963).

    A normal worker turns slow with probability ``p_ns`` per round, a slow one normal with ``p_sn``; the start is
    stationary, so the share of slow workers is p_ns/(p_ns + p_sn) in every round and a slow spell lasts 1/p_sn rounds
    on average. Returns bool (rounds, n). ``ValueError`` for probabilities outside [0, 1] or both zero.

    >>> gilbert_elliott(3, 4, 1.0, 1.0, torch.Generator().manual_seed(0)).shape
    torch.Size([3, 4])
    """
    validate.at_least("rounds", rounds, 1)
    validate.at_least("n", n, 1)
    validate.in_range("p_ns", p_ns, 0.0, 1.0)
    validate.in_range("p_sn", p_sn, 0.0, 1.0)
    if p_ns + p_sn == 0:
        raise ValueError(f"p_ns={p_ns!r}, p_sn={p_sn!r}: one must be > 0, or no state is stationary")
    draws = torch.rand(rounds, n, generator=generator, dtype=torch.float64)
    turns_slow, stays_slow = draws < p_ns, draws >= p_sn
    slow = torch.empty(rounds, n, dtype=torch.bool)
    slow[0] = draws[0] < p_ns / (p_ns + p_sn)
    for r in range(1, rounds):
        slow[r] = torch.where(slow[r - 1], stays_slow[r], turns_slow[r])
    return slow


def spells(pattern: Tensor) -> Tensor:
    """Lengths of all runs of ``True`` along the rounds of a bool pattern (rounds, n), cut at both ends; int64 (k,)."""
    edge = torch.zeros(1, pattern.shape[1], dtype=torch.bool)
    padded = torch.cat([edge, pattern, edge]).T.to(torch.int8)
    steps = padded.diff(dim=1)
    return (steps == -1).nonzero()[:, 1] - (steps == 1).nonzero()[:, 1]


class Delays(Protocol):
    """Anything that yields the seconds each worker takes in each round."""

    def sample(self, rounds: int, n: int, generator: torch.Generator) -> Tensor:
        """Seconds, float64 (rounds, n), all > 0."""
        ...


@dataclass(frozen=True)
class DelayModel:
    """Workers with slow spells: ``base (1 + jitter LogNormal(0, 0.5))`` seconds, times a factor when slow.

    ``slow_range`` bounds the uniform factor of a slow worker; ``tail``, if given, multiplies it with a Pareto
    variable of that index (> 1; heavier tail for smaller values). ``p_ns`` and ``p_sn`` belong to
    :func:`gilbert_elliott`. The defaults resemble 256 Lambda functions computing nothing: minimum 0.54 s, median 0.64
    s (Krishnan et al. 2022's recorded profiles).

    >>> DelayModel().sample(2, 3, torch.Generator().manual_seed(0)).shape
    torch.Size([2, 3])
    """

    base: float = 0.55
    jitter: float = 0.15
    slow_range: tuple[float, float] = (2.2, 4.0)
    p_ns: float = 0.02
    p_sn: float = 0.95
    tail: float | None = None

    def __post_init__(self) -> None:
        validate.positive("base", self.base)
        validate.nonnegative("jitter", self.jitter)
        low, high = self.slow_range
        validate.in_range("slow_range[0]", low, 1.0, math.inf, open_high=True)
        validate.in_range("slow_range[1]", high, low, math.inf, open_high=True)
        if self.tail is not None:
            validate.in_range("tail", self.tail, 1.0, math.inf, open_low=True, open_high=True)

    def sample(self, rounds: int, n: int, generator: torch.Generator) -> Tensor:
        """Seconds at load zero, float64 (rounds, n)."""
        slow = gilbert_elliott(rounds, n, self.p_ns, self.p_sn, generator)
        noise = torch.randn(rounds, n, generator=generator, dtype=torch.float64).mul_(0.5).exp_()
        low, high = self.slow_range
        factor = low + (high - low) * torch.rand(rounds, n, generator=generator, dtype=torch.float64)
        if self.tail is not None:
            u = torch.rand(rounds, n, generator=generator, dtype=torch.float64)
            factor = factor * (1 - u).pow(-1 / self.tail)
        seconds = self.base * (1 + self.jitter * noise)
        return torch.where(slow, seconds * factor, seconds)


@dataclass(frozen=True)
class DelayTrace:
    """Recorded delays, ``seconds[round, worker]``, measured while every worker carried ``load`` of a job.

    ``sample`` replays it: the same rounds in the same order from a random start (cyclically), for workers drawn
    without replacement where there are enough; so spells of slowness survive. ``read`` and ``write`` use plain text,
    one round a line. ``ValueError`` unless seconds is (rounds, workers), finite and > 0.
    """

    seconds: Tensor
    load: float = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "seconds", checked_delays("seconds", self.seconds))
        validate.nonnegative("load", self.load)

    def adjusted(self, load: float, slope: float) -> Tensor:
        """The same rounds as if each worker had carried ``load``: seconds + slope (load - self.load)."""
        return checked_delays("adjusted seconds", self.seconds + slope * (load - self.load))

    def sample(self, rounds: int, n: int, generator: torch.Generator) -> Tensor:
        """Replay: float64 (rounds, n)."""
        length, workers = self.seconds.shape
        start = int(torch.randint(length, (1,), generator=generator))
        if n <= workers:
            who = torch.randperm(workers, generator=generator)[:n]
        else:
            who = torch.randint(workers, (n,), generator=generator)
        return self.seconds[(start + torch.arange(rounds)) % length][:, who]

    @classmethod
    def read(cls, path: str | Path) -> DelayTrace:
        """Read what :meth:`write` wrote; ``ValueError`` names the line that is not numbers."""
        load, rows = 0.0, []
        for k, line in enumerate(Path(path).read_text(encoding="utf-8").splitlines(), 1):
            try:
                if line.startswith("# load "):
                    load = float(line.removeprefix("# load "))
                elif line.strip():
                    rows.append([float(word) for word in line.split(",")])
            except ValueError:
                raise ValueError(f"{Path(path).name}, line {k}: {line[:40]!r} is not a row of seconds") from None
        widths = sorted({len(row) for row in rows})
        if len(widths) != 1:
            raise ValueError(f"{Path(path).name}: rows of {widths} numbers; one length is needed")
        return cls(torch.tensor(rows, dtype=torch.float64), load)

    def write(self, path: str | Path) -> None:
        """Store as text: a line with the load, then one line of comma-separated seconds per round."""
        lines = [f"# load {self.load!r}", *(",".join(map(repr, row)) for row in self.seconds.tolist())]
        Path(path).write_text("\n".join(lines) + "\n", encoding="utf-8")


def checked_delays(name: str, seconds: Tensor, rounds: int = 1, n: int | None = None) -> Tensor:
    """Delays as float64 (at least ``rounds``, n); ``ValueError`` for another shape, NaN, infinities or times <= 0."""
    seconds = torch.as_tensor(seconds, dtype=torch.float64)
    if seconds.dim() != 2 or seconds.shape[0] < rounds or (n is not None and seconds.shape[1] != n):
        wanted = f"at least {rounds} rounds of {n or 'any number of'} workers"
        raise ValueError(f"{name} has shape {tuple(seconds.shape)}: must be (rounds, workers), {wanted}")
    validate.finite(name, seconds)
    if bool((seconds <= 0).any()):
        raise ValueError(f"{name} holds {float(seconds.min())!r}: all must be > 0 seconds")
    return seconds


def bits(*tensors: Tensor) -> int:
    """Bits of the entries of tensors as they are sent: entries times bits per entry.

    >>> bits(torch.zeros(10, dtype=torch.float64), torch.zeros(3, dtype=torch.int32))
    736
    """
    return sum(8 * tensor.numel() * tensor.element_size() for tensor in tensors)


@dataclass(frozen=True)
class Link:
    """A worker's line to the master: seconds of ``latency`` per message and ``bandwidth`` in bits per second."""

    latency: float = 0.0
    bandwidth: float = math.inf

    def __post_init__(self) -> None:
        validate.nonnegative("latency", self.latency)
        validate.in_range("bandwidth", self.bandwidth, 0.0, math.inf, open_low=True)

    def seconds(self, count: Tensor) -> Tensor:
        """Time for messages of ``count`` bits; no message, no time."""
        return torch.where(count > 0, self.latency + count.to(torch.float64) / self.bandwidth, 0.0)


FREE = Link()


@dataclass(frozen=True)
class Round:
    """One round as the master sees it.

    ``arrivals`` (n,): seconds after ``start`` at which each worker's result comes (infinite for an idle one); ``late``
    (n,): whose result was given up; ``waited``: the late set was not acceptable, so the master waited longer.
    """

    start: float
    duration: float
    arrivals: Tensor
    late: Tensor
    waited: bool


class Clock:
    """The master's clock: rounds of n workers, the straggler rule, and exact counts of bits in both directions.

    With ``mu``, a worker is late when it takes longer than (1 + mu) times the fastest (Krishnan et al. 2022,
    straggler rule); late results are lost if ``admit`` accepts the set of late workers, otherwise ``wait`` decides:
    ``"all"`` waits for everybody, ``"minimal"`` for the fastest late ones until the rest is acceptable, ``"never"``
    for nobody. Without ``mu`` the master always waits for all. ``now`` is the time, ``up`` and ``down`` (n,) the bits
    each worker sent and received.

    >>> clock = Clock(3, mu=1.0)
    >>> clock.round(torch.tensor([1.0, 1.5, 9.0])).late.tolist(), clock.now
    ([False, False, True], 2.0)
    """

    def __init__(self, n: int, *, mu: float | None = None, wait: str = "all", link: Link | None = None) -> None:
        self.n = validate.at_least("n", n, 1)
        self.mu = None if mu is None else validate.positive("mu", mu)
        self.wait = validate.one_of("wait", wait, WAITS)
        self.link = link or FREE
        self.now, self.rounds, self.waits = 0.0, 0, 0
        self._none = torch.zeros(n, dtype=torch.int64)
        self.up = torch.zeros(n, dtype=torch.int64)
        self.down = torch.zeros(n, dtype=torch.int64)

    def round(
        self,
        compute: Tensor,
        *,
        up: int | Tensor = 0,
        down: int | Tensor = 0,
        busy: Tensor | None = None,
        admit: Callable[[Tensor], bool] | None = None,
    ) -> Round:
        """Let every worker receive ``down`` bits, compute for ``compute`` seconds and send ``up`` bits.

        ``busy`` (n,) bool: the others are idle, neither waited for nor counted. A late worker's message is withdrawn:
        its bits do not count. ``admit(late)`` says whether that set of late workers is acceptable (default: always).
        """
        if compute.shape != (self.n,):
            raise ValueError(f"compute has shape {tuple(compute.shape)}: must be ({self.n},)")
        up_bits, down_bits = self._bits("up", up, busy), self._bits("down", down, busy)
        arrivals = compute if compute.dtype == torch.float64 else compute.double()
        if self.link != FREE:
            arrivals = arrivals + self.link.seconds(up_bits) + self.link.seconds(down_bits)
        if busy is not None:
            arrivals = arrivals.masked_fill(~busy, math.inf)
        late, duration, waited = self._close(arrivals, busy, admit)
        self.down += down_bits
        self.up += up_bits.masked_fill(late, 0) if up_bits.any() else 0
        made = Round(self.now, duration, arrivals, late, waited)
        self.now += duration
        self.rounds += 1
        self.waits += waited
        return made

    def _close(
        self, arrivals: Tensor, busy: Tensor | None, admit: Callable[[Tensor], bool] | None
    ) -> tuple[Tensor, float, bool]:
        """Who is late, how long the round lasts, and whether the late set had to be waited for."""
        nobody = torch.zeros(self.n, dtype=torch.bool)
        first = float(arrivals.min())
        if first == math.inf:
            return nobody, 0.0, False
        last = float(arrivals.max() if busy is None else arrivals[busy].max())
        cutoff = last if self.mu is None else (1 + self.mu) * first
        if last <= cutoff:
            return nobody, last, False
        late = arrivals > cutoff
        if busy is not None:
            late &= busy
        if self.wait == "never" or admit is None or admit(late):
            return late, cutoff, False
        if self.wait == "all":
            return nobody, last, True
        return self._released(arrivals, late, admit)

    def _released(self, arrivals: Tensor, late: Tensor, admit: Callable[[Tensor], bool]) -> tuple[Tensor, float, bool]:
        """Wait for as few late workers as needed, in order of arrival (a subset of an acceptable set is acceptable)."""
        times = arrivals[late].sort().values
        low, high = 0, len(times) - 1  # waiting for times[high] leaves nobody late
        while low < high:
            middle = (low + high) // 2
            low, high = (low, middle) if admit(late & (arrivals > times[middle])) else (middle + 1, high)
        return late & (arrivals > times[low]), float(times[low]), True

    def _bits(self, name: str, count: int | Tensor, busy: Tensor | None) -> Tensor:
        if isinstance(count, int) and count == 0:
            return self._none
        whole = torch.as_tensor(count)
        if whole.is_floating_point() or whole.is_complex() or bool((whole < 0).any()):
            raise ValueError(f"{name}={count!r}: must be whole numbers of bits >= 0")
        full = whole.to(torch.int64).expand(self.n)
        return full if busy is None else full.masked_fill(~busy, 0)


def timeline(compute: Tensor, *, up: int | Tensor = 0, down: int | Tensor = 0, link: Link | None = None) -> Tensor:
    """Time at the end of each round when the master waits for all workers: all rounds at once.

    ``compute`` (rounds, n) seconds; ``up`` and ``down``: bits per message, one number or a tensor that broadcasts to
    (rounds, n). Returns float64 (rounds,), the same as calling :meth:`Clock.round` round by round.
    """
    seconds, line = checked_delays("compute", compute), link or FREE
    for name, count in (("up", up), ("down", down)):
        whole = torch.as_tensor(count)
        if whole.is_floating_point() or bool((whole < 0).any()):
            raise ValueError(f"{name}={count!r}: must be whole numbers of bits >= 0")
        seconds = seconds + line.seconds(whole)
    return seconds.amax(1).cumsum(0)
