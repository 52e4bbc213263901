"""Input gradients, masks, data, training and DiffROAR, held to closed forms and to independent computations."""
from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import torch
from gradscape.robustness import input_gradients as ig
from gradscape.robustness.input_gradients import points
from gradscape.robustness.input_gradients.training import logistic, logits
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

EXACT = 1e-12  # a handful of float64 operations
SINGLE = 1e-5  # float32, some steps of Adam
NAN = torch.nan


def gen(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def draw(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(*shape, generator=gen(seed), dtype=torch.float64)


# ---- gradients -----------------------------------------------------------------------------------------------------


def test_gradient_of_a_linear_model_is_a_column_of_weights():
    weight, x = draw(6, 3) - 0.5, draw(8, 6, seed=1)
    predicted = (x @ weight).argmax(1)
    found = ig.input_gradient(lambda v: v @ weight, x)
    torch.testing.assert_close(found, weight[:, predicted].T, rtol=0, atol=EXACT)
    named = ig.input_gradient(lambda v: v @ weight, x, torch.full((8,), 2))
    torch.testing.assert_close(named, weight[:, [2] * 8].T, rtol=0, atol=EXACT)


def test_gradient_of_two_layers_in_closed_form():
    net = ig.network((6, 9, 4), (0, 1, 2))
    x = draw(5, 6).float()
    found = ig.input_gradient(net, x)
    assert found.shape == (3, 5, 6)
    for m in range(3):
        first, second = net.params["weight0"][m], net.params["weight1"][m]
        on = (x @ first + net.params["bias0"][m] > 0).float()
        c = net(x)[m].argmax(-1)
        torch.testing.assert_close(found[m], (on * second[:, c].T) @ first.T, rtol=0, atol=1e-6)


def test_gradient_of_the_loss_and_its_ranking_for_two_classes():
    net = ig.network((6, 9, 2), (0,))
    x, y = draw(7, 6).float(), torch.arange(7) % 2
    by_loss = ig.input_gradient(net, x, y, of="loss")[0]
    v = x.clone().requires_grad_()
    F.cross_entropy(net(v)[0], y, reduction="sum").backward()
    torch.testing.assert_close(by_loss, v.grad, rtol=0, atol=1e-6)
    gap = ig.input_gradient(lambda u: (net(u)[..., [1]] - net(u)[..., [0]]), x)[0]
    assert torch.equal(ig.rank(by_loss.abs())[:, 0], ig.rank(gap.abs())[:, 0])


def test_captum_saliency():
    """captum 0.9.0's Saliency on one network (recorded values)."""
    kept = json.loads((Path(__file__).parents[1] / "oracles" / "input_gradients.json").read_text())
    first, second, x, wanted = (torch.tensor(kept[name]) for name in ("first", "second", "x", "saliency"))
    found = ig.input_gradient(lambda v: torch.relu(v @ first) @ second, x).abs()
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"x": torch.full((4, 6), NAN)}, "x holds"), ({"x": torch.zeros(4, 6).long()}, "x is torch.int64"),
        ({"x": torch.zeros(6)}, "x is"), ({"x": [1.0]}, "x is list"), ({"of": "margin"}, "of="),
        ({"target": "true"}, "target="), ({"target": torch.zeros(4)}, "target has dtype"),
        ({"target": torch.full((4,), 3)}, "target spans"), ({"target": torch.zeros(3).long()}, "target has shape"),
    ],
)
def test_bad_gradients_are_named(changes, named):
    weight = torch.ones(6, 3)
    with pytest.raises(ValueError, match=named):
        ig.input_gradient(lambda v: v.float() @ weight, **({"x": torch.zeros(4, 6)} | changes))
    with pytest.raises(ValueError, match="two logits"):
        ig.input_gradient(lambda v: v @ weight[:, :1], torch.zeros(4, 6), of="loss")


