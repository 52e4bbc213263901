"""Training a stack of binary MLPs: SGD with momentum, cosine rates, o raised once per epoch (arXiv 2308.06689)."""
from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gradscape import validate
from gradscape.credit.rectified_ste.indicators import spread
from gradscape.credit.rectified_ste.stack import Arm, BinaryStack
from gradscape.ensemble import SharedBatches, cross_entropy, fit
from gradscape.lesson import generator, replicate_seed

MOMENTUM, DECAY, BATCH = 0.9, 1e-4, 128
ORDER = 10_000  # replicate that draws the order of the batches; below it are the networks' starts

Array = NDArray[np.float64]
Progress = Callable[[int, int], None] | None


@dataclass(frozen=True)
class History:
    """What a training left; arrays (arms, seeds, epochs), one entry after each epoch.

    ``acc`` on test rows; ``loss`` the mean over the epoch's batches; ``e`` the total estimating error; ``s`` the total
    gradient instability, mean over the epoch's steps, ``s_last`` that of its last batch (as the paper logs it);
    ``inside``, ``beyond`` (arms, seeds) shares of weights with |w| <= m and > t at the end; ``weights``
    (arms, seeds, depth, width, width) the latent binary weights at the end. A network that diverged has NaN.
    """

    arms: tuple[Arm, ...]
    acc: Array
    loss: Array
    e: Array
    s: Array
    s_last: Array
    inside: Array
    beyond: Array
    weights: Tensor

    def at(self, **wanted: Any) -> int:
        """Position of the first arm whose fields have these values; ``ValueError`` if there is none."""
        for k, arm in enumerate(self.arms):
            if all(getattr(arm, name) == value for name, value in wanted.items()):
                return k
        raise ValueError(f"no arm with {wanted}")


class BinaryMLPEnsemble:
    """Binary MLPs of one shape: every arm (an `Arm`, or a number as ReSTE's ``o_end``) times ``seeds`` starts.

    The arms of one seed start from the same weights, and all members see the same batches: differences are paired.

    >>> BinaryMLPEnsemble(64, 16, 2, 10, [1.0, 3.0], seeds=2).net.members
    4
    """

    def __init__(
        self, in_dim: int, width: int, depth: int, n_classes: int, o_end: Sequence[float | Arm], seeds: int, *,
        seed: int = 0, dtype: torch.dtype = torch.float32,
    ) -> None:
        if len(o_end) == 0:
            raise ValueError("o_end is empty: at least one arm is needed")
        self.arms = tuple(arm if isinstance(arm, Arm) else Arm(o_end=arm) for arm in o_end)
        self.seeds, self.seed = validate.at_least("seeds", seeds, 1), seed
        starts = [replicate_seed(seed, r) for _ in self.arms for r in range(seeds)]
        members = [arm for arm in self.arms for _ in range(seeds)]
        self.net = BinaryStack(in_dim, width, depth, n_classes, members, generators=starts, dtype=dtype)

    def fit(
        self, X: Tensor, y: Tensor, epochs: int, *, test: tuple[Tensor, Tensor] | None = None, batch: int = BATCH,
        stop: int | None = None, keep: Callable[[dict[str, Tensor]], None] | None = None, progress: Progress = None,
    ) -> History:
        """Train on X (N, in_dim), y (N,) for ``epochs`` passes; the incomplete last batch of a pass is left out.

        ``test``: rows for ``acc`` (default: the training rows). ``stop``: end after this many passes of the schedule.
        ``keep`` is handed the gradients of the last batch. ``ValueError`` for rows that are not finite, labels out of
        range, fewer rows than a batch.
        """
        epochs = validate.at_least("epochs", epochs, 1)
        passes = epochs if stop is None else min(validate.at_least("stop", stop, 1), epochs)
        net, shape = self.net, (len(self.arms), self.seeds, passes)
        self._check(X, y, validate.at_least("batch", batch, 2))
        per_epoch, rows = len(X) // batch, test or (X, y)
        instability: list[Tensor] = []
        acc, errors = [], []

        def look() -> None:
            acc.append(net.evaluate(*rows))
            errors.append(net.errors().sum(-1))

        def watch(step: int, _: object) -> None:
            if step % per_epoch == 0:
                if step:
                    look()
                net.set_epoch(step // per_epoch, epochs)

        def update(params: dict[str, Tensor], grads: dict[str, Tensor], state: Any, *, lr: Any) -> Any:
            parts = [spread(grads[name], members=True) for name in net.binary_names]
            instability.append(torch.stack(parts).sum(0))
            if keep is not None and len(instability) == passes * per_epoch:
                keep(grads)
            return momentum_step(params, grads, state, lr=lr)

        rates = torch.tensor([arm.lr for arm in net.arms], dtype=torch.float64)
        net.training = True
        trained = fit(
            net, (X, y), loss=cross_entropy, update=update, steps=passes * per_epoch, watch=watch, progress=progress,
            lr=lambda step: rates * (1 + math.cos(math.pi * (step // per_epoch) / epochs)) / 2,
            batches=SharedBatches(len(X), batch, generator(self.seed, ORDER)),
        )
        look()
        s = torch.stack(instability, 1).view(-1, passes, per_epoch)
        inside, beyond = net.shares()

        def shaped(values: Tensor) -> Array:
            made: Array = values.double().reshape(shape).numpy()
            return made

        return History(
            self.arms, shaped(torch.stack(acc, 1)), shaped(trained.losses.view(-1, passes, per_epoch).mean(-1)),
            shaped(torch.stack(errors, 1)), shaped(s.mean(-1)), shaped(s[..., -1]),
            inside.view(shape[:2]).double().numpy(), beyond.view(shape[:2]).double().numpy(),
            torch.stack(net.binary_weights, 1).unflatten(0, shape[:2]).clone(),
        )

    def _check(self, X: Tensor, y: Tensor, batch: int) -> None:
        validate.finite("X", X)
        if y.shape != X.shape[:1] or y.is_floating_point():
            raise ValueError(f"y has shape {tuple(y.shape)} and dtype {y.dtype}: must be ({len(X)},), whole numbers")
        classes = self.net.params["bias"].shape[-1]
        if int(y.min()) < 0 or int(y.max()) >= classes:
            raise ValueError(f"y holds {int(y.min())} to {int(y.max())}: labels must lie between 0 and {classes - 1}")
        if batch > len(X):
            raise ValueError(f"batch={batch}: must not exceed the {len(X)} rows of X")


def momentum_step(
    params: dict[str, Tensor], grads: dict[str, Tensor], state: dict[str, Tensor], *, lr: Any
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """torch's SGD with momentum 0.9 and weight decay 1e-4, in place, for stacked tensors and one rate per member."""
    for name, value in params.items():
        move = grads[name].add_(value, alpha=DECAY)
        state[name] = state[name].mul_(MOMENTUM).add_(move) if name in state else move.clone()
        value.sub_(lr * state[name])
    return params, state
