"""``gradscape lab``: JupyterLab on the course's first page, for this machine only."""
from __future__ import annotations

import os
import sys
from pathlib import Path

from gradscape import catalog
from gradscape.batch.stored import start_page

# Jupyter reads settings of ours from here: no pop-up that asks whether to fetch news.
CONFIG = Path(__file__).parent / "jupyter"


def command(port: int, browser: bool, allow_root: bool = False) -> list[str]:
    """The command line of JupyterLab: loopback only, with Jupyter's own token, on the start page, asking no network."""
    root, page = catalog.root(), start_page()
    words = [
        sys.executable, "-m", "jupyterlab", "--ServerApp.ip=127.0.0.1", f"--ServerApp.port={port}",
        f"--ServerApp.root_dir={root}", "--LabApp.extension_manager=readonly", "--LabApp.news_url=None",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    ]
    if page.exists():
        words.append(f"--LabApp.default_url=/lab/tree/{page.relative_to(root).as_posix()}")
    if allow_root:
        words.append("--ServerApp.allow_root=True")
    return words if browser else [*words, "--ServerApp.open_browser=False"]


def environment() -> dict[str, str]:
    """The environment of JupyterLab: ours, with our settings before the user's."""
    before = os.environ.get("JUPYTER_CONFIG_PATH", "")
    return {**os.environ, "JUPYTER_CONFIG_PATH": os.pathsep.join([str(CONFIG), *([before] if before else [])])}


def start(port: int = 8888, browser: bool = True, allow_root: bool = False) -> None:
    """Become JupyterLab; returns only if that fails."""
    words = command(port, browser, allow_root)
    os.execve(words[0], words, environment())
