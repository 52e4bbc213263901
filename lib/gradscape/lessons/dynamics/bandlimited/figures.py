"""Figures of the bandlimited lesson: width, box, floors, filter, ridgelets, exact arithmetic, digits."""
from __future__ import annotations

import math

import numpy as np
import plotly.graph_objects as go

from gradscape.dynamics.bandlimited.experiments import (
    BUDGET,
    REACHED,
    BudgetCurve,
    BudgetedNets,
    ExactNets,
    Floors,
    LowPass,
    Spectra,
    Sweep,
)
from gradscape.dynamics.bandlimited.images import IMAGE_BUDGET, IMAGE_UNITS, DigitAccuracy, OtherNets
from gradscape.dynamics.bandlimited.ridgelet import lowpass_multiplier
from gradscape.dynamics.bandlimited.views import FloorsAt, OneNet, RidgeletMap
from gradscape.workbench import PALETTE, add_line, add_points, axis, figure, heatmap, mark_x, mark_y, panels

BOX = "box λ"
ERROR = "test error"
UNIT = "RMSE / std f"
SHOWN_BOXES = (1.0, 10.0, 50.0, 100.0, 1000.0)
SHOWN_WIDTHS = (50, 200, 800)
TINY = 1e-17  # drawn instead of singular values that are exactly 0


