"""Figures of the surrogate-NTK lesson: kernels and their divergence, regressions, ensembles, widths, digits."""
from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
from torch import Tensor

from gradscape.credit.surrogate_ntk import Model, Run, angles, target
from gradscape.credit.surrogate_ntk.circle import rms
from gradscape.credit.surrogate_ntk.digits import DigitsResult
from gradscape.credit.surrogate_ntk.ensembles import SingleScan, WidthScan
from gradscape.credit.surrogate_ntk.kernel_study import ONE, Diagonals, KernelStudy, Spikes
from gradscape.stats import powerlaw
from gradscape.workbench import add_band, add_line, add_points, axis, figure, mark_y, panels, style
from gradscape.workbench.figures import Axis

_QUARTERS = [-math.pi, -math.pi / 2, 0.0, math.pi / 2, math.pi]
NAMES = {"ntk": "NTK", "sg": "SG-NTK"}
KERNEL_TICKS = (0, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
BELOW = {"orientation": "h", "y": -0.2, "yanchor": "top"}


def width_axis(widths: Sequence[int]) -> Axis:
    """Widths on a log scale, marked where there are networks."""
    return axis("width n", log=True, ticks=widths, labels=[str(n) for n in widths])


def angle_axis(title: str = "angle t") -> Axis:
    """Angles from -π to π, marked in quarters."""
    return axis(title, "rad", range=(-math.pi, math.pi), ticks=_QUARTERS, labels=["−π", "−π/2", "0", "π/2", "π"])


def asinh_axis(title: str, low: float, high: float) -> Axis:
    """An axis for asinh of values: linear near 0, logarithmic far from it, labeled with the values themselves."""
    shown = [tick for tick in (*(-t for t in KERNEL_TICKS[:0:-1]), *KERNEL_TICKS) if low - 0.5 <= tick <= 1.5 * high]
    ends = (float(np.arcsinh(low)) - 0.15, float(np.arcsinh(high)) + 0.15)
    return axis(f"{title}, asinh scale", range=ends, ticks=np.arcsinh(shown).tolist(), labels=[f"{t:g}" for t in shown])


def _points(fig: go.Figure, n_train: int, panel: int = 0) -> None:
    t = angles(n_train)
    add_points(fig, t, target(t), "training points", 7, panel=panel, legend=panel == 0)


def fig_kernels(study: KernelStudy) -> go.Figure:
    """Kernels over the angle between two inputs: the limit, networks of the least and of the largest width, trained."""
    name, R = NAMES[study.kind], study.curves.shape[3]
    bands = [(0, 0, f"n = {study.widths[0]}"), (0, -1, f"n = {study.widths[-1]}"),
             (1, -1, f"n = {study.widths[-1]}, after {study.steps} steps")]
    wide, off = study.curves[:, :, -1], [_list(row[:, -1].tolist()) for row in study.errors]
    low, high = min(float(study.theory.min()), float(wide.min())), max(float(study.theory.max()), float(wide.max()))
    fig = panels(
        f"{name} of networks of erf(m z), one hidden layer", [f"m = {m:g}" for m in study.m],
        [angle_axis("angle between inputs")] * 3, [asinh_axis("Θ(t, 0)", low, high)] * 3, height=430,
        takeaway=f"Bands span {R} networks and close around the limit as n grows. Wide ones are off by {off[0]} before "
                 f"and {off[1]} after training, relative to the limit. At 0 the limit is "
                 f"{_values(study.theory, study.t)} for m = {_list(study.m)}"
                 + (": it does not settle." if study.kind == "ntk" else f"; sign networks have {_sign_value():.3g}."),
    )
    for i in range(len(study.m)):
        for j, (time, width, label) in enumerate(bands):
            values = np.arcsinh(study.curves[time, i, width].double().numpy())
            add_band(fig, study.t, values.min(0), values.max(0), label, j, panel=i, opacity=0.25 + 0.1 * j)
            fig.data[-1].showlegend = i == 0
        add_line(fig, study.t, np.arcsinh(study.theory[i].numpy()), "limit n → ∞", 7, panel=i, legend=i == 0,
                 mode="lines", line={"dash": "dot", "width": 2.5})
        if study.kind == "sg" and i == len(study.m) - 1:
            sign = Model().between(study.t, ONE)[1][:, 0]
            add_line(fig, study.t, np.arcsinh(sign.numpy()), "limit of sign networks", 5, panel=i, mode="lines",
                     line={"width": 1.2})
    fig.update_layout(legend=BELOW, margin={"b": 90})
    return fig


def _values(theory: Tensor, t: Tensor) -> str:
    return _list([float(row[int(t.abs().argmin())]) for row in theory])


def _list(values: Sequence[float]) -> str:
    return ", ".join(f"{value:g}" if value == int(value) else f"{value:.3g}" for value in values)


def _sign_value() -> float:
    return float(Model().between(ONE, ONE)[1])


def fig_convergence(study: KernelStudy) -> go.Figure:
    """Relative error of empirical kernels over the width."""
    first, last = float(study.errors[0, 0, 0]), float(study.errors[0, 0, -1])
    moved = float((study.errors[1] - study.errors[0]).abs()[:, -1].max())
    fig = figure(
        f"How far the {NAMES[study.kind]} of finite networks is from its limit", width_axis(study.widths),
        axis("relative RMS over pairs of angles", log=True),
        takeaway=f"At m = 2 it falls from {first:.2f} at n = {study.widths[0]} to {last:.3f} at n = "
                 f"{study.widths[-1]}. Steeper activations need more units. Training for {study.steps} steps changes "
                 f"the error at the largest width by at most {moved:.3f}.",
    )
    for i, m in enumerate(study.m):
        add_line(fig, study.widths, study.errors[0, i], f"m = {m:g}, before training", i)
        add_points(fig, study.widths, study.errors[1, i], f"m = {m:g}, after", i,
                   marker={"size": 13, "symbol": f"{style(i)['symbol']}-open"})
    n = np.array([study.widths[0], study.widths[-1]], dtype=float)
    add_line(fig, n, first * np.sqrt(n[0] / n), "n^(−1/2)", 6, mode="lines")
    return fig


def fig_diagonals(found: Diagonals) -> go.Figure:
    """The kernel of an input with itself, over the steepness of the activation."""
    fig = figure(
        "An input with itself: the kernel as erf(m z) becomes a sign", axis("steepness m", log=True),
        axis("Θ(x, x) on the unit circle", log=True),
        takeaway="The NTK grows like m, m² and m³ with one, two and three hidden layers. The SG-NTK settles: its limit "
                 f"is {_list(found.sign.tolist())}.",
    )
    for i, depth in enumerate(found.depths):
        add_line(fig, found.m, found.ntk[i], f"NTK, L = {depth}", i)
    for i, depth in enumerate(found.depths):
        add_line(fig, found.m, found.sg[i], f"SG-NTK, L = {depth}", i + 3)
    return fig


def fig_spikes(found: Spikes) -> go.Figure:
    """Converged regressions with both kernels of erf_m, for growing m."""
    n_train = found.sign.G.shape[1]
    fig = panels(
        "What the two kernels predict between training points", ["NTK of erf(m z)", "SG-NTK of erf(m z), k = 1"],
        [angle_axis()] * 2, [axis("prediction", range=(-1.9, 1.9))] * 2, height=430,
        takeaway=f"Halfway between training points the NTK's regression has an RMS of {_list(found.ntk_rms.tolist())} "
                 f"at m = {_list(found.m)}: spikes on zero. The SG-NTK keeps {_list(found.sg_rms.tolist())}, and "
                 f"{found.sign_rms:.3g} for sign networks.",
    )
    for panel, row in enumerate((found.ntk, found.sg)):
        t = found.sign.t
        add_line(fig, t, target(t), "target", 6, panel=panel, legend=panel == 0, mode="lines", line={"width": 1.2})
        for i, (m, each) in enumerate(zip(found.m, row, strict=True)):
            if panel == 1 and 0 < i < len(row) - 1:
                continue  # between two curves that hardly differ
            add_line(fig, each.t, each.mean, f"m = {m:g}", i, panel=panel, legend=panel == 0, mode="lines")
        _points(fig, n_train, panel)
    fig.update_layout(legend=BELOW, margin={"b": 90})
    return fig


def fig_ensembles(runs: Sequence[Run]) -> go.Figure:
    """Ensemble means of sign networks for several surrogates, with the kernel's mean and band, and the NNGP's."""
    first = runs[0]
    fig = panels(
        f"Sign networks of width {first.width}, {len(first.f_T)} of each, after {first.steps} steps of SGL",
        [f"trained with k = {run.model.k:g}" for run in runs], [angle_axis()] * len(runs),
        [axis("output", range=(-2.2, 2.2))] * len(runs), height=430,
        takeaway="Networks against SG-NTK (NNGP), RMS: " + "; ".join(
            f"k = {run.model.k:g}, {run.distance():.3f} ({_nngp_distance(run):.3f})" for run in runs)
        + ". The shaded band is the predicted standard deviation.",
    )
    for panel, run in enumerate(runs):
        said, legend = run.prediction(), panel == 0
        t, mean, sd, found, other = (curve[::2] for curve in (
            run.t, said.mean, said.sd, run.control_variate(), run.prediction(_nngp(run)).mean))
        add_line(fig, t, mean, "SG-NTK mean ± sd", 0, panel=panel, legend=legend, mode="lines",
                 band=(mean - sd, mean + sd))
        add_line(fig, t, found, "networks, mean", 1, panel=panel, legend=legend, mode="lines")
        add_line(fig, t, other, "NNGP regression", 2, panel=panel, legend=legend, mode="lines")
        _points(fig, run.n_train, panel)
    fig.update_layout(legend=BELOW, margin={"b": 90})
    return fig


def _nngp(run: Run) -> Model:
    return Model(run.model.depth, run.model.k, "sign", run.model.sw2, run.model.sb2, kind="nngp")


def _nngp_distance(run: Run) -> float:
    return run.distance(_nngp(run))


def fig_widths(scan: WidthScan) -> go.Figure:
    """Agreement with the SG-NTK over the width, with and without the control variate, and the noise of the means."""
    ends = scan.reduced[0, 0] / scan.reduced[0, -1]
    reduced, raw = scan.noise[0, -1].tolist()
    deeper = "" if len(scan.depths) == 1 else f" At n = {scan.widths[-1]} it is " + ", ".join(
        f"{row[-1]:.3f} with L = {depth}" for depth, row in zip(scan.depths, scan.reduced, strict=True)) + "."
    fig = figure(
        f"Means of {scan.networks} networks against SG-NTK regression, k = {scan.k:g}", width_axis(scan.widths),
        axis("RMS over test angles", log=True),
        takeaway=f"With one hidden layer the distance falls by a factor of {ends:.1f} from n = {scan.widths[0]} to "
                 f"{scan.widths[-1]}.{deeper} Part of it is noise: there the standard error of the mean is "
                 f"{reduced:.3f}, {raw:.3f} without control variate.",
    )
    for i, depth in enumerate(scan.depths):
        add_line(fig, scan.widths, scan.reduced[i], f"control variate, L = {depth}", i)
        add_points(fig, scan.widths, scan.raw[i], f"raw mean, L = {depth}", i + 3)
    for i, name in enumerate(("control variate", "raw mean")):
        add_line(fig, scan.widths, scan.noise[0, :, i], f"noise of the {name}, L = 1", 6 + i, mode="lines",
                 line={"width": 1.2})
    return fig


def fig_spread(run: Run) -> go.Figure:
    """Standard deviation over networks on half of the circle, measured and predicted."""
    said, found = run.prediction(), run.f_T.std(0)
    half, t = run.t >= 0, angles(run.n_train)
    fig = figure(
        f"The spread of {len(run.f_T)} networks of width {run.width}, {run.n_train} training angles",
        axis("angle t", "rad", ticks=_QUARTERS[2:], labels=["0", "π/2", "π"]),
        axis("standard deviation", range=(-0.02, 1.15 * float(max(found.max(), said.sd.max())))),
        takeaway=f"Half of the circle is shown. Over all of it the mean is {float(found.mean()):.3f}, predicted "
                 f"{float(said.sd.mean()):.3f}. The predicted spread is small at training points and larger between "
                 "them.",
    )
    add_line(fig, run.t[half], said.sd[half], "predicted", 0, mode="lines")
    add_line(fig, run.t[half], found[half], "networks", 1, mode="lines")
    add_points(fig, t[t >= 0], 0 * t[t >= 0], "training angles", 7)
    return fig


def fig_single(scan: SingleScan) -> go.Figure:
    """Single networks against their own predictions, over the width."""
    power = powerlaw.fit(scan.widths, scan.distance.numpy())
    n = np.array(scan.widths, dtype=float)
    fig = figure(
        "One sign network at a time: distance to its own prediction", width_axis(scan.widths),
        axis("RMS over angles and networks", log=True),
        takeaway=f"It falls like n^({power.exponents[0]:.2f}), fitted; n^(−1/2) is drawn beside it. A unit flips or it "
                 "does not: at finite width the output jumps where the theory moves smoothly.",
    )
    add_points(fig, n, scan.distance, f"{scan.networks} networks each", 0)
    add_line(fig, n, power(n), "fitted power", 0, mode="lines")
    add_line(fig, n, float(scan.distance[0]) * (n / n[0]) ** -0.5, "n^(−1/2)", 6, mode="lines")
    add_line(fig, n, float(scan.distance[0]) * (n / n[0]) ** -0.25, "n^(−1/4)", 2, mode="lines")
    return fig


def fig_digits(found: DigitsResult) -> go.Figure:
    """Test accuracy on digits over the width: single networks, ensembles, and the kernel."""
    R = found.single.shape[1]
    fig = figure(
        f"Handwritten digits, {found.points} training images, one hidden layer of sign units", width_axis(found.widths),
        axis("test accuracy", range=(0, 1.02)),
        takeaway=f"SG-NTK regression: {found.kernel:.1%}. Single networks have {_accuracies(found.single.mean(1))} "
                 f"at n = {_list(found.widths)}, means of {R} of them {_accuracies(found.ensemble)}. With the random "
                 f"start left in the output, single ones have {_accuracies(found.start.mean(1))}.",
    )
    for i, (values, label) in enumerate((
        (found.ensemble, f"mean of {R} networks"), (found.single.mean(1), "single networks"),
        (found.start.mean(1), "single, start left in"),
    )):
        add_line(fig, found.widths, values, label, i)
    mark_y(fig, found.kernel, "SG-NTK")
    return fig


def _accuracies(values: Tensor) -> str:
    return ", ".join(f"{float(value):.2f}" for value in values)


def fig_run(run: Run) -> go.Figure:
    """One ensemble: its networks, its mean, the kernel's mean and band."""
    said = run.prediction()
    fig = figure(
        f"{len(run.f_T)} sign networks, L = {run.model.depth}, n = {run.width}, k = {run.model.k:.3g}, "
        f"{run.steps} steps",
        angle_axis(), axis("output"),
        takeaway=f"Mean against SG-NTK: RMS {run.distance():.3f} with control variate, {run.raw_distance:.3f} raw; a "
                 f"single network {run.single_distance:.3f}. Spread {float(run.f_T.std(0).mean()):.3f}, predicted "
                 f"{float(said.sd.mean()):.3f}. Test error of the mean {rms(run.f_T.mean(0) - target(run.t)):.3f}.",
    )
    t, mean, sd, found = (curve[::3] for curve in (run.t, said.mean, said.sd, run.control_variate()))
    add_line(fig, t, run.f_T[0, ::3], "one of the networks", 6, mode="lines", line={"width": 0.8})
    add_line(fig, t, mean, "SG-NTK mean ± sd", 0, mode="lines", band=(mean - sd, mean + sd))
    add_line(fig, t, found, "networks, mean", 1, mode="lines")
    add_line(fig, t, target(t), "target", 2, mode="lines", line={"width": 1.2})
    _points(fig, run.n_train)
    return fig
