"""What the tests run in real processes; each process imports this module by name."""
from __future__ import annotations

import os
import time
from pathlib import Path

import psutil
import torch
from gradscape.distributed.real import Channel


def add(channel: Channel, values: torch.Tensor) -> tuple[torch.Tensor, dict[str, int], dict[str, int]]:
    """Rank 1 sends values and a flag, rank 0 answers with the sum."""
    if channel.rank == 0:
        other = channel.receive((5,), 1)
        flag = channel.receive((3,), 1, "flag", torch.uint8)
        total = values + other + flag[0]
        channel.tell(total, "sum")
    else:
        channel.send(values, 0)
        channel.send(torch.ones(3, dtype=torch.uint8), 0, "flag")
        total = channel.receive((5,), 0, "sum")
    return total, dict(channel.sent), dict(channel.received)


def fail(channel: Channel) -> None:
    """Rank 1 raises while rank 0 waits for it."""
    if channel.rank == 1:
        raise RuntimeError("banana")
    channel.receive((1,), 1)


def vanish(channel: Channel) -> None:
    """Rank 1 is gone without a word."""
    if channel.rank == 1:
        os._exit(3)
    channel.receive((1,), 1)


def hang(channel: Channel, path: str) -> None:
    """Rank 1 never comes back; rank 0 waits for it at the end."""
    if channel.rank == 1:
        Path(path).write_text(str(os.getpid()))
        time.sleep(600)


def listening(channel: Channel) -> list[str]:
    """Addresses of all internet sockets of this process, while both are connected."""
    if channel.rank == 0:
        channel.receive((1,), 1)
    else:
        channel.send(torch.zeros(1, dtype=torch.float64), 0)
    found = psutil.Process().net_connections("inet")
    return [end.ip for c in found for end in (c.laddr, c.raddr) if end]
