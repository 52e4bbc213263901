"""What a reader touches: figures say what was measured, explorers survive their ends."""
from __future__ import annotations

import math

import pytest
import torch
from gradscape import results
from gradscape.distributed import econtrol as ec
from gradscape.distributed.econtrol import experiments as ex
from gradscape.distributed.wire import WireLog
from gradscape.lessons.distributed import econtrol as view
from gradscape.lessons.distributed.econtrol import figures
from gradscape.workbench import describe
from gradscape.workbench.checking import assert_drawn

torch.set_num_threads(1)
SMOKE = ec.Settings(profile="smoke", sizes="rounds:60,image_rounds:4")


def a_sweep() -> results.Table:
    columns = {"eta_ratio": [0.1, 0.1, 1.0, 1.0], "gamma": [0.001, 0.01] * 2, "median": [0.3, 0.2, 0.1, None],
               "finite": [1.0, 1.0, 1.0, 0.0]}
    return results.make("distributed/econtrol", "sweep", columns, SMOKE)


def a_network() -> results.Table:
    names = ("sgd", "ec", "ef21", "econtrol")
    columns = {"method": [name for name in names for _ in range(2)], "gamma": [0.1, 0.2] * 4,
               "accuracy": [0.7, 0.75] * 4, "loss": [0.5] * 8}
    return results.make("distributed/econtrol", "network", columns, SMOKE)


def a_wire() -> ec.Wire:
    path = torch.ones(4, 3, dtype=torch.float64)
    return ec.Wire(path, WireLog(path * (1 + 1e-15), 90, 10, 5), 100, 800)


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("clean", lambda: view.fig_clean(SMOKE)),
        ("noisy", lambda: view.fig_noisy(SMOKE)),
        ("memory", lambda: view.fig_errors_kept(SMOKE)),
        ("gains", lambda: view.fig_gains(SMOKE)),
        ("speedup", lambda: view.fig_speedup(SMOKE)),
        ("skewed", lambda: view.fig_skewed(SMOKE)),
        ("roots", lambda: view.fig_roots(0.1, 1.0)),
        ("all kept", lambda: view.fig_roots(1.0, 5.0)),
        ("images", lambda: view.fig_images(ec.images(SMOKE))),
        ("bits", lambda: view.fig_bits(ec.images(SMOKE))),
        ("curves", lambda: view.fig_curves(ec.own(SMOKE))),
        ("sweep", lambda: view.fig_sweep(ec.own_sweep(SMOKE))),
        ("table", lambda: view.fig_table(a_sweep())),
        ("network", lambda: view.fig_network(a_network())),
        ("wire", lambda: view.fig_wire(a_wire())),
    ],
)
def test_figure_has_words_and_data(name, make):
    fig = make()
    assert len(describe(fig)) > 60
    for trace in fig.data:
        assert len(trace.x) > 0, (name, trace.name)


def test_what_was_not_recorded_says_how_to_record_it():
    assert "--table sweep" in describe(view.fig_table(None))
    assert "--table network" in describe(view.fig_network(None))


def test_the_sweep_names_its_best_cell_and_leaves_diverged_ones_empty():
    fig = view.fig_table(a_sweep())
    assert "η = 1δ, γ = 0.001" in describe(fig)
    assert math.isnan(fig.data[0].z[1][1])


def test_smoothing_is_a_mean_over_windows():
    curve = torch.arange(2.0 * figures.WINDOW)
    assert figures.smooth(curve).tolist() == [(figures.WINDOW - 1) / 2, (3 * figures.WINDOW - 1) / 2]
    assert figures.middles(curve).tolist() == [0.5 * figures.WINDOW, 1.5 * figures.WINDOW]
    assert torch.equal(figures.smooth(curve[:7]), curve[:7])
    assert figures.middles(curve[:7]).tolist() == list(range(7))


def test_a_diverging_sweep_is_still_drawn():
    lost = ec.Sweep(0.1, torch.tensor([0.1, 1.0]), torch.tensor([[0.5, math.inf]]), torch.tensor([0.1]),
                    torch.tensor([math.inf]))
    fig = view.fig_sweep(lost)
    assert "1 of 2 gains diverge" in describe(fig)


@pytest.mark.parametrize("name", ["curves", "roots"])
def test_explorers_visit_all_their_ends_and_presets(name):
    explorer = view.EXPLORERS[name](SMOKE)
    explorer.check()
    assert_drawn(explorer.figure)
    assert explorer.command.startswith("gradscape run distributed/econtrol -p profile=smoke")


def test_the_sweep_explorer_runs_and_can_be_cancelled():
    explorer = view.explorer_sweep(SMOKE)
    assert explorer.result is ec.own_sweep(SMOKE)
    explorer.set(kept=0.2)
    explorer.run(wait=True)
    assert explorer.status["kind"] == "ok"
    assert explorer.result.delta == pytest.approx(0.2)
    explorer.set(n=64)
    explorer.run()
    explorer.cancel()
    explorer.wait(60)
    assert "cancelled" in explorer.status["text"] or explorer.status["kind"] == "ok"


def test_every_method_has_a_name_and_a_look():
    drawn = {*ex.TUNED, "csgd", "ecideal", "too much"}
    assert drawn <= set(figures.NAMES)
    assert drawn <= set(figures.LOOK)
