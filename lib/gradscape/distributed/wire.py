"""Compressed gradient methods between real processes: a server and clients that exchange exactly the counted bits.

Rank 0 is the server and hosts the first share of the clients, the other ranks host the rest. What a client does in a
round is a pure function of its memory and its gradient, the same that the simulators use. Shared by the lessons on
error feedback and on EControl.
"""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from gradscape import validate
from gradscape.distributed.compressors import Compressor, index_bits, largest
from gradscape.distributed.real import Channel, launch

Memory = tuple[Tensor, ...]


class Hosted(Protocol):
    """Clients of one process: ``gradients(x)`` (c, d) is asked for once at x⁰ and once after every step."""

    def gradients(self, x: Tensor) -> Tensor:
        """Every hosted client's gradient at x (d,)."""
        ...


class Divisible(Protocol):
    """All clients; each process makes them anew and keeps its part."""

    n: int

    def part(self, low: int, high: int) -> Hosted:
        """Clients ``low`` to ``high - 1``."""
        ...


@dataclass(frozen=True)
class Exchange:
    """What every process needs to know; all functions must be importable by name (or partials of such).

    ``clients(*arguments)`` makes the clients. ``start(gradients, compressor)`` gives the first message and the memory,
    ``answer(memory, gradients, compressor)`` the next message and the new memory, rows being clients. The server keeps
    the sum h of all messages, weighted with ``weights`` (n,) (``None``: 1/n), and steps x <- x - gamma h before every
    answer. Clients see their gradient times 1/(n w_i). ``kept``: entries that a message keeps; ``first_kept``: those of
    the first message (d: sent whole).
    """

    clients: Callable[..., Divisible]
    arguments: tuple[Any, ...]
    start: Callable[[Tensor, Compressor], tuple[Tensor, Memory]]
    answer: Callable[[Memory, Tensor, Compressor], tuple[Tensor, Memory]]
    compressor: Compressor
    gamma: float
    rounds: int
    x0: Tensor
    kept: int
    first_kept: int
    weights: Tensor | None = None


@dataclass(frozen=True)
class WireLog:
    """``iterates`` (rounds + 1, d); ``value_bits``, ``place_bits``: what the other ranks sent; ``model_bits``: what
    each of them received.
    """

    iterates: Tensor
    value_bits: int
    place_bits: int
    model_bits: int


@dataclass(frozen=True)
class WireRun:
    """One run in the simulator and between processes: ``simulated`` (rounds + 1, d), ``real`` and the bits that the
    simulator counts for what the other ranks send.
    """

    simulated: Tensor
    real: WireLog
    counted_bits: int

    @property
    def differences(self) -> Tensor:
        """Relative distance of the two iterates after every round, (rounds + 1,)."""
        return (self.real.iterates - self.simulated).norm(dim=1) / self.simulated.norm(dim=1)

    @property
    def wire_bits(self) -> int:
        """Bits that the other ranks really sent."""
        return self.real.value_bits + self.real.place_bits


def share(rank: int, size: int, n: int) -> tuple[int, int]:
    """First client of a rank and the one after its last: equal consecutive shares."""
    return rank * n // size, (rank + 1) * n // size


def pack_places(places: Tensor, d: int) -> Tensor:
    """Places in 0..d-1 as a string of bits, ceil(log2 d) for each, filled up to whole bytes; uint8.

    >>> pack_places(torch.tensor([1, 2, 3]), 4)
    tensor([108], dtype=torch.uint8)
    """
    width = index_bits(d)
    each = (places.reshape(-1, 1).numpy() >> np.arange(width - 1, -1, -1)) & 1
    return torch.from_numpy(np.packbits(each.astype(np.uint8).reshape(-1)))


def unpack_places(packed: Tensor, count: int, d: int) -> Tensor:
    """What :func:`pack_places` packed, int64 (count,)."""
    width = index_bits(d)
    each = np.unpackbits(packed.numpy(), count=count * width).reshape(count, width)
    return torch.from_numpy(each.astype(np.int64) @ (1 << np.arange(width - 1, -1, -1)))


def send(channel: Channel, message: Tensor, kept: int) -> None:
    """Send rows (c, d) with at most ``kept`` entries that are not zero: the entries, and where they belong."""
    d = message.shape[-1]
    if kept == d:
        channel.send(message, 0, "values")
        return
    places = largest(message, kept)
    channel.send(message.gather(-1, places), 0, "values")
    channel.send(pack_places(places, d), 0, "places")


