"""What the explorers of the NoProp lesson compute: schedules, one image's way through the chain, what blocks hear."""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from gradscape import results
from gradscape.credit.noprop.discrete import SCHEDULES, NoPropDT
from gradscape.credit.noprop.experiments import Listening, Split, digits, dt
from gradscape.credit.noprop.learned_schedule import LearnedSchedule
from gradscape.credit.noprop.settings import Settings
from gradscape.credit.noprop.tables import LESSON
from gradscape.generative.schedule import Coefficients, posterior_coefficients
from gradscape.lesson import generator, seeds_of

SHAPES = ("cosine", "linear", "learned")
WAYS = 11  # runs whose mean is shown beside one of them

Array = NDArray[np.float64]


@dataclass(frozen=True)
class ScheduleView:
    """A schedule's ``alpha_bar`` (T + 1,) and the coefficients of its steps; ``origin`` says where it is from."""

    alpha_bar: Array
    step: Coefficients
    origin: str


def schedule_view(T: int, shape: str) -> ScheduleView:
    """A named schedule, or the one that CT learned (as recorded; its start where nothing is)."""
    if shape in SCHEDULES:
        values, origin = SCHEDULES[shape](T), f"{shape} schedule"
    else:
        table = results.find(LESSON, "schedule")
        if table is None:
            values, origin = LearnedSchedule().grid(T), "where the learned schedule starts"
        else:
            place, known = (np.array(table.columns[name]) for name in ("t", "alpha_bar"))
            values = torch.from_numpy(np.interp(np.linspace(0, 1, T + 1), place, known))
            origin = "schedule that CT learned, as recorded"
    return ScheduleView(values.numpy(), posterior_coefficients(values), origin)


@dataclass(frozen=True)
class Way:
    """One test ``image`` (8, 8) of class ``label``: states (T + 1, m) of one ``run``, without noise (``free``), and the
    mean of eleven (``average``); the probability of the true class that the head reads from each; classes that the
    eleven runs ended in, ``counts`` (m,).
    """

    image: Array
    label: int
    run: Array
    free: Array
    average: Array
    p_run: Array
    p_free: Array
    p_average: Array
    counts: Array


def model_and_data(settings: Settings, trained: str) -> tuple[NoPropDT, Split]:
    """The protocol's first model, looked at ``trained`` "early" or "late", and its digits."""
    size, study = settings.size, dt(settings)[0]
    model: NoPropDT = getattr(study, trained).model
    return model, digits(seeds_of(settings, 1)[0], size.train, size.test)


def way(settings: Settings, trained: str, image: int, noise: float) -> Way:
    """Send one test image through the chain: once, without noise, and eleven times."""
    model, data = model_and_data(settings, trained)
    image %= len(data.test_x)
    x, y = data.test_x[image : image + 1], int(data.test_y[image])
    many = model.runs(x, WAYS, generator(settings.seed, 10), noise=noise)[:, :, 0]
    free = model.predict_trajectory(x, noise=0.0)[:, 0]
    with torch.no_grad():
        p_many = model.head(many, model.embed).softmax(-1)[..., y]
        p_free = model.head(free, model.embed).softmax(-1)[..., y]
    counts = torch.bincount(model.classify(many[-1]), minlength=model.n_classes)
    return Way(
        x.view(8, 8).double().numpy(), y, many[:, 0].double().numpy(), free.double().numpy(),
        many.mean(1).double().numpy(), p_many[:, 0].double().numpy(), p_free.double().numpy(),
        p_many.mean(1).double().numpy(), counts.double().numpy(),
    )


def hearing(settings: Settings, trained: str, images: int, noise: float) -> Listening:
    """Accuracy of each block's own guess on ``images`` test images; ``noise`` scales what is added to the label."""
    model, data = model_and_data(settings, trained)
    x, y = data.test_x[:images], data.test_y[:images]
    g, u = generator(settings.seed, 11), model.embed.detach()[y]
    level = model.alpha_bar[:-1].to(x.dtype).view(-1, 1, 1)
    drawn = torch.randn(2, model.T, *u.shape, generator=g)
    state = level.sqrt() * u + noise * (1 - level).sqrt() * drawn[1]
    found = [
        (model.block_logits(shown, z).argmax(-1) == y).double().mean(-1).numpy()
        for z, shown in ((noise * drawn[0], x), (state, x), (state, x.roll(1, 0)))
    ]
    return Listening(*found)
