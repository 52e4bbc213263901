"""What a reader touches: figures say what was measured, explorers survive their ends, claims are measured once."""
from __future__ import annotations

import pytest
import torch
from gradscape.lesson import judge
from gradscape.lessons.robustness import bidirectional as view
from gradscape.lessons.robustness.bidirectional.explorers import first_networks
from gradscape.robustness import bidirectional as bd
from gradscape.robustness.bidirectional import experiments as ex
from gradscape.robustness.bidirectional import hybrid_experiments as hx
from gradscape.robustness.bidirectional.released import APPENDIX, ITERATIONS, LOG
from gradscape.robustness.bidirectional.tables import networks_table, overtrained_table, tuning_table

from tests.figures import assert_words_and_data

SMOKE = bd.Settings(profile="smoke", iters=100)
TUNED = SMOKE.replace(sizes="tuned_seeds:1")
WHOLE = bd.Settings(
    profile="smoke", iters=100,
    sizes="seeds:1,iterations:20,deep_seeds:1,han_seeds:1,han_iterations:5,cnn_iterations:2,long_iterations:1000",
)


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("appendix", view.fig_appendix),
        ("study", lambda: view.fig_study(ex.study(SMOKE))),
        ("confidence", lambda: view.fig_confidence(ex.study(SMOKE))),
        ("split", lambda: view.fig_split(ex.split(SMOKE))),
        ("curves", lambda: view.fig_curves(ex.curves(SMOKE))),
        ("tuning", lambda: view.fig_tuning(tuning_table(TUNED))),
        ("no tuning", lambda: view.fig_tuning(None)),
        ("masking", lambda: view.fig_masking(ex.masking(SMOKE))),
        ("pair", lambda: view.fig_pair(ex.pair(SMOKE))),
        ("penalty", lambda: view.fig_pair(ex.pair(SMOKE.replace(variant="l2")))),
        ("plain", lambda: view.fig_pair(ex.pair(SMOKE.replace(variant="bp", net="none")))),
        ("log", lambda: view.fig_log(("HAN-CNN", "FGSM"))),
        ("no table", lambda: view.fig_networks(None)),
        ("no other table", lambda: view.fig_overtrained(None)),
    ],
)
def test_figure_has_words_and_data(name, make):
    assert_words_and_data(make(), name)


def test_pictures_have_rows_and_columns():
    for fig, count in (
        (view.fig_drawings(ex.drawings(SMOKE)), 40),
        (view.fig_prototypes(("bl", ex.study(SMOKE).take("bl"))), 20),
        (view.explorer_image(SMOKE).figure, 12),
    ):
        assert fig.data[0].meta["count"] == count
        assert fig.data[0].meta["missing"] == 0


@pytest.mark.standard
@pytest.mark.parametrize("name", view.EXPLORERS)
def test_explorers_survive_their_ends(name):
    view.EXPLORERS[name](SMOKE).check()


def test_training_answers_and_the_command_repeats_it():
    explorer = view.explorer_train(SMOKE)
    explorer.set(net="none", variant="half")
    explorer.run(wait=True)
    assert explorer.status["kind"] == "ok"
    assert explorer.result.settings.net == "none"
    assert "-p net=none" in explorer.command
    explorer.set(eps=0.7)
    assert "eps" in explorer.errors


def test_image_explorer_attacks_each_network_for_itself():
    explorer = view.explorer_image(SMOKE)
    moved = explorer.result.moved
    assert moved.shape == (4, 784)
    assert float((moved - explorer.result.image).abs().max()) <= SMOKE.eps + 1e-6
    assert not torch.equal(moved[0], moved[2])
    explorer.preset("no attack")
    assert torch.equal(explorer.result.before, explorer.result.after)
    assert first_networks(SMOKE).members == 4


def test_members_of_the_study_are_where_it_says():
    made = ex.study(SMOKE)
    alone, _ = ex.trained(SMOKE, "one", ("bl",), ex.seeds_of(SMOKE, 2))
    torch.testing.assert_close(made.take("bl", 1).weights[0][0], alone.weights[0][1], rtol=0, atol=1e-5)
    X, y = ex.test_images(SMOKE)
    clean = [float((made.take("half", s).classify(X)[0].argmax(1) == y).float().mean()) for s in range(2)]
    assert made.of("half", "clean").tolist() == pytest.approx(clean)


