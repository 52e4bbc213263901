"""Recoding: after every word one gradient step on the *activations*, at training and at test time (Ulmer 2019).

The step lowers an error signal that the same word's prediction gives; the corrected states are handed on to the next
word. The gradient stays inside its time step and counts as a constant: no second-order terms.
"""
from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from gradscape.credit.recoding.grammar import Encoded
from gradscape.credit.recoding.model import LSTMLanguageModel, State, loss_of
from gradscape.credit.recoding.signals import (
    AVERAGED,
    SIGNALS,
    SUPERVISED,
    AnchoredEnsembleDecoder,
    logit_gradient,
    raw_signal,
)
from gradscape.validate import at_least, finite, in_range, nonnegative, one_of

STEPS = ("fixed", "learned", "mlp")
_SIGNAL, _GOLD = ("delta", "delta_after"), ("logp_gold", "logp_gold_after")
THESIS_STEPS = {"surprisal_thesis": 5.0, "entropy_mc": 0.001, "entropy_ensemble": 0.001}  # the tuned configurations


class StepSize(nn.Module):
    """α of each layer and state: ``fixed``, ``learned`` (one scalar each) or ``mlp`` (of the detached state).

    ``value`` >= 0 is the fixed α, or where the others start; a fixed one may differ between sequences, (B,).
    ``mlp``: hidden -> 300 -> 100 -> 1 with ReLU; both learned kinds pass through a softplus, so α > 0.
    ``ValueError`` for an unknown kind or a negative value.
    """

    def __init__(
        self, kind: str = "fixed", value: float | Tensor = 0.5, hidden: int = 64, layers: int = 1, seed: int = 0
    ) -> None:
        super().__init__()
        self.kind = one_of("kind", kind, STEPS)
        self.value = value
        if isinstance(value, Tensor):
            if value.dim() != 1 or bool((finite("value", value) < 0).any()) or kind != "fixed":
                raise ValueError(f"value of shape {tuple(value.shape)}: must be (B,) numbers >= 0, and kind 'fixed'")
            return
        nonnegative("value", value)
        for name, size in (("hidden", hidden), ("layers", layers)):
            at_least(name, size, 1)
        if kind == "fixed":
            return
        start = math.log(math.expm1(value)) if 0 < value < 30 else (value or -20.0)  # softplus(start) = value
        if kind == "learned":
            self.raw = nn.Parameter(torch.full((layers, 2), start))
            return
        generator = torch.Generator().manual_seed(seed)
        self.nets = nn.ModuleList(
            nn.Sequential(nn.Linear(hidden, 300), nn.ReLU(), nn.Linear(300, 100), nn.ReLU(), nn.Linear(100, 1))
            for _ in range(2 * layers)
        )
        with torch.no_grad():
            for net in self.nets:
                for linear in (part for part in net.modules() if isinstance(part, nn.Linear)):
                    bound = 1 / math.sqrt(linear.in_features)
                    for parameter in linear.parameters():
                        parameter.uniform_(-bound, bound, generator=generator)
                net[-1].bias.fill_(start)  # type: ignore[index, union-attr, operator]

    def of(self, state: Tensor, layer: int, which: int) -> Tensor | float:
        """α for hidden (``which`` 0) or cell states (1) of a layer, (B, H): a scalar or (B, 1)."""
        if self.kind == "learned":
            return nn.functional.softplus(self.raw[layer, which])
        if self.kind == "mlp":
            return nn.functional.softplus(self.nets[2 * layer + which](state.detach()))
        return self.value[:, None].to(state.dtype) if isinstance(self.value, Tensor) else self.value


@dataclass(frozen=True)
class RecodingTrace:
    """What happened at each word, all (B, T), NaN past a sentence's end.

    ``nll``: of the next word under the output that counts; ``delta``, ``delta_after``: the signal before and after the
    step; ``entropy``: of the output that counts; ``logp_gold``, ``logp_gold_after``: of the next word before and after
    the step. ``before`` and ``after`` (B, T, V) are the probabilities, if kept.
    """

    nll: Tensor
    delta: Tensor
    delta_after: Tensor
    entropy: Tensor
    logp_gold: Tensor
    logp_gold_after: Tensor
    before: Tensor | None = None
    after: Tensor | None = None


@dataclass(frozen=True)
class _Moment:
    """One time step: logits (not training: log-probabilities) and signal before and after; the output that counts."""

    before: Tensor
    after: Tensor
    delta: Tensor
    delta_after: Tensor
    output: Tensor


