"""The two simulators against BFCL's: recorded answers always, the original classes where they are installed."""
from __future__ import annotations

import ast
import json
import random

import pytest
from gradscape.agents.toolworld import FileSystem, TicketDesk

from tests.oracles import bfcl_simulators as bfcl

STORED = json.loads(bfcl.STORED.read_text())




def test_recorded_file_system():
    """Thirty random episodes of fifteen calls: the same answers, error texts included, and the same trees."""
    assert STORED["version"] == bfcl.VERSION
    failures = 0
    for episode in STORED["files"]:
        fs = FileSystem(STORED["tree"])
        for tool, arguments, answer in episode["calls"]:
            before = json.dumps(fs.root)
            assert getattr(fs, tool)(*arguments) == answer, (tool, arguments)
            if answer and "error" in answer:
                failures += 1
                assert json.dumps(fs.root) == before  # a failure changes nothing
        assert fs.root == episode["tree"]
    assert failures > 50


def test_recorded_ticket_desk():
    for episode in STORED["desk"]:
        desk = TicketDesk()
        for tool, arguments, answer in episode:
            assert getattr(desk, tool)(*arguments) == answer, (tool, arguments)


@pytest.fixture(scope="module")
def originals():
    place = bfcl.folder()
    if place is None:
        pytest.skip("needs bfcl-eval; to install it, see tests/oracles/bfcl_simulators.py")
    return bfcl.originals(place), place


@pytest.mark.standard
def test_file_system_call_by_call(originals):
    (cls, _), _ = originals
    rng = random.Random(1)
    compared = 0
    for _ in range(2000):
        theirs, ours = bfcl.original_files(cls), FileSystem(bfcl.TREE)
        for _ in range(15):
            tool, arguments = bfcl.file_call(rng, ours.here)
            assert getattr(ours, tool)(*arguments) == getattr(theirs, tool)(*arguments), (tool, arguments)
            compared += 1
        assert ours.root == bfcl.original_tree(theirs.root)
        assert list(ours.here) == list(theirs._current_dir.contents)  # the order of insertion as well
    assert compared == 30_000


@pytest.mark.standard
def test_ticket_desk_call_by_call(originals):
    (_, cls), _ = originals
    rng = random.Random(2)
    for _ in range(500):
        theirs, ours = bfcl.original_desk(cls), TicketDesk()
        for _ in range(15):
            tool, arguments = bfcl.desk_call(rng)
            answer = getattr(ours, tool)(*arguments)
            assert answer == getattr(theirs, tool)(*arguments), (tool, arguments)
        assert (ours.tickets, ours.user, ours.next_id) == (
            theirs.ticket_queue, theirs.current_user, theirs.ticket_counter)


@pytest.mark.standard
def test_ground_truth_of_the_leaderboard(originals):
    """Its multi-turn tasks that need our file system's tools only: the same answers to the given solutions."""
    (cls, _), place = originals
    data = place / "bfcl_eval" / "data"
    name = "BFCL_v4_multi_turn_base.json"
    tasks = [json.loads(line) for line in (data / name).read_text().splitlines()]
    truth = {t["id"]: t["ground_truth"] for t in map(
        json.loads, (data / "possible_answer" / name).read_text().splitlines())}
    played = 0
    for task in tasks:
        if "GorillaFileSystem" not in task["initial_config"]:
            continue
        calls = [ast.parse(text, mode="eval").body for turn in truth[task["id"]] for text in turn]
        if not all(hasattr(FileSystem, call.func.id) for call in calls):
            continue
        theirs = cls()
        theirs._load_scenario(task["initial_config"]["GorillaFileSystem"])
        [root] = task["initial_config"]["GorillaFileSystem"]["root"]
        ours = FileSystem(bfcl.original_tree(theirs.root), name=root)
        for call in calls:
            arguments = [ast.literal_eval(a) for a in call.args]
            named = {k.arg: ast.literal_eval(k.value) for k in call.keywords}
            assert getattr(ours, call.func.id)(*arguments, **named) == getattr(theirs, call.func.id)(
                *arguments, **named)
        assert ours.root == bfcl.original_tree(theirs.root)
        played += 1
    assert played >= 8


class TestDifferentOnPurpose:
    def test_folders_keep_what_is_in_them(self):
        fs = FileSystem({"a": {"x": {"f": "1"}}, "b": {}})
        assert fs.mv("a", "b") == {"result": "'a' moved to 'b/a'"}
        fs.cd("b"), fs.cd("a"), fs.cd("x")
        assert fs.pwd() == {"current_working_directory": "/workspace/b/a/x"}
        fs.cd("..")
        assert fs.cp("x", "y") == {"result": "'x' copied to 'y'"}
        fs.cd("y")
        fs.rm("f")
        assert fs.root == {"b": {"a": {"x": {"f": "1"}, "y": {}}}}

    def test_copy_onto_an_existing_name_is_an_error(self):
        fs = FileSystem({"f": "1", "a": {"f": "2"}})
        assert fs.cp("f", "a") == {"error": "cp: cannot copy 'f' to 'a/f': File exists"}

    def test_a_folder_into_itself(self):
        fs = FileSystem({"a": {"f": "1"}})
        assert "error" in fs.mv("a", "a")
        assert "error" in fs.cp("a", "a")
        assert "error" in fs.echo("text", "a")
        assert fs.root == {"a": {"f": "1"}}


def test_the_silent_rename():
    fs = FileSystem({"report": "text"})
    assert fs.mv("report", "archive") == {"result": "'report' moved to 'archive'"}
    assert fs.root == {"archive": "text"}
    assert fs.mkdir("docs") is None
    assert fs.mv("archive", "docs") == {"result": "'archive' moved to 'docs/archive'"}


def test_answers_do_not_lead_to_the_state():
    desk = TicketDesk(user="ann")
    desk.create_ticket("leak")["title"] = "changed"
    desk.get_ticket(1)["title"] = "changed"
    desk.get_user_tickets()[0]["title"] = "changed"
    assert desk.tickets[0]["title"] == "leak"
    tree = {"a": {}}
    FileSystem(tree).rm("a")
    assert tree == {"a": {}}


def test_bad_arguments():
    with pytest.raises(ValueError, match="folder=None: must be a text"):
        FileSystem().cd(None)
    with pytest.raises(ValueError, match="tree=3"):
        FileSystem({"a": 3})
    with pytest.raises(ValueError, match=r"lacks created_by, status"):
        TicketDesk([{"id": 1, "title": "x"}])