def test_split_sums_to_the_total():
    found, made = ex.split(SMOKE), ex.study(SMOKE)
    for attack in ("fgsm_pred", "fgsm_true"):
        total = found.share * found.right[attack] + (1 - found.share) * found.wrong[attack]
        torch.testing.assert_close(total, made.report[attack].double().mean(1), rtol=0, atol=1e-6)


def test_tuning_takes_the_studys_networks_at_the_papers_rate():
    found, made = ex.tuning(TUNED), ex.study(TUNED)
    at = ex.GRID.index(3e-3)
    for v, variant in enumerate(ex.TUNED):
        assert float(found.report["clean"][v, at, 0]) == float(made.of(variant, "clean")[0])
    assert all(0 <= best < len(ex.GRID) for best in found.best)


def test_recorded_rates_are_those_chosen_on_held_out_images():
    rows = list(tuning_table(TUNED).rows())
    for variant in ex.TUNED:
        own = [row for row in rows if row["variant"] == variant]
        assert [row["lr"] for row in own] == list(ex.GRID)
        assert [row["held_out"] for row in own if row["chosen"]] == [max(row["held_out"] for row in own)]


def test_rates_are_chosen_in_full_only():
    nine = next(claim for claim in bd.CLAIMS if claim.id == "B9")
    assert judge(nine, bd.MEASURES["B9"](SMOKE)).word == "not tested at this scale"
    assert bd.Settings(profile="full").size.tuned_seeds == bd.Settings(profile="full").size.seeds


def test_images_that_choose_rates_are_not_attacked():
    settings = bd.Settings()
    _, y = ex._images("test")
    assert settings.size.test_images + settings.size.held_out <= len(y)
    full = bd.Settings(profile="full")
    assert full.size.test_images + full.size.held_out <= len(y)


def test_point_holds_differences():
    scalars = bd.point(SMOKE).scalars
    assert scalars["clean_gain"] == pytest.approx(scalars["clean"] - scalars["clean_bp"], abs=1e-6)
    assert {"pgd_margin_gain", "zero_grad", "mean_confidence_ratio_bp"} <= set(scalars)


def test_log_and_appendix_are_shares_at_every_iteration():
    for run in LOG:
        for name in ("clean", "static", "FGSM"):
            assert len(run.of(name)) == len(ITERATIONS)
            assert all(0 < value < 1 for value in run.of(name))
    assert all(0 < value < 1 for row in APPENDIX.values() for measure in row for value in measure)


@pytest.mark.standard
def test_what_only_full_trains():
    rows = list(networks_table(WHOLE).rows())
    assert [row["network"] for row in rows] == [
        *("none",) * 4, *("one",) * 4, *("two",) * 5, *("four",) * 5, "HAN-FC", "HAN-FC", *("HAN-CNN, a quarter",) * 2
    ]
    assert overtrained_table(WHOLE).columns["iterations"] == [1000]
    assert_words_and_data(view.fig_networks(networks_table(WHOLE)))
    assert_words_and_data(view.fig_overtrained(overtrained_table(WHOLE)))
    seven = next(claim for claim in bd.CLAIMS if claim.id == "B7")
    assert judge(seven, bd.MEASURES["B7"](WHOLE)).word == "reported"
    assert hx.hybrid_cnn(WHOLE).clean.shape == (2,)


@pytest.mark.standard
def test_every_claim_at_quick_sizes():
    measured = bd.measure(bd.Settings())
    words = {claim.id: judge(claim, measured[claim.id]).word for claim in bd.CLAIMS}
    assert words == {
        "B1": "reproduced", "B2": "reproduced", "B3": "not reproduced", "B4": "not reproduced", "B5": "reproduced",
        "B6": "holds", "B7": "not tested at this scale", "B8": "holds",
        "B9": "not tested at this scale",
    }
