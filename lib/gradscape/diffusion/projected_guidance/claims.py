"""What the lesson claims, and the fixed protocols that measure it."""
from __future__ import annotations

from typing import Any

import numpy as np
import torch

from gradscape import lesson, results
from gradscape.diffusion.projected_guidance import garments, patches
from gradscape.diffusion.projected_guidance.guidance import MomentumBuffer, cfg, project_guidance
from gradscape.diffusion.projected_guidance.methods import (
    APG_GARMENTS,
    APG_PATCHES,
    CFG,
    MOMENTUM_ONLY,
    NOISE_SPACE,
    ORTHOGONAL,
    PARALLEL,
    RADIUS_ONLY,
    UNGUIDED,
)
from gradscape.diffusion.projected_guidance.settings import Settings
from gradscape.lesson import Claim, Measured, Point, at_least, at_most, every, is_true
from gradscape.stats import Grid

PATCH_SCALE, GARMENT_SCALE, LOW_SCALE = 5.0, 4.0, 1.5

CLAIMS = (
    Claim(
        "G1", kind="paper", where="Abstract",
        sentence="The parallel part of the update inflates the image; the orthogonal part does not",
        parts={
            "orthogonal: excess norm / CFG's": every(at_most(0.25)),
            "parallel: excess norm / CFG's": every(at_least(0.6)),
        },
    ),
    Claim(
        "G2", kind="paper", where="Abstract",
        sentence="The orthogonal part carries the conditioning",
        parts={  # both ways to judge an image: as shown (clipped to [-1, 1]) and by its raw values
            "orthogonal: accuracy gain / CFG's": at_least(0.7), "parallel: accuracy gain / CFG's": at_most(0.5),
            "orthogonal: the same before clipping": at_least(0.7), "parallel: the same before clipping": at_most(0.5),
        },
    ),
    Claim(
        "G3", kind="paper", where="Abstract",
        sentence="Less saturation at the same guidance scale",
        parts={"clip excess / CFG's": every(at_most(0.3)), "HSV excess / CFG's": at_most(0.6)},
    ),
    Claim(
        "G4", kind="paper", where="Abstract",
        sentence="Better FID and recall at similar precision",
        parts={
            "FD / CFG's": every(at_most(0.85)), "recall - CFG's": every(at_least(0.03)),
            "precision - CFG's": every(at_least(-0.05)), "overshoot excess / CFG's": every(at_most(0.4)),
        },
    ),
    Claim(
        "G5", kind="paper", where="Abstract; Algorithm 1",
        sentence="CFG and no guidance are exact limits, and the overhead is practically none",
        parts={
            "largest difference to CFG": at_most(1e-6), "w = 1 returns D_c": is_true("bit for bit"),
            "operations / network pair's": at_most(0.15),
        },
    ),
    Claim(
        "G6", kind="control",
        sentence="The same projection on noise predictions is no cure: the space matters",
        parts={"overshoot excess / CFG's": every(at_least(0.6))},
    ),
    Claim(
        "G7", kind="report",
        sentence="Projection alone is not where the FD gain comes from, and low scales need nothing",
    ),
)


def measure_g1(settings: Settings) -> Measured:
    """Excess norm of the two parts alone, relative to CFG's, per replicate."""
    grid = patches.experiment_patches(settings)
    cfg_excess = excess(grid, "norm", CFG, PATCH_SCALE)
    return Measured(
        {
            "orthogonal: excess norm / CFG's": excess(grid, "norm", ORTHOGONAL, PATCH_SCALE) / cfg_excess,
            "parallel: excess norm / CFG's": excess(grid, "norm", PARALLEL, PATCH_SCALE) / cfg_excess,
        },
        n=len(cfg_excess),
        note=_means(grid, "norm", PATCH_SCALE),
    )


