"""The quotient graph, its scores and what they select: a hand-made task, invariances, independent implementations."""
from __future__ import annotations

import itertools
import math
import random
from collections import Counter

import numpy as np
import pytest
import torch
from gradscape.agents.toolworld import make_tasks, teacher_trials
from gradscape.agents.topocurate import (
    JaccardEquivalence,
    QuotientGraph,
    Trajectory,
    diversity,
    efficiency,
    error_branch_ratio,
    gradient_snr,
    group_gradients,
    pass_at_k,
    recovery,
    select_tasks,
    select_trajectories,
    snr_of,
    strategic_heterogeneity,
    task_scores,
    to_networkx,
    train_grpo,
    trajectory_scores,
    trial_weights,
)
from gradscape.agents.topocurate.equivalence import jaccard, minhash_pairs, tokens
from gradscape.agents.topocurate.graph import LOSE, START, WIN, is_error
from gradscape.agents.turnpolicy import TurnPolicy, rollout

EXACT = 1e-12  # float64 sums of a handful of terms
FLOAT32 = 2e-5  # gradients summed in another order


def trial(steps: str, success: bool) -> Trajectory:
    """One turn for each letter; ``!`` behind a letter marks an error."""
    names = [s for s in steps.replace("!", "") if s != " "]
    bad = {steps[k - 1] for k, s in enumerate(steps) if s == "!"}
    return Trajectory(tuple(names), tuple(f"error: {s}" if s in bad else f"ok {s}" for s in names), success)


HAND = [trial("A", True), trial("AB", True), trial("C", False), trial("AC", False)]


@pytest.fixture(scope="module")
def pools():
    return teacher_trials(make_tasks(30, pviol=0.5, seed=1), 16, ploop=0.8, seed=2)


def test_hand_made_task():
    graph = QuotientGraph(HAND)
    A, B, C = (graph.paths[1][1], graph.paths[1][2], graph.paths[2][1])
    assert graph.pass_rate == 0.5
    phi = graph.potential
    assert [phi[v] for v in (START, A, B, C, WIN, LOSE)] == pytest.approx([0.5, 0.625, 0.75, 1 / 6, 1, 0], abs=EXACT)
    assert graph.depth[WIN] == 2
    assert [efficiency(graph, i) for i in (0, 1)] == pytest.approx([1, 2 / 3], abs=EXACT)
    assert set(graph.branching) == {START, A}
    assert error_branch_ratio(graph) == pytest.approx(2 / 5, abs=EXACT)
    assert graph.edges == {(START, A): (3, 2), (A, WIN): (1, 1), (A, B): (1, 1), (B, WIN): (1, 1), (START, C): (1, 0),
                           (C, LOSE): (2, 0), (A, C): (1, 0)}
    assert strategic_heterogeneity(graph) == 1.0
    # successes leave A in two ways, once each; the path A, B passes A -> B, B -> WIN
    assert diversity(graph, 0) == pytest.approx(math.log(2) / 2, abs=EXACT)
    assert diversity(graph, 1) == pytest.approx(math.log(2) / 3, abs=EXACT)


def test_recovery_counts_errors_and_drops_that_were_made_good():
    error = QuotientGraph([trial("AX!B", True)])  # visited by one success only: its potential never drops
    assert error.potential[error.paths[0][2]] == 1.0
    assert recovery(error, 0) == 1.0
    many = QuotientGraph([trial("X!Y!Z!", True)])
    assert recovery(many, 0) == 2.0
    assert recovery(many, 0, cap=5) == 3.0
    # X leads to failure three times of four: a drop without an error, from which the last trial comes back
    drops = QuotientGraph([trial("X", False)] * 3 + [trial("XB", True)] + [trial("A", True)] * 4)
    assert recovery(drops, 3) == 1.0
    assert recovery(drops, 3, drop=0.5) == 0.0
    assert recovery(drops, 4) == 0.0
    failed = QuotientGraph([trial("A", True), trial("AX!", False)])
    assert recovery(failed, 1) == 0.0


def test_a_visit_counts_once_per_trial_and_cycles_are_kept():
    graph = QuotientGraph([trial("ABABA", True), trial("A", False)])
    A, B = graph.paths[0][1:3]
    assert graph.visits[A] == (2, 1)
    assert graph.edges[A, B] == (2, 2)
    assert graph.depth == {START: 0, A: 1, B: 2, WIN: 2, LOSE: 2}


