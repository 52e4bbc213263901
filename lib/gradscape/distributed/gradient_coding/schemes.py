"""Who computes what in which round: no coding, GC, SR-SGC and M-SGC as pure bookkeeping, without time.

Krishnan, Ebrahimi & Khisti 2022 (arXiv 2211.13802). Job t starts in round t and must be decodable at the
end of round t + T. The master asks :meth:`Scheme.assign` what to hand out, then tells :meth:`Scheme.observe` who
straggled. State and patterns may carry leading batch axes: many straggler patterns run through one scheme at once.
"""
from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from gradscape import validate
from gradscape.distributed.gradient_coding import loads
from gradscape.distributed.gradient_coding.stragglers import BurstyModel, PerRoundModel, StragglerModel

NOTHING = -1


@dataclass(frozen=True)
class Assignment:
    """The mini-tasks of one round; all tensors are (…, n, slots), -1 where there is nothing.

    ``job``: which job a slot serves. ``chunk``: the worker's own uncoded chunk of that job (0 … W - 2), or ``group``:
    the coded task (0 … B - 1). ``repeat``: a second attempt at something a straggler did not deliver.
    """

    job: Tensor
    chunk: Tensor
    group: Tensor
    repeat: Tensor
    task_load: float

    @property
    def busy(self) -> Tensor:
        """Workers (…, n) that have anything to do."""
        return (self.job >= 0).any(-1)

    @property
    def load(self) -> Tensor:
        """Fraction of a job's data that each worker (…, n) processes in this round."""
        return (self.job >= 0).sum(-1) * self.task_load


class Scheme:
    """A way to share the work of a sequence of ``jobs`` (``None``: endless) among ``n`` workers.

    ``load`` is L, ``T`` the delay, ``slots`` the mini-tasks per worker and round, ``needs`` the coded results per group
    that decoding takes, ``model`` the stragglers it is made for.
    """

    name = "scheme"
    slots = 1
    own = 0      # uncoded chunks per worker and job
    groups = 1   # coded groups per job

    def __init__(self, n: int, params: tuple[int, ...], model: StragglerModel, s: int) -> None:
        self.params = loads.checked_params(self.name, n, params)
        self.n, self.s, self.model = n, s, model
        self.load = loads.load(self.name, n, params)
        self.T = loads.delay(self.name, n, params)
        # rounds after a job's start in which the last result it needs may come
        self.decides = {self.T} if self.groups and self.own else {0, self.T} | set(range(max(0, self.own - 1), self.T))
        self.reset()

    def __repr__(self) -> str:
        return f"{type(self).__name__}(n={self.n}, params={self.params}, L={self.load:.4g}, T={self.T})"

    @property
    def needs(self) -> int:
        """Coded results that each group of a job needs."""
        return self.n - self.s

    def reset(self, jobs: int | None = None, batch: tuple[int, ...] = ()) -> Scheme:
        """Forget everything and start a sequence of ``jobs`` jobs."""
        self.jobs = None if jobs is None else validate.at_least("jobs", jobs, 1)
        self.batch = batch
        self.round = 0
        self.history: list[Tensor] = []
        self.done: dict[int, Tensor] = {}     # job -> own chunks delivered, (…, n, own)
        self.coded: dict[int, Tensor] = {}    # job -> coded results delivered, (…, n, groups)
        self._open: list[int] = []
        self._given: Assignment | None = None
        return self

    def assign(self, r: int) -> Assignment:
        """What every worker runs in round ``r``, which must be the next one."""
        if r != self.round:
            raise ValueError(f"r={r!r}: must be {self.round}, the next round")
        if self._given is None:
            if self._exists(r):
                self.done[r] = torch.zeros(*self.batch, self.n, self.own, dtype=torch.bool)
                self.coded[r] = torch.zeros(*self.batch, self.n, self.groups, dtype=torch.bool)
                self._open.append(r)
            self._given = self._assignment(r)
        return self._given

    def admits(self, r: int, stragglers: Tensor) -> Tensor:
        """Whether the scheme is still safe if exactly ``stragglers`` (…, n) lose round ``r``; bool (…)."""
        self.assign(r)
        return self.model.admits(self._window(), stragglers)

    def observe(self, r: int, stragglers: Tensor) -> list[int]:
        """Record that all but ``stragglers`` (…, n) delivered round ``r``; returns the jobs that became decodable.

        With batch axes a job counts as decodable when it is so in every pattern.
        """
        given = self.assign(r)
        if stragglers.dtype != torch.bool or stragglers.shape != (*self.batch, self.n):
            raise ValueError(f"stragglers has dtype {stragglers.dtype} and shape {tuple(stragglers.shape)}: "
                             f"must be bool {(*self.batch, self.n)}")
        self._record(r, given, ~stragglers)
        self.history.append(self._counted(given, stragglers))
        self.round, self._given = r + 1, None
        ready = [job for job in self._open if r - job in self.decides and bool(self.decodable(job).all())]
        self._open = [job for job in self._open if job not in ready and job + self.T > r]
        return ready

    def decodable(self, job: int) -> Tensor:
        """Whether what has arrived determines the gradient of ``job``; bool (…)."""
        if job not in self.coded:
            raise ValueError(f"job={job!r}: must be one that has started, 0 to {self.round}")
        own = self.done[job].flatten(-2).all(-1) if self.own else torch.ones(self.batch, dtype=torch.bool)
        return own & (self.coded[job].sum(-2) >= self.needs).all(-1)

    def starts(self, r: int) -> bool:
        """Whether a job starts in round ``r``; then every worker is busy."""
        return self._exists(r)

    def _exists(self, job: int) -> bool:
        return job >= 0 and (self.jobs is None or job < self.jobs)

    def _window(self) -> Tensor:
        rows = self.history[max(0, len(self.history) - self.model.window + 1) :]
        if not rows:
            return torch.zeros(*self.batch, 0, self.n, dtype=torch.bool)
        return torch.stack(rows, dim=-2)

    def _counted(self, given: Assignment, stragglers: Tensor) -> Tensor:
        """The stragglers of a round as the model sees them."""
        return stragglers

    def _assignment(self, r: int) -> Assignment:
        """Every worker runs its coded task of job ``r``."""
        shape = (*self.batch, self.n, 1)
        job = torch.full(shape, r if self._exists(r) else NOTHING)
        return Assignment(job, torch.full(shape, NOTHING), torch.where(job >= 0, 0, NOTHING),
                          torch.zeros(shape, dtype=torch.bool), self.load)

    def _record(self, r: int, given: Assignment, arrived: Tensor) -> None:
        if self._exists(r):
            self.coded[r][..., 0] = arrived


