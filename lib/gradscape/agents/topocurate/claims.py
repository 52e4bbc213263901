"""What the paper claims, what is measured for it, and by which criterion (arXiv 2603.01714)."""
from __future__ import annotations

import numpy as np

from gradscape import lesson
from gradscape.agents.topocurate.experiments import (
    Study,
    point,
    rank_correlation,
    reinforced,
    study,
    task_snr,
)
from gradscape.agents.topocurate.settings import ENOUGH_STEPS, LEAN, REDUNDANT, Settings
from gradscape.lesson import Claim, Measured, above, at_least, at_most, below, between, every, mean_of

CLAIMS = (
    Claim(
        "T1", "paper", "Curating successful trajectories by topology beats filtering them by outcome, at equal budget.",
        "abstract", "+4.2 % over the best baseline (SFT)",
        {"pass@1, RE - outcome": every(above(0.02), minimum=5),
         "pass@1, RE - outcome (mean)": mean_of(above(0.04), minimum=5)},
    ),
    Claim(
        "T2", "paper", "Agents that learn from curated trajectories need fewer turns.", "behavior analysis", None,
        {"turns per success, outcome - RE": every(above(0.3))},
    ),
    Claim(
        "T3", "paper", "Efficiency is the score whose removal hurts most.", "ablation", None,
        {"pass@1, R alone - RE": every(below(-0.05))},
    ),
    Claim(
        "T4", "paper", "Selecting by recovery makes agents recover better from errors.", "behavior analysis", None,
        {"success after an error in the flaky world, RE - E alone": mean_of(at_least(0.0), minimum=5)},
    ),
    Claim(
        "T5", "counter", "Topology helps whatever the pool, needs its graph, and every score contributes.", "", None,
        {"lean pool: pass@1, RE - outcome": mean_of(between(-0.04, 0.04), minimum=5),
         "|pass@1, shortest - RE|": every(below(0.03)),
         "pass@1, full - RE": every(at_most(0.02))},
    ),
    Claim(
        "T6", "paper", "Tasks selected by topology have gradients of higher signal-to-noise ratio and train better "
        "than tasks filtered by pass rate.", "abstract; theory", "+6.9 % over the best baseline (RL)",
        {"SNR of the selected third over that of all": mean_of(above(1.1), minimum=3),
         "GRPO success, topology - random": mean_of(above(0.0), minimum=3)},
    ),
    Claim("T7", "report", "… than any rule on pass rates: against those nearest 1/2, and among tasks of like pass "
          "rate.", "theory"),
)
BINS = ((0.0, 0.3), (0.3, 0.7), (0.7, 1.0))
UNTESTED = "profile full trains these models"


def _made(settings: Settings, *variants: str) -> Study | None:
    """The redundant pool's study, or None when it lacks a variant or its models are hardly trained."""
    size = settings.size
    if size.steps < ENOUGH_STEPS or not set(variants) <= set(size.variants):
        return None
    return study(settings, REDUNDANT, size.variants, size.seeds)


def _means(made: Study, field: str = "pass_1") -> str:
    return ", ".join(f"{variant} {made.of(variant, field).mean():.3f}" for variant in made.models)


def measure_t1(settings: Settings) -> Measured:
    """pass@1 on held-out tasks, redundant pool, per seed; the flaky world in the note."""
    made = _made(settings, "RE", "outcome")
    if made is None:
        return Measured.not_tested(UNTESTED)
    gain = made.gain("RE", "outcome")
    note = f"pass@1: {_means(made)}; flaky world: {_means(made, 'flaky_pass_1')}"
    return Measured({"pass@1, RE - outcome": gain, "pass@1, RE - outcome (mean)": gain}, n=made.seeds, note=note)


def measure_t2(settings: Settings) -> Measured:
    """Calls of a successful episode."""
    made = _made(settings, "RE", "outcome")
    if made is None:
        return Measured.not_tested(UNTESTED)
    return Measured({"turns per success, outcome - RE": made.gain("outcome", "RE", "turns")}, n=made.seeds,
                    note=f"turns: {_means(made, 'turns')}")


