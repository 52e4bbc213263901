"""The language model that is recoded: an LSTM whose one step can be taken by hand, and how it is trained."""
from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gradscape.credit.recoding.grammar import PAD, Encoded, Vocabulary
from gradscape.validate import at_least, in_range, one_of, positive

if TYPE_CHECKING:
    from gradscape.credit.recoding.recoder import Recoder

State = tuple[list[Tensor], list[Tensor]]  # hidden and cell states, one (B, H) per layer
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Recipe:
    """How a model is trained; :data:`ADAM` is the lesson's, :data:`THESIS` that of the published configuration."""

    optimizer: str = "adam"
    lr: float = 5e-3
    clip: float = 1.0  # largest norm of the gradient
    epochs: int = 12
    batch: int = 100  # sentences
    schedule: str = "linear"  # falls to 0; "plateau": times ``factor`` when validation does not improve; "constant"
    factor: float = 0.25
    weight_decay: float = 0.0  # never on step sizes
    by_length: bool = False  # batches of about equal length: no work on padding, but batches are less alike

    def __post_init__(self) -> None:
        one_of("optimizer", self.optimizer, ("adam", "sgd"))
        one_of("schedule", self.schedule, ("linear", "plateau", "constant"))
        for name in ("lr", "clip", "factor"):
            positive(name, getattr(self, name))
        for name in ("epochs", "batch"):
            at_least(name, getattr(self, name), 1)


ADAM = Recipe()
THESIS = Recipe("sgd", lr=20.0, clip=0.25, epochs=8, batch=64, schedule="plateau")


