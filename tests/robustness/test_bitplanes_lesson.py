"""What a reader touches of the bit-planes lesson: figures, explorers, the arms, and the claims at quick sizes."""
from __future__ import annotations

import numpy as np
import pytest
from gradscape.lesson import judge
from gradscape.lessons.robustness import bitplanes as view
from gradscape.robustness import bitplanes as bp
from gradscape.robustness.bitplanes import experiments as ex
from gradscape.robustness.bitplanes.tables import TABLES
from gradscape.robustness.bitplanes.world import TEST_PHOTOS, TRAIN_PHOTOS

from tests.figures import assert_words_and_data

SMOKE = bp.Settings(profile="smoke")
TINY = bp.Settings(profile="smoke", sizes="real_train:8,fake_train:8,real_test:8,fake_test:8,crops:4")


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("ones", lambda: view.fig_ones(bp.world(SMOKE))),
        ("matrix", lambda: view.fig_matrix(bp.study(SMOKE, "R"))),
        ("raw matrix", lambda: view.fig_matrix(bp.study(SMOKE, "E", bp.RAW), "min")),
        ("arms", lambda: view.fig_arms({arm: bp.study(SMOKE, arm) for arm in "RE"})),
        ("choices", lambda: view.fig_choices(bp.study(SMOKE, "R"), bp.study(SMOKE, "E"))),
        ("positives", lambda: view.fig_positives({"R": bp.study(SMOKE, "R")})),
        ("robustness", lambda: view.fig_robustness(bp.robustness(SMOKE))),
        ("cues", lambda: view.fig_cues(bp.cues(SMOKE))),
        ("flat", lambda: view.fig_flat(bp.flat_background(0, 40))),
        ("planes", lambda: view.fig_planes(view.look(SMOKE))),
        ("mystery", lambda: view.fig_mystery(view.mystery())),
        ("no table", lambda: view.fig_table(None, "title")),
        ("no planes", lambda: view.fig_planes_kept(None)),
    ],
)
def test_figure_has_words_and_data(name, make):
    assert_words_and_data(make(), name)


def test_sheet_of_images_has_a_row_per_class():
    described = view.fig_images(bp.world(SMOKE)).data[0].meta
    assert described["rows"] == ["real (arm E)", *bp.FAKES]
    assert described["count"] == 6 * 3


@pytest.mark.parametrize("name", ["planes", pytest.param("pipeline", marks=pytest.mark.standard)])
def test_explorers_answer_everywhere(name):
    explorer = view.EXPLORERS[name](SMOKE)
    explorer.check()
    assert explorer.figure.layout.title.text


def test_planes_explorer_marks_the_patch_it_chose():
    explorer = view.explorer_planes(SMOKE)
    explorer.set(source="vae", planes=3, patch=24, how="min")
    look = explorer.result
    scores = bp.gradient_score(bp.patch_grid(look.noise, 24))
    assert scores[look.index] == scores.min()
    np.testing.assert_array_equal(look.image, bp.world(SMOKE).fake_test["vae"][0])
    assert "-p source=vae" in explorer.command
    explorer.set(planes=9)
    assert "planes" in explorer.errors["planes"]


def test_pipeline_explorer_starts_where_the_detectors_were_trained():
    explorer = view.explorer_pipeline(SMOKE)
    said = bp.study(SMOKE, "R").detectors.logits(bp.world(SMOKE).real("R")[1])["pca"]
    np.testing.assert_allclose(explorer.result.real, said.double().numpy())
    before = explorer.result.ones
    explorer.set(levels=1)
    # clipping at 255 aside, odd becomes even
    assert explorer.result.ones == pytest.approx(1 - before, abs=0.02)
    explorer.preset("rounded alike")
    assert abs(explorer.result.ones - 0.5) < abs(before - 0.5)


def test_matrix_explorer_trains_what_is_asked_for():
    explorer = view.explorer_matrix(TINY)
    explorer.set(arm="E", mode="raw", how="min")
    explorer.run(wait=True)
    assert explorer.status["kind"] == "ok"
    found, how = explorer.result
    assert (found.arm, found.detectors.options.mode, how) == ("E", "raw", "min")


