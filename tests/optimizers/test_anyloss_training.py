"""Stacked perceptrons and networks against plain loops, folds against their definition, experiments and claims."""
from __future__ import annotations

import numpy as np
import pytest
import torch
from gradscape import lesson
from gradscape.datasets import tables
from gradscape.optimizers import anyloss
from gradscape.optimizers.anyloss import AnyLoss, LossSpec, fit_linear, fold_ids, make_folds
from gradscape.optimizers.anyloss import experiments as ex
from gradscape.optimizers.anyloss.checks import gradient_check, operations_ratio
from gradscape.optimizers.anyloss.networks import NetLoss, Stack, residuals, train_networks
from gradscape.optimizers.anyloss.plane import plane

SMOKE = anyloss.Settings(profile="smoke")
EXACT = 1e-13  # some dozens of steps of order 0.1 in float64


def problem(folds=2, n=40, d=3, seed=0):
    g = torch.Generator().manual_seed(seed)
    X = torch.cat([torch.ones(folds, n, 1), torch.randn(folds, n, d - 1, generator=g)], 2).double()
    y = (X[..., 1] + torch.randn(folds, n, generator=g) > 0.8).double()
    mask = torch.ones(folds, n).double()
    mask[1, -5:] = 0
    return X, y, mask


SPECS = (
    LossSpec("mse"), LossSpec("fbeta", 2.0), LossSpec("bce"), LossSpec("gmean"), LossSpec("weighted_bce"),
    LossSpec("accuracy", L=20.0), LossSpec("fbeta", amplify=False), LossSpec("mcc"), LossSpec("fbeta"),
    LossSpec("balanced_accuracy"),
)


def by_autograd(X, y, spec, rate, iterations):
    theta = torch.zeros(X.shape[1], dtype=torch.float64, requires_grad=True)
    bce = torch.nn.functional.binary_cross_entropy_with_logits
    for _ in range(iterations):
        z = X @ theta
        if spec.name == "mse":
            loss = (z - (2 * y - 1)).square().mean()
        elif spec.name == "bce":
            loss = bce(z, y)
        elif spec.name == "weighted_bce":
            loss = (bce(z[y == 1], y[y == 1]) + bce(z[y == 0], y[y == 0])) / 2
        elif spec.amplify:
            loss = AnyLoss(spec.name, beta=spec.beta, L=spec.L)(z, y)
        else:
            c = anyloss.SoftConfusion.from_probabilities(torch.sigmoid(z), y, amplify=False)
            loss = 1 - anyloss.METRICS[spec.name](c)
        (grad,) = torch.autograd.grad(loss, theta)
        theta = (theta - rate * grad).detach().requires_grad_()
    return theta.detach()


def test_a_stack_is_the_runs_one_by_one():
    X, y, mask = problem()
    together = fit_linear(X, y, SPECS, mask=mask, iterations=30)
    for k, spec in enumerate(SPECS):
        for f in range(2):
            kept = mask[f].bool()
            alone = by_autograd(X[f][kept], y[f][kept], spec, spec.rate, 30)
            torch.testing.assert_close(together[k, f], alone, rtol=0, atol=EXACT)


def test_rates_starts_and_watching():
    X, y, mask = problem()
    seen = {}
    theta = fit_linear(
        X, y, SPECS[:2], mask=mask, iterations=3, lr=[0.1, 0.2], theta0=torch.ones(3),
        watch=lambda k, t: seen.update({k: t.clone()}),
    )
    assert sorted(seen) == [0, 1, 2, 3]
    assert torch.equal(seen[0], torch.ones(2, 2, 3).double())
    assert torch.equal(seen[3], theta)
    assert torch.equal(fit_linear(X, y, SPECS[:2], iterations=0), torch.zeros(2, 2, 3).double())
    assert LossSpec("fbeta", L=146.0).rate == pytest.approx(0.005)
    assert LossSpec("gmean").rate == 0.02


