"""The wheel alone, in an environment of its own, runs a lesson from anywhere."""
from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest
from gradscape import catalog

pytestmark = [pytest.mark.standard, pytest.mark.xdist_group("wheel")]


def run(*command: str | Path, cwd: Path | str = "/", **env: str) -> subprocess.CompletedProcess[str]:
    clean = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "GRADSCAPE_ROOT")}
    return subprocess.run([*map(str, command)], cwd=cwd, env={**clean, **env}, capture_output=True, text=True)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    done = run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", out, cwd=catalog.root())
    assert done.returncode == 0, done.stderr
    return next(out.glob("*.whl"))


def test_wheel_holds_the_course(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    tracked = run("git", "ls-files", "notebooks", "data", "docs", "CITATION.cff", cwd=catalog.root()).stdout.split()
    missing = [name for name in tracked if f"gradscape/_root/{name}" not in names]
    assert not missing
    assert "gradscape/catalog.toml" in names
    assert not [name for name in names if "/cache/" in name or "answers_" in name or name.startswith("tests")]


def test_installed_wheel_runs_a_lesson(wheel, tmp_path):
    """The environment sees our dependencies by a path file, but gradscape only from the wheel."""
    home = tmp_path / "env"
    venv.create(home, with_pip=False)
    python = home / "bin" / "python"
    site = next((home / "lib").glob("python*/site-packages"))
    (site / "dependencies.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    done = run(sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps", "--no-index",
               "--force-reinstall", wheel)
    assert done.returncode == 0, done.stderr
    code = "import gradscape, gradscape.catalog; print(gradscape.__file__, gradscape.catalog.root(), sep='\\n')"
    where = run(python, "-c", code)
    assert all(line.startswith(str(site)) for line in where.stdout.split()), where
    entry = catalog.lessons(available=True)[0]
    done = run(home / "bin" / "gradscape", "run", entry.id, "--profile", "smoke", "--out", tmp_path / "run")
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "run" / "run.json").is_file()
