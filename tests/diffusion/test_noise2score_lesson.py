"""What a reader sees of Noise2Score: figures, explorers, the point of a sweep, and every verdict at quick sizes."""
from __future__ import annotations

import math

import numpy as np
import pytest
from gradscape.diffusion import noise2score as n2s
from gradscape.lesson import Ledger, judge
from gradscape.lessons.diffusion import noise2score as view

from tests.figures import assert_words_and_data

SMOKE = n2s.Settings(profile="smoke")


@pytest.mark.standard
def test_every_figure_has_words_and_data():
    found = n2s.comparison(SMOKE)
    made = {
        "methods": view.fig_methods(found), "texture": view.fig_texture(found),
        "schedules": view.fig_schedules(n2s.schedules(SMOKE)), "blind": view.fig_blind(n2s.blind(SMOKE, "gaussian")),
        "noises": view.fig_noises([n2s.other_noise(SMOKE, noise) for noise in ("poisson", "gamma")]),
        "rules": view.fig_rules([n2s.blind(SMOKE, "poisson", rule) for rule in ("tv", "official")]),
    }
    for name, fig in made.items():
        assert_words_and_data(fig, name)
    assert len(view.fig_images(found).data) == 1


@pytest.mark.parametrize(("noise", "parameter"), [("gaussian", 0.1), ("poisson", 0.3), ("gamma", 4.0)])
def test_line_figure_says_which_mean_is_met(noise, parameter):
    made = n2s.line_curves(n2s.Line(np.array([0.2, 0.5, 0.9]), np.ones(3), noise, parameter))
    fig = view.fig_line(made)
    assert_words_and_data(fig, noise)
    mean = {"gaussian": "arithmetic", "poisson": "geometric", "gamma": "harmonic"}[noise]
    assert f"the {mean} posterior mean" in fig.layout.title.text
    np.testing.assert_allclose(made.estimate, made.means[mean], rtol=0.11 if noise == "poisson" else 1e-8)


def test_line_explorer():
    explorer = view.explorer_line(SMOKE)
    for title in explorer.presets:
        explorer.preset(title)
        assert explorer.status["kind"] == "ok", explorer.status
    explorer.set(noise="gamma", k=2.0, x1=0.05)
    assert explorer.status["kind"] == "ok"
    explorer.set(sigma=5.0)
    assert "sigma" in explorer.errors


@pytest.mark.standard
def test_sweep_explorer_reads_one_score_map():
    explorer = view.explorer_sweep(SMOKE)
    explorer.set(factor=2.0)
    look = explorer.result
    assert look.theta == pytest.approx(2 * 25 / 255)
    curves = look.curves
    assert float((look.image - curves.noisy - look.theta**2 * curves.score).abs().max()) < 1e-5
    explorer.set(kind="gamma", crop="gravel")
    assert explorer.result.theta == pytest.approx(100.0)
    assert explorer.status["kind"] == "ok"


def test_training_explorer_trains_on_another_noise():
    explorer = view.explorer_training(SMOKE.replace(steps=60))
    before = explorer.result
    explorer.set(noise="gamma", k=10.0)
    explorer.run(wait=True)
    assert explorer.status["kind"] == "ok", explorer.status
    assert explorer.result.noise == "gamma"
    assert explorer.result.looks == [50, 60]
    assert explorer.result.noisy != before.noisy
    assert "noise=gamma" in explorer.command


def test_point_follows_the_settings():
    base = SMOKE.replace(steps=60)
    values = n2s.point(base).scalars
    assert values["gain"] == pytest.approx(values["psnr"] - values["psnr_noisy"])
    assert n2s.point(base.replace(k=9.0)).scalars == values  # a Gamma parameter does not touch Gaussian noise
    assert n2s.point(base.replace(sigma=0.2)).scalars["psnr_noisy"] < values["psnr_noisy"] - 4
    assert all(math.isfinite(value) for value in n2s.point(base.replace(noise="poisson", zeta=0.5)).scalars.values())


@pytest.mark.standard
def test_smoke_ledger_measures_every_claim():
    rows = Ledger(n2s, SMOKE).rows
    assert [row.claim.id for row in rows] == [claim.id for claim in n2s.CLAIMS]
    assert {row.verdict.word for row in rows} == {"not tested at this scale"}


@pytest.mark.standard
def test_every_claim_at_quick_sizes():
    settings = n2s.Settings()
    words = {claim.id: judge(claim, n2s.MEASURES[claim.id](settings)).word for claim in n2s.CLAIMS}
    assert words == {
        "S1": "reproduced", "S2": "reproduced", "S3": "reproduced", "S4": "reproduced", "S5": "reproduced",
        "S6a": "reproduced", "S6b": "not tested at this scale", "S7": "reproduced", "S8": "reported",
    }
