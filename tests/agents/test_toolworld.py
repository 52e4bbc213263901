"""The agent's world: calls and observations by hand, tasks, the oracle against search, teachers that do not peek."""
from __future__ import annotations

import math
import random
from collections import deque
from itertools import pairwise

import pytest
from gradscape.agents import toolworld as tw
from gradscape.agents.toolworld import FileSystem, TicketDesk, World, call, lexicon, show_obs
from gradscape.agents.toolworld.teachers import _Teacher
from hypothesis import given, settings
from hypothesis import strategies as st

TYPED = [(tool, a, b) for tool, (A, B) in enumerate(lexicon.ARGUMENTS) for a in A for b in B]
MANY = settings(max_examples=60, deadline=None)


@pytest.fixture(scope="module")
def tasks():
    return tw.make_tasks(300, n_goals=(1, 2, 3), pviol=0.6, seed=11)


def world() -> World:
    return World(FileSystem({"docs": {"archive": {}, "report": "r"}, "memo": "m"}),
                 TicketDesk([{"id": 1, "title": "leak", "status": "Open", "created_by": "ann"}]))


@pytest.mark.parametrize(
    ("calls", "seen"),
    [
        (["ls"], ["list docs memo"]),
        (["cd docs", "ls", "mv report archive"], ["ok docs", "list archive report", "ok report archive report"]),
        (["mv memo plan", "ls"], ["ok memo plan", "list docs plan"]),  # renamed
        (["mv todo docs", "mv memo memo", "mv docs memo", "cp docs docs"],
         ["e_nofile todo", "e_notdir memo", "e_notdir memo", "e_args docs"]),
        (["cp memo docs", "cp memo docs"], ["ok memo docs memo", "e_exists docs memo"]),
        (["cd ..", "cd logs", "mkdir docs", "touch memo", "rm plan"],
         ["e_root", "e_nofile logs", "e_exists docs", "e_exists memo", "e_nofile plan"]),
        (["mv memo logs", "cd logs"], ["ok memo logs", "e_notdir logs"]),
        (["cd docs", "cd ..", "rm docs", "ls"], ["ok docs", "ok", "ok docs", "list memo"]),
        (["tickets", "create leak", "login ann", "tickets"], ["e_auth", "e_auth leak", "ok ann", "list #1 leak"]),
        (["login bob", "create outage", "resolve #2", "resolve #2", "resolve #3"],
         ["ok bob", "ok #2 outage bob", "ok #2", "e_resolved #2", "e_nofile #3"]),
        (["done"], ["ok"]),
    ],
)
def test_observations(calls, seen):
    w = world()
    assert [show_obs(w.step(call(*text.split()))) for text in calls] == seen


def test_ill_typed_busy_and_finished():
    w = world()
    assert show_obs(w.step((lexicon.CD, lexicon.WORD["memo"], 0))) == "e_args"
    assert show_obs(w.step((99, 0, 0))) == "e_args"
    assert show_obs(w.step(call("rm", "memo"), busy=True)) == "e_busy"
    assert w.state() == world().state()
    w.step(call("done"), busy=True)
    assert w.finished
    with pytest.raises(ValueError, match="the episode is over"):
        w.step(call("ls"))
    with pytest.raises(ValueError, match="tool='fly'"):
        call("fly")
    with pytest.raises(ValueError, match="b='moon'"):
        call("mv", "memo", "moon")


@MANY
@given(st.lists(st.sampled_from(TYPED[1:]), max_size=12), st.lists(st.sampled_from(TYPED[1:]), max_size=6))
def test_a_clone_is_independent(first, then):
    w = world()
    for c in first:
        w.step(c)
    twin, again = w.clone(), w.clone()
    state = again.state()
    for c in then:
        assert w.step(c) == twin.step(c)
    assert again.state() == state
    assert w.state() == twin.state()
    assert again.fs.names == again.clone().fs.names


@MANY
@given(st.lists(st.sampled_from(TYPED[1:]), max_size=12))
def test_an_error_changes_nothing(calls):
    w = world()
    for c in calls:
        before = w.clone()
        if w.step(c)[0] in lexicon.ERRORS:
            assert (w.state(), w.fs.names) == (before.state(), before.fs.names)


