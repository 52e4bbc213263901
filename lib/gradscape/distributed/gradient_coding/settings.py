"""Settings and sizes of the lesson *sequential gradient coding*."""
from __future__ import annotations

from dataclasses import dataclass

from gradscape import lesson
from gradscape.distributed.workers import DelayModel
from gradscape.lesson import choice, integer, real


@dataclass(frozen=True)
class Sizes:
    """How large the cluster is and how long everything runs."""

    workers: int = 256  # workers of the simulated cluster
    seeds: int = 20  # clusters drawn per scenario
    search_jobs: int = 80  # jobs of the probe that every candidate is replayed on
    jobs: int = 240  # fresh jobs that the chosen parameters are timed on
    lam_step: int = 6  # distance of the searched straggler numbers λ
    slope_rounds: int = 20  # rounds per load from which the load slope is fitted
    patterns: int = 2000  # straggler patterns through the sequential schemes
    random_sets: int = 10  # straggler sets of the large code
    training_jobs: int = 40  # steps of the four models together
    training_runs: int = 1  # trainings, with other data order, models, code and delays
    real_jobs: int = 12  # of these, steps between real processes
    pool: int = 2  # pixels averaged per side of an image
    map_seeds: int = 5  # clusters per cell of the recorded map


SIZES = {
    "smoke": Sizes(
        workers=32, seeds=2, search_jobs=12, jobs=16, lam_step=24, slope_rounds=5, patterns=60, random_sets=2,
        training_jobs=6, real_jobs=3, map_seeds=1,
    ),
    "quick": Sizes(),
    "full": Sizes(
        seeds=20, lam_step=3, slope_rounds=100, random_sets=100, training_jobs=480, training_runs=3, real_jobs=40,
        pool=1,
    ),
}


class Settings(lesson.Settings, profiles=SIZES):
    """One cluster and one design: how its workers straggle, and what the codes are made for."""

    workers: int = choice(64, (16, 64, 256), symbol="n", about="workers of the cluster")
    p_ns: float = real(0.02, 0.002, 0.1, scale="log", symbol="p_ns", about="probability that a normal one turns slow")
    p_sn: float = real(0.95, 0.2, 1.0, symbol="p_sn", about="probability that a slow one turns normal")
    load_slope: float = real(2.2, 0.0, 20.0, symbol="α", about="seconds that a whole job takes one worker")
    mu: float = real(1.0, 0.2, 3.0, symbol="μ", about="a worker is late after 1 + μ times the fastest")
    burst: int = integer(1, 1, 3, symbol="B", about="rounds that a burst may last")
    gaps: int = integer(1, 1, 3, symbol="x", about="window W is x B + 1 rounds")
    lam_share: float = real(0.1, 0.02, 1.0, symbol="λ/n", about="share of workers that may straggle in a window")
    s_share: float = real(0.06, 0.0, 0.5, symbol="s/n", about="share of workers that GC may lose per round")

    @property
    def delays(self) -> DelayModel:
        """How long the workers take at load zero."""
        return DelayModel(p_ns=self.p_ns, p_sn=self.p_sn)

    @property
    def design(self) -> tuple[int, int, int]:
        """(B, W, lam) of the sequential schemes: whole numbers from the shares."""
        return self.burst, self.gaps * self.burst + 1, max(1, round(self.lam_share * self.workers))

    @property
    def s(self) -> int:
        """Stragglers per round that GC covers."""
        return min(self.workers - 1, round(self.s_share * self.workers))
