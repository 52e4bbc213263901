"""The policy: masks, cached rollouts against full forwards, one episode alone and among others, base checkpoints."""
from __future__ import annotations

import math

import pytest
import torch
from gradscape.agents import toolworld as tw
from gradscape.agents import turnpolicy as tp
from gradscape.agents.toolworld import lexicon
from gradscape.agents.turnpolicy import base, builder
from gradscape.agents.turnpolicy.model import START, TURN_SLOTS, CallHead, draw
from gradscape.datasets import DataError, integrity
from torch import nn
from torch.nn import functional as F

LS = torch.tensor([[tw.call("ls")] * tw.HORIZON])
CACHE = 1e-5  # float32: the same sums in another order, two layers deep


@pytest.fixture(scope="module")
def tasks():
    return tw.make_tasks(64, n_goals=(1, 2, 3), pviol=0.5, seed=21)


@pytest.fixture(scope="module")
def policy():
    return tp.load_base(0.04)


@pytest.fixture(scope="module")
def batch(policy, tasks):
    return tp.rollout(policy, tasks, generator=torch.Generator().manual_seed(3))


def g(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def same(a: tp.Batch, b: tp.Batch) -> bool:
    names = ("goals", "calls", "obs", "length", "success")
    return all(torch.equal(getattr(a, name), getattr(b, name)) for name in names)


class TestRollout:
    def test_it_is_what_the_world_answers(self, tasks, batch):
        for i, task in enumerate(tasks):
            episode = batch.episode(i)
            again = tw.replay(task, episode.calls)
            assert (again.calls, again.observations, again.success) == (
                episode.calls, episode.observations, episode.success)
            assert len(episode.calls) == tw.HORIZON or episode.calls[-1] == tw.call("done")
            assert not batch.calls[i, len(episode.calls):].any()
        assert 0.1 < float(batch.success.mean()) < 0.9

    def test_deterministic_for_a_seed(self, policy, tasks, batch):
        assert same(batch, tp.rollout(policy, tasks, generator=g(3)))
        assert not same(batch, tp.rollout(policy, tasks, generator=g(4)))

    def test_batched_equals_single(self, policy, tasks):
        noise = torch.rand(len(tasks), tw.HORIZON, 4, generator=g())
        together = tp.rollout(policy, tasks, noise=noise, flaky=0.2)
        alone = tp.cat([tp.rollout(policy, [t], noise=noise[i : i + 1], flaky=0.2) for i, t in enumerate(tasks)])
        assert same(together, alone)

    def test_cached_positions_equal_the_full_forward(self, policy, batch):
        """The policy's cache, fed turn by turn with what the rollout said, gives the states of one full forward."""
        from gradscape.agents.turnpolicy.model import FIRST, Cache

        full = policy.hidden(batch)
        caches = [Cache(FIRST + tw.HORIZON) for _ in policy.blocks]
        x = policy.context(batch.goals, batch.guidance)
        read = torch.zeros(len(batch), len(TURN_SLOTS), dtype=torch.int64)
        read[:, 0] = START
        for block, cache in zip(policy.blocks, caches, strict=True):
            x = block(x, cache)
        with torch.no_grad():
            for turn in range(int(batch.length.max())):
                x = (policy.turn(read) + policy.position[FIRST + turn])[:, None]
                for block, cache in zip(policy.blocks, caches, strict=True):
                    x = block(x, cache)
                live = batch.length > turn
                assert (policy.norm(x[:, 0]) - full[:, turn])[live].abs().max() < CACHE * full[live].abs().max()
                read = torch.cat([batch.calls[:, turn], batch.obs[:, turn], torch.zeros_like(read[:, :1])], 1)

    def test_frequencies_are_the_probabilities(self, policy, tasks):
        """First tools of 4000 rollouts of one task against softmax, within four standard errors."""
        n = 4000
        drawn = tp.rollout(policy, [tasks[0]] * n, generator=g(1)).calls[:, 0, 0]
        one = tp.rollout(policy, [tasks[0]], generator=g(1))
        p = torch.softmax(policy.act.tool(policy.hidden(one)[0, 0]), -1).detach()
        share = torch.bincount(drawn, minlength=len(p)) / n
        assert bool(((share - p).abs() <= 4 * (p * (1 - p) / n).sqrt() + 1 / n).all())

    def test_prefix(self, policy, tasks, batch):
        k = torch.div(batch.length, 2, rounding_mode="floor")
        again = tp.rollout(policy, tasks, prefix=batch.calls, prefix_len=k, generator=g(9))
        for i in range(len(tasks)):
            assert torch.equal(again.calls[i, : k[i]], batch.calls[i, : k[i]])
            assert torch.equal(again.obs[i, : k[i]], batch.obs[i, : k[i]])
        whole = tp.rollout(policy, tasks, prefix=batch.calls, prefix_len=batch.length, generator=g(9))
        assert same(whole, batch)

    def test_guidance_is_followed(self, policy, tasks):
        """An announced call is made at its turn, far more often than when it is not announced."""
        turns = torch.ones(len(tasks), dtype=torch.int64)
        said = torch.tensor([tw.call("mkdir", "logs"), tw.call("touch", "memo")] * (len(tasks) // 2))
        told = tp.rollout(policy, tasks, guidance=tp.guidance_slots(said, turns), generator=g())
        free = tp.rollout(policy, tasks, generator=g())
        follow = [float((b.calls[:, 1] == said).all(1).float().mean()) for b in (told, free)]
        assert follow[0] > 0.5
        assert follow[1] < 0.05
        assert torch.equal(told.guidance[:, 3], turns + 1)
        assert not told.with_guidance().guidance.any()

    def test_flaky_and_greedy(self, policy, tasks):
        always = tp.rollout(policy, tasks, flaky=1.0, generator=g())
        busy = always.obs[:, :, 0] == lexicon.E_BUSY
        assert torch.equal(busy, always.turns & (always.calls[:, :, 0] != lexicon.DONE))
        assert torch.equal(always.errors, busy)
        assert same(tp.rollout(policy, tasks, temperature=0), tp.rollout(policy, tasks, temperature=0, generator=g(5)))

    def test_even_an_untrained_policy_keeps_the_types(self, tasks):
        made = tp.rollout(tp.TurnPolicy(seed=5), tasks * 4, generator=g())
        assert all(lexicon.well_typed(tuple(c)) for c in made.calls[made.turns].tolist())
        assert len(set(made.calls[made.turns][:, 0].tolist())) == len(lexicon.TOOLS)

    @pytest.mark.parametrize(
        ("bad", "message"),
        [
            ({"tasks": []}, "number of tasks=0"), ({"temperature": -1.0}, "temperature"),
            ({"flaky": math.nan}, "flaky"),
            ({"noise": torch.zeros(1)}, "noise has shape"), ({"guidance": torch.zeros(2, 4)}, "guidance has shape"),
            ({"prefix": LS}, "together"),
            ({"prefix": LS, "prefix_len": torch.tensor([13])}, "prefix_len"),
            ({"prefix": torch.full((1, 12, 3), 4), "prefix_len": torch.tensor([1])}, "types"),
            ({"prefix": LS, "prefix_len": torch.tensor([1]), "flaky": 0.1}, "flaky"),
        ],
    )
    def test_bad_arguments(self, policy, tasks, bad, message):
        with pytest.raises(ValueError, match=message):
            tp.rollout(policy, **{"tasks": tasks[:1], **bad})


class TestProbabilities:
    def test_head_sums_to_one_over_well_typed_calls(self):
        head = CallHead(8)
        for p in head.parameters():
            nn.init.normal_(p, generator=g())
        head.requires_grad_(False)
        h = torch.randn(1, 8, generator=g(1))
        calls = torch.tensor([(t, a, b) for t, (A, B) in enumerate(lexicon.ARGUMENTS) for a in A for b in B])
        logp = head.logp(h.expand(len(calls), -1), calls)
        assert abs(float(logp.exp().sum()) - 1) < 1e-5
        tools, a, b = head.distribution(h[0])
        t, x, y = calls.unbind(1)
        assert torch.allclose(logp, tools[t] + a[t, x] + b[t, x, y], atol=1e-5)
        assert float(head.logp(h, torch.tensor([[lexicon.CD, lexicon.WORD["memo"], 0]]))) < -1e8

    def test_logp_against_a_loop_over_turns(self, policy, batch):
        """Each turn from an episode cut off before it: causality, and the sum of three log-softmax values."""
        policy = policy.copy().requires_grad_(False)
        logp = policy.logp(batch)
        for i in range(0, len(batch), 9):
            for t in range(int(batch.length[i])):
                cut = batch[i : i + 1]
                calls, obs = cut.calls.clone(), cut.obs.clone()
                calls[:, t:], obs[:, t:] = 0, 0
                before = tp.Batch(cut.goals, cut.guidance, calls, obs, torch.tensor([t]), cut.success)
                h = policy.hidden(before)[0, t]
                tool, a, b = batch.calls[i, t].tolist()
                act = policy.act
                la = F.log_softmax(act.a(h + act.tool_a[tool]) + act.allowed[0, tool], -1)[a]
                lb = F.log_softmax(act.b(h + act.tool_b[tool] + act.a_b[a]) + act.allowed[1, tool], -1)[b]
                assert abs(float(F.log_softmax(act.tool(h), -1)[tool] + la + lb - logp[i, t])) < 1e-4
        assert not logp[~batch.turns].any()

    def test_gradient_by_finite_differences(self, batch):
        """Along a random direction in all parameters, in float64; 1e-6 is what central differences can resolve."""
        policy = tp.TurnPolicy(d=8, ff=8, layers=2, heads=2, seed=1).double()
        few = batch[:4]
        loss = policy_loss(policy, few)
        loss.backward()
        direction = [torch.randn(p.shape, generator=g(i)).double() for i, p in enumerate(policy.parameters())]
        slope = sum(float((p.grad * v).sum()) for p, v in zip(policy.parameters(), direction, strict=True))
        values = []
        for sign in (1, -1):
            twin = policy.copy().double()
            with torch.no_grad():
                for p, v in zip(twin.parameters(), direction, strict=True):
                    p.add_(v, alpha=sign * 1e-5)
                values.append(float(policy_loss(twin, few)))
        assert abs((values[0] - values[1]) / 2e-5 - slope) < 1e-6 * max(1, abs(slope))

    def test_reflection(self, policy, batch):
        said = policy.reflect(batch, generator=g())
        logp = policy.reflection_logp(batch, said)
        assert logp.shape == (len(batch),)
        assert bool((logp <= 1e-6).all())
        assert all(lexicon.well_typed(tuple(c)) for c in said.call.tolist())
        wins = said._replace(outcome=torch.zeros_like(said.outcome))
        other = wins._replace(pivot=(wins.pivot + 1) % 12)
        assert torch.equal(policy.reflection_logp(batch, wins), policy.reflection_logp(batch, other))
        greedy = policy.reflect(batch, temperature=0)
        assert float((greedy.outcome == torch.where(batch.success > 0.5, 0, 2)).float().mean()) > 0.8
        assert torch.equal(policy.logp(batch), policy.logp(batch))  # the verdict never reaches the acting head
        turned = tp.Batch(batch.goals, batch.guidance, batch.calls, batch.obs, batch.length, 1 - batch.success)
        assert torch.equal(policy.logp(batch), policy.logp(turned))
        assert not torch.equal(policy.reflection_logp(batch, said), policy.reflection_logp(turned, said))

    def test_draw(self):
        logits = torch.tensor([[0.0, -1e9, math.log(3.0)]]).expand(5, -1)
        u = torch.tensor([0.0, 0.2, 0.26, 0.9, 1 - 2**-24])
        assert draw(logits, u, 1.0).tolist() == [0, 0, 2, 2, 2]
        assert draw(logits, u, 0.0).tolist() == [2] * 5
        assert draw(logits[:1], torch.tensor([0.2]), 0.2).tolist() == [2]  # sharper: 1 to 3^5


def policy_loss(policy: tp.TurnPolicy, batch: tp.Batch) -> torch.Tensor:
    said = tp.Reflections(torch.full((len(batch),), 2), batch.length - 1, batch.calls[:, 0])
    turns = batch.turns
    acting = policy.act.logp(policy.hidden(batch)[:, :-1][turns], batch.calls[turns]).mean()
    return acting + policy.reflection_logp(batch, said).mean()


class TestBatch:
    def test_pack_and_back(self, tasks):
        pools = tw.teacher_trials(tasks, 1, seed=0)
        episodes = [pool[0] for pool in pools]
        batch = tp.pack(tasks, episodes)
        for i, episode in enumerate(episodes):
            assert batch.episode(i).calls == episode.calls
            assert batch.episode(i).observations == episode.observations
            assert batch.episode(i).success == episode.success
            assert batch.goals[i, : len(tasks[i].goals)].tolist() == [list(goal) for goal in tasks[i].goals]
        both = tp.cat([batch[:3], batch[torch.tensor([5, 4])]])
        assert same(both, batch[torch.tensor([0, 1, 2, 5, 4])])
        assert len(batch[batch.success > 0.5]) == sum(e.success for e in episodes)

    def test_bad_arguments(self, tasks):
        episode = tw.replay(tasks[0], [tw.call("ls")])
        for some, episodes in (([], []), (tasks[:2], [episode]), (tasks[:1], [tw.Episode((), (), False)])):
            with pytest.raises(ValueError, match="episode"):
                tp.pack(some, episodes)
        with pytest.raises(ValueError, match="batches is empty"):
            tp.cat([])
        with pytest.raises(ValueError, match="guidance has shape"):
            tp.pack(tasks[:1], [episode]).with_guidance(torch.zeros(2, 4, dtype=torch.int64))


class TestTraining:
    def test_sft_learns_a_habit_and_is_deterministic(self, policy, tasks):
        episodes = [pool[0] for pool in tw.teacher_trials(tasks, 1, weights={"precaution": 1}, flaky=0.0, seed=0)]
        batch = tp.pack(tasks, episodes)
        told = []
        losses = []
        for _ in range(2):
            student = policy.copy()
            losses.append(tp.sft(
                student, batch, steps=20, batch_size=48, generator=g(), progress=lambda *x: told.append(x)))
        assert torch.equal(losses[0], losses[1])
        assert float(losses[0][-5:].mean()) < 0.8 * float(losses[0][:5].mean())
        assert told[-1] == (20, 20)
        before, after = (float(tp.call_loss(p, batch, batch.turns).detach()) for p in (policy, student))
        assert after < before

    def test_a_mask_leaves_calls_out(self, policy, batch):
        """Only the last call counts: its gradient is that of the episodes' last log-probability."""
        last = torch.arange(12) == batch.length[:, None] - 1
        loss = tp.call_loss(policy, batch, last)
        assert abs(float(loss.detach() + policy.logp(batch)[last].mean().detach())) < 1e-5

    @pytest.mark.parametrize("bad", [{"steps": 0}, {"batch_size": 0}, {"lr": 0.0}, {"lr": math.nan}], ids=str)
    def test_bad_arguments(self, policy, batch, bad):
        with pytest.raises(ValueError, match=next(iter(bad))):
            tp.sft(policy.copy(), batch, **bad)
        with pytest.raises(ValueError, match="mask of shape"):
            tp.sft(policy.copy(), batch, mask=torch.zeros(len(batch), 12, dtype=torch.bool))

    def test_evaluate(self, policy, tasks):
        got = tp.evaluate(policy, tasks, samples=3, temperature=0.7, flaky=0.15, seed=1)
        assert got.success.shape == got.length.shape == got.errors.shape == (len(tasks), 3)
        again = tp.evaluate(policy, tasks, samples=3, temperature=0.7, flaky=0.15, seed=1)
        assert torch.equal(got.success, again.success)
        flat = got.success.flatten()
        assert got.rate == pytest.approx(float(got.batch.success.mean()))
        assert got.turns_per_success == pytest.approx(float(got.batch.length[flat].float().mean()))
        met = got.batch.errors.any(1)
        assert got.recovery == pytest.approx(float(flat[met].float().mean()))
        assert torch.equal(got.batch.goals[::3], tp.goal_slots(tasks))


class TestBase:
    def test_known_share_of_violations(self):
        made = base.lessons(3, known=0.1, size=100)
        assert len(made.demonstrations) == len(made.instructions) == len(made.reflected) == 100
        assert float(made.demonstrations.success.min()) == 1
        assert bool((made.instructions.guidance[:, 3] > 0).all())
        rows = torch.arange(100)
        said = made.instructions.calls[rows, made.instructions.guidance[:, 3] - 1]
        assert torch.equal(said, made.instructions.guidance[:, :3])  # what is announced is done
        failed = made.reflections.outcome == 2
        assert torch.equal(failed, made.reflected.success < 0.5)
        assert bool((made.reflections.pivot < made.reflected.length).all())

    @pytest.mark.parametrize("known", [0.04, 0.0])
    def test_what_the_committed_models_can_and_cannot_do(self, known):
        """Nearly all without a violated precondition, next to nothing with one; the reflection head knows."""
        policy = tp.load_base(known)
        tasks = tw.make_tasks(300, n_goals=(1, 2), pviol=1.0, seed=77)
        got = tp.evaluate(policy, tasks, temperature=0.4)
        viol = torch.tensor([task.viol for task in tasks])
        assert float(got.success[viol == 0].float().mean()) > 0.9
        assert float(got.success[viol > 0].float().mean()) < 0.1
        judged = [tw.oracle_pivot(task, got.batch.episode(i).calls) for i, task in enumerate(tasks)]
        said = policy.reflect(got.batch, temperature=0)
        outcome = torch.tensor([j[0] for j in judged])
        assert float((said.outcome == outcome).float().mean()) > 0.9
        failed = outcome == 2
        pivot = torch.tensor([j[1] for j in judged])
        assert float((said.pivot == pivot)[failed].float().mean()) > 0.7

    def test_loading(self):
        first, second = tp.load_base(0.0), tp.load_base(0.0)
        with torch.no_grad():
            first.position.zero_()
        assert bool(second.position.any())
        with pytest.raises(ValueError, match=r"known=0\.5"):
            tp.load_base(0.5)
        sizes = [integrity.registry()["committed"][name]["bytes"] for name in base.FILES.values()]
        assert max(sizes) < 300_000
        assert sum(p.numel() for p in first.parameters()) == 71_491

    def test_a_damaged_checkpoint_is_refused(self, monkeypatch):
        monkeypatch.setattr(integrity, "read_verified", lambda *_: (_ for _ in ()).throw(DataError("damaged")))
        with pytest.raises(DataError, match="damaged"):
            tp.load_base()

    def test_weights_depend_on_the_seed_only(self):
        state = torch.random.get_rng_state()
        a, b, c = (base.build_base(seed, known=0.1, steps=2, size=40) for seed in (1, 1, 2))
        assert torch.equal(torch.random.get_rng_state(), state)
        assert builder.difference(builder.save(a.state_dict()), builder.save(b.state_dict())) == 0
        assert builder.difference(builder.save(a.state_dict()), builder.save(c.state_dict())) > 0.1

    def test_builder_writes_and_compares(self, monkeypatch, tmp_path, capsys):
        monkeypatch.setattr(builder, "build_base", lambda seed, known: tp.TurnPolicy(seed=int(known == 0)))
        assert builder.main(["--out", str(tmp_path)]) == 0
        assert sorted(path.name for path in tmp_path.iterdir()) == sorted(base.FILES.values())
        assert builder.main(["--out", str(tmp_path), "--check"]) == 0
        monkeypatch.setattr(builder, "build_base", lambda seed, known: tp.TurnPolicy(seed=7))
        assert builder.main(["--out", str(tmp_path), "--check"]) == 1
        assert "largest difference of a weight" in capsys.readouterr().out

    @pytest.mark.slow
    def test_the_committed_checkpoints_are_built_again(self):
        assert builder.main(["--check"]) == 0

    @pytest.mark.parametrize("bad", [{"d": 0}, {"d": 10, "heads": 4}, {"layers": 0}, {"seed": -1}], ids=str)
    def test_bad_sizes(self, bad):
        with pytest.raises(ValueError, match=next(iter(bad))):
            tp.TurnPolicy(**bad)
