"""What the paper claims, how each claim is measured, what a sweep records."""
from __future__ import annotations

import math
from typing import Any

import numpy as np

from gradscape import lesson
from gradscape.dynamics.sgd_noise.network_studies import (
    CHANGE_AT_TC,
    batch_scan,
    lazy_scaling,
    noise_benefit,
    run_point,
    stability_edges,
)
from gradscape.dynamics.sgd_noise.perceptron_studies import DIM, perceptron_course, size_scans, temperature_scan
from gradscape.dynamics.sgd_noise.settings import Settings
from gradscape.dynamics.sgd_noise.theory import predicted_exponents
from gradscape.lesson import Claim, Measured, Point, at_least, at_most, between, decreasing, increasing, within

CHIS = (0, 1, 3)
_RATIO_TOLERANCE = {0: 0.10, 1: 0.06, 3: 0.05}

CLAIMS = (
    Claim(
        "N1", kind="paper", sentence="In the perceptron, training time and signal weights are proportional to T.",
        where="abstract (ii); perceptron model", paper="t* ~ T, w₁ ~ T",
        parts={"slope of t*": within(1, 0.12), "slope of w₁": within(1, 0.03)},
    ),
    Claim(
        "N2", kind="paper",
        sentence="Its exponents follow from the density of data at the boundary: training stops when P λ^(χ+1) ~ 1.",
        where="abstract (iii); follow-up 2309.10688", paper="γ = 1/(1+χ); b = 1 + 2/(1+χ) derived here",
        parts={
            **{f"w₁/|w⊥| at χ={chi}": within(1 / (1 + chi), _RATIO_TOLERANCE[chi]) for chi in CHIS},
            **{f"b/predicted at χ={chi}": between(0.70, 1.05) for chi in CHIS},
            "b over χ": decreasing(),
        },
    ),
    Claim(
        "N3", kind="paper",
        sentence="Lazy networks: t* ~ T P^b, relative weight change ~ T^δ P^γ, hence T_c ~ P^-a.",
        where="abstract (ii)", paper="form only; exponents not read",
        parts={
            "t*: T": between(0.85, 1.05), "t*: P": between(1.0, 1.6), "Δw: T": between(0.85, 1.05),
            "Δw: P": between(0.15, 0.45), "T_c": decreasing(), "a": between(0.15, 0.45),
        },
    ),
    Claim(
        "N4", kind="paper",
        sentence="For α ≪ 1 the stable and the best temperature follow α^k with k = (D-1)/(D+1).",
        where="meeting abstract; abstract (i)", paper="k = (D-1)/(D+1)",
        parts={
            "k at D=1": within(0, 0.10), "k at D=2": within(1 / 3, 0.10), "k at D=3": within(1 / 2, 0.10),
            "k over D": increasing(),
        },
    ),
    Claim(
        "N5", kind="paper",
        sentence="Noise helps where features are learned, not in the lazy regime; raising T and lowering α, both ways "
        "out of it, can act oppositely.",
        where="abstract (i)", paper="both signs occur",
        parts={
            "gain at α=1": at_least(0.008), "gain at α=2^-10": at_least(0.02), "gain at α=2^15": at_most(0.003),
            "gain from lowering α": at_least(0.005),
        },
    ),
    Claim(
        "N6", kind="paper", sentence="At small batch size T alone, not learning rate or batch size, controls training.",
        where="abstract; follow-up 2309.10688", paper="up to B* ~ P^γ",
        parts={"t* largest/smallest, B=4…16": at_most(1.3), "Δw at B=256 / at B=4": at_least(3)},
    ),
)


def measure_n1(settings: Settings) -> Measured:
    """Slopes of mean ln t* and ln w1 on ln T."""
    scan = temperature_scan(settings)
    fits = {f"slope of {label}": scan.slope(name) for label, name in (("t*", "t_star"), ("w₁", "w1"))}
    return Measured(
        values={name: float(power.exponents[0]) for name, power in fits.items()},
        spread={name: float(power.stderr[0]) for name, power in fits.items()}, n=scan.t_star.size,
    )


