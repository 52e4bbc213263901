"""Many small networks at once against one after another.

``gradscape.ensemble.fit`` trains a stack of networks (16 inputs, two hidden layers, 10 outputs, SGD on cross-entropy,
each network with batches of its own); the peer is a loop over ``torch.nn.Sequential`` with ``torch.optim.SGD``, which
gets its batches drawn beforehand for nothing. Both start from the same weights and must end at the same (1e-4,
float32). Asked are 5 times at 256 networks of width 64 with batches of 16, one thread each way; the goal is 8. The
figure shows the factor as number, width and batch grow, each with the other two at those values.
"""
from __future__ import annotations

from pathlib import Path

import chart
import torch
from gradscape.ensemble import Batches, StackedMLP, cross_entropy, fit
from side_by_side import TINY, agree, goal, ratio, report, seconds, size, table
from torch import nn

INPUTS, OUTPUTS, POOL, LR = 16, 10, 512, 0.05
MEMBERS, WIDTH, BATCH, STEPS = 256, 64, 16, 20
NUMBERS = (1, 4, 16, 64, 256, 1024)
WIDTHS = (8, 16, 32, 64, 128, 256)
BATCHES = (1, 4, 16, 64, 256)
PICTURE = Path(__file__).resolve().parent.parent / "docs" / "images" / "many_networks.svg"


class Case:
    """The same training, both ways."""

    def __init__(self, members: int, width: int, batch: int, steps: int) -> None:
        g = torch.Generator().manual_seed(0)
        self.x, self.y = torch.randn(POOL, INPUTS, generator=g), torch.randint(OUTPUTS, (POOL,), generator=g)
        self.shape, self.members, self.batch, self.steps = (INPUTS, width, width, OUTPUTS), members, batch, steps
        self.net = StackedMLP(self.shape, members, generators=range(members))
        self.start = {name: value.clone() for name, value in self.net.params.items()}
        self.models = [self.module() for _ in range(members)]
        stream = self.batches()
        self.drawn = torch.stack([stream.draw() for _ in range(steps)], 1)  # (members, steps, batch)

    def batches(self) -> Batches:
        generators = [torch.Generator().manual_seed(10_000 + m) for m in range(self.members)]
        return Batches(POOL, self.batch, generators, chunk=self.steps)

    def stack(self) -> dict[str, torch.Tensor]:
        self.net.params = {name: value.clone() for name, value in self.start.items()}
        fit(self.net, (self.x, self.y), loss=cross_entropy, lr=LR, steps=self.steps, batches=self.batches())
        return self.net.params

    def module(self) -> nn.Sequential:
        a, b, c = (nn.Linear(*fans) for fans in zip(self.shape[:-1], self.shape[1:], strict=True))
        return nn.Sequential(a, nn.ReLU(), b, nn.ReLU(), c)

    def one(self, member: int) -> nn.Sequential:
        """A network of the loop, trained from the start."""
        model = self.models[member]
        with torch.no_grad():
            for k in range(3):
                model[2 * k].weight.copy_(self.start[f"weight{k}"][member].T)
                model[2 * k].bias.copy_(self.start[f"bias{k}"][member, 0])
        optimizer = torch.optim.SGD(model.parameters(), lr=LR)
        for step in range(self.steps):
            index = self.drawn[member, step]
            loss = nn.functional.cross_entropy(model(self.x[index]), self.y[index])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        return model

    def loop(self) -> list[nn.Sequential]:
        return [self.one(member) for member in range(self.members)]

    def difference(self) -> float:
        """The largest between weights after training."""
        ours, theirs = self.stack(), self.loop()
        return max(float((ours[f"weight{k}"][m].T - model[2 * k].weight.detach()).abs().max())
                   for m, model in enumerate(theirs) for k in range(3))


def factor(members: int, width: int, batch: int) -> float:
    """How many times as long the loop takes, from eight steps."""
    case = Case(members, width, batch, size(8, 2))
    times = seconds({"stack": case.stack, "loop": case.loop}, blocks=5)
    return ratio(times["stack"], times["loop"])


def main() -> None:
    torch.set_num_threads(1)
    case = Case(size(MEMBERS, 4), WIDTH, BATCH, size(STEPS, 2))
    agree("largest difference of weights", case.difference(), 1e-4)
    times = seconds({"one stack": case.stack, "loop of modules and torch.optim.SGD": case.loop}, blocks=5)
    report(f"{case.members} networks of {INPUTS}-{WIDTH}-{WIDTH}-{OUTPUTS}, {case.steps} steps", times)
    found = ratio(*times.values())
    cause = "at this width the matrix products themselves, which both ways must do, take most of the stack's time"
    goal(f"{case.members} networks at once", found, 5, cause=cause)
    goal(f"{case.members} networks at once", found, 8, cause=cause)

    numbers, widths, batches = ((1, 4), (8, 16), (1, 4)) if TINY else (NUMBERS, WIDTHS, BATCHES)
    members = size(MEMBERS, 4)
    lines = {
        "number of networks": [(n, factor(n, WIDTH, BATCH)) for n in numbers],
        "width": [(w, factor(members, w, BATCH)) for w in widths],
        "batch": [(b, factor(members, WIDTH, b)) for b in batches],
    }
    for name, line in lines.items():
        table((name, *(f"{at:g}" for at, _ in line)), [("times as fast", *(f"{value:.1f}" for _, value in line))])
    if not TINY:
        chart.write(PICTURE, "times as fast as the loop", {
            name: (name if name == "number of networks" else {"width": "hidden units", "batch": "samples"}[name],
                   {name: line}) for name, line in lines.items()}, goal=5)
        print(f"![Three charts: how many times as fast one stack is as a loop, against the number of networks, their "
              f"width, and the samples in a batch](images/{PICTURE.name})")


if __name__ == "__main__":
    main()
