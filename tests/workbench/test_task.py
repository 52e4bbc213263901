"""One call that asks whether to stop and says how far it is."""
from __future__ import annotations

import pytest
from gradscape.workbench.task import Stopped, Task


def test_a_step_reports_and_stops_when_cancelled():
    told = []
    task = Task(report=lambda done, total: told.append((done, total)))
    task.step(1, 2)
    assert told == [(1, 2)]
    task.cancel()
    with pytest.raises(Stopped):
        task.step(2, 2)
    assert told == [(1, 2)]  # nothing is said after the wish to stop


def test_a_step_stops_at_the_limit_and_needs_no_report():
    Task().step(1, 1)
    task = Task(limit_s=0.0)
    with pytest.raises(Stopped):
        task.step(1, 1)
    assert task.stopped_early
    assert not task.cancelled_by_reader
