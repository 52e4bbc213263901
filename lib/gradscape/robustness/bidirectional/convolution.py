"""Convolutional networks in two directions: the generator uses the transposed convolutions of the same kernels.

Convolutions have TensorFlow's "SAME" geometry, so a transposed one is their exact adjoint. All members of a stack are
convolved at once, as groups of channels. The paper's networks: ``BL_CNN`` (bidirectional learning) and ``HAN_CNN``
(hybrid adversarial, as its code; with batch normalization, its own for each direction).
"""
from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from gradscape import validate
from gradscape.robustness.bidirectional.networks import truncated_normal

DECAY, BN_EPS = 0.9, 1e-5
BL_CNN: dict[str, Any] = {"channels": (4, 8, 12), "kernels": (5, 5, 4), "strides": (1, 2, 2), "fc": 200}
HAN_CNN: dict[str, Any] = {"channels": (64, 128), "kernels": (4, 4), "strides": (2, 2), "fc": 1024,
                           "activation": "lrelu", "batch_norm": True, "std": 0.02}


class _Normalize:
    """Batch normalization of features on axis 1: scale and shift are trained unless biases are held at 0."""

    def __init__(self, features: int) -> None:
        self.scale, self.shift = torch.ones(features), torch.zeros(features)
        self.mean, self.var = torch.zeros(features), torch.ones(features)

    def __call__(self, h: Tensor, train: bool) -> Tensor:
        return F.batch_norm(h, self.mean, self.var, self.scale, self.shift, train, 1 - DECAY, BN_EPS)


