"""What the paper claims, what is measured for it, and by which criterion (arXiv 2503.24322)."""
from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gradscape import lesson
from gradscape.credit.noprop.experiments import Looked, dt, independence, memory, retrain, rivals
from gradscape.credit.noprop.settings import Settings
from gradscape.lesson import Claim, Measured, Point, at_least, at_most, every, is_true, seeds_of

CLAIMS = (
    Claim(
        "N1", "paper", "blocks are trained independently of each other", "Sec. 3, Algorithm 1", None,
        {"largest gradient of a block's loss in another block": at_most(0.0),
         "parameters, order 1 … T, T … 1 and stacked, differ by": at_most(1e-8)},
    ),
    Claim(
        "N2", "paper", "NoProp-DT is about as accurate as back-propagation through the same chain", "Table 1",
        "MNIST 99.47 vs 99.46 %, CIFAR-10 79.25 vs 79.92 %",
        {"DT, single run": every(at_least(0.95)), "back-propagation - DT": every(at_most(0.03))},
    ),
    Claim(
        "N3", "paper", "continuous time (CT) is less accurate than DT", "Table 1", "CIFAR-10 73.35 vs 79.25 %",
        {"DT - CT, single runs": every(at_least(0.015))},
    ),
    Claim(
        "N4", "paper", "the memory of training does not grow with depth", "Table 2", "MNIST 0.49 vs 0.87 GB",
        {f"T × bytes of a block step / bytes of the chain, T = {T}": at_most(1.1) for T in (5, 10, 20)},
    ),
    Claim(
        "N5", "control", "one run of inference samples a label, and so under-reports a model trained for a short time",
        "", None,
        {"noise-free - single, early": every(at_least(0.06)),
         "p(true) of block 1 ≤ single ≤ noise-free, early": is_true("for each seed"),
         "noise-free - single, late": every(at_most(0.03))},
    ),
    Claim(
        "N6", "control", "block 1 alone, on pure noise, is as good as the whole chain: depth does not help here", "",
        None, {"block 1 - single run": every(at_least(-0.005))},
    ),
)


def single(looks: Sequence[Looked]) -> np.ndarray:
    """Mean accuracy of single runs, one a seed."""
    return np.array([look.reading.single.mean() for look in looks])


def measure_n1(settings: Settings) -> Measured:
    """Ten blocks in float64."""
    found = independence(seeds_of(settings, 1)[0])
    return Measured({
        "largest gradient of a block's loss in another block": found.foreign,
        "parameters, order 1 … T, T … 1 and stacked, differ by": found.orders,
    }, note=f"in its own block the largest gradient is at least {found.own:.1e}; W_E fixed, same noise and dropout")


def measure_n2(settings: Settings) -> Measured:
    """Mean accuracy of ten single runs, DT at the end of its training, the chain at the criterion's epochs."""
    ours, found = single([study.late for study in dt(settings)]), rivals(settings)
    chain, longer, size = single(found["chain"]), single(found["chain_long"]), settings.size
    return Measured(
        {"DT, single run": ours, "back-propagation - DT": chain - ours}, n=size.seeds,
        note=f"DT {size.epochs} epochs {_mean(ours)}; back-propagation {size.chain_epochs} epochs {_mean(chain)}, "
             f"{size.epochs} epochs {_mean(longer)}",
    )


def measure_n3(settings: Settings) -> Measured:
    """CT gets more passes than DT."""
    ours, found, size = single([study.late for study in dt(settings)]), rivals(settings), settings.size
    ct, fm = single(found["ct"]), single(found["fm"])
    free = np.array([look.reading.mean for look in found["ct"]])
    return Measured(
        {"DT - CT, single runs": ours - ct}, n=size.seeds,
        note=f"DT {size.epochs} epochs {_mean(ours)}, CT {size.one_epochs} epochs {_mean(ct)} (noise-free "
             f"{_mean(free)}), FM {_mean(fm)}",
    )


def measure_n4(settings: Settings) -> Measured:
    """Saved tensors of one step on a batch of 128."""
    found = memory()
    values = {
        f"T × bytes of a block step / bytes of the chain, T = {T}": T * block / chain
        for T, block, chain in zip(found.depths, found.block, found.chain, strict=True)
    }
    return Measured(values, note="kB, block and chain: " + ", ".join(
        f"{block / 1e3:.0f} and {chain / 1e3:.0f}" for block, chain in zip(found.block, found.chain, strict=True)
    ))


def measure_n5(settings: Settings) -> Measured:
    """The same model after ``early`` and after all epochs."""
    studies, size = dt(settings), settings.size
    early, late = ([getattr(study, when) for study in studies] for when in ("early", "late"))
    free = {name: np.array([look.reading.mean for look in looks]) for name, looks in (("e", early), ("l", late))}
    p_true = np.array([look.reading.p_true for look in early])
    vote = np.array([look.reading.vote.mean() for look in early])
    between = (p_true <= single(early)) & (single(early) <= free["e"])
    return Measured({
        "noise-free - single, early": free["e"] - single(early),
        "p(true) of block 1 ≤ single ≤ noise-free, early": bool(between.all()),
        "noise-free - single, late": free["l"] - single(late),
    }, n=size.seeds, note=f"{size.early} epochs: p(true) {_mean(p_true)}, single {_mean(single(early))}, vote of 5 "
                          f"{_mean(vote)}, noise-free {_mean(free['e'])}; {size.epochs} epochs: single "
                          f"{_mean(single(late))}, noise-free {_mean(free['l'])}")


def measure_n6(settings: Settings) -> Measured:
    """Block 1 on ten draws of noise against ten runs of the chain, at the end of training."""
    studies = dt(settings)
    late, early = ([getattr(study, when) for study in studies] for when in ("late", "early"))
    first, early_first = (np.array([look.reading.first.mean() for look in looks]) for looks in (late, early))
    return Measured({"block 1 - single run": first - single(late)}, n=settings.size.seeds, note=(
        f"block 1 {_mean(first)}, chain {_mean(single(late))}; after {settings.size.early} epochs {_mean(early_first)} "
        f"and {_mean(single(early))}"
    ))


MEASURES = {
    "N1": measure_n1, "N2": measure_n2, "N3": measure_n3, "N4": measure_n4, "N5": measure_n5, "N6": measure_n6,
}


def measure(settings: Settings) -> dict[str, Measured]:
    """Every claim, by its fixed protocol."""
    return lesson.measure(CLAIMS, MEASURES, settings)


def point(settings: Settings) -> Point:
    """NoProp-DT at the settings' own values, read in every way."""
    return Point(retrain(settings).late.reading.by_name)


def _mean(values: np.ndarray) -> str:
    return f"{values.mean():.3f}"