def measure_t3(settings: Settings) -> Measured:
    """Recovery alone beside recovery and efficiency."""
    made = _made(settings, "R", "RE")
    if made is None:
        return Measured.not_tested(UNTESTED)
    without = ", ".join(f"without {score} {made.gain(rest, 'full').mean():+.3f}"
                        for score, rest in (("R", "ED"), ("E", "RD"), ("D", "RE")))
    return Measured({"pass@1, R alone - RE": made.gain("R", "RE")}, n=made.seeds, note=f"against full: {without}")


def measure_t4(settings: Settings) -> Measured:
    """Success rate of episodes with an error, when 15 % of the calls fail at first."""
    made = _made(settings, "RE", "E")
    if made is None:
        return Measured.not_tested(UNTESTED)
    part = "success after an error in the flaky world, RE - E alone"
    return Measured({part: made.gain("RE", "E", "flaky_recovery")}, n=made.seeds, note=_means(made, "flaky_recovery"))


def measure_t5(settings: Settings) -> Measured:
    """The lean pool, the rule without a graph, and the diversity score."""
    made, size = _made(settings, "RE", "full", "shortest"), settings.size
    if made is None or not size.lean_seeds:
        return Measured.not_tested(UNTESTED)
    lean = study(settings, LEAN, ("outcome", "RE", "full"), size.lean_seeds)
    return Measured(
        {"lean pool: pass@1, RE - outcome": lean.gain("RE", "outcome"),
         "|pass@1, shortest - RE|": np.abs(made.gain("shortest", "RE")), "pass@1, full - RE": made.gain("full", "RE")},
        n=made.seeds, note=f"lean pool: {_means(lean)}; full - outcome {lean.gain('full', 'outcome').mean():+.3f}",
    )


def measure_t6(settings: Settings) -> Measured:
    """SNR of the third with the highest EBR + SH, and GRPO on 50 selected tasks."""
    seeds = settings.size.rl_seeds
    if not seeds:
        return Measured.not_tested("profile full trains by reinforcement")
    found = [task_snr(settings, r) for r in range(seeds)]
    rates = {mode: np.array([reinforced(settings, r, mode) for r in range(seeds)]) for mode in ("topo", "random")}
    return Measured(
        {"SNR of the selected third over that of all": np.array([f.mean_snr("topo") / f.mean_snr() for f in found]),
         "GRPO success, topology - random": rates["topo"] - rates["random"]},
        n=seeds, note=", ".join(f"{mode} {rate.mean():.3f}" for mode, rate in rates.items()),
    )


def measure_t7(settings: Settings) -> Measured:
    """Means over seeds."""
    seeds = settings.size.rl_seeds
    if not seeds:
        return Measured.not_tested("profile full trains by reinforcement")
    found = [task_snr(settings, r) for r in range(seeds)]
    rates = {mode: np.array([reinforced(settings, r, mode) for r in range(seeds)]) for mode in ("topo", "variance")}
    values = {
        "mean SNR, topology": float(np.mean([f.mean_snr("topo") for f in found])),
        "mean SNR, pass rate nearest 1/2": float(np.mean([f.mean_snr("variance") for f in found])),
        "GRPO success, topology - nearest 1/2": float((rates["topo"] - rates["variance"]).mean()),
        "rank correlation of SH and pass rate": float(np.mean([rank_correlation(f.sh, f.pass_rate) for f in found])),
    }
    for low, high in BINS:
        inside = [(f.score[m], f.snr[m]) for f in found for m in [(f.pass_rate > low) & (f.pass_rate <= high)]]
        told = [r for r in (rank_correlation(*pair) for pair in inside) if np.isfinite(r)]
        if told:
            values[f"rank correlation of EBR + SH and SNR, {low:g} < p <= {high:g}"] = float(np.mean(told))
    return Measured(values, n=seeds)


MEASURES = {
    "T1": measure_t1, "T2": measure_t2, "T3": measure_t3, "T4": measure_t4, "T5": measure_t5, "T6": measure_t6,
    "T7": measure_t7,
}


def measure(settings: Settings) -> dict[str, Measured]:
    """Every claim by its fixed protocol."""
    return lesson.measure(CLAIMS, MEASURES, settings)


__all__ = ["CLAIMS", "MEASURES", "measure", "point"]
