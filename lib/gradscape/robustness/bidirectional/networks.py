"""One set of weights in two directions: classifier x → y, and transposed, generator y → x (the paper's method).

    classifier: h_0 = x;    h_l = φ(h_(l-1) W_l + b_l), l < L;   logits = h_(L-1) W_L + b_L
    generator:  k_L = code; k_(l-1) = φ(k_l W_lᵀ + g_l), l > 1;  image logits = k_1 W_1ᵀ + g_1, image = sigmoid

Weights are shared, biases are not. Fully connected networks here, of many members at once; convolutions in
``convolution``.
"""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from gradscape import validate
from gradscape.ensemble import StackedMLP, cross_entropy
from gradscape.ensemble.stacked import Init

ACTIVATIONS = ("sigmoid", "relu")
STD = 0.1  # of the paper's truncated normal


def truncated_normal(std: float, *shape: int, generator: torch.Generator) -> Tensor:
    """Normal draws with those beyond two standard deviations drawn again (TensorFlow's ``truncated_normal``).

    By the inverse distribution function of one uniform number each. ``std`` is that before truncation.
    """
    edge = torch.special.ndtr(torch.tensor(2.0, dtype=torch.float64))
    u = torch.rand(shape, generator=generator, dtype=torch.float64)
    return (std * torch.special.ndtri(1 - edge + (2 * edge - 1) * u)).float()


