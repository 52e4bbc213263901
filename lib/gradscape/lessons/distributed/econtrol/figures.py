"""Figures of the lesson: from results to plotly figures."""
from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from gradscape import results
from gradscape.distributed import econtrol as ec
from gradscape.distributed.econtrol import experiments as ex
from gradscape.workbench import (
    Figure,
    add_line,
    add_points,
    axis,
    figure,
    heatmap,
    mark_x,
    mark_y,
    panels,
)

NAMES = {
    "sgd": "SGD (uncompressed)", "csgd": "no feedback", "ec": "EC", "ecideal": "EC-Ideal", "ef21": "EF21-SGD",
    "ef21sgdm": "EF21-SGDM", "econtrol": "EControl", "too much": "EControl, η = 5δ",
}
LOOK = {"sgd": 6, "csgd": 5, "ec": 1, "ecideal": 2, "ef21": 3, "ef21sgdm": 4, "econtrol": 0, "too much": 7}
EXACT = 1e-18  # where exact agreement is drawn on a logarithmic axis
WINDOW = 100  # rounds that a smoothed curve averages
EVERY = 3  # records between two drawn ones
SHOWN_MOST = 1e3  # errors beyond are not drawn: that run is on its way to infinity
RATIO = axis("gain η/δ", log=True)


def fig_clean(settings: ec.Settings) -> Figure:
    """Error against rounds without noise, first seed."""
    made = ex.clean(settings)
    rounds = made["sgd"].rounds[::EVERY]
    ec_end, ours = made["ec"].final, made["econtrol"].final
    fig = figure(
        "Ten clients that differ, no noise: squared distance to the minimum", axis("round"),
        axis("‖x − x*‖²", log=True), height=420,
        takeaway=f"EControl ends at {float(ours.max()):.0e} in the worst of {len(ours)} seeds. EC stays at "
        f"{float(ec_end[:, 1].mean()):.2g} (γ = 0.05) or {float(ec_end[:, 0].mean()):.2g} (γ = 0.003); without "
        f"feedback it is {float(made['csgd'].final.amin(1).mean()):.2g}.",
    )
    for name in ("sgd", "ef21", "econtrol"):
        add_line(fig, rounds, made[name].dist_sq[0, ::EVERY].clamp(min=1e-28), NAMES[name], LOOK[name])
    for name, which, text in (("ec", 1, "EC, γ = 0.05"), ("ec", 0, "EC, γ = 0.003"), ("csgd", 1, "no feedback")):
        look = {"dash": "dot"} if which == 0 else {}
        add_line(fig, rounds, made[name].dist_sq[0, which, ::EVERY], text, LOOK[name], line=look)
    return fig


def smooth(curve: Tensor) -> Tensor:
    """Running mean over WINDOW rounds, (K,) -> (K // WINDOW,); inf stays inf."""
    whole = len(curve) // WINDOW * WINDOW
    return curve[:whole].view(-1, WINDOW).mean(1) if whole else curve


def middles(curve: Tensor) -> Tensor:
    """Rounds to draw :func:`smooth` at."""
    count = len(smooth(curve))
    return torch.arange(count) if count == len(curve) else (torch.arange(count) + 0.5) * WINDOW


