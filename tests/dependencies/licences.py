"""Write docs/licences.md: what gradscape and its tests depend on, and the data, each with its license.

``python tests/dependencies/licences.py`` (``make licences``) reads the names of requirements.txt and
requirements-test.txt, the installed packages' own metadata, data/registry.json and a table of data/README.md.
"""
from __future__ import annotations

import importlib.metadata
import json
import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "licences.md"
# What classifiers of packages say, in short.
SHORT = {"BSD License": "BSD", "MIT License": "MIT", "Apache Software License": "Apache-2.0",
         "ISC License (ISCL)": "ISC", "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
         "Python Software Foundation License": "PSF-2.0"}


def canonical(name: str) -> str:
    """A package's name as the index compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def pinned(file: str) -> dict[str, str]:
    """Names and versions of a requirements file, in its order, without files that it includes."""
    lines = (ROOT / file).read_text(encoding="utf-8").splitlines()
    return dict(line.split("==", 1) for line in lines if "==" in line and not line.startswith("#"))


def direct() -> list[str]:
    """Names of what gradscape itself imports, from pyproject.toml."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return [re.split(r"[<>=!~ \[]", line)[0] for line in project["dependencies"]]


def license_of(name: str) -> str:
    """What a package's metadata says of its license; ``"not installed"`` where it cannot be asked."""
    try:
        metadata = importlib.metadata.metadata(name)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"
    stated = metadata.get("License-Expression")
    if stated:
        return stated
    classes = [line.rpartition(" :: ")[2] for line in metadata.get_all("Classifier") or [] if "License ::" in line]
    if classes:
        return " or ".join(dict.fromkeys(SHORT.get(found, found) for found in classes))
    text = (metadata.get("License") or "").strip()
    if text and "\n" not in text and len(text) <= 60:
        return text
    return _of_file(name)


def _of_file(name: str) -> str:
    """The license that the first line of a package's license file names."""
    for file in importlib.metadata.files(name) or []:
        if re.search(r"licen[cs]e", file.name, re.IGNORECASE) and file.suffix != ".py":
            first = file.read_text(encoding="utf-8").strip().partition("\n")[0].strip()
            return f"{first} (first line of its license file)"
    return "not stated"


def table(names: list[str]) -> list[str]:
    """A Markdown table of packages."""
    rows = [f"| {name} | {license_of(name)} |" for name in sorted(names, key=canonical)]
    return ["| package | license |", "|---|---|", *rows]


def data() -> list[str]:
    """The data's licenses: committed files, files of other packages, sets to fetch."""
    registry = json.loads((ROOT / "data" / "registry.json").read_text(encoding="utf-8"))
    lines = ["| data | license |", "|---|---|"]
    lines += [f"| `data/{name}` | {entry['license']} |" for name, entry in registry["committed"].items()]
    lines += [f"| {entry['title']}, to fetch | {entry['license']} |" for entry in registry["remote"].values()]
    section = (ROOT / "data" / "README.md").read_text(encoding="utf-8").partition("## Files of other packages")[2]
    section = section.partition("\n## ")[0]
    return [*lines, "", "Files inside other packages:", "", *re.findall(r"^\|.*\|$", section, re.MULTILINE)]


def page() -> str:
    """The whole page."""
    own, run, test = direct(), pinned("requirements.txt"), pinned("requirements-test.txt")
    names = {canonical(name) for name in own}
    brought = [name for name in run if canonical(name) not in names]
    lines = [
        "# Licenses", "",
        "gradscape is under the MIT license. This page is made by `make licences` from the packages' own metadata.",
        "Nothing here is a copy of these packages: pip installs them.", "",
        "## Data", "", "Sources, texts and how the files were built: [data/README.md](../data/README.md).", "",
        *data(), "",
        "## What gradscape imports", "", *table(own), "", "## Brought along", "", *table(brought), "",
        "## Only for tests and classes", "", *table(list(test)), "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(PAGE)
