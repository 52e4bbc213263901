"""Finite networks: many in one stack, trained by surrogate gradients written out, and sign for autograd."""
from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from gradscape.credit.surrogate_ntk.surrogates import ErfSurrogate, Surrogate, erf
from gradscape.credit.surrogate_ntk.theory import Activation, steepness
from gradscape.lesson import replicate_seed
from gradscape.validate import at_least, finite, nonnegative, one_of, positive

EMPIRICAL = ("sg", "ntk", "surrogate")


class SurrogateSign(torch.autograd.Function):
    """sign with a surrogate derivative: ``SurrogateSign.apply(z, surrogate)``, for networks trained by autograd."""

    @staticmethod
    def forward(ctx: Any, z: Tensor, surrogate: Surrogate) -> Tensor:
        """sign(z)."""
        ctx.save_for_backward(z)
        ctx.surrogate = surrogate
        return torch.sign(z)

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        """The incoming gradient times σ~(z)."""
        (z,) = ctx.saved_tensors
        return grads[0] * ctx.surrogate.derivative(z), None


class MLPEnsemble(nn.Module):
    """R fully connected networks in NTK parametrization, trained together by surrogate gradient learning (SGL).

    h¹ = sw/sqrt(n0) W¹ x + sb b¹, h^(l+1) = sw/sqrt(n_l) W^(l+1) σ(h^l) + sb b^(l+1); all W, b start as N(0, 1).
    ``sizes`` is (n0, hidden…, outputs). Network r draws from replicate r of ``seed``, whatever its stack-mates.
    ``weights[l]`` is (R, n_l, n_(l+1)), ``biases[l]`` is (R, 1, n_(l+1)). The surrogate left out is erf_1'.
    Raises ``ValueError`` for fewer than one hidden layer and other bad sizes, variances or activations.

    >>> nets = MLPEnsemble(3, (2, 50, 1), seed=0)
    >>> nets(torch.eye(2)).shape
    torch.Size([3, 2])
    """

    def __init__(
        self,
        R: int,
        sizes: Sequence[int],
        activation: Activation = "sign",
        surrogate: Surrogate | None = None,
        sw2: float = 1.0,
        sb2: float = 0.1,
        seed: int = 0,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        super().__init__()
        if len(sizes) < 3:
            raise ValueError(f"sizes={tuple(sizes)!r}: needs an input, at least one hidden and an output size")
        self.R, self.m = at_least("R", R, 1), steepness(activation)
        self.sizes = tuple(at_least(f"sizes[{i}]", size, 1) for i, size in enumerate(sizes))
        self.surrogate = surrogate or erf(1.0)
        self.sw, self.sb = math.sqrt(positive("sw2", sw2)), math.sqrt(nonnegative("sb2", sb2))
        weights = [torch.empty(R, *shape, dtype=dtype) for shape in pairwise(self.sizes)]
        biases = [torch.empty(R, 1, size, dtype=dtype) for size in self.sizes[1:]]
        for r in range(R):
            generator = torch.Generator().manual_seed(replicate_seed(seed, r))
            for tensor in (*weights, *biases):
                tensor[r].normal_(generator=generator)
        self.weights = nn.ParameterList(map(nn.Parameter, weights))
        self.biases = nn.ParameterList(map(nn.Parameter, biases))

    @property
    def depth(self) -> int:
        """Number of hidden layers L."""
        return len(self.sizes) - 2

    def activate(self, z: Tensor) -> Tensor:
        """σ, elementwise."""
        return torch.sign(z) if math.isinf(self.m) else torch.erf(self.m * z)

    def forward(self, X: Tensor) -> Tensor:
        """Outputs (R, P) for X (P, n0); (R, P, O) with O > 1 outputs."""
        outputs = self._record(X)[0][-1]
        return outputs.squeeze(-1) if self.sizes[-1] == 1 else outputs

    def _record(self, X: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        """h¹, …, h^(L+1), each (R, P, n_l), and what each layer was given: X (P, n0), σ(h¹), …, σ(h^L)."""
        if X.dim() != 2 or X.shape[1] != self.sizes[0]:
            raise ValueError(f"X has shape {tuple(X.shape)}: must be (P, {self.sizes[0]})")
        pre: list[Tensor] = []
        signals = [finite("X", X).to(self.weights[0].dtype)]
        for layer, (W, b) in enumerate(zip(self.weights, self.biases, strict=True)):
            if layer:
                signals.append(self.activate(pre[-1]))
            pre.append(torch.matmul(signals[-1], W).mul(self._scale(layer)).add(b, alpha=self.sb))
        return pre, signals

    def _scale(self, layer: int) -> float:
        return self.sw / math.sqrt(self.sizes[layer])

    def _deltas(self, pre: list[Tensor], top: Tensor, surrogate: Surrogate) -> Iterator[tuple[int, Tensor]]:
        """Yield (l, δ) from the last layer down; the product with W is taken before the caller may change it."""
        delta = top
        for layer in reversed(range(len(pre))):
            below = torch.matmul(delta, self.weights[layer].mT).mul_(self._scale(layer)) if layer else None
            yield layer, delta
            if below is not None:
                delta = below * surrogate.derivative(pre[layer - 1])

    @torch.no_grad()
    def sgl_step(self, X: Tensor, y: Tensor, eta: float) -> Tensor:
        """One step on the summed loss ½ Σ (f(x_i) - y_i)² of every network; returns the losses (R,) before it.

        ``X`` (P, n0); ``y`` shaped like the outputs, or without R, the same for all networks. Raises ``ValueError`` for
        other shapes, values not finite, eta <= 0.
        """
        pre, signals = self._record(X)
        outputs = pre[-1] if self.sizes[-1] > 1 else pre[-1].squeeze(-1)
        if tuple(y.shape) not in (tuple(outputs.shape), tuple(outputs.shape[1:])):
            raise ValueError(f"y has shape {tuple(y.shape)}: must be {tuple(outputs.shape[1:])}, with or without R")
        error = outputs - finite("y", y).to(outputs.dtype)
        positive("eta", eta)
        for layer, delta in self._deltas(pre, error.view(pre[-1].shape), self.surrogate):
            below, rate = signals[layer].expand(self.R, -1, -1), -eta * self._scale(layer)
            if delta.shape[-1] == 1:  # a column: as a row the same product is several times faster
                self.weights[layer].mT.baddbmm_(delta.mT, below, alpha=rate)
            else:
                self.weights[layer].baddbmm_(below.mT, delta, alpha=rate)
            self.biases[layer].sub_(delta.sum(1, keepdim=True), alpha=eta * self.sb)
        return error.square().flatten(1).sum(1) / 2

    @torch.no_grad()
    def empirical_kernel(self, X1: Tensor, X2: Tensor, kind: str = "sg") -> Tensor:
        """Products of Jacobians at the current weights, (R, P1, P2), of networks with one output.

        ``kind``: "sg", true slope at X1 and surrogate at X2; "ntk", true slopes at both; "surrogate", surrogates at
        both (what autograd through a surrogate function gives, and not what drives the outputs). Raises ``ValueError``
        for an unknown kind, several outputs, or a true slope asked of sign (zero almost everywhere).
        """
        one_of("kind", kind, EMPIRICAL)
        if self.sizes[-1] != 1:
            raise ValueError(f"sizes={self.sizes}: the empirical kernel is for networks with one output")
        if math.isinf(self.m) and kind != "surrogate":
            raise ValueError(f'kind={kind!r}: the true slope of sign is 0 almost everywhere, so no finite network has '
                             'this kernel; use activation=("erf", m), or kind="surrogate"')
        true: Surrogate = self.surrogate if math.isinf(self.m) else ErfSurrogate(self.m)
        first, second = {
            "sg": (true, self.surrogate), "ntk": (true, true), "surrogate": (self.surrogate, self.surrogate),
        }[kind]
        (signals1, deltas1), (signals2, deltas2) = self._jacobian(X1, first), self._jacobian(X2, second)
        total = torch.zeros((), dtype=self.weights[0].dtype)
        for layer in range(len(self.weights)):
            signal = self._scale(layer) ** 2 * torch.matmul(signals1[layer], signals2[layer].mT) + self.sb**2
            total = total + signal * torch.matmul(deltas1[layer], deltas2[layer].mT)
        return total

    def _jacobian(self, X: Tensor, slope: Surrogate) -> tuple[list[Tensor], dict[int, Tensor]]:
        pre, signals = self._record(X)
        return signals, dict(self._deltas(pre, torch.ones_like(pre[-1]), slope))