def thinned(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Ranks and values at about 50 ranks, even in their logarithm: the first ones all, no stored point too many."""
    index = np.unique(np.geomspace(1, len(values), 60).round().astype(int))
    return index, np.maximum(values[index - 1], TINY)


def fig_width(sweep: Sweep) -> go.Figure:
    """Median test error over the width, one curve per box, with the numerical rank of the widest layer."""
    boxes = [lam for lam in SHOWN_BOXES if lam in sweep.lambdas] or list(sweep.lambdas[:5])
    first, last = sweep.widths[0], sweep.widths[-1]
    small = boxes[0]
    fig = figure(
        "More neurons: three bumps, sigmoid units, free output weights", axis("hidden units n", log=True),
        axis(ERROR, UNIT, log=True),
        takeaway=f"In the box λ = {small:g} the error is {sweep.median(small, first):.3f} with {first} units and "
                 f"{sweep.median(small, last):.3f} with {last}: float64 sees only {sweep.rank(small, last):.0f} "
                 "directions, however many units there are.",
    )
    for i, lam in enumerate(boxes):
        at = [sweep.at(lam, n) for n in sweep.widths]
        low, high = ([float(np.quantile(errors, q)) for errors in at] for q in (0.25, 0.75))
        name = f"λ = {lam:g}, rank {sweep.rank(lam, last):.0f} at n = {last}"
        add_line(fig, sweep.widths, [float(np.median(errors)) for errors in at], name, i, band=(low, high))
    return fig


def fig_box(sweep: Sweep) -> go.Figure:
    """Median test error over the box, one curve per width."""
    widths = [n for n in SHOWN_WIDTHS if n in sweep.widths] or list(sweep.widths)
    middle = widths[len(widths) // 2]
    medians = [sweep.median(lam, middle) for lam in sweep.lambdas]
    best = int(np.argmin(medians))
    fig = figure(
        "The size of the box: three bumps, sigmoid units, free output weights", axis(BOX, log=True),
        axis(ERROR, UNIT, log=True),
        takeaway=f"With {middle} units the best of these boxes is λ = {sweep.lambdas[best]:g} ({medians[best]:.3g}); "
                 f"λ = {sweep.lambdas[0]:g} gives {medians[0]:.3g}, λ = {sweep.lambdas[-1]:g} gives {medians[-1]:.3g}.",
    )
    for i, n in enumerate(widths):
        at = [sweep.at(lam, n) for lam in sweep.lambdas]
        low, high = ([float(np.quantile(errors, q)) for errors in at] for q in (0.25, 0.75))
        name = f"n = {n}, median of {len(at[0])}"
        add_line(fig, sweep.lambdas, [float(np.median(errors)) for errors in at], name, i, band=(low, high))
    return fig


def fig_frequency(floors: Floors) -> go.Figure:
    """Floors of five sines over the box, and the box that each frequency needs."""
    slope = float(floors.slope.exponents[0])
    fig = panels(
        f"How large a box does a frequency need? Floors at C = {BUDGET:g}, tanh",
        ["error floor of sin(2πνx)", f"smallest λ with a floor below {REACHED:g}"],
        [axis(BOX, log=True), axis("periods ν", log=2)], [axis("floor", UNIT), axis(BOX, log=True)],
        takeaway=f"Each frequency has its own threshold, and λ grows about like ν to the power {slope:.2f}.",
    )
    for i, (nu, row) in enumerate(zip(floors.frequencies, floors.sines, strict=True)):
        add_line(fig, floors.lambdas, row, f"ν = {nu}", i, mode="lines")
    reached = np.isfinite(floors.needed)
    x, y = np.array(floors.frequencies)[reached], floors.needed[reached]
    add_points(fig, x, y, "threshold", 5, panel=1)
    add_line(fig, x[1:], floors.slope(x[1:]), f"slope {slope:.2f}", 6, panel=1, mode="lines")
    return fig


def fig_floor(floors: Floors, nets: BudgetedNets) -> go.Figure:
    """The floor of the bumps over the box, and drawn nets with the same budget."""
    gap = float(np.abs(nets.errors[-1] / nets.floors[:, None] - 1).max())
    below = float((nets.errors[0] - nets.floors[:, None]).min())
    fig = figure(
        f"Theory and simulation: output weights of L2 norm at most C = {BUDGET:g}, tanh, three bumps",
        axis(BOX, log=True), axis("error", UNIT),
        takeaway=f"No constant is fitted. All nets of {nets.widths[-1]} units lie within {100 * gap:.1f} % of the "
                 f"floor of infinite width; nets of {nets.widths[0]} units go at most {-min(below, 0):.3f} below.",
    )
    add_line(fig, floors.lambdas, floors.bumps, "floor, any width", 0, mode="lines")
    for i, n in enumerate(nets.widths):
        shift = 1.0 + 0.06 * (2 * i - 1)  # side by side
        x = np.repeat(np.array(nets.lambdas) * shift, nets.errors.shape[2])
        add_points(fig, x, nets.errors[i].ravel(), f"drawn nets, n = {n}", i + 1, marker={"size": 6, "opacity": 0.6})
    return fig


def fig_budget(curve: BudgetCurve) -> go.Figure:
    """What more output weight buys in a small box: floor and certificate over the budget."""
    fig = figure(
        f"What output weights buy in the box λ = {curve.lam:g}: tanh, three bumps", axis("budget C", log=True),
        axis("least error", UNIT),
        takeaway=f"Ten thousand times the weight takes the floor from {curve.floors[0]:.2f} to {curve.floors[-1]:.2f}. "
                 "The certificate bounds every net of the box, drawn or trained.",
    )
    add_line(fig, curve.budgets, curve.floors, "floor, L2 budget", 0)
    add_line(fig, curve.budgets, curve.certificates, "certificate, Σ|c| ≤ C", 1)
    mark_y(fig, curve.unlimited, "any budget, float64", i=2)
    return fig


def fig_filter(result: LowPass) -> go.Figure:
    """Spectra of a wave packet before and after its weights are cut to a band, and the multiplier between them."""
    nu, boxes = 3.0, (2.0, 5.0)
    fig = panels(
        "A band of weights is a band of frequencies: f = exp(−x²/2) cos 3x", [f"λ = {lam:g}" for lam in boxes],
        [axis("frequency ξ")] * 2, [axis("f^(ξ)"), axis("")],
        takeaway=f"Integrals over x, a and b agree with the filter to {result.gap:.0e}; λ = 2 loses "
                 f"{result.lost[result.pairs.index((nu, 2.0))]:.0%} of f, λ = 5 "
                 f"{result.lost[result.pairs.index((nu, 5.0))]:.0%} (relative L2 error).",
    )
    xi, step = np.linspace(0, 7, 43), float(result.x[1] - result.x[0])
    waves = np.cos(xi[:, None] * result.x) * step
    for panel, lam in enumerate(boxes):
        k = result.pairs.index((nu, lam))
        where = {"panel": panel, "legend": panel == 0, "mode": "lines"}
        add_line(fig, xi, waves @ result.f[k], "f", 0, **where)
        add_line(fig, xi, lowpass_multiplier(xi / lam), "multiplier exp(−(ξ/λ)²)", 2, **where)
        add_line(fig, xi[::2], (waves @ result.reconstructed[k])[::2], "net cut to |a| ≤ λ", 1, panel=panel,
                 legend=panel == 0, mode="markers")
    return fig


def fig_ridgelet(result: RidgeletMap) -> go.Figure:
    """Where a target sits in the space of hidden weights, with the box drawn into it."""
    lam, end = result.settings.lam, float(result.b[-1])
    name = "three bumps" if result.settings.target == "bumps" else f"sin(2π·{result.settings.nu}x)"
    fig = figure(
        f"|R[f](a, b)|: {name} as output weights of an infinite net", axis("slope a", range=(-end, end)),
        axis("bias b", range=(-end, end)),
        takeaway=f"{result.outside:.1%} of the energy lies outside the box λ = {lam:.3g} (orange).", height=430,
    )
    top = float(result.size.max()) or 1.0
    heatmap(fig, result.a, result.b, np.round(result.size / top, 4), "|R| / max")
    fig.add_shape(type="rect", x0=-lam, x1=lam, y0=-lam, y1=lam, line={"color": "#ff9d3c", "width": 3})
    return fig


def fig_spectra(result: Spectra) -> go.Figure:
    """Singular values of a wide hidden layer in three boxes."""
    n = len(result.singular[0])
    counts = ", ".join(f"{rank} at λ = {lam:g}" for rank, lam in zip(result.ranks, result.lambdas, strict=True))
    fig = figure(
        f"Singular values of {n} sigmoid units on [0, 1]", axis("index", log=True),
        axis("singular value / largest", log=True),
        takeaway=f"Above the line float64 can use them: {counts}. The rest is rounding, or costs output weights that "
                 "float64 cannot hold apart.",
    )
    for i, (lam, values) in enumerate(zip(result.lambdas, result.singular, strict=True)):
        index, shown = thinned(values)
        add_line(fig, index, shown, f"λ = {lam:g}", i, mode="lines")
    mark_y(fig, result.cut, "eps × max(N, n)", i=3)
    return fig


def fig_exact(result: ExactNets) -> go.Figure:
    """The same nets with many digits and in float64, and the size of their output weights."""
    errors = np.array([[fit.error for fit in row] for row in result.fits])
    logs = np.array([[fit.log10_coef for fit in row] for row in result.fits])
    wide = result.widths[-1]
    fig = panels(
        f"The box λ = 1 in exact arithmetic ({result.digits} digits): tanh, sin 4πx",
        ["error", "largest output weight"], [axis("hidden units n")] * 2,
        [axis("error", UNIT, log=True), axis("log10 of max |c|")],
        takeaway=f"With {wide} units the exact error is {np.median(errors[:, -1]):.0e}, float64 stops at "
                 f"{result.float64[-1]:.0e}; the price is a weight of 10 to the {np.median(logs[:, -1]):.0f}.",
    )
    add_line(fig, result.widths, np.median(errors, axis=0), "exact, median of draws", 0,
             band=(errors.min(0), errors.max(0)))
    add_line(fig, result.widths, result.float64, "float64, tanh", 1)
    add_line(fig, result.widths, result.float64_sigmoid, "float64, sigmoid", 2)
    add_line(fig, result.widths, np.median(logs, axis=0), "exact, median of draws", 0, panel=1, legend=False,
             band=(logs.min(0), logs.max(0)))
    return fig


def fig_digits(result: DigitAccuracy) -> go.Figure:
    """Accuracy on handwritten digits over the box, and the output weights behind it."""
    mean = result.accuracy.mean(axis=1)
    best = int(mean.argmax())
    fig = panels(
        f"Handwritten digits: {IMAGE_UNITS} tanh units, 1000 training images", ["test accuracy", "output weights"],
        [axis(BOX, log=True)] * 2, [axis("share right"), axis("L2 norm", log=True)],
        takeaway=f"Best at λ = {result.lambdas[best]:g} ({mean[best]:.1%}), {mean[-1]:.1%} at λ = "
                 f"{result.lambdas[-1]:g}. At λ = {result.lambdas[0]:g} free weights still give {mean[0]:.1%}, with a "
                 f"norm of {np.median(result.norm[0]):.0e}; with at most {IMAGE_BUDGET:g} it is "
                 f"{result.within_budget[0].mean():.1%}.",
    )
    for i, (name, values) in enumerate((("free output weights", result.accuracy),
                                        (f"norm at most {IMAGE_BUDGET:g}", result.within_budget))):
        add_line(fig, result.lambdas, values.mean(axis=1), name, i, band=(values.min(axis=1), values.max(axis=1)))
    add_line(fig, result.lambdas, np.median(result.norm, axis=1), "free output weights", 0, panel=1, legend=False)
    return fig


def fig_other(result: OtherNets) -> go.Figure:
    """Four activations on the bumps, and sigmoid on Franke's surface."""
    best = result.lambdas[int(np.median(result.surface, axis=1).argmin())]
    fig = panels(
        "Other activations, another target: 200 units, free output weights",
        ["three bumps", "Franke's surface (two inputs)"], [axis(BOX, log=True)] * 2,
        [axis(ERROR, UNIT, log=True), axis("", log=True)],
        takeaway="Left: relu has no scale of its own, so the size of its box means nothing to it. Right: a smooth "
                 f"surface is best learned at λ = {best:g}.",
    )
    for i, (name, rows) in enumerate(zip(result.activations, result.errors, strict=True)):
        add_line(fig, result.lambdas, np.median(rows, axis=1), name, i)
    add_line(fig, result.lambdas, np.median(result.surface, axis=1), "sigmoid", 0, panel=1, legend=False)
    return fig


def fig_net(net: OneNet) -> go.Figure:
    """One net: target and fit, and the singular values of its hidden layer."""
    chosen = net.settings
    fig = panels(
        f"λ = {chosen.lam:.3g}, n = {chosen.n}, {chosen.activation}", ["target and net", "singular values / largest"],
        [axis("x"), axis("index", log=True)], [axis("f, g"), axis("", log=True)],
        takeaway=f"Test error {net.error:.2g} of the target's spread; float64 sees {net.rank} of "
                 f"{min(chosen.n, len(net.singular))} directions; output weights of norm {net.norm:.1e}.",
    )
    add_line(fig, net.x, net.f, "target", 0, mode="lines")
    reach = 3 * float(np.abs(net.f).max())
    add_line(fig, net.x, np.clip(net.g, -reach, reach), "net", 1, mode="lines")
    add_line(fig, *thinned(net.singular), "singular values", 2, panel=1, mode="lines")
    mark_y(fig, net.cut, "eps × max(N, n)", panel=1, i=3)
    return fig


def fig_floors_at(result: FloorsAt) -> go.Figure:
    """Floor and drawn nets over the box, with the chosen box marked."""
    chosen = result.settings
    fig = figure(
        f"Floor and net: {chosen.activation}, n = {chosen.n}, C = {chosen.budget:.4g}", axis(BOX, log=True),
        axis("error", UNIT, range=(0, 1.05)),
        takeaway=f"At λ = {chosen.lam:.3g} no net within the budget can go below {result.floor:.3f}; this draw reaches "
                 f"{result.net:.3f}.",
    )
    done = np.isfinite(result.floors)
    add_line(fig, result.lambdas[done], result.floors[done], "floor, any width", 0, mode="lines")
    add_line(fig, result.lambdas[done], result.nets[done], f"one draw of {chosen.n} units", 1, mode="lines")
    add_points(fig, [chosen.lam], [result.net], "your net", 2, marker={"size": 12, "color": PALETTE[3]})
    mark_x(fig, chosen.lam, f"λ = {chosen.lam:.3g}" if math.isfinite(chosen.lam) else "")
    return fig
