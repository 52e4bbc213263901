"""Codes, straggler models and schemes against linear algebra, brute force, the authors' simulator and small cases."""
from __future__ import annotations

import itertools
import json
import math
import random
from pathlib import Path

import pytest
import torch
from gradscape import lesson
from gradscape.distributed import gradient_coding as gc
from gradscape.distributed.gradient_coding import DecodeError, DelayTrace, GradientCode, make
from gradscape.distributed.workers import DelayModel
from hypothesis import given, settings
from hypothesis import strategies as st

torch.set_num_threads(1)

# Cyclic codes draw random blocks: their decoding weights reach 1e5, and double precision leaves 1e-9 of them
DECODED = 1e-9


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def alive_without(n: int, dead: tuple[int, ...]) -> torch.Tensor:
    alive = torch.ones(n, dtype=torch.bool)
    alive[list(dead)] = False
    return alive


# ---- codes -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("n", "s"), [(1, 0), (5, 0), (6, 1), (12, 3), (7, 6), (64, 20), (256, 27)])
def test_the_cyclic_code_is_what_it_is_defined_to_be(n, s):
    code = GradientCode(n, s, seed=3)
    assert code.matrix.shape == (n, n)
    assert torch.equal(code.matrix != 0, torch.stack([
        torch.isin(torch.arange(n), torch.tensor(code.support(i))) for i in range(n)]))
    assert all(len(set(code.support(i))) == s + 1 for i in range(n))
    assert torch.equal(code.matrix.diagonal(), torch.ones(n, dtype=torch.float64))
    if s:
        product = code.parity @ code.matrix.T
        assert product.abs().max() <= 1e-9 * code.parity.abs().max() * code.matrix.abs().max()
        assert (code.parity.sum(1)).abs().max() < 1e-10
    else:
        assert torch.equal(code.matrix, torch.eye(n, dtype=torch.float64))


@pytest.mark.parametrize("kind", ["cyclic", "fractional"])
def test_every_straggler_set_of_a_small_code_is_survived_and_every_larger_one_refused(kind):
    n, s = 6, 2
    code, parts = GradientCode(n, s, kind, seed=1), torch.randn(n, 3, 2, generator=generator(), dtype=torch.float64)
    messages = code.encode(parts)
    for lost in range(n + 1):
        for dead in itertools.combinations(range(n), lost):
            alive, arrived = alive_without(n, dead), messages.clone()
            arrived[~alive] = math.nan
            groups_live = all(alive[g : g + 3].any() for g in (0, 3))
            possible = lost <= s if kind == "cyclic" else groups_live
            assert code.decodable(alive) == possible
            if possible:
                assert torch.allclose(code.decode(arrived, alive), parts.sum(0), rtol=DECODED, atol=DECODED)
                assert not code.decode_vector(alive)[~alive].any()
            else:
                with pytest.raises(DecodeError):
                    code.decode(arrived, alive)


def test_decoding_weights_agree_with_least_squares_and_are_the_shortest_when_there_are_many():
    code = GradientCode(20, 5, seed=2)
    for lost in range(6):
        alive = alive_without(20, tuple(range(0, 3 * lost, 3)))
        a = code.decode_vector(alive)
        best = torch.linalg.lstsq(code.matrix[alive].T, torch.ones(20, 1, dtype=torch.float64), driver="gelsd").solution
        assert torch.allclose(a[alive], best[:, 0], rtol=1e-6, atol=1e-8 * float(a.abs().max()))


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 40), st.data())
def test_any_allowed_set_decodes(n, data):
    s = data.draw(st.integers(0, n - 1))
    dead = data.draw(st.sets(st.integers(0, n - 1), max_size=s))
    code, alive = GradientCode(n, s, seed=data.draw(st.integers(0, 99))), alive_without(n, tuple(dead))
    a = code.decode_vector(alive)
    assert (code.matrix.T @ a - 1).abs().max() <= 1e-11 * float(a.abs().max()) * float(code.matrix.abs().max())


def test_single_precision_is_taken_but_computed_in_double():
    code, parts = GradientCode(8, 2), torch.randn(8, 4, generator=generator())
    total = code.decode(code.encode(parts), alive_without(8, (1, 2)))
    assert total.dtype == torch.float64
    assert torch.allclose(total, parts.double().sum(0), rtol=1e-9)