# ---- rankings and masks --------------------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 30), st.integers(1, 30), st.booleans(), st.integers(0, 99))
def test_top_and_bottom_partition_the_coordinates(d, kept, tie, seed):
    kept = min(kept, d - 1)
    x, score = draw(4, d, seed=seed) + 1, draw(4, d, seed=seed + 1)
    score = score.mul(3).round() if tie else score
    g = (gen(5), gen(5)) if tie else (None, None)
    top = ig.unmask(x, score, kept / d, "top", generator=g[0])
    bottom = ig.unmask(x, score, (d - kept) / d, "bottom", generator=g[1])
    assert torch.equal(top + bottom, x)
    assert bool(((top != 0).sum(1) == kept).all())
    for row in range(4):
        assert score[row][top[row] != 0].min() >= score[row][bottom[row] != 0].max()
    assert torch.equal(ig.unmask(x, score, 1.0), x)


def test_values_and_counts_of_what_is_kept():
    x, score = torch.tensor([[5.0, 6.0, 7.0, 8.0]]), torch.tensor([[0.3, 0.1, 0.9, 0.2]])
    assert ig.unmask(x, score, 0.5, "top", -1.0).tolist() == [[5.0, -1.0, 7.0, -1.0]]
    assert ig.unmask(x, score, 0.25, "bottom").tolist() == [[0.0, 6.0, 0.0, 0.0]]


def test_ties_are_broken_towards_the_lower_index_or_at_random():
    flat = torch.zeros(4000, 3)
    assert ig.rank(flat)[0].tolist() == [0, 1, 2]
    first = (ig.rank(flat, gen()) == 0).float().mean(0)
    assert float((first - 1 / 3).abs().max()) < 0.03  # four standard errors of a share of 4000
    mixed = torch.tensor([[2.0, 1.0, 1.0]]).expand(4000, 3)
    again = ig.rank(mixed, gen())
    assert bool((again[:, 0] == 0).all())
    assert abs(float((again[:, 1] == 1).float().mean()) - 0.5) < 0.04
    assert ig.tied(mixed) == pytest.approx(2 / 3)
    assert ig.tied(draw(5, 9)) == 0


def test_hit_rate_counts_ties_as_a_choice_at_random():
    gradient = torch.tensor([[3.0, -4.0, 1.0], [2.0, 2.0, 0.0], [0.0, 0.0, 0.0]])
    place = torch.tensor([1, 0, 2])
    assert float(ig.signal_hit_rate(gradient, place)) == pytest.approx((1 + 1 / 2 + 1 / 3) / 3)
    assert float(ig.signal_hit_rate(gradient[:1], torch.tensor([0]), torch.tensor([0, 2]))) == 1.0
    with pytest.raises(ValueError, match="place"):
        ig.signal_hit_rate(gradient, place, torch.tensor([0, 2]))
    with pytest.raises(ValueError, match="place is"):
        ig.signal_hit_rate(gradient, place.float())


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"k": 0.0}, "k="), ({"k": 1.5}, "k="), ({"k": NAN}, "k="), ({"keep": "best"}, "keep="),
        ({"score": torch.zeros(4, 5)}, "score has"), ({"score": torch.zeros(3, 6)}, "score has shape"),
        ({"score": torch.zeros(4, 1)}, "score has 1"), ({"score": torch.full((4, 6), NAN)}, "score holds"),
    ],
)
def test_bad_masks_are_named(options, named):
    good = {"x": torch.ones(4, 6), "score": torch.zeros(4, 6), "k": 0.5}
    with pytest.raises(ValueError, match=named):
        ig.unmask(**(good | options))


# ---- simplified data -----------------------------------------------------------------------------------------------


def test_points_and_noise():
    x, y, place = ig.simplified_points(6, 4)
    assert x.shape == (8, 6)
    assert torch.equal(x.abs().argmax(1), place)
    assert torch.equal(x.sum(1) > 0, y == 1)
    noisy = ig.simplified_points(6, 4, 0.2, gen())
    assert float((noisy.x - x).abs().max()) <= 0.2
    assert torch.equal(noisy.x[torch.arange(8), place], x[torch.arange(8), place])
    assert bool((noisy.x != x).any(1).all())


