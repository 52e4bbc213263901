"""What the paper claims, what is measured for it, and by which criterion (arXiv 2601.03715)."""
from __future__ import annotations

import numpy as np

from gradscape import lesson
from gradscape.agents.reflect_retry.credit import RULES, dominance_ratio
from gradscape.agents.reflect_retry.experiments import (
    Mechanism,
    Study,
    attempts,
    dominance,
    late_study,
    mechanism,
    point,
    study,
)
from gradscape.agents.reflect_retry.settings import (
    ENOUGH_ITERATIONS,
    LABELS,
    LATE_ITERATIONS,
    SIDE,
    Settings,
)
from gradscape.lesson import Claim, Measured, above, at_least, at_most, below, every, mean_of

CLAIMS = (
    Claim(
        "R1", "paper", "R³L beats GRPO with as many rollouts and gradient steps.", "main results",
        "ALFWorld, 1.5 B: 0.720 → 0.928", {"area, R³L - GRPO": every(above(0.05))},
    ),
    Claim(
        "R2", "paper", "R³L beats imitation of successes (RAFT).", "main results", None,
        {"area, R³L - RAFT": mean_of(above(0.05), minimum=5),
         "success at iteration 10, R³L - RAFT": every(above(0.0), minimum=5)},
    ),
    Claim(
        "R3", "paper", "Positive amplification keeps reused batches stable in which failures dominate.",
        "positive amplification", None,
        {"area, R³L - without amplification": every(at_least(-0.03), minimum=5),
         "area, R³L - without amplification (mean)": mean_of(above(0.05), minimum=5),
         "success, OPMD at the end - at the start": mean_of(below(0.0), minimum=3)},
    ),
    Claim(
        "R4", "paper", "Guidance by the model's own reflections is what makes retries work: random reflections, or no "
        "guidance, do worse.", "Table 2 (ablation)", "ALFWorld, 1.5 B: 0.928; without reflection 0.894",
        {"area, R³L - random reflections": mean_of(above(0.05), minimum=3),
         "area, R³L - no guidance, no credit": mean_of(above(0.05), minimum=3)},
    ),
    Claim(
        "R4c", "paper", "… and it does so before any training.", "reflect-then-retry", None,
        {"retry success, with guidance - 3 × without": every(above(0.0))},
    ),
    Claim(
        "R5", "paper", "Late pivots hurt more than early ones; restarting at the pivot is as good as from the start "
        "and cheaper.", "sensitivity to the pivot (authors' answer)",
        "retry success at k, k-2, k+2, k-5, k+5, start: .66 .65 .63 .63 .60 .61",
        {"retry success, (k+1) - (k-1)": every(below(0.0)),
         "retry success, |start - k|": every(at_most(0.05)),
         "generated calls, k / start": every(below(0.9))},
    ),
    Claim(
        "R5b", "counter", "Small errors of the pivot are tolerated.", "sensitivity to the pivot (authors' answer)",
        "two turns late cost .03 of .66", {"retry success, (k+1) / k": every(below(0.5))},
    ),
    Claim("R6", "report", "Pivotal credit adds to the result.", "Table 2 (ablation)", "ALFWorld, 1.5 B: 0.914 → 0.928"),
    Claim(
        "R7", "counter", "R³L is ahead whatever the base, the reuse of batches and the length of training.",
        "main results", None, {"success after 80 iterations, R³L - GRPO": every(below(0.05))},
    ),
    Claim(
        "R8", "control", "Positive over negative advantage mass is α N/(N - c) by the paper's rule, N/(N - c) by the "
        "code's, α when only scaled, 1 without.", "", None,
        {"largest relative difference from the closed form": at_most(1e-12)},
    ),
    Claim(
        "R9", "control", "R³L beats GRPO also at the best of GRPO's four settings (with or without KL, two learning "
        "rates).", "", None, {"area, R³L - best GRPO": mean_of(above(0.05), minimum=3)},
    ),
)
UNTESTED = "profile full trains these runs"


def _study(settings: Settings, *variants: str) -> Study | None:
    """The central runs, or None when a variant is missing or the runs are too short to say anything."""
    size = settings.size
    if size.iterations < ENOUGH_ITERATIONS or not set(variants) <= set(size.variants):
        return None
    return study(settings, size.variants, size.seeds)


def _side(settings: Settings) -> Study | None:
    """The side runs, on the first replicates, or None."""
    size = settings.size
    if size.iterations < ENOUGH_ITERATIONS or not size.side_seeds:
        return None
    return study(settings, SIDE, size.side_seeds)


