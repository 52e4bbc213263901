"""What a reader touches of the concentration lesson: experiments at small sizes, figures, explorers, and the claims."""
from __future__ import annotations

import math

import pytest
import torch
from gradscape.diffusion import concentration as co
from gradscape.diffusion.concentration import experiments as ex
from gradscape.diffusion.concentration import tables
from gradscape.diffusion.concentration.images import SCALE
from gradscape.lesson import judge
from gradscape.lessons.diffusion import concentration as view
from gradscape.results import Table

from tests.figures import assert_words_and_data

SMOKE = co.Settings(profile="smoke", n=40)
LABELS = view.names("7x7", "0 2 4 6")


def draws(seed=0):
    return torch.Generator().manual_seed(seed)


# ---- images and generators -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("features", "classes", "shape"),
    [("7x7", "0 2 4 6", (4, 1000, 49)), ("14x14", "0 6", (2, 1000, 196)), ("digits", "all ten", (10, 140, 64))],
)
def test_images_are_centered_and_scaled_together(features, classes, shape):
    found = co.images(features, classes)
    assert found.train.shape == shape
    assert found.test.shape[0] == shape[0]
    assert float(found.train.mean((0, 1)).abs().max()) < 1e-5
    assert float(found.train.std()) == pytest.approx(SCALE, rel=1e-4)
    pixels = found.pixels(found.all)
    assert -1e-5 < float(pixels.min()) < float(pixels.max()) < 1 + 1e-5


def test_generator_hangs_on_its_plan_only():
    plan = co.plan_of(SMOKE)
    assert plan == co.plan_of(SMOKE.replace(lam=0.5, nu=7.0, sampler_steps=9))
    assert plan == co.protocol_plan(SMOKE.replace(features="digits"))
    assert co.plan_of(SMOKE.replace(train_steps=30)).steps == 30
    a = co.generated(plan, 5)
    assert a.shape == (4, 5, 49)
    assert torch.equal(a, co.generated(plan, 5))
    assert not torch.allclose(a, co.generated(plan, 5, churn=20.0))


# ---- experiments -----------------------------------------------------------------------------------------------------


def test_errors_leave_out_what_has_no_test_samples():
    X = torch.randn(2, 130, 3, generator=draws()) + 4 * torch.tensor([1.0, -1.0])[:, None, None]
    found = ex.errors(ex.shuffled(X, draws(1)), [20, 70, 100], [1e-2, 0.1], 3, 60)
    assert found.shape == (2, 3, 3)
    assert bool((found[:, :2] == 0).all())  # classes eight standard deviations apart
    assert bool(found[:, 2].isnan().all())


def test_shuffling_keeps_the_samples():
    X = torch.arange(12.0).view(2, 6, 1)
    again = ex.shuffled(X, draws())()
    assert not torch.equal(again, X)
    assert torch.equal(again.sort(1).values, X)


def test_a_mixture_in_place_of_the_images_agrees_with_the_prediction():
    mu = 0.4 * torch.randn(3, 20, generator=draws(), dtype=torch.float64)
    C = torch.eye(20, dtype=torch.float64).expand(3, 20, 20)
    X = co.sample_gmm(mu, C, 20_000, draws(1))
    simulated = ex.errors(ex.mixture(X, 1040, draws(2)), [40], [0.01], 10, 1000)[0, 0]
    predicted = co.predict_error(*co.class_moments(X), 40, 0.01, 20_000, draws(3)).error
    assert abs(float(simulated.mean()) - predicted) < 0.012


def test_universality_excludes_interpolation_only():
    found = co.Universality(200, 4, (30, 50, 500), (1e-3, 1e-2), *[torch.zeros(2, 3, 1)] * 4, torch.zeros(2, 3))
    assert found.interpolates.tolist() == [[False, True, False], [False, False, False]]