@pytest.mark.parametrize(
    ("arguments", "named"),
    [((4, 5), "relevant="), ((0, 1), "d="), ((4, 2, -0.1), "noise="), ((4, 2, 0.1), "generator"), ((4.5, 2), "d=")],
)
def test_bad_points_are_named(arguments, named):
    with pytest.raises(ValueError, match=named):
        ig.simplified_points(*arguments)


def test_dual_certificate_of_the_max_margin_network():
    d, relevant = 12, 7
    unit = torch.randn(1000, d + 1, generator=gen(), dtype=torch.float64)
    unit = unit / unit.norm(dim=1, keepdim=True)
    bound = 1 / (4 * math.sqrt(relevant))
    assert float(ig.dual_value(unit[:, 0], unit[:, 1:], relevant).max()) <= bound + EXACT
    s = ig.max_margin_gradient(d, relevant)
    assert float(s.norm()) == pytest.approx(1.0)
    for sign in (1.0, -1.0):
        a = torch.tensor(sign / math.sqrt(2), dtype=torch.float64)
        assert float(ig.dual_value(a, sign * s / math.sqrt(2), relevant)) == pytest.approx(bound, abs=EXACT)
    x, y, _ = ig.simplified_points(d, relevant, dtype=torch.float64)
    margins = (2 * y - 1) * (torch.relu(x @ s) - torch.relu(-x @ s))
    torch.testing.assert_close(margins, torch.full_like(margins, relevant**-0.5), rtol=0, atol=EXACT)


def test_descent_from_a_small_start_reaches_the_closed_form():
    net, data = points.rich_network(20, 200, (0, 1)), ig.simplified_points(20, 10)
    losses = ig.fit(net, data.x, data.y, epochs=2000, lr=points.RICH_LR, optimizer="gd")
    found = points.marks(net, data, 10, losses, 0.0)
    assert float(found.variation.max()) < 0.02
    assert float(found.off.max()) < 0.05
    shape = F.normalize(found.gradient, dim=-1) @ ig.max_margin_gradient(20, 10, torch.float32)
    assert float(shape.min()) > 0.999  # cosine with the closed form at every point


@pytest.mark.parametrize("relevant", [2, 5, 10])
def test_largest_radius_of_a_linear_rule(relevant):
    data, s = ig.simplified_points(relevant, relevant, dtype=torch.float64), torch.ones(relevant, 1).double()

    def worst(eps: float) -> float:
        moved = ig.pgd(lambda v: torch.cat([-v @ s, v @ s], -1), data.x, data.y, eps, step=1.0, steps=1, clip=(-2, 2))
        return float(((2 * data.y - 1) * (moved @ s).squeeze(1)).min())

    eps = ig.largest_robust_eps(relevant)
    assert worst(eps) == pytest.approx(0, abs=EXACT)
    assert worst(0.99 * eps) > 0 > worst(1.01 * eps)


# ---- block images --------------------------------------------------------------------------------------------------


def test_one_null_block_per_image_and_a_fair_coin():
    images, labels = draw(3000, 7, 7).float() + 2, torch.arange(3000) % 4
    x, y, on_top = ig.block_images(images, labels, gen())
    null = ig.null_block(7).flatten()
    upper, lower = x[:, :49], x[:, 49:]
    assert torch.equal(on_top, ~(upper == null).all(1))
    assert torch.equal(on_top, (lower == null).all(1))
    torch.testing.assert_close(torch.where(on_top.unsqueeze(1), upper, lower), images.flatten(1), rtol=0, atol=0)
    assert abs(float(on_top.float().mean()) - 0.5) < 0.03
    assert y is labels
    assert ig.block_images(images.flatten(1), labels, gen(), "top")[2].all()


