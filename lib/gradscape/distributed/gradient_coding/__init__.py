"""Sequential Gradient Coding For Straggler Mitigation (Krishnan, Ebrahimi & Khisti 2022, arXiv 2211.13802).

How a master gets a sequence of full gradients from workers of which some are always slow. ``code``: what is sent and
how it is decoded; ``stragglers``, ``loads``, ``schemes``: promises, prices and bookkeeping of four schemes;
``simulation``, ``selection``: their time on a clock, and the parameters that make it shortest; ``chunks``,
``training``, ``processes``: real gradients, in one process and in two; ``experiments``, ``learners``, ``claims``:
what the lesson measures.
"""
from __future__ import annotations

from gradscape.distributed.gradient_coding.chunks import Layout, layout, shares
from gradscape.distributed.gradient_coding.claims import CLAIMS, MEASURES, TABLES, load_ratio, map_table, measure
from gradscape.distributed.gradient_coding.code import DecodeError, GradientCode
from gradscape.distributed.gradient_coding.experiments import (
    SCENARIOS,
    T_MAX,
    TILES,
    Cluster,
    CodeResult,
    OwnDesign,
    Race,
    Scenario,
    Tiles,
    Tolerance,
    code_experiment,
    one_cluster,
    own_design,
    point,
    probe_ratio,
    race,
    ratios,
    scenario,
    searched,
    tiles,
    tolerance,
)
from gradscape.distributed.gradient_coding.learners import (
    Comparison,
    Training,
    four_learners,
    loaded_learners,
    real_comparison,
    train_learners,
)
from gradscape.distributed.gradient_coding.loads import SCHEMES, delay, load, load_lower_bound, srsgc_s
from gradscape.distributed.gradient_coding.processes import RealLog, Task, train_real
from gradscape.distributed.gradient_coding.schemes import GC, MSGC, SRSGC, Assignment, NoCoding, Scheme, make
from gradscape.distributed.gradient_coding.selection import Candidate, best, default_grids, replay_times, search
from gradscape.distributed.gradient_coding.settings import SIZES, Settings, Sizes
from gradscape.distributed.gradient_coding.simulation import Replay, Simulation, fit_load_slope, replay, simulate
from gradscape.distributed.gradient_coding.stragglers import ArbitraryModel, BurstyModel, PerRoundModel, StragglerModel
from gradscape.distributed.gradient_coding.training import Descent, Gradients, Master, TrainLog, Worker, train_sequence
from gradscape.distributed.workers import DelayModel, DelayTrace, gilbert_elliott

__all__ = [
    "CLAIMS",
    "GC",
    "MEASURES",
    "MSGC",
    "SCENARIOS",
    "SCHEMES",
    "SIZES",
    "SRSGC",
    "TABLES",
    "TILES",
    "T_MAX",
    "ArbitraryModel",
    "Assignment",
    "BurstyModel",
    "Candidate",
    "Cluster",
    "CodeResult",
    "Comparison",
    "DecodeError",
    "DelayModel",
    "DelayTrace",
    "Descent",
    "GradientCode",
    "Gradients",
    "Layout",
    "Master",
    "NoCoding",
    "OwnDesign",
    "PerRoundModel",
    "Race",
    "RealLog",
    "Replay",
    "Scenario",
    "Scheme",
    "Settings",
    "Simulation",
    "Sizes",
    "StragglerModel",
    "Task",
    "Tiles",
    "Tolerance",
    "TrainLog",
    "Training",
    "Worker",
    "best",
    "code_experiment",
    "default_grids",
    "delay",
    "fit_load_slope",
    "four_learners",
    "gilbert_elliott",
    "layout",
    "load",
    "load_lower_bound",
    "load_ratio",
    "loaded_learners",
    "make",
    "map_table",
    "measure",
    "one_cluster",
    "own_design",
    "point",
    "probe_ratio",
    "race",
    "ratios",
    "real_comparison",
    "replay",
    "replay_times",
    "scenario",
    "search",
    "searched",
    "shares",
    "simulate",
    "srsgc_s",
    "tiles",
    "tolerance",
    "train_learners",
    "train_real",
    "train_sequence",
]
