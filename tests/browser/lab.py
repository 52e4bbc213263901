"""A private JupyterLab on loopback with a temporary root, and notebooks cut down to what a test opens."""
from __future__ import annotations

import contextlib
import json
import os
import secrets
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import nbformat

START_S = 90  # a cold JupyterLab on a busy two-core machine
SETTINGS = {
    # no pop-up that asks for news, no look for updates
    "@jupyterlab/apputils-extension/notification": {
        "fetchNews": "false", "checkForUpdates": False, "doNotDisturbMode": True,
    },
    # all cells stay in the page, so that a test finds them without scrolling
    "@jupyterlab/notebook-extension/tracker": {"windowingMode": "none"},
    "@jupyterlab/docmanager-extension/plugin": {"autosave": False},
}


@dataclass(frozen=True)
class Lab:
    """A running server: its address, token and notebooks folder."""

    url: str
    token: str
    root: Path

    def address(self, notebook: str) -> str:
        """Where a browser opens a notebook alone, in a workspace of its own."""
        return f"{self.url}/lab/workspaces/w{secrets.token_hex(4)}/tree/{notebook}?token={self.token}"


def settings_dir(folder: Path, extra: Mapping[str, Mapping[str, object]] | None = None) -> Path:
    """A JupyterLab user settings folder with our overrides."""
    for plugin, values in {**SETTINGS, **(extra or {})}.items():
        package, _, name = plugin.rpartition("/")
        path = folder / package / f"{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(values), encoding="utf-8")
    return folder


@contextlib.contextmanager
def running(root: Path, private: Path, extra: Mapping[str, Mapping[str, object]] | None = None) -> Iterator[Lab]:
    """Start JupyterLab on a free loopback port with ``root`` as its folder; stop it at the end.

    ``private`` takes its settings, data and log. ``RuntimeError`` with the log's end if it does not come up.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    lab = Lab(f"http://127.0.0.1:{port}", secrets.token_hex(16), root)
    environment = {key: value for key, value in os.environ.items() if key != "GRADSCAPE_HEADLESS"}
    environment |= {
        "JUPYTER_CONFIG_DIR": str(private / "config"), "JUPYTER_DATA_DIR": str(private / "data"),
        "JUPYTER_RUNTIME_DIR": str(private / "runtime"), "IPYTHONDIR": str(private / "ipython"),
        "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1",
        "JUPYTER_TOKEN": lab.token,  # not on the command line, where every process sees it
    }
    log = private / "jupyterlab.log"
    private.mkdir(parents=True, exist_ok=True)
    with log.open("w", encoding="utf-8") as sink:
        server = subprocess.Popen(
            [sys.executable, "-m", "jupyterlab", "--no-browser", "--ip=127.0.0.1", f"--port={port}",
             "--ServerApp.port_retries=0", f"--ServerApp.root_dir={root}", "--LabApp.extension_manager=readonly",
             f"--LabApp.user_settings_dir={settings_dir(private / 'settings', extra)}",
             f"--LabApp.workspaces_dir={private / 'workspaces'}", "--allow-root"],
            stdout=sink, stderr=subprocess.STDOUT, env=environment,
        )
        try:
            _await(lab, server, log)
            yield lab
        finally:
            server.terminate()
            try:
                server.wait(15)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


def _await(lab: Lab, server: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + START_S
    while time.monotonic() < until and server.poll() is None:
        try:
            with urllib.request.urlopen(f"{lab.url}/api/status?token={lab.token}", timeout=2):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    raise RuntimeError("JupyterLab did not start:\n" + log.read_text(encoding="utf-8")[-2000:])


def explorers_only(source: Path, target: Path, parameters: Mapping[str, object]) -> int:
    """Copy a notebook's parameters, setup and explorer cells, with changed parameters; return how many explorer cells.

    An explorer cell depends on nothing else (a rule of the house that this very cut tests).
    """
    notebook = nbformat.read(source, as_version=4)
    kept = []
    for cell in notebook.cells:
        tags = cell.metadata.get("tags", [])
        if cell.cell_type == "code" and {"parameters", "setup", "explorer"} & set(tags):
            cell.outputs, cell.execution_count = [], None
            kept.append(cell)
            if "parameters" in tags:
                lines = [f"{name} = {value!r}" for name, value in parameters.items()]
                kept.append(nbformat.v4.new_code_cell("\n".join(lines)))
    notebook.cells = kept
    target.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, target)
    return sum("explorer" in cell.metadata.get("tags", []) for cell in kept)
