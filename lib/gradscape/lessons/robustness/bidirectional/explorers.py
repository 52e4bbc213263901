"""Explorers: an image under attack, drawings, a saturated softmax and the authors' log (live), curves, training."""
from __future__ import annotations

from typing import Any

import torch

from gradscape.lesson import cached
from gradscape.lessons.robustness.bidirectional.figures import (
    Attacked,
    fig_curves,
    fig_image,
    fig_log,
    fig_pair,
    fig_prototypes,
    fig_saturated,
)
from gradscape.robustness.bidirectional.experiments import (
    Curves,
    Masking,
    Pair,
    Study,
    curves,
    masked,
    pair,
    study,
    test_images,
)
from gradscape.robustness.bidirectional.networks import BidirectionalMLP
from gradscape.robustness.bidirectional.released import MEASURES, STUDIES
from gradscape.robustness.bidirectional.report import attacked
from gradscape.robustness.bidirectional.settings import VARIANTS, Settings
from gradscape.workbench import Control, Explorer, Task, Values, explore, field, redraw

SATURATED_IMAGES = 100  # so that two reports fit into a move


@cached
def first_networks(made_for: Settings) -> BidirectionalMLP:
    """The first network of every variant, as one stack."""
    made: Study = study(made_for, "one")
    return made.net.pick([made.members(variant)[0] for variant in made.variants])


def explorer_image(settings: Settings) -> Explorer:
    """One test image: what each network's attack changes, and what each network says."""

    def compute(values: Values, task: Task) -> Attacked:
        net = first_networks(settings.protocol)
        X, y = test_images(settings)
        x, label = X[values.image : values.image + 1], y[values.image : values.image + 1]
        moved = attacked(net, x, label, values.eps, values.attack).float()
        before, after = (torch.softmax(net.classify(v), -1)[:, 0] for v in (x, moved))
        return Attacked(VARIANTS, x[0], int(label), moved[:, 0], values.eps, before, after)

    return explore(
        compute, redraw(fig_image), [field("image"), field("eps"), field("attack")], settings=settings, name="image",
        presets={"no attack": {"eps": 0.0}, "ten steps": {"attack": "pgd_margin"},
                 "the paper's ε for MNIST": {"eps": 0.3}},
    )


def explorer_prototypes(settings: Settings) -> Explorer:
    """Drawings and hidden weights of any network of the study."""
    seeds = settings.size.seeds

    def compute(values: Values, task: Task) -> tuple[str, BidirectionalMLP]:
        return values.variant, study(settings, "one").take(values.variant, values.network - 1)

    return explore(
        compute, redraw(fig_prototypes),
        [field("variant"), Control("network", "int", 1, max(seeds, 2), about="which seed's network")],
        settings=settings, name="prototypes",
        presets={"both directions": {"variant": "bl"}, "classifier only": {"variant": "bp"},
                 "half of the time": {"variant": "half"}},
    )


def explorer_saturation(settings: Settings) -> Explorer:
    """Scale the last layer of the back-propagated network and attack it again."""

    def compute(values: Values, task: Task) -> Masking:
        net = study(settings, "one").take("bp")
        X, y = test_images(settings)
        return masked(net, (1.0, values.scale), X[:SATURATED_IMAGES], y[:SATURATED_IMAGES], values.eps)

    return explore(
        compute, redraw(fig_saturated), [field("scale"), field("eps")], settings=settings, name="saturation",
        presets={"untouched": {"scale": 1.0}, "the claim's": {"scale": 50.0}, "all the way": {"scale": 100.0}},
    )


def explorer_log(settings: Settings) -> Explorer:
    """The authors' log of the hybrid networks."""

    def compute(values: Values, task: Task) -> tuple[str, str]:
        return values.study, values.measure

    return explore(
        compute, redraw(fig_log),
        [Control("study", "choice", options=STUDIES, about="network"),
         Control("measure", "choice", options=MEASURES, default="FGSM", about="accuracy shown")],
        settings=settings, name="log",
        presets={"convolutional": {}, "fully connected": {"study": STUDIES[1]},
                 "static": {"study": STUDIES[1], "measure": "static"}},
    )


def explorer_curves(settings: Settings) -> Explorer:
    """Accuracy over the radius of any attack, and over static, for as many networks and images as wanted."""

    def compute(values: Values, task: Task) -> Curves:
        return curves(settings.protocol, values.attack, values.networks, values.images)

    return explore(
        compute, redraw(fig_curves),
        [field("attack"), Control("networks", "int", 1, 2, about="seeds averaged"),
         Control("images", "int", 50, 150, default=100, about="test images")],
        settings=settings, name="curves", mode="quick",
        presets={"one step": {}, "predicted labels": {"attack": "fgsm_pred"}, "ten steps": {"attack": "pgd_margin"}},
    )


def explorer_train(settings: Settings) -> Explorer:
    """Train back-propagation and another variant from one start."""

    def compute(values: Values, task: Task) -> Pair:
        return pair(values.settings, progress=task.step)

    return explore(
        compute, redraw(fig_pair), [field(name) for name in ("net", "variant", "iters", "lr_g", "wd", "eps", "noise")],
        settings=settings, name="train", mode="run", initial=pair(settings),
        presets={"no hidden layer": {"net": "none"}, "a penalty instead": {"variant": "l2"},
                 "draw hardly at all": {"lr_g": 1e-4}, "only the first half": {"variant": "half"}},
    )


EXPLORERS: dict[str, Any] = {
    "image": explorer_image, "prototypes": explorer_prototypes, "saturation": explorer_saturation,
    "log": explorer_log, "curves": explorer_curves, "train": explorer_train,
}
