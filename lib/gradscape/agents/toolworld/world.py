"""The agent's view: twelve typed tools over both simulators, compact observations, the state a verifier compares."""
from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from gradscape.agents.toolworld import filesystem as outcome
from gradscape.agents.toolworld.filesystem import FileSystem, Tree
from gradscape.agents.toolworld.lexicon import (
    CD,
    CP,
    CREATE,
    DONE,
    E_ARGS,
    E_AUTH,
    E_BUSY,
    E_EXISTS,
    E_NOFILE,
    E_NOTDIR,
    E_RESOLVED,
    E_ROOT,
    IDS,
    LIST,
    LOGIN,
    LS,
    MKDIR,
    MV,
    OK,
    RESOLVE,
    RM,
    SHOWN,
    TICKETS,
    TOUCH,
    WORD,
    WORDS,
    Call,
    Obs,
    well_typed,
)
from gradscape.agents.toolworld.ticketdesk import TicketDesk

FIRST_ID = WORD[IDS[0]]
PASSWORD = "-"  # the desk takes any that is not empty
_STATUS = {
    outcome.MISSING: E_NOFILE, outcome.EXISTS: E_EXISTS, outcome.NOT_FOLDER: E_NOTDIR, outcome.AT_ROOT: E_ROOT,
    outcome.INTO_ITSELF: E_ARGS,
}


@dataclass(frozen=True)
class State:
    """What the verifier compares: the tree (order does not count), the tickets as a multiset, the current user."""

    tree: Tree
    tickets: Counter[tuple[str, str, str]]  # (title, status, creator)
    user: str | None


class World:
    """One episode: ``step`` executes a call and answers with what the agent sees.

    ``known`` holds the numbers of the tickets that observations have shown, ``finished`` whether ``done`` was called.
    Words that have no place in the lexicon are shown as "-".
    """

    __slots__ = ("desk", "finished", "fs", "known")

    def __init__(self, fs: FileSystem, desk: TicketDesk) -> None:
        self.fs = fs
        self.desk = desk
        self.finished = False
        self.known: set[int] = set()

    def clone(self) -> World:
        """An independent copy."""
        twin = object.__new__(World)
        twin.fs, twin.desk = self.fs.clone(), self.desk.clone()
        twin.finished, twin.known = self.finished, set(self.known)
        return twin

    def state(self) -> State:
        """What the verifier compares; the tree is the world's own, not a copy."""
        tickets = Counter((t["title"], t["status"], t["created_by"]) for t in self.desk.tickets)
        return State(self.fs.root, tickets, self.desk.user)

    def step(self, call: Call, *, busy: bool = False) -> Obs:
        """Execute a call: (tool, a, b) in, (status, up to four words, 0 for none) out.

        A call whose arguments do not have the tool's types answers ``e_args`` and changes nothing. ``busy``: the call
        meets a transient failure; unless it is ``done`` it is not executed and the answer is ``e_busy``. After
        ``done`` there is no further step: ValueError.
        """
        if self.finished:
            raise ValueError("the episode is over: done was called")
        if not well_typed(call):
            return E_ARGS, 0, 0, 0, 0
        tool, a, b = call
        if busy and tool != DONE:
            return E_BUSY, 0, 0, 0, 0
        if tool in (MV, CP):
            ended = self.fs.transfer(WORDS[a], WORDS[b], keep=tool == CP)
            if ended == outcome.DID:
                return OK, a, b, a, 0
            if ended == outcome.RENAMED:
                return OK, a, b, 0, 0
            return (_STATUS[ended], b, a, 0, 0) if ended == outcome.EXISTS else (
                _STATUS[ended], a if ended == outcome.MISSING else b, 0, 0, 0)
        if tool == CD:
            ended = self.fs.enter(WORDS[a])
            return (_STATUS.get(ended, OK), a if a != WORD[".."] else 0, 0, 0, 0)
        if tool in (MKDIR, TOUCH):
            ended = self.fs.make(WORDS[a], {} if tool == MKDIR else "")
            return _STATUS.get(ended, OK), a, 0, 0, 0
        if tool == RM:
            return _STATUS.get(self.fs.remove(WORDS[a]), OK), a, 0, 0, 0
        if tool == LS:
            return _listing([WORD.get(name, 0) for name in list(self.fs.here)[:SHOWN]])
        if tool == LOGIN:
            self.desk.ticket_login(WORDS[a], PASSWORD)
            return OK, a, 0, 0, 0
        if tool == DONE:
            self.finished = True
            return OK, 0, 0, 0, 0
        return self._at_the_desk(tool, a)

    def _at_the_desk(self, tool: int, a: int) -> Obs:
        if tool == RESOLVE:
            ticket = self.desk.lookup(a - FIRST_ID + 1)
            if ticket is None:
                return E_NOFILE, a, 0, 0, 0
            return (E_RESOLVED if "error" in self.desk.resolve_ticket(ticket["id"], "done") else OK), a, 0, 0, 0
        if not self.desk.user:
            return E_AUTH, a, 0, 0, 0
        if tool == CREATE:
            ticket = self.desk.create_ticket(WORDS[a])
            self.known.add(ticket["id"])
            return OK, _id_word(ticket["id"]), a, WORD.get(self.desk.user, 0), 0
        assert tool == TICKETS
        shown: list[int] = []
        for ticket in self.desk.get_user_tickets("Open")[: SHOWN // 2]:
            self.known.add(ticket["id"])
            shown += [_id_word(ticket["id"]), WORD.get(ticket["title"], 0)]
        return _listing(shown)


def _id_word(number: int) -> int:
    return FIRST_ID + number - 1 if 1 <= number <= len(IDS) else 0


def _listing(words: list[int]) -> Obs:
    w1, w2, w3, w4 = words + [0] * (SHOWN - len(words))
    return LIST, w1, w2, w3, w4
