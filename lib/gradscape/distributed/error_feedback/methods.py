"""EF21, EF21-W and what they are compared with, for any number of runs at once.

Richtárik, Gasanov & Burlachenko 2024 (arXiv 2402.10774), Sec. 2 and 3. Runs lie on the leading axes of x (..., d),
clients on the axis before the last of what is (..., n, d). ``weights`` are (..., n); ``None`` stands for 1/n each and
leaves out all scaling, so that EF21 is computed as it is written.
"""
from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from gradscape import validate
from gradscape.distributed.compressors import VALUE_BITS, Compressor
from gradscape.distributed.error_feedback.theory import Weights, client_weights
from gradscape.distributed.feedback import ec_step, ef21_step
from gradscape.learning.problems import Clients

METHODS = ("ef21", "ef21w", "ef14", "dcgd", "gd")
INITS = ("compressed", "full")
TRACKS = ("value", "estimate_error")
Progress = Callable[[int, int], None]
Gradients = Callable[[Tensor], Tensor]
BLOCK = 512  # recorded rounds for which memory is taken at once


def scaled(gradients: Tensor, weights: Tensor | None) -> Tensor:
    """What a client of EF21-W compresses: grad f_i/(n w_i), (..., n, d)."""
    return gradients if weights is None else gradients / (gradients.shape[-2] * weights)[..., None]


def combined(vectors: Tensor, weights: Tensor | None) -> Tensor:
    """What the server adds up: sum_i w_i v_i, (..., n, d) -> (..., d)."""
    return vectors.mean(-2) if weights is None else (weights[..., None, :] @ vectors)[..., 0, :]


def ef21_round(
    x: Tensor,
    g: Tensor,
    gradients: Gradients,
    gamma: Tensor,
    compressor: Compressor,
    weights: Tensor | None = None,
    generator: torch.Generator | None = None,
) -> tuple[Tensor, Tensor]:
    """One round of EF21 (no weights) or EF21-W: step, then every client updates its estimate.

    ``x`` (..., d), ``g`` (..., n, d): estimates of grad f_i/(n w_i); ``gradients(x)`` (..., n, d); ``gamma`` (...).
    The weights enter twice: 1/(n w_i) where a client compresses, w_i where the server adds.
    """
    x = x - gamma[..., None] * combined(g, weights)
    _, g = ef21_step(g, scaled(gradients(x), weights), compressor, generator)
    return x, g


def ef14_round(
    x: Tensor,
    e: Tensor,
    gradients: Gradients,
    gamma: Tensor,
    compressor: Compressor,
    generator: torch.Generator | None = None,
) -> tuple[Tensor, Tensor]:
    """One round of classic error feedback (Seide et al. 2014): send C(e_i + gamma grad f_i), keep the rest in e_i."""
    message, e = ec_step(e, gamma[..., None, None] * gradients(x), compressor, generator)
    return x - message.mean(-2), e


def first_estimate(
    gradients: Tensor,
    compressor: Compressor,
    weights: Tensor | None = None,
    init: str = "compressed",
    generator: torch.Generator | None = None,
) -> Tensor:
    """g_i⁰ (..., n, d): C(grad f_i(x⁰)/(n w_i)), as in the paper, or ("full") without C, as in EF21's code."""
    target = scaled(gradients, weights)
    return target if validate.one_of("init", init, INITS) == "full" else compressor(target, generator)


def estimate_error(
    g: Tensor, gradients: Tensor, weights: Tensor | None = None, analysis: Tensor | None = None
) -> Tensor:
    """G = sum_i ‖n w_i g_i - grad f_i‖²/(n² a_i), (...), where a are the weights of the analysis (default: a = w).

    With a = w it is sum_i w_i ‖g_i - grad f_i/(n w_i)‖² (theorem 2); plain EF21 with the step of L_AM has w = 1/n and
    a ∝ L_i (theorem 3).
    """
    n = g.shape[-2]
    estimates = g if weights is None else g * (n * weights)[..., None]
    square = (estimates - gradients).square().sum(-1)
    chosen = analysis if analysis is not None else weights
    return square.mean(-1) if chosen is None else (square / chosen).sum(-1) / n**2


@dataclass(frozen=True)
class History:
    """Runs of one method, K recorded rounds.

    ``rounds`` (K,); ``grad_sq`` (..., K): ‖grad f(x)‖²; ``bits`` (K,), with partial participation (..., K): sent per
    client so far; ``x`` (..., d): the end; ``value`` (f(x)) and ``estimate_error`` (G) (..., K), ``None`` unless
    tracked. Runs that diverge hold inf or NaN.
    """

    rounds: Tensor
    grad_sq: Tensor
    bits: Tensor
    x: Tensor
    value: Tensor | None = None
    estimate_error: Tensor | None = None

    def rounds_to(self, level: Tensor | float) -> Tensor:
        """First recorded round at which ‖grad f‖² is at most ``level`` (...), float64; NaN where it never is."""
        reached = self.grad_sq <= torch.as_tensor(level)[..., None]
        first = self.rounds.double()[reached.int().argmax(-1)]
        return torch.where(reached.any(-1), first, math.nan)

    def rounds_until(self, drop: float) -> Tensor:
        """First recorded round at which ‖grad f‖² has fallen to ``drop`` times its start, (...); NaN if never."""
        return self.rounds_to(drop * self.grad_sq[..., 0])