def measure_g2(settings: Settings) -> Measured:
    """Gain in class accuracy of the two parts alone, relative to CFG's: ratios of means over replicates."""
    grid = patches.experiment_patches(settings)
    values: dict[str, float] = {}
    spread: dict[str, float] = {}
    for part, method in (("orthogonal", ORTHOGONAL), ("parallel", PARALLEL)):
        name = f"{part}: accuracy gain / CFG's"
        values[name], error = _ratio(grid, "accuracy", method)
        if error is not None:
            spread[name] = error
        values[f"{part}: the same before clipping"] = _ratio(grid, "accuracy_unclipped", method)[0]
    note = _means(grid, "accuracy", PATCH_SCALE) + "; images are judged as shown, clipped to [-1, 1]"
    return Measured(values, spread, n=len(grid.axes["replicate"]), note=note)


def measure_g3(settings: Settings) -> Measured:
    """Excess of clipped pixels per replicate, and of HSV saturation in the mean, relative to CFG's."""
    grid = patches.experiment_patches(settings)
    clip = excess(grid, "clip", APG_PATCHES, PATCH_SCALE) / excess(grid, "clip", CFG, PATCH_SCALE)
    saturation, error = _ratio(grid, "saturation", APG_PATCHES)
    values = {"clip excess / CFG's": clip, "HSV excess / CFG's": saturation}
    spread = None if error is None else {"HSV excess / CFG's": error}
    return Measured(values, spread, n=len(clip), note=_means(grid, "saturation", PATCH_SCALE))


def measure_g4(settings: Settings) -> Measured:
    """APG(0, 2.5, -0.75) against CFG in part B, per trained network."""
    grid = garments.experiment_garments(settings)
    ours, plain = (grid.select(method=method, w=GARMENT_SCALE) for method in (APG_GARMENTS, CFG))
    values = {
        "FD / CFG's": ours.select(metric="frechet").values / plain.select(metric="frechet").values,
        "recall - CFG's": ours.select(metric="recall").values - plain.select(metric="recall").values,
        "precision - CFG's": ours.select(metric="precision").values - plain.select(metric="precision").values,
        "overshoot excess / CFG's": excess(grid, "overshoot", APG_GARMENTS, GARMENT_SCALE)
        / excess(grid, "overshoot", CFG, GARMENT_SCALE),
    }
    return Measured(values, n=len(grid.axes["replicate"]), note="FD of 24 pixel components, not Inception-FID")


def measure_g5(settings: Settings) -> Measured:
    """Limits on random predictions in float64, and the arithmetic of one guided step of part B."""
    stream = lesson.generator(settings.seed, 0)
    d_cond, d_uncond = torch.randn(2, 64, 3, 8, 8, generator=stream, dtype=torch.float64)
    gaps = [project_guidance(d_cond, d_uncond, w, eta=1.0) - cfg(d_cond, d_uncond, w) for w in (2.0, 5.0, 15.0)]
    difference = max(float(gap.abs().max()) for gap in gaps)
    same = torch.equal(project_guidance(d_cond, d_uncond, 1.0, 0.0, 2.5, MomentumBuffer(-0.5)), d_cond)
    cost = garments.experiment_cost(settings)
    share = cost.operations["APG"] / cost.operations["network pair"]
    time_share = cost.milliseconds["APG"] / cost.milliseconds["network pair"]
    return Measured(
        {"largest difference to CFG": difference, "w = 1 returns D_c": same, "operations / network pair's": share},
        note=f"in time, which decides nothing: {time_share:.1%} of a network pair in this run",
    )


def measure_g6(settings: Settings) -> Measured:
    """Overshoot that remains when the projection is applied to noise predictions."""
    grid = garments.experiment_garments(settings)
    ratio = excess(grid, "overshoot", NOISE_SPACE, GARMENT_SCALE) / excess(grid, "overshoot", CFG, GARMENT_SCALE)
    right = excess(grid, "overshoot", ORTHOGONAL, GARMENT_SCALE) / excess(grid, "overshoot", CFG, GARMENT_SCALE)
    return Measured({"overshoot excess / CFG's": ratio, "the same on denoised predictions": right}, n=len(ratio))