def fig_noisy(settings: ec.Settings) -> Figure:
    """Error against rounds with noise, and the ratio to SGD's level for every seed."""
    made, errors = ex.noisy(settings), ex.noise_errors(settings)
    names = ("sgd", "ec", "ef21", "ef21sgdm", "econtrol", "ecideal")
    ratios = {name: errors[name] / errors["sgd"] for name in names[1:]}
    means = ", ".join(f"{NAMES[name]} {float(value.mean()):.2f}" for name, value in ratios.items())
    fig = panels(
        "The same clients with noise, one step γ = 0.003 for all",
        [f"means over {WINDOW} rounds, first seed", "last third, each seed"],
        [axis("round"), axis("", range=(-0.6, 4.6), ticks=range(5), labels=[NAMES[name] for name in names[1:]])],
        [axis("‖x − x*‖²", log=True), axis("error / SGD's error", log=True)],
        takeaway=f"Error over SGD's: {means}.", height=430,
    )
    for name in names:
        curve = ex.at_gamma(made[name])[0]
        add_line(fig, middles(curve), smooth(curve), NAMES[name], LOOK[name])
    for k, name in enumerate(names[1:]):
        x = k + np.linspace(-0.15, 0.15, len(ratios[name]))
        add_points(fig, x, ratios[name], NAMES[name], LOOK[name], panel=1, legend=False)
    mark_y(fig, 1.0, "SGD", panel=1)
    return fig


