"""Build the committed base checkpoints ``data/toolworld_base_known4.safetensors`` and ``…_known0.safetensors``.

    python -m gradscape.agents.turnpolicy.builder [--out FOLDER] [--check]

Trains both models from nothing, about half a minute of CPU each. ``--check`` compares with the files that are there
instead of writing: the weights up to TOLERANCE, because sums of floating-point numbers may be rounded in another order
on another processor (training then drifts apart: a difference is a fact about the machine, not about the file).
"""
from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors.torch import load, save

from gradscape.agents.turnpolicy.base import FILES, build_base
from gradscape.datasets import integrity
from gradscape.datasets.builders.command import whole_file

SEED = 0
TOLERANCE = 1e-3  # of a weight; another seed differs by about 1


def serialized(known: float) -> bytes:
    """The trained weights as safetensors, float32."""
    return save(build_base(SEED, known=known).state_dict())


def difference(made: bytes, present: bytes) -> float:
    """The largest difference of a weight; infinity when names or shapes differ."""
    ours, theirs = load(made), load(present)
    if {k: v.shape for k, v in ours.items()} != {k: v.shape for k, v in theirs.items()}:
        return float("inf")
    return max(float((ours[name] - theirs[name]).abs().max()) for name in ours)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the builder; exit code 1 when ``--check`` finds a difference."""
    parser = argparse.ArgumentParser(description="Build the base checkpoints of the agents' lessons.")
    parser.add_argument("--out", type=Path, default=None, help="default: data/")
    parser.add_argument("--check", action="store_true", help="compare with the files that are there; write nothing")
    options = parser.parse_args(arguments)
    folder = options.out or integrity.data_folder()
    torch.set_num_threads(1)
    differs = False
    for known, name in FILES.items():
        made = serialized(known)
        if options.check:
            largest = difference(made, (folder / name).read_bytes())
            differs |= not largest <= TOLERANCE
            print(f"{folder / name}: largest difference of a weight {largest:.2g}")
            continue
        with whole_file(folder / name) as stream:
            stream.write(made)
        print(f"{folder / name}: {len(made)} bytes, SHA-256 {integrity.sha256(made)}")
    return int(differs)


if __name__ == "__main__":
    raise SystemExit(main())