@pytest.mark.parametrize(("change", "words"), [
    ({"X": torch.ones(3, 2)}, r"must be \(F, n, d\)"), ({"X": torch.full((2, 40, 3), float("nan"))}, "NaN"),
    ({"y": torch.full((2, 40), 2.0)}, "labels must be 0 or 1"), ({"y": torch.ones(7)}, "y has shape"),
    ({"losses": []}, "losses is empty"), ({"iterations": -1}, "iterations=-1"), ({"lr": [0.1]}, "lr has 1 entries"),
    ({"lr": -0.1}, "lr=-0.1"), ({"theta0": torch.ones(5)}, "theta0 has shape"),
    ({"mask": torch.zeros(2, 40)}, "without rows"),
])
def test_fit_linear_refuses(change, words):
    X, y, mask = problem()
    arguments = {"X": X, "y": y, "losses": SPECS[:2], "mask": mask, "iterations": 1} | change
    with pytest.raises(ValueError, match=words):
        fit_linear(**arguments)
    with pytest.raises(ValueError, match="name='f1'"):
        LossSpec("f1")


def test_folds_are_a_stratified_partition_standardized_on_their_training_rows():
    x, y = tables.keel("glass2")
    ids = fold_ids(y, 5, torch.Generator().manual_seed(0))
    for label in (0, 1):
        counts = torch.bincount(ids[y == label], minlength=5)
        assert int(counts.max() - counts.min()) <= 1
    folds = make_folds(x, y, ids)
    assert folds.mask.sum() == 4 * len(y)
    assert folds.test_mask.sum() == len(y)
    kept = folds.x[0][folds.mask[0].bool()]
    torch.testing.assert_close(kept[:, 1:].mean(0), torch.zeros(9).double(), rtol=0, atol=1e-12)
    train = x[ids != 0]
    expected = (x[ids == 0] - train.mean(0)) / train.std(0, correction=0)
    torch.testing.assert_close(folds.test_x[0][folds.test_mask[0].bool()][:, 1:], expected, rtol=0, atol=1e-12)
    with pytest.raises(ValueError, match="folds=20"):
        fold_ids(y, 20, torch.Generator())


class Net(torch.nn.Module):
    """The paper's network with torch's own layers."""

    def __init__(self, features, theta):
        super().__init__()
        self.hidden, self.norm = torch.nn.Linear(features, 2), torch.nn.BatchNorm1d(2, eps=1e-3, momentum=0.01)
        self.out = torch.nn.Linear(2, 1)
        weight, bias, gain, shift, out, last = theta.split((2 * features, 2, 2, 2, 2, 1))
        with torch.no_grad():
            for p, value in zip(self.parameters(), (weight.view(features, 2).T, bias, gain, shift, out[None], last),
                                strict=True):
                p.copy_(value)

    def forward(self, x):
        return self.out(torch.sigmoid(self.norm(self.hidden(x))))[:, 0]


