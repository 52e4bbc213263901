"""The oracle: it knows the hidden state, and plans from the difference between the tree that is and the one wanted.

The plan is the shortest one that makes files and folders where they belong, leaves no junk behind and looks a ticket's
number up before it resolves it. `remaining` is its number of calls, infinity when nothing leads to the goal any more (a
file moved into a wrong folder cannot come back: tools take names, not paths; a ticket cannot be deleted).
"""
from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from gradscape.agents.toolworld.filesystem import Node, Tree
from gradscape.agents.toolworld.lexicon import (
    CD,
    CP,
    CREATE,
    DONE,
    HORIZON,
    LOGIN,
    MKDIR,
    MV,
    RESOLVE,
    RM,
    TICKETS,
    TOUCH,
    UP,
    VERB,
    WORD,
    Call,
)
from gradscape.agents.toolworld.tasks import Place, Task
from gradscape.agents.toolworld.world import FIRST_ID, World

SUCCESS, INEFFICIENT, FAILURE = 0, 1, 2
OUTCOMES = ("success", "success_but_inefficient", "failure")
REPAIR = -1  # the owner of calls that only undo a mistake: they come first


class Errand(NamedTuple):
    """A call that must be made in a folder, in this order within the folder; ``goal`` it belongs to."""

    place: Place
    call: Call
    goal: int


class Unsolvable(Exception):
    """Nothing leads from this state to the wanted one."""


def remaining(task: Task, world: World) -> float:
    """Calls that the oracle still needs, ``done`` included; 0 after a success, infinity when it is too late."""
    if world.finished:
        return 0.0 if task.solved(world) else math.inf
    try:
        errands, desk = _plan(task, world)
    except Unsolvable:
        return math.inf
    return len(errands) + len(desk) + _tour(tuple(world.fs.names), {e.place for e in errands}) + 1.0


def next_call(task: Task, world: World) -> Call:
    """The oracle's next call: goals in their order as far as no step is wasted by it.

    Raises ValueError when the task cannot be solved from here, or the episode is over.
    """
    if world.finished:
        raise ValueError("the episode is over: done was called")
    try:
        errands, desk = _plan(task, world)
    except Unsolvable as error:
        raise ValueError(f"the task cannot be solved from here: {error}") from None
    if not errands and not desk:
        return DONE, 0, 0
    here = tuple(world.fs.names)
    local = [errand for errand in errands if errand.place == here]
    first = min(errand.goal for errand in (*errands, *desk))
    if any(errand.goal == first for errand in desk):
        return desk[0].call
    if local:
        return min(local, key=lambda errand: errand.goal).call
    away = {errand.place for errand in errands}
    if not away:
        return desk[0].call
    length = _tour(here, away)
    target = min(errands, key=lambda errand: errand.goal).place
    inward = {place[: len(here) + 1] for place in away if place[: len(here)] == here}
    steps: list[tuple[Place, Call]] = [(place, (CD, WORD[place[-1]], 0)) for place in sorted(inward)]
    if here:
        steps.append((here[:-1], (CD, UP, 0)))
    steps.sort(key=lambda step: _distance(step[0], target))  # toward the first goal, if that wastes no step
    return next(call for place, call in steps if _tour(place, away) == length - 1)


def oracle_pivot(task: Task, calls: Sequence[Call]) -> tuple[int, int, Call]:
    """Judge a trajectory: (outcome, k, call), outcome one of SUCCESS, INEFFICIENT, FAILURE.

    k is the first turn (from 0) after which the oracle needs as many calls as before, or more; ``call`` is what the
    oracle does there. For a success without such a turn k = 0 and the call is ``done``. A call that saves more than
    one (a ticket's number guessed right) is no mistake. Raises ValueError for more than HORIZON calls.
    """
    if len(calls) > HORIZON:
        raise ValueError(f"calls has {len(calls)} entries: at most {HORIZON}")
    world = task.world()
    left = remaining(task, world)
    pivot: tuple[int, Call] | None = None
    for turn, call in enumerate(calls):
        better = None if pivot is not None else next_call(task, world)
        world.step(call)
        if better is not None:
            after = remaining(task, world)
            if after > left - 1:
                pivot = turn, better
            left = after
        if world.finished:
            break
    outcome = FAILURE if not task.solved(world) else SUCCESS if pivot is None else INEFFICIENT
    k, call = pivot or (0, (DONE, 0, 0))
    return outcome, k, call


