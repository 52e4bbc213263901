"""Explorers of the NoProp lesson: schedules, one image's way, what blocks hear (live); training anew (run)."""
from __future__ import annotations

from typing import Any

from gradscape.credit.noprop.experiments import DTStudy, Listening, retrain
from gradscape.credit.noprop.settings import Settings
from gradscape.lessons.credit.noprop.figures import fig_listening, fig_retrain, fig_schedule, fig_way
from gradscape.lessons.credit.noprop.views import SHAPES, ScheduleView, Way, hearing, schedule_view, way
from gradscape.workbench import Control, Explorer, Task, Values, explore, field, redraw

TRAINED = Control("trained", "choice", options=("early", "late"), default="early", about="after 12 epochs, or all 50")


def explorer_schedule(settings: Settings) -> Explorer:
    """Number of steps and shape of the schedule."""

    def compute(values: Values, task: Task) -> ScheduleView:
        return schedule_view(values.T, values.shape)

    return explore(
        compute, redraw(fig_schedule), [field("T"), Control("shape", "choice", options=SHAPES, about="noise schedule")],
        settings=settings, name="schedule",
        presets={"the paper's ten steps": {"T": 10}, "two steps": {"T": 2}, "learned by CT": {"shape": "learned"}},
    )


def explorer_way(settings: Settings) -> Explorer:
    """One test image: a run, eleven runs, no noise."""

    def compute(values: Values, task: Task) -> Way:
        return way(settings, values.trained, values.image, values.noise)

    return explore(
        compute, redraw(fig_way), [field("image"), field("noise"), TRAINED], settings=settings, name="way",
        presets={
            "the paper's noise": {"noise": 1.0}, "half of it": {"noise": 0.5},
            "too much": {"noise": 1.5}, "trained for longer": {"trained": "late"},
        },
    )


def explorer_listening(settings: Settings) -> Explorer:
    """The guess of every block, from noise and from its noised label."""

    def compute(values: Values, task: Task) -> Listening:
        return hearing(settings, values.trained, values.images, values.noise)

    return explore(
        compute, redraw(fig_listening),
        [TRAINED, field("noise", about="scale of the noise in every state"),
         Control("images", "int", 20, 200, default=200, about="test images")],
        settings=settings, name="listening",
        presets={
            "as trained": {"noise": 1.0}, "a clean label": {"noise": 0.0}, "trained for longer": {"trained": "late"},
        },
    )


def explorer_retrain(settings: Settings) -> Explorer:
    """Train NoProp-DT on the digits."""

    def compute(values: Values, task: Task) -> DTStudy:
        return retrain(values.settings, progress=task.step)

    return explore(
        compute, redraw(fig_retrain), [field(name) for name in ("T", "schedule", "eta", "width", "epochs")],
        settings=settings, name="retrain", mode="run", initial=retrain(settings),
        presets={
            "heavy loss": {"eta": 10.0}, "three blocks": {"T": 3}, "narrow": {"width": 12}, "long": {"epochs": 40},
        },
    )


EXPLORERS: dict[str, Any] = {
    "schedule": explorer_schedule, "way": explorer_way, "listening": explorer_listening, "retrain": explorer_retrain,
}
