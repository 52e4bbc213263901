"""Record what torchattacks 3.5.1 and cleverhans 4.0.0 do to a small network, for tests/robustness/test_attacks.py.

Run with both installed (``pip install --no-deps torchattacks cleverhans requests``), torch 2.13. Values that the test
starts from are rounded, so that it reads exactly what was attacked. torchattacks takes images, hence the 1 x 1 x 8.
"""
import json
from pathlib import Path

import torch
import torchattacks
from cleverhans.torch.attacks.fast_gradient_method import fast_gradient_method

torch.manual_seed(0)


def made(tensor):
    return tensor.mul(1e3).round().div(1e3)


first, second = made(torch.randn(8, 6)), made(torch.randn(6, 4))
x, labels = made(torch.rand(12, 8)), torch.arange(12) % 4


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.w1, self.w2 = torch.nn.Parameter(first), torch.nn.Parameter(second)

    def forward(self, v):
        return torch.tanh(v.flatten(1) @ self.w1) @ self.w2


net, image = Net(), x.view(12, 1, 1, 8)
found = {
    "fgsm_true": torchattacks.FGSM(net, eps=0.1)(image, labels),
    "fgsm_predicted": fast_gradient_method(net, image, 0.1, float("inf"), clip_min=0.0, clip_max=1.0),
    "pgd_linf": torchattacks.PGD(net, eps=0.1, alpha=0.025, steps=7, random_start=False)(image, labels),
    "pgd_l2": torchattacks.PGDL2(net, eps=0.5, alpha=0.2, steps=5, random_start=False)(image, labels),
}
kept = {"first": first.tolist(), "second": second.tolist(), "x": x.tolist(), "labels": labels.tolist()}
kept |= {name: value.detach().view(12, 8).tolist() for name, value in found.items()}
Path(__file__).with_suffix(".json").write_text(json.dumps(kept) + "\n", encoding="utf-8")
