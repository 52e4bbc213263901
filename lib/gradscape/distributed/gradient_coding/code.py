"""Gradient codes: combinations of partial gradients from which any n - s workers give the full gradient.

Tandon, Lei, Dimakis & Karampatziakis 2017 (arXiv 1612.03301), Alg. 1 (fractional repetition) and Alg. 2 (cyclic), as
used by Krishnan, Ebrahimi & Khisti 2022 (arXiv 2211.13802).
"""
from __future__ import annotations

import torch
from torch import Tensor

from gradscape import validate

KINDS = ("cyclic", "fractional")

# Largest residual of a decoding vector, relative to its entries times the code's: what double precision leaves.
RESIDUAL = 1e-12


class DecodeError(ValueError):
    """The arrived results do not determine the full gradient."""


class GradientCode:
    """An (n, s) gradient code: n workers, each combines s + 1 of n parts, any s workers may be missing.

    ``kind="cyclic"``: worker i holds parts i, i+1, …, i+s (mod n) and sends C[i] @ parts; H (s, n) is drawn with H 1
    = 0 and C solves H Cᵀ = 0 on that support with C[i, i] = 1, so 1 lies in the span of any n - s rows (with
    probability 1). ``kind="fractional"``: n/(s+1) groups of s + 1 workers hold the same s + 1 parts and send their
    plain sum. ``matrix`` is C, float64 (n, n). ``ValueError`` for s outside 0 … n - 1 and for a fractional code whose
    s + 1 does not divide n.

    >>> code = GradientCode(4, 1)
    >>> parts = torch.arange(8.0).reshape(4, 2)
    >>> alive = torch.tensor([True, False, True, True])
    >>> code.decode(code.encode(parts), alive).round(decimals=9)
    tensor([12., 16.], dtype=torch.float64)
    """

    def __init__(self, n: int, s: int, kind: str = "cyclic", seed: int = 0) -> None:
        self.n = validate.at_least("n", n, 1)
        self.s = validate.at_least("s", s, 0)
        if s >= n:
            raise ValueError(f"s={s!r}: must be at most n - 1 = {n - 1}, or no worker is left")
        self.kind = validate.one_of("kind", kind, KINDS)
        if kind == "fractional" and n % (s + 1):
            raise ValueError(f"s={s!r}: a fractional code needs s + 1 to divide n={n}")
        self.seed = seed
        self.parity = self._drawn_parity()
        self.matrix = self._cyclic() if kind == "cyclic" else self._fractional()
        self._vectors: dict[bytes, Tensor] = {}
        self._plan: tuple[Tensor, Tensor, Tensor] | None = None

    def support(self, i: int) -> tuple[int, ...]:
        """The parts that worker ``i`` holds."""
        validate.in_range("i", i, 0, self.n - 1)
        if self.kind == "cyclic":
            return tuple((i + k) % self.n for k in range(self.s + 1))
        first = i - i % (self.s + 1)
        return tuple(range(first, first + self.s + 1))

    def encode(self, parts: Tensor) -> Tensor:
        """What the workers send, float64 (n, …), from the parts' gradients (n, …)."""
        return torch.tensordot(self.matrix, self._checked("parts", parts), dims=1)

    def decode_vector(self, alive: Tensor) -> Tensor:
        """Weights a (n,) with Cᵀ a = 1 that are zero on dead workers; :class:`DecodeError` if there are none."""
        alive = self._checked_alive(alive)
        key = alive.numpy().tobytes()
        if key not in self._vectors:
            self._vectors[key] = self._solve(alive)
        return self._vectors[key]

    def decode(self, messages: Tensor, alive: Tensor) -> Tensor:
        """The sum of all parts' gradients from the messages (n, …) of the ``alive`` (n,) workers.

        Whatever stands in the rows of dead workers is not read (NaN is welcome there).
        """
        messages, alive = self._checked("messages", messages, finite=False), self._checked_alive(alive)
        arrived = validate.finite("messages of the living", messages[alive]) if bool(alive.any()) else messages[alive]
        return torch.tensordot(self.decode_vector(alive)[alive], arrived, dims=1)

    def decodable(self, alive: Tensor) -> bool:
        """Whether the results of the ``alive`` workers suffice."""
        try:
            self.decode_vector(alive)
        except DecodeError:
            return False
        return True

    def _drawn_parity(self) -> Tensor:
        generator = torch.Generator().manual_seed(self.seed)
        parity = torch.randn(self.s, self.n, generator=generator, dtype=torch.float64)
        parity[:, -1] = -parity[:, :-1].sum(1)
        return parity

    def _cyclic(self) -> Tensor:
        matrix = torch.eye(self.n, dtype=torch.float64)
        if self.s == 0:
            return matrix
        others = (torch.arange(self.n)[:, None] + torch.arange(1, self.s + 1)) % self.n
        blocks = self.parity[:, others].permute(1, 0, 2)  # for worker i: the columns of H on its other parts
        entries = torch.linalg.solve(blocks, -self.parity.T.unsqueeze(-1)).squeeze(-1)
        return matrix.scatter_(1, others, entries)

    def _fractional(self) -> Tensor:
        group = torch.arange(self.n) // (self.s + 1)
        return (group[:, None] == group).to(torch.float64)

    def _solve(self, alive: Tensor) -> Tensor:
        dead = (~alive).nonzero().squeeze(1)
        if self.kind == "fractional":
            return self._first_survivors(alive)
        if len(dead) > self.s:
            raise DecodeError(f"{len(dead)} of {self.n} results are missing: this code survives s={self.s}")
        # All solutions with everybody alive are a0 + N z (N: left null space of C, s columns). Choosing z so that the
        # dead weights vanish takes a system of at most s x s instead of one of n x (n - s).
        general, null, inverse = self._prepared()
        weights = general.clone()
        one = torch.ones(self.n, dtype=torch.float64)
        for _ in range(3):  # the first pass solves, two more take away what cancellation left
            if len(dead):
                weights = weights - null @ _least_norm(null[dead], weights[dead])
                weights[dead] = 0.0
            residual = one - self.matrix.T @ weights
            weights = weights + inverse @ residual
        if len(dead):
            weights = weights - null @ _least_norm(null[dead], weights[dead])
            weights[dead] = 0.0
        error = float((one - self.matrix.T @ weights).abs().max())
        if not error <= RESIDUAL * float(self.matrix.abs().max()) * max(1.0, float(weights.abs().max())):
            raise DecodeError(f"the decoding vector leaves a residual of {error:.2g}: this code is too ill-conditioned")
        return weights

    def _prepared(self) -> tuple[Tensor, Tensor, Tensor]:
        """Minimum-norm a with Cᵀ a = 1, left null space of C, pseudo-inverse of Cᵀ: made once."""
        if self._plan is None:
            left, values, right = torch.linalg.svd(self.matrix)
            rank = self.n - self.s
            inverse = (left[:, :rank] / values[:rank]) @ right[:rank]
            self._plan = inverse.sum(1), left[:, rank:], inverse
        return self._plan

    def _first_survivors(self, alive: Tensor) -> Tensor:
        size = self.s + 1
        groups = alive.view(-1, size)
        lost = (~groups.any(1)).nonzero().squeeze(1).tolist()
        if lost:
            first = lost[0] * size
            raise DecodeError(f"no worker is left of group {lost[0]} (workers {first} to {first + size - 1})")
        weights = torch.zeros(groups.shape, dtype=torch.float64)
        weights[torch.arange(len(groups)), groups.to(torch.int8).argmax(1)] = 1.0
        return weights.flatten()

    def _checked(self, name: str, values: Tensor, finite: bool = True) -> Tensor:
        if values.dim() == 0 or values.shape[0] != self.n:
            raise ValueError(f"{name} has shape {tuple(values.shape)}: its first axis must count {self.n} workers")
        if values.is_complex():
            raise ValueError(f"{name} has dtype {values.dtype}: real numbers are needed")
        return (validate.finite(name, values) if finite else values).to(torch.float64)

    def _checked_alive(self, alive: Tensor) -> Tensor:
        if alive.dtype != torch.bool or alive.shape != (self.n,):
            raise ValueError(f"alive has dtype {alive.dtype} and shape {tuple(alive.shape)}: must be bool ({self.n},)")
        return alive.contiguous()


def _least_norm(matrix: Tensor, target: Tensor) -> Tensor:
    """Minimum-norm z with ``matrix @ z = target`` for a wide or square matrix of full row rank."""
    return torch.linalg.lstsq(matrix, target.unsqueeze(1)).solution.squeeze(1)
