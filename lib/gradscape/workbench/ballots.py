"""Predictions of a class, collected without names: one local file per session, where GRADSCAPE_PREDICTIONS says."""
from __future__ import annotations

import contextlib
import json
import os
import secrets
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

VARIABLE = "GRADSCAPE_PREDICTIONS"
_SESSION = secrets.token_hex(8)  # of this process; says nothing about who


def cast(question: str, option: str) -> None:
    """Note a choice; nothing happens without the variable, and a folder that cannot be written disturbs no reader."""
    folder = os.environ.get(VARIABLE, "").strip()
    if not folder:
        return
    with contextlib.suppress(OSError):
        place = Path(folder)
        place.mkdir(parents=True, exist_ok=True)
        with (place / f"{_SESSION}.jsonl").open("a", encoding="utf-8") as sink:
            sink.write(json.dumps({"question": question, "option": option}, ensure_ascii=False) + "\n")


def count(folder: Path) -> dict[str, Counter[str]]:
    """Votes by question: the last choice of each session counts; lines that cannot be read are passed over.

    ``ValueError`` if there is no such folder.
    """
    if not folder.is_dir():
        raise ValueError(f"{folder}: no such folder; predictions are collected where {VARIABLE} says")
    found: dict[str, Counter[str]] = {}
    for place in sorted(folder.glob("*.jsonl")):
        last: dict[str, str] = {}
        for line in place.read_text(encoding="utf-8", errors="replace").splitlines():
            with contextlib.suppress(ValueError, KeyError, TypeError):
                vote = json.loads(line)
                last[str(vote["question"])] = str(vote["option"])
        for question, option in last.items():
            found.setdefault(question, Counter())[option] += 1
    return found


def told(question: str, options: Sequence[str]) -> str:
    """One sentence on what the class said, empty where nothing is collected."""
    folder = os.environ.get(VARIABLE, "").strip()
    votes = count(Path(folder)).get(question) if folder and Path(folder).is_dir() else None
    if not votes:
        return ""
    return "The class: " + ", ".join(f"{votes[option]} × {option}" for option in options) + "."
