"""Time of one DiffGrad step as a ratio to torch's Adam and to torch_optimizer's DiffGrad, on 100 small tensors.

Targets: at most 1.6 times Adam(foreach=True), and faster than torch_optimizer. The three are timed in turn, block by
block, and each ratio is the median over blocks, so that a busy machine slows all alike.
"""
from __future__ import annotations

import time
import warnings
from collections.abc import Callable

import torch
from gradscape.optimizers import DiffGrad
from side_by_side import goal, ratio, report, size

TENSORS, SHAPE = 100, (32, 32)
BLOCKS, STEPS = size(40, 1), 20
TARGET = 1.6


def peers() -> dict[str, Callable[[list[torch.nn.Parameter]], torch.optim.Optimizer]]:
    """The optimizers by name."""
    found: dict[str, Callable[[list[torch.nn.Parameter]], torch.optim.Optimizer]] = {
        "DiffGrad": DiffGrad,
        "Adam(foreach=True)": lambda params: torch.optim.Adam(params, foreach=True),
    }
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the package warns about its own annotations on import
            import torch_optimizer
    except ImportError:
        print("torch_optimizer is not installed: only Adam is compared")
    else:
        found["torch_optimizer.DiffGrad"] = torch_optimizer.DiffGrad
    return found


def main() -> None:
    """Print the median time of a step for each, and the ratios."""
    torch.set_num_threads(1)
    g = torch.Generator().manual_seed(0)
    optimizers = {}
    for name, make in peers().items():
        params = [torch.nn.Parameter(torch.randn(SHAPE, generator=g)) for _ in range(TENSORS)]
        for p in params:
            p.grad = torch.randn(SHAPE, generator=g)
        optimizers[name] = make(params)
    times: dict[str, list[float]] = {name: [] for name in optimizers}
    for _ in range(BLOCKS + 2):
        for name, optimizer in optimizers.items():
            began = time.process_time()
            for _ in range(STEPS):
                optimizer.step()
            times[name].append((time.process_time() - began) / STEPS)
    measured = {name: values[2:] for name, values in times.items()}  # before that, state and caches are made
    report(f"a step on {TENSORS} tensors of {SHAPE[0]} x {SHAPE[1]}", measured, others=("Adam(foreach=True)",))
    goal("DiffGrad: time of a step over Adam's", 1 / ratio(*list(measured.values())[:2]), TARGET, most=True,
         cause="nine passes over each entry instead of seven")


if __name__ == "__main__":
    main()
