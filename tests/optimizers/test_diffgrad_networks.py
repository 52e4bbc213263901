"""Stacks against plain modules, the paired design, and the claims at small sizes."""
from __future__ import annotations

import pytest
import torch
from gradscape import lesson
from gradscape.ensemble import SharedBatches
from gradscape.optimizers import DiffGrad, diffgrad
from gradscape.optimizers.diffgrad import cnn, experiments
from gradscape.optimizers.diffgrad.networks import Member, rate_schedule, train_mlp, trajectory_distance
from torch import nn

SINGLE = 1e-6  # float32: batched and single products add in another order, a few steps long
SMOKE = diffgrad.Settings(profile="smoke")


def toy_data(n=64, d=12, classes=4):
    g = torch.Generator().manual_seed(0)
    return torch.randn(n, d, generator=g), torch.randint(classes, (n,), generator=g)


def test_a_member_of_the_stack_is_a_module_trained_alone():
    data = toy_data()
    members = [Member("adam", 0.01), Member("half", 0.01), Member("diffgrad", 0.01), Member("diffgrad", 0.03, 100.0)]
    run = train_mlp(data, data, members, seed=3, epochs=5, hidden=8, batch=16)
    widths = (12, 8, 4)
    for m, member in enumerate(members):
        model = nn.Sequential(nn.Linear(12, 8), nn.ReLU(), nn.Linear(8, 4))
        parts = run.start[m].split([12 * 8, 8, 8 * 4, 4])
        with torch.no_grad():
            for k, layer in enumerate((model[0], model[2])):
                layer.weight.copy_(parts[2 * k].view(widths[k], widths[k + 1]).T)
                layer.bias.copy_(parts[2 * k + 1])
        make = DiffGrad if member.optimizer == "diffgrad" else torch.optim.Adam
        optimizer = make(model.parameters(), lr=member.lr, eps=1e-8 * member.scale)
        rates = rate_schedule(members, 20)
        stream = SharedBatches(64, 16, torch.Generator().manual_seed(3))
        for step in range(20):
            optimizer.param_groups[0]["lr"] = float(rates(step)[m])
            rows = stream.draw()
            optimizer.zero_grad()
            (member.scale * nn.functional.cross_entropy(model(data[0][rows]), data[1][rows])).backward()
            optimizer.step()
        flat = torch.cat([model[0].weight.T.flatten(), model[0].bias, model[2].weight.T.flatten(), model[2].bias])
        assert (flat - run.weights[m]).abs().max() <= 10 * SINGLE  # 20 steps


def test_members_start_alike_and_do_not_depend_on_stack_mates():
    data = toy_data()
    members = [Member("adam", 0.01), Member("diffgrad", 0.01), Member("half", 0.01)]
    together = train_mlp(data, data, members, seed=1, epochs=3, hidden=8, batch=16)
    assert torch.equal(together.start[0], together.start[1])
    alone = train_mlp(data, data, [members[1]], seed=1, epochs=3, hidden=8, batch=16)
    assert (alone.weights[0] - together.weights[1]).abs().max() <= SINGLE
    other = train_mlp(data, data, members, seed=2, epochs=3, hidden=8, batch=16)
    assert not torch.equal(other.start[0], together.start[0])


def test_a_scaled_loss_leaves_adam_alone():
    data = toy_data()
    members = [Member("adam", 0.01), Member("adam", 0.01, 2.0**20), Member("diffgrad", 0.01, 2.0**20)]
    run = train_mlp(data, data, members, seed=1, epochs=3, hidden=8, batch=16)
    # a power of two changes no rounding, except that eps is not exactly representable times it
    assert (run.weights[0] - run.weights[1]).abs().max() <= SINGLE
    torch.testing.assert_close(run.losses[0], run.losses[1], rtol=1e-5, atol=1e-6)
    assert run.distance(0.01, 2.0**20, "adam") < 0.2


def test_rates_fall_in_the_last_fifth():
    rates = rate_schedule([Member("adam", 0.1), Member("half", 0.1)], 10)
    torch.testing.assert_close(rates(7), torch.tensor([0.1, 0.05]))
    torch.testing.assert_close(rates(8), torch.tensor([0.01, 0.005]))


