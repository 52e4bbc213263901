"""Recorded tables: every arm, numbers of planes, scaling and patch sizes, and the guided classifier (LOTA's Tables)."""
from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from gradscape import results
from gradscape.robustness.bitplanes.experiments import LINEAR, RAW, Study, study
from gradscape.robustness.bitplanes.matrix import Options
from gradscape.robustness.bitplanes.settings import ARMS, TRAINED, Settings

LESSON = "robustness/bitplanes"
FIELDS = ("diagonal", "off", "quilt", "off_random", "off_min", "diagonal_random", "diagonal_min")
PLANES, PATCHES = (1, 2, 3, 4), (8, 16, 24)


def _row(found: Sequence[Study]) -> dict[str, float]:
    """Means over replicates."""
    gaps = {how: [s.gap(how) for s in found] for how in ("max", "random", "min")}
    row = {"diagonal": np.mean([g.diagonal for g in gaps["max"]]), "off": np.mean([g.off for g in gaps["max"]]),
           "quilt": np.mean([s.quilt() for s in found])}
    for how in ("random", "min"):
        row |= {f"off_{how}": np.mean([g.off for g in gaps[how]]),
                f"diagonal_{how}": np.mean([g.diagonal for g in gaps[how]])}
    return {name: float(value) for name, value in row.items()}


def _table(
    name: str, settings: Settings, cells: Sequence[tuple[str, str, Options]], replicates: int
) -> results.Table:
    columns: dict[str, list] = {key: [] for key in ("arm", "detector", "seeds", *FIELDS)}
    for arm, label, options in cells:
        row = _row([study(settings, arm, options, r) for r in range(replicates)])
        for key, value in {"arm": arm, "detector": label, "seeds": replicates, **row}.items():
            columns[key].append(value)
    return results.make(LESSON, name, columns, settings)


def arms_table(settings: Settings) -> results.Table:
    """All four arms: the lowest bit thresholded, raw patches, and (arms E and R) a linear head."""
    cells = [(arm, "lowest bit", Options()) for arm in ARMS]
    cells += [(arm, "raw patch", RAW) for arm in ARMS]
    cells += [(arm, "lowest bit, linear head", LINEAR) for arm in ARMS]
    return _table("arms", settings, cells, settings.size.seeds)


def planes_table(settings: Settings) -> results.Table:
    """One to four planes in arms E and R, thresholded and (arm E) scaled."""
    cells = [(arm, f"P = {p}, threshold", Options(planes=p)) for arm in "ER" for p in PLANES]
    cells += [("E", f"P = {p}, scale", Options(planes=p, mode="scale")) for p in PLANES[1:]]
    return _table("planes", settings, cells, settings.size.seeds)


def patches_table(settings: Settings) -> results.Table:
    """Three sizes of patches in arms E and R."""
    cells = [(arm, f"patch {size}", Options(size=size)) for arm in "ER" for size in PATCHES]
    return _table("patches", settings, cells, settings.size.seeds)


def guided_table(settings: Settings) -> results.Table:
    """The noise-guided classifier in arms E and R, one replicate."""
    cells = [(arm, "guided", Options(head="guided")) for arm in "ER"]
    return _table("guided", settings, cells, 1)


def matrices_table(settings: Settings) -> results.Table:
    """Whole matrices of the first replicate: one row per cell."""
    columns: dict[str, list] = {key: [] for key in ("arm", "detector", "train", "test", "accuracy")}
    for arm, label, options in (("R", "lowest bit", Options()), ("E", "lowest bit", Options()),
                                ("E", "raw patch", RAW), ("R", "raw patch", RAW),
                                ("J75", "lowest bit", Options()), ("J96", "lowest bit", Options())):
        matrix = study(settings, arm, options).matrix()
        for train in TRAINED:
            for test in matrix.axes["test"]:
                row = {"arm": arm, "detector": label, "train": train, "test": test,
                       "accuracy": matrix.at(train=train, test=test)}
                for key, value in row.items():
                    columns[key].append(value)
    return results.make(LESSON, "matrices", columns, settings)


TABLES: dict[str, Callable[[Settings], results.Table]] = {
    "arms": arms_table, "planes": planes_table, "patches": patches_table, "guided": guided_table,
    "matrices": matrices_table,
}