def gain_after(reference: History, other: History) -> float:
    """Rounds of ``reference`` over those that ``other`` needs to reach the same ‖grad f‖² (NaN: it did not)."""
    reached = other.rounds_to(reference.grad_sq[..., -1])
    return float(reference.rounds[-1] / reached)


def run(
    problem: Clients,
    method: str,
    gamma: Tensor | float,
    compressor: Compressor,
    rounds: int,
    x0: Tensor,
    *,
    weights: Weights | Tensor | None = None,
    init: str = "compressed",
    participation: Tensor | float | None = None,
    batch: int | None = None,
    generator: torch.Generator | None = None,
    record_every: int = 1,
    track: tuple[str, ...] = (),
    until: float | None = None,
    progress: Progress | None = None,
) -> History:
    """Run a method from ``x0`` (*problem.batch, ..., d): every leading index is a run of its own.

    ``method``: "ef21", "ef21w" (``weights`` ∝ L_i unless given), "ef14", "dcgd" (compressed, no memory), "gd".
    ``gamma``: a step > 0, or one per run (...). ``participation``: probability with which a client takes part in a
    round (EF21-W-PP); ``batch``: rows of the minibatch gradient (EF21-W-SGD). For these two no step is proved here;
    1/(L + L_AM xi) is a starting value. ``track``: also "value", "estimate_error". ``until``: stop once ‖grad f‖² of
    every run has fallen to that share of its start. Divergence is recorded, not raised.
    ``ValueError`` for an unknown method, a step that is not > 0, weights that are not, probabilities outside (0, 1].
    """
    made = _Run(problem, method, gamma, compressor, x0, weights, init, participation, batch, generator)
    validate.at_least("rounds", rounds, 1)
    validate.at_least("record_every", record_every, 1)
    for name in track:
        validate.one_of("track", name, TRACKS)
    if until is not None:
        validate.positive("until", until)
    record = _Record(made, track)
    for t in range(1, rounds + 1):
        made.advance()
        if t % record_every == 0 or t == rounds:
            record.add(t)
            if until is not None and record.fallen(until):
                break
        if progress is not None:
            progress(t, rounds)
    return record.history()


class _Run:
    """The state of all runs: x, the clients' memories, the last gradients, bits sent per client."""

    def __init__(
        self, problem: Clients, method: str, gamma: Tensor | float, compressor: Compressor, x0: Tensor,
        weights: Weights | Tensor | None, init: str, participation: Tensor | float | None, batch: int | None,
        generator: torch.Generator | None,
    ) -> None:
        validate.one_of("method", method, METHODS)
        validate.one_of("init", init, INITS)
        self.problem, self.method, self.compressor, self.generator = problem, method, compressor, generator
        self.x = validate.finite("x0", x0)
        self.gamma = _steps(gamma, x0)
        self.batch = None if batch is None else validate.at_least("batch", batch, 1)
        self.weights = self._weights(weights)
        self.takes_part = _probability(participation, method)
        drawn = compressor.random and method != "gd"
        if generator is None and (drawn or batch is not None or participation is not None):
            raise ValueError("generator=None: random compressors, minibatches and participation need a torch.Generator")
        self.exact = problem.gradients(x0)
        self.bits: Tensor | float = 0.0
        self.bits_shape = x0.shape[:-1] if participation is not None else torch.Size()
        self.memory = torch.zeros_like(self.exact)
        self.message = float(compressor.bits(problem.d))
        if method in ("ef21", "ef21w"):
            start = self.exact if self.batch is None else self.gradients(x0)
            self.memory = first_estimate(start, compressor, self.weights, init, generator)
            self.bits = self.message if init == "compressed" else float(problem.d * VALUE_BITS)
        elif method == "gd":
            self.message = float(problem.d * VALUE_BITS)

    def _weights(self, weights: Weights | Tensor | None) -> Tensor | None:
        if self.method != "ef21w":
            if weights is not None:
                raise ValueError(f"weights={weights!r}: only method='ef21w' takes weights (method={self.method!r})")
            return None
        L_i, extra = self.problem.L_i, self.x.dim() - 1 - len(self.problem.batch)
        made = client_weights(L_i, "smoothness" if weights is None else weights)
        if isinstance(weights, Tensor):
            return made
        return made.reshape(*self.problem.batch, *[1] * extra, self.problem.n)

    def gradients(self, x: Tensor) -> Tensor:
        """What the clients compute at x; the exact gradients are kept for the record."""
        if self.batch is not None:
            assert self.generator is not None
            return self.problem.sampled_gradients(x, self.batch, self.generator)
        self.exact = self.problem.gradients(x)
        return self.exact

    def at_x(self) -> Tensor:
        """The clients' exact gradients at the present x."""
        if self.batch is not None:
            self.exact = self.problem.gradients(self.x)
        return self.exact

    def advance(self) -> None:
        """One round of every run; afterwards ``exact`` belongs to the new x."""
        if self.method in ("ef21", "ef21w"):
            before = self.memory
            self.x, self.memory = ef21_round(
                self.x, before, self.gradients, self.gamma, self.compressor, self.weights, self.generator
            )
            self._absent(before)
            return
        if self.method == "ef14":
            self.x, self.memory = ef14_round(
                self.x, self.memory, self._known, self.gamma, self.compressor, self.generator
            )
        else:
            sent = self._known(self.x)
            if self.method == "dcgd":
                sent = self.compressor(sent, self.generator)
            self.x = self.x - self.gamma[..., None] * sent.mean(-2)
        self.bits += self.message
        if self.batch is None:
            self.exact = self.problem.gradients(self.x)

    def _known(self, x: Tensor) -> Tensor:
        """Gradients at the present x, which the last round already computed unless they are drawn."""
        return self.exact if self.batch is None else self.gradients(x)

    def _absent(self, before: Tensor) -> None:
        """Clients that do not take part keep their estimate and send nothing."""
        if self.takes_part is None:
            self.bits += self.message
            return
        shape = self.memory.shape[:-1]
        here = torch.rand(shape, generator=self.generator, dtype=torch.float64) < self.takes_part
        self.memory = torch.where(here[..., None], self.memory, before)
        self.bits = self.bits + self.message * here.double().mean(-1)


