"""Many binary MLPs at once: one stack for all estimators, final values of o, rates and seeds (arXiv 2308.06689).

Member m owns slice m of every tensor; the backward pass is written by hand (``ensemble.StackedMLP``), so that a sweep
of sixty networks costs little more than one.
"""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import torch
from torch import Tensor

from gradscape import validate
from gradscape.credit.rectified_ste.estimators import (
    KINDS,
    M_PAPER,
    SCHEDULES,
    T_PAPER,
    estimator,
    estimator_grad,
    o_schedule,
    tau_schedule,
)
from gradscape.ensemble import StackedMLP

BN_EPS, BN_MOMENTUM = 1e-5, 0.1  # torch's own


@dataclass(frozen=True)
class Arm:
    """How some members of a stack train: an estimator and its constants, the rate, the activations' kind.

    ``o_end``, ``t``, ``m``, ``schedule`` belong to kind "reste"; o follows the schedule from 1 to ``o_end``. EDE's
    sharpness runs from 0.1 to 10. ``binary_activations=False`` is the paper's 1W/32A.
    """

    kind: str = "reste"
    o_end: float = 3.0
    lr: float = 0.1
    t: float = T_PAPER
    m: float = M_PAPER
    clip: float = 1.0
    schedule: str = "cosine"
    binary_activations: bool = True

    def __post_init__(self) -> None:
        validate.one_of("kind", self.kind, KINDS)
        validate.one_of("schedule", self.schedule, SCHEDULES)
        o_schedule(0, 1, self.o_end)
        for name in ("lr", "t", "m", "clip"):
            validate.positive(name, getattr(self, name))
        if self.m >= self.t:
            raise ValueError(f"m={self.m!r}: must be below t={self.t!r}")

    @property
    def name(self) -> str:
        """A short name for figures."""
        words = {"ste": f"STE, clip {self.clip:g}", "ede": "EDE", "bireal": "Bi-Real", "reste": f"ReSTE {self.o_end:g}"}
        return words[self.kind] + ("" if self.binary_activations else ", real activations")


@dataclass(frozen=True)
class Group:
    """Neighboring members of one kind: ``where`` they are, and their parameters (members, 1, 1)."""

    where: slice
    kind: str
    binary_activations: bool
    values: dict[str, Tensor]

    def pass_back(self, grad: Tensor, z: Tensor) -> Tensor:
        """``grad`` times d(z); one tensor of slopes, few passes over memory."""
        if self.kind == "ste":
            return torch.le(z.abs(), self.values["clip"], out=torch.empty_like(grad)).mul_(grad)
        if self.kind == "reste":
            o, t, m = (self.values[name] for name in ("o", "t", "m"))
            size = z.abs()
            slope = torch.clamp(size, min=m, max=t).log_().mul_((1 - o) / o).exp_()
            flat, inside = torch.empty_like(size), torch.empty_like(size)
            torch.le(size, m, out=flat)  # as numbers: choosing by truth values costs five times as much
            torch.le(size, t, out=inside)
            return slope.mul_(flat.mul_(1 - 1 / o).add_(1 / o)).mul_(inside).mul_(grad)
        params: dict[str, Any] = self.values
        return grad * estimator_grad(z, self.kind, **params)


@dataclass(frozen=True)
class BinaryTape:
    """What a forward pass leaves, layer by layer: input, its signs, ReLU's output, normalized, 1/deviation."""

    x: Tensor
    inputs: list[Tensor]
    multiplied: list[Tensor]
    rectified: list[Tensor]
    normal: list[Tensor]
    inverse: list[Tensor]