@pytest.mark.parametrize("call", [
    lambda: GradientCode(0, 0),
    lambda: GradientCode(4, 4),
    lambda: GradientCode(4, -1),
    lambda: GradientCode(5, 1, "fractional"),
    lambda: GradientCode(5, 1, "linear"),
    lambda: GradientCode(5, 1).support(5),
    lambda: GradientCode(5, 1).encode(torch.ones(4, 2)),
    lambda: GradientCode(5, 1).encode(torch.full((5, 2), math.nan)),
    lambda: GradientCode(5, 1).decode(torch.ones(5, 2), torch.ones(4, dtype=torch.bool)),
    lambda: GradientCode(5, 1).decode(torch.ones(5, 2), torch.ones(5)),
    lambda: GradientCode(5, 1).decode(torch.full((5, 2), math.inf), torch.ones(5, dtype=torch.bool)),
    lambda: gc.load("gc", 5, (5,)),
    lambda: gc.load("gc", 5, (1, 2)),
    lambda: gc.load("msgc", 5, (2, 2, 1)),
    lambda: gc.load("msgc", 5, (1, 2, 6)),
    lambda: gc.load("srsgc", 5, (2, 4, 1)),
    lambda: gc.load("fountain", 5),
    lambda: gc.load_lower_bound(5, 0, 2, 1),
    lambda: gc.BurstyModel(2, 2, 1),
    lambda: gc.BurstyModel(1, 2, 1).conforms(torch.ones(3, 2)),
    lambda: gc.BurstyModel(1, 2, 1).sample(3, 2, generator(), density=1.5),
    lambda: gc.ArbitraryModel(4, 3, 1),
    lambda: gc.PerRoundModel(-1),
    lambda: make("gc", 4, (1,)).assign(1),
    lambda: make("gc", 4, (1,)).decodable(0),
    lambda: make("gc", 4, (1,)).observe(0, torch.ones(4)),
    lambda: gc.simulate(make("msgc", 4, (1, 2, 1)), torch.ones(5, 4), jobs=5),
    lambda: gc.simulate(make("gc", 4, (1,)), torch.ones(5, 3), jobs=5),
    lambda: gc.simulate(make("gc", 4, (1,)), torch.full((5, 4), math.nan), jobs=5),
    lambda: gc.simulate(make("gc", 4, (1,)), torch.ones(5, 4), jobs=5, mu=0.0),
    lambda: gc.simulate(make("gc", 4, (1,)), torch.ones(5, 4), jobs=5, wait="often"),
    lambda: gc.replay(make("gc", 4, (1,)), torch.zeros(5, 3, dtype=torch.bool), jobs=5),
    lambda: gc.search(4, DelayTrace(torch.ones(5, 4)), 1.0, jobs=5, t_max=0, grids={"msgc": [(1, 2, 1)]}),
    lambda: gc.search(4, DelayTrace(torch.ones(5, 4)), 1.0, jobs=6, t_max=0, grids={"gc": [(1,)]}),
    lambda: gc.replay_times("msgc", 4, [(1, 2, 1), (1, 3, 1)], torch.ones(9, 4), torch.zeros(2), jobs=3),
    lambda: gc.fit_load_slope({0.0: torch.ones(2, 2)}),
    lambda: gc.layout(make("msgc", 4, (1, 2, 1)), 13),
])
def test_bad_input_is_refused(call):
    with pytest.raises(ValueError, match=r"\w+.*(must|need|at least|takes|multiple|no candidate|empty|outside|holds)"):
        call()


# ---- straggler models ------------------------------------------------------------------------------------------------


def bursty_by_definition(pattern: torch.Tensor, B: int, W: int, lam: int) -> bool:
    """Offline, window by window, from the sentence that defines the model."""
    rounds = pattern.shape[0]
    for start in range(max(1, rounds - W + 1)):
        window = pattern[start : start + W]
        if int(window.any(0).sum()) > lam:
            return False
        for worker in window.T:
            at = worker.nonzero().flatten().tolist()
            if at and at[-1] - at[0] >= B:
                return False
    return True


