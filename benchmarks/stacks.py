"""The course's own stacks against loops of torch modules, one network after another.

Each case trains (or derives) the same networks from the same weights on the same batches both ways and compares the
weights. The peers are plain modules with autograd and ``torch.optim``; they get their batches drawn beforehand.
"""
from __future__ import annotations

import math

import torch
from gradscape.credit.noprop.blocks import DenoisingBlocks
from gradscape.credit.rectified_ste.layers import BinaryLinear
from gradscape.credit.rectified_ste.stack import Arm, BinaryStack
from gradscape.credit.rectified_ste.training import momentum_step
from gradscape.dynamics.high_dimensional.features import TaskData
from gradscape.dynamics.high_dimensional.two_layer import train_two_layer
from gradscape.dynamics.sgd_noise.networks import MeanFieldMLP
from gradscape.dynamics.sgd_noise.theory import scaled_hinge
from gradscape.dynamics.sgd_noise.training import train_grid
from gradscape.ensemble import Batches, cross_entropy, fit
from gradscape.lesson import replicate_seed
from gradscape.robustness.bidirectional import BidirectionalMLP, train_bidirectional
from gradscape.robustness.input_gradients.gradients import input_gradient
from gradscape.robustness.input_gradients.training import network
from side_by_side import agree, report, seconds, size
from torch import Tensor, nn

F = nn.functional


def high_dimensional() -> None:
    """Students of eight widths on four data sets, padded to one width, by full-batch descent."""
    widths, seeds, steps, lr = (5, 10, 20, 40, 80, 160), (0, 1, 2, 3), size(100, 3), 0.2
    g = torch.Generator().manual_seed(0)
    x, y = torch.randn(4, 50, 20, generator=g, dtype=torch.float64), torch.randn(4, 50, generator=g).double()
    data = TaskData(x, y, x, y, seeds)

    def stack() -> Tensor:
        return train_two_layer(data, widths, steps, lr, checkpoints=2).train[..., -1]

    def loop() -> Tensor:
        found = torch.zeros(len(widths), len(seeds), dtype=torch.float64)
        for i, width in enumerate(widths):
            for s, seed in enumerate(seeds):
                draw = torch.Generator().manual_seed(replicate_seed(seed, width))
                model = nn.Sequential(nn.Linear(20, width, bias=False), nn.ReLU(), nn.Linear(width, 1, bias=False))
                with torch.no_grad():
                    model[0].weight.copy_(torch.randn(20, width, generator=draw).T / math.sqrt(20))
                    model[2].weight.copy_(torch.randn(width, 1, generator=draw).T)
                inputs, targets = x[s].float(), y[s].float()
                optimizer = torch.optim.SGD(model.parameters(), lr=lr)
                for _ in range(steps):
                    optimizer.zero_grad()
                    loss = (model(inputs).squeeze(1) / math.sqrt(width) - targets).square().mean() / 2
                    loss.backward()
                    optimizer.step()
                with torch.no_grad():
                    out = model(inputs).squeeze(1) / math.sqrt(width)
                found[i, s] = float((out - targets).square().mean())
        return found

    theirs = loop()
    agree("high_dimensional: largest relative difference of training errors",
          float(((stack() - theirs) / theirs).abs().max()), 1e-4)
    report(f"high_dimensional: {len(widths) * len(seeds)} students, widths {widths[0]} to {widths[-1]}, {steps} steps",
           seconds({"one padded stack": stack, "loop, torch.optim.SGD": loop}, blocks=5))