def _levels(made: Study, *variants: str) -> str:
    """Mean success at the marks, in words."""
    told = []
    for variant in variants:
        histories = made.histories[variant]
        marks = [int(mark) for mark in histories[0].evaluated if mark]
        means = "/".join(f"{made.at(variant, mark).mean():.2f}" for mark in marks)
        told.append(f"{LABELS[variant]} {means}")
    return "; ".join(told)


def measure_r1(settings: Settings) -> Measured:
    """Area of each run; means at the evaluated iterations in the note."""
    made = _study(settings, "r3l", "grpo")
    if made is None:
        return Measured.not_tested(UNTESTED)
    seeds = len(made.histories["r3l"])
    return Measured({"area, R³L - GRPO": made.gain("r3l", "grpo")}, n=seeds,
                    note=f"mean success: {_levels(made, 'r3l', 'grpo')}")


def measure_r2(settings: Settings) -> Measured:
    """Area, and success at iteration 10."""
    made = _study(settings, "r3l", "raft")
    if made is None:
        return Measured.not_tested(UNTESTED)
    return Measured(
        {"area, R³L - RAFT": made.gain("r3l", "raft"),
         "success at iteration 10, R³L - RAFT": made.at("r3l", 10) - made.at("raft", 10)},
        n=len(made.histories["r3l"]), note=f"mean success: {_levels(made, 'r3l', 'raft')}",
    )


def measure_r3(settings: Settings) -> Measured:
    """R³L with and without amplification; OPMD with and without."""
    made, side = _study(settings, "r3l", "no_amplification"), _side(settings)
    if made is None or side is None:
        return Measured.not_tested(UNTESTED)
    gain, last = made.gain("r3l", "no_amplification"), settings.size.iterations
    return Measured(
        {"area, R³L - without amplification": gain, "area, R³L - without amplification (mean)": gain,
         "success, OPMD at the end - at the start": side.at("opmd", last) - side.at("opmd", 0)},
        n=len(gain), note=f"mean success: {_levels(made, 'r3l', 'no_amplification')}; "
                          f"{_levels(side, 'opmd', 'opmd_pa')}",
    )


def measure_r4(settings: Settings) -> Measured:
    """Training with random reflections, and with retries that are told nothing."""
    made = _study(settings, "r3l", "random", "unguided")
    if made is None:
        return Measured.not_tested(UNTESTED)
    return Measured(
        {"area, R³L - random reflections": made.gain("r3l", "random"),
         "area, R³L - no guidance, no credit": made.gain("r3l", "unguided")},
        n=len(made.histories["r3l"]), note=f"mean success: {_levels(made, 'r3l', 'random', 'unguided')}",
    )


def _mechanisms(settings: Settings, known: float) -> list[Mechanism] | None:
    if settings.profile == "smoke":
        return None
    return [mechanism(settings, known, replicate) for replicate in range(max(1, settings.size.side_seeds))]


def measure_r4c(settings: Settings) -> Measured:
    """Failed attempts of the untrained base, with and without the suggested call."""
    found = _mechanisms(settings, 0.0)
    if found is None:
        return Measured.not_tested("too few attempts")
    told, alone = (np.array([m.success[name] for m in found]) for name in ("k", "unguided"))
    return Measured({"retry success, with guidance - 3 × without": told - 3 * alone}, n=len(found),
                    note=f"with guidance {told.mean():.3f}, without {alone.mean():.3f}, "
                         f"by the oracle's reflection {np.mean([m.success['oracle'] for m in found]):.3f}")


def measure_r5(settings: Settings) -> Measured:
    """Retries of the same attempts from the pivot, one turn beside it, and the start."""
    found = _mechanisms(settings, 0.04)
    if found is None:
        return Measured.not_tested("too few attempts")
    rate = {name: np.array([m.success[name] for m in found]) for name in ("k", "k-1", "k+1", "start")}
    calls = {name: np.array([m.calls[name] for m in found]) for name in ("k", "start")}
    inside = ", ".join(f"{name} {np.mean([m.distinct[name] for m in found]):.3f}" for name in rate)
    return Measured(
        {"retry success, (k+1) - (k-1)": rate["k+1"] - rate["k-1"],
         "retry success, |start - k|": np.abs(rate["start"] - rate["k"]),
         "generated calls, k / start": calls["k"] / calls["start"]},
        n=len(found), note=", ".join(f"{name} {values.mean():.3f}" for name, values in rate.items())
        + f"; where all four differ: {inside}",
    )