def _truncated(layer: int, fan_in: int, fan_out: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    return truncated_normal(STD, fan_in, fan_out, generator=generator), torch.zeros(fan_out)


def _half_fan(layer: int, fan_in: int, fan_out: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    std = (fan_in / 2) ** -0.5
    return truncated_normal(std, fan_in, fan_out, generator=generator), torch.zeros(fan_out)


def _xavier(layer: int, fan_in: int, fan_out: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    std = (2 / (fan_in + fan_out)) ** 0.5
    return torch.randn(fan_in, fan_out, generator=generator) * std, torch.zeros(fan_out)


INITS: dict[str, Init] = {
    "trunc0.1": _truncated,  # bidirectional learning: truncated normal, standard deviation 0.1, zero biases
    "half_fan": _half_fan,  # hybrid adversarial networks: 1/sqrt(fan_in / 2)
    "xavier": _xavier,
}


@dataclass(frozen=True)
class GeneratorTape:
    """What a generator pass leaves for its backward pass: per layer, last first, its input and pre-activation."""

    inputs: list[Tensor]
    pre: list[Tensor]


class BidirectionalMLP:
    """S fully connected networks that classify with W and generate with Wᵀ.

    ``sizes`` (pixels, hidden…, classes); member s draws its weights from ``seeds[s]`` alone, so members of one seed
    start alike. ``activation`` "sigmoid" (bidirectional learning) or "relu" (hybrid adversarial networks); ``bias``
    False holds both sets of biases at 0; ``init`` a name of ``INITS``. Both directions are differentiable by their
    inputs and parameters. ``ValueError`` for anything else.

    >>> net = BidirectionalMLP((784, 16, 10), seeds=(0, 1))
    >>> net.classify(torch.zeros(5, 784)).shape, net.generate(torch.eye(10)).shape
    (torch.Size([2, 5, 10]), torch.Size([2, 10, 784]))
    """

    def __init__(
        self,
        sizes: Sequence[int],
        activation: str = "sigmoid",
        bias: bool = True,
        *,
        seeds: Sequence[int] = (0,),
        init: str = "trunc0.1",
        dtype: torch.dtype = torch.float32,
    ) -> None:
        validate.one_of("activation", activation, ACTIVATIONS)
        validate.one_of("bias", bias, (True, False))
        if isinstance(seeds, int | str) or not len(seeds):
            raise ValueError(f"seeds={seeds!r}: must be a sequence of at least one seed")
        self.sizes, self.bias, self.init = tuple(sizes), bool(bias), init
        self.net = StackedMLP(
            self.sizes, len(seeds), act=activation, init=INITS[validate.one_of("init", init, tuple(INITS))],
            generators=[torch.Generator().manual_seed(int(seed)) for seed in seeds], dtype=dtype,
        )
        self.generator_biases = [torch.zeros(len(seeds), 1, size, dtype=dtype) for size in self.sizes[:-1]]

    @property
    def members(self) -> int:
        """S, the number of networks."""
        return self.net.members

    @property
    def layers(self) -> int:
        """L, the number of weight matrices."""
        return self.net.layers

    @property
    def weights(self) -> list[Tensor]:
        """W_1 … W_L, each (S, in, out): the tensors themselves, shared by both directions."""
        return [self.net.params[f"weight{layer}"] for layer in range(self.layers)]

    @property
    def classifier_biases(self) -> list[Tensor]:
        """b_1 … b_L, each (S, 1, out)."""
        return [self.net.params[f"bias{layer}"] for layer in range(self.layers)]

    def parameters(self, direction: str) -> list[Tensor]:
        """What the "classifier"'s or the "generator"'s step may move: the shared weights and the direction's biases."""
        forward = validate.one_of("direction", direction, ("classifier", "generator")) == "classifier"
        own = self.classifier_biases if forward else self.generator_biases
        return [*self.weights, *(own if self.bias else [])]

    def classify(self, x: Tensor, train: bool = False) -> Tensor:
        """Logits (S, B, K) of images (B, D) for all members, or (S, B, D) for one batch each (``train``: no matter)."""
        return self.net.forward(x)

    def generate(self, code: Tensor, train: bool = False) -> Tensor:
        """Image logits (S, B, D) of codes (B, K) or (S, B, K); the image is their sigmoid."""
        return self.record_generator(code)[0]

    def classifier_loss_and_grads(self, x: Tensor, labels: Tensor) -> tuple[Tensor, list[Tensor], list[Tensor]]:
        """Mean cross-entropy (S,) and its gradients by W_1 … W_L and b_1 … b_L.

        ``x`` (U, B, D) and ``labels`` (U, B), where U divides S: member m sees batch m modulo U. Members of one batch
        then pass the widest layer as one network of so many more units, without a copy of their images.
        """
        batches, weights, act = len(x), self.weights, self.net.act
        z = _apart(torch.bmm(x, _together(weights[0], batches)), self.members) + self.classifier_biases[0]
        labels = labels.repeat(self.members // batches, 1)
        pre, post = [], []
        for weight, bias in zip(weights[1:], self.classifier_biases[1:], strict=True):
            pre.append(z)
            post.append(act.value(z))
            z = torch.baddbmm(bias, post[-1], weight)
        loss = cross_entropy.value(z, labels).mean(-1)
        delta = cross_entropy.slope(z, labels).div_(labels.shape[1])
        by_weight, by_bias = [], []
        for layer in reversed(range(self.layers)):
            by_bias.append(delta.sum(1, keepdim=True))
            if layer == 0:
                by_weight.append(_apart(torch.bmm(x.mT, _together(delta, batches)), self.members))
                break
            by_weight.append(torch.bmm(post[layer - 1].mT, delta))
            delta = act.pullback(torch.bmm(delta, weights[layer].mT), pre[layer - 1], post[layer - 1])
        return loss, by_weight[::-1], by_bias[::-1]

    def record_generator(self, code: Tensor, members: slice = slice(None)) -> tuple[Tensor, GeneratorTape]:
        """Image logits of some members, and the tape for :meth:`generator_backward`. ``ValueError`` for the shape."""
        weights = [weight[members] for weight in self.weights]
        count = len(weights[0])
        if code.dim() not in (2, 3) or code.shape[-1] != self.sizes[-1] or (code.dim() == 3 and len(code) != count):
            allowed = f"(B, {self.sizes[-1]}) or ({count}, B, {self.sizes[-1]})"
            raise ValueError(f"code has shape {tuple(code.shape)}: must be {allowed}")
        k = code if code.dim() == 3 else code.expand(count, *code.shape)
        tape = GeneratorTape([], [])
        for layer in reversed(range(self.layers)):
            tape.inputs.append(k)
            z = torch.baddbmm(self.generator_biases[layer][members], k, weights[layer].mT)
            tape.pre.append(z)
            k = self.net.act.value(z) if layer else z
        return k, tape

    def generator_backward(
        self, tape: GeneratorTape, slope: Tensor, members: slice = slice(None)
    ) -> tuple[list[Tensor], list[Tensor]]:
        """Gradients of ``sum(slope * image logits)`` by W_1 … W_L and g_1 … g_L, for a slope (S, B, D) held fixed."""
        by_weight, by_bias, delta = [], [], slope
        for layer in range(self.layers):
            k, weight = tape.inputs[-1 - layer], self.weights[layer][members]
            by_weight.append(torch.bmm(delta.mT, k))
            by_bias.append(delta.sum(1, keepdim=True))
            if layer < self.layers - 1:
                z = tape.pre[-2 - layer]
                delta = self.net.act.pullback(torch.bmm(delta, weight), z, self.net.act.value(z))
        return by_weight, by_bias

    def pick(self, members: Sequence[int], dtype: torch.dtype | None = None) -> BidirectionalMLP:
        """A copy of some members (repeats allowed), in another precision if ``dtype`` is given."""
        chosen = torch.as_tensor(list(members))
        twin = BidirectionalMLP.__new__(BidirectionalMLP)
        twin.sizes, twin.bias, twin.init = self.sizes, self.bias, self.init
        # fresh tensors of the right shape; their values are replaced at once
        twin.net = StackedMLP(self.sizes, len(chosen), act=self.net.act, init=INITS["xavier"],
                              generators=range(len(chosen)), dtype=dtype or self.weights[0].dtype)
        twin.net.params = {name: value[chosen].to(dtype or value.dtype) for name, value in self.net.params.items()}
        twin.generator_biases = [value[chosen].to(dtype or value.dtype) for value in self.generator_biases]
        return twin

    def saturate(self, scale: float) -> BidirectionalMLP:
        """A copy whose last classifier layer, weights and bias, is ``scale`` times as large: the same decisions.

        ``ValueError`` unless ``scale`` > 0.
        """
        validate.positive("scale", scale)
        twin = self.pick(range(self.members))
        for name in (f"weight{self.layers - 1}", f"bias{self.layers - 1}"):
            twin.net.params[name].mul_(scale)
        return twin


def _together(values: Tensor, batches: int) -> Tensor:
    """Units of all members of one batch side by side: (S, n, H) to (U, n, S / U * H), m = v U + u."""
    return values.unflatten(0, (-1, batches)).permute(1, 2, 0, 3).flatten(2)


def _apart(values: Tensor, members: int) -> Tensor:
    """The inverse of :func:`_together`: (U, n, S / U * H) to (S, n, H)."""
    return values.unflatten(2, (members // len(values), -1)).permute(2, 0, 1, 3).flatten(0, 1).contiguous()


def class_prototypes(net: BidirectionalMLP) -> Tensor:
    """What the generator draws for each class, (S, K, D) in (0, 1): the sigmoid of its image logits for one-hots."""
    code = torch.eye(net.sizes[-1], dtype=net.weights[0].dtype)
    return torch.sigmoid(net.generate(code))