def fig_errors_kept(settings: ec.Settings) -> Figure:
    """How large the memory e of a client is: classic EC against EControl."""
    made = ex.noisy(settings)
    norms = {name: found.e_norm if found.e_norm.dim() == 2 else found.e_norm[:, ex.GAMMAS.index(ex.GAMMA)]
             for name, found in made.items() if found.e_norm is not None}
    ends = {name: float(norm[:, -len(norm[0]) // 3 :].mean()) for name, norm in norms.items()}
    fig = figure(
        "What the clients have not told: mean norm of e", axis("round"), axis("mean ‖eᵢ‖", log=True),
        takeaway=f"In the last third {ends['ec']:.3g} (EC), {ends['econtrol']:.3g} (EControl), "
        f"{ends['ecideal']:.3g} (EC-Ideal): "
        f"EC's memory is {ends['ec'] / ends['econtrol']:.1f} times EControl's, for its messages never become small.",
    )
    for name in ("ec", "econtrol", "ecideal"):
        curve = norms[name][0]
        add_line(fig, middles(curve), smooth(curve), NAMES[name], LOOK[name])
    return fig


def fig_gains(settings: ec.Settings) -> Figure:
    """Noise error against the gain, and the curves of all gains."""
    found = ex.gains(settings)
    ratios, errors = torch.tensor(ex.GAINS), found.history.noise_error
    sgd = ex.noise_errors(settings)["sgd"].mean()
    mean, gone = errors.mean(0), int((~torch.isfinite(errors[:, -1])).sum())
    inner = torch.isfinite(mean) & (ratios > 0)
    fig = panels(
        "The gain: from EF21's level down to SGD's, then over the edge",
        ["last third, mean over seeds", f"means over {WINDOW} rounds, first seed"], [RATIO, axis("round")],
        [axis("‖x − x*‖²", log=True, range=(0.75 * float(sgd), 1.7 * float(mean[0]))), axis("‖x − x*‖²", log=True)],
        takeaway=f"η = 0 is EF21 ({float(mean[0]):.2g}); at η = δ EControl has {float(mean[4]):.2g}, SGD "
        f"{float(sgd):.2g}. At 3δ {gone} of {len(errors)} runs diverge.", height=430,
    )
    band = (errors[:, inner].amin(0), errors[:, inner].amax(0))
    add_line(fig, ratios[inner], mean[inner], "EControl", 0, band=band, legend=False)
    mark_y(fig, float(mean[0]), "EF21-SGD", i=LOOK["ef21"])
    mark_y(fig, float(sgd), "SGD", i=LOOK["sgd"])
    mark_x(fig, ec.critical_eta(found.delta) / found.delta, "critical")
    for k, gain in enumerate(ex.GAINS):
        curve = smooth(found.history.dist_sq[0, k])
        keep = curve < SHOWN_MOST
        if bool(keep.any()):
            at = middles(found.history.dist_sq[0, k])[keep]
            add_line(fig, at, curve[keep], f"η = {gain:g}δ", k, panel=1)
    return fig


def _scaling(found: ex.Scaling, title: str, takeaway: str, ideal: bool) -> Figure:
    fig = figure(title, axis("clients n", log=True), axis("noise error ‖x − x*‖²", log=True), takeaway=takeaway)
    for name, errors in found.errors.items():
        add_line(fig, found.clients, errors.mean(1), NAMES[name], LOOK[name], band=(errors.amin(1), errors.amax(1)))
    if ideal:
        base = float(found.errors["sgd"][0].mean()) * found.clients[0]
        add_line(fig, found.clients, [base / n for n in found.clients], "∝ 1/n", 7, mode="lines")
    return fig


def fig_speedup(settings: ec.Settings) -> Figure:
    """Noise error against n, Gaussian noise."""
    found = ex.speedup(settings)
    fall = {name: float(found.ratio(name, 4, 64).mean()) for name in found.errors}
    above = float((found.errors["ef21"] / found.errors["sgd"]).mean())
    return _scaling(
        found, "Gaussian noise: more clients, less error",
        f"From 4 to 64 clients EControl's error falls by a factor {fall['econtrol']:.1f}, SGD's by {fall['sgd']:.1f}, "
        f"EF21-SGD's by {fall['ef21']:.1f}; EF21-SGD's level is {above:.1f} times SGD's.", True)


def fig_skewed(settings: ec.Settings) -> Figure:
    """Noise error against n, skewed noise."""
    found = ex.skewed(settings)
    last = {name: float(errors[-1].mean()) for name, errors in found.errors.items()}
    return _scaling(
        found, "Noise that is not symmetric: EF21-SGD has a floor",
        f"At n = {found.clients[-1]} EF21-SGD is still at {last['ef21']:.1e}, EControl at {last['econtrol']:.1e} "
        f"(SGD {last['sgd']:.1e}).", True)


def fig_roots(delta: float, ratio: float) -> Figure:
    """Eigenvalues of the linear model in the complex plane as the gain grows; those at one gain are marked."""
    critical, largest = ec.critical_eta(delta), ec.largest_linear_eta(delta)
    etas = torch.cat([torch.logspace(-4, 0, 50, dtype=torch.float64) * largest, torch.tensor([critical * (1 + 1e-9)])])
    roots = torch.stack([ec.linear_model_roots(delta, float(eta)) for eta in etas.sort().values])
    now, angle = ec.linear_model_roots(delta, ratio * delta), np.linspace(0, 2 * math.pi, 60)
    radius = float(now.abs().max())
    kind = "oscillates" if float(now.imag.abs().max()) > 0 else "does not oscillate"
    fig = panels(
        f"The linear model, δ = {delta:.3g}", ["eigenvalues as η grows", "how fast (e, g − h) fades"],
        [axis("real part", range=(-1.15, 1.15)), RATIO],
        [axis("imaginary part", range=(-1.15, 1.15)), axis("largest modulus", range=(0, 1.3))],
        takeaway=f"At η = {ratio:.3g}δ the model {kind}; its slowest part shrinks to {radius:.4f} a round. Critical: "
        f"η = {critical / delta:.3g}δ; unstable only above {largest / delta:.3g}δ. Top-K breaks earlier.", height=440,
    )
    add_line(fig, np.cos(angle), np.sin(angle), "unit circle", 6, mode="lines", line={"width": 1})
    add_points(fig, roots.real.flatten(), roots.imag.flatten(), "all gains", 0, marker={"size": 4})
    add_points(fig, now.real, now.imag, "this gain", 1, marker={"size": 13})
    fig.update_yaxes(scaleanchor="x", scaleratio=1, row=1, col=1)
    shown = torch.logspace(-2.5, math.log10(2 * largest / delta), 50, dtype=torch.float64)
    moduli = [float(ec.linear_model_roots(delta, float(r) * delta).abs().max()) for r in shown]
    add_line(fig, shown, moduli, "largest modulus", 0, panel=1, legend=False, mode="lines")
    add_points(fig, [ratio], [radius], "this gain", 1, panel=1, legend=False, marker={"size": 13})
    mark_x(fig, critical / delta, "critical", panel=1)
    mark_y(fig, 1.0, "stable below", panel=1)
    return fig


def fig_images(found: ec.Images) -> Figure:
    """Test accuracy against rounds at each method's best step, and against the step."""
    shown = ("sgd", "ec", "ef21", "ef21sgdm", "econtrol", "too much")
    best = ", ".join(f"{NAMES[name]} {100 * found.accuracy(name):.1f} %" for name in shown)
    fig = panels(
        "Ten clients with one class of clothing each", ["at each method's best step", "after the last round"],
        [axis("round"), axis("step γ", log=True)], [axis("test accuracy", "%", range=(0, 92)), axis("", range=(0, 92))],
        takeaway=f"At the best step: {best}.", height=430,
    )
    for name in shown:
        run = found.runs[name]
        add_line(fig, run.rounds, 100 * run.accuracy[found.best(name)], NAMES[name], LOOK[name])
        add_line(fig, ec.IMAGE_GAMMAS, 100 * run.accuracy[:, -1], NAMES[name], LOOK[name], panel=1, legend=False)
    return fig


def fig_bits(found: ec.Images) -> Figure:
    """Test accuracy against what one client has sent."""
    ours, plain = found.runs["econtrol"], found.runs["sgd"]
    share = float(ours.bits[-1]) / float(plain.bits[-1])
    fig = figure(
        "The same runs against bits", axis("bits sent by a client", log=True), axis("test accuracy", "%"),
        takeaway=f"With values, places and the first whole gradient counted, EControl sends {100 * share:.1f} % of "
        "SGD's bits.",
    )
    for name in ("sgd", "ec", "ef21", "econtrol"):
        run = found.runs[name]
        keep = run.bits > 0
        add_line(fig, run.bits[keep], 100 * run.accuracy[found.best(name)][keep], NAMES[name], LOOK[name])
    return fig


def fig_wire(found: ec.Wire) -> Figure:
    """Simulator against real processes: iterates, and bits."""
    differences, sent = found.differences.clamp(min=EXACT), found.wire_bits
    fig = panels(
        "Two real processes take the simulator's steps", ["difference of the iterates", "sent by 8 clients"],
        [axis("round"), axis("", range=(-0.6, 2.6), ticks=range(3), labels=["counted", "real wire", "uncompressed"])],
        [axis("relative difference", log=True, range=(1e-19, 1e-11)),
         axis("Mbit", range=(0, 1.1e-6 * found.whole_bits))],
        takeaway=f"Largest relative difference {float(found.differences.max()):.0e} (drawn at {EXACT:.0e} where there "
        f"is none); {sent:,} bits on the wire, {found.counted_bits:,} counted, {found.whole_bits:,} uncompressed.",
    )
    add_line(fig, np.arange(len(differences)), differences, "real − simulated", 0, legend=False)
    for k, bits in enumerate((found.counted_bits, sent, found.whole_bits)):
        add_points(fig, [k], [bits / 1e6], "Mbit", k, panel=1, legend=False, marker={"size": 14})
    return fig


def fig_curves(found: ec.Own) -> Figure:
    """The explorer's picture: errors of all methods and the memories of two of them."""
    errors = {name: float(history.noise_error) for name, history in found.histories.items()}
    fig = panels(
        f"One problem, η = {found.eta:.3g} = {found.eta / found.delta:.3g}δ", ["error", "memory of a client"],
        [axis("round"), axis("round")], [axis("‖x − x*‖²", log=True), axis("mean ‖eᵢ‖", log=True)],
        takeaway="Last third: " + ", ".join(f"{NAMES[name]} {value:.2g}" for name, value in errors.items()) + ".",
        height=420,
    )
    for name, history in found.histories.items():
        rounds, curve = history.rounds[::EVERY], history.dist_sq[0, ::EVERY]
        keep = torch.isfinite(curve)
        add_line(fig, rounds[keep], curve[keep].clamp(min=1e-28), NAMES[name], LOOK[name])
        if history.e_norm is not None:
            norm = history.e_norm[0, ::EVERY]
            keep = keep & torch.isfinite(norm)
            add_line(fig, rounds[keep], norm[keep].clamp(min=1e-14), NAMES[name], LOOK[name], panel=1, legend=False)
    return fig


def fig_sweep(found: ec.Sweep) -> Figure:
    """The explorer's picture: final error against the gain."""
    mean, finite = found.econtrol.mean(0), torch.isfinite(found.econtrol).all(0)
    gone = int((~finite).sum())
    words = f"{gone} of {len(mean)} gains diverge for some seed" if gone else "no gain of these diverges"
    best = int(mean.where(finite, torch.tensor(math.inf, dtype=mean.dtype)).argmin())
    fig = figure(
        f"Error against the gain (δ = {found.delta:.3g})", RATIO, axis("‖x − x*‖², last third", log=True),
        takeaway=f"Best at η = {float(found.ratios[best]):.3g}δ; {words}.",
    )
    band = (found.econtrol[:, finite].amin(0), found.econtrol[:, finite].amax(0))
    if bool(finite.any()):
        add_line(fig, found.ratios[finite], mean[finite], "EControl", 0, band=band)
    for name, value in (("ef21", found.ef21), ("sgd", found.sgd)):
        if bool(torch.isfinite(value).all()):
            add_line(fig, found.ratios, value.mean().expand(len(mean)), NAMES[name], LOOK[name], mode="lines")
    mark_x(fig, ec.critical_eta(found.delta) / found.delta, "critical")
    return fig


def fig_table(table: results.Table | None) -> Figure:
    """Recorded sweep of gains and steps; an empty note where nothing was recorded."""
    if table is None:
        return figure("No recorded sweep",
                      takeaway="Record it with: gradscape record distributed/econtrol --table sweep")
    rows = list(table.rows())
    ratios, gammas = (sorted({row[name] for row in rows}) for name in ("eta_ratio", "gamma"))
    cells = {(row["eta_ratio"], row["gamma"]): row["median"] for row in rows}
    z = np.array([[cells[r, g] if cells[r, g] is not None else np.nan for r in ratios] for g in gammas])
    i, j = np.unravel_index(np.nanargmin(z), z.shape)
    fig = figure(
        "Gain and step together: median error of EControl", axis("gain η/δ"), axis("step γ"),
        takeaway=f"Empty: the median run diverges. Best of these: η = {ratios[j]:.2g}δ, γ = {gammas[i]:.2g}, error "
        f"{z[i, j]:.2g}. {table.caption}.", height=400,
    )
    fig.update_xaxes(type="category")
    fig.update_yaxes(type="category")
    heatmap(fig, [f"{r:.2g}" for r in ratios], [f"{g:.2g}" for g in gammas], z, "error", log=True, gaps=True)
    return fig


def fig_network(table: results.Table | None) -> Figure:
    """Recorded accuracies of a two-layer network."""
    if table is None:
        return figure("No recorded network",
                      takeaway="Record it with: gradscape record distributed/econtrol --table network")
    rows = list(table.rows())
    best = {name: max(row["accuracy"] for row in rows if row["method"] == name)
            for name in ("sgd", "ec", "ef21", "econtrol")}
    fig = figure(
        "A network with 64 hidden units on the same clients", axis("step γ", log=True), axis("test accuracy", "%"),
        takeaway="At the best step: " + ", ".join(f"{NAMES[name]} {100 * value:.1f} %" for name, value in best.items())
        + f". One run each. {table.caption}.",
    )
    for name in best:
        mine = sorted((row["gamma"], row["accuracy"]) for row in rows if row["method"] == name)
        add_line(fig, [g for g, _ in mine], [100 * a for _, a in mine], NAMES[name], LOOK[name])
    return fig
