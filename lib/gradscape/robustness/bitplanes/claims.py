"""The claims of LOTA (arXiv 2510.14230), their controls, and how each is measured."""
from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from gradscape.lesson import Claim, Measured, at_least, at_most, every, is_true, within
from gradscape.lesson import measure as measure_claims
from gradscape.robustness.bitplanes import experiments as ex
from gradscape.robustness.bitplanes.patches import CHOICES
from gradscape.robustness.bitplanes.settings import Settings
from gradscape.robustness.bitplanes.world import world

CLAIMS = (
    Claim(
        "L1", "paper", "A detector trained on one generator finds every other, nearly as well (in arm R, whose real "
        "images were rounded otherwise).", where="Tables 1 and 2", paper="98.9 % on average (99.9 / 98.2 / 91.3 on "
        "three diffusion sets after training on BigGAN)",
        parts={"accuracy on unseen generators, arm R": every(at_least(0.95)), "gap, arm R": every(at_most(0.03))},
    ),
    Claim(
        "L2", "control", "Is it generation that is seen? Rounded alike, both classes look alike to it.",
        where="our own: arm E", parts={
            "accuracy on unseen generators, arm E": every(at_most(0.65)), "arm R minus arm E": every(at_least(0.3)),
        },
    ),
    Claim(
        "L3", "control", "A collage of copied real pixels is called generated in arm R and cannot be told in arm E.",
        where="our own: the quilt",
        parts={"quilt, arm R": every(at_least(0.95)), "quilt, arm E": every(within(0.5, 0.1))},
    ),
    Claim(
        "L4", "paper", "The patch of maximal gradient is best, the minimal one worst (arm R, unseen generators).",
        where="Table 5 (NGC, trained on SD 1.5)", paper="max 96.8, random 93.1, min 89.6 %", parts={
            "the order": every(is_true("max ≥ random ≥ min")), "max minus min": every(at_least(0.01)),
        },
    ),
    Claim(
        "L5", "paper", "Low bits generalize better than raw pixels (raw: arm E; low bits: arm J75).",
        where="Table 3 (NGC, trained on SD 1.5)", paper="96.8 % with low bits, 87.5 % with raw pixels", parts={
            "raw: diagonal": every(at_least(0.8)), "raw: gap": every(at_least(0.25)),
            "low bits: gap": every(at_most(0.08)), "low bits: unseen generators": every(at_least(0.65)),
        },
    ),
    Claim(
        "L6", "counter", "Detection is robust to JPEG files and blur (here: arm R's detector, both classes degraded).",
        where="Fig. 6", paper="“very stable” for JPEG 100–85 and blur 1–3",
        parts={"largest accuracy of seven degradations": every(at_most(0.6))},
    ),
    Claim(
        "L7", "report", "A noise patch costs milliseconds (our aims: below 2 ms for 48 × 48, 25 ms for 256 × 256).",
        where="Table 8", paper="1.52 ms for the extraction",
    ),
    Claim(
        "L8", "report", "The convolutional head is needed (here: a linear head in arm R).", where="Table 6 (NGC)",
        paper="52.6 % with a fully connected head",
    ),
)


def _gaps(found: Sequence[ex.Study], how: str = "max") -> dict[str, list[float]]:
    gaps = [study.gap(how) for study in found]
    return {name: [getattr(gap, name) for gap in gaps] for name in ("diagonal", "off", "gap")}


def measure_l1(settings: Settings) -> Measured:
    """Arm R: one plane, thresholded, the maximum-gradient patch."""
    found = ex.studies(settings, "R")
    gaps = _gaps(found)
    return Measured({
        "accuracy on unseen generators, arm R": gaps["off"], "gap, arm R": gaps["gap"], "diagonal": gaps["diagonal"],
        "average precision on unseen generators": [study.precision for study in found],
        "ones in the lowest bit of real images": [ex.ones(world(settings, r).real("R")[1]) for r in range(len(found))],
    }, n=len(found))