class LSTMLanguageModel(nn.Module):
    """Embedding, LSTM of one or more layers, linear decoder; dropout on the embedding and before the decoder.

    ``vocab``: a :class:`Vocabulary` or its size. ``seed`` draws the weights. ``ValueError`` for sizes below 1 or a
    dropout outside [0, 1).
    """

    def __init__(
        self, vocab: Vocabulary | int, embed: int = 32, hidden: int = 64, layers: int = 1, dropout: float = 0.2,
        seed: int = 0,
    ) -> None:
        super().__init__()
        words = vocab if isinstance(vocab, int) else len(vocab)
        for name, size in (("vocab", words), ("embed", embed), ("hidden", hidden), ("layers", layers)):
            at_least(name, size, 1)
        self.dropout = in_range("dropout", dropout, 0.0, 1.0, open_high=True)
        self.words, self.hidden, self.layers = words, hidden, layers
        self.embedding = nn.Embedding(words, embed)
        self.lstm = nn.LSTM(embed, hidden, layers, batch_first=True)
        self.decoder = nn.Linear(hidden, words)
        self.noise = torch.Generator().manual_seed(seed)
        bound = 1 / math.sqrt(hidden)
        with torch.no_grad():
            self.embedding.weight.normal_(generator=self.noise)
            for parameter in (*self.lstm.parameters(), *self.decoder.parameters()):
                parameter.uniform_(-bound, bound, generator=self.noise)

    def drop(self, values: Tensor) -> Tensor:
        """Dropout while training, from the model's own generator; the identity otherwise."""
        if not self.training or self.dropout == 0:
            return values
        keep = torch.rand(values.shape, generator=self.noise, dtype=values.dtype) >= self.dropout
        return values * keep / (1 - self.dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (B, T, V) for the words after each of x (B, T), by the fused LSTM, from a zero state."""
        return self.decoder(self.drop(self.lstm(self.drop(self.embedding(self._words(x))))[0]))

    def _words(self, x: Tensor) -> Tensor:
        if x.is_floating_point() or x.numel() == 0 or int(x.min()) < 0 or int(x.max()) >= self.words:
            raise ValueError(f"x: {x.dtype} {tuple(x.shape)}; must be words 0 ... {self.words - 1}, at least one")
        return x

    def start(self, count: int) -> State:
        """The zero state for ``count`` sentences."""
        zeros = self.decoder.weight.new_zeros(count, self.hidden)
        return [zeros] * self.layers, [zeros] * self.layers

    def cells(self, inputs: Tensor, state: State) -> tuple[State, Tensor]:
        """One step of all layers on embedded inputs (B, E): the new state, and the top layer's output gate (B, H)."""
        hs, cs = [], []
        gate = inputs
        for layer in range(self.layers):
            w_in, w_rec, b_in, b_rec = (getattr(self.lstm, f"{name}_l{layer}") for name in (
                "weight_ih", "weight_hh", "bias_ih", "bias_hh"))
            gates = torch.addmm(b_in + b_rec, inputs, w_in.T).addmm(state[0][layer], w_rec.T)
            i, f, g, gate = gates.chunk(4, 1)
            gate = gate.sigmoid()
            c = f.sigmoid() * state[1][layer] + i.sigmoid() * g.tanh()
            inputs = gate * c.tanh()
            hs.append(inputs)
            cs.append(c)
        return (hs, cs), gate

    def step(self, x_t: Tensor, state: State) -> tuple[Tensor, State]:
        """Logits (B, V) and the next state after reading words x_t (B,); the same weights as :meth:`forward`."""
        after, _ = self.cells(self.drop(self.embedding(self._words(x_t))), state)
        return self.decoder(self.drop(after[0][-1])), after

    def nll(self, data: Encoded) -> Tensor:
        """``-log p`` (B, T) of each next word, NaN past a sentence's end; without dropout or gradients."""
        was, _ = self.training, self.eval()
        with torch.no_grad():
            logp = self(data.x).log_softmax(-1)
        self.train(was)
        found = -logp.gather(-1, data.y.clamp(min=0)[..., None])[..., 0]
        return found.masked_fill(~data.mask, math.nan)

    def fit(self, data: Encoded, recipe: Recipe = ADAM, **options: Any) -> list[float]:
        """:func:`train` this model."""
        return train(self, data, recipe, **options)

    def in_double(self) -> LSTMLanguageModel:
        """A copy in float64 that does not train."""
        generator, self.noise = self.noise, None  # type: ignore[assignment]  # generators cannot be copied
        try:
            twin = copy.deepcopy(self).double().eval()
        finally:
            self.noise = generator
        twin.noise = torch.Generator()
        return twin.requires_grad_(False)


def loss_of(logits: Tensor, y: Tensor) -> Tensor:
    """Mean ``-log p`` over the words (B, T) that are there."""
    return F.cross_entropy(logits.flatten(0, 1), y.flatten(), ignore_index=PAD)


def perplexity(nll: Tensor) -> float:
    """exp of the mean over the words that are there (entries that are NaN are left out)."""
    return math.exp(float(nll.nanmean()))


def batches(data: Encoded, recipe: Recipe, generator: torch.Generator) -> list[Encoded]:
    """The sentences of one epoch in random batches."""
    order = torch.randperm(len(data), generator=generator)
    if recipe.by_length:
        order = order[data.lengths[order].argsort(stable=True)]
    parts = list(order.split(recipe.batch))
    if recipe.by_length:
        parts = [parts[k] for k in torch.randperm(len(parts), generator=generator)]
    return [data.take(rows) for rows in parts]


def train(
    model: LSTMLanguageModel, data: Encoded, recipe: Recipe = ADAM, *, seed: int = 0, recoder: Recoder | None = None,
    validation: Encoded | None = None, progress: Progress | None = None,
) -> list[float]:
    """Train ``model``, with ``recoder`` in the loop if given; returns the mean loss of each epoch in nats per word.

    ``validation`` is what a plateau schedule watches. ``ValueError`` if that is missing, or the loss is not finite.
    """
    if recipe.schedule == "plateau" and validation is None:
        raise ValueError("validation=None: the plateau schedule needs sentences to watch")
    generator = torch.Generator().manual_seed(seed)
    decayed = list(model.parameters())
    others = [] if recoder is None else [p for p in recoder.parameters() if not any(p is q for q in decayed)]
    groups = [{"params": decayed, "weight_decay": recipe.weight_decay}]
    groups += [{"params": others, "weight_decay": 0.0}] if others else []
    optimizer: torch.optim.Optimizer = (
        torch.optim.Adam(groups, lr=recipe.lr) if recipe.optimizer == "adam" else torch.optim.SGD(groups, lr=recipe.lr)
    )
    total = recipe.epochs * math.ceil(len(data) / recipe.batch)
    done, best, losses = 0, math.inf, []
    for _ in range(recipe.epochs):
        model.train()
        seen: list[float] = []
        for part in batches(data, recipe, generator):
            if recipe.schedule == "linear":
                for group in optimizer.param_groups:
                    group["lr"] = recipe.lr * (1 - done / total)
            optimizer.zero_grad(set_to_none=True)
            loss = loss_of(model(part.x), part.y) if recoder is None else recoder.loss(part, len(data))
            loss.backward()
            nn.utils.clip_grad_norm_([*decayed, *others], recipe.clip)
            optimizer.step()
            seen.append(float(loss.detach()))
            done += 1
            if progress is not None:
                progress(done, total)
        losses.append(sum(seen) / len(seen))
        if not math.isfinite(losses[-1]):
            raise ValueError(f"recipe: training with lr={recipe.lr:g} diverged, the loss is {losses[-1]}")
        if recipe.schedule == "plateau":
            assert validation is not None
            now = float(model.nll(validation).nanmean())
            if now >= best:
                for group in optimizer.param_groups:
                    group["lr"] *= recipe.factor
            best = min(best, now)
    model.eval()
    return losses
