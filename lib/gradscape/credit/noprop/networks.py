"""Other networks of NoProp: Figure 6 with convolutions, blocks in a plain loop, one block for all times (CT, FM)."""
from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from gradscape import validate
from gradscape.credit.noprop.blocks import Streams
from gradscape.credit.noprop.checks import check_width

POSITIONS = 64  # width of the positional embedding of time
FASTEST = 1000.0  # its highest frequency for t in [0, 1]: the usual table for steps 0 … 1000


class ConvDenoisingBlock(nn.Module):
    """One block of Figure 6 as printed: three convolutions for the image, fully connected layers for the label.

    x (B, in_ch, size, size), z (B, embed_dim) -> logits (B, n_classes); ``size`` must be a multiple of 4.
    """

    def __init__(
        self, in_ch: int, size: int, embed_dim: int, n_classes: int, channels: Sequence[int] = (32, 64, 128),
        hidden: int = 256, dropout: float = 0.2,
    ) -> None:
        super().__init__()
        if validate.at_least("size", size, 4) % 4:
            raise ValueError(f"size={size!r}: must be a multiple of 4 (two poolings)")
        if len(channels) != 3:
            raise ValueError(f"channels={tuple(channels)}: three are needed")
        first, second, third = channels
        self.conv = nn.Sequential(
            nn.Conv2d(in_ch, first, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout(dropout),
            nn.Conv2d(first, second, 3, padding=1), nn.ReLU(), nn.Dropout(dropout),
            nn.Conv2d(second, third, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout(dropout),
            nn.Flatten(), nn.Linear(third * (size // 4) ** 2, hidden), nn.BatchNorm1d(hidden),
        )
        self.label = nn.Sequential(nn.Linear(embed_dim, hidden), nn.BatchNorm1d(hidden), nn.ReLU())
        self.residual = nn.Sequential(
            nn.Linear(hidden, hidden), nn.BatchNorm1d(hidden), nn.ReLU(), nn.Linear(hidden, hidden),
            nn.BatchNorm1d(hidden),
        )
        self.both = nn.Sequential(
            nn.Linear(2 * hidden, hidden), nn.BatchNorm1d(hidden), nn.ReLU(), nn.Linear(hidden, hidden // 2),
            nn.BatchNorm1d(hidden // 2), nn.ReLU(), nn.Linear(hidden // 2, n_classes),
        )

    def image(self, x: Tensor) -> Tensor:
        """The image path, (B, hidden)."""
        features: Tensor = self.conv(x)
        return features

    def read(self, z: Tensor, image: Tensor) -> Tensor:
        """Logits for z (B, embed_dim) beside an image path."""
        a = self.label(z)
        logits: Tensor = self.both(torch.cat([image, a + self.residual(a)], -1))
        return logits

    def forward(self, z: Tensor, x: Tensor) -> Tensor:
        return self.read(z, self.image(x))


class BlockLoop(nn.Module):
    """T separate modules behind the interface of DenoisingBlocks: the plain loop, for blocks that do not stack."""

    def __init__(self, blocks: Sequence[ConvDenoisingBlock]) -> None:
        super().__init__()
        self.list = nn.ModuleList(blocks)
        self.T, self.seeds = len(blocks), 1

    def _chosen(self, blocks: slice | None) -> Iterator[ConvDenoisingBlock]:
        for index in range(*(blocks or slice(None)).indices(self.T)):
            block = self.list[index]
            assert isinstance(block, ConvDenoisingBlock)
            yield block

    def image(self, x: Tensor, blocks: slice | None = None, *, generators: Streams | None = None) -> Tensor:
        """The image paths (T', B, hidden); dropout draws from torch's own generator."""
        return torch.stack([block.image(x) for block in self._chosen(blocks)])

    def read(self, z: Tensor, image: Tensor, blocks: slice | None = None) -> Tensor:
        """Logits (T', B, n_classes) for z (T', B, d)."""
        return torch.stack([b.read(zt, i) for b, zt, i in zip(self._chosen(blocks), z, image, strict=True)])

    def forward(
        self, z: Tensor, x: Tensor, blocks: slice | None = None, *, generators: Streams | None = None
    ) -> Tensor:
        return self.read(z, self.image(x, blocks, generators=generators), blocks)

    def block(self, t: int) -> BlockLoop:
        """Block t alone; the module is the same object."""
        return BlockLoop(list(self._chosen(slice(t, t + 1))))


class TimeBlock(nn.Module):
    """The one block of NoProp-CT and FM: no batch norm, and a path for the time (Fig. 6).

    Image path FC(W) ReLU dropout FC(W) ReLU; label path FC(W) ReLU; time path positional embedding FC(W) ReLU; together
    FC(W) ReLU FC(W/2) ReLU FC(n_classes). z (B, d), x (B, D), t (B,) or a number in [0, 1] -> (B, n_classes).
    """

    def __init__(self, x_dim: int, embed_dim: int, n_classes: int, width: int = 96, dropout: float = 0.2) -> None:
        super().__init__()
        W = validate.at_least("width", width, 2)
        self.x_dim, self.embed_dim = x_dim, embed_dim
        self.image_path = nn.Sequential(
            nn.Linear(x_dim, W), nn.ReLU(), nn.Dropout(dropout), nn.Linear(W, W), nn.ReLU()
        )
        self.label_path = nn.Sequential(nn.Linear(embed_dim, W), nn.ReLU())
        self.time_path = nn.Sequential(nn.Linear(POSITIONS, W), nn.ReLU())
        self.both = nn.Sequential(
            nn.Linear(3 * W, W), nn.ReLU(), nn.Linear(W, W // 2), nn.ReLU(), nn.Linear(W // 2, n_classes)
        )

    def image(self, x: Tensor) -> Tensor:
        """The image path, (B, W): the same for every t."""
        check_width("x", x, self.x_dim)
        features: Tensor = self.image_path(x)
        return features

    def read(self, z: Tensor, image: Tensor, t: Tensor | float) -> Tensor:
        """Logits for z at time t beside an image path."""
        check_width("z", z, self.embed_dim)
        time = self.time_path(positions(torch.as_tensor(t, dtype=z.dtype).expand(len(z))))
        logits: Tensor = self.both(torch.cat([image, self.label_path(z), time], -1))
        return logits

    def forward(self, z: Tensor, x: Tensor, t: Tensor | float) -> Tensor:
        return self.read(z, self.image(x), t)


def positions(t: Tensor) -> Tensor:
    """The sinusoidal embedding of times t (B,) in [0, 1]: sines and cosines of 32 frequencies, (B, 64)."""
    half = POSITIONS // 2
    rates = FASTEST * torch.exp(-math.log(10_000) * torch.arange(half, dtype=t.dtype) / half)
    angles = t[:, None] * rates
    return torch.cat([angles.sin(), angles.cos()], -1)
