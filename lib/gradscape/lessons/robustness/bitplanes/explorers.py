"""Explorers: one image's planes (live), another last step (quick), a whole matrix (run)."""
from __future__ import annotations

from typing import Any

import numpy as np

from gradscape.lessons.robustness.bitplanes.figures import (
    Look,
    Processed,
    fig_matrix,
    fig_pipeline,
    fig_planes,
)
from gradscape.robustness.bitplanes.detectors import balanced_accuracy
from gradscape.robustness.bitplanes.experiments import Study, ones, own_options, own_study, study
from gradscape.robustness.bitplanes.patches import select_patch
from gradscape.robustness.bitplanes.planes import noise_image
from gradscape.robustness.bitplanes.provenance import provenance, shifted
from gradscape.robustness.bitplanes.settings import TRAINED, Settings
from gradscape.robustness.bitplanes.world import world
from gradscape.workbench import Control, Explorer, Task, Values, explore, field, redraw


def look(settings: Settings) -> Look:
    """The settings' own image through the settings' own planes."""
    made = world(settings)
    images = made.real(settings.arm)[1] if settings.source == "real" else made.fake_test[settings.source]
    image, options = images[settings.image], own_options(settings)
    mode = "threshold" if options.mode == "raw" else options.mode
    noise = image if options.mode == "raw" else noise_image(image, settings.planes, mode)
    chosen = select_patch(noise[None], settings.patch, settings.how, np.random.default_rng(settings.image))
    name = f"real, arm {settings.arm}" if settings.source == "real" else settings.source
    return Look(name, image, settings.planes, options.mode, settings.patch, settings.how, int(chosen.index[0]), noise)


def explorer_planes(settings: Settings) -> Explorer:
    """Image, noise, scores and chosen patch."""
    world(settings)  # once, so that every move is quick

    def compute(values: Values, task: Task) -> Look:
        return look(values.settings)

    return explore(
        compute, redraw(fig_planes),
        [field(name) for name in ("source", "image", "planes", "mode", "patch", "how", "arm")], settings=settings,
        name="planes",
        presets={"the paper's planes": {"planes": 3}, "quiet patch": {"planes": 3, "how": "min"},
                 "principal components": {"source": "pca", "planes": 3}, "all planes": {"planes": 8, "mode": "scale"}},
    )


def explorer_pipeline(settings: Settings) -> Explorer:
    """What arm R's detectors say when real images end their way otherwise."""
    made, found = world(settings), study(settings, "R")
    fakes = {name: found.detectors.logits(made.fake_test[name]) for name in TRAINED}
    fake_ones = float(np.mean([ones(made.fake_test[name]) for name in TRAINED]))

    def compute(values: Values, task: Task) -> Processed:
        real = provenance(made.real_test, values.rounding, values.quality if values.jpeg else None)
        real = shifted(real, values.levels, values.gamma)
        task.check()
        said = found.detectors.logits(real)
        accuracy = {a: float(np.mean([balanced_accuracy(said[a], fakes[b][a]) for b in TRAINED])) for a in TRAINED}
        first = TRAINED[0]
        return Processed(ones(real), fake_ones, said[first].double().numpy(),
                         np.concatenate([fakes[b][first].double().numpy() for b in TRAINED]), accuracy, first)

    return explore(
        compute, redraw(fig_pipeline),
        [Control("rounding", "choice", options=("half_even", "half_up"), about="how means of four became bytes"),
         Control("jpeg", "switch", about="a JPEG file in between"),
         Control("quality", "int", 75, 100, default=90, about="quality of that file"),
         Control("levels", "int", -3, 3, default=0, symbol="d", about="gray levels added to real images"),
         Control("gamma", "real", 0.9, 1.1, default=1.0, symbol="γ", about="tone curve of real images")],
        settings=settings, name="pipeline", mode="quick",
        presets={"as trained": {}, "rounded alike": {"rounding": "half_up"}, "one level brighter": {"levels": 1},
                 "through a JPEG file": {"jpeg": True}},
    )


def explorer_matrix(settings: Settings) -> Explorer:
    """Train four detectors of any kind in any arm."""

    def compute(values: Values, task: Task) -> tuple[Study, str]:
        return own_study(values.settings, task.step), values.settings.how

    def draw(result: tuple[Study, str]) -> Any:
        return fig_matrix(*result)

    return explore(
        compute, redraw(draw), [field(name) for name in ("arm", "planes", "mode", "how", "patch")],
        settings=settings, name="matrix", mode="run", initial=(own_study(settings), settings.how),
        presets={"arm R": {}, "rounded alike": {"arm": "E"}, "raw patches": {"arm": "E", "mode": "raw"},
                 "the paper's planes": {"arm": "E", "planes": 3}},
    )


EXPLORERS: dict[str, Any] = {
    "planes": explorer_planes, "pipeline": explorer_pipeline, "matrix": explorer_matrix,
}
