"""Power laws by least squares in logarithms, with the errors of their exponents."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtrit

Array = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Power:
    """``y = prefactor * prod_i x_i^exponents[i]`` with standard errors of the exponents and the R² of ln y.

    ``stderr`` is NaN and ``band`` infinite where the data leave no degree of freedom.
    """

    exponents: Array
    stderr: Array
    r2: float
    prefactor: float
    dof: int
    scatter: float
    _normal: Array

    def __call__(self, X: ArrayLike) -> Array:
        """The fitted power at X, (n,) for one variable or (n, k)."""
        return np.exp(_design(X, len(self.exponents)) @ self._coefficients)

    def band(self, X: ArrayLike, level: float = 0.95) -> tuple[Array, Array]:
        """Lower and upper confidence limits of the fitted line at X (of the line, not of single measurements)."""
        rows = _design(X, len(self.exponents))
        middle = rows @ self._coefficients
        if self.dof < 1:
            return np.zeros_like(middle), np.full_like(middle, np.inf)
        spread = np.sqrt(np.einsum("ni,ij,nj->n", rows, self._normal, rows)) * self.scatter
        half = float(stdtrit(self.dof, 0.5 + level / 2)) * spread
        return np.exp(middle - half), np.exp(middle + half)

    @property
    def _coefficients(self) -> Array:
        return np.concatenate([[np.log(self.prefactor)], self.exponents])


def _design(X: ArrayLike, variables: int) -> Array:
    values = _positive("X", X)
    values = values.reshape(-1, 1) if values.ndim < 2 else values
    if values.shape[1] != variables:
        raise ValueError(f"X has {values.shape[1]} variables; the fit has {variables}")
    return np.column_stack([np.ones(len(values)), np.log(values)])


def _positive(name: str, values: ArrayLike) -> Array:
    array = np.asarray(values, dtype=np.float64)
    bad = int((~(np.isfinite(array) & (array > 0))).sum())
    if bad or array.size == 0:
        raise ValueError(f"{name}: {bad} of {array.size} entries are not positive and finite: drop them, say how many")
    return array


def fit(X: Any, y: ArrayLike) -> Power:
    """Fit ln y = ln c + sum_i e_i ln x_i by ordinary least squares.

    ``X`` is (n,) or (n, k), ``y`` is (n,); all entries must be positive and finite, at least k + 1 distinct rows.
    Raises ``ValueError`` otherwise. Errors assume equal, independent scatter of ln y.

    >>> fit([1, 2, 4], [3, 12, 48]).exponents
    array([2.])
    """
    values, target = _positive("X", X), np.log(_positive("y", y))
    values = values.reshape(-1, 1) if values.ndim < 2 else values
    if target.ndim != 1 or len(target) != len(values):
        raise ValueError(f"shapes differ: X {np.shape(X)}, y {np.shape(y)}; one row of X per entry of y is needed")
    rows = _design(values, values.shape[1])
    if np.linalg.matrix_rank(rows) < rows.shape[1]:
        raise ValueError(f"X: {len(values)} rows do not determine {values.shape[1]} exponents and a prefactor")
    normal = np.linalg.inv(rows.T @ rows)
    coefficients = np.linalg.lstsq(rows, target, rcond=None)[0]
    residual = target - rows @ coefficients
    dof = len(target) - rows.shape[1]
    scatter = float(np.sqrt(residual @ residual / dof)) if dof > 0 else float("nan")
    total = float(((target - target.mean()) ** 2).sum())
    r2 = 1 - float(residual @ residual) / total if total > 0 else 1.0
    return Power(
        exponents=coefficients[1:],
        stderr=scatter * np.sqrt(np.diag(normal))[1:],
        r2=r2,
        prefactor=float(np.exp(coefficients[0])),
        dof=dof,
        scatter=scatter,
        _normal=normal,
    )
