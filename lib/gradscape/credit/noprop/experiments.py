"""The lesson's experiments on handwritten digits: pure functions to frozen results, cached per process."""
from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gradscape.credit.noprop.backprop import BackpropChain
from gradscape.credit.noprop.blocks import DenoisingBlocks
from gradscape.credit.noprop.continuous import NoPropCT, NoPropFM
from gradscape.credit.noprop.discrete import NoPropDT
from gradscape.credit.noprop.estimator import LabelDenoiser
from gradscape.credit.noprop.losses import dt_loss
from gradscape.credit.noprop.memory import saved_activation_bytes
from gradscape.credit.noprop.settings import Settings
from gradscape.datasets import labels, tables
from gradscape.generative.schedule import cosine_alpha_bar, posterior_coefficients
from gradscape.lesson import cached, generator, protocol, seeds_of

DEPTHS = (5, 10, 20)  # N4
RUNS, VOTES = 10, 5  # single runs behind a mean, runs behind a vote

Array = NDArray[np.float64]
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Split:
    """Digits in [0, 1] for training and for testing: x (n, 64) and y (n,) each."""

    x: Tensor
    y: Tensor
    test_x: Tensor
    test_y: Tensor


@cached
def digits(seed: int, train: int, test: int) -> Split:
    """A random split of the 1,797 digits."""
    x, y = tables.digits()
    rows, held = labels.random_split(len(y), (train, test), generator(seed, 0))
    return Split(x[rows], y[rows], x[held], y[held])


@dataclass(frozen=True)
class Reading:
    """Test accuracy of one model by the way of reading it: ``single`` runs (RUNS,), ``mean`` without noise, ``vote`` of
    five (2,), the ``first`` block alone on noise (RUNS,); ``p_true``, its mean probability of the true class.
    """

    single: Array
    mean: float
    vote: Array
    first: Array
    p_true: float

    @property
    def by_name(self) -> dict[str, float]:
        """Means, by name."""
        return {
            "single": float(self.single.mean()), "noise_free": self.mean, "vote": float(self.vote.mean()),
            "first_block": float(self.first.mean()), "p_true": self.p_true,
        }


def read(model: LabelDenoiser, x: Tensor, y: Tensor, seed: int) -> Reading:
    """Read a fitted model in all ways."""
    g = generator(seed, 1)
    found = model.classify(model.runs(x, RUNS, g)[-1])
    votes = found.unflatten(0, (-1, VOTES)).mode(1).values
    z = torch.randn(RUNS, len(x), model.embed.shape[1], generator=g, dtype=x.dtype)
    first = torch.stack([model.first_logits(x, draw) for draw in z])
    true = first.softmax(-1).gather(-1, y.expand(RUNS, -1)[..., None])

    def share(guess: Tensor) -> Array:
        return (guess == y).double().mean(-1).numpy()

    return Reading(
        share(found), float(share(model.predict(x, "mean"))), share(votes), share(first.argmax(-1)), float(true.mean())
    )


@dataclass(frozen=True)
class Looked:
    """A model looked at after ``epochs`` passes."""

    epochs: int
    model: Any
    reading: Reading


def look(model: LabelDenoiser, data: Split, epochs: int, at: tuple[int, ...], seed: int,
         progress: Progress | None = None) -> dict[int, Looked]:
    """Train once, and look at copies after the passes ``at``: with a constant rate that is training for so long."""
    kept: dict[int, Looked] = {}

    def watch(epoch: int, now: LabelDenoiser) -> None:
        if epoch in at:
            # optimizers and shared memory are of no use to a copy that is only read
            kept[epoch] = Looked(epoch, copy.deepcopy(now), read(now, data.test_x, data.test_y, seed))
        if progress is not None:
            progress(epoch, epochs)

    model.fit(data.x, data.y, epochs, watch)
    return kept


@dataclass(frozen=True)
class Listening:
    """Test accuracy of each block's own guess, blocks 1 … T: fed pure ``noise``, fed its own noised ``label``, and fed
    that label beside the wrong image (``wrong``: share of guesses that follow z).
    """

    noise: Array
    label: Array
    wrong: Array


def listen(model: NoPropDT, x: Tensor, y: Tensor, seed: int, draws: int = 5) -> Listening:
    """What does a block go by, the image or the state?"""
    g = generator(seed, 2)
    u = model.embed.detach()[y]
    level = model.alpha_bar[:-1].to(x.dtype).view(-1, 1, 1)
    rolled = x.roll(1, 0)  # each state beside its neighbor's image
    sums = torch.zeros(3, model.T, dtype=torch.float64)
    for _ in range(draws):
        noise = torch.randn(2, model.T, *u.shape, generator=g, dtype=x.dtype)
        state = level.sqrt() * u + (1 - level).sqrt() * noise[1]
        for k, (z, image) in enumerate(((noise[0], x), (state, x), (state, rolled))):
            sums[k] += (model.block_logits(image, z).argmax(-1) == y).double().mean(-1)
    return Listening(*(sums / draws).numpy())


@dataclass(frozen=True)
class DTStudy:
    """NoProp-DT on one split: looked at ``early`` and ``late``, what its blocks listen to, losses (epochs, T)."""

    early: Looked
    late: Looked
    listening: Listening
    denoise: Array


@cached
def dt_study(
    seed: int, train: int, test: int, epochs: int, early: int, progress: Progress | None = None
) -> DTStudy:
    """Train T = 10 blocks of width 48 as the paper says."""
    data = digits(seed, train, test)
    model = NoPropDT(seed=seed % 2**31)
    early = min(early, epochs)
    looks = look(model, data, epochs, (early, epochs), seed, progress)
    late = looks[epochs]
    return DTStudy(
        looks[early], late, listen(late.model, data.test_x, data.test_y, seed),
        np.array([entry["denoise"] for entry in model.losses]),
    )


