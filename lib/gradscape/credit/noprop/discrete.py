"""NoProp-DT (Algorithm 1): T blocks with losses of their own, trained at once or one after another."""
from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from gradscape import validate
from gradscape.credit.noprop.blocks import DenoisingBlocks
from gradscape.credit.noprop.estimator import BLOCKS, HEAD, LabelDenoiser
from gradscape.credit.noprop.labels import redraw
from gradscape.credit.noprop.losses import ETA_DT, denoise_terms, head_terms
from gradscape.credit.noprop.networks import BlockLoop, ConvDenoisingBlock
from gradscape.generative.schedule import cosine_alpha_bar, linear_alpha_bar, posterior_coefficients
from gradscape.lesson import generator

ORDERS = ("stacked", "sequential", "reverse")
NETWORKS = ("mlp", "conv")
SCHEDULES: dict[str, Callable[[int], Tensor]] = {"cosine": cosine_alpha_bar, "linear": linear_alpha_bar}


class NoPropDT(LabelDenoiser):
    """T blocks, a fixed schedule, AdamW (Algorithm 1).

    ``order``: "stacked" updates all blocks with every mini-batch; "sequential" is the paper's, block 1 … T in each
    epoch; "reverse" goes T … 1. With a fixed W_E the blocks come out the same. In each the head gets T updates per
    mini-batch, each with new z_T. ``alpha_bar`` (T + 1,) replaces the named ``schedule``. ``network`` "conv" is
    Figure 6 with ``channels``, for square images X (N, C, s, s).
    """

    def __init__(
        self, T: int = 10, width: int = 48, *, schedule: str = "cosine", alpha_bar: Tensor | None = None,
        eta: float = ETA_DT, order: str = "stacked", network: str = "mlp",
        channels: tuple[int, int, int] = (32, 64, 128), **options: Any,
    ) -> None:
        super().__init__(**options)
        self.T, self.width = validate.at_least("T", T, 1), validate.at_least("width", width, 2)
        self.eta = validate.positive("eta", eta)
        self.order = validate.one_of("order", order, ORDERS)
        self.network = validate.one_of("network", network, NETWORKS)
        self.channels = channels
        named = SCHEDULES[validate.one_of("schedule", schedule, tuple(SCHEDULES))]
        self.alpha_bar = named(T) if alpha_bar is None else alpha_bar
        self.coef = posterior_coefficients(self.alpha_bar)
        if len(self.coef.a) != T:
            raise ValueError(f"alpha_bar has {len(self.alpha_bar)} entries: T + 1 = {T + 1} are needed")

    def _begin(self, X: Tensor, draw: torch.Generator) -> None:
        self.blocks = self._network(X, self.embed.shape[1]).to(X.dtype)
        self.streams = [generator(self.seed, BLOCKS + t) for t in range(self.T)]
        self.head_stream = generator(self.seed, HEAD)
        self.ends = (self.alpha_bar[0].to(X.dtype), self.alpha_bar[-1].to(X.dtype))
        self.parts = [(self.blocks, slice(0, self.T))]
        if self.order != "stacked":
            self.parts = [(self.blocks.block(t), slice(t, t + 1)) for t in range(self.T)]
        self.optimizers = [self._adamw(list(blocks.parameters())) for blocks, _ in self.parts]
        shared = [p for p in (*self.head.parameters(), self.embed) if p.requires_grad]
        self.head_optimizer = self._adamw(shared)

    def _network(self, X: Tensor, dim: int) -> DenoisingBlocks | BlockLoop:
        seed = self.seed
        if self.network == "mlp":
            if X.dim() != 2:
                raise ValueError(f"X has shape {tuple(X.shape)}: fully connected blocks need (N, D)")
            return DenoisingBlocks(self.T, X.shape[1], dim, self.n_classes, self.width, self.dropout, seed=seed)
        if X.dim() != 4 or X.shape[2] != X.shape[3]:
            raise ValueError(f"X has shape {tuple(X.shape)}: the convolutions need (N, C, s, s)")
        loop = BlockLoop([
            ConvDenoisingBlock(
                X.shape[1], X.shape[2], dim, self.n_classes, self.channels, hidden=self.width, dropout=self.dropout
            ) for _ in range(self.T)
        ])
        redraw(loop, generator(seed, BLOCKS - 1))
        return loop

    def _adamw(self, parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
        return torch.optim.AdamW(parameters, lr=self.lr, weight_decay=self.weight_decay, fused=True)

    def _epoch(self, X: Tensor, y: Tensor) -> Mapping[str, Any]:
        """Algorithm 1's inner loops: for the blocks in turn (or all at once), for each mini-batch."""
        order = range(len(self.parts))
        seen: list[list[Tensor]] = [[] for _ in order]
        ces: list[Tensor] = []
        for k in reversed(order) if self.order == "reverse" else order:
            blocks, part = self.parts[k]
            for xb, yb in self._batches(X, y):
                self.optimizers[k].zero_grad()
                self.head_optimizer.zero_grad()
                terms = denoise_terms(
                    blocks, self.embed, xb, yb, self.coef, eta=self.eta, part=part, generators=self.streams[part]
                )
                terms.sum().backward()
                self.optimizers[k].step()
                seen[k].append(terms.detach())
                # all T blocks at once: the head still gets the T updates that it would have got one by one
                for repeat in range(part.stop - part.start):
                    if repeat:
                        self.head_optimizer.zero_grad()
                    ce, kl = head_terms(self.head, self.embed, yb, self.ends, self.head_stream)
                    (ce + kl).backward()
                    self.head_optimizer.step()
                ces.append(ce.detach())
        denoise = torch.cat([torch.stack(values).mean(0) for values in seen])
        return {"denoise": denoise.tolist(), "ce": float(torch.stack(ces).mean())}

    def _training(self, on: bool) -> None:
        self.blocks.train(on)
        for blocks, _ in self.parts:
            blocks.train(on)

    def runs(self, X: Tensor, runs: int, generator: torch.Generator | None = None, *, noise: float = 1.0) -> Tensor:
        """Eq. 3: z_0 ~ N(0, I), z_t = a_t u^_t(z_{t-1}, x) + b_t z_{t-1} + sqrt(c_t) noise; (T + 1, runs, N, d)."""
        X, draw = self._inputs(X), self._stream(generator)
        validate.at_least("runs", runs, 1)
        validate.nonnegative("noise", noise)
        a, b, c = (value.to(X.dtype) for value in self.coef[:3])
        with torch.no_grad():
            image = self.blocks.image(X)
            image = image[:, None].expand(-1, runs, -1, -1).flatten(1, 2)
            z = noise * torch.randn(runs * len(X), self.embed.shape[1], generator=draw, dtype=X.dtype)
            states = [z]
            for t in range(self.T):
                now = slice(t, t + 1)
                guess = self.blocks.read(z[None], image[now], now)[0].softmax(-1) @ self.embed
                kick = torch.randn(z.shape, generator=draw, dtype=X.dtype)
                z = a[t] * guess + b[t] * z + noise * c[t].sqrt() * kick
                states.append(z)
        return torch.stack(states).unflatten(1, (runs, len(X)))

    def block_logits(self, X: Tensor, z: Tensor) -> Tensor:
        """What every block says of its own states z (T, N, d): logits (T, N, m)."""
        with torch.no_grad():
            logits: Tensor = self.blocks(z, self._inputs(X))
        return logits

    def first_logits(self, X: Tensor, z: Tensor) -> Tensor:
        """Block 1 on states z (N, d)."""
        first = slice(0, 1)
        with torch.no_grad():
            logits: Tensor = self.blocks.read(z[None], self.blocks.image(self._inputs(X), first), first)[0]
        return logits