def arbitrary_by_definition(pattern: torch.Tensor, N: int, W: int, lam: int) -> bool:
    windows = [pattern[start : start + W] for start in range(max(1, pattern.shape[0] - W + 1))]
    return all(int(w.any(0).sum()) <= lam and int(w.sum(0).max()) <= N for w in windows)


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_models_agree_with_their_definitions(data):
    rounds, n = data.draw(st.integers(1, 6)), data.draw(st.integers(1, 3))
    bits = data.draw(st.lists(st.booleans(), min_size=rounds * n, max_size=rounds * n))
    pattern = torch.tensor(bits).view(rounds, n)
    B, lam = data.draw(st.integers(1, 3)), data.draw(st.integers(0, 3))
    W = B + data.draw(st.integers(1, 3))
    assert gc.BurstyModel(B, W, lam).conforms(pattern).item() == bursty_by_definition(pattern, B, W, lam)
    assert gc.ArbitraryModel(B, W, lam).conforms(pattern).item() == arbitrary_by_definition(pattern, B, W, lam)
    assert gc.PerRoundModel(lam).conforms(pattern).item() == bool((pattern.sum(1) <= lam).all())


@pytest.mark.parametrize("model", [gc.BurstyModel(2, 4, 3), gc.ArbitraryModel(2, 3, 3), gc.PerRoundModel(2)])
def test_samples_conform_and_at_full_density_nothing_can_be_added_to_the_last_round(model):
    patterns = model.sample(9, 7, generator(1), count=40)
    assert patterns.shape == (40, 9, 7)
    assert model.conforms(patterns).all()
    for pattern in patterns:
        for worker in (~pattern[-1]).nonzero().flatten().tolist():
            more = pattern.clone()
            more[-1, worker] = True
            assert not model.conforms(more)
    filled = model.sample(6, 5, generator(2), density=0.1, count=15, maximal=True)
    assert model.conforms(filled).all()
    for pattern in filled:
        for r, worker in (~pattern).nonzero().tolist():
            more = pattern.clone()
            more[r, worker] = True
            assert not model.conforms(more)
    thin = model.sample(9, 7, generator(1), density=0.1, count=40)
    assert model.conforms(thin).all()
    assert thin.double().mean() < 0.6 * patterns.double().mean()
    assert not model.sample(9, 7, generator(), density=0.0).any()


# ---- loads -----------------------------------------------------------------------------------------------------------


def test_loads_of_the_published_table():
    """Loads in the authors' result files (Canada and London profiles), rounded there to four digits."""
    assert gc.load("msgc", 256, (1, 2, 27)) == pytest.approx(0.0075, abs=5e-5)
    assert gc.load("srsgc", 256, (2, 3, 23)) == pytest.approx(0.0508, abs=5e-5)
    assert gc.load("gc", 256, (15,)) == pytest.approx(0.0625, abs=5e-5)
    assert gc.load("uncoded", 256) == pytest.approx(0.0039, abs=5e-5)


def test_the_bound_is_met_at_the_edge_and_approached_like_one_over_the_window():
    for W in (2, 5, 20, 100):
        for lam in (255, 256):
            assert gc.load_ratio(256, 1, W, lam) == pytest.approx(1.0, abs=1e-14)
    excess = [W * (gc.load_ratio(256, 2, W, 27) - 1) for W in (200, 400, 800)]
    assert max(excess) / min(excess) < 1.02
    ratios = [gc.load_ratio(32, B, W, lam) for W in range(2, 7) for B in range(1, W) for lam in range(33)]
    assert min(ratios) >= 1 - 1e-14


SCHEMES = [("uncoded", ()), ("gc", (2,)), ("srsgc", (1, 2, 3)), ("srsgc", (2, 5, 4)), ("msgc", (1, 2, 3)),
           ("msgc", (2, 4, 2)), ("msgc", (1, 3, 6)), ("msgc", (3, 4, 6))]


