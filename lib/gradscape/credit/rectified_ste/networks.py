"""Binary convolutional networks: the paper's ResNet-20 and VGG-small, and a small one for a laptop (arXiv 2308.06689).

A block is binary convolution, ReLU, batch normalization, in this order: after the normalization about half of the
activations are positive, so that the next layer's signs carry information. First and last layer stay real.
"""
from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from gradscape import validate
from gradscape.credit.rectified_ste.layers import BinaryConv2d


def _real(in_ch: int, out_ch: int) -> nn.Sequential:
    conv = nn.Conv2d(in_ch, out_ch, 3, padding=1, bias=False)
    nn.init.kaiming_normal_(conv.weight, mode="fan_in", nonlinearity="relu")
    return nn.Sequential(conv, nn.ReLU(), nn.BatchNorm2d(out_ch))


def _binary(in_ch: int, out_ch: int, stride: int = 1, **options: Any) -> nn.Sequential:
    return nn.Sequential(
        BinaryConv2d(in_ch, out_ch, 3, stride, 1, **options), nn.ReLU(), nn.BatchNorm2d(out_ch)
    )


class BasicBlock(nn.Module):
    """Two binary blocks and a shortcut without parameters; with ``bireal`` a shortcut around each of them."""

    def __init__(self, in_ch: int, out_ch: int, stride: int, *, bireal: bool = False, **options: Any) -> None:
        super().__init__()
        self.first = _binary(in_ch, out_ch, stride, **options)
        self.second = _binary(out_ch, out_ch, **options)
        self.stride, self.extra, self.bireal = stride, out_ch - in_ch, bireal

    def shortcut(self, x: Tensor) -> Tensor:
        """Every ``stride``-th pixel, zero channels on both sides."""
        x = x[..., :: self.stride, :: self.stride]
        low = self.extra // 2
        return nn.functional.pad(x, (0, 0, 0, 0, low, self.extra - low)) if self.extra else x

    def forward(self, x: Tensor) -> Tensor:
        y = self.first(x)
        if not self.bireal:
            return self.second(y) + self.shortcut(x)
        y = y + self.shortcut(x)
        return self.second(y) + y


class BinaryResNet20(nn.Module):
    """Real convolution, three stages of three blocks, pooling, BatchNorm1d, real classifier; made by a function."""

    def __init__(self, in_ch: int, width: int, n_classes: int, **options: Any) -> None:
        super().__init__()
        self.stem = _real(in_ch, width)
        stages = [(width, width, 1), (width, 2 * width, 2), (2 * width, 4 * width, 2)]
        self.blocks = nn.Sequential(*(
            BasicBlock(a if k == 0 else b, b, stride if k == 0 else 1, **options) for a, b, stride in stages
            for k in range(3)
        ))
        self.norm, self.classifier = nn.BatchNorm1d(4 * width), nn.Linear(4 * width, n_classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.norm(self.blocks(self.stem(x)).mean((2, 3))))


def resnet20_1w1a(
    in_ch: int = 3, width: int = 16, *, n_classes: int = 10, bireal: bool = False, **options: Any
) -> BinaryResNet20:
    """The paper's ResNet-20 for images (B, in_ch, H, W): 18 binary convolutions of ``width`` to 4 ``width`` channels.

    ``bireal`` puts a shortcut around every convolution; ``options`` go to each `BinaryConv2d` (``kind``, ``scale``,
    ``binary_activations=False`` for 1W/32A, ...). Raise o once per epoch by `set_o`. Meant for a GPU.
    """
    for name, value in (("in_ch", in_ch), ("width", width), ("n_classes", n_classes)):
        validate.at_least(name, value, 1)
    return BinaryResNet20(in_ch, width, n_classes, bireal=bireal, **options)


def vgg_small_1w1a(in_ch: int = 3, width: int = 128, *, n_classes: int = 10, **options: Any) -> nn.Sequential:
    """The paper's VGG-small: a real and five binary convolutions (1, 2, 2, 4, 4 ``width``), pooling after 1, 3, 5.

    For images (B, in_ch, H, W) with H and W divisible by 8; the classifier's size follows the first batch.
    """
    for name, value in (("in_ch", in_ch), ("width", width), ("n_classes", n_classes)):
        validate.at_least(name, value, 1)
    widths = [width, width, 2 * width, 2 * width, 4 * width, 4 * width]
    blocks = [_pooled_block(widths[k - 1], widths[k], pool=k % 2 == 1, **options) for k in range(1, 6)]
    return nn.Sequential(_real(in_ch, width), *blocks, nn.Flatten(), nn.LazyLinear(n_classes))


def small_convnet(in_ch: int = 1, *, side: int = 14, n_classes: int = 10, **options: Any) -> nn.Sequential:
    """The lesson's model B: channels 8 (real), 16, 16, 16 (binary), two poolings, a real classifier."""
    rest = side // 2 // 2
    return nn.Sequential(
        _real(in_ch, 8), _pooled_block(8, 16, pool=True, **options), _pooled_block(16, 16, pool=True, **options),
        _binary(16, 16, **options), nn.Flatten(), nn.Linear(16 * rest * rest, n_classes),
    )


def _pooled_block(in_ch: int, out_ch: int, *, pool: bool, **options: Any) -> nn.Sequential:
    """A binary block, with a pooling right after the convolution (largest values and ReLU commute)."""
    layers = list(_binary(in_ch, out_ch, **options))
    if pool:
        layers.insert(1, nn.MaxPool2d(2))
    return nn.Sequential(*layers)


@torch.no_grad()
def accuracy(model: nn.Module, x: Tensor, y: Tensor, batch: int = 1000) -> float:
    """Share of rows that the model, in evaluation mode, classifies rightly."""
    training = model.training
    model.eval()
    right = sum(int((model(x[k : k + batch]).argmax(1) == y[k : k + batch]).sum()) for k in range(0, len(x), batch))
    model.train(training)
    return right / len(x)
