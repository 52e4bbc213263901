"""Part A: networks on the simplified data, standard and robust, and from a small start."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity

from gradscape.ensemble import INITS, StackedMLP
from gradscape.lesson import Point, cached, protocol, replicate_seed, seeds_of
from gradscape.robustness.input_gradients.gradients import input_gradient, signal_hit_rate
from gradscape.robustness.input_gradients.settings import POINT_EPS, Settings
from gradscape.robustness.input_gradients.simplified import Points, max_margin_gradient, simplified_points
from gradscape.robustness.input_gradients.training import Adversary, accuracy, fit

Progress = Callable[[int, int], None]
LR, RICH_LR, RICH_STD = 1e-2, 0.5, 0.02
ATTACK_STEPS, ATTACK_STEP, RAMP = 8, 0.25, 0.5
WIDTH = 200


def point_adversary(eps: float, ramp: float = RAMP) -> Adversary:
    """The repository's linf attack (8 steps of .25 eps, within [-1, 1]); the radius grows over half of training."""
    return Adversary(eps, "linf", ATTACK_STEPS, ATTACK_STEP, (-1.0, 1.0), ramp)


@dataclass(frozen=True)
class Marks:
    """What E networks' gradients say of the points ±e_j; fields (E,) unless noted."""

    points: Points
    relevant: int
    gradient: Tensor  # magnitudes, (E, N, d)
    hit: Tensor  # share of points whose largest gradient is at j
    smallest: Tensor  # share of points whose smallest gradient on S is at j
    at_signal: Tensor  # mean gradient at j
    elsewhere: Tensor  # mean gradient at the other places of S
    off: Tensor  # mean gradient off S over that on S (NaN where S is everything)
    variation: Tensor  # coefficient of variation over S, mean over points
    cosine: Tensor  # mean |cosine| between input and gradient
    accuracy: Tensor
    attacked: Tensor  # accuracy under the training attack at radius eps
    losses: Tensor  # (E, steps)
    eps: float

    @property
    def ratio(self) -> Tensor:
        """Gradient at the signal over the gradient at the places where other points carry theirs."""
        return self.at_signal / self.elsewhere

    @property
    def expected(self) -> Tensor:
        """The closed form at every point, scaled to the networks' mean on S, (N, d)."""
        form = max_margin_gradient(self.gradient.shape[-1], self.relevant, torch.float32)
        mean = self.gradient[..., : self.relevant].mean()
        return (form / form.max() * mean).expand(self.gradient.shape[1:])


def marks(net: StackedMLP, points: Points, relevant: int, losses: Tensor, eps: float) -> Marks:
    """Take the gradients of all members and compare the signal's place with the others."""
    gradient = input_gradient(net, points.x).abs()
    on_s = torch.arange(relevant)
    at = gradient.gather(-1, points.place.expand(gradient.shape[:-1]).unsqueeze(-1)).squeeze(-1)
    total = gradient[..., :relevant].sum(-1)
    elsewhere = ((total - at) / (relevant - 1)).mean(-1) if relevant > 1 else torch.full_like(at[:, 0], torch.nan)
    mean = total / relevant
    return Marks(
        points, relevant, gradient, signal_hit_rate(gradient, points.place),
        signal_hit_rate(1 / (gradient + 1e-12), points.place, on_s), at.mean(-1), elsewhere,
        gradient[..., relevant:].mean((-1, -2)) / mean.mean(-1),
        (gradient[..., :relevant].std(-1, correction=0) / mean.clamp_min(1e-12)).mean(-1),
        cosine_similarity(points.x.expand_as(gradient), input_gradient(net, points.x), dim=-1).abs().mean(-1),
        accuracy(net, points.x, points.y), accuracy(net, points.x, points.y, point_adversary(eps, 0.0)), losses, eps,
    )


def point_network(d: int, width: int, seeds: Sequence[int], size: float = 1.0) -> StackedMLP:
    """d-width-1 ReLU networks with the law of ``torch.nn.Linear`` times ``size``, weights and biases."""

    def init(layer: int, fan_in: int, fan_out: int, g: torch.Generator) -> tuple[Tensor, Tensor]:
        weight, bias = INITS["linear"](layer, fan_in, fan_out, g)
        return weight * size, bias * size

    return StackedMLP((d, width, 1), len(seeds), init=init, generators=list(seeds))


def rich_network(d: int, width: int, seeds: Sequence[int], std: float = RICH_STD) -> StackedMLP:
    """Gaussian weights of size ``std`` and no biases at the start: the rich regime of the paper's theorem."""

    def init(layer: int, fan_in: int, fan_out: int, g: torch.Generator) -> tuple[Tensor, Tensor]:
        return std * torch.randn(fan_in, fan_out, generator=g), torch.zeros(fan_out)

    return StackedMLP((d, width, 1), len(seeds), init=init, generators=list(seeds))


def trained_marks(
    d: int, width: int, seeds: Sequence[int], eps: float, steps: int, size: float = 1.0,
    progress: Progress | None = None,
) -> Marks:
    """Adam with full batches on the points ±e_j, j < d / 2; against the adversary if ``eps`` > 0."""
    relevant = d // 2
    points = simplified_points(d, relevant)
    net = point_network(d, width, seeds, size)
    losses = fit(net, points.x, points.y, epochs=steps, lr=LR, adversary=point_adversary(eps) if eps else None,
                 progress=progress)
    return marks(net, points, relevant, losses, eps)


@protocol
def simplified(settings: Settings, eps: float = 0.0, *, progress: Progress | None = None) -> Marks:
    """The claims' networks on d = 20, |S| = 10: standard (eps 0) or robust."""
    size = settings.size
    return trained_marks(20, WIDTH, seeds_of(settings, size.networks), eps, size.steps, progress=progress)


@protocol
def rich(settings: Settings, *, progress: Progress | None = None) -> Marks:
    """The same points from a small start, by plain gradient descent."""
    size, points = settings.size, simplified_points(20, 10)
    net = rich_network(20, WIDTH, seeds_of(settings, size.networks))
    losses = fit(net, points.x, points.y, epochs=size.rich_steps, lr=RICH_LR, optimizer="gd", progress=progress)
    return marks(net, points, 10, losses, 0.0)


@cached
def simplified_at(settings: Settings, *, progress: Progress | None = None) -> Marks:
    """One network at the settings' dimension, width, radius and initial size."""
    return trained_marks(settings.d, settings.width, [replicate_seed(settings.seed, 0)], settings.eps,
                         settings.size.steps, settings.init, progress)


def point(settings: Settings) -> Point:
    """One network on the simplified data at the settings' values: what its gradient marks, and its accuracies."""
    found = simplified_at(settings)
    names = ("hit", "smallest", "ratio", "off", "variation", "cosine", "accuracy", "attacked")
    return Point({name: float(getattr(found, name)[0]) for name in names})


__all__ = ["POINT_EPS", "Marks", "marks", "point", "point_adversary", "point_network", "rich", "rich_network",
           "simplified", "simplified_at", "trained_marks"]
