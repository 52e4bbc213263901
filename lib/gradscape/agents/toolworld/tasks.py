"""Tasks: a world to start from, one to three goals, and the state that the verifier wants to see.

Goals (verb, P, F, D), with P a folder or "." for the root:
``move``/``copy P F D`` (in P, put file F into P's subfolder D) · ``new P F`` (an empty file) · ``remove P F`` ·
``folder P D`` · ``signin U`` · ``ticket U X`` (user U opens a ticket X) · ``solve U X`` (resolve U's ticket X).
A precondition is *violated* when D (for ``new``: P) does not exist yet, or when the wrong user, or none, is logged in.
"""
from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from gradscape.agents.toolworld.filesystem import FileSystem, Node, Tree, copy_tree
from gradscape.agents.toolworld.lexicon import (
    FILES,
    FOLDERS,
    HORIZON,
    MAX_GOALS,
    SHOWN,
    TITLES,
    USERS,
    VERB,
    VERBS,
    WORD,
    WORDS,
)
from gradscape.agents.toolworld.ticketdesk import TicketDesk
from gradscape.agents.toolworld.world import World
from gradscape.validate import at_least, in_range

TEMPLATES = {
    "move": "In {P}, move {F} into {D}.", "copy": "In {P}, copy {F} into {D}.",
    "new": "Create the file {F} in {P}.", "remove": "Delete {F} in {P}.", "folder": "Create the folder {D} in {P}.",
    "signin": "Sign in as {P}.", "ticket": "As {P}, open a ticket about the {F}.",
    "solve": "Resolve {P}'s ticket about the {F}.",
}
FILE_VERBS = ("move", "copy", "new", "remove", "folder")
FOLDERS_PRESENT, FILE_NAMES, MAX_TICKETS = 3, 6, 2
MAX_SOLVE = SHOWN // 2  # a listing shows no more tickets
TRIES = 1000  # draws of one task before giving up
Goal = tuple[int, int, int, int]
Place = tuple[str, ...]  # a path below the root


@dataclass(frozen=True)
class Task:
    """A world to start from and what is wanted.

    ``goals``: up to three (verb, P, F, D), numbers of VERBS and WORDS; ``tree``, ``tickets``, ``user``: the start;
    ``wanted_tree``, ``wanted_tickets``: the ground truth; ``wanted_user``: only with a sign-in goal; ``viol``: number
    of violated preconditions; ``owner``: (folder, name) or ticket (title,) -> index of the goal it belongs to.
    """

    goals: tuple[Goal, ...]
    tree: Tree = field(repr=False)
    tickets: tuple[tuple[str, str], ...]  # (title, creator), numbered from 1, all open
    user: str | None
    wanted_tree: Tree = field(repr=False)
    wanted_tickets: Counter[tuple[str, str, str]] = field(repr=False)
    wanted_user: str | None
    viol: int
    owner: dict[tuple[Any, ...], int] = field(repr=False)

    def world(self) -> World:
        """A fresh world in the task's initial state, standing in the root."""
        fs = object.__new__(FileSystem)
        fs.name, fs.root, fs.names = "workspace", copy_tree(self.tree), []
        fs.stack = [fs.root]
        desk = object.__new__(TicketDesk)
        desk.tickets = [
            {"id": i, "title": title, "description": "", "status": "Open", "priority": 1, "created_by": user}
            for i, (title, user) in enumerate(self.tickets, 1)
        ]
        desk.user, desk.next_id = self.user, len(self.tickets) + 1
        return World(fs, desk)

    def solved(self, world: World) -> bool:
        """The verifier: ``done`` was called and tree, tickets (and, with a sign-in goal, the user) are as wanted."""
        if not world.finished or world.fs.root != self.wanted_tree:
            return False
        if self.wanted_user is not None and world.desk.user != self.wanted_user:
            return False
        return world.state().tickets == self.wanted_tickets

    @property
    def key(self) -> tuple[Any, ...]:
        """Equal for two tasks with the same initial state and goals."""
        return self.goals, _frozen(self.tree), self.tickets, self.user

    @property
    def sentence(self) -> str:
        """The goals in English."""
        return " ".join(goal_sentence(goal) for goal in self.goals)