def scores_by_hand(trials, kappa, drop=0.1, slack=0.05):
    """R, E, D of the successes, written with sets and Counters over raw turns."""
    names = [[("S",), *zip(t.calls, t.observations, strict=True), ("W",) if t.success else ("L",)] for t in trials]
    p0 = np.mean([t.success for t in trials])
    n = Counter(v for path in names for v in set(path))
    w = Counter(v for path, t in zip(names, trials, strict=True) if t.success for v in set(path))
    phi = {v: (w[v] + kappa * p0) / (n[v] + kappa) for v in n} | {("W",): 1.0, ("L",): 0.0}
    edges = {e for path in names for e in itertools.pairwise(path)}
    plus = Counter(e for path, t in zip(names, trials, strict=True) if t.success for e in itertools.pairwise(path))
    frontier, distance = {("S",)}, 0
    while ("W",) not in frontier:
        frontier, distance = {v for u, v in edges if u in frontier}, distance + 1
    rows = []
    for path, t in zip(names, trials, strict=True):
        if not t.success:
            continue
        R = sum((is_error(path[k][1]) or phi[path[k - 1]] - phi[path[k]] > drop)
                and max(phi[v] for v in path[k + 1:]) >= phi[path[k - 1]] for k in range(1, len(path) - 1))
        D = 0.0
        for u, v in itertools.pairwise(path):
            ways = [c for (a, _), c in plus.items() if a == u]
            if len(ways) > 1 and phi[v] >= phi[u] - slack:
                D += math.log(sum(ways)) - math.log(plus[u, v])
        rows.append((min(2, R), distance / (len(path) - 1), D / (len(path) - 1)))
    return rows


def test_scores_agree_with_an_independent_implementation(pools):
    seen = 0
    for pool in pools:
        graph = QuotientGraph(pool, kappa=0.7)
        scores, index = trajectory_scores(graph)
        assert index.tolist() == [i for i, t in enumerate(pool) if t.success]
        if len(index):
            np.testing.assert_allclose(scores, scores_by_hand(pool, 0.7), atol=1e-9)
            seen += len(index)
    assert seen > 150


def test_permuting_trials_changes_nothing(pools):
    for pool in pools[:10]:
        order = random.Random(0).sample(range(len(pool)), len(pool))
        a, b = QuotientGraph(pool), QuotientGraph([pool[i] for i in order])
        (sa, ia), (sb, ib) = trajectory_scores(a), trajectory_scores(b)
        at = {order[j]: row for j, row in zip(ib, sb, strict=True)}
        for i, row in zip(ia, sa, strict=True):
            np.testing.assert_allclose(row, at[int(i)], atol=EXACT)
        assert error_branch_ratio(a) == error_branch_ratio(b)
        assert strategic_heterogeneity(a) == strategic_heterogeneity(b)


def test_duplicating_trials():
    pool = [trial("AB", True), trial("CB", True), trial("AX!B", True), trial("C", False)]
    a, b = QuotientGraph(pool, kappa=0.0), QuotientGraph([t for t in pool for _ in range(2)], kappa=0.0)
    for i in range(3):
        assert efficiency(a, i) == efficiency(b, 2 * i)
        assert diversity(a, i) == pytest.approx(diversity(b, 2 * i), abs=EXACT)
    assert error_branch_ratio(a) == error_branch_ratio(b)
    assert strategic_heterogeneity(b) == strategic_heterogeneity(a) / 2 == 0.5


def test_a_trial_that_repeats_itself_lowers_its_own_efficiency_only():
    plain = QuotientGraph([trial("AB", True), trial("CB", True)])
    loops = QuotientGraph([trial("ABAB", True), trial("CB", True)])
    assert efficiency(loops, 0) < efficiency(plain, 0)
    assert efficiency(loops, 1) == efficiency(plain, 1)


def test_limiting_pools():
    won = QuotientGraph([trial("AB", True), trial("C", True)])
    lost = QuotientGraph([trial("A", False), trial("C", False)])
    assert error_branch_ratio(won) == 0.0
    assert error_branch_ratio(lost) == 1.0
    assert strategic_heterogeneity(lost) == 0.0
    assert select_trajectories([lost], 3, seed=0) == []
    assert len(trajectory_scores(lost)[1]) == 0
    assert error_branch_ratio(QuotientGraph([trial("A", True)])) == 0.0
    one_way = QuotientGraph([trial("AB", True), trial("AB", True), trial("AC", False)])
    assert diversity(one_way, 0) == 0.0


