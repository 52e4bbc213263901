"""A causal transformer with one position per turn: it reads goals, guidance, calls and observations, and says calls.

Positions: 3 goals, 1 guidance slot, then turn j = 0 … H, which reads call j − 1 and its observation and says call j.
A call's log-probability is the sum of three: tool; first argument given the tool; second given both; arguments that do
not have the tool's types are masked. The reflection head reads the position behind the last call, where the verifier's
verdict is shown, and says an outcome, the turn to try again from, and the call to make there.
"""
from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gradscape.agents.toolworld.lexicon import ARGUMENTS, HORIZON, MAX_GOALS, SHOWN, STATUSES, TOOLS, VERBS, WORDS
from gradscape.agents.toolworld.oracle import OUTCOMES
from gradscape.agents.turnpolicy.batch import Batch
from gradscape.validate import at_least, in_range

MASKED = -1e9
EMBEDDING = 0.4  # initial scale; with 0.1 the policy-gradient steps of the lessons (Adam, 1e-3) move embeddings too far
FEEDBACK = 3  # none, success, failure
FIRST = MAX_GOALS + 1  # position of turn 0
START = len(TOOLS)  # what stands for the call before the first one
_T, _W = len(TOOLS), len(WORDS)
GOAL_SLOTS = (len(VERBS), _W, _W, _W)
GUIDE_SLOTS = (_T, _W, _W, HORIZON + 1)
TURN_SLOTS = (_T + 1, _W, _W, len(STATUSES), *[_W] * SHOWN, FEEDBACK)


class Slots(nn.Module):
    """The sum of one embedding per slot: (…, slots) int64 -> (…, d)."""

    offset: Tensor

    def __init__(self, sizes: tuple[int, ...], d: int) -> None:
        super().__init__()
        starts = [sum(sizes[:slot]) for slot in range(len(sizes))]
        self.register_buffer("offset", torch.tensor(starts), persistent=False)
        self.table = nn.Parameter(torch.randn(sum(sizes), d) * EMBEDDING)

    def forward(self, index: Tensor) -> Tensor:
        rows = F.embedding_bag((index + self.offset).reshape(-1, index.shape[-1]), self.table, mode="sum")
        return rows.reshape(*index.shape[:-1], -1)


