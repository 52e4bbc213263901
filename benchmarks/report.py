"""Run the benchmarks one after another and write what they print into docs/benchmarks.md, with machine, date and load.

    python benchmarks/report.py                    all of them (what `make bench` does)
    python benchmarks/report.py start.py growth.py these; the other sections stay as they are
"""
from __future__ import annotations

import argparse
import ast
import datetime
import os
import platform
import re
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
PAGE = HERE.parent / "docs" / "benchmarks.md"
# In the order of the page. The longest come last, so that an impatient reader has the most first.
SCRIPTS = (
    "many_networks.py", "start.py", "stacks.py", "theory_curves.py", "regressions.py", "recoveries.py",
    "images.py", "recoding_gradient.py", "diffgrad_step.py", "ghost_norms.py", "gradient_normalized_solvers.py",
    "metric_losses.py", "gradient_coding_search.py", "client_rounds.py", "projected_guidance_step.py",
    "tool_agents.py", "explorers.py",
    "growth.py", "sweep.py", "browser.py", "sessions.py", "course.py",
)
HELPERS = ("chart.py", "report.py", "side_by_side.py")
LIMIT_S = 7200
MARK = re.compile(r"<!-- (\S+\.py) -->\n(.*?)(?=<!-- |\Z)", re.S)
NOTICED = ("- **short of its goal** ", "- **behind** ")
HEAD = """# Speed, measured

Every figure here is written by a command that anyone can run: `make bench` runs all scripts of `benchmarks/` and writes
this page ({minutes} minutes of work when last run on the machines named below). `python benchmarks/report.py NAME.py`
does one section again. A ratio is taken within one run on one machine, the ways in turn, one compute thread each, and
is a median; results are compared before anything is timed, and a script stops if they differ. Times are CPU time unless
a section says otherwise. Times taken while other work ran on the machine (see each section's load) are no more than the
ratios between them.

## What falls short

{short}
"""


def title(script: str) -> tuple[str, str]:
    """First sentence and rest of a script's docstring."""
    text = ast.get_docstring(ast.parse((HERE / script).read_text(encoding="utf-8"))) or script
    head, _, rest = text.partition("\n\n")
    return " ".join(head.split()).rstrip("."), rest.strip()


def machine() -> str:
    """Processor, cores, system and versions in a line."""
    from importlib.metadata import version

    cpu = "processor unknown"
    try:
        found = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text())
        cpu = found[1] if found else cpu
    except OSError:
        pass
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return (f"{cpu}, {cores} cores, {platform.system()}, Python {platform.python_version()}, torch {version('torch')}, "
            f"numpy {version('numpy')}")


def run(script: str, arguments: list[str]) -> str:
    """What a script prints, with where and when; ``RuntimeError`` if it fails or takes longer than two hours."""
    load, began = os.getloadavg()[0], time.monotonic()
    print(f"{script} …", end=" ", flush=True)
    try:
        done = subprocess.run(
            [sys.executable, str(HERE / script), *arguments], capture_output=True, text=True, timeout=LIMIT_S,
            cwd=HERE.parent, check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise RuntimeError(f"{script}: not finished after {LIMIT_S} s") from error
    took = time.monotonic() - began
    print(f"{took:.0f} s")
    if done.returncode:
        raise RuntimeError(f"{script} failed ({done.returncode}):\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}")
    return section(script, done.stdout, took, (load, os.getloadavg()[0]))


def section(script: str, printed: str, took: float | None, load: tuple[float, float]) -> str:
    """The section of the page."""
    head, rest = title(script)
    when = datetime.datetime.now(datetime.UTC).strftime("%-d %B %Y, %H:%M UTC")
    length = f", {took / 60:.1f} minutes" if took is not None else ""
    where = f"*{when}{length}; {machine()}; load {load[0]:.1f} to {load[1]:.1f}.*"
    return f"## {head}\n\n`benchmarks/{script}`. {rest}\n\n{where}\n\n{printed.strip()}\n\n"


def read(page: Path) -> dict[str, str]:
    """The sections that the page has."""
    return dict(MARK.findall(page.read_text(encoding="utf-8"))) if page.exists() else {}


def write(page: Path, sections: dict[str, str]) -> None:
    """The page: what falls short, then every section in its order."""
    short = [
        f"- `{script}`: " + line.removeprefix(start)
        for script in SCRIPTS for line in sections.get(script, "").splitlines() for start in NOTICED
        if line.startswith(start)
    ]
    minutes = sum(float(m[1]) for text in sections.values() if (m := re.search(r", ([\d.]+) minutes; ", text)))
    missing = [script for script in SCRIPTS if script not in sections]
    short += [f"- `{script}`: not measured yet." for script in missing]
    parts = [HEAD.format(minutes=f"{minutes:.0f}", short="\n".join(short) or "Nothing.")]
    parts += [f"<!-- {script} -->\n{sections[script]}" for script in SCRIPTS if script in sections]
    page.write_text("\n".join(part.rstrip("\n") + "\n" for part in parts), encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("scripts", nargs="*", metavar="NAME.py", help="which (default: all)")
    parser.add_argument("--page", type=Path, default=PAGE, help="where to write (default: docs/benchmarks.md)")
    parser.add_argument("--tiny", action="store_true", help="every script at its smallest: to see that it runs")
    asked = parser.parse_args()
    unknown = sorted(set(asked.scripts) - set(SCRIPTS))
    if unknown:
        parser.error(f"{', '.join(unknown)}: must be of {', '.join(SCRIPTS)}")
    sections = read(asked.page)
    failed = []
    for script in asked.scripts or SCRIPTS:
        try:
            sections[script] = run(script, ["--tiny"] if asked.tiny else [])
        except RuntimeError as error:  # the others go on; the section keeps what it had
            print(error, file=sys.stderr)
            failed.append(script)
        write(asked.page, sections)  # after each: an interrupted run keeps what it has
    if failed:
        raise SystemExit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
