"""Contractive compressors of gradients, with their guarantees and the exact size of what they send.

A compressor C is contractive with parameter alpha in (0, 1] when E‖C(x) - x‖² <= (1 - alpha) ‖x‖² for every x
(Richtárik et al. 2021, arXiv 2106.05203, Sec. 1). Every compressor here acts on the last axis, row by row; ``alpha(d)``
is its parameter for vectors of length d (the largest that holds for all of them), ``bits(d)`` the size of one message.
``homogeneous``: C(c x) = c C(x) for every c > 0. ``random``: needs a generator.
"""
from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Protocol

import torch
from torch import Tensor

from gradscape import validate

VALUE_BITS = 32  # of a number on the wire, as papers count them


class Compressor(Protocol):
    """What methods need of a compressor."""

    @property
    def homogeneous(self) -> bool:
        """Whether C(c x) = c C(x) for every c > 0."""
        ...

    @property
    def random(self) -> bool:
        """Whether the result is drawn, with the ``generator`` of the call."""
        ...

    def __call__(self, x: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """What the receiver knows of ``x`` (..., d) after one message per row."""
        ...

    def keep(self, x: Tensor, generator: torch.Generator | None = None) -> Tensor | None:
        """Places (..., k) of the kept entries, if keeping entries is all it does; ``None`` if it changes values."""
        ...

    def alpha(self, d: int) -> float:
        """The largest alpha with E‖C(x) - x‖² <= (1 - alpha) ‖x‖² for all x of length d."""
        ...

    def bits(self, d: int, *, value_bits: int = VALUE_BITS, indices: bool = True) -> int:
        """Bits of one message; ``indices=False`` leaves out which entries were kept, as many papers do."""
        ...


def index_bits(d: int) -> int:
    """Bits that name one of d entries: ceil(log2 d).

    >>> index_bits(1), index_bits(20), index_bits(1024)
    (0, 5, 10)
    """
    return (validate.at_least("d", d, 1) - 1).bit_length()


def largest(x: Tensor, k: int) -> Tensor:
    """Places (..., k), in no order, of the k entries of largest modulus in every row of ``x`` (..., d)."""
    d = _checked(x, k)
    if k == d:
        return torch.arange(d, device=x.device).expand(x.shape)
    size = x.detach().abs()
    if size.device.type == "cpu" and size.dtype in (torch.float32, torch.float64):
        # numpy is two to four times faster here
        if k == 1:
            return torch.from_numpy(size.numpy().argmax(-1, keepdims=True))
        return torch.from_numpy(size.numpy().argpartition(d - k, axis=-1)[..., d - k :])
    return size.topk(k, dim=-1, sorted=False).indices


def sample_places(x: Tensor, k: int, generator: torch.Generator) -> Tensor:
    """k places (..., k) of every row of ``x`` (..., d), drawn uniformly without replacement."""
    if _checked(x, k) == k:
        return torch.arange(k, device=x.device).expand(x.shape)
    draw = torch.rand(x.shape, generator=generator, device=x.device, dtype=torch.float64)
    return draw.topk(k, dim=-1, sorted=False).indices


def only(x: Tensor, places: Tensor) -> Tensor:
    """``x`` (..., d) at ``places`` (..., k), zero elsewhere."""
    return torch.zeros_like(x).scatter(-1, places, x.gather(-1, places))


def top_k(x: Tensor, k: int) -> Tensor:
    """Keep the k entries of largest modulus in every row of ``x`` (..., d), zero elsewhere.

    Ties go to any of the equal entries, the same on every call. ``ValueError`` for k outside 1..d.

    >>> top_k(torch.tensor([1.0, -3.0, 2.0]), 2)
    tensor([ 0., -3.,  2.])
    """
    return only(x, largest(x, k))


def rand_k(x: Tensor, k: int, generator: torch.Generator) -> Tensor:
    """Keep k entries of every row of ``x`` (..., d), drawn uniformly, unscaled (so that the result is contractive)."""
    return only(x, sample_places(x, k, generator))


def natural_round(x: Tensor) -> Tensor:
    """Round every entry to the nearest power of two (Horváth et al. 2019, arXiv 1905.10988, without the dice).

    Exactly half way (1.5 times a power) goes up; zeros stay. The relative error of an entry is at most 1/3.

    >>> natural_round(torch.tensor([0.0, 1.4, 1.5, -5.0]))
    tensor([ 0.,  1.,  2., -4.])
    """
    mantissa = torch.frexp(x).mantissa  # 0.5 <= |mantissa| < 1, and x / mantissa is exactly a power of two
    power = x / mantissa.abs() * torch.where(mantissa.abs() >= 0.75, 1.0, 0.5)
    return torch.where((x == 0) | ~torch.isfinite(x), x, power)


def scaled_sign(x: Tensor) -> Tensor:
    """Signs times the mean modulus of each row (Karimireddy et al. 2019, arXiv 1901.09847); zeros count as positive."""
    return torch.where(x >= 0, 1.0, -1.0).to(x.dtype) * x.abs().mean(-1, keepdim=True)


def quantize(x: Tensor, levels: int) -> Tensor:
    """Round every entry to the nearest multiple of (largest modulus of its row) / ``levels``; zeros stay."""
    scale = x.abs().amax(-1, keepdim=True) / levels
    return torch.where(scale == 0, torch.zeros_like(x), (x / scale).round() * scale)


def dither(x: Tensor, levels: int, generator: torch.Generator) -> Tensor:
    """Unbiased random rounding to multiples of ‖row‖ / ``levels`` (QSGD, Alistarh et al. 2017, arXiv 1610.02132)."""
    scale = x.norm(dim=-1, keepdim=True) / levels
    draw = torch.rand(x.shape, generator=generator, device=x.device, dtype=x.dtype)
    return torch.where(scale == 0, torch.zeros_like(x), (x / scale + draw).floor() * scale)


def _checked(x: Tensor, k: int) -> int:
    d = x.shape[-1] if x.dim() else 0
    if d == 0:
        raise ValueError(f"x has shape {tuple(x.shape)}: needs a last axis with at least one entry")
    validate.in_range("k", validate.at_least("k", k, 1), 1, d)
    return d


def _one(generator: torch.Generator | None) -> torch.Generator:
    if generator is None:
        raise ValueError("generator=None: a random compressor needs a torch.Generator")
    return generator


class _ChangesValues:
    """Compressors that send something of every entry."""

    def keep(self, x: Tensor, generator: torch.Generator | None = None) -> None:
        """``None``: no entry is left out or kept as it is."""
        return None


@dataclass(frozen=True)
class Identity(_ChangesValues):
    """Send everything: alpha = 1."""

    homogeneous: ClassVar[bool] = True
    random: ClassVar[bool] = False

    def __call__(self, x: Tensor, generator: torch.Generator | None = None) -> Tensor:
        return x.clone()

    def alpha(self, d: int) -> float:
        """1: nothing is lost."""
        return 1.0

    def bits(self, d: int, *, value_bits: int = VALUE_BITS, indices: bool = True) -> int:
        """d values."""
        return d * value_bits


@dataclass(frozen=True)
class TopK:
    """The k entries of largest modulus: alpha = k/d, equality for vectors of constant modulus.

    >>> TopK(2)(torch.tensor([[1.0, -3.0, 2.0]])), TopK(1).alpha(20), TopK(1).bits(20)
    (tensor([[ 0., -3.,  2.]]), 0.05, 37)
    """

    k: int
    homogeneous: ClassVar[bool] = True
    random: ClassVar[bool] = False

    def __post_init__(self) -> None:
        validate.at_least("k", self.k, 1)

    def __call__(self, x: Tensor, generator: torch.Generator | None = None) -> Tensor:
        return top_k(x, self.k)

    def keep(self, x: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """The places of the k largest."""
        return largest(x, self.k)

    def alpha(self, d: int) -> float:
        """k/d."""
        return _share(self.k, d)

    def bits(self, d: int, *, value_bits: int = VALUE_BITS, indices: bool = True) -> int:
        """k values and their places; with k = d no places are needed."""
        _share(self.k, d)
        return self.k * (value_bits + (index_bits(d) if indices and self.k < d else 0))


@dataclass(frozen=True)
class RandK:
    """k entries drawn anew for every row, unscaled: alpha = k/d, with equality for every vector."""

    k: int
    homogeneous: ClassVar[bool] = True
    random: ClassVar[bool] = True

    def __post_init__(self) -> None:
        validate.at_least("k", self.k, 1)

    def __call__(self, x: Tensor, generator: torch.Generator | None = None) -> Tensor:
        return rand_k(x, self.k, _one(generator))

    def keep(self, x: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """The places drawn."""
        return sample_places(x, self.k, _one(generator))

    def alpha(self, d: int) -> float:
        """k/d."""
        return _share(self.k, d)

    def bits(self, d: int, *, value_bits: int = VALUE_BITS, indices: bool = True) -> int:
        """As TopK; a receiver that shares the generator needs no places (``indices=False``)."""
        return TopK(self.k).bits(d, value_bits=value_bits, indices=indices)


@dataclass(frozen=True)
class NaturalRound(_ChangesValues):
    """The nearest power of two of every entry: alpha = 8/9; homogeneous only in powers of two."""

    homogeneous: ClassVar[bool] = False
    random: ClassVar[bool] = False

    def __call__(self, x: Tensor, generator: torch.Generator | None = None) -> Tensor:
        return natural_round(x)

    def alpha(self, d: int) -> float:
        """8/9, reached half way between two powers."""
        return 8 / 9

    def bits(self, d: int, *, value_bits: int = VALUE_BITS, indices: bool = True) -> int:
        """A sign and an exponent per entry: 9 bits of a 32-bit number, 12 of a 64-bit one."""
        return d * (1 + (11 if validate.one_of("value_bits", value_bits, (32, 64)) == 64 else 8))


@dataclass(frozen=True)
class ScaledSign(_ChangesValues):
    """One sign per entry and the mean modulus: alpha = 1/d (a vector with one entry that is not zero)."""

    homogeneous: ClassVar[bool] = True
    random: ClassVar[bool] = False

    def __call__(self, x: Tensor, generator: torch.Generator | None = None) -> Tensor:
        return scaled_sign(x)

    def alpha(self, d: int) -> float:
        """1/d; for one vector 1 - ratio is ‖x‖₁²/(d ‖x‖²), about 0.64 for Gaussian entries."""
        return 1 / validate.at_least("d", d, 1)

    def bits(self, d: int, *, value_bits: int = VALUE_BITS, indices: bool = True) -> int:
        """d signs and one value."""
        return d + value_bits


@dataclass(frozen=True)
class Quantize(_ChangesValues):
    """Nearest of 2 levels + 1 evenly spaced numbers between ± the largest modulus: alpha = 1/(1 + (d-1)/(4 levels²)).

    Worst for one large entry and d - 1 entries of half a step, which all vanish.
    """

    levels: int
    homogeneous: ClassVar[bool] = True
    random: ClassVar[bool] = False

    def __post_init__(self) -> None:
        validate.at_least("levels", self.levels, 1)

    def __call__(self, x: Tensor, generator: torch.Generator | None = None) -> Tensor:
        return quantize(x, self.levels)

    def alpha(self, d: int) -> float:
        """1/(1 + (d - 1)/(4 levels²))."""
        return 1 / (1 + (validate.at_least("d", d, 1) - 1) / (4 * self.levels**2))

    def bits(self, d: int, *, value_bits: int = VALUE_BITS, indices: bool = True) -> int:
        """One of 2 levels + 1 numbers per entry, and the largest modulus."""
        return d * index_bits(2 * self.levels + 1) + value_bits


@dataclass(frozen=True)
class Dither(_ChangesValues):
    """QSGD's random rounding, divided by 1 + omega so that it is contractive: alpha = 1/(1 + omega).

    omega = min(d/levels², sqrt(d)/levels) bounds the variance of the unbiased form (arXiv 1610.02132, Lemma 3.1), so
    here alpha is a guarantee, not the largest possible one.
    """

    levels: int
    homogeneous: ClassVar[bool] = True
    random: ClassVar[bool] = True

    def __post_init__(self) -> None:
        validate.at_least("levels", self.levels, 1)

    def __call__(self, x: Tensor, generator: torch.Generator | None = None) -> Tensor:
        return dither(x, self.levels, _one(generator)) * self.alpha(x.shape[-1])

    def alpha(self, d: int) -> float:
        """1/(1 + min(d/levels², sqrt(d)/levels))."""
        validate.at_least("d", d, 1)
        return 1 / (1 + min(d / self.levels**2, math.sqrt(d) / self.levels))

    def bits(self, d: int, *, value_bits: int = VALUE_BITS, indices: bool = True) -> int:
        """One of 2 levels + 1 numbers per entry, and the norm."""
        return d * index_bits(2 * self.levels + 1) + value_bits


def bits(compressor: Compressor, d: int, *, value_bits: int = VALUE_BITS, indices: bool = True) -> int:
    """Bits of one message of a compressor for vectors of length d.

    >>> bits(TopK(1), 20), bits(TopK(1), 20, indices=False), bits(Identity(), 20)
    (37, 32, 640)
    """
    validate.at_least("d", d, 1)
    return compressor.bits(d, value_bits=validate.at_least("value_bits", value_bits, 1), indices=indices)


def _share(k: int, d: int) -> float:
    validate.in_range("k", k, 1, validate.at_least("d", d, 1))
    return k / d