def test_train_mlp_refuses_unknown_optimizers():
    with pytest.raises(ValueError, match="optimizer='sgd'"):
        train_mlp(toy_data(), toy_data(), [Member("sgd", 0.1)], seed=0, epochs=1)


def test_trajectory_distance_by_hand():
    a, b, ref = torch.tensor([[3.0, 4.0], [1.0, 0.0]]), torch.tensor([[3.0, 4.0], [0.0, 0.0]]), torch.zeros(2, 2)
    assert trajectory_distance(a, b, ref).tolist() == [0.0, 1.0]


def test_cnn_is_the_briefs_and_starts_from_its_seed():
    model = cnn.small_cnn(0)
    assert model(torch.zeros(2, 1, 28, 28)).shape == (2, 10)
    assert len(cnn.weights(model)) == 8 * 25 + 8 + 16 * 8 * 25 + 16 + 784 * 10 + 10
    assert torch.equal(cnn.weights(model), cnn.weights(cnn.small_cnn(0)))
    assert not torch.equal(cnn.weights(model), cnn.weights(cnn.small_cnn(1)))


def test_snapshots_are_the_frictions_of_the_optimizer():
    g = torch.Generator().manual_seed(0)
    data = torch.randn(128, 1, 28, 28, generator=g), torch.randint(10, (128,), generator=g)
    run = cnn.watch_friction(data, data, steps=5, seed=0, snapshots=5)
    assert run.at.tolist() == [1, 2, 3, 4, 5]
    for record, xi in zip(run.records, run.snapshots, strict=True):
        assert record.max == pytest.approx(xi.max().item(), abs=1e-6)
        assert record.median == pytest.approx(xi.sort().values[(len(xi) - 1) // 2].item(), abs=1e-6)


def test_reused_gradients_hide_their_change():
    alias = experiments.alias_demo()
    assert set(alias.reused[1:]) == {0.5}
    assert alias.fresh == pytest.approx(alias.copied, abs=SINGLE)
    assert min(alias.copied) > 0.5


def test_games_keep_whole_periods_and_the_first_regret():
    games = experiments.games(SMOKE)
    assert (games.t % 303 == 0).all()
    assert games.regret.shape == games.average.shape == (3, len(games.t), 3)
    assert (abs(games.end) <= 1).all()


def test_each_claim_is_declared_and_measured_once():
    ids = [claim.id for claim in diffgrad.CLAIMS]
    assert ids == [f"D{i}" for i in range(1, 10)]
    assert sorted(ids) == sorted(diffgrad.MEASURES)


def test_claims_without_chance_hold_at_any_size():
    """D1 to D3 draw nothing: they are the same at every size, so smoke may test them."""
    words = {"D1": "reproduced", "D2": "partly", "D3": "holds"}
    for claim in diffgrad.CLAIMS:
        if claim.id in words:
            assert lesson.judge(claim, diffgrad.MEASURES[claim.id](SMOKE)).word == words[claim.id]


def test_measure_depends_on_the_protocol_only():
    moved = SMOKE.replace(lr=0.02, toy="F2")
    assert experiments.grid(moved.protocol) is experiments.grid(SMOKE.protocol)
    values = diffgrad.measure(moved)["D5"].values
    assert list(values) == ["lr 3e-4", "lr 1e-3", "lr 3e-2"]
    assert len(values["lr 1e-3"]) == SMOKE.size.seeds


def test_point_has_finite_scalars_that_move():
    before, after = (diffgrad.point(s).scalars for s in (SMOKE, SMOKE.replace(toy_lr=0.02, loss_scale=1e4)))
    assert before["x_adam"] > 0 > after["x_adam"]
    assert after["distance_adam"] < before["distance_adam"]
    assert set(before) == set(after)


@pytest.mark.standard
def test_quick_verdicts():
    measured = diffgrad.measure(diffgrad.Settings())
    words = {claim.id: lesson.judge(claim, measured[claim.id]).word for claim in diffgrad.CLAIMS}
    assert words == {
        "D1": "reproduced", "D2": "partly", "D3": "holds", "D4": "partly", "D5": "not reproduced",
        "D6": "not reproduced", "D7": "holds", "D8": "not reproduced", "D9": "not tested at this scale",
    }