def sgd_noise() -> None:
    """Fifty runs with the scaled hinge until a step count."""
    runs, steps, batch, P, T, alpha = size(50, 3), size(60, 3), 16, 64, 2.0**-6, 0.5
    g = torch.Generator().manual_seed(0)
    x = torch.randn(P, 16, generator=g)
    y = torch.where(torch.rand(P, generator=g) < 0.5, -1.0, 1.0)
    net, subsets = MeanFieldMLP(16, 64, 2), torch.arange(P).expand(runs, P)

    def stack(x: Tensor = x, y: Tensor = y) -> Tensor:
        a, t = torch.full((runs,), alpha), torch.full((runs,), T)
        found = train_grid(x, y, x, y, net, a, t, range(runs), subsets, batch=batch, max_steps=steps,
                           keep_weights=True)
        return found.weights["weight1"]

    drawn = Batches(P, batch, net.stack(range(runs)).generators, chunk=256)
    batches = torch.stack([drawn.draw() for _ in range(steps)], 1)

    def loop(x: Tensor = x, y: Tensor = y) -> Tensor:
        found = []
        for seed in range(runs):
            model = MeanFieldMLP(16, 64, 2, seed=seed).to(x.dtype)
            optimizer = torch.optim.SGD(model.parameters(), lr=T * 64 * batch)
            with torch.no_grad():
                origin = model(x)
            for step in range(steps):
                index = batches[seed, step]
                optimizer.zero_grad()
                scaled_hinge(model(x[index]) - origin[index], y[index], alpha).mean().backward()
                optimizer.step()
            found.append(model.weight1.detach())
        return torch.stack(found)

    # in float32 rounding decides now and then whether an example is fitted, and two ways part: compared in float64
    exact = (x.double(), y.double())
    agree("sgd_noise: largest difference of weights (float64)", float((stack(*exact) - loop(*exact)).abs().max()), 1e-6)
    report(f"sgd_noise: {runs} networks of 16-64-64-1, {steps} steps of batch {batch}",
           seconds({"one stack": stack, "loop, torch.optim.SGD": loop}, blocks=5))


class Block(nn.Module):
    """One block of NoProp-DT as plain modules, with the weights of block t of a stack."""

    def __init__(self, blocks: DenoisingBlocks, t: int) -> None:
        super().__init__()
        for name, part in blocks.named_children():
            weight = part.weight[t].detach()
            if name.endswith("bn"):
                made: nn.Module = nn.BatchNorm1d(len(weight))
            else:
                made = nn.Linear(*weight.shape)
                with torch.no_grad():
                    made.weight.copy_(weight.T)
                    made.bias.copy_(part.bias[t, 0].detach())
            self.add_module(name, made)

    def forward(self, z: Tensor, x: Tensor) -> Tensor:
        image = self.image2_bn(self.image2(torch.relu(self.image1_bn(self.image1(x)))))
        a = torch.relu(self.label1_bn(self.label1(z)))
        a = a + self.label3_bn(self.label3(torch.relu(self.label2_bn(self.label2(a)))))
        a = torch.relu(self.both1_bn(self.both1(torch.cat([image, a], -1))))
        return self.out(torch.relu(self.both2_bn(self.both2(a))))


def noprop() -> None:
    """Steps of AdamW on ten denoising blocks."""
    T, B, steps = 10, 128, size(10, 2)
    g = torch.Generator().manual_seed(0)
    x, z = torch.rand(B, 64, generator=g), torch.randn(T, B, 10, generator=g)
    u = torch.eye(10)[torch.randint(10, (B,), generator=g)]

    def run(modules: list[nn.Module], logits) -> None:
        optimizers = [torch.optim.AdamW(m.parameters(), lr=1e-3, fused=True) for m in modules]
        for _ in range(steps):
            for optimizer in optimizers:
                optimizer.zero_grad()
            (logits().softmax(-1) - u).square().sum(-1).mean(-1).sum().backward()
            for optimizer in optimizers:
                optimizer.step()

    def stack() -> Tensor:
        blocks = DenoisingBlocks(T, 64, 10, 10, 64, dropout=0.0)
        run([blocks], lambda: blocks(z, x))
        return blocks.out.weight.detach()

    def loop() -> Tensor:
        blocks = DenoisingBlocks(T, 64, 10, 10, 64, dropout=0.0)
        modules = [Block(blocks, t) for t in range(T)]
        run(modules, lambda: torch.stack([m(z[t], x) for t, m in enumerate(modules)]))
        return torch.stack([m.out.weight.detach().T for m in modules])

    agree("noprop: largest difference of weights", float((stack() - loop()).abs().max()), 1e-3)
    report(f"noprop: {T} blocks of width 64, {steps} steps of batch {B}",
           seconds({"stacked blocks": stack, "loop over modules": loop}, blocks=5))