class Recoder(nn.Module):
    """One gradient step on all hidden and cell states after each word.

    ``target``: the word that supervised signals look at, the true next one ("gold") or the likeliest ("argmax").
    ``redecode``: whether the output that counts is decoded anew from the corrected state; "auto": yes for entropies, no
    for surprisals. With the true word it would have seen the answer, so ``True`` is refused there unless
    ``allow_leak``. ``samples`` and ``mc_dropout`` belong to "entropy_mc", ``ensemble`` to "entropy_ensemble".
    ``fresh``: new dropout masks to read the signal after the step (otherwise the same as for the step).
    ``gradient``: "closed" (one layer), "autograd", or "auto", the first where it is possible.
    ``ValueError`` for options that are unknown or do not fit together.
    """

    def __init__(
        self, model: LSTMLanguageModel, signal: str = "surprisal", step: StepSize | None = None, *,
        target: str = "gold", redecode: str | bool = "auto", samples: int = 10, mc_dropout: float = 0.21,
        ensemble: AnchoredEnsembleDecoder | None = None, allow_leak: bool = False, fresh: bool = False,
        gradient: str = "auto",
    ) -> None:
        super().__init__()
        self.signal, self.target = one_of("signal", signal, SIGNALS), one_of("target", target, ("gold", "argmax"))
        self.samples = at_least("samples", samples, 1)
        self.mc_dropout = in_range("mc_dropout", mc_dropout, 0.0, 1.0, open_high=True)
        one_of("redecode", redecode, ("auto", True, False))
        one_of("gradient", gradient, ("auto", "closed", "autograd"))
        if redecode is True and signal in SUPERVISED and target == "gold" and not allow_leak:
            raise ValueError("redecode=True: with target='gold' the output has seen the next word; pass "
                             "allow_leak=True to show what that does")
        if (signal == "entropy_ensemble") != (ensemble is not None):
            raise ValueError(f"ensemble={ensemble!r}: needed for 'entropy_ensemble', and only there")
        if gradient == "closed" and model.layers > 1:
            raise ValueError(f"gradient='closed': written for one layer, the model has {model.layers}")
        self.model, self.ensemble, self.fresh = model, ensemble, fresh
        self.step = StepSize(hidden=model.hidden, layers=model.layers) if step is None else step
        self.redecode = signal not in SUPERVISED if redecode == "auto" else bool(redecode)
        self.closed = model.layers == 1 if gradient == "auto" else gradient == "closed"

    # ---- one time step -------------------------------------------------------------------------------------------

    def masks(self, count: int, generator: torch.Generator) -> Tensor | None:
        """Dropout masks (K, B, H) for "entropy_mc", scaled; otherwise ``None``."""
        if self.signal != "entropy_mc":
            return None
        like, shape = self.model.decoder.weight, (self.samples, count, self.model.hidden)
        keep = torch.rand(shape, generator=generator, dtype=like.dtype) >= self.mc_dropout
        return keep / (1 - self.mc_dropout)

    def readout(self, h: Tensor, masks: Tensor | None) -> Tensor:
        """Log-probabilities that the signal reads: (B, V) or (K, B, V)."""
        if self.ensemble is not None:
            return self.ensemble(h).log_softmax(-1)
        return self.model.decoder(h if masks is None else h * masks).log_softmax(-1)

    def output(self, h: Tensor) -> Tensor:
        """Logits (B, V) of a state: the decoder's, or the mean over an ensemble's decoders."""
        h = self.model.drop(h)
        return self.model.decoder(h) if self.ensemble is None else self.ensemble(h).mean(0)

    def gradients(
        self, inputs: Tensor, before: State, after: State, gate: Tensor, target: Tensor | None, masks: Tensor | None,
        known: Tensor | None = None,
    ) -> tuple[Tensor, list[Tensor], list[Tensor]]:
        """δ (B,), and ∂δ/∂h and ∂δ/∂c of each layer, within this step only; ``known``: what the signal reads."""
        if self.closed:
            with torch.no_grad():
                h, c = after[0][0].detach(), after[1][0].detach()
                logp = self.readout(h, masks) if known is None else known
                back = logit_gradient(self.signal, logp, target)
                W = self.model.decoder.weight if self.ensemble is None else self.ensemble.weight
                g = back @ W
                if self.signal in AVERAGED:
                    g = (g if masks is None else g * masks).sum(0)
                delta = logp.new_empty(0) if self.model.training else raw_signal(self.signal, logp, target)
                return delta, [g], [g * gate.detach() * (1 - c.tanh() ** 2)]
        with torch.enable_grad():
            # run the step again from constants: what lies before it gets no gradient from the signal
            leaf = inputs.detach().requires_grad_()
            (hs, cs), _ = self.model.cells(leaf, ([h.detach() for h in before[0]], [c.detach() for c in before[1]]))
            delta = raw_signal(self.signal, self.readout(hs[-1], masks), target)
            found = torch.autograd.grad(delta.sum(), [*hs, *cs])
        return delta.detach(), list(found[: len(hs)]), list(found[len(hs) :])

    def advance(
        self, x_t: Tensor, y_t: Tensor | None, state: State, recode: bool, generator: torch.Generator
    ) -> tuple[_Moment, State]:
        """Read one word (B,), recode unless told not to, and return what happened and the state that is passed on."""
        inputs = self.model.drop(self.model.embedding(x_t))
        after, gate = self.model.cells(inputs, state)
        training, h = self.model.training, after[0][-1]
        needed = not training or not recode or not self.redecode or (self.signal in SUPERVISED and y_t is None)
        first = self.output(h) if needed or self.target == "argmax" else None
        target = y_t if self.signal in SUPERVISED else None
        if self.signal in SUPERVISED and (self.target == "argmax" or y_t is None):
            assert first is not None
            target = first.detach().argmax(-1)
        masks = self.masks(len(x_t), generator)
        known = None
        if not training:
            assert first is not None
            first = first.log_softmax(-1)
            known = first if masks is None and self.ensemble is None else None  # nothing is decoded twice
        if not recode:
            assert first is not None
            with torch.no_grad():
                delta = raw_signal(self.signal, self.readout(h, masks) if known is None else known, target)
            return _Moment(first, first, delta, delta, first), after
        delta, g_h, g_c = self.gradients(inputs, state, after, gate, target, masks, known)
        corrected = tuple(
            [s - self.step.of(s, layer, which) * g for layer, (s, g) in enumerate(zip(states, grads, strict=True))]
            for which, (states, grads) in enumerate(zip(after, (g_h, g_c), strict=True))
        )
        h = corrected[0][-1]
        if training:  # only the output that counts is wanted
            output = self.output(h) if self.redecode else first
            assert output is not None
            return _Moment(output, output, delta, delta, output), (corrected[0], corrected[1])
        assert first is not None
        second = self.output(h).log_softmax(-1)
        read = self.masks(len(x_t), generator) if self.fresh else masks
        delta_after = raw_signal(self.signal, second if known is not None else self.readout(h, read), target)
        moment = _Moment(first, second, delta, delta_after, second if self.redecode else first)
        return moment, (corrected[0], corrected[1])

    def unroll(
        self, x: Tensor, y: Tensor | None, recode_at: Collection[int] | None, generator: torch.Generator
    ) -> Iterator[_Moment]:
        """All time steps of sentences x (B, T), from the zero state."""
        state = self.model.start(len(x))
        for t in range(x.shape[1]):
            y_t = None if y is None else y[:, t].clamp(min=0)
            moment, state = self.advance(x[:, t], y_t, state, recode_at is None or t in recode_at, generator)
            yield moment

    # ---- sentences -----------------------------------------------------------------------------------------------

    def run(
        self, x: Tensor, y: Tensor | None = None, recode_at: Collection[int] | None = None, *, seed: int = 0,
        keep: bool = False,
    ) -> RecodingTrace:
        """Read sentences x (B, T) with next words y (B, T), -1 past the end; without dropout in the model.

        ``recode_at``: the time steps that are recoded, ``None`` all. Without ``y`` what needs the next word is NaN.
        ``seed`` draws dropout masks of the signal. ``keep`` keeps the probabilities. ``ValueError`` for shapes that do
        not fit, or a surprisal of the true word without ``y``.
        """
        if x.dim() != 2 or x.numel() == 0 or (y is not None and y.shape != x.shape):
            shape = None if y is None else tuple(y.shape)
            raise ValueError(f"x {tuple(x.shape)}, y {shape}: must be (B, T), the same, not empty")
        if y is None and self.signal in SUPERVISED and self.target == "gold":
            raise ValueError(f"y=None: signal={self.signal!r} with target='gold' needs the next words")
        self.model._words(x)
        was, _ = self.model.training, self.model.eval()
        gold = None if y is None else y.clamp(min=0)
        rows: dict[str, list[Tensor]] = {name: [] for name in ("nll", *_SIGNAL, "entropy", *_GOLD, "before", "after")}
        with torch.no_grad():
            for t, m in enumerate(self.unroll(x, y, recode_at, torch.Generator().manual_seed(seed))):
                for name, logp in zip(("nll", *_GOLD), (-m.output, m.before, m.after), strict=True):
                    none = torch.full_like(m.delta, math.nan)
                    rows[name].append(none if gold is None else logp.gather(-1, gold[:, t, None])[:, 0])
                for name, values in zip(_SIGNAL, (m.delta, m.delta_after), strict=True):
                    rows[name].append(values)
                rows["entropy"].append(-(m.output.exp() * m.output).sum(-1))
                if keep:
                    rows["before"].append(m.before.exp())
                    rows["after"].append(m.after.exp())
        self.model.train(was)
        found = {name: torch.stack(values, 1) for name, values in rows.items() if values}
        if y is not None:
            found |= {name: values.masked_fill(y < 0, math.nan) for name, values in found.items() if values.dim() == 2}
        return RecodingTrace(**found)

    def loss(self, data: Encoded, n_data: int) -> Tensor:
        """Mean ``-log p`` of the outputs that count (and the ensemble's anchor loss), with gradients."""
        outputs = torch.stack([m.output for m in self.unroll(data.x, data.y, None, self.model.noise)], 1)
        loss = loss_of(outputs, data.y)
        return loss if self.ensemble is None else loss + self.ensemble.anchor_loss(n_data)

    def train_step(self, data: Encoded, optimizer: torch.optim.Optimizer, *, n_data: int, clip: float = 1.0) -> float:
        """One step of ``optimizer`` on a batch, with recoding in the loop; returns the loss."""
        self.model.train()
        optimizer.zero_grad(set_to_none=True)
        loss = self.loss(data, n_data)
        loss.backward()
        nn.utils.clip_grad_norm_(self.parameters(), clip)
        optimizer.step()
        return float(loss.detach())
