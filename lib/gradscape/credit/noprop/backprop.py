"""The rival: the same blocks, chained in training too, with the gradient through the whole chain (eqs 17 to 19)."""
from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from gradscape import validate
from gradscape.credit.noprop.blocks import DenoisingBlocks
from gradscape.credit.noprop.estimator import BLOCKS, HEAD, LabelDenoiser
from gradscape.lesson import generator

HALF_STEP = math.atanh(0.5)  # initial w_t: alpha_t = 1/2; the paper gives none
SHARP = 5.0  # initial head: 5 W_E, that is 5 I for one-hot; from random weights small runs merge classes and stall


class BackpropChain(LabelDenoiser):
    """z_t = (1 - alpha_t) z_{t-1} + alpha_t u^_t(z_{t-1}, x), alpha_t = tanh(w_t) learned, cross-entropy at the head.

    Blocks, widths, dropout and AdamW as NoPropDT. ``sharp_head=False`` leaves the head's random weights.
    """

    def __init__(self, T: int = 10, width: int = 48, *, sharp_head: bool = True, **options: Any) -> None:
        super().__init__(**options)
        self.T, self.width = validate.at_least("T", T, 1), validate.at_least("width", width, 2)
        self.sharp_head = sharp_head

    def _begin(self, X: Tensor, draw: torch.Generator) -> None:
        if X.dim() != 2:
            raise ValueError(f"X has shape {tuple(X.shape)}: must be (N, D)")
        dim = self.embed.shape[1]
        self.blocks = DenoisingBlocks(
            self.T, X.shape[1], dim, self.n_classes, self.width, self.dropout, seed=self.seed
        ).to(X.dtype)
        self.w = nn.Parameter(torch.full((self.T,), HALF_STEP, dtype=X.dtype))
        if self.sharp_head and isinstance(self.head, nn.Linear):
            with torch.no_grad():
                self.head.weight.copy_(SHARP * self.embed / self.embed.square().sum(1).mean())
                self.head.bias.zero_()
        # the image paths of all blocks in one stack, the chain block by block: one memory, leaves for both
        self.alone = [self.blocks.block(t) for t in range(self.T)]
        images = [p for name, p in self.blocks.named_parameters() if name.startswith("image")]
        chain = [p for one in self.alone for name, p in one.named_parameters() if not name.startswith("image")]
        shared = [p for p in (*self.head.parameters(), self.embed) if p.requires_grad]
        self.optimizer = torch.optim.AdamW(
            [*images, *chain, self.w, *shared], lr=self.lr, weight_decay=self.weight_decay, fused=True
        )
        self.stream = generator(self.seed, HEAD)
        self.dropouts = [generator(self.seed, BLOCKS + t) for t in range(self.T)]

    def chain(self, z: Tensor, image: Tensor) -> list[Tensor]:
        """States z_0 … z_T, each (B, d), from z_0 and the image paths (T, B, W)."""
        states, alpha = [z], torch.tanh(self.w)
        for t, block in enumerate(self.alone):
            guess = block.read(z[None], image[t : t + 1])[0].softmax(-1) @ self.embed
            z = (1 - alpha[t]) * z + alpha[t] * guess
            states.append(z)
        return states

    def loss(self, X: Tensor, y: Tensor) -> Tensor:
        """Cross-entropy at the end of the chain from fresh noise z_0 (eq. 19)."""
        z = torch.randn(len(X), self.embed.shape[1], generator=self.stream, dtype=X.dtype)
        end = self.chain(z, self.blocks.image(X, generators=self.dropouts))[-1]
        return nn.functional.cross_entropy(self.head(end, self.embed), y)

    def _epoch(self, X: Tensor, y: Tensor) -> Mapping[str, Any]:
        seen = []
        for xb, yb in self._batches(X, y):
            self.optimizer.zero_grad()
            loss = self.loss(xb, yb)
            loss.backward()
            self.optimizer.step()
            seen.append(loss.detach())
        return {"ce": float(torch.stack(seen).mean())}

    def _training(self, on: bool) -> None:
        for blocks in (self.blocks, *self.alone):
            blocks.train(on)

    def runs(self, X: Tensor, runs: int, generator: torch.Generator | None = None, *, noise: float = 1.0) -> Tensor:
        """The chain as trained, (T + 1, runs, N, d); only z_0 is random."""
        X = self._inputs(X)
        validate.at_least("runs", runs, 1)
        validate.nonnegative("noise", noise)
        with torch.no_grad():
            image = self.blocks.image(X)[:, None].expand(-1, runs, -1, -1).flatten(1, 2)
            draw = self._stream(generator)
            z = noise * torch.randn(runs * len(X), self.embed.shape[1], generator=draw, dtype=X.dtype)
            states = self.chain(z, image)
        return torch.stack(states).unflatten(1, (runs, len(X)))

    def first_logits(self, X: Tensor, z: Tensor) -> Tensor:
        """Block 1 on states z (N, d); nothing ever asked it for a label, so it may say anything."""
        with torch.no_grad():
            logits = self.alone[0].read(z[None], self.blocks.image(self._inputs(X), slice(0, 1)))[0]
        return logits
