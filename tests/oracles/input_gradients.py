"""Record what captum 0.9.0's Saliency says of a small network, for tests/robustness/test_input_gradients.py.

Run with it installed (``pip install --no-deps captum``, and tqdm, matplotlib), torch 2.13. Weights are rounded, so that
the test reads exactly what was explained.
"""
import json
from pathlib import Path

import torch
from captum.attr import Saliency

torch.manual_seed(0)


def made(tensor):
    return tensor.mul(1e3).round().div(1e3)


first, second, x = made(torch.randn(9, 7)), made(torch.randn(7, 4)), made(torch.randn(15, 9))


def model(v):
    return torch.relu(v @ first) @ second


predicted = model(x).argmax(1)
saliency = Saliency(model).attribute(x.clone().requires_grad_(), target=predicted, abs=True)
kept = {"first": first, "second": second, "x": x, "saliency": saliency.detach()}
path = Path(__file__).with_suffix(".json")
path.write_text(json.dumps({name: value.tolist() for name, value in kept.items()}) + "\n")
