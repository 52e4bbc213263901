"""How many students at once: memory and answer times of `gradscape class app` with 1, 4, 8, 16 sessions on two cores.

    python benchmarks/sessions.py                              until 8 GB are full
    python benchmarks/sessions.py --lesson sgd_noise --sessions 1 8 --cores 4 --memory 16

A session is a page of Voilà with its own kernel. This script opens pages and moves sliders as the page's own script
does, over HTTP and a websocket; no browser draws, since students bring theirs. Memory is the server's with all its
kernels, shared pages counted once. In a round every session moves the same slider at the same moment, the worst that a
class can do; an answer is counted when the last message of the new figure has arrived. `alone` is one session moving
while the others rest.
"""
from __future__ import annotations

import argparse
import json
import os
import re
import secrets
import signal
import socket
import statistics
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from side_by_side import TINY, table

ROUNDS = 12       # moves of each session
PAUSE_S = 0.5     # between rounds, so that no round waits for the one before
START_S = 240     # a page of many at once on two cores
ANSWER_S = 120
GB = 1e9
PROTOCOL = "v1.kernel.websocket.jupyter.org"
TOKEN = secrets.token_hex(16)


class Session:
    """One student's page: its kernel, and the first explorer that answers to moves."""

    def __init__(self, port: int) -> None:
        began = time.monotonic()
        allowed = {"Authorization": f"token {TOKEN}"}
        asked = urllib.request.Request(f"http://127.0.0.1:{port}/", headers=allowed)
        with urllib.request.urlopen(asked, timeout=START_S) as page:
            text = page.read().decode()
        found = re.search(r'"kernelId":\s*"([0-9a-f-]+)"', text)
        if found is None:
            raise SystemExit("the page names no kernel")
        import websocket

        self._name = uuid.uuid4().hex
        where = f"ws://127.0.0.1:{port}/api/kernels/{found[1]}/channels?session_id={self._name}"
        self._socket = websocket.create_connection(where, START_S, header=allowed, subprotocols=[PROTOCOL])
        self._panel, stops = self._explorer()
        self.seconds = time.monotonic() - began
        self._slider, self._last, self._at = stops
        self._socket.settimeout(ANSWER_S)

    def move(self) -> float:
        """Move the slider to another stop; seconds until the last message of the answer."""
        self._at = (self._at + max(1, self._last // 7)) % (self._last + 1)
        content = {"kind": "move", "name": self._slider, "position": self._at}
        began = time.monotonic()
        answers = self._send("comm_msg", {"comm_id": self._panel, "data": {"method": "custom", "content": content}})
        if not any("ack" in _state(message) for message in answers):
            raise SystemExit("the explorer did not answer to a move")
        return time.monotonic() - began

    def close(self) -> None:
        self._socket.close()

    def _explorer(self) -> tuple[str, tuple[str, int, int]]:
        """The panel of the first live explorer, and its first slider: name, last stop, present stop."""
        known = self._send("comm_info_request", {"target_name": "jupyter.widget"})
        models = next(each["content"]["comms"] for each in known if "comms" in each["content"])
        for model in models:
            for message in self._send("comm_msg", {"comm_id": model, "data": {"method": "request_state"}}):
                state = _state(message)
                if state.get("kind") == "controls" and state["spec"]["mode"] in ("live", "quick"):
                    for slider in state["spec"]["controls"]:
                        if slider["kind"] in ("real", "int"):
                            at = state["state"]["positions"][slider["name"]]
                            return model, (slider["name"], len(slider["stops"]) - 1, at)
        raise SystemExit("the lesson has no live explorer with a slider")

    def _send(self, kind: str, content: dict[str, Any]) -> list[dict[str, Any]]:
        """Send a message; all that the kernel says to it, until it rests (and has replied to a request)."""
        asked = uuid.uuid4().hex
        header = {"msg_id": asked, "msg_type": kind, "session": self._name, "username": "", "version": "5.3",
                  "date": ""}
        self._socket.send_binary(_packed([header, {}, {}, content]))
        answers, awaited = [], {"idle", *([kind.replace("request", "reply")] if kind.endswith("request") else [])}
        while awaited:
            message = _parsed(self._socket.recv())
            if message["parent_header"].get("msg_id") != asked:
                continue
            answers.append(message)
            awaited -= {message["header"]["msg_type"], message["content"].get("execution_state", "")}
        return answers


def _packed(parts: list[dict[str, Any]]) -> bytes:
    """Header, parent header, metadata and content for the shell channel, as the protocol lays them out."""
    pieces = [b"shell", *(json.dumps(part).encode() for part in parts)]
    offsets = [8 * (len(pieces) + 2)]
    for piece in pieces:
        offsets.append(offsets[-1] + len(piece))
    return b"".join([*(number.to_bytes(8, "little") for number in (len(offsets), *offsets)), *pieces])


def _parsed(raw: bytes) -> dict[str, Any]:
    """A message; its binary parts are not looked at."""
    count = int.from_bytes(raw[:8], "little")
    at = [int.from_bytes(raw[8 * k : 8 * k + 8], "little") for k in range(1, count + 1)]
    names = ("header", "parent_header", "metadata", "content")
    return {name: json.loads(raw[at[k] : at[k + 1]]) for k, name in enumerate(names, 1)}


def _state(message: dict[str, Any]) -> dict[str, Any]:
    return dict(message["content"].get("data", {}).get("state") or {})


class Server:
    """The app on loopback, held to so many cores."""

    def __init__(self, lesson: str, cores: int, profile: str) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        words = [sys.executable, "-m", "gradscape.cli", "class", "app", lesson, "--port", str(self.port),
                 "--no-browser", "--profile", profile]
        self.process = subprocess.Popen(
            words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
            env={**os.environ, "JUPYTER_TOKEN": TOKEN},
        )
        if hasattr(os, "sched_setaffinity"):  # before it starts kernels, which inherit it
            os.sched_setaffinity(self.process.pid, sorted(os.sched_getaffinity(0))[:cores])
        until = time.monotonic() + START_S
        while time.monotonic() < until and self.process.poll() is None:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{self.port}/static/voila.js", timeout=5).close()
                return
            except urllib.error.HTTPError:
                return
            except OSError:
                time.sleep(0.3)
        raise SystemExit("the app did not start: try `gradscape class app` itself")

    def _tree(self) -> list[Any]:
        import psutil

        parent = psutil.Process(self.process.pid)
        return [parent, *parent.children(recursive=True)]

    def memory(self) -> int:
        """Bytes of the server and its kernels; pages that several share are counted once (Linux)."""
        infos = [process.memory_full_info() for process in self._tree()]
        return sum(getattr(info, "pss", info.uss) for info in infos)

    def cpu(self) -> float:
        """Processor seconds spent so far."""
        return sum(sum(process.cpu_times()[:2]) for process in self._tree())

    def stop(self) -> None:
        os.killpg(self.process.pid, signal.SIGTERM)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)


def together(sessions: list[Session]) -> list[float]:
    """One move of every session at the same moment."""
    gate = threading.Barrier(len(sessions))

    def one(session: Session) -> float:
        gate.wait()
        return session.move()

    with ThreadPoolExecutor(len(sessions)) as pool:
        return list(pool.map(one, sessions))


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--lesson", default="high_dimensional")
    ask.add_argument("--sessions", type=int, nargs="+", default=[1, 4, 8, 16, 24, 32])
    ask.add_argument("--cores", type=int, default=2)
    ask.add_argument("--memory", type=float, default=8.0, help="GB; no further sessions are opened beyond")
    ask.add_argument("--profile", default="quick")
    ask.add_argument("--tiny", action="store_true", help="one session, one move")
    chosen = ask.parse_args()
    counts, rounds = (([1], 1) if TINY else (sorted(chosen.sessions), ROUNDS))
    server, sessions, rows = Server(chosen.lesson, chosen.cores, chosen.profile), [], []
    try:
        bare = server.memory()
        for count in counts:
            began = time.monotonic()
            with ThreadPoolExecutor(count) as pool:
                sessions += pool.map(Session, [server.port] * (count - len(sessions)))
            opened, held = time.monotonic() - began, server.memory()
            if held > chosen.memory * GB:
                print(f"{count} sessions take {held / GB:.1f} GB, more than {chosen.memory:g} GB.\n")
                break
            together(sessions)  # the first answer of a kernel fills caches
            alone = []
            for _ in range(rounds):
                alone.append(sessions[0].move())
                time.sleep(PAUSE_S / 5)
            spent, answers = server.cpu(), []
            for _ in range(rounds):
                answers += together(sessions)
                time.sleep(PAUSE_S)
            spent = (server.cpu() - spent) / len(answers)
            answers.sort()
            rows.append((
                count, f"{held / GB:.2f}", f"{(held - bare) / count / 1e6:.0f}", f"{opened:.0f}",
                f"{statistics.median(alone):.2f}", f"{statistics.median(answers):.2f}",
                f"{answers[int(0.95 * (len(answers) - 1))]:.2f}", f"{answers[-1]:.2f}", f"{1e3 * spent:.0f}",
            ))
            print(f"{count} sessions done", file=sys.stderr, flush=True)
    finally:
        for session in sessions:
            session.close()
        server.stop()
    print(f"{chosen.lesson}, profile {chosen.profile}, {chosen.cores} cores, load {os.getloadavg()[0]:.1f}:")
    table(("sessions", "GB in all", "MB each", "s to open the new ones", "s to an answer, alone", "all at once: median",
           "95 %", "largest", "CPU ms per move"), rows)


if __name__ == "__main__":
    main()
