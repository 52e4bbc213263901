"""The lesson's experiments: functions of samples, classifiers on them, tails."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from gradscape.diffusion.concentration.classifiers import (
    class_moments,
    classification_error,
    ridge_classifier,
    sample_gmm,
)
from gradscape.diffusion.concentration.denoiser import make_denoiser, train_edm
from gradscape.diffusion.concentration.images import Plan, generated, local_stretch, protocol_plan
from gradscape.diffusion.concentration.lipschitz import edm_sample, lipschitz_functions
from gradscape.diffusion.concentration.prediction import predict_error
from gradscape.diffusion.concentration.settings import Settings
from gradscape.diffusion.concentration.tails import TailReport, student_t, tail_report
from gradscape.lesson import cached, generator, protocol, replicate_seed, seeds_of

Progress = Callable[[int, int], None]
Classifier = Callable[[Tensor, float], Tensor]

DIRECTIONS = 3  # random ones and principal ones, of each
FEWEST = 50  # test samples per class that an error is worth
D, HEAVY, LIGHT = 10, 3.0, 1000.0  # dimension and degrees of freedom of the Student-t data
C, NEIGHBORS, LINEAR = 10.0, 5, 1e-2  # of the support vector machine, of k-NN, and the penalty beside them
CURVE = (20, 30, 50, 80, 130, 200, 350, 600, 1000, 2000)  # n of predicted curves
CURVE_DRAWS = 50_000  # Gaussian scores behind each of their points
SHUFFLE, MIXTURE, REAL, REAL_MIXTURE, SCORES = range(10, 15)  # streams of random numbers


# ---- functions of samples --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Functions:
    """1-Lipschitz functions of samples, each (K, n), and the local stretch of the sampler, (K, points)."""

    values: dict[str, Tensor]
    stretch: Tensor

    @property
    def shares(self) -> dict[str, Tensor]:
        """Standard deviation in each class over the largest stretch found in it, (K,) per function."""
        return {name: v.std(1) / self.stretch.amax(1) for name, v in self.values.items()}

    @property
    def norm_tail(self) -> Tensor:
        """Share of samples whose norm is more than three standard deviations from the mean, (K,)."""
        norm = self.values["norm"]
        return ((norm - norm.mean(1, keepdim=True)).abs() > 3 * norm.std(1, keepdim=True)).double().mean(1)


@cached
def functions_of(
    plan: Plan, made: int, used: int, points: int, sampler_steps: int = 18, churn: float = 0.0
) -> Functions:
    """Norm, largest coordinate, distances to training images, and projections, class by class.

    Of the first ``used`` of ``made`` samples; the stretch is that of the sampler without churn.
    """
    X, train = generated(plan, made, sampler_steps, churn)[:, :used], plan.images.train
    d, stream = X.shape[2], generator(plan.seed, SHUFFLE)
    random = torch.nn.functional.normalize(torch.randn(DIRECTIONS, d, generator=stream), dim=1)
    found: dict[str, list[Tensor]] = {}
    for rows, anchors in zip(X, train, strict=True):
        principal = torch.linalg.eigh((rows - rows.mean(0)).mT @ (rows - rows.mean(0))).eigenvectors.mT.flip(0)
        values = lipschitz_functions(rows, anchors, torch.cat([random, principal[:DIRECTIONS]]))
        for k in range(DIRECTIONS):
            values[f"random direction {k + 1}"] = values.pop(f"projection {k + 1}")
            values[f"principal direction {k + 1}"] = values.pop(f"projection {DIRECTIONS + k + 1}")
        for name, value in values.items():
            found.setdefault(name, []).append(value)
    stretch = local_stretch(plan, points, sampler_steps)
    return Functions({name: torch.stack(rows) for name, rows in found.items()}, stretch)


@protocol
def functions(settings: Settings, *, progress: Progress | None = None) -> Functions:
    """Of the samples that moments are taken from (claim C1)."""
    size = settings.size
    return functions_of(protocol_plan(settings), size.moments + size.pool, size.moments, size.local)


@protocol
def stretch_by_steps(settings: Settings, *, progress: Progress | None = None) -> dict[int, Tensor]:
    """Local stretch (K, points) of samplers of more and more steps, at the same noise."""
    plan, size = protocol_plan(settings), settings.size
    return {steps: local_stretch(plan, size.local, steps) for steps in size.stretch}


# ---- linear classifiers ----------------------------------------------------------------------------------------------


def errors(
    source: Callable[[], Tensor], ns: Sequence[int], lams: Sequence[float], draws: int, test: int,
    fit: Classifier = ridge_classifier, watch: Callable[[], None] | None = None,
) -> Tensor:
    """Test errors (lams, ns, draws) of classifiers; ``source()`` gives shuffled samples (K, count, d).

    The first n of each class train, the next ``test`` test; NaN where fewer than 50 are left for that.
    """
    found = torch.full((len(lams), len(ns), draws), torch.nan, dtype=torch.float64)
    for r in range(draws):
        X = source()
        for k, n in enumerate(ns):
            rest = X[:, n : n + test]
            if rest.shape[1] < min(FEWEST, test):
                continue
            for i, lam in enumerate(lams):
                found[i, k, r] = classification_error(fit(X[:, :n], lam), rest)
        if watch is not None:
            watch()
    return found


def shuffled(X: Tensor, stream: torch.Generator) -> Callable[[], Tensor]:
    """A source that deals out the same samples (K, count, d) in ever new order."""
    return lambda: X[:, torch.randperm(X.shape[1], generator=stream)]


def mixture(X: Tensor, count: int, stream: torch.Generator) -> Callable[[], Tensor]:
    """A source of ``count`` fresh draws per class of the Gaussians with the moments of X (K, n, d)."""
    mu, C = class_moments(X)
    return lambda: sample_gmm(mu, C, count, stream)


@dataclass(frozen=True)
class Universality:
    """Test errors (lams, ns, draws) on generated samples, on the mixture with their moments, on real images and on the
    mixture with theirs, and the error predicted from the generated samples' moments (lams, ns)."""

    d: int
    classes: int
    ns: tuple[int, ...]
    lams: tuple[float, ...]
    diffusion: Tensor
    mixture: Tensor
    real: Tensor
    real_mixture: Tensor
    predicted: Tensor

    @property
    def gap(self) -> Tensor:
        """Mean error on generated samples minus that on their mixture, (lams, ns)."""
        return self.diffusion.mean(2) - self.mixture.mean(2)

    @property
    def miss(self) -> Tensor:
        """Predicted error minus the mean error on the mixture, (lams, ns)."""
        return self.predicted - self.mixture.mean(2)

    @property
    def interpolates(self) -> Tensor:
        """Where the penalty is below 1e-2 and K n is within 20 % of d, (lams, ns): the formula is not held to those."""
        near = torch.tensor([abs(self.classes * n - self.d) <= 0.2 * self.d for n in self.ns])
        return near & (torch.tensor(self.lams) < 1e-2)[:, None]


