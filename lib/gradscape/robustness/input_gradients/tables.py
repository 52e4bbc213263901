"""The lesson's recorded tables: block images and DiffROAR at every scale tried (arXiv 2102.12781)."""
from __future__ import annotations

from collections.abc import Callable

from gradscape import results
from gradscape.robustness.input_gradients.images import Blocks, blocks, digit_blocks, roar
from gradscape.robustness.input_gradients.settings import RICH, VARIANTS, Settings

LESSON = "robustness/input_gradients"


def blocks_table(settings: Settings) -> results.Table:
    """λ and ν of every variant: means over networks, and their extremes."""
    made: list[tuple[str, float, Blocks]] = [("Fashion-MNIST", RICH, blocks(settings))]
    if settings.size.others:
        made += [("Fashion-MNIST", 1.0, blocks(settings, 1.0)), ("Fashion-MNIST", RICH, blocks(settings, RICH, 2)),
                 ("Fashion-MNIST", 1.0, blocks(settings, 1.0, 2)), ("digits", RICH, digit_blocks(settings)),
                 ("digits", 1.0, digit_blocks(settings, 1.0))]
    names = ("data", "side", "first_layer", "variant", "networks", "lam", "lam_low", "lam_high", "nu", "clean",
             "attacked")
    columns: dict[str, list] = {name: [] for name in names}
    for data, scale, found in made:
        for variant in VARIANTS:
            lam = found.median_lam(variant)
            row = (data, found.side, scale, variant, len(lam), float(lam.mean()), float(lam.min()), float(lam.max()),
                   float(found.mean_nu(variant).mean()), float(found.clean[variant].mean()),
                   float(found.attacked[variant].mean()))
            for name, value in zip(names, row, strict=True):
                columns[name].append(value)
    return results.make(LESSON, "blocks", columns, settings)


def roar_table(settings: Settings) -> results.Table:
    """DiffROAR in points at every level, with the masks' own difference; means over rankings."""
    made = [(14, RICH, roar(settings))]
    if settings.size.others:
        made += [(14, 1.0, roar(settings, 1.0)), (28, RICH, roar(settings, RICH, 1))]
    names = ("side", "first_layer", "kind", "k", "diff", "top", "bottom", "mask_only_diff", "mask_only_top", "clean")
    columns: dict[str, list] = {name: [] for name in names}
    for side, scale, found in made:
        for kind in found.kinds:
            fields = {name: found.mean(kind, name) for name in names[4:9]}
            clean = float(found.clean[kind].mean()) if kind in found.clean else None
            for k, level in enumerate(found.result.levels):
                row = (side, scale, kind, level, *(float(fields[name][k]) for name in names[4:9]), clean)
                for name, value in zip(names, row, strict=True):
                    columns[name].append(value)
    return results.make(LESSON, "roar", columns, settings)


TABLES: dict[str, Callable[[Settings], results.Table]] = {"blocks": blocks_table, "roar": roar_table}
