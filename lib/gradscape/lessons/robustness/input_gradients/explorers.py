"""Explorers: where a network looks (live), the simplified data and DiffROAR (both at a button)."""
from __future__ import annotations

from typing import Any

from gradscape.lessons.robustness.input_gradients.figures import Look, fig_look, fig_point, fig_power
from gradscape.robustness.input_gradients.gradients import unmask
from gradscape.robustness.input_gradients.images import Roar, blocks, roar, roar_at
from gradscape.robustness.input_gradients.points import Marks, simplified_at
from gradscape.robustness.input_gradients.settings import LEVELS, Settings
from gradscape.workbench import Control, Explorer, Task, Values, explore, field, redraw

LEVEL_SETS = {"10 and 20 %": (0.1, 0.2), "5 to 50 %": LEVELS}


def explorer_look(settings: Settings) -> Explorer:
    """Any test image through the first network of each variant."""

    def compute(values: Values, task: Task) -> Look:
        made, variant = blocks(settings), values.model
        n = values.image % len(made.labels)
        x, gradient = made.images[variant][n], made.gradient[variant][0, n]
        kept = unmask(x, gradient, values.share / 100, value=0.5)
        read = int(made.nets[variant](x.unsqueeze(0))[0, 0].argmax())
        return Look(variant, made.side, x, gradient, kept, int(made.labels[n]), read, values.share,
                    float(made.lam[variant][0, n]), float(made.nu[variant][0, n]))

    return explore(
        compute, redraw(fig_look), [field("model"), field("image"), field("share")], settings=settings, name="look",
        presets={"standard": {"model": "standard"}, "signal always on top": {"model": "top"},
                 "robust": {"model": "robust"}, "half of the pixels": {"share": 50.0}},
    )


def explorer_points(settings: Settings) -> Explorer:
    """One network on the simplified data, beside the closed form."""

    def compute(values: Values, task: Task) -> Marks:
        return simplified_at(values.settings, progress=task.step)

    return explore(
        compute, redraw(fig_point), [field(name) for name in ("d", "width", "eps", "init")], settings=settings,
        name="points", mode="run", initial=simplified_at(settings),
        presets={"standard": {"eps": 0.0}, "small start": {"eps": 0.0, "init": 0.02}, "robust": {"eps": 0.35},
                 "two places": {"d": 4, "eps": 0.45}},
    )


def explorer_roar(settings: Settings) -> Explorer:
    """A small DiffROAR at any radius of the base network."""

    def compute(values: Values, task: Task) -> Roar:
        return roar_at(values.settings, LEVEL_SETS[values.levels], progress=task.step)

    return explore(
        compute, redraw(fig_power),
        [field("radius"), Control("levels", "choice", options=tuple(LEVEL_SETS), about="levels k")],
        settings=settings, name="roar", mode="run", initial=roar(settings),
        presets={"standard alone": {"radius": 0.0}, "a little robust": {"radius": 0.2}, "very robust": {"radius": 1.0},
                 "all levels": {"levels": "5 to 50 %"}},
    )


EXPLORERS: dict[str, Any] = {"look": explorer_look, "points": explorer_points, "roar": explorer_roar}