@pytest.mark.parametrize(("name", "params"), SCHEMES)
def test_workers_carry_at_most_the_load_and_coded_ones_exactly(name, params):
    scheme, g = make(name, 6, params).reset(), generator(4)
    for r in range(12):
        given_out = scheme.assign(r)
        load = given_out.load
        if r >= scheme.T:
            assert load.max() <= scheme.load + 1e-12
            if not (name == "msgc" and params[2] == 6):  # with lam = n the last slots are empty unless something failed
                assert torch.allclose(load, torch.full_like(load, scheme.load))
        lost = torch.rand(6, generator=g) < 0.2
        scheme.observe(r, lost & bool(scheme.admits(r, lost)))
    everybody_failed = make("msgc", 6, (1, 2, 6)).reset()
    everybody_failed.observe(0, torch.ones(6, dtype=torch.bool))
    assert torch.allclose(everybody_failed.assign(1).load, torch.full((6,), everybody_failed.load))


@pytest.mark.parametrize(("name", "params"), SCHEMES)
def test_the_chunks_are_the_whole_batch_once(name, params):
    scheme = make(name, 6, params)
    own, coded, units = gc.shares(scheme)
    cut = gc.layout(scheme, 3 * units)
    assert sorted(torch.cat([cut.own.flatten(), cut.coded.flatten()]).tolist()) == list(range(3 * units))
    weights = 6 * scheme.own * own / units + scheme.groups * 6 * coded / units
    assert weights == pytest.approx(1.0, abs=1e-12)
    per_task = (scheme.s + 1) * coded / units if scheme.groups else own / units
    assert per_task * scheme.slots == pytest.approx(scheme.load, abs=1e-12)
    if scheme.own and scheme.groups:
        assert own == (scheme.s + 1) * coded


# ---- schemes ---------------------------------------------------------------------------------------------------------


def rows_by_hand(name, params, pattern, jobs, code):
    """An independent account: job -> list of rows over that job's chunks that the master holds at the deadline."""
    n = pattern.shape[1]
    T = gc.delay(name, n, params)
    held = {t: [] for t in range(jobs)}
    if name == "srsgc":
        B, s = params[0], gc.srsgc_s(*params)
        did = {}
        for r in range(jobs + T):
            repeaters = []
            if r - B in held:
                lacking = [i for i in range(n) if (i, r - B) not in did]
                repeaters = lacking[: max(0, len(lacking) - s)]
            for i in range(n):
                t = r - B if i in repeaters else r
                if t in held and not pattern[r, i]:
                    did[i, t] = True
                    held[t].append(code.matrix[i])
        return held
    B, W, _ = params
    for t in range(jobs):
        for i in range(n):
            todo, failed = list(range(W - 1)), []
            for m in range(W - 1 + B):
                fine = not pattern[t + m, i]
                row = torch.zeros(n * (W - 1) + B * n, dtype=torch.float64)
                if m < W - 1:
                    chunk = todo.pop(0)
                elif failed:
                    chunk = failed[0]
                else:
                    chunk = None
                if chunk is None:
                    j = m - (W - 1)
                    row[n * (W - 1) + j * n : n * (W - 1) + (j + 1) * n] = code.matrix[i]
                else:
                    row[i * (W - 1) + chunk] = 1.0
                    if fine and chunk in failed:
                        failed.remove(chunk)
                    elif not fine and chunk not in failed:
                        failed.append(chunk)
                if fine:
                    held[t].append(row)
    return held


def spans_the_sum(rows, length):
    if not rows:
        return False
    matrix, ones = torch.stack(rows), torch.ones(1, length, dtype=torch.float64)
    return int(torch.linalg.matrix_rank(torch.cat([matrix, ones]))) == int(torch.linalg.matrix_rank(matrix))


@pytest.mark.parametrize(("name", "n", "params"), [
    ("srsgc", 3, (1, 2, 2)), ("srsgc", 5, (1, 3, 4)), ("srsgc", 4, (2, 3, 3)),
    ("msgc", 3, (1, 2, 1)), ("msgc", 4, (1, 3, 2)), ("msgc", 5, (2, 3, 1)), ("msgc", 4, (1, 2, 0)),
])
def test_what_is_decodable_agrees_with_the_rank_of_what_arrived(name, n, params):
    """All patterns are allowed here: the master never waits, and some jobs are lost."""
    jobs, scheme, rng = 4, make(name, n, params), random.Random(5)
    code, lost_jobs = GradientCode(n, scheme.s, seed=8), 0
    for _ in range(60):
        rate = rng.choice((0.1, 0.3, 0.5))
        pattern = torch.tensor([[rng.random() < rate for _ in range(n)] for _ in range(jobs + scheme.T)])
        held = rows_by_hand(name, params, pattern, jobs, code)
        gc.replay(scheme, pattern, jobs=jobs)
        for job in range(jobs):
            length = n if name == "srsgc" else n * (params[1] - 1) + params[0] * n
            expected = spans_the_sum(held[job], length)
            assert bool(scheme.decodable(job)) == expected, (pattern.int().tolist(), job)
            lost_jobs += not expected
    assert 0 < lost_jobs < 240


