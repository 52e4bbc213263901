"""Judge one submission: ``python -I -m gradscape.classroom.judge``, a job on stdin, one line of JSON per finding.

The checkers run here, in a process where no line of the submission is ever executed. The submission runs in a child
(:mod:`gradscape.classroom.child`); its answers arrive as data, its functions are called from afar.
"""
from __future__ import annotations

import ast
import contextlib
import importlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import Any

import torch

from gradscape import catalog
from gradscape.classroom.channel import Channel, Gone, TooLong
from gradscape.classroom.codec import CodecError, Decoder, Encoder, apply_changes

START_S, GRACE_S = 120.0, 5.0
KEPT = ("PATH", "LANG", "LC_ALL", "GRADSCAPE_ROOT", "LD_LIBRARY_PATH")


class NotDefined(Exception):
    """The submission has no such name."""


class Session:
    """A child with the submission's cells run in it."""

    def __init__(self, job: dict[str, Any]) -> None:
        self.callbacks: list[Callable[..., Any]] = []
        self.scratch = tempfile.TemporaryDirectory(prefix="gradscape-class-", ignore_cleanup_errors=True)
        ours, theirs = socket.socketpair()
        said = {"lesson": job["lesson"], "scratch": self.scratch.name, "socket": theirs.fileno(),
                "isolation": job["isolation"], "course": job["course"]}
        env = {name: os.environ[name] for name in KEPT if name in os.environ}
        env |= {"HOME": self.scratch.name, "TMPDIR": self.scratch.name, "IPYTHONDIR": self.scratch.name,
                "GRADSCAPE_HEADLESS": "1", "PYTHONDONTWRITEBYTECODE": "1", "TERM": "dumb",
                **dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")}
        with open(os.path.join(self.scratch.name, "log"), "wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-I", "-m", "gradscape.classroom.child", json.dumps(said)],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=log, env=env, cwd=self.scratch.name,
                pass_fds=(theirs.fileno(),), start_new_session=True,
            )
        theirs.close()
        self.channel = Channel(ours)
        self.started = time.monotonic()
        self.broken = False

    def run(self, source: str, seconds: float) -> dict[str, Any]:
        """Run a cell; after its time it is interrupted, and if that does not help the child is killed."""
        self.channel.until = max(time.monotonic() + seconds, self.started + START_S if self.started else 0.0)
        try:
            self.channel.send({"do": "run", "source": source})
            try:
                return self.channel.receive()[0]
            except TooLong:
                os.kill(self.process.pid, signal.SIGINT)
                self.channel.until = time.monotonic() + GRACE_S
                self.channel.receive()
                return {"ok": False, "raised": "TimeoutError", "message": f"stopped after {seconds:g} s", "text": ""}
        except (TooLong, Gone, CodecError) as error:
            self.broken = True
            why = f"killed after {seconds:g} s" if isinstance(error, TooLong) else f"the process ended: {self.log()}"
            return {"ok": False, "raised": "TimeoutError" if isinstance(error, TooLong) else "ProcessEnded",
                    "message": why, "text": ""}
        finally:
            self.started = 0.0

    def log(self) -> str:
        """The last line that the child's process wrote about itself."""
        with contextlib.suppress(OSError), open(os.path.join(self.scratch.name, "log"), errors="replace") as log:
            lines = log.read()[-2000:].strip().splitlines()
            return lines[-1] if lines else "without a word"
        return "without a word"

    def get(self, name: str) -> Any:
        """The value of a name; :class:`NotDefined` if there is none."""
        message, buffers = self._ask({"do": "get", "name": name}, [])
        if "missing" in message:
            raise NotDefined(name)
        return self._result(message, buffers)

    def call(self, number: int, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Call a function of the submission; in-place changes of the arguments are made here too."""
        encoder = Encoder(self._offer, objects=True)
        request = {"do": "call", "function": number, "args": encoder.encode(args), "kwargs": encoder.encode(kwargs)}
        failure: list[BaseException] = []
        message, buffers = self._ask(request, encoder.buffers, failure)
        if failure:
            raise failure[0]
        value = self._result(message, buffers)
        try:
            apply_changes(encoder.changeable, message.get("changed", []), buffers)
        except (TypeError, ValueError, IndexError, KeyError, AttributeError, RuntimeError) as error:
            raise CodecError(f"unreadable changes: {error}") from error
        return value

    def _ask(
        self, request: dict[str, Any], parts: list[bytes], failure: list[BaseException] | None = None
    ) -> tuple[dict[str, Any], list[bytes]]:
        try:
            self.channel.send(request, parts)
            while True:
                message, buffers = self.channel.receive()
                if not isinstance(message, dict) or "callback" not in message:
                    return message, buffers
                self._answer(message, buffers, [] if failure is None else failure)
        except (TooLong, Gone, CodecError):
            self.broken = True
            raise

    def _answer(self, message: dict[str, Any], buffers: list[bytes], failure: list[BaseException]) -> None:
        try:
            args, kwargs = Decoder(self._proxy, buffers).decode(message["args"])
            number = int(message["callback"])
            encoder = Encoder(self._offer, objects=True)
            tree = encoder.encode(self.callbacks[number](*args, **kwargs))
        except Exception as error:
            failure.append(error)
            self.channel.send({"failed": f"{type(error).__name__}: {error}"[:400]})
        else:
            self.channel.send({"value": tree}, encoder.buffers)

    def _offer(self, function: Callable[..., Any]) -> int:
        self.callbacks.append(function)
        return len(self.callbacks) - 1

    def _result(self, message: dict[str, Any], buffers: list[bytes]) -> Any:
        if "raised" in message:
            raise type(str(message["raised"])[:80], (Exception,), {})(str(message.get("message", ""))[:400])
        if "value" not in message:
            raise CodecError("no value came back")
        return Decoder(self._proxy, buffers).decode(message["value"])

    def _proxy(self, number: int, name: str) -> Callable[..., Any]:
        def far(*args: Any, **kwargs: Any) -> Any:
            if any(isinstance(arg, torch.Tensor) and _wrapped(arg) for arg in args):
                return _Mapped.apply(far, *args)  # type: ignore[no-untyped-call]
            return self.call(number, args, kwargs)

        far.__name__ = name
        return far

    def close(self) -> None:
        """End the child and everything that it started."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.channel.end.close()
        self.scratch.cleanup()


def _wrapped(tensor: torch.Tensor) -> bool:
    return bool(torch._C._functorch.is_functorch_wrapped_tensor(tensor))


class _Mapped(torch.autograd.Function):
    """A far call under ``torch.func.vmap``: one call for each entry."""

    @staticmethod
    def forward(far: Callable[..., Any], *args: Any) -> Any:
        return torch.as_tensor(far(*args))

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        pass

    @staticmethod
    def vmap(info: Any, in_dims: Any, far: Callable[..., Any], *args: Any) -> Any:
        made = []
        for k in range(info.batch_size):
            one = [arg if dim is None else arg.select(dim, k) for arg, dim in zip(args, in_dims[1:], strict=True)]
            made.append(torch.as_tensor(far(*one)))
        return torch.stack(made), 0


def judge(job: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Run the cells, then every exercise; a child that hangs or dies is replaced, its last cell left out."""
    lesson = catalog.find(job["lesson"])
    view, skipped = importlib.import_module(lesson.view), dict[int, dict[str, Any]]()
    settings = lesson.load().Settings.of({})
    session, told = None, False
    try:
        for exercise in job["exercises"]:
            while session is None or session.broken:
                if session is not None:
                    session.close()
                session, found = _prepared(job, skipped)
                if session is not None and not told:
                    told = True
                    yield from found
            yield {"exercise": exercise["number"], **_checked(session, view, settings, exercise, job)}
    finally:
        if session is not None:
            session.close()


def _prepared(job: dict[str, Any], skipped: dict[int, dict[str, Any]]) -> tuple[Session | None, list[dict[str, Any]]]:
    session, found = Session(job), []
    for source in job["trusted"]:
        done = session.run(source, job["cell_seconds"] + START_S)
        if not done["ok"]:
            session.close()
            raise RuntimeError(f"the lesson's own cells do not run here: {done['raised']}: {done['message']}")
    for number, source in enumerate(job["cells"]):
        done = skipped.get(number) or session.run(source, job["cell_seconds"])
        found.append({"cell": number, **done})
        if session.broken:
            skipped[number] = done
            session.close()
            return None, []
    return session, found


def _checked(
    session: Session, view: Any, settings: Any, exercise: dict[str, Any], job: dict[str, Any]
) -> dict[str, str]:
    seconds = job["exercise_seconds"]
    session.channel.until = time.monotonic() + seconds
    try:
        call = ast.parse(exercise["call"], mode="eval").body
        assert isinstance(call, ast.Call)
        assert isinstance(call.func, ast.Attribute)
        given = [_argument(session, arg, exercise["names"], settings) for arg in call.args]
        with _alarm(seconds):
            feedback = getattr(view, call.func.attr)(*given)
        return {"verdict": feedback.verdict, "hint": feedback.hint}
    except NotDefined:
        return {"verdict": "not attempted", "hint": "its cell is missing or did not run to the end"}
    except TooLong:
        return {"verdict": "try again", "hint": f"stopped after {seconds:g} s"}
    except (Gone, CodecError, TimeoutError) as error:
        return {"verdict": "try again", "hint": f"the answer could not be read: {error}"}
    except Exception as error:  # the submission's own, while its value was fetched
        return {"verdict": "try again", "hint": f"{type(error).__name__}: {error}"}


def _argument(session: Session, node: ast.expr, names: list[str], settings: Any) -> Any:
    if isinstance(node, ast.Name):
        return session.get(node.id) if node.id in names else {"settings": settings}[node.id]
    if isinstance(node, ast.Tuple | ast.List):
        parts = [_argument(session, part, names, settings) for part in node.elts]
        return tuple(parts) if isinstance(node, ast.Tuple) else parts
    raise ValueError(f"{ast.unparse(node)}: only names, tuples and lists can be checked")


@contextlib.contextmanager
def _alarm(seconds: float) -> Iterator[None]:
    """Ends a checker that an answer keeps busy here."""
    def ring(*_: Any) -> None:
        raise TimeoutError(f"stopped after {seconds:g} s")

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds + GRACE_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def main() -> None:
    """Read the job, write the findings; what a checker prints goes to stderr."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    for finding in judge(json.load(sys.stdin)):
        out.write(json.dumps(finding) + "\n")
        out.flush()
    out.write('{"done": true}\n')
    out.flush()


if __name__ == "__main__":
    main()
