"""Delays against their closed forms, the clock against rounds worked out by hand, real processes against each other."""
from __future__ import annotations

import doctest
import importlib
import math
import pkgutil

import pytest
import torch
from gradscape.distributed import gradient_coding, real, workers
from gradscape.distributed.real import ProcessError, launch
from gradscape.distributed.workers import (
    Clock,
    DelayModel,
    DelayTrace,
    Link,
    bits,
    gilbert_elliott,
    spells,
    timeline,
)

from tests.distributed import programs

torch.set_num_threads(1)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


# ---- delays ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("p_ns", "p_sn"), [(0.02, 0.95), (0.02, 0.4), (0.3, 0.2)])
def test_slow_workers_have_the_stationary_share_and_spells_the_geometric_length(p_ns, p_sn):
    rounds, n = 400, 400
    slow = gilbert_elliott(rounds, n, p_ns, p_sn, generator())
    share = p_ns / (p_ns + p_sn)
    # correlated rounds: the variance of a worker's mean grows by (1 + rho)/(1 - rho), rho = 1 - p_ns - p_sn
    rho = 1 - p_ns - p_sn
    error = math.sqrt(share * (1 - share) / (rounds * n) * max(1.0, (1 + rho) / (1 - rho)))
    assert abs(slow.double().mean().item() - share) < 3 * error
    assert abs(slow[0].double().mean().item() - share) < 3 * math.sqrt(share * (1 - share) / n)
    inner = slow.clone()
    inner[:, slow[0] | slow[-1]] = False  # spells cut by the ends would be too short
    lengths = spells(inner).double()
    assert abs(lengths.mean().item() - 1 / p_sn) < 3 * lengths.std().item() / math.sqrt(len(lengths)) + 2 / rounds


def test_spells_by_hand():
    pattern = torch.tensor([[1, 0, 0], [1, 1, 0], [0, 0, 0], [1, 1, 0]]).bool()
    assert sorted(spells(pattern).tolist()) == [1, 1, 1, 2]
    assert spells(torch.zeros(3, 2, dtype=torch.bool)).tolist() == []


def test_always_or_never_slow():
    assert not gilbert_elliott(20, 5, 0.0, 1.0, generator()).any()
    assert gilbert_elliott(20, 5, 1.0, 0.0, generator()).all()
    assert torch.equal(gilbert_elliott(9, 4, 0.3, 0.5, generator(1)), gilbert_elliott(9, 4, 0.3, 0.5, generator(1)))


def test_delays_stay_in_their_bounds():
    model = DelayModel(jitter=0.0)
    seconds = model.sample(200, 50, generator())
    slow = seconds > 0.55 * 1.0001
    assert seconds[~slow].unique().tolist() == pytest.approx([0.55])
    assert 0.55 * 2.2 <= seconds[slow].min() <= seconds[slow].max() <= 0.55 * 4.0
    assert slow.double().mean().item() == pytest.approx(0.02 / 0.97, abs=0.005)
    tailed = DelayModel(jitter=0.0, tail=1.5).sample(200, 50, generator())
    assert tailed.max() > seconds.max()


def test_defaults_resemble_the_recorded_profile():
    """256 Lambda workers at load 0, 30 rounds: minimum 0.54 s, median 0.64 s (authors' repository, Canada profile)."""
    seconds = DelayModel().sample(30, 256, generator())
    assert seconds.min().item() == pytest.approx(0.57, abs=0.04)
    assert seconds.median().item() == pytest.approx(0.64, abs=0.02)


