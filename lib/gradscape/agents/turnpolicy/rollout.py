"""Batched rollouts with a cache of keys and values: one forward of all episodes per turn."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from gradscape.agents.toolworld.lexicon import HORIZON, well_typed
from gradscape.agents.toolworld.tasks import Task
from gradscape.agents.turnpolicy.batch import Batch, goal_slots
from gradscape.agents.turnpolicy.model import FIRST, START, TURN_SLOTS, Cache, TurnPolicy
from gradscape.validate import at_least, in_range

DRAWS = 4  # uniform numbers of a turn: tool, two arguments, transient failure


@torch.no_grad()
def rollout(
    policy: TurnPolicy, tasks: Sequence[Task], *, temperature: float = 1.0, guidance: Tensor | None = None,
    prefix: Tensor | None = None, prefix_len: Tensor | None = None, flaky: float = 0.0,
    generator: torch.Generator | None = None, noise: Tensor | None = None,
) -> Batch:
    """One episode per task (repeat a task for several), up to H = 12 calls each.

    ``temperature``: 0 takes the most probable call; ``guidance`` (B, 4) int64, see `guidance_slots`; ``prefix``
    (B, H, 3) int64 and ``prefix_len`` (B,): the first ``prefix_len`` calls are replayed instead of drawn; ``flaky``:
    probability of a transient failure, not together with a prefix; ``noise`` (B, H, 4): uniform numbers in [0, 1)
    instead of the generator's, then an episode does not depend on the others.

    Raises ValueError for wrong shapes, ill-typed prefixes, and numbers out of range.
    """
    B = at_least("number of tasks", len(tasks), 1)
    in_range("temperature", temperature, 0.0, 100.0)
    in_range("flaky", flaky, 0.0, 1.0)
    if noise is None:
        noise = torch.rand(B, HORIZON, DRAWS, generator=generator)
    _shape("noise", noise, (B, HORIZON, DRAWS))
    goals = goal_slots(tasks)
    guidance = torch.zeros(B, 4, dtype=torch.int64) if guidance is None else guidance
    _shape("guidance", guidance, (B, 4))
    replayed = _checked_prefix(B, prefix, prefix_len, flaky)

    worlds = [task.world() for task in tasks]
    calls, obs = torch.zeros(B, HORIZON, 3, dtype=torch.int64), torch.zeros(B, HORIZON, 5, dtype=torch.int64)
    length = torch.full((B,), HORIZON)
    busy = noise[:, :, 3] < flaky
    rows = torch.arange(B)  # the episodes that still run
    caches = [Cache(FIRST + HORIZON) for _ in policy.blocks]
    x = policy.context(goals, guidance)
    for block, cache in zip(policy.blocks, caches, strict=True):
        x = block(x, cache)
    read = torch.zeros(B, len(TURN_SLOTS), dtype=torch.int64)
    read[:, 0] = START
    for turn in range(HORIZON):
        x = (policy.turn(read) + policy.position[FIRST + turn])[:, None]
        for block, cache in zip(policy.blocks, caches, strict=True):
            x = block(x, cache)
        said = policy.act.sample(policy.norm(x[:, 0]), noise[rows, turn, :3], temperature)
        if replayed is not None:
            old = replayed[1][rows] > turn
            said = torch.where(old[:, None], replayed[0][rows, turn], said)
        running = rows.tolist()
        fails = busy[rows, turn].tolist()
        seen = torch.tensor([
            worlds[row].step((call[0], call[1], call[2]), busy=fail)
            for row, call, fail in zip(running, said.tolist(), fails, strict=True)
        ])
        calls[rows, turn], obs[rows, turn] = said, seen
        alive = torch.tensor([not worlds[row].finished for row in running])
        length[rows[~alive]] = turn + 1
        read = torch.cat([said, seen, torch.zeros(len(rows), 1, dtype=torch.int64)], 1)
        if not alive.all():
            rows, read = rows[alive], read[alive]
            if not len(rows):
                break
            for cache in caches:
                cache.keep(alive)
    success = torch.tensor([float(task.solved(world)) for task, world in zip(tasks, worlds, strict=True)])
    return Batch(goals, guidance.clone(), calls, obs, length, success)


@dataclass(frozen=True)
class Evaluation:
    """Episodes of T tasks, S samples each: ``success`` (T, S) bool, ``length`` (T, S) int64, ``errors`` (T, S) int64
    (calls answered by an error), and the ``batch`` of all T * S episodes, task by task."""

    success: Tensor
    length: Tensor
    errors: Tensor
    batch: Batch

    @property
    def rate(self) -> float:
        """Share of episodes that succeed: pass@1."""
        return float(self.success.float().mean())

    @property
    def turns_per_success(self) -> float:
        """Mean number of calls of the successful episodes; NaN without any."""
        return float(self.length[self.success].float().mean())

    @property
    def recovery(self) -> float:
        """Success rate of the episodes that met at least one error; NaN without any."""
        return float(self.success[self.errors > 0].float().mean())


def evaluate(
    policy: TurnPolicy, tasks: Sequence[Task], *, samples: int = 1, temperature: float = 1.0, flaky: float = 0.0,
    seed: int = 0,
) -> Evaluation:
    """Roll out ``samples`` episodes of each task; the same seed gives every policy the same random numbers."""
    at_least("samples", samples, 1)
    generator = torch.Generator().manual_seed(at_least("seed", seed, 0))
    repeated = [task for task in tasks for _ in range(samples)]
    batch = rollout(policy, repeated, temperature=temperature, flaky=flaky, generator=generator)
    shape = (len(tasks), samples)
    return Evaluation((batch.success > 0.5).reshape(shape), batch.length.reshape(shape),
                      batch.errors.sum(1).reshape(shape), batch)


def _shape(name: str, tensor: Tensor, shape: tuple[int, ...]) -> None:
    if not isinstance(tensor, Tensor) or tuple(tensor.shape) != shape:
        found = tuple(tensor.shape) if isinstance(tensor, Tensor) else type(tensor).__name__
        raise ValueError(f"{name} has shape {found}: must be a tensor of shape {shape}")


def _checked_prefix(
    B: int, prefix: Tensor | None, prefix_len: Tensor | None, flaky: float,
) -> tuple[Tensor, Tensor] | None:
    if (prefix is None) != (prefix_len is None):
        raise ValueError("prefix and prefix_len must be given together")
    if prefix is None or prefix_len is None:
        return None
    if flaky:
        raise ValueError(f"flaky={flaky!r}: a replay needs a world without transient failures")
    _shape("prefix", prefix, (B, HORIZON, 3))
    _shape("prefix_len", prefix_len, (B,))
    if bool(((prefix_len < 0) | (prefix_len > HORIZON)).any()):
        raise ValueError(f"prefix_len={prefix_len.tolist()!r}: must lie in [0, {HORIZON}]")
    for calls, n in zip(prefix.tolist(), prefix_len.tolist(), strict=True):
        wrong = [call for call in calls[:n] if not well_typed((call[0], call[1], call[2]))]
        if wrong:
            raise ValueError(f"prefix holds the call {wrong[0]!r}: its arguments do not have its tool's types")
    return prefix, prefix_len
