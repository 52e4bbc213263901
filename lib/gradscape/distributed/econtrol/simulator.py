"""A server and its clients in one process, for any number of runs at once.

Runs lie on the leading axes of x (..., d), clients on the axis before the last of what is (..., n, d). Gao, Islamov &
Stich 2023 (arXiv 2311.05645) and the methods that they compare with.
"""
from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from gradscape import lesson, validate
from gradscape.distributed.compressors import VALUE_BITS, Compressor, Identity
from gradscape.distributed.econtrol.methods import ec_ideal_step, econtrol_step, ef21_sgdm_step
from gradscape.distributed.econtrol.tasks import Noise, OptimalClients
from gradscape.distributed.feedback import ec_step, ef21_step

METHODS = ("sgd", "csgd", "ec", "ecideal", "ef21", "ef21sgdm", "econtrol")
ESTIMATING = ("ef21", "ef21sgdm", "econtrol")  # client and server share an estimate h, which begins with a message
INITS = ("gradient", "compressed")
TRACKS = ("grad_sq", "e_norm")
MOMENTUM = 0.1
NOISE_STREAM = 1  # of a run's seed; stream 0 is left to whoever draws the problem
BLOCK = 20  # rounds whose noise is drawn at once
DIVERGED = 1e6  # a run this many times as far (squared) as at its start, or as 1, is recorded as inf from then on
Progress = Callable[[int, int], None]


class ECSimulator:
    """One method with its state: call `init` once with the gradients at x0, then `step` round by round.

    ``method``: "sgd" (nothing compressed), "csgd" (compressed, no memory), "ec" (classic error compensation, EF14),
    "ecideal" (needs ``h_star``), "ef21", "ef21sgdm" (``momentum``, default 0.1), "econtrol" (``eta`` >= 0).
    ``gamma`` and ``eta``: numbers, or tensors that broadcast over the runs (...). ``init``: "gradient" sends the first
    gradient whole and starts h there, "compressed" sends C(g). ``messages_bits`` counts what one client has sent.
    """

    def __init__(
        self, method: str, n: int, gamma: Tensor | float, compressor: Compressor, eta: Tensor | float | None = None,
        momentum: float | None = None, init: str = "gradient", *, h_star: Tensor | None = None,
        generator: torch.Generator | None = None,
    ) -> None:
        self.method = validate.one_of("method", method, METHODS)
        self.n = validate.at_least("n", n, 1)
        self.gamma = _rates("gamma", gamma, zero=False)
        self.compressor: Compressor = Identity() if method == "sgd" else compressor
        if method == "econtrol" and eta is None:
            raise ValueError("eta=None: EControl needs its gain, a number >= 0")
        if method == "ecideal" and h_star is None:
            raise ValueError("h_star=None: method 'ecideal' needs every client's gradient at the minimum")
        if self.compressor.random and generator is None:
            raise ValueError("generator=None: a random compressor needs a torch.Generator")
        self.eta = _rates("eta", 0.0 if eta is None else eta, zero=True)
        self.momentum = validate.in_range(
            "momentum", MOMENTUM if momentum is None else momentum, 0.0, 1.0, open_low=True)
        self.init_as = validate.one_of("init", init, INITS)
        self.h_star, self.generator = h_star, generator
        self.state: dict[str, Tensor] = {}
        self.messages_bits = 0

    def init(self, x0: Tensor, grads: Tensor) -> None:
        """Begin at ``x0`` (..., d) with the clients' gradients there (..., n, d)."""
        self._checked(x0, grads)
        validate.finite("grads", grads)
        self.gamma, self.eta = self.gamma.to(x0.dtype), self.eta.to(x0.dtype)
        d = x0.shape[-1]
        self.message = self.compressor.bits(d)
        self.state, self.messages_bits = {"e": torch.zeros_like(grads)}, 0
        if self.method in ESTIMATING:
            whole = self.init_as == "gradient"
            h = grads.clone() if whole else self.compressor(grads, self.generator)
            self.state |= {"h": h, "server": h.mean(-2)}
            self.messages_bits = d * VALUE_BITS if whole else self.message
        if self.method == "ef21sgdm":
            self.state["v"] = grads.clone()

    def step(self, x: Tensor, grads: Tensor) -> Tensor:
        """One round: every client sends one message made of its gradient at x, the server steps; returns the new x."""
        if not self.state:
            raise ValueError("step was called before init: the clients' memory starts with the gradients at x0")
        self._checked(x, grads)
        self.messages_bits += self.message
        return x - self.gamma[..., None] * self._direction(grads)

    def _direction(self, g: Tensor) -> Tensor:
        """What the server steps along (..., d), after all messages have arrived."""
        own, send, dice = self.state, self.compressor, self.generator
        if self.method in ("sgd", "csgd"):
            return send(g, dice).mean(-2) if self.method == "csgd" else g.mean(-2)
        if self.method == "ec":
            message, own["e"] = ec_step(own["e"], g, send, dice)
            return message.mean(-2)
        if self.method == "ecideal":
            assert self.h_star is not None
            message, own["e"] = ec_ideal_step(own["e"], g, self.h_star, send, dice)
            return message.mean(-2)
        if self.method == "ef21":
            message, own["h"] = ef21_step(own["h"], g, send, dice)
        elif self.method == "ef21sgdm":
            message, own["v"], own["h"] = ef21_sgdm_step(own["v"], own["h"], g, self.momentum, send, dice)
        else:
            eta = self.eta[..., None, None]
            message, own["e"], own["h"] = econtrol_step(own["e"], own["h"], g, eta, send, dice)
        own["server"] = own["server"] + message.mean(-2)
        return own["server"]

    def _checked(self, x: Tensor, grads: Tensor) -> None:
        wanted = (*x.shape[:-1], self.n, x.shape[-1])
        if tuple(grads.shape) != wanted:
            raise ValueError(f"grads has shape {tuple(grads.shape)}: must be {wanted}, clients before the last axis")


