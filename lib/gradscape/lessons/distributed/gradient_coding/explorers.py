"""Explorers of the lesson: one cluster, the loads, the search."""
from __future__ import annotations

from dataclasses import dataclass

from gradscape.distributed.gradient_coding import Cluster, OwnDesign, Settings, own_design, searched
from gradscape.lessons.distributed.gradient_coding.figures import fig_choice, fig_cluster, fig_loads
from gradscape.workbench import Explorer, Task, Values, explore, field, redraw

CLUSTER, DESIGN = ("p_ns", "p_sn", "load_slope", "mu"), ("burst", "gaps", "lam_share", "s_share")


def explorer_cluster(settings: Settings) -> Explorer:
    """Lost results, one job's tiles and four schemes' progress on one cluster."""

    def compute(values: Values, task: Task) -> OwnDesign:
        return own_design(values.settings)

    return explore(
        compute, redraw(fig_cluster),
        [field("workers", options=(16, 64)), *map(field, CLUSTER), *map(field, DESIGN)],
        settings=settings if settings.workers < 256 else settings.replace(workers=64), name="cluster",
        presets={
            "like Lambda functions": {},
            "computing costs more": {"load_slope": 8.0},
            "slow spells last": {"p_sn": 0.3},
            "wide windows": {"burst": 2, "gaps": 2, "lam_share": 0.2},
        },
    )


@dataclass(frozen=True)
class _Design:
    n: int
    lam: int
    B: int


def explorer_loads(settings: Settings) -> Explorer:
    """Load against the window, with the lower bound."""

    def compute(values: Values, task: Task) -> _Design:
        now = values.settings
        return _Design(now.workers, now.design[2], now.burst)

    return explore(
        compute, redraw(lambda design: fig_loads(design.n, design.lam, design.B)),
        [field("workers"), field("lam_share"), field("burst")], settings=settings, name="loads",
        presets={
            "everybody may straggle": {"lam_share": 1.0},
            "the paper's cluster": {"workers": 256, "lam_share": 27 / 256},
        },
    )


def explorer_search(settings: Settings) -> Explorer:
    """Search all parameters on a probe of the settings' cluster."""

    def compute(values: Values, task: Task) -> Cluster:
        return searched(values.settings, progress=task.step)

    return explore(
        compute, redraw(fig_choice), [field("workers"), *map(field, CLUSTER)], settings=settings, name="search",
        mode="run", initial=searched(settings),
        presets={"slow spells last": {"p_sn": 0.4}, "computing costs more": {"load_slope": 8.0}},
    )


EXPLORERS = {"cluster": explorer_cluster, "loads": explorer_loads, "search": explorer_search}
