"""Predict first: live radio buttons, plain markdown headless, an answer that waits for both."""
from __future__ import annotations

from typing import Any

import pytest
from gradscape.workbench import chosen, predict, reveal
from gradscape.workbench.prediction import _PANELS


@pytest.fixture(autouse=True)
def forgotten() -> Any:
    yield
    _PANELS.clear()


def test_headless_it_is_markdown_and_closed_details(displayed: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADSCAPE_HEADLESS", "1")
    predict("What does $T$ do?", ["shift", "bend"], key="t")
    reveal("t", "shift", "Only T·t enters <here>.")
    question, answer = displayed
    assert question["text/markdown"] == "**Predict first.** What does $T$ do?\n\n- shift\n- bend"
    assert answer["text/html"].startswith("<details")
    assert "&lt;here&gt;" in answer["text/html"]
    assert not any("application/vnd.jupyter.widget-view+json" in shown for shown in displayed)
    assert chosen("t") is None


def test_live_the_choice_opens_the_comparison_whenever_it_is_made(displayed: list[Any]) -> None:
    predict("What?", ["shift", "bend"], key="t")
    reveal("t", "shift", "Because.")
    asked = _PANELS["t"]
    panel = asked.reveals[0][0]
    assert panel.state == {"verdict": "Answer: shift", "why": "Because.", "open": False}
    asked.prompt._handle_custom_msg({"kind": "answer", "position": 1}, [])
    assert chosen("t") == "bend"
    assert panel.state == {"verdict": "You predicted: bend. It is: shift", "why": "Because.", "open": True}
    asked.prompt._handle_custom_msg({"kind": "answer", "position": 7}, [])
    assert chosen("t") == "bend"
    asked.prompt._handle_custom_msg({"kind": "answer", "position": 0}, [])
    assert panel.state["verdict"] == "As you predicted: shift"
    assert ["application/vnd.jupyter.widget-view+json" in shown for shown in displayed] == [True, False, True, False]


def test_mistakes_are_named(displayed: list[Any]) -> None:
    with pytest.raises(ValueError, match="at least two different answers"):
        predict("What?", ["only"], key="t")
    with pytest.raises(ValueError, match="at least two different answers"):
        predict("What?", ["a", "a"], key="t")
    with pytest.raises(ValueError, match="key='t': nothing was asked under it"):
        reveal("t", "a", "")
    predict("What?", ["a", "b"], key="t")
    with pytest.raises(ValueError, match="answer='c': must be one of 'a', 'b'"):
        reveal("t", "c", "")