@dataclass(frozen=True)
class History:
    """Runs of one method: K recorded rounds of S seeds and R settings (seeds first).

    ``rounds`` (K,); ``dist_sq`` (S, R..., K): ‖x - x*‖², inf from where a run has diverged; ``bits`` (K,): sent per
    client so far; ``x`` (S, R..., d): the end; ``grad_sq`` (‖grad f‖²) and ``e_norm`` (mean ‖e_i‖ over the clients)
    (S, R..., K), ``None`` unless tracked.
    """

    rounds: Tensor
    dist_sq: Tensor
    bits: Tensor
    x: Tensor
    grad_sq: Tensor | None = None
    e_norm: Tensor | None = None

    @property
    def final(self) -> Tensor:
        """The last error, (S, R...)."""
        return self.dist_sq[..., -1]

    @property
    def noise_error(self) -> Tensor:
        """Mean error over the last third of the recorded rounds, (S, R...); inf where a run has diverged."""
        return self.dist_sq[..., 2 * self.dist_sq.shape[-1] // 3 :].mean(-1)


@dataclass(frozen=True)
class Plan:
    """How to run a method: see `ECSimulator`; ``gamma`` and ``eta`` broadcast over the settings R..."""

    method: str
    gamma: Tensor | float
    eta: Tensor | float | None = None
    momentum: float | None = None
    init: str = "gradient"
    track: tuple[str, ...] = ()


def run(
    problem: OptimalClients, method: str, gamma: Tensor | float, rounds: int, *, eta: Tensor | float | None = None,
    compressor: Compressor, x0: Tensor, momentum: float | None = None, init: str = "gradient",
    track: tuple[str, ...] = (), **options: Any,
) -> History:
    """Run one method; all else as in `run_all`."""
    plan = Plan(method, gamma, eta, momentum, init, track)
    return run_all(problem, {method: plan}, rounds, compressor=compressor, x0=x0, **options)[method]


def run_all(
    problem: OptimalClients,
    plans: Mapping[str, Plan],
    rounds: int,
    *,
    compressor: Compressor,
    x0: Tensor,
    noise: Noise | None = None,
    seeds: Sequence[int] = (0,),
    record_every: int = 1,
    progress: Progress | None = None,
) -> dict[str, History]:
    """Run several methods side by side from ``x0`` (S, d), one row per seed, each for all its settings at once.

    ``problem.batch`` is (S,) or (). Seed s draws its noise from a generator of its own, seeded by ``seeds[s]``: all
    methods and settings see the same noise, and nobody's noise depends on who runs beside them. As in the paper h_0 is
    the very gradient that round 0 sends the difference to. Divergence is recorded as inf, not raised.
    ``ValueError`` for no plans, sizes below 1, a start or a number of seeds that does not fit the problem, and whatever
    `ECSimulator` refuses.
    """
    validate.at_least("rounds", rounds, 1)
    validate.at_least("record_every", record_every, 1)
    if not plans:
        raise ValueError("plans is empty: at least one method is needed")
    running = {name: _Running(problem, plan, compressor, x0, len(seeds)) for name, plan in plans.items()}
    draws = Draws(noise, seeds, problem.n)
    for t in range(rounds):
        drawn = draws.at(t)
        record = (t + 1) % record_every == 0 or t + 1 == rounds
        for one in running.values():
            one.advance(t, drawn, record)
        if progress is not None:
            progress(t + 1, rounds)
    return {name: one.history() for name, one in running.items()}


class _Running:
    """One method with its iterates x (S, R..., d) and its books."""

    def __init__(self, problem: OptimalClients, plan: Plan, compressor: Compressor, x0: Tensor, seeds: int) -> None:
        for name in plan.track:
            validate.one_of("track", name, TRACKS)
        rates = [value.shape for value in (plan.gamma, plan.eta) if isinstance(value, Tensor)]
        self.problem, self.ones = problem, (1,) * len(torch.broadcast_shapes(*rates))
        self.x = _spread(problem, validate.finite("x0", x0), seeds, torch.broadcast_shapes(*rates))
        lifted = (slice(None),) * len(problem.batch) + (None,) * len(self.ones)
        self.books = _Books(problem.x_star[lifted], self.x, plan.track)
        self.sent = ECSimulator(
            plan.method, problem.n, plan.gamma, compressor, plan.eta, plan.momentum, plan.init,
            h_star=problem.h_star[lifted])

    def advance(self, t: int, drawn: Tensor | None, record: bool) -> None:
        """Round t with the noise ``drawn`` (S, n, d)."""
        grads = self.problem.gradients(self.x)
        if drawn is not None:
            grads += drawn.view(len(drawn), *self.ones, *drawn.shape[1:])
        if t == 0:
            self.sent.init(self.x, grads)
            self.books.add(0, self.x, self.sent, self.problem)
        self.x = self.sent.step(self.x, grads)
        if record:
            self.books.add(t + 1, self.x, self.sent, self.problem)

    def history(self) -> History:
        """What was recorded."""
        return self.books.history(self.x)


class Draws:
    """The noise of all rounds, drawn seed by seed in blocks."""

    def __init__(self, noise: Noise | None, seeds: Sequence[int], n: int) -> None:
        self.noise, self.n = noise, n
        self.generators = [lesson.generator(seed, NOISE_STREAM) for seed in seeds]

    def at(self, t: int) -> Tensor | None:
        """Noise (S, n, d) of round t, ``None`` without any; to be asked for in order."""
        if self.noise is None:
            return None
        if t % BLOCK == 0:
            self.block = torch.stack([self.noise((BLOCK, self.n), generator) for generator in self.generators], 1)
        return self.block[t % BLOCK]


class _Books:
    """What is kept of the recorded rounds."""

    def __init__(self, x_star: Tensor, x0: Tensor, track: tuple[str, ...]) -> None:
        self.x_star, self.track = x_star, track
        self.limit = DIVERGED * (x0 - x_star).square().sum(-1).clamp(min=1.0)
        self.rounds: list[int] = []
        self.bits: list[int] = []
        self.rows: dict[str, list[Tensor]] = {name: [] for name in ("dist_sq", *track)}

    def add(self, t: int, x: Tensor, sent: ECSimulator, problem: OptimalClients) -> None:
        """Look at round t."""
        self.rounds.append(t)
        self.bits.append(sent.messages_bits)
        self.rows["dist_sq"].append((x - self.x_star).square().sum(-1))
        if "grad_sq" in self.track:
            self.rows["grad_sq"].append(problem.gradient(x).square().sum(-1))
        if "e_norm" in self.track:
            self.rows["e_norm"].append(sent.state["e"].norm(dim=-1).mean(-1))

    def history(self, x: Tensor) -> History:
        """All rounds as tensors, the recorded ones on the last axis."""
        rows = {name: torch.stack(row, -1) for name, row in self.rows.items()}
        dist = rows.pop("dist_sq")
        gone = (~(dist <= self.limit[..., None])).int().cummax(-1).values.bool()  # NaN has diverged too
        return History(
            torch.tensor(self.rounds), dist.masked_fill(gone, math.inf), torch.tensor(self.bits), x, **rows)


def _rates(name: str, value: Tensor | float, *, zero: bool) -> Tensor:
    """A number as a float64 tensor, a tensor as it is; ``ValueError`` unless all are finite and > 0 (>= 0)."""
    try:
        rates = value if isinstance(value, Tensor) else torch.as_tensor(value, dtype=torch.float64)
        fine = bool((torch.isfinite(rates) & ((rates >= 0) if zero else (rates > 0))).all()) and rates.numel() > 0
    except (TypeError, ValueError, RuntimeError):
        fine = False
    if not fine or isinstance(value, bool):
        raise ValueError(f"{name}={value!r}: must be finite and {'>=' if zero else '>'} 0")
    return rates


def _spread(problem: OptimalClients, x0: Tensor, seeds: int, settings: tuple[int, ...]) -> Tensor:
    """Starts (S, R..., d)."""
    if problem.batch not in ((), (seeds,)):
        raise ValueError(f"seeds: {seeds} given for a stack of problems {problem.batch}: one seed per problem")
    if tuple(x0.shape) != (seeds, problem.d):
        raise ValueError(f"x0 has shape {tuple(x0.shape)}: must be {(seeds, problem.d)}, one start per seed")
    return x0[(slice(None),) + (None,) * len(settings)].expand(seeds, *settings, problem.d).contiguous()