def goal_sentence(goal: Goal) -> str:
    """One goal in English; "." becomes "the root"."""
    P, F, D = (WORDS[word] if WORDS[word] != "." else "the root" for word in goal[1:])
    return TEMPLATES[VERBS[goal[0]]].format(P=P, F=F, D=D)


def _frozen(tree: Node) -> Any:
    return tree if isinstance(tree, str) else tuple(sorted((name, _frozen(node)) for name, node in tree.items()))


def make_tasks(
    n: int, *, n_goals: Sequence[int] = (2, 3), pviol: float = 0.6, seed: int, exclude: Iterable[Task] = (),
) -> list[Task]:
    """Draw ``n`` different tasks; none of those in ``exclude`` (give the training tasks when drawing held-out ones).

    ``n_goals``: numbers of goals, each equally likely; ``pviol``: probability that a goal with a precondition gets it
    violated. Every task can be solved within HORIZON calls. About 0.3 ms each. Raises ValueError for n < 1, numbers of
    goals outside 1..3, pviol outside [0, 1].
    """
    from gradscape.agents.toolworld.oracle import remaining

    at_least("n", n, 1)
    in_range("pviol", pviol, 0.0, 1.0)
    if not n_goals or any(isinstance(k, bool) or k not in range(1, MAX_GOALS + 1) for k in n_goals):
        raise ValueError(f"n_goals={n_goals!r}: must hold numbers from 1 to {MAX_GOALS}")
    rng = random.Random(at_least("seed", seed, 0))
    seen = {task.key for task in exclude}
    tasks: list[Task] = []
    while len(tasks) < n:
        count = rng.choice(list(n_goals))  # kept until one is found: rejections must not thin out the long tasks
        for _ in range(TRIES):
            task = _Draft(rng).task(count, pviol)
            if task is not None and task.key not in seen and remaining(task, task.world()) <= HORIZON:
                break
        else:
            raise ValueError(f"n={n!r}: only {len(tasks)} different tasks were found for n_goals={tuple(n_goals)}")
        seen.add(task.key)
        tasks.append(task)
    return tasks


