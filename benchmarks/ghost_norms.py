"""Statistics of per-sample gradients by ghost norms against ``torch.func.vmap(grad)``, and AdaGrad-Norm's step.

Networks and batches are those of the adaptive-batch lesson and a small convolutional one. Both ways must agree to 1e-5
in V and in the variance along the gradient (float32). The plain backward pass shows what the statistics cost on top.
"""
from __future__ import annotations

import torch
from gradscape.learning import per_sample
from gradscape.optimizers import adaptive_batch as ab
from side_by_side import agree, report, seconds
from torch import nn

AGREEMENT = 1e-5


def networks() -> dict[str, tuple[nn.Module, tuple[int, ...], int]]:
    """Name -> network, shape of a sample, samples in a batch."""
    torch.manual_seed(0)
    return {
        "softmax regression 784-10": (nn.Linear(784, 10), (784,), 1024),
        "MLP 784-32-10": (nn.Sequential(nn.Linear(784, 32), nn.ReLU(), nn.Linear(32, 10)), (784,), 1024),
        "two convolutions and a linear layer": (
            nn.Sequential(nn.Conv2d(1, 8, 3, stride=2), nn.ReLU(), nn.Conv2d(8, 16, 3, stride=2), nn.ReLU(),
                          nn.Flatten(), nn.Linear(16 * 36, 10)), (1, 28, 28), 256),
    }


def main() -> None:
    torch.set_num_threads(1)
    g = torch.Generator().manual_seed(1)
    loss = nn.functional.cross_entropy
    for name, (model, shape, b) in networks().items():
        x, y = torch.randn(b, *shape, generator=g), torch.randint(10, (b,), generator=g)
        print(f"**{name}, b = {b}**\n")
        ours, theirs = ab.ghost_stats(model, loss, x, y)[1], per_sample.stats(per_sample.grads(model, loss, x, y))
        for what, a, c in (("V", ours.variance, theirs.variance), ("V_ip", ours.ip_variance, theirs.ip_variance)):
            agree(f"relative difference in {what}", abs(a - c) / c, AGREEMENT)

        def backward(model: nn.Module = model, x: torch.Tensor = x, y: torch.Tensor = y) -> None:
            torch.autograd.grad(loss(model(x), y), list(model.parameters()))

        report("  one batch:", seconds({
            "ghost norms": lambda m=model, x=x, y=y: ab.ghost_stats(m, loss, x, y),
            "vmap(grad), then statistics": lambda m=model, x=x, y=y: per_sample.stats(per_sample.grads(m, loss, x, y)),
            "backward pass without statistics": backward,
        }), others=("backward pass without statistics",),
           behind="with few positions the per-sample gradients are small")
        entries = sum(p.numel() for p in model.parameters())
        print(f"Per-sample gradients hold {4e-6 * b * entries:.0f} MB; ghost norms keep two numbers a sample.\n")

    params = [nn.Parameter(torch.randn(32, 32, generator=g)) for _ in range(100)]
    for p in params:
        p.grad = torch.randn(p.shape, generator=g)
    ours_opt, peer = ab.AdaGradNorm(params, lr=1e-3), torch.optim.Adagrad(params, lr=1e-3, foreach=True)
    report("a step on 100 tensors of 32 x 32 (another method: one number instead of one per entry)",
           seconds({"AdaGradNorm": ours_opt.step, "torch.optim.Adagrad(foreach=True)": peer.step}, calls=20))


if __name__ == "__main__":
    main()
