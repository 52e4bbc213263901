"""A lesson as an app: its explorers alone, served by Voilà on this machine, code hidden."""
from __future__ import annotations

import os
import socket
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


def command(place: Path, port: int, browser: bool) -> list[str]:
    """Voilà's command line: loopback only, this port or none, code and tracebacks hidden."""
    words = [
        sys.executable, "-m", "voila", str(place), f"--Voila.ip={ADDRESS}", f"--Voila.port={port}",
        "--Voila.port_retries=0", "--VoilaConfiguration.template=gradscape",
        "--VoilaConfiguration.strip_sources=True",
        *(f"--VoilaConfiguration.extension_denylist={name}" for name in WITHOUT),
        "--VoilaConfiguration.show_tracebacks=False", "--VoilaConfiguration.allow_template_override=NO",
    ]
    return words if browser else [*words, "--no-browser"]


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
    print(f"{lesson.id} at http://{ADDRESS}:{chosen}/ (Ctrl-C ends it)", flush=True)
    env = {**environment(), **dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")}
    env["JUPYTER_PATH"] = os.pathsep.join([str(DATA), *filter(None, [env.get("JUPYTER_PATH")])])
    env.pop("GRADSCAPE_HEADLESS", None)
    words = command(place, chosen, browser)
    os.execve(words[0], words, env)