class BidirectionalCNN:
    """S convolutional networks that classify with their kernels and generate with the transposed ones.

    ``in_ch`` channels of ``size`` x ``size`` pixels; convolutions of ``channels``, ``kernels`` and ``strides``; a layer
    of ``fc`` rectified units; ``classes`` outputs. ``activation`` of the convolutions: "relu" or "lrelu" (slope 0.2);
    the generator's are "relu". ``batch_norm``: in the classifier after every convolution but the first, in the
    generator after its first two layers. Images are rows (B, D) or (S, B, D), D = in_ch * size². ``train`` takes the
    batch's statistics, otherwise the running ones. ``ValueError`` for kernels smaller than their stride and bad sizes.

    >>> net = BidirectionalCNN(1, 28, **BL_CNN)
    >>> net.classify(torch.zeros(5, 784)).shape, net.generate(torch.eye(10)).shape
    (torch.Size([1, 5, 10]), torch.Size([1, 10, 784]))
    """

    def __init__(
        self,
        in_ch: int,
        size: int,
        channels: Sequence[int],
        kernels: Sequence[int],
        strides: Sequence[int],
        fc: int,
        *,
        classes: int = 10,
        activation: str = "relu",
        bias: bool = True,
        batch_norm: bool = False,
        seeds: Sequence[int] = (0,),
        std: float = 0.1,
    ) -> None:
        if not len(channels) == len(kernels) == len(strides) or not len(channels):
            raise ValueError(f"channels={tuple(channels)}, kernels={tuple(kernels)}, strides={tuple(strides)}: "
                             "must have one entry per convolution, at least one")
        for name, values in (("channels", channels), ("kernels", kernels), ("strides", strides)):
            for value in values:
                validate.at_least(name, value, 1)
        if any(k < s for k, s in zip(kernels, strides, strict=True)):
            raise ValueError(f"kernels={tuple(kernels)}: must not be smaller than strides={tuple(strides)}")
        self.activation = validate.one_of("activation", activation, ("relu", "lrelu"))
        self.members, self.bias, self.batch_norm = len(seeds), bool(bias), batch_norm
        self.strides, self.planes = tuple(strides), [(validate.at_least("in_ch", in_ch, 1), size)]
        for count, stride in zip(channels, strides, strict=True):
            self.planes.append((count, math.ceil(self.planes[-1][1] / stride)))
        flat = self.planes[-1][0] * self.planes[-1][1] ** 2
        self.sizes = (in_ch * size**2, flat, validate.at_least("fc", fc, 1), validate.at_least("classes", classes, 1))
        shapes = [(after, before, k, k) for (before, _), (after, _), k in
                  zip(self.planes, self.planes[1:], kernels, strict=False)]
        self.weights = self._drawn([*shapes, (flat, fc), (fc, classes)], seeds, std)
        self.classifier_biases = [torch.zeros(self.members * n) for n in channels]
        self.classifier_biases += [torch.zeros(self.members, 1, n) for n in (fc, classes)]
        self.generator_biases = [torch.zeros(self.members * n) for n, _ in self.planes[:-1]]
        self.generator_biases += [torch.zeros(self.members, 1, n) for n in (flat, fc)]
        wide = [_Normalize(self.members * n) for n in channels[1:]] if batch_norm else []
        self.classifier_norms: list[_Normalize] = wide
        self.generator_norms = [_Normalize(self.members * n) for n in (fc, flat)] if batch_norm else []

    @staticmethod
    def _drawn(shapes: Sequence[tuple[int, ...]], seeds: Sequence[int], std: float) -> list[Tensor]:
        generators = [torch.Generator().manual_seed(int(seed)) for seed in seeds]
        validate.positive("std", std)
        return [torch.stack([truncated_normal(std, *shape, generator=g) for g in generators]) for shape in shapes]

    def parameters(self, direction: str) -> list[Tensor]:
        """What the "classifier"'s or the "generator"'s step may move: the shared weights and the direction's own."""
        forward = validate.one_of("direction", direction, ("classifier", "generator")) == "classifier"
        norms = self.classifier_norms if forward else self.generator_norms
        own = [*(self.classifier_biases if forward else self.generator_biases),
               *(part for norm in norms for part in (norm.scale, norm.shift))]
        return [*self.weights, *(own if self.bias else [])]

    def classify(self, x: Tensor, train: bool = False) -> Tensor:
        """Logits (S, B, K) of images (B, D) or (S, B, D)."""
        x = _stacked("x", x, self.members, self.sizes[0])
        channels, side = self.planes[0]
        h = x.transpose(0, 1).reshape(x.shape[1], self.members * channels, side, side)
        for layer, stride in enumerate(self.strides):
            weight = self.weights[layer].flatten(0, 1)
            h = F.conv2d(same_pad(h, weight.shape[-1], stride), weight, self.classifier_biases[layer], stride,
                         groups=self.members)
            if self.batch_norm and layer:
                h = self.classifier_norms[layer - 1](h, train)
            h = F.leaky_relu(h, 0.2) if self.activation == "lrelu" else torch.relu(h)
        rows = h.reshape(len(h), self.members, -1).transpose(0, 1)
        hidden = torch.relu(torch.bmm(rows, self.weights[-2]) + self.classifier_biases[-2])
        return torch.bmm(hidden, self.weights[-1]) + self.classifier_biases[-1]

    def generate(self, code: Tensor, train: bool = False) -> Tensor:
        """Image logits (S, B, D) of codes (B, K) or (S, B, K)."""
        k = _stacked("code", code, self.members, self.sizes[-1])
        for place, weight in enumerate((self.weights[-1], self.weights[-2])):
            k = torch.bmm(k, weight.mT) + self.generator_biases[-1 - place]
            if self.batch_norm:
                flat = k.transpose(0, 1).flatten(1)
                k = self.generator_norms[place](flat, train).unflatten(1, (self.members, -1)).transpose(0, 1)
            k = torch.relu(k)
        channels, side = self.planes[-1]
        h = k.transpose(0, 1).reshape(k.shape[1], self.members * channels, side, side)
        for layer in reversed(range(len(self.strides))):
            weight, stride, wanted = self.weights[layer].flatten(0, 1), self.strides[layer], self.planes[layer][1]
            h = F.conv_transpose2d(h, weight, self.generator_biases[layer], stride, groups=self.members)
            h = same_crop(h, weight.shape[-1], stride, wanted)
            h = torch.relu(h) if layer else h
        return h.reshape(len(h), self.members, -1).transpose(0, 1)


def _same(side: int, kernel: int, stride: int) -> tuple[int, int]:
    """Rows of zeros that "SAME" puts before and after an axis."""
    total = max((math.ceil(side / stride) - 1) * stride + kernel - side, 0)
    return total // 2, total - total // 2


def same_pad(h: Tensor, kernel: int, stride: int) -> Tensor:
    """Zeros around images (…, H, H), so that a convolution of ``stride`` gives ceil(H / stride) rows."""
    before, after = _same(h.shape[-1], kernel, stride)
    return F.pad(h, (before, after, before, after))


def same_crop(h: Tensor, kernel: int, stride: int, side: int) -> Tensor:
    """Cut off what :func:`same_pad` had put around images of ``side`` rows: its adjoint."""
    before, _ = _same(side, kernel, stride)
    return h[..., before : before + side, before : before + side]


def _stacked(name: str, values: Tensor, members: int, width: int) -> Tensor:
    if values.shape[-1] != width or values.dim() not in (2, 3) or (values.dim() == 3 and len(values) != members):
        raise ValueError(f"{name} has shape {tuple(values.shape)}: must be (B, {width}) or ({members}, B, {width})")
    return values if values.dim() == 3 else values.expand(members, *values.shape)
