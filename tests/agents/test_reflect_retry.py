"""R3L's algorithms: amplification, the pivotal mask, reflection, retry, the training loop."""
from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from gradscape.agents.policy_gradient import grpo_advantages, kl_k3, policy_gradient_loss
from gradscape.agents.reflect_retry import (
    METHODS,
    RULES,
    Experience,
    Reflection,
    Trainer,
    advantage_mass,
    dominance_ratio,
    oracle_reflect,
    pivotal_mask,
    positive_amplification,
    random_reflect,
    reflect,
    retry,
    trigger,
)
from gradscape.agents.toolworld import make_tasks, replay, well_typed
from gradscape.agents.turnpolicy import load_base, rollout
from hypothesis import given
from hypothesis import strategies as st

EXACT = 1e-12
ROUNDING = 1e-5  # sums of a few dozen float32 numbers


def one_group(*rewards: float) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.tensor(rewards, dtype=torch.float64), torch.zeros(len(rewards), dtype=torch.int64)


@pytest.fixture(scope="module")
def policy():
    return load_base(0.0)


@pytest.fixture(scope="module")
def tasks():
    return make_tasks(48, n_goals=(1, 2), pviol=1.0, seed=4)


@pytest.fixture(scope="module")
def tried(policy, tasks):
    """Attempts, with the oracle's reflections on those that failed and can be retried."""
    batch = rollout(policy, tasks, generator=torch.Generator().manual_seed(0))
    said = oracle_reflect(batch, tasks)
    rows = trigger(said, batch.length).nonzero()[:, 0]
    assert len(rows) > 20
    return batch[rows], Reflection(*(part[rows] for part in said)), [tasks[row] for row in rows.tolist()]


# Amplification -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("rewards", "rule", "alpha", "expected"), [
    ((1, 0, 0, 0), "paper", 3, (3, -0.25, -0.25, -0.25)),
    ((1, 0, 0, 0), "code", 3, (1, -0.25, -0.25, -0.25)),
    ((1, 0, 0, 0), "scale", 3, (2.25, -0.25, -0.25, -0.25)),
    ((1, 0, 0, 0), "scale", 1, (0.75, -0.25, -0.25, -0.25)),
    ((1, 1, 1, 1), "paper", 3, (3, 3, 3, 3)),
    ((1, 1, 1, 1), "code", 3, (1, 1, 1, 1)),
    ((1, 1, 1, 1), "scale", 3, (0, 0, 0, 0)),
    ((0, 0), "paper", 3, (0, 0)),
    ((0, 0), "code", 3, (0, 0)),
    ((0, 0), "scale", 3, (0, 0)),
    ((0.5, 0), "paper", 3, (0.75, -0.25)),
    ((0.5, 0), "code", 3, (0.75, -0.25)),
])
def test_table_of_amplified_advantages(rewards, rule, alpha, expected):
    found = positive_amplification(*one_group(*map(float, rewards)), alpha=alpha, rule=rule)
    assert found.tolist() == list(expected)


def test_groups_do_not_mix_and_a_group_of_one_has_no_baseline():
    rewards = torch.tensor([1.0, 1.0, 0.0, 0.4])
    group = torch.tensor([7, 2, 2, 0])
    for rule, alpha, expected in (("code", 3.0, [1, 1, -0.5, 1.2]), ("scale", 1.0, [1, 0.5, -0.5, 0.4])):
        assert positive_amplification(rewards, group, rule=rule, alpha=alpha).tolist() == pytest.approx(expected)


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=2, max_size=24), st.floats(1.0, 5.0))
def test_official_formulas_on_random_groups(pairs, alpha):
    """The official code's opmd_reweight_adv and grpo, written out in plain Python."""
    group = torch.tensor([g for g, _ in pairs])
    rewards = torch.tensor([float(r) for _, r in pairs], dtype=torch.float64)
    found = {rule: positive_amplification(rewards, group, alpha=alpha, rule=rule).tolist() for rule in RULES}
    std = grpo_advantages(rewards, group).tolist()
    for k, (g, r) in enumerate(pairs):
        members = [float(x) for h, x in pairs if h == g]
        mean = sum(members) / len(members) if len(members) > 1 else 0.0
        score = float(r) - mean
        assert found["code"][k] == pytest.approx(1.0 if r else (score * alpha if score > 0 else score), abs=EXACT)
        assert found["paper"][k] == pytest.approx(alpha if r else score, abs=EXACT)
        assert found["scale"][k] == pytest.approx(alpha * score if score > 0 else score, abs=EXACT)
        if len(members) > 1:
            assert std[k] == pytest.approx((float(r) - mean) / (np.std(members, ddof=1) + 1e-6), abs=1e-9)