def rectified_ste() -> None:
    """Binary networks with ReSTE, SGD with momentum, and the slope itself against its boolean-mask form."""
    members, width, steps, lr = size(12, 2), 64, size(20, 2), 0.05
    g = torch.Generator().manual_seed(0)
    x, y = torch.randn(128, 64, generator=g), torch.randint(10, (128,), generator=g)

    def fresh(dtype: torch.dtype, signs: bool = True) -> BinaryStack:
        arms = [Arm(o_end=3.0, binary_activations=signs)] * members
        net = BinaryStack(64, width, 2, 10, arms, generators=range(members), dtype=dtype)
        net.set_epoch(1, 2)
        return net

    def stack(x: Tensor = x, signs: bool = True) -> Tensor:
        net = fresh(x.dtype, signs)
        fit(net, (x, y), loss=cross_entropy, update=momentum_step, steps=steps, lr=lr)
        return net.params["weight3"]

    o = float(fresh(torch.float64).groups[0].values["o"].flatten()[0])

    def loop(x: Tensor = x, signs: bool = True) -> Tensor:
        net, found = fresh(x.dtype, signs), []
        for m in range(members):
            layers: list[nn.Module] = []
            for layer in range(3):
                made = nn.Linear(64, width, bias=False) if layer == 0 else BinaryLinear(
                    width, width, kind="reste", o=o, binary_activations=signs)
                made.to(x.dtype)
                with torch.no_grad():
                    made.weight.copy_(net.params[f"weight{layer}"][m].T)
                layers += [made, nn.ReLU(), nn.BatchNorm1d(width)]
            last = nn.Linear(width, 10).to(x.dtype)
            with torch.no_grad():
                last.weight.copy_(net.params["weight3"][m].T)
                last.bias.zero_()
            model = nn.Sequential(*layers, last).to(x.dtype)
            optimizer = torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9, weight_decay=1e-4)
            for _ in range(steps):
                optimizer.zero_grad()
                F.cross_entropy(model(x), y).backward()
                optimizer.step()
            found.append(last.weight.detach().T)
        return torch.stack(found)

    # sums of signs are whole numbers, and one that equals its batch's mean gets its sign by rounding: two ways part
    # there. So networks with real activations are compared, and those with signs timed.
    agree("rectified_ste: largest difference of the classifier's weights (real activations, float64)",
          float((stack(x.double(), False) - loop(x.double(), False)).abs().max()), 1e-6)
    report(f"rectified_ste: {members} binary networks of width {width}, {steps} steps",
           seconds({"one stack": stack, "loop, torch.optim.SGD": loop}, blocks=5))

    group, z = fresh(torch.float32).groups[0], torch.randn(members, 128, width, generator=g)
    grad = torch.randn(z.shape, generator=g)

    def masked() -> Tensor:
        magnitude, slope = z.abs(), torch.zeros_like(z)
        inner, middle = magnitude <= 0.1, (magnitude > 0.1) & (magnitude <= 1.5)
        slope[inner] = 0.1 ** ((1 - o) / o)
        slope[middle] = magnitude[middle] ** ((1 - o) / o) / o
        return slope * grad

    agree("rectified_ste: largest difference of slopes", float((group.pass_back(grad, z) - masked()).abs().max()), 1e-4)
    report("rectified_ste: the slope of all pre-activations", seconds(
        {"arithmetic on whole tensors": lambda: group.pass_back(grad, z), "boolean masks": masked}, calls=20))