def test_functions_have_the_samples_they_come_from():
    plan = co.plan_of(SMOKE)
    found, X = ex.functions_of(plan, 60, 40, 2), co.generated(plan, 60)[:, :40]
    torch.testing.assert_close(found.values["norm"], X.norm(dim=2))
    assert found.stretch.shape == (4, 2)
    tops = torch.linalg.eigvalsh(co.class_moments(X)[1])[:, -1].sqrt()
    first = found.values["principal direction 1"].std(1).double()
    torch.testing.assert_close(first, tops, rtol=1e-4, atol=1e-5)
    assert bool((found.values["distance to the nearest point"] <= found.values["distance to a fixed point"]).all())
    share = found.shares["norm"]
    torch.testing.assert_close(share, found.values["norm"].std(1) / found.stretch.amax(1))


def test_share_of_far_norms_is_counted():
    norm = torch.cat([torch.zeros(99), torch.tensor([100.0])])[None]
    assert ex.Functions({"norm": norm}, torch.ones(1, 1)).norm_tail.tolist() == [0.01]


def test_spectra_of_known_covariances():
    X = co.sample_gmm(torch.zeros(2, 3).double(), torch.diag(torch.tensor([4.0, 1.0, 0.25])).double().expand(2, 3, 3),
                      100_000, draws())
    made, real = ex.spectra_of(X, X * torch.tensor([1.0, 1.0, 0.0])).conditions
    torch.testing.assert_close(made, torch.full((2,), 16.0).double(), rtol=0.05, atol=0)
    assert bool((real > 1e12).all())


def test_other_classifiers_separate_what_is_separate():
    X = torch.randn(2, 60, 3, generator=draws()) + 4 * torch.tensor([1.0, -1.0])[:, None, None]
    assert ex.other_errors(X[:, :30], X[:, 30:]) == {
        "linear": 0.0, "5 nearest neighbors": 0.0, "RBF support vectors": 0.0}


def test_heavier_data_have_heavier_fresh_tails():
    heavy, light = co.tails(SMOKE, co.HEAVY)[0], co.tails(SMOKE, co.LIGHT)[0]
    assert heavy.fresh_report.q_ratio > 2 * light.fresh_report.q_ratio
    assert heavy.q_share == heavy.made_report.q_ratio / heavy.fresh_report.q_ratio
    assert heavy.hill_share == heavy.made_report.hill / heavy.fresh_report.hill
    assert len(heavy.made) == len(heavy.fresh) == SMOKE.size.tail_n


# ---- figures and explorers -------------------------------------------------------------------------------------------


TABLE = {"variant": ["a", "a", "b"], "diffusion": [0.31, 0.3, 0.2], "mixture": [0.3, 0.3, 0.25],
         "predicted": [0.3, 0.32, 0.24]}


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("norms", lambda: view.fig_norms(co.functions(SMOKE), LABELS)),
        ("functions", lambda: view.fig_functions(co.functions(SMOKE))),
        ("stretch", lambda: view.fig_stretch(co.stretch_by_steps(SMOKE))),
        ("tails", lambda: view.fig_tails(co.tails(SMOKE, co.HEAVY)[0], co.tails(SMOKE, co.LIGHT)[0])),
        ("errors", lambda: view.fig_errors(co.universality(SMOKE), co.predicted_curves(SMOKE))),
        ("kinds", lambda: view.fig_kinds(co.nonlinear(SMOKE))),
        ("spectra", lambda: view.fig_spectra(co.spectra(SMOKE))),
        ("recorded", lambda: view.fig_recorded(
            Table(lesson="diffusion/concentration", table="universality", columns=TABLE, settings={}, code="0",
                  date="2026-01-01", versions={}))),
        ("not recorded", lambda: view.fig_recorded(None)),
        ("tail", lambda: view.fig_tail(co.own_tail(SMOKE))),
        ("own errors", lambda: view.fig_own_errors(co.own_errors(SMOKE))),
        ("sampler", lambda: view.fig_sampler(co.own_sampler(SMOKE))),
        ("retrained", lambda: view.fig_retrained(co.retrained(SMOKE))),
    ],
)
def test_figure_has_words_and_data(name, make):
    assert_words_and_data(make(), name)