def test_normalized_by_the_standard_deviation():
    A = positive_amplification(*one_group(1.0, 0.0, 0.0, 0.0), rule="scale", alpha=2.0, normalise="std")
    assert A.tolist() == pytest.approx([2 * 0.75 / (0.5 + 1e-6), *[-0.25 / (0.5 + 1e-6)] * 3])


@pytest.mark.parametrize(("change", "named"), [
    ({"alpha": 0.9}, "alpha"), ({"alpha": math.nan}, "alpha"), ({"alpha": math.inf}, "alpha"),
    ({"rule": "page"}, "rule"), ({"r_max": 0.0}, "r_max"), ({"normalise": "range"}, "normalise"),
    ({"rewards": torch.tensor([1.0, math.nan])}, "rewards"), ({"rewards": torch.tensor([1, 0])}, "rewards"),
    ({"group": torch.tensor([0, -1])}, "group"), ({"group": torch.tensor([0])}, "group"),
    ({"rewards": torch.empty(0)}, "rewards"),
])
def test_bad_groups_are_refused(change, named):
    given = {"rewards": torch.tensor([1.0, 0.0]), "group": torch.tensor([0, 0]), **change}
    with pytest.raises(ValueError, match=named):
        positive_amplification(given.pop("rewards"), given.pop("group"), **given)


# Dominance -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("alpha", [1.0, 3.0, 4.5])
@pytest.mark.parametrize("N", [2, 5, 8, 16])
def test_dominance_in_closed_form(N, alpha):
    for c in range(1, N):
        rewards, group = one_group(*[1.0] * c, *[0.0] * (N - c))
        masses = {rule: advantage_mass(positive_amplification(rewards, group, alpha=alpha, rule=rule))
                  for rule in RULES}
        masses["none"] = advantage_mass(grpo_advantages(rewards, group))
        for rule, (positive, negative) in masses.items():
            assert dominance_ratio(c, N, alpha=alpha, rule=rule) == pytest.approx(positive / negative, rel=EXACT)
        assert dominance_ratio(c, N, alpha=alpha) == pytest.approx(alpha * N / (N - c), rel=EXACT)


def test_dominance_without_contrast():
    assert dominance_ratio(8, 8) == dominance_ratio(8, 8, rule="code") == math.inf
    assert all(math.isnan(dominance_ratio(c, 8, rule=rule)) for c, rule in ((8, "none"), (8, "scale"), (0, "paper")))
    for arguments in ((9, 8), (-1, 8), (1, 0)):
        with pytest.raises(ValueError, match=r"successes|group_size"):
            dominance_ratio(*arguments)


# Mask and loss -------------------------------------------------------------------------------------------------------


def test_mask():
    mask = pivotal_mask(torch.tensor([3, 2, 4]), torch.tensor([1, 0, 3]), 4)
    assert mask.int().tolist() == [[0, 1, 1, 0], [1, 1, 0, 0], [0, 0, 0, 1]]
    assert torch.equal(pivotal_mask(torch.tensor([4, 1]), torch.zeros(2, dtype=torch.int64), 4).sum(1),
                       torch.tensor([4, 1]))


