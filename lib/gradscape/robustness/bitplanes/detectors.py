"""Small detectors on noise patches: the noise-based classifier (NBC), a linear head, the noise-guided classifier (NGC).

After LOTA, Sec. 3.3, at laptop scale: no pretrained weights, a ResNet-50 becomes three convolutions. Label 1 means
*generated* (the official code has real = 1).
"""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from gradscape.validate import at_least, positive

Progress = Callable[[int, int], Any]


def as_input(patches: NDArray[Any]) -> Tensor:
    """Pixels 0..255 (N, h, w, 3) as float32 (N, 3, h, w) in [-1, 1], channels innermost in memory."""
    return torch.from_numpy(np.ascontiguousarray(patches)).permute(0, 3, 1, 2).float().div_(127.5).sub_(1)


def _trunk(channels: int) -> nn.Sequential:
    """Three 3 x 3 convolutions, the last two of stride 2: (B, 3, h, w) -> (B, 2 channels, h/4, w/4)."""
    layers: list[nn.Module] = []
    for before, after, stride in ((3, channels, 1), (channels, channels, 2), (channels, 2 * channels, 2)):
        layers += [nn.Conv2d(before, after, 3, stride, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU(True)]
    # channels innermost in memory: nearly twice as fast on a CPU
    return nn.Sequential(*layers).to(memory_format=torch.channels_last)  # type: ignore[call-overload]


class NoiseBasedClassifier(nn.Module):
    """Convolutions on the noise patch alone, global mean, one logit (LOTA, Sec. 3.3, NBC): (B, 3, p, p) -> (B,)."""

    def __init__(self, channels: int = 24) -> None:
        super().__init__()
        self.trunk = _trunk(at_least("channels", channels, 1))
        self.head = nn.Linear(2 * channels, 1)

    def forward(self, patches: Tensor) -> Tensor:
        """Logits of *generated*."""
        return self.head(self.trunk(patches).mean((2, 3))).squeeze(1)


class LinearClassifier(nn.Module):
    """Logistic regression on the flattened patch: what is left without convolutions (LOTA, Table 6)."""

    def __init__(self, patch: int = 16) -> None:
        super().__init__()
        self.head = nn.Linear(3 * at_least("patch", patch, 1) ** 2, 1)

    def forward(self, patches: Tensor) -> Tensor:
        """Logits of *generated*."""
        return self.head(patches.flatten(1)).squeeze(1)


class NoiseGuidedClassifier(nn.Module):
    """Features of the raw image, pooled by attention that the noise patch steers (LOTA, Sec. 3.3, NGC).

    U = softmax(Q K^T / sqrt(d_k) + E) V with one query Q from global pooling, K and V from the map's tokens, and E, one
    score per token and head, linear in the noise patch. ``image`` is the side of the raw image, divisible by 4.
    """

    def __init__(self, channels: int = 24, heads: int = 2, patch: int = 16, image: int = 48) -> None:
        super().__init__()
        width, self.heads = 2 * at_least("channels", channels, 1), at_least("heads", heads, 1)
        at_least("patch", patch, 1)
        if width % heads or at_least("image", image, 4) % 4:
            raise ValueError(f"heads={heads!r}, image={image!r}: heads must divide {width}, and 4 the image's side")
        self.trunk = _trunk(channels)
        self.query, self.key, self.value = (nn.Linear(width, width) for _ in range(3))
        self.guide = nn.Linear(3 * patch**2, heads * (image // 4) ** 2)
        self.head = nn.Linear(width, 1)

    def attention(self, features: Tensor, guidance: Tensor) -> Tensor:
        """Pooled values U (B, width) of features (B, width, h, w) under scores E (B, heads, h w)."""
        tokens = features.flatten(2).mT
        q, k, v = (layer(x).unflatten(-1, (self.heads, -1)) for layer, x in
                   ((self.query, tokens.mean(1)), (self.key, tokens), (self.value, tokens)))
        scores = torch.einsum("bhd,bthd->bht", q, k) / q.shape[-1] ** 0.5
        return torch.einsum("bht,bthd->bhd", torch.softmax(scores + guidance, -1), v).flatten(1)

    def forward(self, images: Tensor, patches: Tensor) -> Tensor:
        """Logits of *generated* from raw images (B, 3, side, side) and noise patches (B, 3, p, p)."""
        guidance = self.guide(patches.flatten(1)).unflatten(1, (self.heads, -1))
        return self.head(self.attention(self.trunk(images), guidance)).squeeze(1)


def fit_detector(
    net: nn.Module, inputs: Tensor | tuple[Tensor, ...], labels: Tensor, *, epochs: int = 3, batch: int = 64,
    lr: float = 2e-3, seed: int = 0, progress: Progress | None = None,
) -> nn.Module:
    """Train by Adam on binary cross-entropy; ``inputs`` (N, ...), or several for a net of several arguments.

    ``labels`` (N,) are 1 for generated and 0 for real. Returns the net in evaluation mode. ``ValueError`` for labels
    that are not 0 or 1, or counts that differ.
    """
    inputs = inputs if isinstance(inputs, tuple) else (inputs,)
    at_least("epochs", epochs, 1)
    at_least("batch", batch, 1)
    positive("lr", lr)
    if any(len(x) != len(labels) for x in inputs) or len(labels) == 0:
        raise ValueError(f"labels has {len(labels)} entries, inputs {[len(x) for x in inputs]}: must be as many")
    if not bool(((labels == 0) | (labels == 1)).all()):
        raise ValueError("labels holds values other than 0 (real) and 1 (generated)")
    optimizer = torch.optim.Adam(net.parameters(), lr=lr, fused=True)
    draws, targets = torch.Generator().manual_seed(seed), labels.float()
    net.train()
    for epoch in range(epochs):
        for rows in torch.randperm(len(targets), generator=draws).split(batch):
            if len(rows) < 2:
                continue  # batch normalization needs two
            loss = F.binary_cross_entropy_with_logits(net(*(x[rows] for x in inputs)), targets[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        if progress is not None:
            progress(epoch + 1, epochs)
    return net.eval()


def logits(net: nn.Module, *inputs: Tensor, chunk: int = 1024) -> Tensor:
    """Logits (N,) without gradients, in chunks."""
    with torch.inference_mode():
        return torch.cat([net(*parts) for parts in zip(*(x.split(chunk) for x in inputs), strict=True)])


def balanced_accuracy(real: Tensor, fake: Tensor) -> float:
    """Mean of the shares judged rightly: logits of real images <= 0, logits of generated ones > 0.

    ``ValueError`` for no logits or NaN.
    """
    real, fake = torch.as_tensor(real), torch.as_tensor(fake)
    for name, values in (("real", real), ("fake", fake)):
        if values.numel() == 0 or bool(values.isnan().any()):
            raise ValueError(f"{name}: at least one logit is needed, and none may be NaN")
    return float(((real <= 0).double().mean() + (fake > 0).double().mean()) / 2)


def average_precision(real: Tensor, fake: Tensor) -> float:
    """Area under precision over recall when images are ranked by their logit; ties count as one step."""
    scores = torch.cat([torch.as_tensor(real), torch.as_tensor(fake)]).double()
    if len(real) == 0 or len(fake) == 0 or bool(scores.isnan().any()):
        raise ValueError("real and fake: at least one logit each is needed, and none may be NaN")
    truth = torch.cat([torch.zeros(len(real)), torch.ones(len(fake))]).double()
    order = scores.argsort(descending=True)
    scores, truth = scores[order], truth[order]
    last = torch.cat([scores[1:] != scores[:-1], torch.tensor([True])])
    hits = truth.cumsum(0)[last]
    precision = hits / (torch.arange(1, len(scores) + 1)[last])
    return float((torch.diff(hits, prepend=torch.zeros(1).double()) / len(fake) * precision).sum())
