"""NoProp-CT (Algorithm 2) and NoProp-FM (Algorithm 3): one block for all times."""
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from gradscape import validate
from gradscape.credit.noprop.estimator import HEAD, LabelDenoiser
from gradscape.credit.noprop.labels import nearest, redraw
from gradscape.credit.noprop.learned_schedule import LearnedSchedule
from gradscape.credit.noprop.losses import ETA_CT, LossTerms, ct_loss, fm_loss
from gradscape.credit.noprop.networks import TimeBlock
from gradscape.generative.schedule import posterior_coefficients
from gradscape.lesson import generator

STEPPERS = ("sample", "deterministic")


class _OneBlock(LabelDenoiser):
    """What CT and FM share: a TimeBlock of width ``width``, Adam, and ``steps`` steps of inference."""

    def __init__(self, width: int = 96, steps: int = 50, **options: Any) -> None:
        super().__init__(**options)
        self.width, self.steps = validate.at_least("width", width, 2), validate.at_least("steps", steps, 1)

    def _begin(self, X: Tensor, draw: torch.Generator) -> None:
        if X.dim() != 2:
            raise ValueError(f"X has shape {tuple(X.shape)}: must be (N, D)")
        self.block = TimeBlock(X.shape[1], self.embed.shape[1], self.n_classes, self.width, self.dropout).to(X.dtype)
        redraw(self.block, draw)
        self.stream = generator(self.seed, HEAD)
        decayed = [p for p in (*self.block.parameters(), *self.head.parameters(), self.embed) if p.requires_grad]
        groups: list[dict[str, Any]] = [{"params": decayed, "weight_decay": self.weight_decay}, *self._more_groups()]
        self.optimizer = torch.optim.Adam(groups, lr=self.lr, fused=True)

    def _more_groups(self) -> list[dict[str, Any]]:
        return []

    def _loss(self, X: Tensor, y: Tensor) -> LossTerms:
        raise NotImplementedError

    def _epoch(self, X: Tensor, y: Tensor) -> Mapping[str, Any]:
        sums, count = torch.zeros(3), 0
        for xb, yb in self._batches(X, y):
            self.optimizer.zero_grad()
            terms = self._loss(xb, yb)
            terms.total.backward()
            self.optimizer.step()
            sums += torch.stack([terms.denoise, terms.ce, terms.kl]).detach().float()
            count += 1
        return dict(zip(("denoise", "ce", "kl"), (sums / count).tolist(), strict=True))

    def _training(self, on: bool) -> None:
        self.block.train(on)

    def _start(self, X: Tensor, runs: int, draw: torch.Generator, noise: float) -> tuple[Tensor, Tensor]:
        """Pure noise and the image path for all runs."""
        validate.at_least("runs", runs, 1)
        validate.nonnegative("noise", noise)
        image = self.block.image(X).expand(runs, -1, -1).flatten(0, 1)
        return noise * torch.randn(runs * len(X), self.embed.shape[1], generator=draw, dtype=X.dtype), image

    def first_logits(self, X: Tensor, z: Tensor) -> Tensor:
        """The block at time 0 on states z (N, d)."""
        with torch.no_grad():
            logits: Tensor = self.block(z, self._inputs(X), 0.0)
        return logits