# ---- the experiment --------------------------------------------------------------------------------------------------


def test_photographs_are_split_and_generated_images_are_the_same_in_all_arms():
    assert not set(TRAIN_PHOTOS) & set(TEST_PHOTOS)
    made = bp.world(SMOKE)
    size = SMOKE.size
    for arm in bp.ARMS:
        train, test = made.real(arm)
        assert (len(train), len(test)) == (size.real_train, size.real_test)
        assert train.dtype == test.dtype == np.uint8
        assert np.abs(test.astype(float) - made.real_test).max() <= (0.5 if arm in "ER" else 255)
    for name in bp.FAKES:
        assert made.fake_train[name].shape == (size.fake_train, 48, 48, 3)
        assert made.fake_test[name].shape == (size.fake_test, 48, 48, 3)
    even, rounded = (made.real(arm)[1] for arm in "ER")
    differ = even != rounded
    assert ((made.real_test % 1)[differ] == 0.5).all()  # only ties, and only those that half up makes odd
    assert (even[differ] & 1).all()
    assert not (rounded[differ] & 1).any()


def test_one_world_and_one_study_however_they_are_asked_for():
    assert bp.world(SMOKE) is bp.world(SMOKE.replace(arm="E", planes=3), 0)
    assert bp.study(SMOKE, "R") is bp.study(SMOKE, "R", bp.Options(), 0) is bp.own_study(SMOKE)
    assert bp.world(SMOKE, 1) is not bp.world(SMOKE)


def test_study_is_what_its_own_detectors_say():
    found, made = bp.study(SMOKE, "E"), bp.world(SMOKE)
    real = made.real("E")[1]
    matrix = found.detectors.matrix(real, made.fake_test)
    np.testing.assert_allclose(found.matrix().values, matrix.values)
    positive = (found.detectors.logits(real)["gan"] > 0).double().mean()
    assert found.false_positives.at(choice="max", train="gan") == pytest.approx(float(positive))
    assert found.quilt() == pytest.approx(float(matrix.select(test="quilt").values.mean()))


def test_clean_case_of_the_robustness_is_the_study():
    found, gap = bp.robustness(SMOKE), bp.study(SMOKE, "R").gap()
    assert found.cases[0] == "clean"
    assert len(found.cases) == 8
    assert (found.diagonal[0], found.off[0]) == pytest.approx((gap.diagonal, gap.off))


def test_point_reads_the_settings_own_detector():
    values = bp.point(SMOKE.replace(arm="E", how="min")).scalars
    gap = bp.study(SMOKE, "E").gap("min")
    assert (values["diagonal"], values["off"], values["gap"]) == pytest.approx(gap)
    assert values["false_positives_least"] <= values["false_positives_most"]


def test_mystery_matrices_are_what_the_exercise_says():
    from gradscape.lessons.robustness.bitplanes.exercises import TRUTH

    for letter, values in view.mystery().items():
        same = np.eye(4, dtype=bool)
        gap = values[same].mean() - values[~same].mean()
        assert gap < 0.08 if TRUTH[letter] == "pipeline" else gap > 0.25


def test_milliseconds_are_positive():
    assert all(value > 0 for value in ex.milliseconds(0).values())


@pytest.mark.standard
def test_tables_hold_every_cell():
    rows = {name: list(make(TINY).rows()) for name, make in TABLES.items()}
    assert {name: len(row) for name, row in rows.items()} == {
        "arms": 12, "planes": 11, "patches": 6, "guided": 2, "matrices": 120}
    assert_words_and_data(view.fig_table(TABLES["arms"](TINY), "arms"))
    assert_words_and_data(view.fig_planes_kept(TABLES["planes"](TINY)))


@pytest.mark.standard
def test_every_claim_at_quick_sizes():
    measured = bp.measure(bp.Settings())
    words = {claim.id: judge(claim, measured[claim.id]).word for claim in bp.CLAIMS}
    assert words == {
        "L1": "reproduced", "L2": "holds", "L3": "holds", "L4": "reproduced", "L5": "reproduced",
        "L6": "not reproduced", "L7": "reported", "L8": "reported",
    }