def measure_n2(settings: Settings) -> Measured:
    """Slopes on ln P for three densities, at d = 32."""
    scans = size_scans(settings)
    values: dict[str, Any] = {}
    spread: dict[str, float] = {}
    b = {chi: scans[chi, DIM].slope("t_star") for chi in CHIS}
    for chi in CHIS:
        ratio, predicted = scans[chi, DIM].slope("ratio"), predicted_exponents(chi).b
        values[f"w₁/|w⊥| at χ={chi}"] = float(ratio.exponents[0])
        spread[f"w₁/|w⊥| at χ={chi}"] = float(ratio.stderr[0])
        values[f"b/predicted at χ={chi}"] = float(b[chi].exponents[0]) / predicted
        spread[f"b/predicted at χ={chi}"] = float(b[chi].stderr[0]) / predicted
    values["b over χ"] = [float(b[chi].exponents[0]) for chi in CHIS]
    others = [f"d = {d}, χ = {chi:g}: b {float(scan.slope('t_star').exponents[0]):.2f}"
              for (chi, d), scan in scans.items() if d != DIM]
    return Measured(values, spread, n=sum(scans[chi, DIM].w1.size for chi in CHIS), note="; ".join(others))


def measure_n3(settings: Settings) -> Measured:
    """Log-linear fits over the scaling grid of lazy networks, and T_c at a relative change of 0.08."""
    grid = lazy_scaling(settings)
    time, change, critical = grid.time_law, grid.change_law, grid.critical
    a = -np.polyfit(np.log(grid.P), np.log(critical), 1)[0] if np.isfinite(critical).all() else math.nan
    note = f"T_c where Δw/|w₀| = {CHANGE_AT_TC}"
    if time.empty:
        note += f"; {time.empty} of {time.cells + time.empty} cells held runs that did not fit and are left out"
    if len(settings.size.fashion_sizes) > 1:
        other = lazy_scaling(settings, dataset="fashion")
        note += f"; Fashion-MNIST: t* ~ P^{other.time_law.P_exp:.2f}, Δw ~ P^{other.change_law.P_exp:.2f}"
    laws = {"t*: T": time.T_exp, "t*: P": time.P_exp, "Δw: T": change.T_exp, "Δw: P": change.P_exp}
    spread = dict(zip(laws, (*time.stderr, *change.stderr), strict=True))
    return Measured(laws | {"T_c": critical, "a": float(a)}, spread, n=grid.t_star.size, note=note)


def measure_n4(settings: Settings) -> Measured:
    """Slope of ln T_max on ln alpha at each depth."""
    edges = stability_edges(settings)
    values = {f"k at D={depth}": k for depth, k in zip(edges.depths, edges.slopes.tolist(), strict=True)}
    return Measured(values | {"k over D": edges.slopes}, n=settings.size.edge_seeds, note="n: seeds per temperature")


def measure_n5(settings: Settings) -> Measured:
    """Paired differences of test error between a low and a high temperature, and between lazy and alpha = 1."""
    result = noise_benefit(settings)
    gains = {
        "gain at α=1": result.gain("balanced"), "gain at α=2^-10": result.gain("feature"),
        "gain at α=2^15": result.gain("lazy"), "gain from lowering α": result.feature_gain,
    }
    missing = int(np.logical_not(result.fitted).sum())
    return Measured(
        {name: pair.mean for name, pair in gains.items()}, {name: pair.stderr for name, pair in gains.items()},
        n=result.error.shape[-1], note=f"{missing} runs did not fit" if missing else "",
    )


def measure_n6(settings: Settings) -> Measured:
    """Mean t* over small batches, and how far the largest batch departs."""
    scan = batch_scan(settings)
    time = scan.t_star.mean(1)[:3]
    change = scan.rel_change.mean(1)
    ratios = {"t* largest/smallest, B=4…16": time.max() / time.min(), "Δw at B=256 / at B=4": change[-1] / change[0]}
    return Measured({name: float(value) for name, value in ratios.items()}, n=scan.t_star.shape[1])


MEASURES = {"N1": measure_n1, "N2": measure_n2, "N3": measure_n3, "N4": measure_n4, "N5": measure_n5, "N6": measure_n6}


def measure(settings: Settings) -> dict[str, Measured]:
    """Every claim by its fixed protocol."""
    return lesson.measure(CLAIMS, MEASURES, settings)


def point(settings: Settings) -> Point:
    """Networks and perceptrons at the settings' own values.

    Means over seeds; what only fitted runs have is NaN unless all fitted, and the fitted share stands beside it.
    """
    nets, runs = run_point(settings), perceptron_course(settings)
    whole = {name: float(getattr(nets, name).mean()) if bool(nets.fitted.all()) else math.nan
             for name in ("t_star", "rel_change", "test_error")}
    done = bool(runs.fitted.all())
    line = {f"perceptron_{name}": float(getattr(runs, name).mean()) if done else math.nan
            for name in ("t_star", "w1", "w_perp")}
    return Point({
        **whole, "steps": float(nets.steps.double().mean()), "fitted_share": float(nets.fitted.double().mean()),
        "diverged_share": float(nets.diverged.double().mean()), **line,
        "perceptron_fitted_share": float(runs.fitted.double().mean()),
    })
