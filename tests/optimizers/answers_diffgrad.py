"""Solutions of the diffGrad lesson's exercises, and wrong answers with the hint that each should get."""
from __future__ import annotations

import torch

SOLUTIONS = {
    1: 0.0822,
    2: 150.0,
    3: lambda old, new, v_hat, eps: torch.sigmoid((old - new).abs() / (v_hat.sqrt() + eps)),
}

# exercise -> (answer, part of the hint)
WRONG = {
    1: [
        (0.1, "the paper's rate"),
        (0.164, "Adam at half the rate"),
        (0.187, "and diffGrad, leave"),
        (0.09, "has already left"),
        (0.075, "still stays"),
        (-0.08, "positive"),
        ("large", "must be a number"),
    ],
    2: [
        (1.0, "gradients must be larger"),
        (1e-2, "gradients must be larger"),
        (1e4, "gradients must be smaller"),
        (0.0, "look between"),
        (float("nan"), "finite"),
    ],
    3: [
        (lambda old, new, v_hat, eps: torch.sigmoid((old - new).abs()), "gradient's own unit"),
        (lambda old, new, v_hat, eps: (old - new).abs() / (v_hat.sqrt() + eps), "must stay in [1/2, 1]"),
        (lambda old, new, v_hat, eps: torch.full_like(new, 0.5), "does not grow"),
        (lambda old, new, v_hat, eps: torch.sigmoid((old - new).abs() / (v_hat + eps)), "gradient's own unit"),
        (lambda old, new, v_hat, eps: torch.sigmoid((old - new).abs().mean()), "one value for each entry"),
        (lambda old, new, v_hat, eps: None, "returned None"),
        (lambda old, new, v_hat, eps: old.no_such_name, "AttributeError"),
    ],
}
