"""Where a result comes from: checksums of the code behind it, versions, git revision."""
from __future__ import annotations

import ast
import functools
import hashlib
import importlib.metadata
import os
import platform
import subprocess
from pathlib import Path

PACKAGE = Path(__file__).parent
_REPORTED = ("gradscape", "numpy", "scipy", "torch", "scikit-learn", "scikit-image", "plotly", "papermill")


def versions() -> dict[str, str]:
    """Python, platform and the packages a number can depend on."""
    found = {"python": platform.python_version(), "platform": platform.platform()}
    for name in _REPORTED:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def git_revision(folder: Path) -> str | None:
    """The checked-out commit, with ``+changes`` when the tree differs from it; ``None`` outside a checkout."""
    def ask(*words: str) -> str:
        env = {**os.environ, "GIT_OPTIONAL_LOCKS": "0"}
        command = ("git", "-C", str(folder), *words)
        return subprocess.run(command, check=True, capture_output=True, text=True, env=env).stdout

    try:
        return ask("rev-parse", "HEAD").strip() + ("+changes" if ask("status", "--porcelain").strip() else "")
    except (OSError, subprocess.CalledProcessError):
        return None


def code_checksum(module: str) -> str:
    """SHA-256 over a gradscape module and every gradscape module it imports, directly or not.

    Comments, docstrings and layout do not count: only a change of what the code does changes the checksum.
    """
    digest = hashlib.sha256()
    for path in sorted(_closure(module)):
        digest.update(str(path.relative_to(PACKAGE)).encode())
        digest.update(_essence(path, path.stat().st_mtime_ns).encode())
    return digest.hexdigest()


def _closure(module: str) -> set[Path]:
    waiting, seen = _files(module), set()
    while waiting:
        path = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        for name in _imports(path, path.stat().st_mtime_ns):
            waiting |= _files(name)
    return seen


def _files(module: str) -> set[Path]:
    """The file of a module; for a package its ``__init__`` and all modules directly inside."""
    place = PACKAGE.joinpath(*module.split(".")[1:])
    if place.with_suffix(".py").is_file():
        return {place.with_suffix(".py")}
    if place == PACKAGE or not (place / "__init__.py").is_file():
        return set()
    return set(place.glob("*.py"))


@functools.lru_cache(maxsize=512)
def _imports(path: Path, changed: int) -> frozenset[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names if alias.name.startswith("gradscape.")}
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "gradscape":
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            modules = {name for name in inner if _files(name)}
            # `from gradscape.numerics import rmt` needs rmt; `from gradscape.stats.paired import compare` needs paired
            names |= modules or {node.module}
    return frozenset(names)


@functools.lru_cache(maxsize=512)
def _essence(path: Path, changed: int) -> str:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            kept = [s for s in body if not (isinstance(s, ast.Expr) and isinstance(s.value, ast.Constant))]
            node.body = kept or [ast.Pass()]  # type: ignore[attr-defined]
    return ast.dump(tree)