@pytest.mark.parametrize("size", [5, 8, 14, 28])
def test_null_block_is_symmetric_with_its_frame_inside(size):
    block = ig.null_block(size)
    assert torch.equal(block, block.T)
    assert torch.equal(block, block.flip(0))
    away = max(1, size // 7)
    assert not block[:away].any()
    assert block[away, away : size - away].all()
    assert set(block.unique().tolist()) == {0.0, 1.0}


def test_leakage_of_known_gradients():
    on_top = torch.tensor([True, False])
    gradient = torch.zeros(2, 2, 50)
    gradient[0, :, :25], gradient[0, :, 25:] = 3.0, -4.0
    gradient[1, 0, :25] = 1.0  # nothing on the null block
    gradient[1, 1, 25:] = -1.0
    lam, nu = ig.leakage(gradient, on_top, 5)
    torch.testing.assert_close(lam, torch.tensor([[4 / 3, 3 / 4], [0.0, 0.0]]))
    assert nu.tolist() == [[1.0, 0.0], [0.0, 0.0]]


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: ig.null_block(4), "size="),
        (lambda: ig.block_images(torch.zeros(3, 7, 6), torch.zeros(3).long(), gen()), "images is"),
        (lambda: ig.block_images(torch.full((3, 49), NAN), torch.zeros(3).long(), gen()), "images holds"),
        (lambda: ig.block_images(torch.zeros(3, 49), torch.zeros(3), gen()), "labels is"),
        (lambda: ig.block_images(torch.zeros(3, 49), torch.zeros(3).long(), gen(), "below"), "position="),
        (lambda: ig.block_images(torch.zeros(3, 49), torch.zeros(3).long(), gen(), null=torch.zeros(5, 5)), "null has"),
        (lambda: ig.leakage(torch.zeros(3, 50), torch.ones(3).bool(), 6), "gradient has"),
        (lambda: ig.leakage(torch.zeros(3, 50), torch.ones(3), 5), "gradient has"),
        (lambda: ig.leakage(torch.full((3, 50), NAN), torch.ones(3).bool(), 5), "gradient holds"),
    ],
)
def test_bad_blocks_are_named(call, named):
    with pytest.raises(ValueError, match=named):
        call()


# ---- training ------------------------------------------------------------------------------------------------------


def test_logistic_loss_by_autograd_and_as_cross_entropy_of_two_logits():
    f, y = (draw(2, 9, 1) * 8 - 4).requires_grad_(), torch.arange(9) % 2
    value = logistic.value(f, y)
    wanted = F.binary_cross_entropy_with_logits(f.squeeze(-1), y.double().expand(2, 9), reduction="none")
    torch.testing.assert_close(value, wanted, rtol=0, atol=EXACT)
    torch.testing.assert_close(logistic.slope(f, y), torch.autograd.grad(value.sum(), f)[0], rtol=0, atol=EXACT)
    two = torch.cat([-f / 2, f / 2], -1)
    torch.testing.assert_close(
        F.cross_entropy(two.flatten(0, 1), y.repeat(2), reduction="none").view(2, 9), value, rtol=0, atol=EXACT)


@pytest.mark.parametrize("eps", [0.0, 0.3])
def test_training_is_that_of_a_loop_over_torch_modules(eps):
    x, y = draw(40, 6).float(), torch.arange(40) % 3
    net = ig.network((6, 8, 3), (3, 4), 0.5)
    one = torch.nn.Sequential(torch.nn.Linear(6, 8), torch.nn.ReLU(), torch.nn.Linear(8, 3))
    with torch.no_grad():
        for layer, k in ((0, 0), (2, 1)):
            one[layer].weight.copy_(net.params[f"weight{k}"][1].T)
            one[layer].bias.copy_(net.params[f"bias{k}"][1, 0])
    adversary = ig.Adversary(eps, "l2", 2, 0.5)
    ig.fit(net, x, y, epochs=15, lr=0.01, adversary=adversary, schedule="one_cycle")
    optimizer = torch.optim.Adam(one.parameters(), 0.01)
    rates = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.01, total_steps=15)
    for _ in range(15):
        moved = ig.pgd(one, x, y, eps, norm="l2", steps=2, step=0.5) if eps else x
        optimizer.zero_grad()
        F.cross_entropy(one(moved), y).backward()
        optimizer.step()
        rates.step()
    torch.testing.assert_close(net.params["weight0"][1], one[0].weight.detach().T, rtol=0, atol=SINGLE)
    torch.testing.assert_close(net.params["bias1"][1, 0], one[2].bias.detach(), rtol=0, atol=SINGLE)
    assert all(value.grad is None for value in net.params.values())


