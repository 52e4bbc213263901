"""The words and tools an agent of toolworld can say, with the type of each argument.

A call is a tuple of three integers ``(tool, a, b)``, an observation one of five, ``(status, w1, w2, w3, w4)``; 0 stands
for "nothing here" in every place that holds a word.
"""
from __future__ import annotations

from typing import TypeAlias

Call: TypeAlias = tuple[int, int, int]
Obs: TypeAlias = tuple[int, int, int, int, int]

HORIZON = 12  # calls of one episode, ``done`` included
MAX_GOALS = 3
SHOWN = 4  # words of an observation

FOLDERS = ("docs", "temp", "archive", "data", "logs", "photos")
FILES = ("report", "notes", "budget", "draft", "todo", "plan", "memo", "image")
USERS = ("ann", "bob", "eve", "tom")
TITLES = ("leak", "outage", "refund", "upgrade")
IDS = ("#1", "#2", "#3", "#4", "#5", "#6")
WORDS = ("-", ".", "..", *FOLDERS, *FILES, *USERS, *TITLES, *IDS)
WORD = {word: number for number, word in enumerate(WORDS)}
NOTHING, HERE, UP = 0, 1, 2  # "-", "." and ".."

TOOLS = ("done", "ls", "tickets", "cd", "mkdir", "touch", "mv", "cp", "rm", "login", "create", "resolve")
TOOL = {tool: number for number, tool in enumerate(TOOLS)}
DONE, LS, TICKETS, CD, MKDIR, TOUCH, MV, CP, RM, LOGIN, CREATE, RESOLVE = range(len(TOOLS))

STATUSES = (
    "none", "ok", "list", "e_nofile", "e_exists", "e_auth", "e_resolved", "e_root", "e_notdir", "e_args", "e_busy",
    "fb_success", "fb_fail",
)
STATUS = {status: number for number, status in enumerate(STATUSES)}
NONE, OK, LIST, E_NOFILE, E_EXISTS, E_AUTH, E_RESOLVED, E_ROOT, E_NOTDIR, E_ARGS, E_BUSY = range(11)
ERRORS = frozenset(range(E_NOFILE, E_BUSY + 1))

VERBS = ("-", "move", "copy", "new", "remove", "folder", "signin", "ticket", "solve")
VERB = {verb: number for number, verb in enumerate(VERBS)}


def _numbers(*groups: tuple[str, ...]) -> tuple[int, ...]:
    return tuple(WORD[word] for group in groups for word in group)


_EMPTY = (NOTHING,)
_NAME = _numbers(FOLDERS, FILES)
ARGUMENTS: tuple[tuple[tuple[int, ...], tuple[int, ...]], ...] = (
    (_EMPTY, _EMPTY),  # done()
    (_EMPTY, _EMPTY),  # ls()
    (_EMPTY, _EMPTY),  # tickets()
    ((UP, *_numbers(FOLDERS)), _EMPTY),  # cd(FOLDER or "..")
    (_numbers(FOLDERS), _EMPTY),  # mkdir(FOLDER)
    (_numbers(FILES), _EMPTY),  # touch(FILE)
    (_NAME, _NAME),  # mv(NAME, NAME)
    (_NAME, _NAME),  # cp(NAME, NAME)
    (_NAME, _EMPTY),  # rm(NAME)
    (_numbers(USERS), _EMPTY),  # login(USER)
    (_numbers(TITLES), _EMPTY),  # create(TITLE)
    (_numbers(IDS), _EMPTY),  # resolve(ID)
)
_ALLOWED = tuple((frozenset(a), frozenset(b)) for a, b in ARGUMENTS)


def well_typed(call: Call) -> bool:
    """Whether the arguments of a call have the types of its tool."""
    tool, a, b = call
    return 0 <= tool < len(TOOLS) and a in _ALLOWED[tool][0] and b in _ALLOWED[tool][1]


def call(tool: str, a: str = "-", b: str = "-") -> Call:
    """A call from its words; ``ValueError`` for an unknown tool or word.

    >>> show_call(call("mv", "report", "archive"))
    'mv(report, archive)'
    """
    if tool not in TOOL:
        raise ValueError(f"tool={tool!r}: must be one of {', '.join(TOOLS)}")
    for name, word in (("a", a), ("b", b)):
        if word not in WORD:
            raise ValueError(f"{name}={word!r}: must be one of {' '.join(WORDS)}")
    return TOOL[tool], WORD[a], WORD[b]


def show_call(call: Call) -> str:
    """A call as text: ``mv(report, archive)``."""
    return f"{TOOLS[call[0]]}({', '.join(WORDS[word] for word in call[1:] if word)})"


def show_obs(obs: Obs) -> str:
    """An observation as text: ``ok report archive report``."""
    return " ".join([STATUSES[obs[0]], *(WORDS[word] for word in obs[1:] if word)])