class TestTasks:
    def test_no_duplicates_none_excluded_same_for_a_seed(self, tasks):
        assert len({task.key for task in tasks}) == len(tasks)
        held_out = tw.make_tasks(200, n_goals=(1,), pviol=0.6, seed=12, exclude=tasks)
        assert not {task.key for task in tasks} & {task.key for task in held_out}
        again = tw.make_tasks(300, n_goals=(1, 2, 3), pviol=0.6, seed=11)
        assert [task.key for task in again] == [task.key for task in tasks]

    def test_numbers_of_goals_are_equally_likely(self, tasks):
        counts = [sum(len(task.goals) == n for task in tasks) for n in (1, 2, 3)]
        assert min(counts) > 70  # 100 expected, standard deviation 8

    def test_violations(self, tasks):
        assert all(task.viol == 0 for task in tw.make_tasks(50, pviol=0.0, seed=0))
        assert {task.viol for task in tasks} == {0, 1, 2, 3}

    def test_the_verifier_wants_everything_and_nothing_else(self, tasks):
        for task in tasks[:100]:
            w = task.world()
            while (c := tw.next_call(task, w)) != call("done"):
                w.step(c)
            assert not task.solved(w)  # not before done
            junk = w.clone()
            junk.fs.root["junk"] = ""
            for other in (w, junk):
                other.step(call("done"))
            assert task.solved(w)
            assert not task.solved(junk)
            w.desk.create_ticket("extra") if w.desk.user else w.desk.tickets.append(
                {"title": "extra", "status": "Open", "created_by": "ann"})
            assert not task.solved(w)

    def test_sentences(self):
        assert tw.goal_sentence((1, 1, 9, 5)) == "In the root, move report into archive."

    @pytest.mark.parametrize(
        "bad", [{"n": 0}, {"n_goals": (4,)}, {"n_goals": ()}, {"n_goals": (True,)}, {"pviol": math.nan}, {"pviol": 2},
                {"seed": -1}], ids=str)
    def test_bad_arguments(self, bad):
        with pytest.raises(ValueError, match=f"{next(iter(bad))}="):
            tw.make_tasks(**{"n": 3, "seed": 0, **bad})


class TestOracle:
    def test_it_solves_every_task_and_each_call_saves_one(self, tasks):
        for task in tasks:
            w = task.world()
            lengths = [tw.remaining(task, w)]
            while not w.finished:
                w.step(tw.next_call(task, w))
                lengths.append(tw.remaining(task, w))
            assert task.solved(w)
            assert lengths == list(range(len(lengths) - 1, -1, -1))
            assert lengths[0] <= tw.HORIZON

    def test_a_plan_after_mistakes_solves_too(self, tasks):
        rng = random.Random(0)
        lost = 0
        for task in tasks:
            w = task.world()
            for _ in range(3):
                w.step(rng.choice(TYPED[1:]))
            left = tw.remaining(task, w)
            lost += math.isinf(left)
            if math.isfinite(left):
                for _ in range(int(left)):
                    w.step(tw.next_call(task, w))
                assert task.solved(w)
        assert 0 < lost < len(tasks) / 2

    def test_against_breadth_first_search(self):
        """No solution is shorter than `remaining`: among those that move and copy only what the goal says.

        (A folder made elsewhere and moved in, or a namesake copied, would do as well.)
        """
        tasks = tw.make_tasks(40, n_goals=(1,), pviol=0.6, seed=5)
        for task in tasks:
            left = tw.remaining(task, task.world())
            if left <= 4:
                assert _shortest(task, int(left)) == left, task.sentence

    def test_rename_trap(self):
        task = next(t for t in tw.make_tasks(200, n_goals=(1,), pviol=1.0, seed=0)
                    if t.goals[0][0] == lexicon.VERB["move"] and t.goals[0][1] == lexicon.HERE)
        _, _, F, D = task.goals[0]
        move, undo, make = (lexicon.MV, F, D), (lexicon.MV, D, F), (lexicon.MKDIR, D, 0)
        w = task.world()
        assert tw.remaining(task, w) == 3
        assert w.step(move)[3] == 0
        assert tw.remaining(task, w) == 4
        assert list(_plan(task, w)) == [undo, make, move, call("done")]
        assert tw.oracle_pivot(task, [move, call("done")]) == (tw.FAILURE, 0, make)
        assert tw.oracle_pivot(task, [make, move, call("done")]) == (tw.SUCCESS, 0, call("done"))
        assert tw.oracle_pivot(task, [make, call("ls"), move, call("done")]) == (tw.INEFFICIENT, 1, move)
        assert tw.oracle_pivot(task, [make, move])[0] == tw.FAILURE

    def test_irreversible(self):
        task = next(t for t in tw.make_tasks(200, n_goals=(1,), pviol=1.0, seed=0)
                    if t.goals[0][0] == lexicon.VERB["ticket"] and t.user is not None)
        w = task.world()
        w.step((lexicon.CREATE, task.goals[0][2], 0))  # as somebody else
        assert tw.remaining(task, w) == math.inf
        with pytest.raises(ValueError, match="cannot be solved from here"):
            tw.next_call(task, w)

    def test_bad_arguments(self, tasks):
        with pytest.raises(ValueError, match="calls has 13 entries"):
            tw.oracle_pivot(tasks[0], [call("ls")] * 13)


def _plan(task, world):
    world = world.clone()
    while not world.finished:
        yield tw.next_call(task, world)
        world.step(tw.next_call(task, world))