class _Record:
    """What is kept of each recorded round."""

    def __init__(self, made: _Run, track: tuple[str, ...]) -> None:
        self.made, self.track = made, track
        self.columns = {name: _Column() for name in ("grad_sq", "bits", *track)}
        self.rounds: list[int] = []
        self.add(0)
        self.first = self.low = self.last

    def add(self, t: int) -> None:
        """Look at the present state."""
        made = self.made
        gradients = made.at_x()
        self.rounds.append(t)
        self.last = gradients.mean(-2).square().sum(-1)
        self.columns["grad_sq"].add(self.last)
        self.columns["bits"].add(torch.as_tensor(made.bits, dtype=torch.float64).expand(made.bits_shape))
        if "value" in self.track:
            self.columns["value"].add(made.problem.value(made.x))
        if "estimate_error" in self.track:
            self.columns["estimate_error"].add(estimate_error(made.memory, gradients, made.weights))

    def fallen(self, share: float) -> bool:
        """Whether every run has reached that share of its start (or has diverged)."""
        self.low = torch.minimum(self.low, self.last)
        return bool(((self.low <= share * self.first) | ~torch.isfinite(self.last)).all())

    def history(self) -> History:
        """All rounds as tensors, the recorded ones on the last axis."""
        columns = {name: column.whole() for name, column in self.columns.items()}
        return History(rounds=torch.tensor(self.rounds), x=self.made.x, **columns)


class _Column:
    """Numbers of every recorded round, in blocks: thousands of small tensors would break up the memory."""

    def __init__(self) -> None:
        self.blocks: list[Tensor] = []
        self.count = 0

    def add(self, row: Tensor) -> None:
        """Append one round's numbers (...)."""
        if self.count % BLOCK == 0:
            self.blocks.append(row.new_empty(BLOCK, *row.shape))
        self.blocks[-1][self.count % BLOCK] = row
        self.count += 1

    def whole(self) -> Tensor:
        """All of them, (..., K)."""
        return torch.cat(self.blocks)[: self.count].movedim(0, -1).contiguous()


def _steps(gamma: Tensor | float, x0: Tensor) -> Tensor:
    steps = torch.as_tensor(gamma, dtype=x0.dtype)
    if not bool((torch.isfinite(steps) & (steps > 0)).all()):
        raise ValueError(f"gamma={gamma!r}: must be finite and > 0")
    return steps.expand(x0.shape[:-1])


def _probability(participation: Tensor | float | None, method: str) -> Tensor | None:
    if participation is None:
        return None
    if method not in ("ef21", "ef21w"):
        raise ValueError(f"participation={participation!r}: only EF21 and EF21-W have partial participation here")
    chance = torch.as_tensor(participation, dtype=torch.float64)
    if not bool(((chance > 0) & (chance <= 1)).all()):
        raise ValueError(f"participation={participation!r}: must lie in (0, 1]")
    return chance
