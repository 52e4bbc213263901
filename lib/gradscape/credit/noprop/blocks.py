"""The denoising blocks of NoProp-DT, T at once: block t reads z_{t-1} and x and says which label it sees (Fig. 6).

Block t owns slice t of every stacked tensor and no operation mixes slices, so training the stack is training each block
alone.
"""
from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from gradscape import validate
from gradscape.credit.noprop.checks import check_inputs, check_width
from gradscape.ensemble import INITS
from gradscape.lesson import generator

Streams = Sequence[torch.Generator]


class StackedLinear(nn.Module):
    """M linear layers, a (M, B, in) -> (M, B, out), with torch.nn.Linear's law of initial weights."""

    def __init__(self, generators: Streams, fan_in: int, fan_out: int) -> None:
        super().__init__()
        drawn = [INITS["linear"](0, fan_in, fan_out, g) for g in generators]
        self.weight = nn.Parameter(torch.stack([weight for weight, _ in drawn]))
        self.bias = nn.Parameter(torch.stack([bias for _, bias in drawn])[:, None])

    def forward(self, a: Tensor, part: slice) -> Tensor:
        return torch.baddbmm(self.bias[part], a, self.weight[part])


class StackedBatchNorm(nn.Module):
    """M batch normalizations, (M, B, W) -> (M, B, W), each with statistics of its own."""

    mean: Tensor
    var: Tensor

    def __init__(self, members: int, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(members, width))
        self.bias = nn.Parameter(torch.zeros(members, width))
        self.register_buffer("mean", torch.zeros(members, width))
        self.register_buffer("var", torch.ones(members, width))

    def forward(self, a: Tensor, part: slice) -> Tensor:
        members, batch, width = a.shape
        # the fused kernel wants examples first; the running statistics are views, which it updates in place
        made = nn.functional.batch_norm(
            a.transpose(0, 1).reshape(batch, members * width), self.mean[part].view(-1), self.var[part].view(-1),
            self.weight[part].reshape(-1), self.bias[part].reshape(-1), self.training,
        )
        return made.view(batch, members, width).transpose(0, 1)