class BinaryStack(StackedMLP):
    """Members with a real first layer, ``depth`` binary layers of ``width`` and a real classifier.

    Every hidden layer is product, ReLU, batch normalization; a binary one multiplies R(h) by R(W) mean|W|. Weights
    start from N(0, 2/fan_in), member m's from ``generators[m]``. ``params`` holds ``weight0`` ... (M, in, out) and, for
    hidden layers, ``gain``, ``shift`` (M, 1, width), and the classifier's ``bias`` (M, 1, classes).
    """

    def __init__(
        self, in_dim: int, width: int, depth: int, n_classes: int, arms: Sequence[Arm], *,
        generators: Sequence[torch.Generator | int], dtype: torch.dtype = torch.float32,
    ) -> None:
        validate.at_least("depth", depth, 1)
        self.arms = tuple(arms)
        super().__init__(
            (in_dim, *[width] * (depth + 1), n_classes), len(self.arms), bias=False, init="kaiming",
            generators=generators, dtype=dtype,
        )
        self.depth = depth
        self.running: dict[str, Tensor] = {}
        for layer in range(depth + 1):
            self.params[f"gain{layer}"] = torch.ones(self.members, 1, width, dtype=dtype)
            self.params[f"shift{layer}"] = torch.zeros(self.members, 1, width, dtype=dtype)
            self.running[f"mean{layer}"] = torch.zeros(self.members, 1, width, dtype=dtype)
            self.running[f"var{layer}"] = torch.ones(self.members, 1, width, dtype=dtype)
        self.params["bias"] = torch.zeros(self.members, 1, n_classes, dtype=dtype)
        self.training = True
        self.groups: list[Group] = []
        self.set_epoch(0, 1)

    @property
    def binary_names(self) -> list[str]:
        """The binary layers' weights."""
        return [f"weight{layer}" for layer in range(1, self.depth + 1)]

    @property
    def binary_weights(self) -> list[Tensor]:
        """Latent weights of the binary layers, each (M, width, width)."""
        return [self.params[name] for name in self.binary_names]

    def set_epoch(self, epoch: float, epochs: float) -> None:
        """Move every member's estimator to where its schedule is at ``epoch`` of ``epochs``."""
        self.groups, start = [], 0
        for (kind, binary), same in groupby(self.arms, key=lambda arm: (arm.kind, arm.binary_activations)):
            arms = list(same)
            values = {
                "ste": {"clip": [arm.clip for arm in arms]},
                "ede": {"tau": [tau_schedule(epoch, epochs) for _ in arms]},
                "bireal": {},
                "reste": {
                    "o": [o_schedule(epoch, epochs, arm.o_end, arm.schedule) for arm in arms],
                    "t": [arm.t for arm in arms], "m": [arm.m for arm in arms],
                },
            }[kind]
            made = {
                name: torch.tensor(entries, dtype=self.params["bias"].dtype).view(-1, 1, 1)
                for name, entries in values.items()
            }
            self.groups.append(Group(slice(start, start + len(arms)), kind, binary, made))
            start += len(arms)

    def record(self, x: Tensor) -> tuple[Tensor, BinaryTape]:  # type: ignore[override]
        """Outputs (M, B, classes) for x (B, in_dim), shared, or (M, B, in_dim), and the tape for `backward`."""
        h = x if x.dim() == 3 else x.expand(self.members, *x.shape)
        tape = BinaryTape(h, [], [], [], [], [])
        for layer in range(self.depth + 1):
            if layer == 0:
                y = torch.bmm(h, self.params["weight0"])
            else:
                weight = self.params[f"weight{layer}"]
                a = self._signs(h)
                # the scale comes after the product: sums of signs are whole numbers, so that 0 is 0 and ReLU cuts it
                y = torch.bmm(a, weight.sign()).mul_(weight.abs().mean((1, 2), keepdim=True))
                tape.inputs.append(h)
                tape.multiplied.append(a)
            y = torch.relu_(y)
            h = self._normalize(layer, y, tape)
            tape.rectified.append(y)
        tape.multiplied.append(h)
        return torch.baddbmm(self.params["bias"], h, self.params[f"weight{self.depth + 1}"]), tape

    def _signs(self, h: Tensor) -> Tensor:
        a = h.sign()
        for group in self.groups:
            if not group.binary_activations:
                a[group.where] = h[group.where]
        return a

    def _normalize(self, layer: int, y: Tensor, tape: BinaryTape) -> Tensor:
        if self.training:
            mean = y.mean(1, keepdim=True)
            centered = y - mean
            var = centered.square().mean(1, keepdim=True)
            self.running[f"mean{layer}"].lerp_(mean, BN_MOMENTUM)
            self.running[f"var{layer}"].lerp_(var * (y.shape[1] / (y.shape[1] - 1)), BN_MOMENTUM)
        else:
            centered, var = y - self.running[f"mean{layer}"], self.running[f"var{layer}"]
        inverse = (var + BN_EPS).rsqrt_()
        normal = centered.mul_(inverse)
        tape.normal.append(normal)
        tape.inverse.append(inverse)
        return (normal * self.params[f"gain{layer}"]).add_(self.params[f"shift{layer}"])

    def backward(self, tape: BinaryTape, slope: Tensor) -> dict[str, Tensor]:  # type: ignore[override]
        """Gradients of ``sum(slope * outputs)``, with each estimator in the place of sign's derivative."""
        last = self.depth + 1
        grads = {"bias": slope.sum(1, keepdim=True), f"weight{last}": torch.bmm(tape.multiplied[-1].mT, slope)}
        grad = torch.bmm(slope, self.params[f"weight{last}"].mT)
        for layer in range(self.depth, -1, -1):
            grad = self._through_norm(layer, grad, tape, grads)
            grad = grad.mul_(torch.gt(tape.rectified[layer], 0, out=torch.empty_like(grad)))
            if layer == 0:
                grads["weight0"] = torch.bmm(tape.x.mT, grad)
                break
            weight = self.params[f"weight{layer}"]
            signs, scale = weight.sign(), weight.abs().mean((1, 2), keepdim=True)
            by_sign = torch.bmm(tape.multiplied[layer - 1].mT, grad)
            by_scale = (by_sign * signs).sum((1, 2), keepdim=True)
            grads[f"weight{layer}"] = self._pass_back(by_sign * scale, weight, False).add_(
                signs.mul_(by_scale / weight[0].numel())
            )
            grad = torch.bmm(grad, weight.sign().mul_(scale).mT)
            grad = self._pass_back(grad, tape.inputs[layer - 1], True)
        return {name: grads[name] for name in self.params}

    def _through_norm(self, layer: int, grad: Tensor, tape: BinaryTape, grads: dict[str, Tensor]) -> Tensor:
        normal, inverse = tape.normal[layer], tape.inverse[layer]
        by_shift = grad.sum(1, keepdim=True)
        by_gain = (grad * normal).sum(1, keepdim=True)
        grads[f"shift{layer}"], grads[f"gain{layer}"] = by_shift, by_gain
        factor = self.params[f"gain{layer}"] * inverse
        if not self.training:
            return grad * factor
        rows = grad.shape[1]
        return (normal * (by_gain / -rows)).add_(grad).sub_(by_shift / rows).mul_(factor)

    def _pass_back(self, grad: Tensor, z: Tensor, activations: bool) -> Tensor:
        parts = [
            grad[group.where] if activations and not group.binary_activations
            else group.pass_back(grad[group.where], z[group.where])
            for group in self.groups
        ]
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    def descend_(self, tape: object, slope: Tensor) -> None:
        """Not offered: the latent weights need their gradients as such (momentum, the indicator s)."""
        raise NotImplementedError("BinaryStack trains with an update; give fit one (sgd)")

    def compact(self, mask: Tensor) -> Tensor:
        """As in StackedMLP, with arms and running averages; call `set_epoch` after it."""
        keep = super().compact(mask)
        self.arms = tuple(self.arms[k] for k in keep.tolist())
        self.running = {name: value[keep] for name, value in self.running.items()}
        self.set_epoch(0, 1)
        return keep

    @torch.no_grad()
    def evaluate(self, x: Tensor, y: Tensor, batch: int = 500) -> Tensor:
        """Share of rows classified rightly, (M,), with running averages."""
        training, self.training = self.training, False
        right = torch.zeros(self.members)
        for k in range(0, len(x), batch):
            right += (self.forward(x[k : k + batch]).argmax(-1) == y[k : k + batch]).sum(-1)
        self.training = training
        return right / len(x)

    def errors(self) -> Tensor:
        """e of every binary layer (M, depth): each member's estimator at the *end* of its schedule (official code).

        As `estimating_error`, but NaN for a member that diverged.
        """
        found = []
        for group in self.groups:
            arms = self.arms[group.where]
            dtype = self.params["bias"].dtype
            weights = [weight[group.where] for weight in self.binary_weights]
            end: dict[str, Tensor] = {}
            if group.kind == "reste":
                end = {"o": torch.tensor([arm.o_end for arm in arms], dtype=dtype).view(-1, 1, 1)}
            elif group.kind == "ede":
                end = {"tau": torch.tensor(tau_schedule(1, 1), dtype=dtype)}
            elif group.kind == "ste":
                end = {"clip": group.values["clip"]}
            params: dict[str, Any] = end
            gaps = [weight.sign() - estimator(weight, group.kind, **params) for weight in weights]
            found.append(torch.stack([torch.linalg.vector_norm(gap.flatten(1), dim=1) for gap in gaps], -1))
        return torch.cat(found)

    def shares(self) -> tuple[Tensor, Tensor]:
        """Shares of latent binary weights with |w| <= m and with |w| > t, each (M,)."""
        m = torch.tensor([arm.m for arm in self.arms]).view(-1, 1, 1, 1)
        t = torch.tensor([arm.t for arm in self.arms]).view(-1, 1, 1, 1)
        sizes = torch.stack(self.binary_weights, 1).abs()
        axes = (1, 2, 3)
        return (sizes <= m).float().mean(axes), (sizes > t).float().mean(axes)