def _tour(here: Place, places: set[Place]) -> int:
    """Least number of ``cd`` from ``here`` through all places, ending anywhere: a walk on the tree of folders."""
    if not places or places == {here}:
        return 0
    nodes = [here, *places]
    root = 0
    shortest = min(map(len, nodes))
    while root < shortest and all(node[root] == here[root] for node in nodes):
        root += 1
    edges = {node[:depth] for node in nodes for depth in range(root + 1, len(node) + 1)}
    return 2 * len(edges) - max(_distance(here, place) for place in places)


def _distance(a: Place, b: Place) -> int:
    common = 0
    while common < len(a) and common < len(b) and a[common] == b[common]:
        common += 1
    return len(a) + len(b) - 2 * common


def _plan(task: Task, world: World) -> tuple[list[Errand], list[Errand]]:
    errands: list[Errand] = []
    if world.fs.root != task.wanted_tree:
        _mend(task, world.fs.root, task.wanted_tree, (), errands)
    return errands, _desk_plan(task, world)


def _mend(task: Task, have: Tree, want: Tree, place: Place, errands: list[Errand]) -> None:
    """Append what must be done in this folder and below to make ``have`` into ``want``."""
    deliver = _deliveries(have, want)
    present: dict[str, Node] = dict(have)
    todo: list[tuple[int, Call, str]] = []  # (stage, call, name whose goal it is)
    needed = {file: content for file, content in want.items() if isinstance(content, str)}
    for _, file, content in deliver:
        if needed.setdefault(file, content) != content:
            raise Unsolvable(f"{file} is wanted with two contents")
    _find_files(present, want, needed, todo)
    below: list[tuple[str, Tree, Tree]] = []
    for name, node in want.items():
        if isinstance(node, str):
            continue
        inside = present.get(name)
        if inside is None:
            brought = {file for folder, file, _ in deliver if folder == name}
            expected = {item: what for item, what in node.items() if item not in brought}
            inside = _renamed_folder(task, present, want, name, expected, place, todo)
        if isinstance(inside, str):  # a junk file that took the folder's name
            todo += [(0, (RM, WORD[name], 0), name), (2, (MKDIR, WORD[name], 0), name)]
            inside = {}
        present[name] = inside
        below.append((name, inside, node))
    for folder, file, _ in deliver:
        others = sum(1 for f, n, _ in deliver if n == file and f > folder)
        tool = CP if file in want or others else MV
        todo.append((3 if tool == CP else 4, (tool, WORD[file], WORD[folder]), file))
    moved = {file for _, file, _ in deliver}
    for name in present:
        if name not in want and name not in moved:
            todo.append((5, (RM, WORD[name], 0), name))
    for name, _, _ in below:
        present.pop(name)
    owner = "." if not place else place[-1]
    for stage, call, name in sorted(todo, key=lambda item: item[0]):
        goal = task.owner.get((owner, name), REPAIR) if len(place) < 2 and stage else REPAIR
        errands.append(Errand(place, call, goal))
    delivered = {(folder, file) for folder, file, _ in deliver}
    for name, inside, node in below:
        expected = {item: what for item, what in node.items() if (name, item) not in delivered}
        if inside != expected:
            _mend(task, inside, expected, (*place, name), errands)


