"""The random net with scikit-learn's conventions."""
from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from gradscape.dynamics.bandlimited.networks import (
    ACTIVATIONS,
    coefficient_norms,
    features,
    sample_hidden,
    solve_readout,
)
from gradscape.validate import at_least, nonnegative, one_of, positive


class RandomNet(MultiOutputMixin, RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """A net of ``n`` frozen random hidden units from a box of half-width ``lam`` (Li et al., arXiv 2008.08427).

    ``g(x) = Σ_j c_j σ(a_j·x - b_j)``, no intercept; ``ridge``, ``rcond`` and ``budget`` as in
    :func:`~gradscape.dynamics.bandlimited.networks.solve_readout` (``budget`` in units of the targets). After ``fit``:
    ``hidden_`` (A, b), ``coef_`` (n,) or (n, T), ``rank_`` of the hidden layer in float64, ``coef_norms_``. Arguments
    are checked in ``fit``, as scikit-learn does.

    >>> x = np.linspace(0, 1, 50)[:, None]
    >>> net = RandomNet(30, 10.0).fit(x, np.sin(6 * x[:, 0]))
    >>> net.score(x, np.sin(6 * x[:, 0])) > 0.999
    True
    """

    def __init__(
        self, n: int, lam: float, activation: str = "sigmoid", ridge: float = 0.0, rcond: float | None = None,
        budget: float | None = None, seed: int = 0,
    ) -> None:
        self.n, self.lam, self.activation = n, lam, activation
        self.ridge, self.rcond, self.budget, self.seed = ridge, rcond, budget, seed

    def fit(self, X: Any, y: Any) -> RandomNet:
        """Draw the hidden layer and solve for the output weights; ``X`` (N, d), ``y`` (N,) or (N, T)."""
        at_least("n", self.n, 1)
        positive("lam", self.lam)
        one_of("activation", self.activation, ACTIVATIONS)
        nonnegative("ridge", self.ridge)
        if self.rcond is not None:
            nonnegative("rcond", self.rcond)
        if self.budget is not None:
            positive("budget", self.budget)
        X, y = validate_data(self, X, y, dtype=np.float64, multi_output=True, y_numeric=True)
        A, b = self.hidden_ = sample_hidden(self.n, X.shape[1], self.lam, seed=self.seed)
        readout = solve_readout(
            features(X, A, b, self.activation), np.asarray(y, dtype=np.float64), ridge=self.ridge, rcond=self.rcond,
            budget=self.budget,
        )
        self.coef_, self.rank_ = readout.coef, readout.rank
        self.singular_values_, self.coef_norms_ = readout.singular, coefficient_norms(readout.coef)
        return self

    def predict(self, X: Any) -> NDArray[np.float64]:
        """Outputs (N,) or (N, T) at ``X`` (N, d)."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, reset=False)
        return features(X, *self.hidden_, self.activation) @ self.coef_
