"""What a reader touches: figures say what was measured, explorers survive their ends, claims are measured once."""
from __future__ import annotations

import pytest
import torch
from gradscape.lesson import judge
from gradscape.lessons.robustness import input_gradients as view
from gradscape.robustness import input_gradients as ig
from gradscape.robustness.input_gradients import images, points
from gradscape.robustness.input_gradients.tables import blocks_table, roar_table

from tests.figures import assert_words_and_data

SMOKE = ig.Settings(profile="smoke")
WHOLE = ig.Settings(profile="smoke", sizes="others:true,levels:0.1/0.5,radii:0.5/1.0,roar_networks:1,block_networks:1")


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("marks", lambda: view.fig_marks(points.simplified(SMOKE), points.simplified(SMOKE, 0.35))),
        ("maps", lambda: view.fig_maps(points.simplified(SMOKE), points.rich(SMOKE), points.simplified(SMOKE, 0.35))),
        ("point", lambda: view.fig_point(points.simplified_at(SMOKE))),
        ("leakage", lambda: view.fig_leakage(images.blocks(SMOKE))),
        ("roar", lambda: view.fig_roar(images.roar(SMOKE))),
        ("power", lambda: view.fig_power(images.roar(SMOKE))),
        ("small roar", lambda: view.fig_power(images.roar_at(SMOKE.replace(radius=0.0), (0.1,)))),
        ("no table", lambda: view.fig_recorded_blocks(None)),
        ("no other table", lambda: view.fig_recorded_roar(None)),
    ],
)
def test_figure_has_words_and_data(name, make):
    assert_words_and_data(make(), name)


def test_pictures_have_rows_and_columns():
    for fig, count in ((view.fig_gallery(images.blocks(SMOKE)), 35), (view.explorer_look(SMOKE).figure, 3)):
        assert fig.data[0].meta["count"] == count
        assert fig.data[0].meta["missing"] == 0


@pytest.mark.standard
@pytest.mark.parametrize("name", view.EXPLORERS)
def test_explorers_survive_their_ends(name):
    view.EXPLORERS[name](SMOKE).check()


def test_look_shows_the_network_that_was_chosen():
    explorer = view.explorer_look(SMOKE)
    made = images.blocks(SMOKE)
    explorer.set(model="top", image=3, share=50.0)
    found = explorer.result
    assert torch.equal(found.image, made.images["top"][3])
    assert torch.equal(found.gradient, made.gradient["top"][0, 3])
    half = len(found.image) // 2
    assert int((found.kept == 0.5).sum()) >= half  # what is blanked is gray
    assert found.lam == pytest.approx(float(made.lam["top"][0, 3]))
    explorer.set(share=80.0)
    assert "share" in explorer.errors


def test_training_on_points_answers_and_the_command_repeats_it():
    explorer = view.explorer_points(SMOKE)
    explorer.set(d=4, eps=0.0)
    explorer.run(wait=True)
    assert explorer.status["kind"] == "ok"
    assert explorer.result.gradient.shape == (1, 4, 4)
    assert "-p d=4" in explorer.command


def test_progress_of_a_run_only_grows():
    seen: list[float] = []
    images.roar_at(SMOKE.replace(radius=0.3, seed=5), (0.2,), progress=lambda done, total: seen.append(done / total))
    assert seen == sorted(seen)
    assert seen[-1] == 1.0


def test_one_seed_starts_alike_in_every_variant_and_protocols_ignore_sliders():
    made = images.blocks(SMOKE)
    assert images.blocks(SMOKE.replace(image=7, share=20.0)) is made
    split = images.fashion_split(SMOKE.seed, 2, 300, 100, (0, 1, 8, 9))
    alone = images.train_blocks(split, SMOKE.seed, 1, SMOKE.size.block_epochs, 0.1, variants=("standard",))
    torch.testing.assert_close(alone.gradient["standard"][0], made.gradient["standard"][0], rtol=1e-3, atol=1e-5)
    assert torch.equal(made.labels, split.y_test)


def test_rows_of_the_study_are_where_it_says():
    found = images.roar(SMOKE)
    assert found.kinds == ("standard", "robust, ε = 0.5", "random")
    assert found.of("random", "diff").shape == (1, 2)
    assert found.result.mask_only_top.isfinite().all()
    assert 0 <= found.ties < 0.05
    assert {kind: float(v.mean()) >= 0.1 for kind, v in found.clean.items()} == dict.fromkeys(found.clean, True)


def test_point_holds_what_the_gradient_marks():
    scalars = ig.point(SMOKE).scalars
    assert set(scalars) >= {"hit", "ratio", "accuracy", "attacked", "cosine"}
    plain = ig.point(SMOKE.replace(eps=0.0, init=0.02)).scalars
    assert plain["ratio"] < scalars["ratio"]


def test_claims_are_measured_once_and_smoke_says_so():
    measured = ig.measure(SMOKE)
    assert {judge(claim, measured[claim.id], smoke=True).word for claim in ig.CLAIMS} == {"not tested at this scale"}


@pytest.mark.standard
def test_what_only_full_trains():
    blocks = list(blocks_table(WHOLE).rows())
    assert len(blocks) == 6 * 3
    assert {row["side"] for row in blocks} == {14, 8}
    roar = list(roar_table(WHOLE).rows())
    assert len(roar) == 3 * 4 * 2
    assert {(row["side"], row["first_layer"]) for row in roar} == {(14, 0.1), (14, 1.0), (28, 0.1)}
    assert_words_and_data(view.fig_recorded_blocks(blocks_table(WHOLE)))
    assert_words_and_data(view.fig_recorded_roar(roar_table(WHOLE)))


@pytest.mark.standard
def test_every_claim_at_quick_sizes():
    measured = ig.measure(ig.Settings())
    words = {claim.id: judge(claim, measured[claim.id]).word for claim in ig.CLAIMS}
    assert words == {
        "I1": "reproduced", "I2": "reproduced", "I3": "reproduced", "I4": "reproduced", "I5": "reproduced",
        "I6": "holds", "I7": "reported",
    }