def test_a_member_does_not_depend_on_its_stack_mates_and_runs_repeat():
    x, y = draw(60, 6).float(), torch.arange(60) % 3
    nets = [ig.network((6, 8, 3), seeds) for seeds in ((1, 2, 3), (2,), (1, 2, 3))]
    losses = [ig.fit(net, x, y, epochs=4, lr=0.01, batch=20, seed=9) for net in nets]
    torch.testing.assert_close(losses[0][1], losses[1][0], rtol=0, atol=SINGLE)
    assert torch.equal(losses[0], losses[2])
    assert float(losses[0][:, -1].mean()) < float(losses[0][:, 0].mean())


@settings(max_examples=20, deadline=None)
@given(st.sampled_from(["l2", "linf"]), st.floats(0.0, 1.5), st.integers(0, 99))
def test_an_adversary_stays_in_its_ball_and_raises_the_loss(norm, eps, seed):
    net, y = ig.network((6, 8, 3), (seed, seed + 1)), torch.arange(10) % 3
    x = draw(10, 6, seed=seed).float()
    moved = ig.Adversary(eps, norm, 5, 0.5).attack(net, x, y)
    assert moved.shape == (2, 10, 6)
    size = (moved - x).norm(dim=-1) if norm == "l2" else (moved - x).abs().amax(-1)
    assert float(size.max()) <= eps + 1e-5
    assert 0 <= float(moved.min()) <= float(moved.max()) <= 1
    if eps == 0:
        assert torch.equal(moved[0], x)


def test_the_radius_grows_over_the_ramp():
    net, x, y = points.point_network(6, 8, (0,)), *ig.simplified_points(6, 3)[:2]
    adversary = points.point_adversary(0.4)
    for share, wanted in ((0.0, 0.0), (0.25, 0.2), (0.5, 0.4), (0.9, 0.4)):
        assert float((adversary.attack(net, x, y, share) - x).abs().max()) == pytest.approx(wanted, abs=1e-6)


def test_one_logit_is_attacked_against_its_label():
    net, (x, y, _) = points.point_network(6, 8, (0, 1)), ig.simplified_points(6, 3)
    ig.fit(net, x, y, epochs=50, lr=0.01)
    moved = points.point_adversary(0.3, 0.0).attack(net, x, y)
    sign = (2 * y - 1).float().unsqueeze(-1)
    assert float((sign * (net(moved) - net(x))).max()) < 0
    assert logits(net)(x).shape == (2, 6, 2)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"x": torch.full((8, 6), NAN)}, "x holds"), ({"x": torch.zeros(8, 5)}, "x has shape"),
        ({"x": torch.zeros(3, 8, 6)}, "x has shape"), ({"y": torch.zeros(8)}, "y is"),
        ({"y": torch.full((8,), 3)}, "y spans"), ({"y": torch.zeros(0).long()}, "y is"), ({"epochs": 0}, "epochs="),
        ({"lr": 0.0}, "lr="), ({"schedule": "cosine"}, "schedule="), ({"optimizer": "lion"}, "optimizer="),
        ({"batch": 9}, "batch="),
    ],
)
def test_bad_training_is_named(changes, named):
    good = {"x": torch.zeros(8, 6), "y": torch.zeros(8).long(), "epochs": 1, "lr": 0.1}
    with pytest.raises(ValueError, match=named):
        ig.fit(ig.network((6, 4, 3), (0, 1)), **(good | changes))