def _deliveries(have: Tree, want: Tree) -> list[tuple[str, str, str]]:
    """(folder, file, content): files that must get into a subfolder from here; empty ones only if one lies here."""
    found = []
    for name, node in want.items():
        if isinstance(node, str):
            continue
        inside = have.get(name)
        inside = inside if isinstance(inside, dict) else {}
        for file, content in node.items():
            if isinstance(content, str) and file not in inside and (
                content or (have.get(file) == "" and file not in want)
            ):
                found.append((name, file, content))
    return found


def _find_files(
    present: dict[str, Node], want: Tree, needed: dict[str, str], todo: list[tuple[int, Call, str]],
) -> None:
    """Get every needed file to lie here under its name: by renaming what lies here, or by ``touch``."""
    for file, content in needed.items():
        if present.get(file) == content:
            continue
        if file in present:
            todo.append((0, (RM, WORD[file], 0), file))
            del present[file]
        source = next((n for n, node in present.items() if node == content and needed.get(n) != content), None)
        if source is not None:
            todo.append((1, (MV, WORD[source], WORD[file]), file))
            present[file] = present.pop(source)
        elif content == "":
            todo.append((2, (TOUCH, WORD[file], 0), file))
            present[file] = ""
        else:
            raise Unsolvable(f"the content of {file} is lost")


def _renamed_folder(
    task: Task, present: dict[str, Node], want: Tree, name: str, node: Tree, place: Place,
    todo: list[tuple[int, Call, str]],
) -> Tree:
    """The folder that is missing under this name: another one renamed, if that is shorter, else a new one."""
    for other, inside in present.items():
        if other in want or isinstance(inside, str):
            continue
        try:
            _mend(task, inside, node, (*place, name), [])
        except Unsolvable:
            continue
        todo.append((1, (MV, WORD[other], WORD[name]), name))
        del present[other]
        return inside
    todo.append((2, (MKDIR, WORD[name], 0), name))
    return {}


def _desk_plan(task: Task, world: World) -> list[Errand]:
    """Log in if needed, look the numbers up, resolve, create; these calls can be made in any folder."""
    tickets = world.state().tickets
    plan: list[Errand] = []
    if tickets == task.wanted_tickets:
        if task.wanted_user not in (None, world.desk.user):
            plan.append(Errand((), (LOGIN, WORD[task.wanted_user or ""], 0), _signin_goal(task)))
        return plan
    wrong, missing = tickets - task.wanted_tickets, task.wanted_tickets - tickets
    user = ""
    unknown = REPAIR
    for title, status, creator in wrong.elements():
        if status != "Open" or missing[title, "Resolved", creator] < 1:
            raise Unsolvable(f"{creator}'s ticket {title} should not be {status.lower()}")
        missing[title, "Resolved", creator] -= 1
        number = next(t["id"] for t in world.desk.tickets
                      if (t["title"], t["status"], t["created_by"]) == (title, status, creator))
        goal = task.owner.get((title,), REPAIR)
        plan.append(Errand((), (RESOLVE, FIRST_ID + number - 1, 0), goal))
        if number not in world.known:
            user, unknown = creator, goal if unknown == REPAIR else min(goal, unknown)
    for title, status, creator in (+missing).elements():
        if status != "Open":
            raise Unsolvable(f"{creator}'s ticket {title} does not exist")
        user = creator
        plan.append(Errand((), (CREATE, WORD[title], 0), task.owner.get((title,), REPAIR)))
    plan.sort(key=lambda errand: errand.goal)
    if unknown != REPAIR:
        at = next(i for i, errand in enumerate(plan) if errand.goal >= unknown and errand.call[0] == RESOLVE)
        plan.insert(at, Errand((), (TICKETS, 0, 0), unknown))
    if user and world.desk.user != user:
        at = next(i for i, errand in enumerate(plan) if errand.call[0] != RESOLVE)
        plan.insert(at, Errand((), (LOGIN, WORD[user], 0), plan[at].goal))
    return plan


def _signin_goal(task: Task) -> int:
    return next(index for index, goal in enumerate(task.goals) if goal[0] == VERB["signin"])