def measure_l2(settings: Settings) -> Measured:
    """Arm E: the same generated images, the same detector."""
    found = ex.studies(settings, "E")
    gaps, other = _gaps(found), _gaps(ex.studies(settings, "R"))
    positives = [study.false_positives.select(choice="max").values for study in found]
    return Measured({
        "accuracy on unseen generators, arm E": gaps["off"],
        "arm R minus arm E": (np.array(other["off"]) - np.array(gaps["off"])).tolist(), "diagonal": gaps["diagonal"],
        "average precision on unseen generators": [study.precision for study in found],
        "least false positives of a detector": [float(p.min()) for p in positives],
        "most false positives of a detector": [float(p.max()) for p in positives],
    }, n=len(found))


def measure_l3(settings: Settings) -> Measured:
    """Mean accuracy of the four detectors on images whose every pixel was copied from photographs."""
    values = {f"quilt, arm {arm}": [study.quilt() for study in ex.studies(settings, arm)] for arm in "RE"}
    return Measured(values, n=settings.size.seeds)


def measure_l4(settings: Settings) -> Measured:
    """The same detectors, tested on three patches of each image."""
    found, equal = ex.studies(settings, "R"), ex.studies(settings, "E")
    by = {how: np.array(_gaps(found, how)["off"]) for how in CHOICES}
    in_order = (by["max"] >= by["random"]) & (by["random"] >= by["min"])
    shown = {f"arm R, {how}": values.tolist() for how, values in by.items()}
    shown |= {f"arm E, {how} (diagonal)": _gaps(equal, how)["diagonal"] for how in CHOICES}
    return Measured(
        {"the order": in_order.tolist(), "max minus min": (by["max"] - by["min"]).tolist(), **shown}, n=len(found))


def measure_l5(settings: Settings) -> Measured:
    """A network on raw patches in arm E, and the one on the lowest bit in arm J75."""
    raw, low = (_gaps(ex.studies(settings, arm, options)) for arm, options in (("E", ex.RAW), ("J75", None)))
    return Measured({
        "raw: diagonal": raw["diagonal"], "raw: gap": raw["gap"], "low bits: gap": low["gap"],
        "low bits: unseen generators": low["off"], "raw: unseen generators": raw["off"],
        "low bits: diagonal": low["diagonal"],
    }, n=settings.size.seeds)


def measure_l6(settings: Settings) -> Measured:
    """For each case the larger of diagonal and off-diagonal mean; beside it real images one gray level brighter."""
    found = [ex.robustness(settings, replicate) for replicate in range(settings.size.seeds)]
    worst = [np.maximum(made.diagonal, made.off) for made in found]
    values = {"largest accuracy of seven degradations": [float(w[1:].max()) for w in worst]}
    values |= {case: [float(w[k]) for w in worst] for k, case in enumerate(found[0].cases)}
    values["real images one gray level brighter"] = [max(m.brighter.diagonal, m.brighter.off) for m in found]
    return Measured(values, n=len(found))


def measure_l7(settings: Settings) -> Measured:
    """CPU time of noise image, scores and selection, three planes thresholded; it differs from machine to machine."""
    times = ex.milliseconds(settings.seed)
    return Measured(
        {f"ms for {side} × {side}": value for side, value in times.items()}, n=ex.REPEATS,
        note="of this machine, one thread; no verdict hangs on it")


def measure_l8(settings: Settings) -> Measured:
    """Logistic regression on the pixels of the noise patch."""
    gaps = _gaps(ex.studies(settings, "R", ex.LINEAR))
    return Measured({"diagonal": gaps["diagonal"], "unseen generators": gaps["off"]}, n=settings.size.seeds)


MEASURES: dict[str, Callable[[Settings], Measured]] = {
    "L1": measure_l1, "L2": measure_l2, "L3": measure_l3, "L4": measure_l4, "L5": measure_l5, "L6": measure_l6,
    "L7": measure_l7, "L8": measure_l8,
}


def measure(settings: Settings) -> dict[str, Measured]:
    """Measure every claim by its fixed protocol."""
    return measure_claims(CLAIMS, MEASURES, settings)