def test_traffic_is_conserved(pools):
    for pool in pools:
        graph = QuotientGraph(pool)
        for k in (0, 1):
            flow: Counter = Counter()
            for (u, v), count in graph.edges.items():
                flow[u] -= count[k]
                flow[v] += count[k]
            trials = (len(pool), sum(graph.success))[k]
            assert flow[START] == -trials
            assert flow[WIN] + flow[LOSE] == trials
            assert all(flow[v] == 0 for v in graph.turns)
        assert graph.potential[START] == pytest.approx(graph.pass_rate, abs=EXACT)


def test_breadth_first_depth_is_networkx_shortest_path(pools):
    networkx = pytest.importorskip("networkx")
    for pool in pools[:10]:
        graph = QuotientGraph(pool)
        assert networkx.single_source_shortest_path_length(to_networkx(graph), START) == graph.depth


def test_equivalences():
    a = Trajectory(("mv(a, b)", "ls"), ("moved a to b", "a b c d"), True)
    b = Trajectory(("mv(a, b)", "ls"), ("moved a to b", "a b c d e"), True)
    assert len(QuotientGraph([a, b]).turns) == 3
    assert len(QuotientGraph([a, b], equivalence=JaccardEquivalence()).turns) == 2
    assert len(QuotientGraph([a, b], equivalence=JaccardEquivalence(observation=0.9)).turns) == 3
    assert len(QuotientGraph([a, b], equivalence=lambda turn: turn[0]).turns) == 2
    # closure: the first and the last share 6 of 10 words, below the threshold, but the middle one links them
    chain = [("ls", " ".join("abcdefghij"[k : k + 8])) for k in range(3)]
    near = JaccardEquivalence(observation=0.75)
    assert jaccard(tokens(chain[0][1]), tokens(chain[2][1])) < 0.75
    assert near.classes(chain) == [0, 0, 0]
    assert near.classes([chain[0], chain[2]]) == [0, 1]
    assert JaccardEquivalence(observation=1e-9).classes([("ls", "a"), ("rm", "a")]) == [0, 1]


def test_candidates_from_hashes_give_the_classes_of_all_pairs():
    rng = random.Random(0)
    words = [f"w{k}" for k in range(40)]
    turns = [("ls", " ".join(rng.sample(words, 12))) for _ in range(60)]
    turns += [("ls", obs + " more") for _, obs in turns]
    exact, hashed = JaccardEquivalence(exact=1000), JaccardEquivalence(exact=0)
    assert exact.classes(turns) == hashed.classes(turns)
    assert len(set(exact.classes(turns))) == 60
    pairs = list(minhash_pairs([tokens(obs) for _, obs in turns], 0.8))
    assert len(pairs) == len(set(pairs)) < 120 * 119 / 2


def test_selection_takes_the_best_and_the_same_number_in_every_mode(pools):
    chosen = {mode: select_trajectories(pools, 3, mode=mode, seed=5) for mode in ("topo", "outcome", "shortest")}
    counts = {mode: Counter(task for task, _ in picked) for mode, picked in chosen.items()}
    assert counts["topo"] == counts["outcome"] == counts["shortest"]
    assert all(pools[task][i].success for picked in chosen.values() for task, i in picked)
    for task, pool in enumerate(pools):
        won = sorted(len(t.calls) for t in pool if t.success)
        got = [len(pool[i].calls) for k, i in chosen["shortest"] if k == task]
        assert got == won[:3]
        weight, index = trial_weights(QuotientGraph(pool))
        taken = {i for k, i in chosen["topo"] if k == task}
        inside = [w for w, i in zip(weight, index, strict=True) if int(i) in taken]
        outside = [w for w, i in zip(weight, index, strict=True) if int(i) not in taken]
        assert not (inside and outside) or min(inside) >= max(outside) - 1e-9
    # efficiency alone ranks as length does: the same jitter breaks the same ties
    assert select_trajectories(pools, 3, (0, 1, 0), seed=5) == chosen["shortest"]
    assert select_trajectories([QuotientGraph(p) for p in pools], 3, seed=5) == chosen["topo"]
    assert select_trajectories(pools, 3, mode="outcome", seed=6) != chosen["outcome"]


