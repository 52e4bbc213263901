"""Many small fully connected networks as one: stacked parameters, one batched product per layer, closed-form gradients.

A Python loop over small modules spends its time in dispatch, not in arithmetic. Here member m of the stack owns slice m
of every tensor, and no operation mixes slices, so a member's result does not depend on its stack-mates.
"""
from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from gradscape.ensemble.activations import Activation, activation
from gradscape.ensemble.losses import Loss
from gradscape.validate import at_least, one_of, positive

Init = Callable[[int, int, int, torch.Generator], "tuple[Tensor, Tensor]"]
PARAMS = ("standard", "ntk", "mean_field")


@dataclass(frozen=True)
class Tape:
    """What a forward pass leaves for the backward pass: per layer its inputs, pre-activations and activations."""

    inputs: list[Tensor]
    pre: list[Tensor]
    post: list[Tensor]


def _normal(std: Callable[[int, int], float]) -> Init:
    def init(layer: int, fan_in: int, fan_out: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        weight = torch.randn(fan_in, fan_out, generator=generator)
        return weight * std(fan_in, fan_out), torch.zeros(fan_out)

    return init


def _linear(layer: int, fan_in: int, fan_out: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    bound = 1 / math.sqrt(fan_in)
    weight = torch.rand(fan_in, fan_out, generator=generator).mul_(2 * bound).sub_(bound)
    return weight, torch.rand(fan_out, generator=generator).mul_(2 * bound).sub_(bound)


INITS: dict[str, Init] = {
    "linear": _linear,  # uniform within 1/sqrt(fan_in), weights and biases: the law of torch.nn.Linear
    "normal": _normal(lambda fan_in, fan_out: 1.0),
    "kaiming": _normal(lambda fan_in, fan_out: math.sqrt(2 / fan_in)),
    "xavier": _normal(lambda fan_in, fan_out: math.sqrt(2 / (fan_in + fan_out))),
    "lecun": _normal(lambda fan_in, fan_out: math.sqrt(1 / fan_in)),
}


def member_generators(generators: Sequence[torch.Generator | int], members: int) -> list[torch.Generator]:
    """Return one generator per member; integers are taken as seeds, a bare repeated generator is refused."""
    if len(generators) != members:
        raise ValueError(f"generators has {len(generators)} entries: one per member is needed ({members})")
    made = [g if isinstance(g, torch.Generator) else torch.Generator().manual_seed(int(g)) for g in generators]
    if len({id(g) for g in made}) < members:
        raise ValueError("generators holds one object twice: members would then draw from each other's stream")
    return made


def _layer_widths(sizes: Sequence[int | Sequence[int]], members: int) -> list[list[int]]:
    if len(sizes) < 2:
        raise ValueError(f"sizes={tuple(sizes)!r}: needs at least an input and an output size")
    widths = []
    for position, size in enumerate(sizes):
        each = [size] * members if isinstance(size, int) else list(size)
        if len(each) != members:
            raise ValueError(f"sizes[{position}] has {len(each)} widths: one per member is needed ({members})")
        if position in (0, len(sizes) - 1) and len(set(each)) > 1:
            raise ValueError(f"sizes[{position}] differs between members: only hidden widths may")
        widths.append([at_least(f"sizes[{position}]", width, 1) for width in each])
    return widths


class StackedMLP:
    """``members`` fully connected networks with stacked parameters and a hand-written backward pass.

    Layer l computes ``z = s_l * a W_l + b_l``; all hidden layers apply ``a = gain * act(z)``. The scale ``s_l`` is the
    parametrization: ``standard`` 1; ``ntk`` ``1/sqrt(fan_in)`` (Jacot et al. 2018); ``mean_field`` the same, with
    ``1/fan_in`` in the last layer (Mei, Montanari & Nguyen 2018). ``gain`` serves activations of unit variance.

    ``sizes`` is ``(inputs, hidden…, outputs)``; a hidden entry may be a sequence of ``members`` widths: narrower
    members are padded with zeros, which no gradient ever leaves. ``params`` holds ``weight0`` (M, in, out), ``bias0``
    (M, 1, out), ``weight1``, …. ``init`` is a name of ``INITS`` (default: ``linear`` for ``standard``, else
    ``normal``) or a function ``(layer, fan_in, fan_out, generator) -> (weight, bias)``. Member m draws from
    ``generators[m]`` (a generator or a seed) and from nothing else.

    >>> net = StackedMLP((64, 32, 10), 5, generators=range(5))
    >>> net.forward(torch.zeros(16, 64)).shape
    torch.Size([5, 16, 10])
    """

    def __init__(
        self,
        sizes: Sequence[int | Sequence[int]],
        members: int,
        *,
        act: str | Activation = "relu",
        param: str = "standard",
        gain: float = 1.0,
        bias: bool = True,
        init: str | Init | None = None,
        generators: Sequence[torch.Generator | int],
        dtype: torch.dtype = torch.float32,
        device: str | torch.device = "cpu",
    ) -> None:
        self.members = at_least("members", members, 1)
        self.act = activation(act)
        self.param = one_of("param", param, PARAMS)
        self.bias, self.gain = bias, positive("gain", gain)
        self.widths = torch.tensor(_layer_widths(sizes, members)).T.contiguous()  # (M, layers + 1)
        self.generators = member_generators(generators, members)
        self.device = torch.device(device)
        self.params: dict[str, Tensor] = {}
        self._draw(init or ("linear" if param == "standard" else "normal"), dtype)
        self._prepare()

    def _draw(self, init: str | Init, dtype: torch.dtype) -> None:
        rule = INITS[one_of("init", init, tuple(INITS))] if isinstance(init, str) else init
        widest = self.widths.amax(0).tolist()
        for layer, (fan_in, fan_out) in enumerate(pairwise(widest)):
            self.params[f"weight{layer}"] = torch.zeros(self.members, fan_in, fan_out, dtype=dtype)
            if self.bias:
                self.params[f"bias{layer}"] = torch.zeros(self.members, 1, fan_out, dtype=dtype)
        for member, (generator, widths) in enumerate(zip(self.generators, self.widths.tolist(), strict=True)):
            for layer, (fan_in, fan_out) in enumerate(pairwise(widths)):
                weight, bias = rule(layer, fan_in, fan_out, generator)
                self.params[f"weight{layer}"][member, :fan_in, :fan_out] = weight
                if self.bias:
                    self.params[f"bias{layer}"][member, 0, :fan_out] = bias
        self.params = {name: value.to(self.device) for name, value in self.params.items()}

    def _prepare(self) -> None:
        """Work out layer scales and padding masks for the members at hand."""
        self.scales: list[float | Tensor] = []
        self.masks: list[Tensor | None] = []
        for layer in range(self.layers):
            fan_in = self.widths[:, layer].double()
            power = {"standard": 0.0, "ntk": -0.5, "mean_field": -1.0 if layer == self.layers - 1 else -0.5}[self.param]
            scale = fan_in**power * (self.gain if layer else 1.0)  # the gain is linear: the next layer applies it
            same = bool((scale == scale[0]).all())
            weight = self.params[f"weight{layer}"]
            self.scales.append(float(scale[0]) if same else scale.view(-1, 1, 1).to(weight))
            widths = self.widths[:, layer + 1]
            padded = self.act.at_zero != 0 and layer < self.layers - 1 and bool((widths != widths.max()).any())
            mask = torch.arange(weight.shape[-1]) < widths.view(-1, 1, 1)
            self.masks.append(mask.to(weight) if padded else None)

    @property
    def layers(self) -> int:
        """Number of weight layers, D + 1 for D hidden layers."""
        return self.widths.shape[1] - 1

    def call(self, params: Mapping[str, Tensor], x: Tensor) -> Tensor:
        """Evaluate with other parameters, stacked or one member's (no member axis); differentiable, for ``torch.func``.

        Needs equal widths, or scales and masks would depend on the member.
        """
        if any(isinstance(scale, Tensor) for scale in self.scales) or any(mask is not None for mask in self.masks):
            raise ValueError("call needs members of equal width; use forward for padded stacks")
        for layer in range(self.layers):
            x = x @ params[f"weight{layer}"] * self.scales[layer]
            if self.bias:
                x = x + params[f"bias{layer}"]
            if layer < self.layers - 1:
                x = self.act.value(x)
        return x

    def forward(self, x: Tensor) -> Tensor:
        """Outputs (M, B, O) for inputs shared by all members (B, d) or one batch each (M, B, d)."""
        return self.record(x)[0]

    __call__ = forward

    def record(self, x: Tensor) -> tuple[Tensor, Tape]:
        """Return the outputs (M, B, O) and the tape from which ``backward`` works."""
        weight = self.params["weight0"]
        if x.shape[-1] != weight.shape[1] or x.dim() not in (2, 3) or (x.dim() == 3 and len(x) != self.members):
            allowed = f"(B, {weight.shape[1]}) or ({self.members}, B, {weight.shape[1]})"
            raise ValueError(f"x has shape {tuple(x.shape)}: must be {allowed}")
        a = x if x.dim() == 3 else x.expand(self.members, *x.shape)
        tape = Tape([], [], [])
        for layer in range(self.layers):
            tape.inputs.append(a)
            z = self._affine(layer, a)
            if layer == self.layers - 1:
                return z, tape
            a = self.act.value(z)
            mask = self.masks[layer]
            if mask is not None:
                a = a * mask
            tape.pre.append(z)
            tape.post.append(a)
        raise AssertionError("unreachable: the last layer returns")

    def _affine(self, layer: int, a: Tensor) -> Tensor:
        z = _product(a, self.params[f"weight{layer}"], self.scales[layer])
        return z.add_(self.params[f"bias{layer}"]) if self.bias else z

    def _deltas(self, tape: Tape, slope: Tensor) -> Iterator[tuple[int, Tensor]]:
        """Yield (layer, dL/dz) from the last layer to the first."""
        delta = slope
        for layer in reversed(range(self.layers)):
            # taken before the caller may change this layer's weights
            below = _product(delta, self.params[f"weight{layer}"].mT, self.scales[layer]) if layer else None
            yield layer, delta
            if below is not None:
                mask = self.masks[layer - 1]
                if mask is not None:
                    below = below * mask
                delta = self.act.pullback(below, tape.pre[layer - 1], tape.post[layer - 1])

    def backward(self, tape: Tape, slope: Tensor) -> dict[str, Tensor]:
        """Gradients of ``sum(slope * outputs)`` for a slope (M, B, O) held fixed, shaped like ``params``."""
        grads = {}
        for layer, delta in self._deltas(tape, slope):
            grads[f"weight{layer}"] = _product(tape.inputs[layer].mT, delta, self.scales[layer])
            if self.bias:
                grads[f"bias{layer}"] = delta.sum(1, keepdim=True)
        return {name: grads[name] for name in self.params}

    def descend_(self, tape: Tape, slope: Tensor) -> None:
        """Subtract ``backward(tape, slope)`` from the parameters in place, without building the gradients.

        With ``slope = lr * dL/dF`` this is plain SGD; one multiply-add per layer saves most of its memory traffic.
        """
        for layer, delta in self._deltas(tape, slope):
            weight, a, scale = self.params[f"weight{layer}"], tape.inputs[layer], self.scales[layer]
            move, factor = (delta, scale) if isinstance(scale, float) else (delta * scale, 1.0)
            if weight.shape[2] == 1:
                weight.mT.baddbmm_(move.mT, a, alpha=-factor)  # as in _product
            else:
                weight.baddbmm_(a.mT, move, alpha=-factor)
            if self.bias:
                self.params[f"bias{layer}"].sub_(delta.sum(1, keepdim=True))

    def loss_and_grads(
        self, x: Tensor, y: Tensor, loss: Loss, *, offset: Tensor | float = 0.0
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the batch-mean loss of each member (M,) and its gradients.

        ``offset`` (broadcast to (M, B, O)) is subtracted from the outputs, as lazy training's ``f(w) - f(w0)`` needs.
        """
        outputs, tape = self.record(x)
        outputs = outputs - offset
        value = loss.value(outputs, y)
        return value.mean(-1), self.backward(tape, loss.slope(outputs, y) / value.shape[-1])

    def compact(self, mask: Tensor) -> Tensor:
        """Keep only the members where ``mask`` (M,) is true, in place; return their former indices.

        Survivors keep weights, generators and order; costs then follow the members that are left.
        """
        if mask.dtype != torch.bool or mask.shape != (self.members,) or not bool(mask.any()):
            raise ValueError(f"mask: must be a boolean tensor ({self.members},) with a true entry, got {mask!r}")
        keep = mask.nonzero().squeeze(1).cpu()
        if len(keep) < self.members:
            self.params = {name: value.index_select(0, keep.to(value.device)) for name, value in self.params.items()}
            self.generators = [self.generators[i] for i in keep.tolist()]
            self.widths = self.widths[keep]
            self.members = len(keep)
            self._prepare()
        return keep

    def member(self, index: int) -> dict[str, Tensor]:
        """Return copies of one member's parameters, without padding: weights (in, out), biases (out,)."""
        widths, found = self.widths[index].tolist(), {}
        for layer, (fan_in, fan_out) in enumerate(pairwise(widths)):
            found[f"weight{layer}"] = self.params[f"weight{layer}"][index, :fan_in, :fan_out].clone()
            if self.bias:
                found[f"bias{layer}"] = self.params[f"bias{layer}"][index, 0, :fan_out].clone()
        return found


def _product(a: Tensor, b: Tensor, scale: float | Tensor) -> Tensor:
    """``scale * a @ b`` for stacks; columns become rows, which batched products handle far faster."""
    if not isinstance(scale, float):
        return _product(a, b, 1.0).mul_(scale)
    if b.shape[2] == 1:
        return _product(b.mT, a.mT, scale).mT if a.shape[1] > 1 else torch.bmm(a, b).mul_(scale)
    if a.shape[2] == 1:
        return (a * scale) * b
    return torch.baddbmm(b.new_empty(1, 1, 1), a, b, beta=0, alpha=scale) if scale != 1 else torch.bmm(a, b)


def vmap_loss_and_grads(net: StackedMLP, x: Tensor, y: Tensor, loss: Loss) -> tuple[Tensor, dict[str, Tensor]]:
    """The same as ``StackedMLP.loss_and_grads`` by ``torch.func.vmap(grad)``: slower, independent of our backward.

    ``x`` is (B, d) or (M, B, d); ``y`` is shared (B, …) when x is, else one batch each (M, B, …).
    """

    def objective(params: dict[str, Tensor], inputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        value = loss.value(net.call(params, inputs), targets).mean()
        return value, value

    axis = 0 if x.dim() == 3 else None
    step = torch.func.vmap(torch.func.grad(objective, has_aux=True), in_dims=(0, axis, axis))
    grads, values = step(dict(net.params), x, y)
    return values, grads