class NoCoding(Scheme):
    """Each worker computes 1/n of every job; the master needs them all."""

    name = "uncoded"

    def __init__(self, n: int) -> None:
        super().__init__(n, (), PerRoundModel(0), 0)


class GC(Scheme):
    """(n, s)-gradient coding: load (s + 1)/n, any ``s`` stragglers in every round (Tandon et al. 2017).

    ``strict_official=True`` repeats the paper's published simulator, which accepts only fewer than s stragglers.
    """

    name = "gc"

    def __init__(self, n: int, s: int, strict_official: bool = False) -> None:
        super().__init__(n, (s,), PerRoundModel(max(0, s - 1) if strict_official else s), s)


class SRSGC(Scheme):
    """Selective repetition: GC with a smaller s, and missing tasks are computed again B rounds later (SR-SGC).

    s = ceil(B lam/(W - 1 + B)), T = B. If v > s workers did not deliver job q in round q, the v - s lowest-numbered
    of them compute it in round q + B *instead of* their own task. A round without repeats and with at most s
    stragglers is plain GC: it is always acceptable and never counts towards the window. ``strict_official=True``
    repeats the paper's published simulator, which does not count such rounds either but holds them against the
    window. ``ValueError`` unless B divides W - 1.
    """

    name = "srsgc"

    def __init__(self, n: int, B: int, W: int, lam: int, strict_official: bool = False) -> None:
        self.B, self.W, self.lam, self.strict_official = B, W, lam, strict_official
        super().__init__(n, (B, W, lam), BurstyModel(B, W, lam), loads.srsgc_s(B, W, lam))

    def _assignment(self, r: int) -> Assignment:
        shape = (*self.batch, self.n)
        job, repeat = torch.full(shape, r if self._exists(r) else NOTHING), torch.zeros(shape, dtype=torch.bool)
        if (q := r - self.B) in self.coded:
            missing = ~self.coded[q][..., 0]
            excess = (missing.sum(-1, keepdim=True) - self.s).clamp(min=0)
            repeat = missing & (missing.cumsum(-1) <= excess)
            job = torch.where(repeat, q, job)
        job, repeat = job.unsqueeze(-1), repeat.unsqueeze(-1)
        return Assignment(job, torch.full_like(job, NOTHING), torch.where(job >= 0, 0, NOTHING), repeat, self.load)

    def _record(self, r: int, given: Assignment, arrived: Tensor) -> None:
        again = given.repeat[..., 0]
        if self._exists(r):
            self.coded[r][..., 0] = arrived & ~again
        if (q := r - self.B) in self.coded:
            self.coded[q][..., 0] |= arrived & again

    def admits(self, r: int, stragglers: Tensor) -> Tensor:
        safe = super().admits(r, stragglers)
        return safe if self.strict_official else safe | self._plain(self.assign(r), stragglers)

    def _counted(self, given: Assignment, stragglers: Tensor) -> Tensor:
        return stragglers & ~self._plain(given, stragglers).unsqueeze(-1)

    def _plain(self, given: Assignment, stragglers: Tensor) -> Tensor:
        return ~given.repeat.flatten(-2).any(-1) & (stragglers.sum(-1) <= self.s)