def test_a_trace_replays_its_rounds_in_order_for_whole_workers(tmp_path):
    trace = DelayTrace(DelayModel().sample(12, 6, generator()), load=0.25)
    played = trace.sample(20, 4, generator(3))
    columns = {tuple(played[:, k].tolist()) for k in range(4)}
    assert len(columns) == 4
    doubled = torch.cat([trace.seconds] * 3)
    starts = [s for s in range(12) if all(
        any(torch.equal(played[:, k], doubled[s : s + 20, w]) for w in range(6)) for k in range(4))]
    assert len(starts) == 1
    assert trace.sample(3, 9, generator()).shape == (3, 9)
    assert torch.allclose(trace.adjusted(0.75, 2.0), trace.seconds + 1.0)
    path = tmp_path / "trace.csv"
    trace.write(path)
    back = DelayTrace.read(path)
    assert torch.equal(back.seconds, trace.seconds)
    assert back.load == 0.25


@pytest.mark.parametrize(("text", "says"), [("", "one length"), ("1,2\n3\n", "one length"), ("1,banana\n", "line 1")])
def test_a_damaged_trace_is_refused(tmp_path, text, says):
    path = tmp_path / "trace.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=says):
        DelayTrace.read(path)


# ---- the clock -------------------------------------------------------------------------------------------------------