def test_recorded_figure_shows_the_largest_differences():
    fig = view.fig_recorded(Table(lesson="diffusion/concentration", table="universality", columns=TABLE, settings={},
                                  code="0", date="2026-01-01", versions={}))
    assert list(fig.data[0].y) == pytest.approx([0.01, 0.05])
    assert list(fig.data[1].y) == pytest.approx([0.02, 0.01])


def test_sheet_of_images_has_a_row_per_class_and_kind():
    plan = co.plan_of(SMOKE)
    fig = view.fig_samples(plan.images, co.generated(plan, 12), plan.features, plan.classes)
    assert fig.data[0].meta["count"] == 8 * 12
    assert fig.data[0].meta["rows"][:2] == ["T-shirt, real", "T-shirt, generated"]


@pytest.mark.parametrize("name", ["function", "errors", pytest.param("sampler", marks=pytest.mark.standard)])
def test_explorers_answer_everywhere(name):
    explorer = view.EXPLORERS[name](SMOKE)
    explorer.check()


def test_too_small_a_bound_is_broken():
    explorer = view.explorer_function(SMOKE)
    assert "The bound holds" in explorer.figure.layout.title.text
    explorer.set(bound=0.5, function="principal direction 1")
    assert "The bound is broken" in explorer.figure.layout.title.text
    explorer.set(bound=100.0)
    assert "bound" in explorer.errors["bound"]


def test_more_than_the_pool_is_refused():
    small = SMOKE.replace(sizes="pool:120", n=60)
    with pytest.raises(ValueError, match="n=60: with 100 test samples"):
        co.own_errors(small)
    with pytest.raises(ValueError, match="n=60"):
        co.universality(SMOKE.replace(sizes="pool:120"))


def test_tails_explorer_trains_on_other_data():
    explorer = view.explorer_tails(SMOKE)
    explorer.set(nu=30.0)
    explorer.run(wait=True)
    assert explorer.status["kind"] == "ok"
    assert explorer.result.nu == 30.0
    assert "nu=30" in explorer.command


def test_retrain_explorer_trains_for_longer():
    explorer = view.explorer_retrain(SMOKE)
    explorer.set(train_steps=80, classes="0 6")
    explorer.run(wait=True)
    assert explorer.status["kind"] == "ok"
    assert len(explorer.result.losses) == 80
    assert len(explorer.result.X) == 2


def test_point_reads_the_settings_own_experiment():
    values = co.point(SMOKE).scalars
    assert all(math.isfinite(value) for value in values.values())
    assert values["norm_sd"] < 2 * values["stretch"]
    other = co.point(SMOKE.replace(lam=1.0)).scalars
    assert other["stretch"] == values["stretch"]
    assert other["error_predicted"] != values["error_predicted"]


@pytest.mark.standard
def test_tables_have_a_row_per_cell(monkeypatch):
    monkeypatch.setattr(tables, "EPOCHS", 2)
    monkeypatch.setattr(tables, "CHURN_STEPS", 12)
    table = tables.universality_table(SMOKE)
    rows = table.rows()
    assert {row["variant"] for row in rows} == set(tables.variants(SMOKE))
    assert all(0 <= row[name] <= 1 for row in rows for name in ("diffusion", "mixture", "predicted"))


@pytest.mark.standard
def test_every_claim_at_quick_sizes():
    settings = co.Settings()
    measured = co.measure(settings)
    words = {claim.id: judge(claim, measured[claim.id]).word for claim in co.CLAIMS}
    assert words == {
        "C1": "reproduced", "C2": "reproduced", "C3": "holds", "C4": "reproduced", "C5": "holds", "C6": "holds",
        "C7": "reported",
    }