class MSGC(Scheme):
    """Multiplexed sequential gradient coding: most data uncoded and repeated on failure, little of it coded.

    Each worker owns W - 1 uncoded chunks of every job; B further groups of chunks are (n, lam)-coded. W - 1 + B slots
    a round: slot m of round r serves job r - m. Slots 0 … W - 2 attempt the worker's own chunks in turn; slot W - 1 +
    j repeats an own chunk that failed, or else computes the coded task of group j. T = W - 2 + B. With lam = n
    nothing is coded.
    """

    name = "msgc"

    def __init__(self, n: int, B: int, W: int, lam: int) -> None:
        self.B, self.W, self.lam = B, W, lam
        loads.checked_params("msgc", n, (B, W, lam))
        self.own, self.slots = W - 1, W - 1 + B
        self.groups = 0 if lam == n else B
        super().__init__(n, (B, W, lam), BurstyModel(B, W, lam), lam)

    def _assignment(self, r: int) -> Assignment:
        shape = (*self.batch, self.n, self.slots)
        job, chunk, group = (torch.full(shape, NOTHING) for _ in range(3))
        repeat = torch.zeros(shape, dtype=torch.bool)
        for m in range(self.slots):
            if (t := r - m) not in self.coded:
                continue
            if m < self.own:
                job[..., m], chunk[..., m] = t, m
                continue
            left = ~self.done[t]
            failed = left.any(-1)
            first = left.to(torch.int8).argmax(-1)
            coded = m - self.own if self.groups else NOTHING
            job[..., m] = t if self.groups else torch.where(failed, t, NOTHING)
            chunk[..., m] = torch.where(failed, first, NOTHING)
            group[..., m] = torch.where(failed, NOTHING, coded)
            repeat[..., m] = failed
        return Assignment(job, chunk, group, repeat, self.load / self.slots)

    def _record(self, r: int, given: Assignment, arrived: Tensor) -> None:
        for m in range(self.slots):
            if (t := r - m) not in self.coded:
                continue
            if m < self.own:
                self.done[t][..., m] = arrived
                continue
            again = given.repeat[..., m]
            if bool(again.any()):
                took = torch.nn.functional.one_hot(given.chunk[..., m].clamp(min=0), self.own).bool()
                self.done[t] |= took & (arrived & again).unsqueeze(-1)
            if self.groups:
                self.coded[t][..., m - self.own] = arrived & ~again


def make(scheme: str, n: int, params: tuple[int, ...] = ()) -> Scheme:
    """A scheme by name: ``"uncoded"``, ``"gc"`` (s,), ``"srsgc"`` or ``"msgc"`` (B, W, lam)."""
    loads.checked_params(scheme, n, params)
    return {"uncoded": NoCoding, "gc": GC, "srsgc": SRSGC, "msgc": MSGC}[scheme](n, *params)