def measure_r5b(settings: Settings) -> Measured:
    """One turn late."""
    found = _mechanisms(settings, 0.04)
    if found is None:
        return Measured.not_tested("too few attempts")
    return Measured({"retry success, (k+1) / k": np.array([m.success["k+1"] / m.success["k"] for m in found])},
                    n=len(found))


def measure_r6(settings: Settings) -> Measured:
    """Area with and without the pivotal mask."""
    made = _study(settings, "r3l", "no_credit")
    if made is None:
        return Measured.not_tested(UNTESTED)
    gain = made.gain("r3l", "no_credit")
    tried = attempts(settings, 0.0, 0)
    early = float((tried.said.pivot[tried.usable] == 0).double().mean())
    note = f"mean {gain.mean():+.3f}" + (f" ± {gain.std(ddof=1) / len(gain) ** 0.5:.3f} (standard error)" if
                                         len(gain) > 1 else "")
    return Measured({"area, R³L - without credit": gain}, n=len(gain),
                    note=f"{note}; {early:.0%} of the pivots are turn 0: nothing to hide before them")


def measure_r7(settings: Settings) -> Measured:
    """A base that knows a little, two gradient steps a batch, 80 iterations."""
    size = settings.size
    if size.iterations < ENOUGH_ITERATIONS or not size.side_seeds:
        return Measured.not_tested(UNTESTED)
    made = late_study(settings, size.side_seeds)
    last = {name: made.at(name, LATE_ITERATIONS) for name in made.histories}
    note = ", ".join(f"{name} {values.mean():.3f} ({made.at(name, 20).mean():.3f} at 20)"
                     for name, values in last.items())
    return Measured({"success after 80 iterations, R³L - GRPO": last["r3l"] - last["grpo"]}, n=size.side_seeds,
                    note=note)


def measure_r8(settings: Settings) -> Measured:
    """The advantages themselves for N = 4 … 16, all numbers of successes, alpha 1, 3 and 5."""
    worst = 0.0
    for N in (4, 6, 8, 10, 12, 14, 16):
        for alpha in (1.0, 3.0, 5.0):
            made = dominance(settings.replace(group=N, alpha=alpha))
            for rule in ("none", *RULES):
                ratio = made.ratio(rule)
                exact = np.array([dominance_ratio(c, N, alpha=alpha, rule=rule) for c in range(N + 1)])
                worst = max(worst, _difference(ratio, exact))
    return Measured({"largest relative difference from the closed form": worst})


def _difference(found: np.ndarray, exact: np.ndarray) -> float:
    """Largest relative difference of the finite entries; infinity when others are not alike."""
    finite = np.isfinite(exact)
    if not np.array_equal(found[~finite], exact[~finite], equal_nan=True):
        return float("inf")
    return float(np.max(np.abs(found[finite] / exact[finite] - 1)))


def measure_r9(settings: Settings) -> Measured:
    """GRPO's best mean area among its settings, on the replicates that all of them ran."""
    made, side = _study(settings, "r3l", "grpo"), _side(settings)
    if made is None or side is None:
        return Measured.not_tested(UNTESTED)
    seeds = min(settings.size.side_seeds, settings.size.seeds)
    areas = {"grpo": made.area("grpo")[:seeds]}
    areas |= {name: side.area(name)[:seeds] for name in ("grpo_free", "grpo_fast", "grpo_both")}
    best = max(areas, key=lambda name: float(areas[name].mean()))
    return Measured({"area, R³L - best GRPO": made.area("r3l")[:seeds] - areas[best]}, n=seeds,
                    note=f"best: {LABELS[best]}; areas "
                         + ", ".join(f"{LABELS[name]} {a.mean():.3f}" for name, a in areas.items()))


MEASURES = {
    "R1": measure_r1, "R2": measure_r2, "R3": measure_r3, "R4": measure_r4, "R4c": measure_r4c, "R5": measure_r5,
    "R5b": measure_r5b, "R6": measure_r6, "R7": measure_r7, "R8": measure_r8, "R9": measure_r9,
}


def measure(settings: Settings) -> dict[str, Measured]:
    """Every claim by its fixed protocol."""
    return lesson.measure(CLAIMS, MEASURES, settings)


__all__ = ["CLAIMS", "MEASURES", "measure", "point"]