def seconds(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def test_a_round_ends_at_the_cutoff_or_with_the_last():
    clock = Clock(3, mu=1.0)
    event = clock.round(seconds(1.0, 1.5, 9.0))
    assert (event.start, event.duration, event.late.tolist(), event.waited) == (0.0, 2.0, [False, False, True], False)
    event = clock.round(seconds(1.0, 1.5, 1.9))
    assert (event.start, event.duration, event.late.any().item()) == (2.0, 1.9, False)
    assert clock.now == pytest.approx(3.9)
    assert Clock(3).round(seconds(1.0, 1.5, 9.0)).duration == 9.0


@pytest.mark.parametrize(("wait", "duration", "late"), [
    ("all", 9.0, []), ("minimal", 3.0, [2, 3]), ("never", 2.0, [1, 2, 3]),
])
def test_three_ways_to_wait(wait, duration, late):
    clock = Clock(4, mu=1.0, wait=wait)
    event = clock.round(seconds(1.0, 3.0, 9.0, 5.0), admit=lambda lost: int(lost.sum()) <= 2)
    assert event.duration == duration
    assert event.late.nonzero().flatten().tolist() == late
    assert event.waited == (wait != "never")
    assert clock.waits == int(wait != "never")


def test_minimal_waiting_may_end_with_nobody_late():
    event = Clock(3, mu=0.5, wait="minimal").round(seconds(1.0, 2.0, 3.0), admit=lambda lost: not bool(lost.any()))
    assert (event.duration, event.late.any().item()) == (3.0, False)


def test_idle_workers_are_neither_waited_for_nor_counted():
    clock = Clock(3, mu=1.0)
    event = clock.round(seconds(1.0, 1.2, 50.0), up=8, busy=torch.tensor([True, True, False]))
    assert (event.duration, event.late.any().item()) == (1.2, False)
    assert clock.up.tolist() == [8, 8, 0]
    assert clock.round(seconds(1.0, 1.0, 1.0), busy=torch.zeros(3, dtype=torch.bool)).duration == 0.0


def test_bits_are_counted_exactly_and_cost_time():
    link = Link(latency=0.5, bandwidth=100.0)
    clock = Clock(2, mu=1.0, link=link)
    event = clock.round(seconds(1.0, 7.0), up=torch.tensor([200, 300]), down=50)
    assert event.arrivals.tolist() == [1.0 + 0.5 + 2.0 + 0.5 + 0.5, 7.0 + 0.5 + 3.0 + 0.5 + 0.5]
    assert clock.up.tolist() == [200, 0]  # the late message is withdrawn
    assert clock.down.tolist() == [50, 50]
    assert bits(torch.zeros(3, 5, dtype=torch.float32), torch.zeros(2, dtype=torch.bool)) == 3 * 5 * 32 + 2 * 8
    big = Clock(2)
    for _ in range(3):
        big.round(seconds(1.0, 1.0), up=2**60)
    assert big.up.tolist() == [3 * 2**60] * 2


def test_the_timeline_is_the_clock_at_once():
    compute = DelayModel().sample(30, 7, generator())
    up = torch.randint(0, 500, (30, 7), generator=generator())
    link = Link(latency=0.01, bandwidth=4000.0)
    clock = Clock(7, link=link)
    ends = []
    for r in range(30):
        clock.round(compute[r], up=up[r], down=64)
        ends.append(clock.now)
    assert torch.allclose(timeline(compute, up=up, down=64, link=link), seconds(*ends), rtol=1e-12, atol=0)


@pytest.mark.parametrize("call", [
    lambda: gilbert_elliott(0, 3, 0.1, 0.1, generator()),
    lambda: gilbert_elliott(3, 3, -0.1, 0.1, generator()),
    lambda: gilbert_elliott(3, 3, 0.1, math.nan, generator()),
    lambda: gilbert_elliott(3, 3, 0.0, 0.0, generator()),
    lambda: DelayModel(base=0.0),
    lambda: DelayModel(slow_range=(3.0, 2.0)),
    lambda: DelayModel(tail=1.0),
    lambda: DelayTrace(torch.ones(3)),
    lambda: DelayTrace(torch.tensor([[1.0, math.inf]])),
    lambda: DelayTrace(torch.tensor([[1.0, 0.0]])),
    lambda: DelayTrace(torch.ones(2, 2), load=-1.0),
    lambda: Link(latency=-1.0),
    lambda: Link(bandwidth=0.0),
    lambda: Clock(3, mu=0.0),
    lambda: Clock(3, wait="sometimes"),
    lambda: Clock(3).round(torch.ones(4)),
    lambda: Clock(3).round(torch.ones(3), up=1.5),
    lambda: Clock(3).round(torch.ones(3), up=-8),
    lambda: timeline(torch.ones(3, 2), up=-1),
    lambda: launch(programs.add, processes=1),
    lambda: launch(programs.add, timeout=0.0),
    lambda: launch(lambda channel: None),
])
def test_bad_input_is_refused(call):
    with pytest.raises(ValueError, match=r"must|allowed|needed|>"):
        call()


# ---- real processes --------------------------------------------------------------------------------------------------


@pytest.mark.standard
def test_processes_exchange_tensors_and_count_the_same_bits():
    (total, sent, got), (echo, sent_1, got_1) = launch(programs.add, torch.arange(5.0, dtype=torch.float64))
    assert total.tolist() == [1.0, 3.0, 5.0, 7.0, 9.0]
    assert torch.equal(echo, total)
    assert (sent, got) == (got_1, sent_1) == ({"sum": 5 * 64}, {"data": 5 * 64, "flag": 3 * 8})


@pytest.mark.standard
def test_a_failing_process_is_named_with_its_traceback():
    with pytest.raises(ProcessError, match=r"rank 1 failed(.|\n)*banana"):
        launch(programs.fail, timeout=60)


@pytest.mark.standard
def test_a_vanished_process_is_named():
    with pytest.raises(ProcessError, match=r"rank 1 ended with exit status 3 and without a result"):
        launch(programs.vanish, timeout=60)


@pytest.mark.standard
def test_a_silent_process_meets_the_deadline_and_is_gone_afterwards(tmp_path):
    with pytest.raises(ProcessError, match=r"no answer from rank 0, 1 within 20 s"):
        launch(programs.hang, str(tmp_path / "pid"), timeout=20)
    pid = int((tmp_path / "pid").read_text())
    with pytest.raises(ProcessLookupError):
        real.os.kill(pid, 0)


@pytest.mark.standard
def test_only_loopback_is_opened():
    for addresses in launch(programs.listening):
        assert addresses
        assert all(address.startswith("127.") or address in ("::1", "::ffff:127.0.0.1") for address in addresses)


# ---- examples --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [
    workers.__name__, *(f"{gradient_coding.__name__}.{m.name}" for m in pkgutil.iter_modules(gradient_coding.__path__)),
])
def test_examples_in_docstrings(name):
    assert doctest.testmod(importlib.import_module(name)).failed == 0
