"""The recipes of docs/sweeps.md: SSH and the commands of Kubernetes run on loopback; SLURM is checked for its form."""
from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from gradscape.sweeptable import SweepTable

PAGE = Path(__file__).parents[2] / "docs" / "sweeps.md"
REPO_BIN = Path(sys.executable).parent


def recipe(name: str) -> str:
    """The block of the page that begins with this recipe's name."""
    (found,) = re.findall(rf"```\w+\n# recipe: {name}\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    return found


def free_port() -> int:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


@pytest.mark.standard
@pytest.mark.xdist_group("kernels")
def test_ssh_recipe_on_loopback(tmp_path):
    stand_in = tmp_path / "bin" / "ssh"
    stand_in.parent.mkdir()
    stand_in.write_text('#!/bin/bash\nshift\nexec bash -c "exec $*"\n')
    stand_in.chmod(0o755)
    env = {**os.environ, "PATH": f"{stand_in.parent}:{REPO_BIN}:{os.environ['PATH']}", "HOST": "127.0.0.1",
           "PORT": str(free_port()), "OUT": str(tmp_path / "s")}
    # job control, so that `kill $(jobs -p)` at the end reaches the commands that the stand-in became
    done = subprocess.run(["bash", "-c", recipe("ssh")], env=env, cwd=tmp_path, capture_output=True, text=True,
                          timeout=120)
    assert len(SweepTable.open(tmp_path / "s").done) == 4, done.stdout[-1500:] + done.stderr[-1500:]


@pytest.mark.standard
@pytest.mark.xdist_group("kernels")
def test_kubernetes_recipe_starts_a_scheduler_and_a_worker(tmp_path):
    manifest = yaml.safe_load(recipe("kubernetes"))
    assert manifest["kind"] == "DaskCluster"
    scheduler = manifest["spec"]["scheduler"]["spec"]["containers"][0]
    worker = manifest["spec"]["worker"]["spec"]["containers"][0]
    service = manifest["spec"]["scheduler"]["service"]
    named = {port["name"] for port in scheduler["ports"]}
    assert {port["targetPort"] for port in service["ports"]} == named
    port = free_port()
    address = f"tcp://127.0.0.1:{port}"
    words = [word.replace("$(DASK_WORKER_NAME)", "one") for word in worker["args"]]
    env = {**os.environ, "PATH": f"{REPO_BIN}:{os.environ['PATH']}", "DASK_SCHEDULER_ADDRESS": address}
    extra = ["--host", "127.0.0.1", "--port", str(port), "--no-dashboard"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    started = [subprocess.Popen([*scheduler["args"], *extra], env=env, cwd=tmp_path, **quiet),
               subprocess.Popen([*words, "--no-nanny"], env=env, cwd=tmp_path, **quiet)]
    try:
        import distributed

        limit = time.monotonic() + 60
        while True:
            try:
                client = distributed.Client(address, timeout=5, set_as_default=False)
                break
            except OSError:
                assert time.monotonic() < limit
        with client:
            client.wait_for_workers(1, timeout=60)
            assert list(client.nthreads().values()) == [1]
    finally:
        for process in started:
            process.kill()
            process.wait()


def test_slurm_recipe_is_code_that_calls_what_exists():
    import inspect

    from gradscape import batch

    tree = ast.parse(recipe("slurm"))
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    (call,) = [node for node in calls if ast.unparse(node.func) == "batch.sweep"]
    known = inspect.signature(batch.sweep).parameters
    assert {keyword.arg for keyword in call.keywords} <= set(known)


def test_every_command_of_the_page_has_options_that_exist():
    from gradscape import cli
    from typer.main import get_command

    commands = get_command(cli.app).commands
    for line in re.findall(r"^gradscape .*", PAGE.read_text(encoding="utf-8"), re.MULTILINE):
        words = line.partition("#")[0].split()
        known = {option for parameter in commands[words[1]].params for option in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= known, line
