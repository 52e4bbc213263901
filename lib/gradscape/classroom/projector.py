"""A lesson as an app: its explorers alone, served by Voilà on this machine to who has the token, code hidden."""
from __future__ import annotations

import os
import secrets
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from gradscape import catalog
from gradscape.batch import notebooks
from gradscape.batch.lab import environment
from gradscape.classroom.assignments import require

DATA = Path(__file__).parent / "jupyter"  # Jupyter looks for Voilà's templates below it
ADDRESS = "127.0.0.1"
# these extensions of JupyterLab look for a JupyterLab around them; ours draw through widgets alone
WITHOUT = ("@jupyter/nbgrader", "@jupyter-notebook/lab-extension", "@voila-dashboards/jupyterlab-preview",
           "jupyterlab-plotly")


def notebook(lesson: catalog.Lesson, profile: str = "quick") -> Any:
    """The lesson's title, parameters, setup and explorer cells; ``ValueError`` if there is no explorer."""
    from nbformat import v4

    from gradscape.lesson import explain

    settings = lesson.load().Settings
    try:
        settings.of({"profile": profile})
    except ValueError as error:
        raise ValueError(explain(error)) from None
    stored = notebooks.read(lesson.notebook)
    source = f"*{lesson.title}* ({lesson.year}), [arXiv {lesson.arxiv}]({lesson.url})"
    kept = [v4.new_markdown_cell(f"# {lesson.short}\n\n{source}")]
    for tag in (notebooks.PARAMETERS, notebooks.SETUP, notebooks.EXPLORER):
        sources = [stored.cells[index].source for index in notebooks.tagged(stored, tag)]
        kept.extend(v4.new_code_cell(source, metadata={"tags": [tag]}) for source in sources)
        if tag == notebooks.PARAMETERS:
            kept.append(v4.new_code_cell(f"profile = {profile!r}"))
    if not notebooks.tagged(stored, notebooks.EXPLORER):
        raise ValueError(f"lesson {lesson.id} has no explorer to show")
    return v4.new_notebook(cells=kept, metadata={
        "kernelspec": {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"},
        "language_info": {"name": "python"}, "title": lesson.short,
    })


# Voilà's own way to a browser forgets the token. The address is not among the words, which every user can list.
OPEN = """
import os, time, urllib.error, urllib.request, webbrowser
for _ in range(240):
    try:
        urllib.request.urlopen(os.environ["GRADSCAPE_APP"], timeout=5)
    except urllib.error.HTTPError:
        pass
    except OSError:
        time.sleep(0.25)
        continue
    webbrowser.open(os.environ["GRADSCAPE_APP"])
    break
"""


def command(place: Path, port: int) -> list[str]:
    """Voilà's command line: loopback only, a token, this port or none, code and tracebacks hidden, no browser."""
    return [
        sys.executable, "-m", "voila", str(place), f"--Voila.ip={ADDRESS}", f"--Voila.port={port}",
        "--Voila.port_retries=0", "--Voila.auto_token=True", "--no-browser", "--VoilaConfiguration.template=gradscape",
        "--VoilaConfiguration.strip_sources=True",
        *(f"--VoilaConfiguration.extension_denylist={name}" for name in WITHOUT),
        "--VoilaConfiguration.show_tracebacks=False", "--VoilaConfiguration.allow_template_override=NO",
    ]


def free_port(port: int | None) -> int:
    """The port if it is free, any free one for None; ``ValueError`` if it is taken or may not be used."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((ADDRESS, port or 0))
        except OverflowError:
            raise ValueError(f"port={port}: must be from 1 to 65535") from None
        except OSError as error:
            raise ValueError(f"port={port}: {str(error.strerror).lower()}; name another one with --port") from None
        return int(probe.getsockname()[1])


def serve(lesson: catalog.Lesson, port: int | None = None, browser: bool = True, profile: str = "quick") -> None:
    """Write the app's notebook to a temporary folder and become Voilà; returns only if that fails."""
    import nbformat

    require("voila")
    made, chosen = notebook(lesson, profile), free_port(port)
    place = Path(tempfile.mkdtemp(prefix="gradscape-app-")) / f"{lesson.slug}.ipynb"
    nbformat.write(made, place)
    token = os.environ.get("JUPYTER_TOKEN") or secrets.token_hex(24)
    address = f"http://{ADDRESS}:{chosen}/?token={token}"
    print(f"{lesson.id} at {address} (Ctrl-C ends it)", flush=True)
    if browser:
        subprocess.Popen([sys.executable, "-c", OPEN], env={**os.environ, "GRADSCAPE_APP": address})
    env = {**environment(), **dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")}
    env["JUPYTER_PATH"] = os.pathsep.join([str(DATA), *filter(None, [env.get("JUPYTER_PATH")])])
    env["JUPYTER_TOKEN"] = token
    env.pop("GRADSCAPE_HEADLESS", None)
    words = command(place, chosen)
    os.execve(words[0], words, env)
