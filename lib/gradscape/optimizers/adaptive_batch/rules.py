"""When is a batch large enough? The tests, and who keeps the batch size (arXiv 2402.11215).

The norm test is that of Byrd, Chin, Nocedal and Wu (2012), the inner-product tests those of Bollapragada, Byrd and
Nocedal (2018). T is a count: the number of samples that the *whole* batch should have. A batch of b passes if T <= b.
"""
from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

from gradscape.learning.per_sample import GradientStats
from gradscape.validate import at_least, one_of, positive

RULES = ("norm", "inner product", "augmented", "coordinate")


@dataclass(frozen=True)
class TestResult:
    """The batch size T that a test asks for, and whether the batch it saw had it."""

    __test__: ClassVar[bool] = False  # pytest takes classes of such a name for its own

    required: float
    passed: bool


Rule = Callable[[GradientStats], TestResult]


def norm_test(stats: GradientStats, eta: float) -> TestResult:
    """T = V/(eta² ||gbar||²): is the error of the batch gradient at most eta of its size? ``ValueError``: eta <= 0.

    >>> norm_test(GradientStats(batch_size=16, mean_sq_norm=2.0, variance=10.0), eta=0.5)
    TestResult(required=20.0, passed=False)
    """
    return _result(stats, _ratio(stats.variance, stats.mean_sq_norm) / positive("eta", eta) ** 2)


def inner_product_test(stats: GradientStats, theta: float) -> TestResult:
    """T = Var<g_i, gbar>/(theta² ||gbar||⁴): only the part of the error along gbar. ``ValueError``: theta <= 0."""
    return _result(stats, _along(stats) / positive("theta", theta) ** 2)


def augmented_test(stats: GradientStats, theta: float, nu: float) -> TestResult:
    """The larger of the inner-product T and V_orth/(nu² ||gbar||²). ``ValueError``: theta or nu <= 0."""
    across = _ratio(_known(stats, "orth_variance"), stats.mean_sq_norm) / positive("nu", nu) ** 2
    return _result(stats, max(inner_product_test(stats, theta).required, across))


def coordinate_test(stats: GradientStats, eta: float) -> TestResult:
    """T = max_j Var(g_ij)/(eta² gbar_j²): the norm test in every entry, which AdaGrad's theory uses."""
    return _result(stats, _known(stats, "coordinate_ratio") / positive("eta", eta) ** 2)


def rule(name: str, *, eta: float = 0.5, theta: float = 0.5, nu: float = 1.0) -> Rule:
    """A test by its name in `RULES`, with its parameters put in. ``ValueError`` for another name or a value <= 0."""
    one_of("name", name, RULES)
    for parameter, value in (("eta", eta), ("theta", theta), ("nu", nu)):
        positive(parameter, value)
    return {
        "norm": functools.partial(norm_test, eta=eta),
        "inner product": functools.partial(inner_product_test, theta=theta),
        "augmented": functools.partial(augmented_test, theta=theta, nu=nu),
        "coordinate": functools.partial(coordinate_test, eta=eta),
    }[name]


def fixed_point(variance: float, gradient_sq_norm: float, eta: float) -> float:
    """Where the norm test settles at a point that does not move: b* = (1 - eta²) V/(eta² ||grad F||²).

    The test divides by ||gbar||², whose mean is ||grad F||² + V/b, so it asks for less than V/(eta² ||grad F||²)
    (derived here, not in the paper). 0 for eta >= 1, which never makes a batch grow on average.
    """
    return max(0.0, 1 - eta**2) * variance / (positive("eta", eta) ** 2 * gradient_sq_norm)


@dataclass(frozen=True)
class Decision:
    """One call of `BatchSizeController.update`: the batch it saw, T (NaN if not tested), the size decided on."""

    step: int
    seen: int
    required: float
    decided: int


class BatchSizeController:
    """Keeps the batch size: b <- min(maximum, max(b, ceil(T))).

    ``test`` maps statistics to a `TestResult` (see `rule`). The floor is the *scheduled* size, not that of the batch at
    hand, which may be a short or an old one. Every ``interval``-th update tests; at ``maximum`` nothing is tested any
    more. ``monotone=False`` lets the size follow T down too, to 2 at least. Before a batch is drawn, `due` says
    whether its update will need statistics. Raises ``ValueError`` for ``initial`` < 2 or > ``maximum``.

    >>> controller = BatchSizeController(rule("norm", eta=0.5), initial=16, maximum=1000)
    >>> controller.update(GradientStats(batch_size=16, mean_sq_norm=2.0, variance=10.0))
    20
    """

    def __init__(
        self, test: Rule, *, initial: int, maximum: int, interval: int = 1, monotone: bool = True
    ) -> None:
        self.test, self.monotone = test, bool(monotone)
        self.maximum, self.interval = at_least("maximum", maximum, 2), at_least("interval", interval, 1)
        self.batch_size = at_least("initial", initial, 2)
        if self.batch_size > self.maximum:
            raise ValueError(f"initial={initial!r}: must be at most maximum={maximum!r}")
        self.steps = 0
        self.history: list[Decision] = []

    @property
    def due(self) -> bool:
        """Whether the next update tests."""
        at_end = self.monotone and self.batch_size >= self.maximum
        return not at_end and (self.steps + 1) % self.interval == 0

    def update(self, stats: GradientStats | None = None) -> int:
        """Decide on the next batch size from the statistics of this batch; they may be left out unless `due`."""
        required, due = math.nan, self.due
        if due:
            if stats is None:
                raise ValueError(f"stats=None: step {self.steps + 1} tests, so the batch's statistics are needed")
            required = self.test(stats).required
            wanted = self.maximum if required >= self.maximum else math.ceil(required)
            self.batch_size = min(self.maximum, max(self.batch_size if self.monotone else 2, wanted))
        self.steps += 1
        self.history.append(
            Decision(self.steps, stats.batch_size if stats else self.batch_size, required, self.batch_size)
        )
        return self.batch_size

    def state_dict(self) -> dict[str, Any]:
        """All that a resumed run needs; the test itself is given anew."""
        return {
            "batch_size": self.batch_size, "maximum": self.maximum, "interval": self.interval,
            "monotone": self.monotone, "steps": self.steps, "history": [asdict(entry) for entry in self.history],
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a saved state. ``ValueError`` if it was saved with another maximum, interval or direction."""
        for name in ("maximum", "interval", "monotone"):
            if state[name] != getattr(self, name):
                raise ValueError(f"{name}={state[name]!r} in the state: this controller has {getattr(self, name)!r}")
        self.batch_size = at_least("batch_size", state["batch_size"], 2)
        self.steps = at_least("steps", state["steps"], 0)
        self.history = [Decision(**entry) for entry in state["history"]]


def _result(stats: GradientStats, required: float) -> TestResult:
    return TestResult(required, required <= stats.batch_size)


def _ratio(variance: float, mean_sq_norm: float) -> float:
    """V/||gbar||²; infinite without a mean gradient: no batch is then large enough."""
    return variance / mean_sq_norm if mean_sq_norm > 0 else math.inf


def _along(stats: GradientStats) -> float:
    # divided twice, so that the fourth power of a small norm cannot vanish
    return _ratio(_ratio(_known(stats, "ip_variance"), stats.mean_sq_norm), stats.mean_sq_norm)


def _known(stats: GradientStats, name: str) -> float:
    value = getattr(stats, name)
    if value is None:
        raise ValueError(f"{name}=None: these statistics were taken without it, and this test needs it")
    return float(value)
