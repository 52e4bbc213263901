"""What the four classifiers of the lesson share: fitting by epochs, runs of inference, four ways to read a label."""
from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise
from typing import Any, Self

import torch
from torch import Tensor, nn

from gradscape import validate
from gradscape.credit.noprop.checks import check_inputs, check_labels, check_pair
from gradscape.credit.noprop.labels import EMBEDDINGS, HEADS, initial_embedding, make_head
from gradscape.lesson import generator

MODES = ("sample", "mean", "vote", "first_block")
# One stream per use, so that none shifts another: blocks take 1000, 1001, …
DATA, HEAD, START, INFER, BLOCKS = 901, 902, 903, 904, 1000

Callback = Callable[[int, Any], None]


class LabelDenoiser(ABC):
    """A classifier that turns noise into a label's embedding in T steps, each of which sees the input.

    ``embedding`` "onehot", "learned" (``embed_dim`` wide) or "prototype"; ``head`` "softmax" or "radial". After `fit`
    ``embed`` is W_E (m, d). Same ``seed``, same result. Bad arguments raise ``ValueError``.
    """

    head: nn.Module
    embed: nn.Parameter

    def __init__(
        self, *, embedding: str = "onehot", embed_dim: int = 20, head: str = "softmax", lr: float = 1e-3,
        weight_decay: float = 1e-3, batch: int = 128, dropout: float = 0.2, seed: int = 0,
    ) -> None:
        self.embedding = validate.one_of("embedding", embedding, EMBEDDINGS)
        self.embed_dim = validate.at_least("embed_dim", embed_dim, 1)
        self.head_kind = validate.one_of("head", head, HEADS)
        self.lr, self.weight_decay = validate.positive("lr", lr), validate.nonnegative("weight_decay", weight_decay)
        self.batch, self.seed = validate.at_least("batch", batch, 2), validate.at_least("seed", seed, 0)
        self.dropout = validate.in_range("dropout", dropout, 0.0, 1.0, open_high=True)
        self.losses: list[Mapping[str, Any]] = []

    # ---- training ------------------------------------------------------------------------------------------------

    def fit(self, X: Tensor, y: Tensor, epochs: int, callback: Callback | None = None) -> Self:
        """Train from new weights on X (N, …) floats and y (N,) int64; ``callback(epoch, self)`` after each epoch."""
        epochs = validate.at_least("epochs", epochs, 1)
        check_inputs("X", X)
        check_labels("y", y, 2**31)
        self.n_classes = max(2, int(y.max()) + 1)
        check_pair(X, y, self.n_classes)
        if len(X) < 2:
            raise ValueError("X has 1 row: batch normalization needs at least two")
        # torch draws first weights and some dropouts from its own generator: this model's stream while it trains
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            self._fit(X, y, epochs, callback)
        return self

    def _fit(self, X: Tensor, y: Tensor, epochs: int, callback: Callback | None) -> None:
        draw = generator(self.seed, START)
        self.embed = initial_embedding(
            self.embedding, self.n_classes, X=X, y=y, dim=self.embed_dim, generator=draw
        )
        self.head = make_head(self.head_kind, self.embed.shape[1], self.n_classes, draw).to(X.dtype)
        self.losses = []
        self._begin(X, draw)
        order = generator(self.seed, DATA)
        for epoch in range(1, epochs + 1):
            self._training(True)
            rows = torch.randperm(len(X), generator=order)
            self.losses.append(self._epoch(X[rows], y[rows]))
            self._training(False)
            if callback is not None:
                callback(epoch, self)

    def _batches(self, X: Tensor, y: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
        """Batches in order; a last one of a single row joins the one before (it has no variance to normalize by)."""
        edges = list(range(0, len(X), self.batch)) + [len(X)]
        if edges[-1] - edges[-2] == 1 and len(edges) > 2:
            del edges[-2]
        for start, end in pairwise(edges):
            yield X[start:end], y[start:end]

    @abstractmethod
    def _begin(self, X: Tensor, draw: torch.Generator) -> None:
        """Make the networks and their optimizers."""

    @abstractmethod
    def _epoch(self, X: Tensor, y: Tensor) -> Mapping[str, Any]:
        """One pass over the shuffled data; returns mean losses."""

    @abstractmethod
    def _training(self, on: bool) -> None:
        """Switch dropout and batch statistics."""

    # ---- inference -----------------------------------------------------------------------------------------------

    @abstractmethod
    def runs(self, X: Tensor, runs: int, generator: torch.Generator | None = None, *, noise: float = 1.0) -> Tensor:
        """All states of several independent runs, (T + 1, runs, N, d); ``noise`` scales every random number."""

    @abstractmethod
    def first_logits(self, X: Tensor, z: Tensor) -> Tensor:
        """Logits (N, m) of the first block for states z (N, d) in place of pure noise."""

    def classify(self, z: Tensor) -> Tensor:
        """Class of final states z (…, d), by the head."""
        self._fitted()
        with torch.no_grad():
            chosen: Tensor = self.head(z, self.embed).argmax(-1)
        return chosen

    def predict_trajectory(self, X: Tensor, generator: torch.Generator | None = None, *, noise: float = 1.0) -> Tensor:
        """z_0 … z_T of one run, (T + 1, N, d)."""
        return self.runs(X, 1, generator, noise=noise)[:, 0]

    def predict(
        self, X: Tensor, mode: str = "sample", runs: int = 5, generator: torch.Generator | None = None
    ) -> Tensor:
        """Labels (N,). "sample" is the paper's: one run of inference with all its noise. "mean" starts at 0 and adds
        no noise; "vote" takes the most frequent label of ``runs`` runs; "first_block" reads the first block's logits on
        pure noise and drops the chain.
        """
        validate.one_of("mode", mode, MODES)
        validate.at_least("runs", runs, 1)
        X = self._inputs(X)
        draw = self._stream(generator)
        if mode == "first_block":
            z = torch.randn(len(X), self.embed.shape[1], generator=draw, dtype=X.dtype)
            return self.first_logits(X, z).argmax(-1)
        if mode == "mean":
            return self.classify(self.runs(X, 1, noise=0.0)[-1, 0])
        labels = self.classify(self.runs(X, runs if mode == "vote" else 1, draw)[-1])
        return labels.mode(0).values if mode == "vote" else labels[0]

    def score(self, X: Tensor, y: Tensor, mode: str = "sample", **options: Any) -> float:
        """Share of rows labeled as y says."""
        check_pair(X, y, self.n_classes)
        return float((self.predict(X, mode, **options) == y).double().mean())

    def _inputs(self, X: Tensor) -> Tensor:
        self._fitted()
        check_inputs("X", X)
        if X.dtype != self.embed.dtype:
            raise ValueError(f"X has dtype {X.dtype}: the model was fitted with {self.embed.dtype}")
        return X

    def _fitted(self) -> None:
        if not self.losses:
            raise ValueError("the model is not fitted yet: call fit(X, y, epochs)")

    def _stream(self, given: torch.Generator | None) -> torch.Generator:
        return generator(self.seed, INFER) if given is None else given
