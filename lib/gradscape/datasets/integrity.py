"""Where the data lie and whether they are what they should be: folder, registry of checksums, verified reading."""
from __future__ import annotations

import hashlib
import importlib.util
import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

REGISTRY = "registry.json"
SECTIONS = ("committed", "packaged", "remote")


class DataError(RuntimeError):
    """A data file is missing, damaged or cannot be fetched; the message says where it was looked for and what to do."""


def data_folder() -> Path:
    """The folder ``data/`` of the course; ``catalog.root`` alone decides where that is."""
    from gradscape import catalog

    try:
        return catalog.root() / "data"
    except FileNotFoundError as error:
        raise DataError(f"the course's data folder was not found: {error}") from error


def sha256(data: bytes) -> str:
    """SHA-256 of bytes in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def registry() -> dict[str, Any]:
    """The registry of checksums, ``data/registry.json``.

    Keys: ``committed`` (files in ``data/``), ``packaged`` (files inside other packages' wheels), ``remote`` (sets that
    ``gradscape data fetch`` downloads). Raises DataError when it is missing or unreadable.
    """
    path = data_folder() / REGISTRY
    try:
        return _parsed(str(path), path.stat().st_mtime_ns)
    except FileNotFoundError as error:
        raise DataError(f"no registry of checksums at {path}; to restore it: {_restore(REGISTRY)}") from error
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        why = f"{type(error).__name__}: {error}"
        raise DataError(f"{path} is no registry of checksums ({why}); to restore it: {_restore(REGISTRY)}") from error


def _restore(name: str) -> str:
    return f"git checkout data/{name}, or reinstall gradscape"


@lru_cache(maxsize=4)
def _parsed(path: str, _stamp: int) -> dict[str, Any]:
    content = json.loads(Path(path).read_text(encoding="utf-8"))
    if not isinstance(content, dict) or not all(isinstance(content.get(section), dict) for section in SECTIONS):
        raise ValueError(f"the sections {', '.join(SECTIONS)} are expected")
    files = {**content["committed"], **content["packaged"]}
    for name, remote in content["remote"].items():
        files |= {f"{name}/{file}": entry for file, entry in remote["files"].items()}
    for name, entry in files.items():
        if not isinstance(entry["bytes"], int) or len(entry["sha256"]) != 64:
            raise ValueError(f"{name} lacks its size in bytes or its SHA-256")
    return content


def committed(name: str) -> bytes:
    """Read the committed file ``data/<name>``, refusing it unless its size and SHA-256 are those of the registry."""
    entry = registry()["committed"].get(name)
    if entry is None:
        raise DataError(f"{name} is not in {data_folder() / REGISTRY}; known: {', '.join(registry()['committed'])}")
    return read_verified(data_folder() / name, entry, _restore(name))


def packaged(name: str) -> bytes:
    """Read a file of another package's wheel, such as ``skimage/data/camera.png``, verified as ``committed`` does.

    Only the package's folder is looked up: nothing of it is imported and nothing is downloaded.
    """
    entry = registry()["packaged"].get(name)
    if entry is None:
        raise DataError(f"{name} is not in {data_folder() / REGISTRY}")
    return read_verified(packaged_path(name), entry, f"reinstall {entry['package']} in the version of requirements.txt")


def packaged_path(name: str) -> Path:
    """Where a packaged file should be; raises DataError when its package is not installed."""
    package, _, inside = name.partition("/")
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise DataError(f"{name}: the package {package} is not installed; install the requirements of gradscape")
    return Path(next(iter(spec.submodule_search_locations))) / inside


def read_verified(path: Path, entry: dict[str, Any], remedy: str) -> bytes:
    """Read a file whose size and SHA-256 must be those of ``entry``; otherwise DataError, ending with ``remedy``."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror or error}); to restore it: {remedy}") from error
    problem = mismatch(data, entry)
    if problem:
        raise DataError(f"{path} is damaged: {problem}; to restore it: {remedy}")
    return data


def mismatch(data: bytes, entry: dict[str, Any]) -> str:
    """Say how ``data`` differs from a registry entry (``bytes``, ``sha256``); empty when it does not."""
    if len(data) != entry["bytes"]:
        return f"{len(data)} bytes instead of {entry['bytes']}"
    found = sha256(data)
    return "" if found == entry["sha256"] else f"SHA-256 {found} instead of {entry['sha256']}"


@dataclass(frozen=True)
class Check:
    """The state of one file: ``problem`` is empty when it is exactly what the registry says."""

    name: str
    path: Path | None
    problem: str = ""

    @property
    def ok(self) -> bool:
        return not self.problem


def verify(*, packages: bool = True) -> tuple[Check, ...]:
    """Compare the committed files, and those used from other packages, with the registry.

    Reads each file once; raises DataError only for an unreadable registry.

    >>> all(check.ok for check in verify())
    True
    """
    sections = registry()
    checks = [_check(name, data_folder() / name, entry) for name, entry in sections["committed"].items()]
    if packages:
        for name, entry in sections["packaged"].items():
            try:
                checks.append(_check(name, packaged_path(name), entry))
            except DataError as error:
                checks.append(Check(name, None, str(error)))
    return tuple(checks)


def _check(name: str, path: Path, entry: dict[str, Any]) -> Check:
    try:
        return Check(name, path, mismatch(path.read_bytes(), entry))
    except OSError as error:
        return Check(name, path, f"cannot be read ({error.strerror or error})")


def checksums() -> dict[str, str]:
    """SHA-256 of the committed files as they are on this disk, for a run's record; "missing" where there is none."""
    found = {}
    for name in registry()["committed"]:
        path = data_folder() / name
        found[name] = sha256(path.read_bytes()) if path.is_file() else "missing"
    return found