def _shortest(task, depth: int) -> int | None:
    """Breadth-first search over words that the task mentions; a ticket may be resolved only if its number was shown."""
    words = {word for goal in task.goals for word in goal[1:]}
    words |= {lexicon.WORD[name] for name in ("..",)}
    ids = range(lexicon.WORD["#1"], lexicon.WORD["#6"] + 1)
    calls = [c for c in TYPED[1:] if all(x in words or x == 0 or x in ids for x in c[1:])]
    carried = {word for goal in task.goals if lexicon.VERBS[goal[0]] in ("move", "copy") for word in goal[2:]}
    calls = [c for c in calls if c[0] not in (lexicon.MV, lexicon.CP) or c[1] in carried]
    queue = deque([(task.world(), 0)])
    seen = set()
    while queue:
        w, n = queue.popleft()
        end = w.clone()
        end.step(call("done"))
        if task.solved(end):
            return n + 1
        if n + 1 >= depth:
            continue
        for c in calls:
            if c[0] == lexicon.RESOLVE and c[1] - ids[0] + 1 not in w.known:
                continue
            after = w.clone()
            after.step(c)
            key = (repr(after.fs.root), tuple(after.fs.names), repr(after.desk.tickets), after.desk.user,
                   frozenset(after.known))
            if key not in seen:
                seen.add(key)
                queue.append((after, n + 1))
    return None


class TestTeachers:
    def test_styles_differ_as_they_should(self, tasks):
        rate = {}
        for style in tw.STYLES:
            pools = tw.teacher_trials(tasks, 2, weights={style: 1.0}, flaky=0.0, seed=0)
            rate[style] = sum(e.success for pool in pools for e in pool) / (2 * len(tasks))
        assert rate["precaution"] > 0.97
        assert rate["lscheck"] > 0.9
        assert 0.75 < rate["optimist"] < rate["precaution"]
        assert rate["naive"] < 0.6

    def test_episodes_are_what_the_world_answers(self, tasks):
        for task, pool in zip(tasks, tw.teacher_trials(tasks, 2, ploop=0.8, flaky=0.0, seed=3), strict=True):
            for episode in pool:
                again = tw.replay(task, episode.calls)
                assert (again.observations, again.success) == (episode.observations, episode.success)
                assert all(lexicon.well_typed(c) for c in episode.calls)
                assert 1 <= len(episode.calls) <= tw.HORIZON
                if episode.success:
                    assert episode.calls[-1] == call("done")

    def test_they_do_not_peek(self, tasks):
        """The same observations lead to the same calls, whatever the hidden world is: here all answers are made up."""
        for style in tw.STYLES:
            for task in tasks[:30]:
                answers = random.Random(7)
                made = []
                script = _Teacher(style, random.Random(1), 0.5, 0.45).script(task.goals)
                made.append(next(script))
                try:
                    while len(made) < 30:
                        made.append(script.send((answers.choice((1, 2, 3, 4, 5, 10)), *made[-1][1:], 0, 0)))
                except StopIteration:
                    pass
                assert made  # the script saw goals and answers only; it never had a world

    def test_needless_calls_change_nothing(self, tasks):
        lean = tw.teacher_trials(tasks, 1, weights={"precaution": 1}, ploop=0.0, flaky=0.0, seed=1)
        wander = tw.teacher_trials(tasks, 1, weights={"precaution": 1}, ploop=1.0, pins=0.3, flaky=0.0, seed=1)
        length = [sum(len(pool[0].calls) for pool in pools) for pools in (lean, wander)]
        assert length[1] > 1.15 * length[0]
        assert all(pool[0].success for pool in wander if pool[0].calls[-1] == call("done"))

    def test_transient_failures_are_tried_again(self, tasks):
        pools = tw.teacher_trials(tasks, 2, weights={"precaution": 1}, flaky=0.3, seed=1)
        busy = 0
        for pool in pools:
            for episode in pool:
                for (c, obs), (after, _) in pairwise(zip(episode.calls, episode.observations, strict=True)):
                    if obs[0] == lexicon.E_BUSY:
                        busy += 1
                        assert after == c or sum(x == c for x in episode.calls) >= 4
        assert busy > 100

    def test_a_pool_depends_on_place_and_seed_only(self, tasks):
        some = tw.teacher_trials(tasks[:5], 3, ploop=0.8, seed=4)
        assert tw.teacher_trials(tasks[:9], 3, ploop=0.8, seed=4)[:5] == some
        assert tw.teacher_trials(tasks[:5], 3, ploop=0.8, seed=5) != some

    @pytest.mark.parametrize(
        "bad", [{"trials": 0}, {"ploop": 1.5}, {"pins": math.nan}, {"flaky": -1}, {"seed": -1},
                {"weights": {"peek": 1}}, {"weights": {"naive": -1}}, {"weights": {"naive": 0}}], ids=str)
    def test_bad_arguments(self, tasks, bad):
        with pytest.raises(ValueError, match=r"=|style"):
            tw.teacher_trials(tasks[:1], **{"trials": 1, "seed": 0, **bad})
