"""Colors of figures and panels: contrast on their ground, and told apart with the common kinds of color blindness."""
from __future__ import annotations

import itertools
import re
from pathlib import Path

import numpy as np
import pytest
from gradscape import workbench
from gradscape.batch import report
from gradscape.workbench import PALETTE, style
from gradscape.workbench.figures import INK, MUTED, TEMPLATE
from skimage.color import deltaE_ciede2000, rgb2lab

TEXT = 4.5      # WCAG 2.2, 1.4.3, for text of usual size; 1.4.11 asks 3 of graphics, and our labels wear series' colors
APART = 10.0    # CIEDE2000 between any two colors of series: seen at a glance
# Vision without one kind of cone, for linear RGB: Machado, Oliveira and Fernandes (2009), tables for severity 1.
BLINDNESS = {
    "none": np.eye(3),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "tritanopia": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]
    ),
}
THEMES = {"light": ":root {", "dark": ':root[data-theme="dark"] {'}
GROUNDS = {  # what stands on what in the site's style
    "--paper": ("--ink", "--muted", "--link", "--good", "--middling", "--bad", "--info"),
    "--card": ("--ink", "--muted", "--link"), "--wash": ("--ink", "--muted"),
    "--good-wash": ("--good",), "--middling-wash": ("--middling",), "--bad-wash": ("--bad", "--ink"),
    "--info-wash": ("--info",),
}


def linear(color: str) -> np.ndarray:
    """A color's linear RGB in [0, 1]."""
    parts = np.array([int(color[k : k + 2], 16) for k in (1, 3, 5)]) / 255
    return np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)


def seen(color: str, kind: str) -> np.ndarray:
    """A color in CIELAB as it is seen with a kind of color blindness."""
    light = np.clip(BLINDNESS[kind] @ linear(color), 0, 1)
    shown = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    return np.asarray(rgb2lab(shown[None, None])[0, 0])


def contrast(a: str, b: str) -> float:
    """The ratio of WCAG 2.2, from 1 to 21."""
    low, high = sorted(float(linear(color) @ [0.2126, 0.7152, 0.0722]) for color in (a, b))
    return (high + 0.05) / (low + 0.05)


def variables(style_sheet: str, opening: str) -> dict[str, str]:
    """The custom properties of one block of a style sheet."""
    block = style_sheet[style_sheet.index(opening) :].partition("}")[0]
    return dict(re.findall(r"(--[\w-]+): (#[0-9a-f]{6});", block))


def test_the_measures_know_what_is_known() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.01)
    red, green = "#d62728", "#2ca02c"
    apart = {kind: float(deltaE_ciede2000(seen(red, kind), seen(green, kind))) for kind in BLINDNESS}
    assert apart["none"] > 60
    assert apart["deuteranopia"] < 0.5 * apart["none"]
    assert np.allclose(seen("#ffffff", "protanopia"), [100, 0, 0], atol=0.1)  # white stays white


def test_figures_are_legible_on_their_card() -> None:
    card = TEMPLATE.layout.paper_bgcolor
    assert card == TEMPLATE.layout.plot_bgcolor == "#ffffff"  # the same in a light and in a dark notebook
    for color in (*PALETTE, INK, MUTED):
        assert contrast(color, card) >= TEXT, color


@pytest.mark.parametrize("kind", BLINDNESS)
def test_any_two_series_are_told_apart(kind: str) -> None:
    for a, b in itertools.combinations(PALETTE, 2):
        assert float(deltaE_ciede2000(seen(a, kind), seen(b, kind))) >= APART, (a, b)


def test_any_two_series_differ_by_dash_and_marker() -> None:
    for what in ("dash", "symbol"):
        assert len({style(i)[what] for i in range(len(PALETTE))}) == len(PALETTE)


@pytest.mark.parametrize("theme", THEMES)
def test_the_site_is_legible(theme: str) -> None:
    sheet = (Path(report.__file__).parent / "static" / "site.css").read_text(encoding="utf-8")
    found = variables(sheet, THEMES[theme])
    for ground, inks in GROUNDS.items():
        for ink in inks:
            assert contrast(found[ink], found[ground]) >= TEXT, (ink, ground)


def test_panels_are_legible_where_no_theme_gives_colors() -> None:
    sheet = (Path(workbench.__file__).parent / "panel.css").read_text(encoding="utf-8")
    found = dict(re.findall(r"(--gs-[\w-]+): var\([\w-]+, (#[0-9a-f]{6})\)", sheet))
    for ink in ("--gs-ink", "--gs-soft", "--gs-accent", "--gs-wrong"):
        assert contrast(found[ink], found["--gs-ground"]) >= TEXT, ink
