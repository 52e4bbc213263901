"""Block images: a signal block and a null block, one above the other, and how far a gradient leaks into the null block.

BlockMNIST of the paper (arXiv 2102.12781, Sec. 4), here made of Fashion-MNIST or digits. The null block is the same
drawing in every image and carries no label. How the paper draws it is not verified: ours is a square frame with both
diagonals.
"""
from __future__ import annotations

import torch
from torch import Tensor

from gradscape import validate

POSITIONS = ("random", "top")
TOP_SHARE = 0.1  # the coordinates that count for nu


def null_block(size: int) -> Tensor:
    """A frame with both diagonals, lines of value 1 and one pixel wide, (size, size).

    The frame stands ``max(1, size // 7)`` pixels from the border. ``ValueError`` for a size below 5, where no line is
    left.

    >>> null_block(5).long().tolist()
    [[0, 0, 0, 0, 0], [0, 1, 1, 1, 0], [0, 1, 1, 1, 0], [0, 1, 1, 1, 0], [0, 0, 0, 0, 0]]
    """
    validate.at_least("size", size, 5)
    away = max(1, size // 7)
    block = torch.zeros(size, size)
    first, last = away, size - 1 - away
    block[first, first : last + 1] = block[last, first : last + 1] = 1
    block[first : last + 1, first] = block[first : last + 1, last] = 1
    along = torch.arange(first, last + 1)
    block[along, along] = block[along, size - 1 - along] = 1
    return block


def block_images(
    images: Tensor,
    labels: Tensor,
    generator: torch.Generator,
    position: str = "random",
    null: Tensor | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """Put each image above or below the null block: flat images (N, 2 s²), labels, and whether the signal is on top.

    ``images`` (N, s, s) or (N, s²), ``labels`` (N,) int64. ``position`` "random" tosses a fair coin for each image,
    "top" always puts the signal on top. ``null`` (s, s) defaults to :func:`null_block`. ``ValueError`` for shapes that
    do not fit, images that are not finite, an unknown position.
    """
    validate.one_of("position", position, POSITIONS)
    validate.finite("images", images)
    size = round(images[0].numel() ** 0.5)
    if images.dim() not in (2, 3) or images[0].numel() != size * size or not images.is_floating_point():
        raise ValueError(f"images is {images.dtype} of shape {tuple(images.shape)}: must be real, (N, s, s) or (N, s²)")
    if labels.dtype != torch.int64 or labels.shape != images.shape[:1]:
        raise ValueError(f"labels is {labels.dtype} of shape {tuple(labels.shape)}: must be int64, ({len(images)},)")
    null = null_block(size) if null is None else null
    if null.shape != (size, size):
        raise ValueError(f"null has shape {tuple(null.shape)}: must be ({size}, {size})")
    count = len(images)
    on_top = torch.rand(count, generator=generator) < 0.5 if position == "random" else torch.ones(count).bool()
    signal, empty = images.reshape(count, -1), null.to(images).reshape(1, -1).expand(count, -1)
    first = on_top.unsqueeze(1)
    return torch.cat([torch.where(first, signal, empty), torch.where(first, empty, signal)], 1), labels, on_top


def leakage(gradient: Tensor, signal_on_top: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """λ and ν of every image, (…, N), from gradients (…, N, 2 size²); ours, to put a number on the paper's pictures.

    λ = norm of the gradient on the null block over its norm on the signal block (infinite where the latter is 0);
    ν = share of the largest tenth of |gradient| that lies in the null block (0.5 for a gradient that knows nothing).
    ``ValueError`` for shapes that do not fit.
    """
    half = validate.at_least("size", size, 1) ** 2
    size_ok = gradient.shape[-1] == 2 * half and gradient.shape[-2:-1] == signal_on_top.shape
    if not size_ok or signal_on_top.dtype != torch.bool:
        raise ValueError(f"gradient has shape {tuple(gradient.shape)}, signal_on_top {tuple(signal_on_top.shape)} of "
                         f"{signal_on_top.dtype}: must be (…, N, {2 * half}) and (N,) bool")
    magnitude = validate.finite("gradient", gradient).abs()
    norm = magnitude.unflatten(-1, (2, half)).square().sum(-1).sqrt()
    signal = torch.where(signal_on_top, norm[..., 0], norm[..., 1])
    null = torch.where(signal_on_top, norm[..., 1], norm[..., 0])
    largest = magnitude.topk(max(1, round(TOP_SHARE * 2 * half)), -1).indices < half  # in the upper block
    return null / signal, (largest != signal_on_top.unsqueeze(-1)).float().mean(-1)
