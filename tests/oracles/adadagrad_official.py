"""Record what the authors' code computes, timlautk/AdAdaGrad at commit cc126fb, on small made-up gradients.

Run as ``python adadagrad_official.py PATH/TO/CHECKOUT`` (torch 2.13). Its ``tests.py`` imports one function of litgpt,
which these calls do not use, so that it gets an empty stand-in. Gradients are rounded to four digits and written out.
Its tests return the batch size and sums over *layers*: with one tensor they are the published tests, with several
their inner products are not. Its merged variances are means of variances plus the variance of means.
"""
import importlib
import json
import sys
import types
from pathlib import Path

import torch

litgpt, inner = types.ModuleType("litgpt"), types.ModuleType("litgpt.utils")
inner.chunked_cross_entropy = None
sys.modules |= {"litgpt": litgpt, "litgpt.utils": inner}
sys.path.insert(0, sys.argv[1])
adagradnorm, official, utils = map(importlib.import_module, ("adagradnorm", "tests", "utils"))
torch.manual_seed(0)


def made(*shape, shift=0.0):
    return (torch.randn(*shape, dtype=torch.float64) + shift).mul(1e4).round().div(1e4)


cases = []
for parts in ({"w": made(16, 12, shift=0.4)}, {"w": made(16, 3, 4, shift=0.3), "b": made(16, 3, shift=-0.5)}):
    norm = official.norm_test(parts, 0.5)
    ip = official.inner_product_test(parts, 0.7)
    both = official.inner_product_orthogonality_test(parts, 0.7, 0.9)
    kept = ({}, {}, {})
    for k in range(4):
        piece = {name: part[4 * k : 4 * k + 4] for name, part in parts.items()}
        kept = official.var_sample_grad_accumulate(k, 4, piece, *kept)
    cases.append({
        "per_sample": {name: part.tolist() for name, part in parts.items()}, "norm": norm, "inner_product": ip,
        "augmented": both, "accumulated": official.norm_test_accumulate(4, 4, *kept, 0.5),
    })

shapes = ((5, 3), (5,), (4, 2, 3, 3), (8,), (2,), (3, 4))
params = [torch.nn.Parameter(made(*shape)) for shape in shapes]
start = [p.detach().clone().tolist() for p in params]
optimizer, grads = adagradnorm.Adagradnorm(params, lr=0.1), []
for _ in range(3):
    grads.append([made(*shape) for shape in shapes])
    for p, grad in zip(params, grads[-1], strict=True):
        p.grad = grad
    optimizer.step()
found = {
    "versions": {"torch": torch.__version__, "commit": "cc126fb"},
    "tests": cases,
    "adagradnorm": {"start": start, "grads": [[g.tolist() for g in step] for step in grads],
                    "end": [p.detach().tolist() for p in params]},
    "schedule": [[s, utils.get_warmup_cosine_lr_sample(s, 1000, 9000, 0.005, 0.05)] for s in range(0, 12000, 500)],
}
Path(__file__).with_suffix(".json").write_text(json.dumps(found, separators=(",", ":")) + "\n")