@cached
def universality_of(
    plan: Plan, ns: tuple[int, ...], lams: tuple[float, ...], moments: int, pool: int, test: int, draws: int,
    sampler_steps: int = 18, churn: float = 0.0, fit: Classifier = ridge_classifier, *,
    progress: Progress | None = None,
) -> Universality:
    """Moments come from ``moments`` samples per class; training and test sets from ``pool`` others."""
    if max(ns) + test > pool:
        raise ValueError(f"n={max(ns)}: with {test} test samples it must not exceed the pool of {pool} per class")
    X, real = generated(plan, moments + pool, sampler_steps, churn), plan.images.all
    known, count, seed, done = X[:, :moments], max(ns) + test, plan.seed, 0

    def watch() -> None:
        nonlocal done
        done += 1
        if progress is not None:
            progress(done, 4 * draws)

    sources = (
        shuffled(X[:, moments:], generator(seed, SHUFFLE)), mixture(known, count, generator(seed, MIXTURE)),
        shuffled(real, generator(seed, REAL)), mixture(real, count, generator(seed, REAL_MIXTURE)),
    )
    made, mixed, images, mixed_images = (errors(source, ns, lams, draws, test, fit, watch) for source in sources)
    mu, C = class_moments(known)
    predicted = [[predict_error(mu, C, n, lam, generator=generator(seed, SCORES)).error for n in ns] for lam in lams]
    return Universality(X.shape[2], len(X), ns, lams, made, mixed, images, mixed_images,
                        torch.tensor(predicted, dtype=torch.float64))


@protocol
def universality(settings: Settings, *, progress: Progress | None = None) -> Universality:
    """Error curves of linear classifiers (claims C4 and C5)."""
    size = settings.size
    return universality_of(protocol_plan(settings), size.n, size.lams, size.moments, size.pool, size.test, size.draws,
                           progress=progress)


@protocol
def predicted_curves(settings: Settings, *, progress: Progress | None = None) -> tuple[tuple[int, ...], Tensor]:
    """Many n, and the predicted error at each of them, (lams, ns): lines for figures."""
    plan, size = protocol_plan(settings), settings.size
    mu, C = class_moments(generated(plan, size.moments + size.pool)[:, : size.moments])
    found = [[predict_error(mu, C, n, lam, CURVE_DRAWS, generator(plan.seed, SCORES)).error for n in CURVE]
             for lam in size.lams]
    return CURVE, torch.tensor(found, dtype=torch.float64)


# ---- other classifiers -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Nonlinear:
    """Test errors (draws,) of each classifier on generated samples and on the mixture with their moments."""

    n: int
    diffusion: dict[str, Tensor]
    mixture: dict[str, Tensor]

    @property
    def gaps(self) -> dict[str, float]:
        """Mean error on generated samples minus that on the mixture."""
        return {name: float((found - self.mixture[name]).mean()) for name, found in self.diffusion.items()}