def test_task_selection_leaves_out_what_is_always_or_never_solved():
    never = QuotientGraph([trial("A", False), trial("B", False)])
    always = QuotientGraph([trial("A", True), trial("B", True)])
    even = QuotientGraph([trial("A", True), trial("B", False)])
    often = QuotientGraph([trial("A", True), trial("AC", True), trial("CA", True), trial("A", False)])
    graphs = [never, always, even, often, QuotientGraph(HAND)]
    scores, mixed = task_scores(graphs)
    assert mixed.tolist() == [2, 3, 4]
    # in `often` S leads to {A, C}, A to {WIN, C, LOSE}, C to {WIN, A}; SH is 1 everywhere
    assert [error_branch_ratio(graphs[k]) for k in mixed] == pytest.approx([1 / 2, 1 / 7, 2 / 5], abs=EXACT)
    assert scores.argmax() == 0
    assert scores.min() == scores[1]
    assert select_tasks(graphs, 1, seed=0) == [2]
    assert set(select_tasks(graphs, 2, mode="variance", seed=0)) == {2, 4}
    assert sorted(select_tasks(graphs, 9, mode="random", seed=0)) == [2, 3, 4]
    drawn = Counter(select_tasks(graphs, 1, temperature=0.5, seed=s)[0] for s in range(2000))
    wanted = np.exp(scores / 0.5) / np.exp(scores / 0.5).sum()
    assert [drawn[int(k)] / 2000 for k in mixed] == pytest.approx(wanted.tolist(), abs=0.045)  # 4 standard errors


def test_snr_of_known_gradients():
    assert snr_of(torch.ones(4, 3)).snr == math.inf
    assert snr_of(torch.zeros(4, 3)) == snr_of(torch.zeros(2, 1))
    assert snr_of(torch.zeros(4, 3)).snr == 0.0
    assert snr_of(torch.zeros(4, 3)).nonzero == 0.0
    # mean (2, 0), v = (1 + 1)/1 = 2: (4 - 2/2)/2
    assert snr_of(torch.tensor([[3.0, 0.0], [1.0, 0.0]])).snr == pytest.approx(1.5, abs=EXACT)
    assert snr_of(torch.tensor([[1.0], [-1.0]])).snr == 0.0
    # unbiased: Gaussian gradients with |mean|² = 4 and v = 50
    g = torch.randn(4000, 50, generator=torch.Generator().manual_seed(0))
    g[:, 0] += 2.0
    assert snr_of(g).snr == pytest.approx(4 / 50, rel=0.1)


def test_expected_group_gradient_is_variance_times_contrast():
    """g = (1/N) sum (R_i - Rbar) s_i for a softmax over three arms, all 3^N groups enumerated."""
    theta, reward, N = torch.tensor([0.3, -0.2, 0.5]).double(), torch.tensor([1.0, 0.0, 1.0]).double(), 4
    pi = torch.softmax(theta, 0)
    s = torch.eye(3).double() - pi  # s[a] = grad log pi(a)
    groups = torch.tensor(list(itertools.product(range(3), repeat=N)))
    R = reward[groups]
    g = ((R - R.mean(1, keepdim=True))[..., None] * s[groups]).mean(1)
    mean = (pi[groups].prod(1)[:, None] * g).sum(0)
    p = (pi * reward).sum()
    win = (pi * reward / p) @ s
    lose = (pi * (1 - reward) / (1 - p)) @ s
    torch.testing.assert_close(mean, (N - 1) / N * p * (1 - p) * (win - lose), atol=EXACT, rtol=0)
    flat = ((R.std(1) == 0).double() * pi[groups].prod(1)).sum()
    assert float(flat) == pytest.approx(float(p**N + (1 - p) ** N), abs=EXACT)