def measure_g7(settings: Settings) -> Measured:
    """Where the Fréchet distance of part B falls, switch by switch, and what low scales do."""
    frechet = garments.experiment_garments(settings).select(metric="frechet").mean("replicate")

    def at(method: str, w: float) -> float:
        return frechet.at(method=method, w=w)

    switches = (CFG, ORTHOGONAL, RADIUS_ONLY, MOMENTUM_ONLY, APG_PATCHES, APG_GARMENTS)
    values = {"FD without guidance": at(UNGUIDED, GARMENT_SCALE)}
    values |= {f"w = 4, {method}": at(method, GARMENT_SCALE) for method in switches}
    values |= {f"w = 1.5, {method}": at(method, LOW_SCALE) for method in (CFG, APG_GARMENTS)}
    return Measured(values, n=settings.size.train_seeds, note="means over networks; FD of pixel components")


MEASURES = {
    "G1": measure_g1, "G2": measure_g2, "G3": measure_g3, "G4": measure_g4, "G5": measure_g5, "G6": measure_g6,
    "G7": measure_g7,
}


def measure(settings: Settings) -> dict[str, Measured]:
    """Measure every claim by its fixed protocol; depends on profile, sizes, seed and device only."""
    return lesson.measure(CLAIMS, MEASURES, settings)


def point(settings: Settings) -> Point:
    """Part A at the settings' own w, eta, r and beta: each metric, and its excess relative to CFG's."""
    result = patches.compare_patches(settings, settings.size.patch_samples)
    own, plain, base = (result.scores[name] for name in (patches.PatchComparison.OWN, CFG, UNGUIDED))
    scalars = {name: own[name] for name in patches.METRICS}
    for name in ("norm", "overshoot", "clip", "saturation"):
        reach = plain[name] - base[name]
        scalars[f"{name}_excess_ratio"] = (own[name] - base[name]) / reach if reach else float("nan")
    scalars["accuracy_gain"] = own["accuracy"] - base["accuracy"]
    return Point(scalars)


def excess(grid: Grid, metric: str, method: str, w: float) -> np.ndarray:
    """Metric of a method minus its value without guidance, per replicate (same noise)."""
    one = grid.select(metric=metric, w=w)
    return one.select(method=method).values - one.select(method=UNGUIDED).values


def ablation_table(settings: Settings) -> results.Table:
    """Part B, every method and scale, means over the trained networks: the table to record at the full profile."""
    grid = garments.experiment_garments(settings.protocol).mean("replicate")
    columns: dict[str, list[Any]] = {"method": [], "w": [], **{metric: [] for metric in garments.METRICS}}
    for method in garments.METHODS:
        for w in grid.axes["w"]:
            cells = {metric: grid.at(metric=metric, method=method, w=w) for metric in garments.METRICS}
            if np.isfinite(list(cells.values())).all():
                columns["method"].append(method)
                columns["w"].append(w)
                for metric, value in cells.items():
                    columns[metric].append(round(value, 4))
    return results.make("diffusion/projected_guidance", "ablation", columns, settings)


TABLES = {"ablation": ablation_table}


def _ratio(grid: Grid, metric: str, method: str) -> tuple[float, float | None]:
    """Mean excess relative to CFG's mean excess, and its standard error over replicates (delta method)."""
    ours, plain = excess(grid, metric, method, PATCH_SCALE), excess(grid, metric, CFG, PATCH_SCALE)
    reach = float(plain.mean())
    if reach == 0 or len(plain) < 2:
        return float(ours.mean()) / reach if reach else float("nan"), None
    ratio = float(ours.mean()) / reach
    return ratio, float((ours - ratio * plain).std(ddof=1)) / len(plain) ** 0.5 / abs(reach)


def _means(grid: Grid, metric: str, w: float) -> str:
    means = grid.select(metric=metric, w=w).mean("replicate")
    return f"mean {metric}: " + ", ".join(f"{method} {means.at(method=method):.3g}" for method in means.axes["method"])
