"""Random episodes on two simulators of the Berkeley function-calling leaderboard, and how to get the originals.

    pip install --no-deps --target FOLDER bfcl-eval==2026.3.23
    python tests/oracles/bfcl_simulators.py FOLDER > tests/oracles/bfcl_simulators.json

The package pins many others, but its simulators need the standard library only. The stored file holds what the original
``GorillaFileSystem`` and ``TicketAPI`` answered; where the package is installed they are compared live.
"""
from __future__ import annotations

import importlib
import json
import os
import random
import sys
from pathlib import Path
from typing import Any

VERSION = "2026.3.23"
STORED = Path(__file__).with_suffix(".json")
PLACE = Path(__file__).parents[2] / ".venv" / "oracles" / "bfcl-eval"  # where .ci/run installs it
SOURCE = "bfcl_eval.eval_checker.multi_turn_eval.func_source_code"

FOLDERS, FILES = ("a", "b", ".h", "docs"), ("f", "g.txt", ".z", "report")
ODD = ("", ".", "..", "/", "a/", "a/b", "/a", "x*y", "no|pe", "missing")
TOOLS = ("pwd", "ls", "cd", "cd", "mkdir", "touch", "echo", "cat", "find", "mv", "mv", "cp", "cp", "rm", "rmdir")
TREE = {
    "a": {"f": "one", "b": {"g.txt": "two"}}, "docs": {}, "f": "three\nlines", ".z": "", "report": "last",
}


def folder() -> Path | None:
    """Where bfcl-eval is installed, if it is."""
    place = Path(os.environ.get("GRADSCAPE_BFCL", PLACE))
    return place if (place / "bfcl_eval").is_dir() else None


def originals(place: Path) -> tuple[Any, Any]:
    """The classes GorillaFileSystem and TicketAPI."""
    sys.path.insert(0, str(place))
    try:
        files = importlib.import_module(f"{SOURCE}.gorilla_file_system")
        tickets = importlib.import_module(f"{SOURCE}.ticket_api")
    finally:
        sys.path.remove(str(place))
    return files.GorillaFileSystem, tickets.TicketAPI


def scenario(tree: dict) -> dict:
    """A tree as the original loads it."""
    return {name: {"type": "file", "content": node} if isinstance(node, str)
            else {"type": "directory", "contents": scenario(node)} for name, node in tree.items()}


def original_tree(directory: Any) -> dict:
    """The original's tree as nested dictionaries."""
    return {name: original_tree(item) if hasattr(item, "contents") else item.content
            for name, item in directory.contents.items()}


def original_files(cls: Any, tree: dict = TREE) -> Any:
    """The original file system in the given state."""
    fs = cls()
    fs._load_scenario({"root": {"workspace": {"type": "directory", "contents": scenario(tree)}}})
    return fs


def original_desk(cls: Any) -> Any:
    """The original ticket desk, empty."""
    desk = cls()
    desk._load_scenario({"ticket_queue": [], "ticket_counter": 1, "current_user": None})
    return desk


def file_call(rng: random.Random, here: dict) -> tuple[str, list]:
    """A random call that both simulators answer: none of the few cases in which they differ on purpose.

    ``here``: the current folder, nested dictionaries.
    """
    while True:
        name, other = (rng.choice((*FOLDERS, *FILES, *(ODD if rng.random() < 0.2 else ()))) for _ in range(2))
        tool = rng.choice(TOOLS)
        is_folder = isinstance(here.get(name), dict)
        if "." in ((other,) if tool in ("mv", "cp") else (name,) if tool in ("mkdir", "touch") else ()):
            continue  # the original takes an item named "." for the current folder
        if tool in ("mv", "cp") and is_folder:
            continue  # folders lose or share their content in the original
        if tool == "cp" and isinstance(here.get(other), dict) and name in here and name in here[other]:
            continue  # raises in the original
        if tool == "echo" and is_folder:
            continue  # raises in the original
        arguments = {
            "pwd": [], "ls": [rng.random() < 0.5], "cd": [rng.choice(("..", name, name))],
            "echo": rng.choice((["text", name], ["text", name], ["text"])), "mv": [name, other], "cp": [name, other],
            "find": rng.choice(([], [name], [".", "r"], ["/", other])),
        }
        return tool, arguments.get(tool, [name])


def desk_call(rng: random.Random) -> tuple[str, list]:
    """A random call to the ticket desk."""
    number = rng.randint(1, 6)
    return rng.choice((
        ("ticket_login", [rng.choice(("ann", "bob", "")), rng.choice(("secret", ""))]), ("logout", []),
        ("ticket_get_login_status", []), ("create_ticket", [rng.choice(("leak", "outage"))]),
        ("create_ticket", ["refund", "late", rng.choice((0, 1, 5, 6))]), ("get_ticket", [number]),
        ("close_ticket", [number]), ("resolve_ticket", [number, "done"]), ("get_user_tickets", []),
        ("get_user_tickets", [rng.choice(("Open", "closed", "RESOLVED"))]),
    ))


def record(place: Path, episodes: int = 30, calls: int = 15) -> dict[str, Any]:
    """What the originals answer in random episodes."""
    files, tickets = originals(place)
    rng = random.Random(0)
    stored: dict[str, Any] = {"version": VERSION, "tree": TREE, "files": [], "desk": []}
    for _ in range(episodes):
        fs, desk = original_files(files), original_desk(tickets)
        made = []
        for _ in range(calls):
            tool, arguments = file_call(rng, original_tree(fs._current_dir))
            made.append([tool, arguments, getattr(fs, tool)(*arguments)])
        stored["files"].append({"calls": made, "tree": original_tree(fs.root)})
        made = []
        for _ in range(calls):
            tool, arguments = desk_call(rng)
            made.append([tool, arguments, json.loads(json.dumps(getattr(desk, tool)(*arguments)))])
        stored["desk"].append(made)
    return stored


if __name__ == "__main__":
    print(json.dumps(record(Path(sys.argv[1])), separators=(",", ":")))