def other_errors(train: Tensor, test: Tensor) -> dict[str, float]:
    """Errors of a ridge classifier, of 5 nearest neighbors and of a support vector machine with RBF kernel, C = 10."""
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.svm import SVC

    found = {"linear": classification_error(ridge_classifier(train, LINEAR), test)}
    (x, y), (xt, yt) = ((X.flatten(0, 1).double().numpy(), torch.arange(len(X)).repeat_interleave(X.shape[1]).numpy())
                        for X in (train, test))
    for name, model in (("5 nearest neighbors", KNeighborsClassifier(NEIGHBORS)), ("RBF support vectors", SVC(C=C))):
        found[name] = 1 - float(model.fit(x, y).score(xt, yt))
    return found


@protocol
def nonlinear(settings: Settings, *, progress: Progress | None = None) -> Nonlinear:
    """The same pairs of sets, other classifiers (claim C6)."""
    plan, size = protocol_plan(settings), settings.size
    X = generated(plan, size.moments + size.pool)
    count = size.other_n + size.other_test
    sources = (shuffled(X[:, size.moments :], generator(plan.seed, SHUFFLE)),
               mixture(X[:, : size.moments], count, generator(plan.seed, MIXTURE)))
    found: list[dict[str, list[float]]] = [{}, {}]
    for r in range(size.other_draws):
        for kept, source in zip(found, sources, strict=True):
            rows = source()
            for name, error in other_errors(rows[:, : size.other_n], rows[:, size.other_n : count]).items():
                kept.setdefault(name, []).append(error)
        if progress is not None:
            progress(r + 1, size.other_draws)
    first, second = ({name: torch.tensor(v, dtype=torch.float64) for name, v in kept.items()} for kept in found)
    return Nonlinear(size.other_n, first, second)


@dataclass(frozen=True)
class Spectra:
    """Eigenvalues of each class's covariance, falling, (K, d): of generated samples and of real images."""

    generated: Tensor
    real: Tensor

    @property
    def conditions(self) -> tuple[Tensor, Tensor]:
        """Largest over least eigenvalue of each class, (K,), generated and real; infinite where the least is <= 0."""
        first, second = (torch.where(ev[:, -1] > 0, ev[:, 0] / ev[:, -1], torch.inf) for ev in
                         (self.generated, self.real))
        return first, second


def spectra_of(X: Tensor, real: Tensor) -> Spectra:
    """Of samples (K, n, d) and images (K, m, d)."""
    first, second = (torch.linalg.eigvalsh(class_moments(rows)[1]).flip(1) for rows in (X, real))
    return Spectra(first, second)


@protocol
def spectra(settings: Settings, *, progress: Progress | None = None) -> Spectra:
    """Of the samples that moments are taken from, and of all real images (claim C7)."""
    plan = protocol_plan(settings)
    return spectra_of(generated(plan, settings.size.moments + settings.size.pool)[:, : settings.size.moments],
                      plan.images.all)


# ---- tails -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Tail:
    """Norms (n,) of fresh data and of generated samples, with what they say of the tail."""

    nu: float
    fresh: Tensor
    made: Tensor
    fresh_report: TailReport
    made_report: TailReport

    @property
    def q_share(self) -> float:
        """The generated ratio of the .999 quantile to the median over the fresh one."""
        return self.made_report.q_ratio / self.fresh_report.q_ratio

    @property
    def hill_share(self) -> float:
        """Generated over fresh index of Hill."""
        return self.made_report.hill / self.fresh_report.hill


@cached
def tail_run(
    nu: float, seed: int, n: int, steps: int, width: int, *, progress: Progress | None = None
) -> Tail:
    """An unconditional generator trained on n samples of Student-t data of standard deviation 1/2."""
    data = student_t(n, D, nu, seed=replicate_seed(seed, 0))
    scale = float(data.std()) / 0.5
    model = make_denoiser(D, 0, width, 2, seed=replicate_seed(seed, 1))
    rows = (data / scale).float()
    average = train_edm(model, rows, steps=steps, generator=generator(seed, 2), progress=progress).average
    with torch.inference_mode():
        X = edm_sample(average, torch.randn(n, D, generator=generator(seed, 3)))
    made = X.clone().double().norm(dim=1)
    fresh = (student_t(n, D, nu, seed=replicate_seed(seed, 4)) / scale).norm(dim=1)
    k = min(100, n // 10)
    return Tail(nu, fresh, made, tail_report(fresh, k), tail_report(made, k))


@protocol
def tails(settings: Settings, nu: float, *, progress: Progress | None = None) -> list[Tail]:
    """One generator for each data set (claims C2 and C3)."""
    size = settings.size
    return [tail_run(nu, seed, size.tail_n, size.tail_steps, size.tail_width, progress=progress)
            for seed in seeds_of(settings, size.tails)]