class _Draft:
    """A task under construction: what must be there ("file", "folder") or must not ("absent") at the start."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.present = rng.sample(FOLDERS, FOLDERS_PRESENT)
        self.files = rng.sample(FILES, FILE_NAMES)
        self.titles = rng.sample(TITLES, len(TITLES))
        self.user = rng.choice(USERS)
        self.needs: dict[tuple[str, str], str] = {(".", name): "folder" for name in self.present}
        self.owner: dict[tuple[Any, ...], int] = {}
        self.goals: list[tuple[str, str, str, str]] = []
        self.wrong_user: bool | None = None  # None: no goal needs the user
        self.viol = 0

    def task(self, n_goals: int, pviol: float) -> Task | None:
        """A task with so many goals, or None when they do not fit together."""
        for index in range(n_goals):
            verb = self.rng.choice(VERBS[1:])
            fits = self.file_goal if verb in FILE_VERBS else self.user_goal
            if not fits(verb, index, self.rng.random() < pviol):
                return None
        return self.built()

    def claim(self, place: str, name: str, what: str) -> bool:
        """Require something of the initial tree; False when it contradicts another requirement."""
        return self.needs.setdefault((place, name), what) == what

    def file_goal(self, verb: str, index: int, violated: bool) -> bool:
        rng = self.rng
        place = rng.choice([".", *self.present])
        file = folder = "-"
        if verb != "folder":
            file = rng.choice(self.files)
        if verb == "new":
            if violated:
                place = rng.choice([name for name in FOLDERS if name not in self.present])
                self.viol += 1
                if not self.claim(".", place, "absent") or (".", place) in self.owner:
                    return False
                self.owner[".", place] = index
            elif not self.claim(place, file, "absent"):
                return False
        elif verb == "folder":
            folder = rng.choice([name for name in FOLDERS if name != place and not (
                place == "." and name in self.present)])
            if not self.claim(place, folder, "absent"):
                return False
        elif not self.claim(place, file, "file"):
            return False
        if verb in ("move", "copy"):
            inside = place == "." and not violated
            folder = rng.choice(self.present if inside else [
                name for name in FOLDERS if name != place and (place != "." or name not in self.present)])
            self.viol += violated
            if not self.claim(place, folder, "absent" if violated else "folder"):
                return False
        return self.own(index, place, file, folder, verb) and self.add(verb, place, file, folder)

    def own(self, index: int, place: str, file: str, folder: str, verb: str) -> bool:
        """Note which goal the names belong to; False when another goal has the same target."""
        if file != "-" and any(file in goal for goal in self.goals):
            return False
        names = [name for name in (file, folder) if name != "-"]
        if verb in ("move", "copy") and place == "." and self.needs[place, folder] == "folder":
            names = [file]  # a folder that exists at the root is shared
        if any((place, name) in self.owner for name in names):
            return False
        self.owner.update({(place, name): index for name in names})
        return True

    def add(self, *goal: str) -> bool:
        self.goals.append((goal[0], goal[1], goal[2], goal[3]))
        return True

    def user_goal(self, verb: str, index: int, violated: bool) -> bool:
        verbs = [goal[0] for goal in self.goals]
        if verb == "signin":
            if {"signin", "ticket", "solve"} & set(verbs):
                return False
            self.wrong_user = True
            return self.add(verb, self.user, "-", "-")
        if "signin" in verbs or (verb == "solve" and verbs.count("solve") == MAX_SOLVE):
            return False
        if self.wrong_user is None:  # one user and one precondition for all these goals
            self.wrong_user = violated
            self.viol += violated
        title = self.titles.pop()
        self.owner[title,] = index
        return self.add(verb, self.user, title, "-")

    def built(self) -> Task:
        rng, user = self.rng, self.user
        others = [name for name in USERS if name != user]
        tickets = [(goal[2], user) for goal in self.goals if goal[0] == "solve"]
        for _ in range(rng.randint(0, MAX_TICKETS)):
            mine = sum(creator == user for _, creator in tickets) < MAX_SOLVE and self.titles and rng.random() < 0.5
            tickets.append((self.titles.pop(), user) if mine else (rng.choice(TITLES), rng.choice(others)))
        rng.shuffle(tickets)
        if self.wrong_user is None:
            logged = rng.choice([None, *USERS])
        else:
            logged = rng.choice([None, rng.choice(others)]) if self.wrong_user else user
        if rng.random() < 0.5:  # a file that no goal mentions
            spare = [name for name in FILES if not any(name in goal for goal in self.goals)]
            self.needs.setdefault((rng.choice([".", *self.present]), rng.choice(spare)), "file")
        tree = self.tree()
        done = Counter((title, "Open", creator) for title, creator in tickets)
        for verb, who, title, _ in self.goals:
            if verb in ("ticket", "solve"):
                done[title, "Open", who] += 1 if verb == "ticket" else -1
                done[title, "Resolved", who] += verb == "solve"
        signin = user if any(goal[0] == "signin" for goal in self.goals) else None
        coded = tuple((VERB[verb], WORD[P], WORD[F], WORD[D]) for verb, P, F, D in self.goals)
        return Task(coded, tree, tuple(tickets), logged, self.wanted(tree), +done, signin, self.viol, dict(self.owner))

    def tree(self) -> Tree:
        """The initial tree, in shuffled order; a file's content tells where it came from."""
        root: Tree = {}
        wanted = [(place, name, what) for (place, name), what in self.needs.items() if what != "absent"]
        self.rng.shuffle(wanted)
        for place, name, what in sorted(wanted, key=lambda item: item[0] != "."):
            folder = root if place == "." else root[place]
            folder[name] = {} if what == "folder" else f"{name} of {place}"  # type: ignore[index]
        return root

    def wanted(self, tree: Tree) -> Tree:
        """The ground truth: the goals carried out on a copy of the initial tree."""
        root = copy_tree(tree)
        for verb, place, file, name in self.goals:
            if verb not in FILE_VERBS:
                continue
            folder: Any = root if place == "." else root.setdefault(place, {})
            if verb == "new":
                folder[file] = ""
            elif verb == "remove":
                del folder[file]
            else:
                inside = folder.setdefault(name, {})
                if verb == "copy":
                    inside[file] = folder[file]
                elif verb == "move":
                    inside[file] = folder.pop(file)
        return root
