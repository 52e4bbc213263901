"""A line chart on logarithmic axes as an SVG file: what a page of measurements needs, without a browser."""
from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9")
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 340, 280, 52, 12, 34, 46
Line = Sequence[tuple[float, float]]


class Axis:
    """A logarithmic axis from the powers or halves of two around its values."""

    def __init__(self, values: Sequence[float], begin: float, end: float) -> None:
        self.low, self.high = math.floor(math.log2(min(values))), math.ceil(math.log2(max(values)))
        self.high = max(self.high, self.low + 1)
        self.begin, self.end = begin, end

    def at(self, value: float) -> float:
        return self.begin + (math.log2(value) - self.low) / (self.high - self.low) * (self.end - self.begin)

    def ticks(self) -> list[float]:
        step = max(1, math.ceil((self.high - self.low) / 6))
        return [2.0**k for k in range(self.low, self.high + 1, step)]


def panel(title: str, x_title: str, y_title: str, lines: Mapping[str, Line], goal: float | None, left: float) -> str:
    """One panel: its lines with a legend, and the goal as a dashed line."""
    everything = [point for line in lines.values() for point in line]
    x = Axis([p[0] for p in everything], left + LEFT, left + WIDTH - RIGHT)
    y = Axis([p[1] for p in everything] + ([goal] if goal else []), HEIGHT - BOTTOM, TOP)
    parts = [f'<text x="{left + LEFT}" y="18" font-weight="bold">{escape(title)}</text>']
    for tick in x.ticks():
        parts.append(f'<line x1="{x.at(tick):.1f}" x2="{x.at(tick):.1f}" y1="{y.begin}" y2="{y.end}" stroke="#ddd"/>')
        parts.append(f'<text x="{x.at(tick):.1f}" y="{y.begin + 14}" text-anchor="middle">{tick:g}</text>')
    for tick in y.ticks():
        parts.append(f'<line x1="{x.begin}" x2="{x.end}" y1="{y.at(tick):.1f}" y2="{y.at(tick):.1f}" stroke="#ddd"/>')
        parts.append(f'<text x="{x.begin - 5}" y="{y.at(tick) + 4:.1f}" text-anchor="end">{tick:g}</text>')
    parts.append(f'<text x="{(x.begin + x.end) / 2}" y="{HEIGHT - 12}" text-anchor="middle">{escape(x_title)}</text>')
    across, down = left + 14, (y.begin + y.end) / 2
    parts.append(f'<text x="{across}" y="{down}" text-anchor="middle" transform="rotate(-90 {across} {down})">'
                 f'{escape(y_title)}</text>')
    if goal:
        parts.append(f'<line x1="{x.begin}" x2="{x.end}" y1="{y.at(goal):.1f}" y2="{y.at(goal):.1f}" '
                     f'stroke="#666" stroke-dasharray="5 4"/>')
    for k, (name, line) in enumerate(lines.items()):
        color = COLORS[k % len(COLORS)]
        path = " ".join(f"{x.at(a):.1f},{y.at(b):.1f}" for a, b in line)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{color}" stroke-width="2"/>')
        parts += [f'<circle cx="{x.at(a):.1f}" cy="{y.at(b):.1f}" r="3" fill="{color}"/>' for a, b in line]
        if len(lines) > 1:
            row = TOP + 12 + 14 * k
            parts.append(f'<text x="{x.begin + 6}" y="{row}" fill="{color}">{escape(name)}</text>')
    return "".join(parts)


def write(
    path: Path, y_title: str, panels: Mapping[str, tuple[str, Mapping[str, Line]]], goal: float | None = None,
) -> None:
    """Panels side by side; ``panels`` maps a title to the x axis's title and the lines by name."""
    drawn = [panel(title, x_title, y_title, lines, goal, k * WIDTH)
             for k, (title, (x_title, lines)) in enumerate(panels.items())]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH * len(drawn)} {HEIGHT}" '
        f'width="{WIDTH * len(drawn)}" font-family="sans-serif" font-size="11"><rect width="100%" height="100%" '
        f'fill="white"/>{"".join(drawn)}</svg>\n', encoding="utf-8",
    )
