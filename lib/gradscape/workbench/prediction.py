"""Predict first: a question before the main figure, the answer after it. Graded by nobody, and kept in memory only.

An instructor who sets ``GRADSCAPE_PREDICTIONS`` to a folder gets the choices there, without names.
"""
from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

from gradscape.workbench import ballots, headless
from gradscape.workbench.view import QUIET, STATIC, display_widget

_PANELS: dict[str, Any] = {}      # key -> the question as asked in this process (options, chosen position, widgets)


class _Question:
    def __init__(self, question: str, options: Sequence[str]) -> None:
        self.question, self.options = question, tuple(options)
        self.position: int | None = None
        self.prompt: Any = None
        self.reveals: list[tuple[Any, str, str]] = []

    def choose(self, position: int) -> None:
        self.position = position
        ballots.cast(self.question, self.options[position])
        self.prompt.state = {"position": position, "status": "Noted. The figure below will tell."}
        for panel, answer, why in self.reveals:
            panel.state = self.shown(answer, why)

    def shown(self, answer: str, why: str) -> dict[str, Any]:
        if self.position is None:
            return {"verdict": f"Answer: {answer}", "why": why, "open": False}
        said = self.options[self.position]
        verdict = f"As you predicted: {answer}" if said == answer else f"You predicted: {said}. It is: {answer}"
        together = ballots.told(self.question, self.options)
        return {"verdict": verdict, "why": f"{why} {together}".strip(), "open": True}


def predict(question: str, options: Sequence[str], *, key: str) -> None:
    """Ask before the figure is seen: radio buttons when live, plain markdown when headless.

    ``key`` ties it to :func:`reveal`. ``ValueError`` with fewer than two options or with one named twice.
    """
    from IPython.display import display

    if len(options) < 2 or len(set(options)) < len(options):
        raise ValueError(f"options={list(options)!r}: must be at least two different answers")
    asked = _PANELS[key] = _Question(question, options)
    lines = "\n".join(f"- {option}" for option in options)
    text = f"Predict first. {question}\n{lines}"
    if headless.mode() == "live":
        from gradscape.workbench.panel import Panel

        spec = {"question": question, "options": list(options)}
        asked.prompt = Panel(kind="predict", spec=spec, state={"position": None, "status": ""})
        asked.prompt.on_msg(lambda _, content, buffers: _receive(asked, content))
        display_widget(asked.prompt, text)
        items = "".join(f"<li>{escape(option)}</li>" for option in options)
        html = f'{QUIET}<div class="{STATIC}"><b>Predict first.</b> {escape(question)}<ul>{items}</ul></div>'
        display({"text/html": html, "text/plain": text}, raw=True)
        return
    display({"text/markdown": f"**Predict first.** {question}\n\n{lines}", "text/plain": text}, raw=True)


def reveal(key: str, answer: str, why: str) -> None:
    """After the figure: the answer and why, beside what was predicted; closed until the reader opens it or has chosen.

    ``answer`` is one of the options of ``predict(..., key=key)``; ``ValueError`` if it is not, or if nothing was asked.
    """
    from IPython.display import display

    if key not in _PANELS:
        raise ValueError(f"key={key!r}: nothing was asked under it; there are {', '.join(_PANELS) or 'none'}")
    asked = _PANELS[key]
    if answer not in asked.options:
        raise ValueError(f"answer={answer!r}: must be one of {', '.join(map(repr, asked.options))}")
    if headless.mode() == "live" and asked.prompt is not None:
        from gradscape.workbench.panel import Panel

        panel = Panel(kind="reveal", state=asked.shown(answer, why))
        asked.reveals.append((panel, answer, why))
        display_widget(panel, f"Answer: {answer}. {why}")
    html = (
        f'<details class="{STATIC}"><summary style="cursor:pointer">Compare with your prediction</summary>'
        f"<p><b>{escape(answer)}</b></p><p>{escape(why)}</p></details>"
    )
    display({"text/html": html, "text/plain": f"Answer: {answer}. {why}"}, raw=True)


def chosen(key: str) -> str | None:
    """What the reader predicted, if anything."""
    asked = _PANELS.get(key)
    return None if asked is None or asked.position is None else asked.options[asked.position]


def _receive(asked: _Question, content: Any) -> None:
    if content.get("kind") == "answer" and content.get("position") in range(len(asked.options)):
        asked.choose(int(content["position"]))

