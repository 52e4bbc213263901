"""Attacks: closed forms on linear models, balls and clips, invariances, and two published implementations."""
from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from gradscape.robustness import fgsm, pgd
from gradscape.robustness.attacks import input_gradient, objective
from hypothesis import given, settings
from hypothesis import strategies as st

EXACT = 1e-12  # float64 arithmetic of a handful of operations
SINGLE = 1e-6  # float32 arithmetic of a handful of operations


def gen(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def images(*shape: int, seed: int = 0, low: float = 0.3, high: float = 0.7) -> torch.Tensor:
    return low + (high - low) * torch.rand(*shape, generator=gen(seed), dtype=torch.float64)


@pytest.fixture
def linear():
    weight = torch.randn(6, 3, generator=gen(1), dtype=torch.float64)
    return weight, lambda x: x @ weight


def test_fgsm_of_two_classes_steps_against_the_difference_of_weights(linear):
    weight = linear[0][:, :2]
    x, y = images(5, 6), torch.tensor([0, 1, 0, 1, 1])
    away = torch.where((y == 0).unsqueeze(1), weight[:, 1] - weight[:, 0], weight[:, 0] - weight[:, 1]).sign()
    torch.testing.assert_close(fgsm(lambda v: v @ weight, x, 0.1, y), x + 0.1 * away, rtol=0, atol=EXACT)


def test_fgsm_lowers_the_label_it_is_told_and_defaults_to_the_predicted_one(linear):
    _, model = linear
    x = images(20, 6, seed=2)
    guess = model(x).argmax(-1)
    assert torch.equal(fgsm(model, x, 0.05), fgsm(model, x, 0.05, guess))
    other = (guess + 1) % 3
    assert not torch.equal(fgsm(model, x, 0.05), fgsm(model, x, 0.05, other))
    before, after = (objective(model(v), other, "ce") for v in (x, fgsm(model, x, 0.05, other)))
    assert after > before


def test_one_l2_step_on_a_linear_margin_is_eps_along_the_gradient(linear):
    weight, model = linear
    x, y = images(8, 6, seed=3), torch.zeros(8, dtype=torch.int64)
    rival = model(x)[:, 1:].argmax(-1) + 1
    direction = (weight[:, rival] - weight[:, [0]]).T
    wanted = x + 0.2 * direction / direction.norm(dim=1, keepdim=True)
    found = pgd(model, x, y, 0.2, norm="l2", step=1.0, steps=1, loss="margin")
    torch.testing.assert_close(found, wanted, rtol=0, atol=EXACT)


@settings(max_examples=30, deadline=None)
@given(st.sampled_from(["linf", "l2"]), st.sampled_from(["ce", "margin"]), st.floats(0.0, 0.6), st.integers(0, 99))
def test_result_stays_in_ball_and_clip(norm, loss, eps, seed):
    weight = torch.randn(6, 4, generator=gen(seed), dtype=torch.float64)
    x, y = images(7, 6, seed=seed, low=0.0, high=1.0), torch.arange(7) % 4
    moved = pgd(lambda v: torch.tanh(3 * v) @ weight, x, y, eps, norm=norm, loss=loss, steps=5)
    size = (moved - x).abs().amax() if norm == "linf" else (moved - x).norm(dim=-1).amax()
    assert float(size) <= eps + EXACT
    assert float(moved.min()) >= 0.0
    assert float(moved.max()) <= 1.0
    if eps == 0:
        assert torch.equal(moved, x)
        assert torch.equal(fgsm(lambda v: v @ weight, x, 0.0, y), x)


def test_step_is_relative_to_eps(linear):
    _, model = linear
    x, y = images(4, 6), torch.arange(4) % 3
    moved = pgd(model, x, y, 0.1, steps=2, step=0.25, loss="margin")
    assert float((moved - x).abs().max()) == pytest.approx(0.05, abs=EXACT)


def test_one_pgd_step_of_full_length_is_fgsm(linear):
    _, model = linear
    x, y = images(9, 6, seed=5, low=0.0, high=1.0), torch.arange(9) % 3
    torch.testing.assert_close(pgd(model, x, y, 0.3, step=1.0, steps=1), fgsm(model, x, 0.3, y), rtol=0, atol=EXACT)


def test_an_example_does_not_depend_on_its_batch(linear):
    weight, _ = linear

    def model(v):
        return torch.sin(4 * v) @ weight

    x, y = images(9, 6), torch.arange(9) % 3
    for loss in ("ce", "margin"):
        whole = pgd(model, x, y, 0.2, loss=loss)
        torch.testing.assert_close(whole[3:4], pgd(model, x[3:4], y[3:4], 0.2, loss=loss), rtol=0, atol=EXACT)


def test_a_stack_is_attacked_member_by_member():
    weights = torch.randn(3, 6, 4, generator=gen(), dtype=torch.float64)
    x, y = images(3, 5, 6), torch.arange(5) % 4
    whole = pgd(lambda v: torch.bmm(v, weights), x, y, 0.1)
    for m in range(3):
        alone = pgd(lambda v, m=m: v @ weights[m], x[m], y, 0.1)
        torch.testing.assert_close(whole[m], alone, rtol=0, atol=EXACT)


@pytest.mark.parametrize("scale", [1.0, 64.0, 4096.0])
def test_the_margin_attack_does_not_see_the_scale_of_the_logits(linear, scale):
    weight, _ = linear
    x, y = images(9, 6, seed=7), torch.arange(9) % 3
    moved = pgd(lambda v: scale * torch.sin(4 * v) @ weight, x, y, 0.2, loss="margin")
    assert torch.equal(moved, pgd(lambda v: torch.sin(4 * v) @ weight, x, y, 0.2, loss="margin"))


def test_cross_entropy_of_a_saturated_model_has_no_gradient(linear):
    weight, model = linear
    x = images(9, 6).float()
    y = model(x.double()).argmax(-1)

    def saturated(v):
        return 1e5 * (v @ weight.float())

    assert not input_gradient(saturated, x, y).any()
    assert input_gradient(saturated, x, y, "margin").abs().amax(-1).gt(0).all()


def test_gradient_by_finite_differences(linear):
    weight, _ = linear

    def model(v):
        return torch.sin(4 * v) @ weight

    x, y, h = images(2, 6), torch.tensor([2, 0]), 1e-6
    for loss in ("ce", "margin"):
        found, numeric = input_gradient(model, x, y, loss), torch.zeros_like(x)
        for i in range(2):
            for j in range(6):
                e = torch.zeros_like(x)
                e[i, j] = h
                rise = objective(model(x + e), y, loss) - objective(model(x - e), y, loss)
                numeric[i, j] = rise / (2 * h)
        torch.testing.assert_close(found, numeric, rtol=0, atol=1e-7)  # h² and rounding over h


def test_start_and_dtype(linear):
    weight, _ = linear
    x, y = images(4, 6).float(), torch.arange(4) % 3
    start = torch.full_like(x, 0.5)
    moved = pgd(lambda v: v @ weight.to(v), x, y, 0.1, start=start, steps=1, step=1e-9, dtype=torch.float64)
    assert moved.dtype == torch.float64
    torch.testing.assert_close(moved, x.double() + 0.1, rtol=0, atol=1e-8)


def test_published_implementations():
    """torchattacks FGSM and PGD with true labels, cleverhans with predicted ones (recorded values)."""
    kept = json.loads((Path(__file__).parents[1] / "oracles" / "attacks.json").read_text())
    first, second, x = (torch.tensor(kept[name]) for name in ("first", "second", "x"))
    y = torch.tensor(kept["labels"])

    def model(v):
        return torch.tanh(v @ first) @ second

    for name, found in {
        "fgsm_true": fgsm(model, x, 0.1, y),
        "fgsm_predicted": fgsm(model, x, 0.1),
        "pgd_linf": pgd(model, x, y, 0.1, step=0.25, steps=7),
        "pgd_l2": pgd(model, x, y, 0.5, step=0.4, steps=5, norm="l2"),
    }.items():
        torch.testing.assert_close(found, torch.tensor(kept[name]), rtol=0, atol=SINGLE, msg=name)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"x": torch.full((4, 6), 1.5)}, "x spans"),
        ({"x": torch.full((4, 6), torch.nan)}, "x holds"),
        ({"x": torch.zeros(0, 6)}, "x is empty"),
        ({"x": torch.zeros(4, 6, dtype=torch.int64)}, "x is torch.int64"),
        ({"x": [[0.5]]}, "x is list"),
        ({"eps": -0.1}, "eps="),
        ({"eps": float("nan")}, "eps="),
        ({"eps": "much"}, "eps="),
        ({"eps": torch.ones(3)}, "eps="),
        ({"labels": torch.zeros(4)}, "labels has dtype"),
        ({"labels": [0, 1, 2, 0]}, "labels has dtype"),
        ({"labels": torch.zeros(3, dtype=torch.int64)}, "labels has shape"),
        ({"labels": torch.full((4,), 3)}, "labels span"),
        ({"labels": torch.full((4,), -1)}, "labels span"),
        ({"clip": (1.0, 0.0)}, "clip="),
    ],
)
def test_bad_arguments_are_named(linear, changes, named):
    weight, _ = linear

    def model(v):
        return v @ weight.to(v)

    good = {"x": images(4, 6), "labels": torch.arange(4) % 3, "eps": 0.1}
    clip = {"clip": changes["clip"]} if "clip" in changes else {}
    a = good | {k: v for k, v in changes.items() if k in good}
    with pytest.raises(ValueError, match=named):
        pgd(model, a["x"], a["labels"], a["eps"], **clip)
    with pytest.raises(ValueError, match=named):
        fgsm(model, a["x"], a["eps"], a["labels"], **clip)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"norm": "l1"}, "norm="), ({"loss": "mse"}, "loss="), ({"step": 0.0}, "step="), ({"steps": 0}, "steps="),
        ({"steps": 2.5}, "steps="), ({"start": torch.zeros(4, 5)}, "shapes differ"),
        ({"start": torch.full((4, 6), torch.inf)}, "start holds"),
    ],
)
def test_bad_options_are_named(linear, options, named):
    with pytest.raises(ValueError, match=named):
        pgd(linear[1], images(4, 6), torch.arange(4) % 3, 0.1, **options)


def test_a_model_that_gives_no_logits():
    with pytest.raises(ValueError, match="model gives"):
        fgsm(lambda v: v.sum(), images(4, 6), 0.1)
