"""Results of a grid of runs as an array with named axes."""
from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Grid:
    """``values[i, j, …]`` was measured at ``(axes["first"][i], axes["second"][j], …)``; NaN marks an empty cell.

    >>> grid = Grid({"T": (1, 2), "seed": (0, 1, 2)}, np.arange(6.0).reshape(2, 3))
    >>> grid.mean("seed").values, grid.at(T=2, seed=0)
    (array([1., 4.]), 3.0)
    """

    axes: Mapping[str, Sequence[Any]]
    values: NDArray[Any]

    def __post_init__(self) -> None:
        object.__setattr__(self, "axes", {name: tuple(points) for name, points in self.axes.items()})
        object.__setattr__(self, "values", np.asarray(self.values))
        wanted = tuple(len(points) for points in self.axes.values())
        if self.values.shape != wanted:
            raise ValueError(f"values has shape {self.values.shape}: axes {tuple(self.axes)} need {wanted}")

    @classmethod
    def of(cls, axes: Mapping[str, Sequence[Any]], function: Callable[..., float]) -> Grid:
        """Call ``function(**coordinates)`` in every cell."""
        cells = [function(**dict(zip(axes, point, strict=True))) for point in itertools.product(*axes.values())]
        return cls(axes, np.array(cells).reshape([len(points) for points in axes.values()]))

    def _axis(self, name: str) -> int:
        if name not in self.axes:
            raise ValueError(f"axis {name!r}: must be one of {', '.join(self.axes)}")
        return list(self.axes).index(name)

    def select(self, **coordinates: Any) -> Grid:
        """The sub-grid at exact coordinates; the named axes disappear."""
        index: list[Any] = [slice(None)] * len(self.axes)
        for name, value in coordinates.items():
            position = self._axis(name)
            if value not in self.axes[name]:
                raise ValueError(f"{name}={value!r}: must be one of {self.axes[name]}")
            index[position] = self.axes[name].index(value)
        return Grid({k: v for k, v in self.axes.items() if k not in coordinates}, self.values[tuple(index)])

    def at(self, **coordinates: Any) -> Any:
        """The value of one cell, with every axis named."""
        cell = self.select(**coordinates)
        if cell.axes:
            raise ValueError(f"coordinates missing for {', '.join(cell.axes)}")
        return cell.values.item()

    def reduce(self, axis: str, function: Callable[..., NDArray[Any]]) -> Grid:
        """Apply ``function(values, axis=…)`` along one axis, which disappears."""
        position = self._axis(axis)
        rest = {name: points for name, points in self.axes.items() if name != axis}
        return Grid(rest, function(self.values, axis=position))

    def mean(self, axis: str) -> Grid:
        """The mean along one axis; a cell with a NaN stays NaN, so that missing runs are seen."""
        return self.reduce(axis, np.mean)

    def columns(self, name: str = "value") -> dict[str, list[Any]]:
        """One row per cell, as columns of a recorded table; NaN becomes ``None``."""
        points = list(itertools.product(*self.axes.values()))
        table = {axis: [point[k] for point in points] for k, axis in enumerate(self.axes)}
        flat = self.values.ravel().tolist()
        return table | {name: [None if value != value else value for value in flat]}