@pytest.mark.parametrize(("lengths", "pivots", "horizon", "named"), [
    ([5], [0], 4, "lengths"), ([4], [5], 4, "pivots"), ([4], [-1], 4, "pivots"), ([4], [1, 1], 4, "pivots"),
    ([4.0], [0], 4, "lengths"), ([4], [0], 0, "horizon"),
])
def test_bad_masks_are_refused(lengths, pivots, horizon, named):
    with pytest.raises(ValueError, match=named):
        pivotal_mask(torch.tensor(lengths), torch.tensor(pivots), horizon)


@pytest.mark.parametrize("reduction", ["turn-mean", "trajectory"])
def test_masked_turns_get_exactly_no_gradient(reduction):
    generator = torch.Generator().manual_seed(1)
    logp = torch.randn(6, 12, generator=generator).requires_grad_()
    length = torch.randint(4, 13, (6,), generator=generator)
    mask = pivotal_mask(length, length // 2, 12)
    loss = policy_gradient_loss(logp, torch.randn(6, generator=generator), mask, reduction=reduction)
    (gradient,) = torch.autograd.grad(loss, logp)
    assert bool((gradient[~mask] == 0).all())
    assert bool((gradient[mask] != 0).all())


def test_clipped_ratio_at_one_is_plain_policy_gradient():
    generator = torch.Generator().manual_seed(2)
    logp = torch.randn(5, 7, generator=generator).requires_grad_()
    A, mask = torch.randn(5, generator=generator), torch.rand(5, 7, generator=generator) < 0.7
    plain, clipped = (torch.autograd.grad(loss, logp)[0] for loss in (
        policy_gradient_loss(logp, A, mask), policy_gradient_loss(logp, A, mask, old_logp=logp.detach(), clip=0.2)))
    assert torch.allclose(plain, clipped, atol=1e-7)


@given(st.lists(st.floats(-3, 3), min_size=4, max_size=4), st.lists(st.floats(-3, 3), min_size=4, max_size=4))
def test_k3_is_never_negative(a, b):
    logp, ref = torch.tensor([a]), torch.tensor([b])
    mask = torch.ones(1, 4, dtype=torch.bool)
    assert float(kl_k3(logp, ref, mask)) >= 0
    assert float(kl_k3(logp, logp, mask)) == 0


# Reflection ----------------------------------------------------------------------------------------------------------


def test_trigger_needs_a_failure_and_a_turn_of_the_attempt():
    calls = torch.zeros(5, 3, dtype=torch.int64)
    said = Reflection(torch.tensor([2, 1, 0, 2, 2]), torch.tensor([0, 2, 0, 3, 4]), calls)
    assert trigger(said, torch.full((5,), 3)).tolist() == [True, True, False, False, False]
    with pytest.raises(ValueError, match="lengths"):
        trigger(said, torch.tensor([3]))


def test_random_reflections_know_the_verdict_only(policy, tasks):
    batch = rollout(policy, tasks, generator=torch.Generator().manual_seed(3))
    said = random_reflect(batch, torch.Generator().manual_seed(0))
    assert torch.equal(said.outcome == 0, batch.success > 0.5)
    assert bool((said.pivot < batch.length).all())
    assert bool((said.pivot >= 0).all())
    assert all(well_typed(tuple(call)) and call[0] != 0 for call in said.call.tolist())
    assert len(set(said.call[:, 0].tolist())) > 5


def test_the_policy_reflects_much_better_than_chance(policy, tasks):
    batch = rollout(policy, tasks, generator=torch.Generator().manual_seed(3))
    truth, said = oracle_reflect(batch, tasks), reflect(policy, batch, temperature=0.0)
    failed = batch.success < 0.5
    assert float((said.outcome == truth.outcome).float().mean()) > 0.85
    assert float((said.pivot == truth.pivot)[failed].float().mean()) > 0.6
    with pytest.raises(ValueError, match="tasks"):
        oracle_reflect(batch, tasks[1:])


# Retry ---------------------------------------------------------------------------------------------------------------


def test_copies_differ_in_the_guidance_slot_only(policy, tried):
    batch, said, tasks = tried
    again = retry(policy, batch, said, tasks=tasks, generator=torch.Generator().manual_seed(1))
    assert torch.equal(again.pivot, said.pivot)
    for name in ("goals", "calls", "obs", "length", "success"):
        assert torch.equal(getattr(again.guided, name), getattr(again.distilled, name)), name
    assert torch.equal(again.guided.guidance, torch.cat([said.call, said.pivot[:, None] + 1], 1))
    assert not bool(again.distilled.guidance.any())


def test_attempt_and_retry_share_the_turns_before_the_pivot(policy, tried):
    batch, said, tasks = tried
    again = retry(policy, batch, said, tasks=tasks, generator=torch.Generator().manual_seed(1))
    for row, (task, k) in enumerate(zip(tasks, said.pivot.tolist(), strict=True)):
        assert torch.equal(batch.calls[row, :k], again.distilled.calls[row, :k])
        assert torch.equal(batch.obs[row, :k], again.distilled.obs[row, :k])
        episode = again.distilled.episode(row)  # what was seen is what the world answers
        assert replay(task, episode.calls).observations == episode.observations
        assert replay(task, episode.calls).success == episode.success
    assert torch.equal(again.generated, again.distilled.length - said.pivot)
    assert bool((again.generated >= 1).all())


def test_offset_restart_and_guidance(policy, tried):
    batch, said, tasks = tried
    made = {shift: retry(policy, batch, said, tasks=tasks, offset=shift, generator=torch.Generator().manual_seed(1))
            for shift in (-12, 1, 12)}
    assert made[-12].pivot.tolist() == [0] * len(batch)
    assert torch.equal(made[12].pivot, batch.length - 1)
    assert torch.equal(made[1].pivot, torch.minimum(said.pivot + 1, batch.length - 1))
    start = retry(policy, batch, said, tasks=tasks, restart="start", generator=torch.Generator().manual_seed(1))
    assert start.pivot.tolist() == [0] * len(batch)
    assert torch.equal(start.guided.guidance[:, 3], said.pivot + 1)
    assert torch.equal(start.generated, start.distilled.length)
    untold = retry(policy, batch, said, tasks=tasks, guidance=False, generator=torch.Generator().manual_seed(1))
    assert not bool(untold.guided.guidance.any())


def test_guidance_makes_retries_work(policy, tried):
    batch, said, tasks = tried
    told, alone = (retry(policy, batch, said, tasks=tasks, guidance=guidance,
                         generator=torch.Generator().manual_seed(1)).distilled.success.mean()
                   for guidance in (True, False))
    assert told > alone + 0.2


@pytest.mark.parametrize(("change", "named"), [
    ({"restart": "middle"}, "restart"), ({"offset": 0.5}, "offset"), ({"offset": True}, "offset"),
    ({"tasks": []}, "tasks"),
])
def test_bad_retries_are_refused(policy, tried, change, named):
    batch, said, tasks = tried
    with pytest.raises(ValueError, match=named):
        retry(policy, batch, said, **{"tasks": tasks, **change})
    with pytest.raises(ValueError, match="reflection"):
        retry(policy, batch, Reflection(*(part[1:] for part in said)), tasks=tasks)


# Training ------------------------------------------------------------------------------------------------------------


def silent(batch, tasks, generator):
    """A reflector that never asks for a retry."""
    return Reflection(torch.zeros(len(batch), dtype=torch.int64), torch.zeros(len(batch), dtype=torch.int64),
                      torch.zeros(len(batch), 3, dtype=torch.int64))


def small(policy, tasks, **changes):
    how = {"method": "r3l", "iterations": 2, "tasks_per_step": 8, "steps_per_batch": 2, "seed": 5, **changes}
    return Trainer(policy.copy(), tasks, **how)


def test_without_a_retry_or_amplification_it_is_opmd_bit_for_bit(policy, tasks):
    ours = small(policy, tasks, reflector=silent, alpha=1.0, rule="scale", group_size=8)
    theirs = small(policy, tasks, method="opmd", group_size=4)
    histories = [trainer.run(tasks[:6]) for trainer in (ours, theirs)]
    assert histories[0].success.tolist() == histories[1].success.tolist()
    assert histories[0].gradient_norm.tolist() == histories[1].gradient_norm.tolist()
    for a, b in zip(ours.policy.parameters(), theirs.policy.parameters(), strict=True):
        assert torch.equal(a, b)
    assert not torch.equal(next(iter(ours.policy.parameters())), next(iter(policy.parameters())))


def test_rows_without_advantage_are_left_out_of_the_forward_only(policy, tasks):
    trainer = small(policy, tasks)
    experience, _ = trainer.explore()
    logp = trainer.policy.logp(experience.explore)
    whole = policy_gradient_loss(logp, experience.advantages, experience.mask, total=experience.total)
    # the imitation terms count in the denominator: take them out of it on both sides
    bare = replace(experience, guided=None, guided_mask=None, judged=None)
    scale = bare.total / experience.total
    assert 0 < int((experience.advantages == 0).sum()) < len(experience.explore)
    short = trainer.plain_loss(bare, torch.empty(0), torch.empty(0))
    assert float(whole.detach()) == pytest.approx(float(short.detach()) * scale, rel=ROUNDING)


def test_one_explore_group_a_task_with_both_members_masked(policy, tasks):
    trainer = small(policy, tasks, reflector="oracle")
    experience, numbers = trainer.explore()
    n = 8 * 4  # first attempts
    retries = len(experience.explore) - n
    assert retries == round(numbers.trigger_rate * n) > 0
    assert set(experience.group[n:].tolist()) <= set(experience.group[:n].tolist())
    assert torch.bincount(experience.group).max() <= 8
    turns, mask = experience.explore.turns, experience.mask
    hidden = (turns & ~mask).sum(1)
    for pair in range(n, n + retries):  # the partner shares the hidden turns exactly
        k = int(hidden[pair])
        if not k:
            continue
        partners = [row for row in range(n) if experience.group[row] == experience.group[pair] and hidden[row] == k and
                    torch.equal(experience.explore.calls[row, :k], experience.explore.calls[pair, :k])]
        assert partners
    assert sorted(hidden[:n][hidden[:n] > 0].tolist()) == sorted(hidden[n:][hidden[n:] > 0].tolist())
    assert not bool(experience.explore.guidance.any())  # nothing guided is learned from by reinforcement
    assert numbers.generated == int(mask[n:].sum()) + int(experience.explore.length[:n].sum())
    uncredited, _ = small(policy, tasks, reflector="oracle", credit=False).explore()
    assert torch.equal(uncredited.mask, uncredited.explore.turns)


def test_only_verified_improvements_are_imitated(policy, tasks):
    experience, _ = small(policy, tasks, reflector="oracle").explore()
    assert experience.judged is None  # an oracle's reflections are not the policy's to learn
    assert experience.guided is not None
    assert bool((experience.guided.success > 0.5).all())
    assert bool((experience.guided.guidance[:, 3] > 0).all())
    assert torch.equal(experience.guided_mask.int().argmax(1), experience.guided.guidance[:, 3] - 1)
    own, _ = small(policy, tasks).explore()
    assert own.judged is not None
    for row in range(len(own.judged)):  # a success called a success, or a failure whose retry succeeded
        assert bool(own.judged.success[row] > 0.5) or own.said.outcome[row] != 0
    untold, _ = small(policy, tasks, guidance=False).explore()
    assert untold.guided is None


def test_imitation_has_weight_one(policy, tasks):
    trainer = small(policy, tasks)
    experience, _ = trainer.explore()
    nothing = Experience(experience.explore[:1], experience.group[:1], torch.zeros(1),
                         torch.zeros_like(experience.mask[:1]), guided=experience.guided,
                         guided_mask=experience.guided_mask)
    loss = trainer.plain_loss(nothing, torch.empty(0), torch.empty(0))
    logp = trainer.policy.logp(experience.guided)[experience.guided_mask].detach()
    assert float(loss.detach()) == pytest.approx(-float(logp.mean()), rel=ROUNDING)


def test_baselines_have_no_second_attempts(policy, tasks):
    for method in ("grpo", "raft", "opmd", "opmd_pa"):
        experience, numbers = small(policy, tasks, method=method).explore()
        assert len(experience.explore) == 64
        assert torch.equal(experience.mask, experience.explore.turns)
        assert numbers.generated == int(experience.explore.length.sum())
        assert math.isnan(numbers.trigger_rate)
    raft, _ = small(policy, tasks, method="raft").explore()
    assert torch.equal(raft.advantages, raft.explore.success)
    again, _ = small(policy, tasks, method="reflect_grpo").explore()
    assert torch.equal(again.mask, again.explore.turns)
    assert torch.equal(again.advantages, grpo_advantages(again.explore.success, again.group))
    assert again.guided is again.judged is None


def test_every_method_sees_the_same_tasks(policy, tasks):
    goals = {method: small(policy, tasks, method=method).explore()[0].explore.goals for method in METHODS}
    firsts = {method: {tuple(g.flatten().tolist()) for g in found} for method, found in goals.items()}
    assert all(found == firsts["r3l"] for found in firsts.values())


def test_history(policy, tasks):
    steps: list[tuple[int, int]] = []
    run = small(policy, tasks).run(tasks[:6], lambda done, total: steps.append((done, total)))
    assert steps == [(1, 2), (2, 2)]
    assert run.evaluated.tolist() == [0, 2]
    assert len(run.generated) == len(run.retry_success) == 2
    assert run.generated[1] > run.generated[0] > 0
    assert run.at(2) == run.success[1]
    assert math.isnan(run.area)
    with pytest.raises(ValueError, match="iteration=1"):
        run.at(1)
    longer = small(policy, tasks, iterations=3).run(tasks[:6])
    assert longer.until(2).generated.tolist() == run.generated.tolist()
    assert longer.until(0).success.tolist() == run.success[:1].tolist()


def test_own_advantages(policy, tasks):
    seen = []

    def rule(rewards, group):
        seen.append(len(rewards))
        return positive_amplification(rewards, group, alpha=2.0)

    ours, named = small(policy, tasks, rule=rule).run(tasks[:4]), small(policy, tasks, alpha=2.0).run(tasks[:4])
    assert len(seen) == 2
    assert ours.gradient_norm.tolist() == named.gradient_norm.tolist()


@pytest.mark.parametrize(("change", "named"), [
    ({"method": "ppo"}, "method"), ({"iterations": 0}, "iterations"), ({"group_size": 7}, "group_size"),
    ({"group_size": 1, "method": "grpo"}, "group_size"), ({"steps_per_batch": 0}, "steps_per_batch"),
    ({"lr": 0.0}, "lr"), ({"lr": math.nan}, "lr"), ({"alpha": 0.5}, "alpha"), ({"rule": "none"}, "rule"),
    ({"reflector": "human"}, "reflector"), ({"kl": -1.0}, "kl"), ({"seed": -1}, "seed"),
    ({"tasks_per_step": 49}, "tasks_per_step"),
])
def test_bad_training_is_refused(policy, tasks, change, named):
    with pytest.raises(ValueError, match=named):
        small(policy, tasks, **change)


def test_odd_groups_are_fine_without_retries(policy, tasks):
    assert len(small(policy, tasks, method="grpo", group_size=5).explore()[0].explore) == 40