def test_a_stacked_network_is_torchs_own_with_its_own_adam():
    x, y = tables.keel("haberman")
    data = make_folds(x, y, fold_ids(y, 3, torch.Generator().manual_seed(0)))
    losses = (NetLoss("bce", 0.003), NetLoss("fbeta"), NetLoss("balanced_accuracy"))
    net = train_networks(data, losses, seeds=[1, 2, 3], epochs=2, share=0.2)
    bce = torch.nn.functional.binary_cross_entropy_with_logits
    objective = {"bce": bce, "fbeta": AnyLoss("fbeta"), "balanced_accuracy": AnyLoss("balanced_accuracy")}
    for k, loss in enumerate(losses):
        g = torch.Generator().manual_seed(2)
        peer = Net(3, Stack(3, 1, [g]).theta[0, 0].detach()).double()
        optimizer = torch.optim.Adam(peer.parameters(), lr=loss.lr, eps=1e-7)
        batch = int(0.2 * int(data.mask.sum(1).min()))
        for _ in range(2):
            order = torch.randperm(int(data.mask[1].sum()), generator=g)
            for j in range(int(data.mask.sum(1).min()) // batch):
                rows = order[j * batch : (j + 1) * batch]
                optimizer.zero_grad()
                objective[loss.metric](peer(data.x[1, rows, 1:]), data.y[1, rows]).backward()
                optimizer.step()
        ours = net.logits(data.test_x[..., 1:], training=False)[k, 1].detach()
        peer.eval()
        # torch's running variance divides by n - 1, Keras' and ours by n: they differ by a share 1 / batch of 2 %
        torch.testing.assert_close(net.theta[k, 1, :6].view(3, 2).T.detach(), peer.hidden.weight.detach(),
                                   rtol=0, atol=1e-10)
        torch.testing.assert_close(ours, peer(data.test_x[1, :, 1:]).detach(), rtol=0.02, atol=0.02)


def test_a_wrong_n_leaves_recall_alone():
    z, y = torch.randn(1, 1, 20).double(), (torch.arange(20) < 4).double()[None]
    rows = torch.tensor([10**9])
    wrong = residuals(z, y, [NetLoss("balanced_accuracy", whole_n=True)], rows, 73.0)
    right = residuals(z, y, [NetLoss("balanced_accuracy")], rows, 73.0)
    torch.testing.assert_close(wrong[..., :4], right[..., :4])
    assert wrong[..., 4:].abs().max() < 1e-6 * right.abs().max()
    with pytest.raises(ValueError, match="cannot be normalized"):
        train_networks(ex.folded("glass2", 0, 0, 1), [NetLoss("bce")], seeds=[0] * 5, share=0.001)


def test_experiments_answer_the_same_whatever_stands_beside_them():
    whole = ex.score("glass0", 3, 0, 2, iterations=40)
    for r in range(2):
        np.testing.assert_allclose(whole[..., r], ex.score("glass0", 3, r, r + 1, iterations=40)[..., 0], atol=1e-12)
    assert whole.shape == (5, 4, 2)


def test_the_random_set_has_a_tenth_of_positives_and_uncorrelated_columns():
    X, y = ex.random_set(0, 2000)
    assert 0.08 < float(y.mean()) < 0.13
    covariance = torch.cov(X[0, :, 1:].T)
    assert abs(float(covariance[0, 1])) < 1e-8
    gap = ex.soft_gap((5.0, 73.0), rows=1000, iterations=200)
    assert gap.gap[0] < gap.gap[1] < 0


def test_the_checks():
    found = gradient_check(5)
    assert found.error < 1e-12
    assert found.ratio == pytest.approx((4, 4), abs=1e-6)
    assert 1 < operations_ratio(200) < 5


def test_the_plane_knows_the_population():
    settings = SMOKE.replace(n=2000, separation=2.0, positive_rate=0.5, metric="accuracy")
    flat = plane(settings)
    # the best accuracy of any rule on two unit normals two apart is Phi(1)
    assert flat.true.max() <= 0.8413448
    assert flat.true.min() > 0.82
    assert flat.true == pytest.approx(np.full(3, flat.hard[-1]), abs=0.03)
    assert flat.active[0] == 1


def test_measure_depends_on_the_protocol_only_and_every_claim_is_measured():
    measured = anyloss.measure(SMOKE.replace(L=10.0, table="pima"))
    assert list(measured) == [claim.id for claim in anyloss.CLAIMS]
    assert ex.over_tables(SMOKE) is ex.over_tables(SMOKE.replace(L=10.0).protocol)
    for claim in anyloss.CLAIMS:
        assert lesson.judge(claim, measured[claim.id], smoke=True).word == "not tested at this scale"
    assert measured["M7"].values["largest error"] < 1e-10


def test_point_moves_with_the_settings():
    before, after = (anyloss.point(s).scalars for s in (SMOKE, SMOKE.replace(start=3.0, L=200.0)))
    assert set(before) == set(after)
    assert before["anyloss"] != after["anyloss"]
    assert all(0 <= value <= 1 for value in before.values())