@pytest.mark.parametrize(("n", "B", "W", "lam"), [
    (8, 1, 2, 3), (8, 1, 2, 8), (10, 2, 3, 4), (9, 1, 4, 5), (12, 2, 5, 12),
])
def test_conforming_patterns_cost_no_wait_and_no_job(n, B, W, lam):
    for name in ("srsgc", "msgc"):
        scheme = make(name, n, (B, W, lam))
        patterns = gc.BurstyModel(B, W, lam).sample(15 + scheme.T, n, generator(2), count=50)
        found = gc.replay(scheme, patterns, jobs=15)
        assert int(found.undecodable.sum()) == int(found.waits.sum()) == 0
    arbitrary = gc.ArbitraryModel(B, W + B - 1, lam).sample(15 + scheme.T, n, generator(3), count=50)
    assert int(gc.replay(scheme, arbitrary, jobs=15).undecodable.sum()) == 0


def test_one_straggler_more_than_promised_is_caught_by_the_model_and_costs_a_job():
    pattern = torch.tensor([[1, 0, 0], [0, 0, 0], [0, 0, 0], [0, 0, 0]]).bool()
    assert int(gc.replay(gc.MSGC(3, 1, 2, 1), pattern, jobs=3).undecodable) == 0
    pattern[1, 0] = True  # the repetition fails too
    assert not gc.BurstyModel(1, 2, 1).conforms(pattern)
    found = gc.replay(gc.MSGC(3, 1, 2, 1), pattern, jobs=3)
    assert (int(found.undecodable), int(found.waits)) == (1, 1)


def test_a_batch_of_patterns_is_each_pattern_alone():
    scheme = gc.MSGC(7, 2, 4, 3)
    patterns = torch.rand(6, 14, 7, generator=generator(5)) < 0.15
    together = gc.replay(scheme, patterns, jobs=10)
    alone = [gc.replay(scheme, pattern, jobs=10) for pattern in patterns]
    assert together.undecodable.tolist() == [int(found.undecodable) for found in alone]
    assert together.waits.tolist() == [int(found.waits) for found in alone]


def test_with_few_stragglers_selective_repetition_is_gradient_coding():
    n, B, W, lam = 20, 2, 5, 9
    s = gc.srsgc_s(B, W, lam)
    patterns = gc.PerRoundModel(s).sample(32, n, generator(6))
    delays = torch.where(patterns, 3.0, 1.0) + 0.1 * torch.rand(32, n, generator=generator(7), dtype=torch.float64)
    repeated, plain = gc.simulate(gc.SRSGC(n, B, W, lam), delays, jobs=30), gc.simulate(gc.GC(n, s), delays, jobs=30)
    assert torch.equal(repeated.durations[:30], plain.durations)
    assert torch.equal(repeated.durations[30:], torch.zeros(2, dtype=torch.float64))
    assert repeated.waits == plain.waits == 0
    assert torch.equal(repeated.finish_times, plain.finish_times)


def test_a_repeating_worker_does_not_deliver_its_current_job():
    scheme = gc.SRSGC(3, 1, 2, 2)  # s = 1
    scheme.reset(3)
    scheme.observe(0, torch.tensor([True, True, False]))
    given_out = scheme.assign(1)
    assert given_out.job.flatten().tolist() == [0, 1, 1]  # one too many is missing: the lowest-numbered repeats
    assert given_out.repeat.flatten().tolist() == [True, False, False]
    assert scheme.observe(1, torch.zeros(3, dtype=torch.bool)) == [0, 1]
    assert scheme.coded[1].flatten().tolist() == [False, True, True]