def test_group_gradients_sum_to_the_gradient_of_the_whole_batch():
    policy = TurnPolicy(16, 16, 1, 2, seed=0)
    tasks = make_tasks(1, n_goals=(1,), pviol=0.0, seed=3)
    made = group_gradients(policy, tasks[0], groups=3, group_size=4, generator=torch.Generator().manual_seed(1))
    batch = rollout(policy, tasks * 12, generator=torch.Generator().manual_seed(1))
    A = batch.success.reshape(3, 4)
    A = (A - A.mean(1, keepdim=True)) / (A.std(1, keepdim=True) + 1e-6)
    (A.flatten() * policy.logp(batch).sum(1)).mean().backward()
    whole = torch.cat([torch.zeros(p.numel()) if p.grad is None else p.grad.flatten() for p in policy.parameters()])
    torch.testing.assert_close(made.mean(0), whole, atol=FLOAT32, rtol=0)


def test_pass_at_k_against_enumeration():
    success = torch.tensor([[1, 0, 0, 1, 0], [0, 0, 0, 0, 0], [1, 1, 1, 1, 0]])
    for k in range(1, 6):
        wanted = np.mean([np.mean([max(pick) for pick in itertools.combinations(row, k)]) for row in success.tolist()])
        assert pass_at_k(success, k) == pytest.approx(wanted, abs=EXACT)


@pytest.mark.standard
def test_snr_and_grpo_on_the_base_model():
    from gradscape.agents.turnpolicy import load_base

    policy, tasks = load_base(), make_tasks(6, n_goals=(1,), pviol=0.0, seed=4)
    found = gradient_snr(policy, tasks[0], groups=4, generator=torch.Generator().manual_seed(0))
    again = gradient_snr(policy, tasks[0], groups=4, generator=torch.Generator().manual_seed(0))
    assert found == again
    assert found.snr >= 0
    assert 0 <= found.nonzero <= 1
    hard = make_tasks(12, n_goals=(1,), pviol=1.0, seed=4)
    rates = train_grpo(policy, hard, iterations=30, generator=torch.Generator().manual_seed(0))
    assert rates[-5:].mean() > rates[:5].mean() + 0.1


@pytest.mark.parametrize(("make", "named"), [
    (lambda: QuotientGraph([]), "trajectories"),
    (lambda: QuotientGraph(HAND, kappa=-1.0), "kappa"),
    (lambda: QuotientGraph(HAND, kappa=float("nan")), "kappa"),
    (lambda: QuotientGraph([Trajectory((), (), True)]), r"trajectories\[0\]"),
    (lambda: QuotientGraph([Trajectory(("a",), (), True)]), r"trajectories\[0\]"),
    (lambda: QuotientGraph([Trajectory(("a",), ("b",), 0.5)]), "success"),  # type: ignore[arg-type]
    (lambda: QuotientGraph(HAND, equivalence="exact"), "equivalence"),  # type: ignore[arg-type]
    (lambda: JaccardEquivalence(action=0.0), "action"),
    (lambda: JaccardEquivalence(observation=1.5), "observation"),
    (lambda: efficiency(QuotientGraph(HAND), 2), "i=2"),
    (lambda: diversity(QuotientGraph(HAND), 3), "i=3"),
    (lambda: recovery(QuotientGraph(HAND), 4), "i=4"),
    (lambda: recovery(QuotientGraph(HAND), 0, drop=2.0), "drop"),
    (lambda: recovery(QuotientGraph(HAND), 0, cap=0), "cap"),
    (lambda: diversity(QuotientGraph(HAND), 0, slack=-1.0), "slack"),
    (lambda: select_trajectories([], 3, seed=0), "pools"),
    (lambda: select_trajectories([HAND], 0, seed=0), "per_task"),
    (lambda: select_trajectories([HAND], 1, (1.0, 1.0), seed=0), "weights"),
    (lambda: select_trajectories([HAND], 1, (1.0, -1.0, 0.0), seed=0), "weight of E"),
    (lambda: select_trajectories([HAND], 1, mode="best", seed=0), "mode"),
    (lambda: select_trajectories([HAND], 1, seed=-1), "seed"),
    (lambda: select_tasks([QuotientGraph(HAND)], 0, seed=0), "n="),
    (lambda: select_tasks([QuotientGraph(HAND)], 1, mode="best", seed=0), "mode"),
    (lambda: select_tasks([QuotientGraph(HAND)], 1, temperature=0.0, seed=0), "temperature"),
    (lambda: snr_of(torch.ones(1, 3)), "gradients"),
    (lambda: snr_of(torch.full((2, 3), float("nan"))), "gradients"),
])
def test_bad_arguments_are_named(make, named):
    with pytest.raises(ValueError, match=named):
        make()
