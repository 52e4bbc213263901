"""Advantages and objectives against closed forms, autograd, finite differences and enumeration."""
from __future__ import annotations

import itertools
import math

import pytest
import torch
from gradscape.agents import policy_gradient as pg
from hypothesis import given, settings
from hypothesis import strategies as st

MANY = settings(max_examples=60, deadline=None)
EXACT = 1e-12  # float64: sums of a few terms


def zeros(n: int) -> torch.Tensor:
    return torch.zeros(n, dtype=torch.int64)


def d(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def problem(n: int = 5, H: int = 4, seed: int = 0):
    g = torch.Generator().manual_seed(seed)
    logp = -torch.rand(n, H, generator=g, dtype=torch.float64) - 0.1
    A = torch.randn(n, generator=g, dtype=torch.float64)
    mask = pg.turn_mask(torch.tensor([4, 2, 3, 1, 4][:n]), H)
    return logp, A, mask


class TestAdvantages:
    def test_by_hand(self):
        assert pg.opmd_advantages(d(1, 0, 0, 0), zeros(4)).tolist() == [0.75, -0.25, -0.25, -0.25]
        # sample standard deviation of (1, 0, 0, 0) is 1/2
        assert pg.grpo_advantages(d(1, 0, 0, 0), zeros(4), eps=0.0).tolist() == [1.5, -0.5, -0.5, -0.5]
        for same in (d(1, 1, 1), d(0, 0, 0), d(0.3)):
            assert pg.grpo_advantages(same, zeros(len(same))).abs().max() < EXACT
        assert pg.raft_advantages(d(1, 0.5, 0)).tolist() == [1, 0, 0]

    @MANY
    @given(st.lists(st.tuples(st.sampled_from([0.0, 0.5, 1.0]), st.sampled_from([0, 3, 7])), min_size=1, max_size=20))
    def test_against_a_loop(self, pairs):
        rewards, ids = d(*(r for r, _ in pairs)), torch.tensor([g for _, g in pairs])
        for normalise in (None, "std"):
            A = pg.group_advantages(rewards, ids, normalise=normalise)
            for i, (r, g) in enumerate(pairs):
                mine = [x for x, h in pairs if h == g]
                mean = sum(mine) / len(mine)
                spread = math.sqrt(sum((x - mean) ** 2 for x in mine) / max(1, len(mine) - 1))
                expected = r - mean if normalise is None else (r - mean) / (spread + 1e-6)
                assert abs(float(A[i]) - expected) < 1e-9
            for g in set(ids.tolist()):
                assert abs(float(A[ids == g].sum())) < 1e-9

    @pytest.mark.parametrize("n", [2, 4, 8])
    def test_positive_and_negative_mass_are_equal(self, n):
        for c in range(1, n):
            A = pg.grpo_advantages(d(*[1] * c, *[0] * (n - c)), zeros(n))
            assert abs(float(A[A > 0].sum() / A[A < 0].abs().sum()) - 1) < EXACT

    @pytest.mark.parametrize(
        ("rewards", "group", "message"),
        [
            (d(1, math.nan), zeros(2), "rewards holds 1 NaN"), (d(1, 2), zeros(3), "group"), (d(), zeros(0), "empty"),
            (d(1, 2), torch.tensor([0, -1]), "ids >= 0"), (d(1, 2), d(0, 1), "int64"),
            (torch.tensor([1, 0]), zeros(2), "floating"), (d(1, 2)[None], zeros(2), "shape"),
        ],
    )
    def test_bad_arguments(self, rewards, group, message):
        with pytest.raises(ValueError, match=message):
            pg.grpo_advantages(rewards, group)

    def test_unknown_normalization(self):
        with pytest.raises(ValueError, match="normalise='mean'"):
            pg.group_advantages(d(1), zeros(1), normalise="mean")


class TestLoss:
    def test_value_and_gradient_in_closed_form(self):
        logp, A, mask = problem()
        total = sum(float(A[i] * logp[i, t]) for i in range(5) for t in range(4) if mask[i, t])
        logp.requires_grad_()
        loss = pg.policy_gradient_loss(logp, A, mask)
        assert abs(float(loss.detach()) + total / 14) < EXACT
        [grad] = torch.autograd.grad(loss, logp)
        assert torch.equal(grad[~mask], torch.zeros_like(grad[~mask]))  # exactly 0 where masked
        assert torch.allclose(grad, -A[:, None] * mask / 14, atol=EXACT)

    @pytest.mark.parametrize("clip", [None, 0.2])
    @pytest.mark.parametrize("reduction", pg.REDUCTIONS)
    def test_finite_differences(self, clip, reduction):
        logp, A, mask = problem(seed=1)
        old = logp + 0.4 * torch.randn(logp.shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
        assert torch.autograd.gradcheck(
            lambda x: pg.policy_gradient_loss(x, A, mask, old_logp=old, clip=clip, reduction=reduction),
            logp.requires_grad_())
        assert torch.autograd.gradcheck(lambda x: pg.kl_k3(x, old, mask, reduction=reduction), logp)

    def test_at_the_old_policy_the_gradient_is_the_plain_one(self):
        logp, A, mask = problem()
        logp.requires_grad_()
        [plain] = torch.autograd.grad(pg.policy_gradient_loss(logp, A, mask), logp)
        [clipped] = torch.autograd.grad(
            pg.policy_gradient_loss(logp, A, mask, old_logp=logp.detach(), clip=0.2), logp)
        assert torch.allclose(plain, clipped, atol=EXACT)

    def test_the_clip_stops_gains_and_not_losses(self):
        """One turn each: ratio 1.5 or 0.5, advantage +1 or −1 (PPO's Figure 1)."""
        for ratio, A, expected, moves in ((1.5, 1, 1.2, 0), (1.5, -1, -1.5, 1), (0.5, 1, 0.5, 1), (0.5, -1, -0.8, 0)):
            logp = d(math.log(ratio))[None].requires_grad_()
            one = torch.ones(1, 1, dtype=torch.bool)
            loss = pg.policy_gradient_loss(logp, d(A), one, old_logp=d(0)[None], clip=0.2)
            assert abs(float(loss.detach()) + expected) < EXACT
            [grad] = torch.autograd.grad(loss, logp)
            assert bool(grad.abs().max() > 0) == bool(moves)

    def test_reductions_and_denominator(self):
        logp, A, mask = problem()
        by_hand = -sum(float(A[i]) * float(logp[i][mask[i]].mean()) for i in range(5)) / 5
        assert abs(float(pg.policy_gradient_loss(logp, A, mask, reduction="trajectory")) - by_hand) < EXACT
        A = A * d(1, 0, 1, 0, 1)
        some = A != 0
        part = pg.policy_gradient_loss(logp[some], A[some], mask[some], total=int(mask.sum()))
        assert abs(float(part - pg.policy_gradient_loss(logp, A, mask))) < EXACT
        assert float(pg.policy_gradient_loss(logp, A, torch.zeros_like(mask))) == 0
        turnwise = A[:, None].expand_as(logp)
        assert torch.equal(pg.policy_gradient_loss(logp, turnwise, mask), pg.policy_gradient_loss(logp, A, mask))

    def test_masked_places_may_hold_anything(self):
        logp, A, mask = problem()
        loss = pg.policy_gradient_loss(logp, A, mask, old_logp=logp)
        spoilt = torch.where(mask, logp, math.nan)
        assert torch.equal(pg.policy_gradient_loss(spoilt, A, mask, old_logp=spoilt), loss)

    @MANY
    @given(st.lists(st.floats(-5, 5), min_size=4, max_size=4))
    def test_k3_is_never_negative_and_0_at_equality(self, shifts):
        logp, mask = problem(1)[0], torch.ones(1, 4, dtype=torch.bool)
        assert float(pg.kl_k3(logp, logp + d(*shifts), mask)) >= 0
        assert float(pg.kl_k3(logp, logp, mask)) == 0

    def test_k3_is_unbiased(self):
        """Its expectation under pi is KL(pi || ref), by enumeration of three outcomes."""
        pi, ref = d(0.5, 0.3, 0.2), d(0.2, 0.2, 0.6)
        one = torch.ones(1, 1, dtype=torch.bool)
        k3 = [float(pg.kl_k3(p.log().reshape(1, 1), r.log().reshape(1, 1), one)) for p, r in zip(pi, ref, strict=True)]
        kl = float((pi * (pi / ref).log()).sum())
        assert abs(sum(float(p) * k for p, k in zip(pi, k3, strict=True)) - kl) < EXACT

    def test_expected_gradient_of_a_bandit(self):
        """OPMD on a softmax bandit, all groups of N enumerated: E g = (N−1)/N · grad of the expected reward."""
        N, theta, reward = 3, d(0.3, -0.2, 0.1).requires_grad_(), d(1, 0, 0.5)
        logp = theta.log_softmax(0)
        p = logp.detach().exp()
        expected = torch.zeros(3, dtype=torch.float64)
        for actions in itertools.product(range(3), repeat=N):
            index = torch.tensor(actions)
            A = pg.opmd_advantages(reward[index], zeros(N))
            loss = pg.policy_gradient_loss(logp[index][:, None], A, torch.ones(N, 1, dtype=torch.bool))
            [g] = torch.autograd.grad(-loss, theta, retain_graph=True)
            expected += p[index].prod() * g
        [true] = torch.autograd.grad((logp.exp() * reward).sum(), theta)
        assert torch.allclose(expected, (N - 1) / N * true, atol=EXACT)

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"advantages": d(1)}, "advantages has shape"),
            ({"mask": torch.ones(5, 3, dtype=torch.bool)}, "mask has shape"),
            ({"mask": torch.ones(5, 4)}, "must be bool"), ({"clip": 0.2}, "needs old_logp"),
            ({"clip": 1.5, "old_logp": problem()[0]}, "clip=1.5"), ({"old_logp": d(1)}, "old_logp has shape"),
            ({"reduction": "sum"}, "reduction='sum'"), ({"total": 0}, "total=0"),
            ({"logp": problem()[0] * math.nan}, "logp holds NaN"),
            ({"advantages": d(*[math.inf] * 5)}, "advantages holds"),
        ],
    )
    def test_bad_arguments(self, change, message):
        logp, A, mask = problem()
        with pytest.raises(ValueError, match=message):
            pg.policy_gradient_loss(**{"logp": logp, "advantages": A, "mask": mask, **change})


def test_turn_mask():
    mask = pg.turn_mask(torch.tensor([3, 1]), 4, torch.tensor([1, 1]))
    assert mask.tolist() == [[False, True, True, False], [False] * 4]


class TestPassAtK:
    @pytest.mark.parametrize("k", [1, 2, 3, 5])
    def test_against_enumeration(self, k):
        success = torch.tensor([[1, 0, 0, 1, 0], [0, 0, 0, 0, 0], [1, 1, 1, 1, 1], [0, 0, 0, 0, 1]])
        expected = [
            sum(any(row[i] for i in chosen) for chosen in itertools.combinations(range(5), k)) / math.comb(5, k)
            for row in success.tolist()
        ]
        assert abs(pg.pass_at_k(success, k) - sum(expected) / 4) < EXACT

    @pytest.mark.parametrize(
        ("success", "k"), [(torch.ones(2, 3), 0), (torch.ones(2, 3), 4), (torch.ones(3), 1), (torch.ones(0, 3), 1),
                           (torch.full((2, 2), 0.5), 1), (torch.full((2, 2), math.nan), 1)])
    def test_bad_arguments(self, success, k):
        with pytest.raises(ValueError, match=r"k=|success"):
            pg.pass_at_k(success, k)