def bidirectional() -> None:
    """Bidirectional learning: a step of the classifier and one of the generator on shared weights."""
    members, steps = size(6, 2), size(60, 3)
    g = torch.Generator().manual_seed(0)
    X, y = torch.rand(100, 784, generator=g), torch.randint(10, (100,), generator=g)

    def stack() -> Tensor:
        net = BidirectionalMLP((784, 16, 10), seeds=range(members))
        train_bidirectional(net, X, y, "bl", iters=steps, batch=100, every=steps)
        return net.weights[1]

    def loop() -> Tensor:
        found, code = [], F.one_hot(y, 10).float()
        for seed in range(members):
            net = BidirectionalMLP((784, 16, 10), seeds=(seed,))
            W, V = (nn.Parameter(weight[0].clone()) for weight in net.weights)
            b = [nn.Parameter(torch.zeros(n)) for n in (16, 10)]
            c = [nn.Parameter(torch.zeros(n)) for n in (784, 16)]
            forward, back = torch.optim.Adam([W, V, *b], 3e-3), torch.optim.Adam([W, V, *c], 3e-3)
            for _ in range(steps):
                forward.zero_grad()
                F.cross_entropy(torch.sigmoid(X @ W + b[0]) @ V + b[1], y).backward()
                forward.step()
                back.zero_grad()
                drawn = torch.sigmoid(code @ V.T + c[1]) @ W.T + c[0]
                F.binary_cross_entropy_with_logits(drawn, X).backward()
                back.step()
            found.append(V.detach())
        return torch.stack(found)

    agree("bidirectional: largest difference of weights", float((stack() - loop()).abs().max()), 2e-3)
    report(f"bidirectional: {members} networks of 784-16-10, {steps} steps",
           seconds({"one stack, ten drawings instead of a hundred": stack, "loop, autograd, torch.optim.Adam": loop},
                   blocks=5))


def input_gradients() -> None:
    """Input gradients of the predicted logit, twenty networks."""
    members = size(20, 2)
    net = network((196, 64, 64, 10), range(members))
    x = torch.rand(200, 196, generator=torch.Generator().manual_seed(0))
    models = []
    for m in range(members):
        layers = [nn.Linear(a, b) for a, b in ((196, 64), (64, 64), (64, 10))]
        with torch.no_grad():
            for k, layer in enumerate(layers):
                layer.weight.copy_(net.params[f"weight{k}"][m].T)
                layer.bias.copy_(net.params[f"bias{k}"][m, 0])
        models.append(nn.Sequential(layers[0], nn.ReLU(), layers[1], nn.ReLU(), layers[2]))

    def stack() -> Tensor:
        return input_gradient(net.forward, x)

    def loop() -> Tensor:
        found = []
        for model in models:
            moved = x.clone().requires_grad_()
            logits = model(moved)
            logits.gather(1, logits.argmax(1, keepdim=True)).sum().backward()
            found.append(moved.grad)
        return torch.stack(found)

    jobs = {"one stack": stack, "loop, autograd": loop}
    try:
        from captum.attr import Saliency
    except ImportError:
        print("captum is not installed: its Saliency is not compared.\n")
    else:
        explained = [(Saliency(model), model(x).argmax(1)) for model in models]
        jobs["loop, captum.attr.Saliency"] = lambda: [
            one.attribute(x.clone().requires_grad_(), target, abs=False) for one, target in explained]
    agree("input_gradients: largest difference of gradients", float((stack() - loop()).abs().max()), 1e-4)
    report(f"input_gradients: {members} networks of 196-64-64-10, {len(x)} images", seconds(jobs),
           behind="both ways are bound by the same products of 200 rows; the stack saves only the calls")


def main() -> None:
    torch.set_num_threads(1)
    for case in (high_dimensional, sgd_noise, noprop, rectified_ste, bidirectional, input_gradients):
        case()


if __name__ == "__main__":
    main()
