"""The process a submission runs in: ``python -I -m gradscape.classroom.child JOB`` with a socket from the judge.

It runs cells, hands out values by name and calls functions of the submission on request. Before the first cell it is
fenced in: it reads Python, gradscape and the data, and nothing of the course, of other submissions or of the answers;
checkers are not even importable. Nothing that happens here is trusted by the judge.
"""
from __future__ import annotations

import ast
import contextlib
import importlib
import io
import json
import re
import resource
import signal
import socket
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gradscape import catalog
from gradscape.classroom import fence
from gradscape.classroom.channel import Channel
from gradscape.classroom.codec import CodecError, Decoder, Encoder, changes
from gradscape.classroom.slices import needed

SYSTEM = ("/usr", "/lib", "/lib64", "/bin", "/etc", "/proc", "/sys", "/dev/null", "/dev/urandom", "/dev/zero")
MEMORY, FILE = 16 * 2**30, 256 * 2**20  # address space (torch alone maps several GB) and one file, in bytes
TEXT = 4000  # characters of what a cell printed that are kept


class BrokenCall(Exception):
    """A function of the checker, handed to the submission, failed."""


class Child:
    """The submission's side of the conversation."""

    def __init__(self, channel: Channel, lesson: catalog.Lesson) -> None:
        self.channel = channel
        self.functions: list[Callable[..., Any]] = []
        self.shell = _shell()
        _hide_checkers(lesson)

    def serve(self) -> None:
        """Answer requests until the judge hangs up."""
        actions = {"run": self.run, "get": self.get, "call": self.call}
        while True:
            message, buffers = self.channel.receive()
            reply, parts = actions[message["do"]](message, buffers)
            self.channel.send(reply, parts)

    def run(self, message: dict[str, Any], _: list[bytes]) -> tuple[dict[str, Any], list[bytes]]:
        """Run one cell as a notebook would."""
        out = io.StringIO()
        error: BaseException | None
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
            try:
                result = self.shell.run_cell(message["source"], store_history=False)
                error = result.error_before_exec or result.error_in_exec
            except BaseException as caught:
                error = caught
        text = out.getvalue()[-TEXT:]
        if error is None:
            return {"ok": True, "text": text}, []
        return {"ok": False, "text": text, **_told(error)}, []

    def get(self, message: dict[str, Any], _: list[bytes]) -> tuple[dict[str, Any], list[bytes]]:
        """The value of a name."""
        name = message["name"]
        if name not in self.shell.user_ns:
            return {"missing": name}, []
        return self._value(self.shell.user_ns[name])

    def call(self, message: dict[str, Any], buffers: list[bytes]) -> tuple[dict[str, Any], list[bytes]]:
        """What a function of the submission returns, with what it changed in place."""
        decoder = Decoder(self._callback, buffers, objects=True)
        try:
            args, kwargs = decoder.decode(message["args"]), decoder.decode(message["kwargs"])
            value = self.functions[message["function"]](*args, **kwargs)
            reply, parts = self._value(value)
            found, raw = changes(decoder.changeable)
            reply["changed"] = [[n, now + len(parts) if isinstance(now, int) else now] for n, now in found]
            return reply, parts + raw
        except BaseException as error:
            return _told(error), []

    def _value(self, value: Any) -> tuple[dict[str, Any], list[bytes]]:
        encoder = Encoder(self._register)
        try:
            return {"value": encoder.encode(value)}, encoder.buffers
        except BaseException as error:
            return _told(error), []

    def _register(self, function: Callable[..., Any]) -> int:
        self.functions.append(function)
        return len(self.functions) - 1

    def _callback(self, number: int, name: str) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            encoder = Encoder(self._register)
            tree = encoder.encode([args, kwargs])
            self.channel.send({"callback": number, "args": tree}, encoder.buffers)
            message, buffers = self.channel.receive()
            if "failed" in message:
                raise BrokenCall(message["failed"])
            return Decoder(self._callback, buffers, objects=True).decode(message["value"])

        call.__name__ = name
        return call


def _told(error: BaseException) -> dict[str, Any]:
    return {"raised": type(error).__name__[:80], "message": " ".join(str(error).split())[:400]}


def _shell() -> Any:
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets.config import Config

    settings = Config()
    settings.HistoryManager.enabled = False
    settings.InteractiveShell.colors = "nocolor"
    shell = InteractiveShell(config=settings)
    return shell


def _hide_checkers(lesson: catalog.Lesson) -> None:
    """In the place of the lesson's checkers stand empty ones; helpers that its notebook uses are cut out and kept."""
    name = f"{lesson.view}.exercises"
    if name not in sys.modules:
        raise CodecError(f"{name} was not prepared")
    importlib.import_module(lesson.view)


def prepare(lesson: catalog.Lesson) -> None:
    """Read the checkers' file while it can be read, and put what is left of it where Python looks for it."""
    package = catalog.PACKAGE / "lessons" / lesson.unit / lesson.slug
    name, place = f"{lesson.view}.exercises", package / "exercises.py"
    stand_in: Any = types.ModuleType(name)
    if place.is_file():
        view = ast.parse((package / "__init__.py").read_text(encoding="utf-8"))
        imported = [alias.name for node in view.body if isinstance(node, ast.ImportFrom) and node.module == name
                    for alias in node.names]
        checks = [one for one in imported if re.fullmatch(r"check_\d+", one)]
        stand_in.pending = needed(place.read_text(encoding="utf-8"), set(imported) - set(checks))
        for check in checks:
            setattr(stand_in, check, lambda *args, **kwargs: None)
    sys.modules[name] = stand_in


def hidden(course: str) -> list[Path]:
    """What a submission never sees, wherever it lies: the course's folder, tests with answers, all checkers."""
    checkers = [path for pattern in ("exercises.py", "exercises.*.pyc", "exercises")
                for path in (catalog.PACKAGE / "lessons").rglob(pattern)]
    return [Path(course), catalog.root() / "tests", *checkers]


def main(job: str) -> None:
    """Fence this process in and serve."""
    said = json.loads(job)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # it stops a cell; ignored in a shell's background jobs
    lesson, scratch = catalog.find(said["lesson"]), Path(said["scratch"])
    prepare(lesson)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_FSIZE, (FILE, FILE))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if said["isolation"] == "required":
        readable = [*map(Path, (*SYSTEM, sys.prefix, sys.base_prefix)), catalog.PACKAGE, catalog.root() / "data"]
        fence.close(readable, [scratch, Path("/dev/null")], hidden(said["course"]))
    stand_in = sys.modules[f"{lesson.view}.exercises"]
    exec(compile(stand_in.__dict__.pop("pending", ""), "<helpers of the lesson>", "exec"), stand_in.__dict__)
    channel = Channel(socket.socket(fileno=int(said["socket"])))
    Child(channel, lesson).serve()


if __name__ == "__main__":
    main(sys.argv[1])