class DenoisingBlocks(nn.Module):
    """T blocks of Figure 6 with a fully connected image path, for ``seeds`` networks at once.

    Image path FC(W) BN ReLU dropout FC(W) BN; label path FC(W) BN ReLU and a residual pair; both together FC(W) BN ReLU
    FC(W/2) BN ReLU FC(n_classes). Tensors have M = T · seeds slices, block first. ``seed`` draws the initial weights,
    block by block, so that block t starts alike in a stack of any size. Dropout draws from ``generators`` (one per
    block and seed) where they are given, else from torch's own.

    >>> DenoisingBlocks(3, 64, 10, 10)(torch.zeros(3, 5, 10), torch.zeros(5, 64)).shape
    torch.Size([3, 5, 10])
    """

    def __init__(
        self, T: int, x_dim: int, embed_dim: int, n_classes: int, width: int = 48, dropout: float = 0.2,
        seeds: int = 1, *, seed: int = 0,
    ) -> None:
        super().__init__()
        self.T, self.seeds = validate.at_least("T", T, 1), validate.at_least("seeds", seeds, 1)
        self.x_dim, self.embed_dim = validate.at_least("x_dim", x_dim, 1), validate.at_least("embed_dim", embed_dim, 1)
        self.n_classes, self.width = validate.at_least("n_classes", n_classes, 2), validate.at_least("width", width, 2)
        self.dropout = validate.in_range("dropout", dropout, 0.0, 1.0, open_high=True)
        W, members = width, self.T * self.seeds
        gs = [generator(seed, m) for m in range(members)]

        def norm(width: int) -> StackedBatchNorm:
            return StackedBatchNorm(members, width)

        self.image1, self.image1_bn = StackedLinear(gs, x_dim, W), norm(W)
        self.image2, self.image2_bn = StackedLinear(gs, W, W), norm(W)
        self.label1, self.label1_bn = StackedLinear(gs, embed_dim, W), norm(W)
        self.label2, self.label2_bn = StackedLinear(gs, W, W), norm(W)
        self.label3, self.label3_bn = StackedLinear(gs, W, W), norm(W)
        self.both1, self.both1_bn = StackedLinear(gs, 2 * W, W), norm(W)
        self.both2, self.both2_bn = StackedLinear(gs, W, W // 2), norm(W // 2)
        self.out = StackedLinear(gs, W // 2, n_classes)

    def forward(
        self, z: Tensor, x: Tensor, blocks: slice | None = None, *, generators: Streams | None = None
    ) -> Tensor:
        """Logits (…, T', B, n_classes) of the blocks in ``blocks`` (all); z (T', B, d) or (seeds, T', B, d), x (B, D).

        ``ValueError`` for shapes that do not fit.
        """
        check_inputs("x", x)
        check_width("z", z, self.embed_dim)
        part = self.members(blocks)
        count = (part.stop - part.start) // self.seeds
        wanted = ((self.seeds,) if self.seeds > 1 or z.dim() == 4 else ()) + (count, len(x))
        if tuple(z.shape[:-1]) != wanted:
            raise ValueError(f"z has shape {tuple(z.shape)}: must be {(*wanted, self.embed_dim)}")
        stacked = z.dim() == 4
        flat = z.transpose(0, 1).flatten(0, 1) if stacked else z
        logits = self.read(flat, self.image(x, blocks, generators=generators), blocks)
        return logits.unflatten(0, (count, self.seeds)).transpose(0, 1) if stacked else logits

    def members(self, blocks: slice | None) -> slice:
        """The slices of the stacked tensors that belong to some blocks."""
        start, stop, step = (blocks or slice(None)).indices(self.T)
        if step != 1 or stop <= start:
            raise ValueError(f"blocks={blocks}: a range of neighboring blocks of 0 … {self.T - 1} is needed")
        return slice(start * self.seeds, stop * self.seeds)

    def image(self, x: Tensor, blocks: slice | None = None, *, generators: Streams | None = None) -> Tensor:
        """The image path (M', B, W): all that a block needs of x, whatever z is."""
        check_width("x", x, self.x_dim)
        part = self.members(blocks)
        a = torch.relu(self.image1_bn(self.image1(x.expand(part.stop - part.start, *x.shape), part), part))
        if self.training and self.dropout > 0:
            a = a * self._mask(a, generators)
        return self.image2_bn(self.image2(a, part), part)

    def read(self, z: Tensor, image: Tensor, blocks: slice | None = None) -> Tensor:
        """The label path for z (M', B, d) and what both paths say together: logits (M', B, n_classes)."""
        part = self.members(blocks)
        a = torch.relu(self.label1_bn(self.label1(z, part), part))
        inner = torch.relu(self.label2_bn(self.label2(a, part), part))
        a = a + self.label3_bn(self.label3(inner, part), part)
        a = torch.relu(self.both1_bn(self.both1(torch.cat([image, a], -1), part), part))
        return self.out(torch.relu(self.both2_bn(self.both2(a, part), part)), part)

    def block(self, t: int) -> DenoisingBlocks:
        """Block t (from 0) as a module of its own that shares this one's memory: training it trains this one."""
        if not 0 <= t < self.T:
            raise ValueError(f"t={t!r}: must lie in 0 … {self.T - 1}")
        alone = DenoisingBlocks(
            1, self.x_dim, self.embed_dim, self.n_classes, self.width, self.dropout, self.seeds
        )
        part = self.members(slice(t, t + 1))
        for name, layer in alone.named_children():
            ours = getattr(self, name)
            for key, value in ours.named_parameters():
                setattr(layer, key, nn.Parameter(value.data[part]))
            for key, value in ours.named_buffers():
                setattr(layer, key, value[part])
        return alone.train(self.training)

    def _mask(self, a: Tensor, generators: Streams | None) -> Tensor:
        if generators is None:
            drawn = torch.rand(a.shape, dtype=a.dtype)
        else:
            if len(generators) != len(a):
                raise ValueError(f"generators has {len(generators)} entries: one per block is needed ({len(a)})")
            drawn = torch.stack([torch.rand(a.shape[1:], generator=g, dtype=a.dtype) for g in generators])
        return (drawn >= self.dropout).to(a.dtype) / (1 - self.dropout)
