"""Notebooks as files and texts: quick import of nbformat, reading, checksum of the code cells."""
from __future__ import annotations

import hashlib
import importlib
import sys
from pathlib import Path
from typing import Any

EXPLORER, PARAMETERS, SETUP, PREDICT, EXERCISE, CHECKED = (
    "explorer", "parameters", "setup", "predict", "exercise", "nbval-check-output",
)
PLOTLY = "application/vnd.plotly.v1+json"
WIDGET = "application/vnd.jupyter.widget-view+json"


def without_slow_grammar() -> None:
    """Import jsonschema without its grammar of internationalized addresses.

    Compiling that grammar takes 1.4 s of CPU in every process that reads a notebook, and no schema of a notebook
    has such an address. Does nothing where jsonschema is imported already.
    """
    slow = "rfc3987_syntax"
    if "jsonschema" in sys.modules or slow in sys.modules:
        return
    sys.modules[slow] = None  # type: ignore[assignment]
    try:
        importlib.import_module("jsonschema")
    finally:
        del sys.modules[slow]


def read(place: Path) -> Any:
    """A stored notebook as a node; ``ValueError`` says what is wrong with the file."""
    without_slow_grammar()
    import nbformat

    try:
        return nbformat.read(place, as_version=4)
    except FileNotFoundError:
        raise ValueError(f"no notebook at {place}") from None
    except Exception as error:
        raise ValueError(f"{place} is not a notebook: {error}") from error


def code_checksum(notebook: Any) -> str:
    """SHA-256 over the code cells' sources and tags: what a run executes."""
    digest = hashlib.sha256()
    for cell in notebook.cells:
        if cell.cell_type == "code":
            digest.update(repr((cell.source, sorted(cell.metadata.get("tags", [])))).encode())
    return digest.hexdigest()


def tagged(notebook: Any, tag: str) -> list[int]:
    """Indices of the cells with a tag."""
    return [index for index, cell in enumerate(notebook.cells) if tag in cell.metadata.get("tags", [])]


def gradscape_metadata(notebook: Any) -> dict[str, Any]:
    """Claims and scalars that the last ledger of an executed notebook carries; both empty when there is none."""
    found: dict[str, Any] = {"claims": [], "scalars": {}}
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            carried = output.get("metadata", {}).get("gradscape")
            if isinstance(carried, dict) and isinstance(carried.get("claims"), list):
                found = {"claims": carried["claims"], "scalars": dict(carried.get("scalars") or {})}
    return found