class Block(nn.Module):
    """Pre-norm self-attention and a two-layer network, each added to its input."""

    def __init__(self, d: int, ff: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(d), nn.LayerNorm(d)
        self.qkv, self.out = nn.Linear(d, 3 * d), nn.Linear(d, d)
        self.up, self.down = nn.Linear(d, ff), nn.Linear(ff, d)

    def forward(self, x: Tensor, cache: Cache | None = None) -> Tensor:
        """x (B, n, d), attending causally to itself, or, with a cache, to all that it holds as well."""
        B, n, d = x.shape
        q, k, v = self.qkv(self.norm1(x)).reshape(B, n, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        causal = True
        if cache is not None:
            k, v, causal = *cache.extend(k, v), n > 1
        a = F.scaled_dot_product_attention(q, k, v, is_causal=causal)
        x = x + self.out(a.transpose(1, 2).reshape(B, n, d))
        return x + self.down(F.gelu(self.up(self.norm2(x))))


class Cache:
    """Keys and values (B, heads, room, d/heads) of the positions a block has read."""

    def __init__(self, room: int) -> None:
        self.room, self.used = room, 0
        self.k = self.v = torch.empty(0)

    def extend(self, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """Store new positions; return all so far. Several at once may only be the first ones."""
        if not self.used:
            shape = (*k.shape[:2], self.room, k.shape[3])
            self.k, self.v = k.new_empty(shape), v.new_empty(shape)
        end = self.used + k.shape[2]
        self.k[:, :, self.used : end] = k
        self.v[:, :, self.used : end] = v
        self.used = end
        return self.k[:, :, :end], self.v[:, :, :end]

    def keep(self, rows: Tensor) -> None:
        """Forget all episodes but these."""
        self.k, self.v = self.k[rows], self.v[rows]


class CallHead(nn.Module):
    """log pi(call | h) = log pi(tool | h) + log pi(a | h, tool) + log pi(b | h, tool, a)."""

    allowed: Tensor

    def __init__(self, d: int) -> None:
        super().__init__()
        self.tool, self.a, self.b = nn.Linear(d, _T), nn.Linear(d, _W), nn.Linear(d, _W)
        self.tool_a, self.tool_b, self.a_b = (nn.Parameter(torch.randn(n, d) * EMBEDDING) for n in (_T, _T, _W))
        allowed = torch.full((2, _T, _W), MASKED)
        for tool, types in enumerate(ARGUMENTS):
            for place, words in enumerate(types):
                allowed[place, tool, list(words)] = 0.0
        self.register_buffer("allowed", allowed, persistent=False)

    def logp(self, h: Tensor, calls: Tensor) -> Tensor:
        """log pi of calls (n, 3) at h (n, d) -> (n,)."""
        tool, a, b = calls.unbind(-1)
        a_logits, b_logits = self._arguments(h, tool, a)
        total = _chosen(self.tool(h), tool) + _chosen(a_logits, a)
        return total + _chosen(b_logits, b)

    def _arguments(self, h: Tensor, tool: Tensor, a: Tensor) -> tuple[Tensor, Tensor]:
        a_logits = self.a(h + self.tool_a[tool]) + self.allowed[0][tool]
        return a_logits, self.b(h + self.tool_b[tool] + self.a_b[a]) + self.allowed[1][tool]

    def sample(self, h: Tensor, u: Tensor, temperature: float) -> Tensor:
        """Draw calls (n, 3) at h (n, d) from uniform numbers u (n, 3) in [0, 1)."""
        tool = draw(self.tool(h), u[:, 0], temperature)
        a = draw(self.a(h + self.tool_a[tool]) + self.allowed[0][tool], u[:, 1], temperature)
        b = draw(self.b(h + self.tool_b[tool] + self.a_b[a]) + self.allowed[1][tool], u[:, 2], temperature)
        return torch.stack([tool, a, b], -1)

    def distribution(self, h: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """All log-probabilities at h (d,): tools (T,), first arguments (T, W), second ones (T, W, W)."""
        tools = torch.arange(_T)
        a = F.log_softmax(self.a(h + self.tool_a) + self.allowed[0], -1)
        both = h + self.tool_b[:, None] + self.a_b[None]
        b = F.log_softmax(self.b(both) + self.allowed[1][tools][:, None], -1)
        return F.log_softmax(self.tool(h), -1), a, b


class Reflections(NamedTuple):
    """What the reflection head says of B episodes: ``outcome`` (B,) int64, an index of OUTCOMES; ``pivot`` (B,) int64,
    the turn to try again from, below the horizon but perhaps not below the episode's length; ``call`` (B, 3) int64."""

    outcome: Tensor
    pivot: Tensor
    call: Tensor


class TurnPolicy(nn.Module):
    """The policy; 70 thousand parameters at the default sizes. Weights depend on ``seed`` only."""

    def __init__(self, d: int = 48, ff: int = 96, layers: int = 2, heads: int = 4, *, seed: int = 0) -> None:
        super().__init__()
        for name, value in (("d", d), ("ff", ff), ("layers", layers), ("heads", heads)):
            at_least(name, value, 1)
        if d % heads:
            raise ValueError(f"d={d!r}: must be a multiple of heads={heads!r}")
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(at_least("seed", seed, 0))
            self.goal, self.guide, self.turn = Slots(GOAL_SLOTS, d), Slots(GUIDE_SLOTS, d), Slots(TURN_SLOTS, d)
            self.position = nn.Parameter(torch.randn(FIRST + HORIZON + 1, d) * 0.1)
            self.blocks = nn.ModuleList(Block(d, ff, heads) for _ in range(layers))
            self.norm = nn.LayerNorm(d)
            self.act = CallHead(d)
            self.outcome, self.pivot = nn.Linear(d, len(OUTCOMES)), nn.Linear(d, HORIZON)
            self.suggest = CallHead(d)

    def context(self, goals: Tensor, guidance: Tensor) -> Tensor:
        """The first positions: goals (B, 3, 4), guidance (B, 4) -> (B, 4, d)."""
        guide = self.guide(guidance) * (guidance[:, 3:] > 0)
        return torch.cat([self.goal(goals), guide[:, None]], 1) + self.position[:FIRST]

    def hidden(self, batch: Batch, *, feedback: bool = False) -> Tensor:
        """The trunk at the turns: (B, H + 1, d); ``feedback`` shows the verdict behind the last call."""
        B, H = batch.calls.shape[:2]
        read = torch.zeros(B, H + 1, len(TURN_SLOTS), dtype=torch.int64)
        read[:, 0, 0] = START
        read[:, 1:, :3], read[:, 1:, 3:8] = batch.calls, batch.obs
        if feedback:
            read[torch.arange(B), batch.length, 8] = torch.where(batch.success > 0.5, 1, 2)
        x = torch.cat([self.context(batch.goals, batch.guidance), self.turn(read) + self.position[FIRST:]], 1)
        for block in self.blocks:
            x = block(x)
        return self.norm(x[:, FIRST:])

    def logp(self, batch: Batch) -> Tensor:
        """log pi of each call given what went before, at temperature 1: (B, H), 0 behind an episode's end."""
        turns = batch.turns
        logp = self.act.logp(self.hidden(batch)[:, :-1][turns], batch.calls[turns])
        return torch.zeros(turns.shape).masked_scatter(turns, logp)

    def reflection_logp(self, batch: Batch, said: Reflections) -> Tensor:
        """log-probability of reflections on episodes: (B,). After the outcome "success" nothing more is said."""
        h = self._last(batch)
        more = (said.outcome != 0).float()
        rest = _chosen(self.pivot(h), said.pivot) + self.suggest.logp(h, said.call)
        return _chosen(self.outcome(h), said.outcome) + more * rest

    @torch.no_grad()
    def reflect(
        self, batch: Batch, *, temperature: float = 1.0, generator: torch.Generator | None = None,
    ) -> Reflections:
        """Let the model reflect on finished episodes; temperature 0 takes the most probable of each part."""
        in_range("temperature", temperature, 0.0, 100.0)
        h = self._last(batch)
        u = torch.rand(len(batch), 5, generator=generator)
        outcome, pivot = draw(self.outcome(h), u[:, 0], temperature), draw(self.pivot(h), u[:, 1], temperature)
        return Reflections(outcome, pivot, self.suggest.sample(h, u[:, 2:], temperature))

    def _last(self, batch: Batch) -> Tensor:
        return self.hidden(batch, feedback=True)[torch.arange(len(batch)), batch.length]

    def copy(self) -> TurnPolicy:
        """An independent policy with the same weights."""
        block = self.blocks[0]
        assert isinstance(block, Block)
        twin = TurnPolicy(block.up.in_features, block.up.out_features, len(self.blocks), block.heads)
        twin.load_state_dict(self.state_dict())
        return twin


def draw(logits: Tensor, u: Tensor, temperature: float) -> Tensor:
    """Inverse-transform sampling: logits (n, k), uniform u (n,) -> (n,) int64; the largest at temperature 0."""
    if temperature == 0:
        return logits.argmax(-1)
    cdf = torch.softmax(logits / temperature, -1).cumsum(-1)
    # the first entry whose cumulative probability exceeds u: never one of probability 0
    return (cdf <= (u.clamp(max=1 - 2**-20) * cdf[:, -1])[:, None]).sum(-1)


def _chosen(logits: Tensor, index: Tensor) -> Tensor:
    return F.log_softmax(logits, -1).gather(-1, index[:, None])[:, 0]