def test_multiplexed_slots_by_hand():
    scheme = gc.MSGC(3, 1, 3, 1).reset(2)
    nobody, first = torch.zeros(3, dtype=torch.bool), torch.tensor([True, False, False])
    assert scheme.assign(0).job[0].tolist() == [0, -1, -1]
    scheme.observe(0, first)
    assert scheme.assign(1).chunk[0].tolist() == [0, 1, -1]  # job 1's first chunk, job 0's second
    scheme.observe(1, nobody)
    last = scheme.assign(2)
    assert last.job.tolist() == [[-1, 1, 0]] * 3
    assert last.chunk[:, 2].tolist() == [0, -1, -1]  # worker 0 repeats what failed
    assert last.group[:, 2].tolist() == [-1, 0, 0]   # the others compute the coded part
    assert scheme.observe(2, nobody) == [0]
    assert scheme.observe(3, nobody) == [1]


# ---- time ------------------------------------------------------------------------------------------------------------


def test_durations_agree_with_the_authors_simulator():
    recorded = json.loads((Path(__file__).parents[1] / "oracles" / "sequential_gradient_coding.json").read_text())
    for case in recorded["cases"]:
        delays = torch.tensor(case["delays"], dtype=torch.float64)
        for row in case["results"]:
            kind = {"gc": gc.GC, "srsgc": gc.SRSGC, "msgc": gc.MSGC}[row["scheme"]]
            strict = {} if kind is gc.MSGC else {"strict_official": True}
            scheme = kind(case["n"], *row["params"], **strict)
            assert (scheme.load, scheme.T) == (pytest.approx(row["load"], rel=1e-14), row["T"])
            found = gc.simulate(scheme, delays, jobs=recorded["jobs"], mu=recorded["mu"])
            assert found.durations[: recorded["jobs"]].tolist() == pytest.approx(row["durations"], abs=1e-9)
            assert row["scheme"] == "srsgc" or found.waits == row["waits"]


def test_nobody_is_lost_unless_the_master_never_waits():
    delays = DelayModel(p_ns=0.3, p_sn=0.4).sample(45, 12, generator(1))
    for name, params in SCHEMES[1:6]:
        scheme = make(name, 12, params)
        everybody = gc.simulate(scheme, delays, jobs=40)
        minimal = gc.simulate(scheme, delays, jobs=40, wait="minimal")
        never = gc.simulate(scheme, delays, jobs=40, wait="never")
        assert everybody.undecodable == minimal.undecodable == 0
        assert never.undecodable > 0
        assert never.waits == 0 < everybody.waits
        assert never.total < minimal.total
        assert never.finish_times.isnan().sum() == never.undecodable


def test_uncoded_rounds_last_as_long_as_the_slowest():
    delays = DelayModel().sample(30, 16, generator())
    found = gc.simulate(gc.NoCoding(16), delays, jobs=30)
    assert torch.allclose(found.durations, delays.amax(1), rtol=1e-15)
    assert torch.allclose(found.finish_times, delays.amax(1).cumsum(0), rtol=1e-13)
    assert found.messages.sum() == 30 * 16


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_the_search_finds_the_times_of_the_plain_loop(data):
    n = data.draw(st.sampled_from((3, 9, 16, 70)))
    name = data.draw(st.sampled_from(("gc", "srsgc", "msgc")))
    B, x = data.draw(st.integers(1, 3)), data.draw(st.integers(1, 3))
    W = x * B + 1
    lams = data.draw(st.lists(st.integers(0, n if name == "msgc" else n - 1), min_size=1, max_size=3, unique=True))
    members = [(min(lam, n - 1),) if name == "gc" else (B, W, lam) for lam in lams]
    model = DelayModel(p_ns=data.draw(st.sampled_from((0.02, 0.2))), p_sn=data.draw(st.sampled_from((0.3, 0.9))))
    delays = model.sample(22 + 12, n, generator(data.draw(st.integers(0, 99))))
    mu = data.draw(st.sampled_from((0.5, 1.0)))
    added = torch.linspace(0, 0.5, len(members), dtype=torch.float64)
    fast = gc.replay_times(name, n, members, delays, added, jobs=22, mu=mu)
    plain = [gc.simulate(make(name, n, params), delays + extra, jobs=22, mu=mu)
             for params, extra in zip(members, added, strict=True)]
    assert fast.tolist() == pytest.approx([found.total for found in plain], rel=1e-12)
    assert all(found.undecodable == 0 for found in plain)