@pytest.mark.parametrize(
    ("options", "named"), [({"eps": -1.0}, "eps="), ({"eps": 1.0, "norm": "l1"}, "norm="),
                           ({"eps": 1.0, "ramp": 2.0}, "ramp=")])
def test_bad_adversaries_are_named(options, named):
    with pytest.raises(ValueError, match=named):
        ig.Adversary(**options)
    with pytest.raises(ValueError, match="first_layer_scale="):
        ig.network((6, 4, 3), (0,), 0.0)


# ---- DiffROAR ------------------------------------------------------------------------------------------------------


def two_places(n: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Coordinate 0 is the label, the other seven are noise."""
    y = torch.arange(n) % 2
    x = draw(n, 8, seed=seed).float()
    x[:, 0] = 0.2 + 0.6 * y
    return x, y


def roar(train, test, **options):
    x, y = two_places(400, 1)
    x_test, y_test = two_places(400, 2)
    return ig.diffroar(x, y, x_test, y_test, train, test, (0.25, 1.0), lambda m: ig.network((8, 16, 2), range(m)),
                       {"epochs": 12, "lr": 0.02, "batch": 50}, **options)


def test_diffroar_of_a_perfect_a_reversed_and_a_random_ranking():
    good = torch.arange(8, 0, -1).float().expand(400, 8)
    random = [ig.random_attribution((400, 8), gen(s)) for s in (3, 4)]
    found = roar(torch.stack([good, -good, random[0]]), torch.stack([good, -good, random[1]]), mask_only=[0])
    at = found.at(0.25)
    assert float(found.top[0, at]) == 1.0
    assert abs(float(found.bottom[0, at]) - 0.5) < 0.12  # noise: four standard errors of 400 images, and a choice
    assert float(found.diff[1, at]) == pytest.approx(-float(found.diff[0, at]), abs=0.12)
    assert abs(float(found.diff[2, at])) < 0.15
    assert float(found.diff[:, found.at(1.0)].abs().max()) < 0.03  # everything is kept on both sides
    # one mask for all images says nothing of the label; the blind networks were asked for one ranking only
    assert float((found.mask_only_top[0] - 0.5).abs().max()) == 0
    assert found.mask_only_top[1:].isnan().all()


def test_a_mask_that_follows_the_label_gives_itself_away():
    _, y = two_places(400, 1)
    _, y_test = two_places(400, 2)
    spelled = [F.one_hot(6 + labels, 8).float() for labels in (y, y_test)]
    found = roar(*spelled, mask_only=True)
    assert float(found.mask_only_top[0, 0]) == 1.0


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"levels": (0.0,)}, "levels="), ({"levels": ()}, "levels="), ({"levels": (0.5, 0.5)}, "levels="),
        ({"attributions_train": torch.zeros(9, 5)}, "attributions_train has"),
        ({"attributions_test": torch.full((9, 6), NAN)}, "attributions_test holds"),
        ({"attributions_test": torch.zeros(2, 9, 6)}, "attributions_test holds 2"),
        ({"x_train": torch.full((9, 6), NAN)}, "images of attributions_train"), ({"mask_only": [1]}, "mask_only="),
    ],
)
def test_bad_diffroar_is_named(changes, named):
    x, y = torch.zeros(9, 6), torch.zeros(9).long()
    good = {"x_train": x, "y_train": y, "x_test": x, "y_test": y, "attributions_train": x, "attributions_test": x,
            "levels": (0.5,), "make_model": lambda m: ig.network((6, 4, 2), range(m)),
            "fit_options": {"epochs": 1, "lr": 0.1}}
    with pytest.raises(ValueError, match=named):
        ig.diffroar(**(good | changes))