def receive(channel: Channel, source: int, rows: int, d: int, kept: int) -> Tensor:
    """The rows (c, d) that :func:`send` sent."""
    values = channel.receive((rows, kept), source, "values")
    if kept == d:
        return values
    count = rows * kept
    packed = channel.receive((-(-count * index_bits(d) // 8),), source, "places", torch.uint8)
    places = unpack_places(packed, count, d).view(rows, kept)
    return torch.zeros(rows, d, dtype=values.dtype).scatter_(-1, places, values)


def exchange(task: Exchange, *, processes: int = 2, timeout: float = 120.0) -> WireLog:
    """Run a task between real processes on this machine; ``ProcessError`` if one fails.

    ``ValueError`` for random compressors (the processes would draw different numbers) and impossible sizes.
    """
    if task.compressor.random:
        raise ValueError(f"compressor={task.compressor!r}: random ones are not supported between processes")
    validate.positive("gamma", task.gamma)
    validate.at_least("rounds", task.rounds, 1)
    for name, kept in (("kept", task.kept), ("first_kept", task.first_kept)):
        validate.in_range(name, validate.at_least(name, kept, 1), 1, task.x0.shape[-1])
    log = launch(program, task, processes=processes, timeout=timeout)[0]
    assert isinstance(log, WireLog)
    return log


def program(channel: Channel, task: Exchange) -> WireLog | None:
    """What each rank runs; rank 0 returns the log."""
    side = _Server(channel, task) if channel.rank == 0 else _Worker(channel, task)
    for _ in range(task.rounds):
        side.round()
    return side.log()


class _Worker:
    """The clients of one rank: get x, answer."""

    def __init__(self, channel: Channel, task: Exchange) -> None:
        self.channel, self.task = channel, task
        clients = task.clients(*task.arguments)
        self.n, self.d = clients.n, task.x0.shape[-1]
        self.low, self.high = share(channel.rank, channel.size, self.n)
        self.hosted = clients.part(self.low, self.high)
        self.x = task.x0
        message, self.memory = task.start(self.target(), task.compressor)
        self.deliver(message, task.first_kept)

    def target(self) -> Tensor:
        """What the hosted clients compress: their gradients, scaled by 1/(n w_i)."""
        gradients, weights = self.hosted.gradients(self.x), self.task.weights
        return gradients if weights is None else gradients / (self.n * weights[self.low : self.high])[:, None]

    def round(self) -> None:
        """Move to the next x, compute, answer."""
        self.x = self.move()
        message, self.memory = self.task.answer(self.memory, self.target(), self.task.compressor)
        self.deliver(message, self.task.kept)

    def move(self) -> Tensor:
        """The next x, from the server."""
        return self.channel.receive((self.d,), 0, "model")

    def deliver(self, message: Tensor, kept: int) -> None:
        """Hand the messages (c, d) of the hosted clients over."""
        send(self.channel, message, kept)

    def log(self) -> WireLog | None:
        """Nothing: the server keeps the books."""
        return None


class _Server(_Worker):
    """The server with clients of its own, whose messages do not touch the wire."""

    def __init__(self, channel: Channel, task: Exchange) -> None:
        self.h = torch.zeros_like(task.x0)
        self.iterates = [task.x0]
        super().__init__(channel, task)

    def move(self) -> Tensor:
        """Step, and tell everybody."""
        x = self.x - self.task.gamma * self.h
        self.channel.tell(x, "model")
        self.iterates.append(x)
        return x

    def deliver(self, message: Tensor, kept: int) -> None:
        """Wait for all others' messages and add everything up."""
        parts = [message]
        for rank in range(1, self.channel.size):
            low, high = share(rank, self.channel.size, self.n)
            parts.append(receive(self.channel, rank, high - low, self.d, kept))
        messages, weights = torch.cat(parts), self.task.weights
        self.h = self.h + (messages.mean(0) if weights is None else weights @ messages)

    def log(self) -> WireLog:
        """The iterates and what went over the wire."""
        got, told = self.channel.received, self.channel.sent["model"] // (self.channel.size - 1)
        return WireLog(torch.stack(self.iterates), got["values"], got["places"], told)