def test_search_takes_the_fastest_of_each_scheme_and_obeys_the_longest_delay():
    n, grids, seen = 32, gc.default_grids(32), []
    probe = DelayTrace(DelayModel().sample(63, n, generator()))
    found = gc.search(n, probe, 2.2, jobs=60, t_max=3, grids=grids, progress=lambda *done: seen.append(done))
    assert len(found) == len({(c.scheme, c.params) for c in found}) == sum(map(len, grids.values()))
    assert seen[-1][0] == seen[-1][1] == len(seen)
    picks = gc.best(found)
    assert set(picks) == set(gc.SCHEMES)
    for name, pick in picks.items():
        assert pick.time == min(c.time for c in found if c.scheme == name)
        replayed = gc.simulate(pick.build(), probe.adjusted(pick.load, 2.2), jobs=60)
        assert replayed.total == pytest.approx(pick.time, rel=1e-12)
    short = gc.search(n, probe, 2.2, jobs=60, t_max=1, grids=grids)
    assert max(c.T for c in short) == 1
    minimal = gc.search(n, probe, 2.2, jobs=10, t_max=1, grids={"msgc": [(1, 2, 2)]}, wait="minimal")
    assert minimal[0].time == gc.simulate(make("msgc", n, (1, 2, 2)), probe.adjusted(minimal[0].load, 2.2), jobs=10,
                                          wait="minimal").total


def test_the_load_slope_is_recovered():
    loads = (0.0, 0.25, 0.5, 0.75, 1.0)
    profiles = {load: DelayModel().sample(20, 64, generator(k)) + 2.2 * load for k, load in enumerate(loads)}
    slope, start = gc.fit_load_slope(profiles)
    assert slope == pytest.approx(2.2, abs=0.05)
    assert start == pytest.approx(DelayModel().sample(400, 64, generator(9)).mean().item(), abs=0.03)


# ---- the lesson ------------------------------------------------------------------------------------------------------


def test_the_settings_own_cluster_yields_finite_scalars_everywhere():
    smoke = gc.Settings(profile="smoke")
    corners = [smoke, smoke.replace(workers=16, lam_share=1.0, s_share=0.5, burst=3, gaps=3),
               smoke.replace(workers=16, lam_share=0.02, s_share=0.0, load_slope=0.0, p_ns=0.1, p_sn=0.2, mu=0.2),
               smoke.replace(workers=16, load_slope=20.0, mu=3.0, p_ns=0.002, p_sn=1.0)]
    for corner in corners:
        scalars = gc.point(corner).scalars
        assert all(math.isfinite(value) for value in scalars.values()), scalars
        assert scalars["load_bound"] <= scalars["load_msgc"] + 1e-12


@pytest.mark.standard
def test_small_claims_hold_at_any_seed():
    for seed in (0, 5):
        settings_ = gc.Settings(seed=seed, sizes="patterns:120,random_sets:2").protocol
        for claim in gc.CLAIMS[:3]:
            assert lesson.judge(claim, gc.MEASURES[claim.id](settings_)).word == "reproduced"


@pytest.mark.standard
def test_verdicts_of_the_quick_profile():
    measured = gc.measure(gc.Settings())
    words = {claim.id: lesson.judge(claim, measured[claim.id]).word for claim in gc.CLAIMS}
    assert words == {
        **dict.fromkeys(("C1", "C2", "C3", "C4", "C5", "C7"), "reproduced"), **dict.fromkeys(("C6", "K1"), "holds"),
        **dict.fromkeys(("R1", "R2"), "reported"), "C8": "not tested at this scale",
    }


def test_the_map_table_has_a_row_per_cell(monkeypatch):
    monkeypatch.setattr("gradscape.distributed.gradient_coding.claims.MAP_AXES",
                        {"p_ns": (0.02,), "p_sn": (0.4, 0.95), "alpha": (2.2,)})
    table = gc.map_table(gc.Settings(profile="smoke"))
    assert len(table.columns["msgc_over_gc"]) == 2
    assert all(0.3 < value < 3 for value in table.columns["msgc_over_gc"])
