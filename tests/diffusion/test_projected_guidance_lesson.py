"""What a reader sees of projected guidance: figures, explorers at their ends, checkers on right and wrong."""
from __future__ import annotations

import numpy as np
import pytest
from gradscape.diffusion import projected_guidance as pg
from gradscape.lessons.diffusion import projected_guidance as view
from gradscape.lessons.diffusion.projected_guidance.exercises import SCALE_3
from gradscape.workbench import describe

SMOKE = pg.Settings(profile="smoke", sizes="patch_seeds:2,train_steps:12")


@pytest.fixture(scope="module")
def figures():
    patches, garments = pg.experiment_patches(SMOKE), pg.experiment_garments(SMOKE)
    one, other = pg.compare_patches(SMOKE), pg.compare_garments(SMOKE)
    return [
        view.fig_parts(patches), view.fig_burn(patches), view.fig_patches(one), view.fig_norms(one),
        view.fig_momentum(),
        view.fig_garments(garments), view.fig_scales(garments), view.fig_garment_images(other),
        view.fig_cost(pg.experiment_cost(SMOKE)), view.fig_patch_explorer(one), view.fig_trained(other),
    ]


def test_every_figure_has_a_title_words_and_finite_data(figures):
    for fig in figures:
        assert fig.layout.title.text
        assert len(describe(fig)) > 40
        for trace in fig.data:
            if trace.type != "image":
                assert np.isfinite(np.asarray(trace.y, dtype=float)).all()


def test_scales_show_a_recorded_table_beside_this_run():
    table = pg.ablation_table(SMOKE)
    fig = view.fig_scales(pg.experiment_garments(SMOKE), table)
    names = [trace.name for trace in fig.data]
    assert sum("recorded" in name for name in names) == 3
    assert "recorded" in fig.layout.title.text


def test_tiles_hold_the_first_four_images_of_a_class():
    """Images that go round the classes: image k is filled with k, so class 1 of 3 shows 1, 4, 7, 10."""
    import torch
    from gradscape.lessons.diffusion.projected_guidance.figures import _tiles

    images = torch.arange(12.0)[:, None, None, None].expand(12, 1, 2, 2)
    tile = _tiles(images, 3)[1, 0]
    assert tile[::2, ::2].tolist() == [[1, 4], [7, 10]]


class TestExplorers:
    @pytest.mark.parametrize("name", ["geometry", pytest.param("patches", marks=pytest.mark.standard), "trained"])
    def test_holds_at_both_ends_of_every_control(self, name, monkeypatch):
        monkeypatch.setenv("GRADSCAPE_HEADLESS", "check")
        explorer = view.EXPLORERS[name](SMOKE)
        assert len(explorer.figure.data) > 0
        assert 2 <= len(explorer.presets) <= 4

    def test_worked_example_is_the_papers_arithmetic(self, monkeypatch):
        monkeypatch.setenv("GRADSCAPE_HEADLESS", "1")
        explorer = view.explorer_geometry(SMOKE)
        explorer.preset("worked example")
        np.testing.assert_allclose(explorer.result.cfg, [4, 2])
        np.testing.assert_allclose(explorer.result.apg, [2, 2])

    def test_geometry_is_live(self, monkeypatch):
        monkeypatch.setenv("GRADSCAPE_HEADLESS", "1")
        explorer = view.explorer_geometry(SMOKE)
        explorer.set(w=7.0)
        # the bound of a live move is 0.1 s; ten times that leaves room for a busy machine
        assert explorer.seconds < 1.0

    def test_patches_explorer_names_its_command(self, monkeypatch):
        monkeypatch.setenv("GRADSCAPE_HEADLESS", "1")
        explorer = view.explorer_patches(SMOKE)
        explorer.preset("CFG")
        assert explorer.command.startswith("gradscape run diffusion/projected_guidance")
        assert "-p eta=1.0" in explorer.command
        own, plain = explorer.result.scores["yours"], explorer.result.scores["CFG"]
        assert own["norm"] == pytest.approx(plain["norm"], rel=1e-3)

    def test_cancelled_training_leaves_the_figure(self, monkeypatch):
        monkeypatch.setenv("GRADSCAPE_HEADLESS", "1")
        explorer = view.explorer_trained(SMOKE)
        before = explorer.result
        explorer.set(w=9.0)
        explorer.run()
        explorer.cancel()
        explorer.wait(60)
        assert explorer.result is before or explorer.status["kind"] != "stopped"


class TestExercises:
    def test_exercise_three_is_about_scale_ten(self):
        assert SCALE_3 == 10.0