@protocol
def dt(settings: Settings, progress: Progress | None = None) -> list[DTStudy]:
    """One study a seed."""
    size = settings.size
    return [dt_study(s, size.train, size.test, size.epochs, size.early) for s in seeds_of(settings, size.seeds)]


@protocol
def rivals(settings: Settings, progress: Progress | None = None) -> dict[str, list[Looked]]:
    """Back-propagation after ``chain_epochs`` ("chain") and after DT's passes ("chain_long"), CT and FM; one a seed."""
    size = settings.size
    found: dict[str, list[Looked]] = {"chain": [], "chain_long": [], "ct": [], "fm": []}
    for seed in seeds_of(settings, size.seeds):
        data, start = digits(seed, size.train, size.test), seed % 2**31
        short = min(size.chain_epochs, size.epochs)
        chain = look(BackpropChain(seed=start), data, size.epochs, (short, size.epochs), seed)
        found["chain"].append(chain[short])
        found["chain_long"].append(chain[size.epochs])
        for name, kind in (("ct", NoPropCT), ("fm", NoPropFM)):
            one = kind(steps=size.steps, seed=start)
            found[name].append(look(one, data, size.one_epochs, (size.one_epochs,), seed)[size.one_epochs])
    return found


@dataclass(frozen=True)
class Independence:
    """``foreign``: largest gradient of a block's loss in another block; ``own``: smallest largest one in its own;
    ``orders``: largest difference of parameters after training 1 … T, T … 1 and all at once.
    """

    foreign: float
    own: float
    orders: float


@cached
def independence(seed: int, T: int = 10, width: int = 16, n: int = 384, epochs: int = 2) -> Independence:
    """N1, in float64: gradients by autograd, and three orders of training on the same noise and dropout."""
    data = digits(seed, n, 10)
    x, y = data.x.double(), data.y
    models = {}
    for order in ("stacked", "sequential", "reverse"):
        model = NoPropDT(T, width, order=order, seed=seed % 2**31).fit(x, y, epochs)
        models[order] = torch.cat([value.flatten(1) for value in model.blocks.state_dict().values()], 1)
    spread = max(
        float((models["stacked"] - models[order]).abs().max()) for order in ("sequential", "reverse")
    )
    foreign, own = _cross_gradients(x[:64], y[:64], T, width, seed)
    return Independence(foreign, own, spread)


def _cross_gradients(x: Tensor, y: Tensor, T: int, width: int, seed: int) -> tuple[float, float]:
    blocks = DenoisingBlocks(T, x.shape[1], 10, 10, width, seed=seed % 2**31).double()
    head, embed = torch.nn.Linear(10, 10).double(), torch.eye(10, dtype=torch.float64)
    terms = dt_loss(
        blocks, lambda z, _: head(z), embed, x, y,  # type: ignore[arg-type]
        posterior_coefficients(cosine_alpha_bar(T)), generator=generator(seed, 3),
    )
    parameters, foreign, own = list(blocks.parameters()), 0.0, float("inf")
    for t in range(T):
        gradients = torch.autograd.grad(terms.denoise[t], parameters, retain_graph=True)
        size = torch.stack([gradient.abs().flatten(1).amax(1) for gradient in gradients]).amax(0)
        own = min(own, float(size[t]))
        foreign = max(foreign, float(torch.cat([size[:t], size[t + 1 :]]).max()))
    return foreign, own


@dataclass(frozen=True)
class Memory:
    """Bytes kept for the backward pass of one step, by depth: one NoProp block with its head, the whole ``chain``."""

    depths: tuple[int, ...]
    block: tuple[int, ...]
    chain: tuple[int, ...]


@cached
def memory(depths: tuple[int, ...] = DEPTHS, batch: int = 128, width: int = 48) -> Memory:
    """N4: saved tensors, each storage once, parameters, inputs and labels excluded."""
    x, y = tables.digits(n=batch)
    blocks, chains = [], []
    for T in depths:
        model = BackpropChain(T, width).fit(x, y, 1)
        model._training(True)
        kept = [*model.blocks.parameters(), *model.blocks.buffers(), *model.head.parameters(), model.embed, model.w]
        kept += [x, y]
        alone, coef = model.blocks.block(0), posterior_coefficients(cosine_alpha_bar(T))
        chains.append(saved_activation_bytes(lambda model=model: model.loss(x, y), kept))  # type: ignore[misc]

        def step(model: BackpropChain = model, alone: DenoisingBlocks = alone, coef: Any = coef) -> object:
            return dt_loss(alone, model.head, model.embed, x, y, coef, part=slice(0, 1))

        blocks.append(saved_activation_bytes(step, kept))
    return Memory(depths, tuple(blocks), tuple(chains))


@cached
def retrain(settings: Settings, progress: Progress | None = None) -> DTStudy:
    """NoProp-DT at the settings' own T, schedule, eta, width and epochs, on the first split."""
    seed, size = seeds_of(settings, 1)[0], settings.size
    data = digits(seed, size.train, size.test)
    model = NoPropDT(
        settings.T, settings.width, schedule=settings.schedule, eta=settings.eta, seed=seed % 2**31
    )
    late = look(model, data, settings.epochs, (settings.epochs,), seed, progress)[settings.epochs]
    listening = listen(late.model, data.test_x, data.test_y, seed)
    return DTStudy(late, late, listening, np.array([entry["denoise"] for entry in model.losses]))
