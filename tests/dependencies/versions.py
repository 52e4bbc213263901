"""Requirements for other versions than the pinned ones: ``python tests/dependencies/versions.py lowest|newest``.

``lowest`` pins what pyproject.toml declares to the lower bound it declares; ``newest`` takes the same without an upper
bound. Both add what the tests need by name (the direct lines of requirements-test.txt), in whatever version fits.
"""
from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
KINDS = ("lowest", "newest")


def declared() -> list[str]:
    """The dependencies of pyproject.toml, with those of its extras."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = [line for lines in project["optional-dependencies"].values() for line in lines]
    return [*project["dependencies"], *extras]


def tools() -> list[str]:
    """Names of what the tests need, without what these bring along."""
    text = (ROOT / "requirements-test.txt").read_text(encoding="utf-8").partition("# brought along")[0]
    return re.findall(r"^([\w.-]+)==", text, re.MULTILINE)


def requirements(kind: str) -> list[str]:
    """Lines for pip; ``ValueError`` for a dependency without a lower bound."""
    if kind not in KINDS:
        raise ValueError(f"kind={kind!r}: must be one of {', '.join(KINDS)}")
    lines = []
    for line in declared():
        found = re.fullmatch(r"([\w.-]+)>=([\w.]+)", line)
        if found is None:
            raise ValueError(f"{line!r} in pyproject.toml: must be name>=version")
        lines.append(f"{found[1]}=={found[2]}" if kind == "lowest" else line)
    own = {line.partition("=")[0].partition(">")[0] for line in lines}
    return [*lines, *(name for name in tools() if name not in own)]


if __name__ == "__main__":
    print("\n".join(requirements(*sys.argv[1:])))