class NoPropCT(_OneBlock):
    """One block, a schedule that learns with it (``learn_schedule=False`` freezes it), Adam, ``steps`` of inference.

    ``stepper`` "sample" takes DT's steps on the grid alpha_bar(n / steps); "deterministic" moves z without noise along
    z' = sqrt(alpha_bar') u^ + sqrt(1 - alpha_bar') (z - sqrt(alpha_bar) u^) / sqrt(1 - alpha_bar).
    """

    def __init__(
        self, width: int = 96, steps: int = 50, *, eta: float = ETA_CT, gamma0: float = -3.0, gamma1: float = 3.0,
        learn_schedule: bool = True, stepper: str = "sample", **options: Any,
    ) -> None:
        super().__init__(width, steps, **options)
        self.eta, self.learn_schedule = validate.positive("eta", eta), bool(learn_schedule)
        self.gamma0, self.gamma1 = gamma0, gamma1
        self.stepper = validate.one_of("stepper", stepper, STEPPERS)
        LearnedSchedule(gamma0, gamma1)

    def _more_groups(self) -> list[dict[str, Any]]:
        """The schedule's parameters are not decayed: 0 is no natural place for gamma."""
        self.schedule = LearnedSchedule(self.gamma0, self.gamma1).to(self.embed.dtype)
        self.schedule.requires_grad_(self.learn_schedule)
        return [{"params": list(self.schedule.parameters()), "weight_decay": 0.0}] if self.learn_schedule else []

    def _loss(self, X: Tensor, y: Tensor) -> LossTerms:
        return ct_loss(self.block, self.schedule, self.head, self.embed, X, y, self.eta, self.stream)

    def runs(self, X: Tensor, runs: int, generator: torch.Generator | None = None, *, noise: float = 1.0) -> Tensor:
        """States at n / steps, n = 0 … steps: (steps + 1, runs, N, d)."""
        X, draw = self._inputs(X), self._stream(generator)
        grid = self.schedule.grid(self.steps)
        a, b, c = (value.to(X.dtype) for value in posterior_coefficients(grid)[:3])
        signal, rest = grid.sqrt().to(X.dtype), (1 - grid).sqrt().to(X.dtype)
        with torch.no_grad():
            z, image = self._start(X, runs, draw, noise)
            states = [z]
            for n in range(self.steps):
                guess = self.block.read(z, image, n / self.steps).softmax(-1) @ self.embed
                if self.stepper == "sample":
                    kick = torch.randn(z.shape, generator=draw, dtype=X.dtype)
                    z = a[n] * guess + b[n] * z + noise * c[n].sqrt() * kick
                else:
                    z = signal[n + 1] * guess + rest[n + 1] * (z - signal[n] * guess) / rest[n]
                states.append(z)
        return torch.stack(states).unflatten(1, (runs, len(X)))


class NoPropFM(_OneBlock):
    """Flow matching: one block gives a velocity, Euler steps carry noise to an embedding, the nearest one is the class.

    ``head`` serves training only, and only where W_E learns.
    """

    def __init__(self, width: int = 96, steps: int = 50, *, sigma: float = 0.0, **options: Any) -> None:
        super().__init__(width, steps, **options)
        self.sigma = validate.nonnegative("sigma", sigma)

    def _loss(self, X: Tensor, y: Tensor) -> LossTerms:
        head: nn.Module | None = self.head if self.embed.requires_grad else None
        return fm_loss(self.block, self.embed, X, y, self.stream, head=head, sigma=self.sigma)

    def runs(self, X: Tensor, runs: int, generator: torch.Generator | None = None, *, noise: float = 1.0) -> Tensor:
        """Euler's method from z_0 over ``steps`` steps: (steps + 1, runs, N, d); only z_0 is random."""
        X = self._inputs(X)
        with torch.no_grad():
            z, image = self._start(X, runs, self._stream(generator), noise)
            states = [z]
            for n in range(self.steps):
                z = z + self.block.read(z, image, n / self.steps) @ self.embed / self.steps
                states.append(z)
        return torch.stack(states).unflatten(1, (runs, len(X)))

    def classify(self, z: Tensor) -> Tensor:
        """The class of the nearest embedding; there is no head."""
        self._fitted()
        return nearest(z, self.embed.detach())

    def first_logits(self, X: Tensor, z: Tensor) -> Tensor:
        """One Euler step over the whole way, read by (negative squared) distance."""
        end = z + super().first_logits(X, z) @ self.embed.detach()
        return -(end[:, None] - self.embed.detach()).square().sum(-1)
