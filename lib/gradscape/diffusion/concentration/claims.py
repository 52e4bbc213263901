"""The claims of Ghane, Bao, Akhtiamov and Hassibi (arXiv 2501.07741) and how each is measured."""
from __future__ import annotations

import torch

from gradscape.diffusion.concentration import experiments as ex
from gradscape.diffusion.concentration.settings import Settings
from gradscape.lesson import Claim, Measured, above, at_most, below, every, within
from gradscape.lesson import measure as measure_claims

CLAIMS = (
    Claim(
        "C1", "paper", "Lipschitz functions of generated samples concentrate, at the scale Λ of the sampler.",
        where="abstract; every class by itself", parts={
            "largest sd of a 1-Lipschitz function over the largest stretch found": below(1),
            "share of norms beyond 3 sd, worst class": below(0.02),
        },
    ),
    Claim(
        "C2", "paper", "Heavy-tailed data cannot be reproduced.", where="abstract; Student-t, ν = 3, ten dimensions",
        parts={
            "0.999 quantile over median of the norm, generated over fresh": every(below(0.6)),
            "Hill index of the norm, generated over fresh": every(above(2)),
        },
    ),
    Claim(
        "C3", "control", "Nearly Gaussian data are reproduced.", where="our own; ν = 1000",
        parts={"0.999 quantile over median of the norm, generated over fresh": every(within(1, 0.1))},
    ),
    Claim(
        "C4", "paper", "A linear classifier errs on generated images as on a Gaussian mixture of the same moments.",
        where="abstract; λ = 1e-3 and 1e-2, every n",
        parts={"largest difference of mean test errors": at_most(0.02)},
    ),
    Claim(
        "C5", "control", "Two moments per class predict the error, with nothing trained.",
        where="our own formula; against simulations of the mixture, the same grid",
        parts={"largest difference of predicted and mean test error": at_most(0.012)},
    ),
    Claim(
        "C6", "control", "This does not extend to nonlinear classifiers.", where="our own; n = 500, RBF kernel, C = 10",
        parts={"difference of mean test errors of the support vector machine": above(0.04)},
    ),
    Claim(
        "C7", "report", "Covariances of generated images are nearly singular, so that proofs of universality do not "
        "apply.", where="abstract",
    ),
)


def measure_c1(settings: Settings) -> Measured:
    """Class by class; the worst one counts."""
    found = ex.functions(settings)
    shares = {name: float(share.max()) for name, share in found.shares.items()}
    top = max(shares, key=shares.__getitem__)
    sds = {name: v.std(1) for name, v in found.values.items()}
    return Measured({
        "largest sd of a 1-Lipschitz function over the largest stretch found": shares[top],
        "share of norms beyond 3 sd, worst class": float(found.norm_tail.max()),
        "of which function": top, "least stretch": float(found.stretch.min()),
        "largest stretch": float(found.stretch.max()), "largest sd": float(torch.stack(list(sds.values())).max()),
        "sd of the norm": sds["norm"].tolist(),
    }, n=found.stretch.numel())


def measure_c2(settings: Settings) -> Measured:
    """Each data set has its own generator and its own fresh data of the same size."""
    found = ex.tails(settings, ex.HEAVY)
    return Measured({
        "0.999 quantile over median of the norm, generated over fresh": [run.q_share for run in found],
        "Hill index of the norm, generated over fresh": [run.hill_share for run in found],
        "quantile over median, generated": [run.made_report.q_ratio for run in found],
        "fresh": [run.fresh_report.q_ratio for run in found],
        "Hill index, generated": [run.made_report.hill for run in found],
        "of fresh data": [run.fresh_report.hill for run in found],
    }, n=len(found))


def measure_c3(settings: Settings) -> Measured:
    """The same with tails that are Gaussian as far as ten thousand samples can tell."""
    found = ex.tails(settings, ex.LIGHT)
    return Measured({
        "0.999 quantile over median of the norm, generated over fresh": [run.q_share for run in found],
        "quantile over median, generated": [run.made_report.q_ratio for run in found],
        "fresh": [run.fresh_report.q_ratio for run in found],
    }, n=len(found))


def _standard_error(values: torch.Tensor) -> torch.Tensor:
    return values.std(-1) / values.shape[-1] ** 0.5


def measure_c4(settings: Settings) -> Measured:
    """Means over training and test sets; moments come from other samples than those."""
    found = ex.universality(settings)
    name = "largest difference of mean test errors"
    spread = float((_standard_error(found.diffusion) ** 2 + _standard_error(found.mixture) ** 2).sqrt().max())
    values = {name: float(found.gap.abs().max())}
    for i, lam in enumerate(found.lams):
        for k, n in enumerate(found.ns):
            values[f"λ = {lam:g}, n = {n}: generated"] = float(found.diffusion[i, k].mean())
            values[f"mixture (λ = {lam:g}, n = {n})"] = float(found.mixture[i, k].mean())
    return Measured(values, spread={name: spread}, n=found.diffusion.shape[2])


def measure_c5(settings: Settings) -> Measured:
    """Cells in which the classifier just interpolates with hardly any penalty are reported apart."""
    found = ex.universality(settings)
    held = ~found.interpolates
    name = "largest difference of predicted and mean test error"
    values = {name: float(found.miss[held].abs().max()), "mean difference": float(found.miss[held].mean())}
    if bool(found.interpolates.any()):
        values["largest where K n is within 20 % of d and λ < 0.01"] = float(found.miss[found.interpolates].abs().max())
    return Measured(values, spread={name: float(_standard_error(found.mixture)[held].max())},
                    n=found.mixture.shape[2])


def measure_c6(settings: Settings) -> Measured:
    """The absolute difference; beside it those of nearest neighbors and of the linear classifier."""
    found = ex.nonlinear(settings)
    svm = "RBF support vectors"
    values = {"difference of mean test errors of the support vector machine": abs(found.gaps[svm])}
    for name in found.diffusion:
        values[f"{name}: generated"] = float(found.diffusion[name].mean())
        values[f"mixture ({name})"] = float(found.mixture[name].mean())
    return Measured(values, n=settings.size.other_draws)


def measure_c7(settings: Settings) -> Measured:
    """Largest over least eigenvalue of the classes' covariances."""
    made, real = ex.spectra(settings).conditions
    return Measured(
        {"condition numbers, generated": made.tolist(), "of real images": real.tolist()}, n=len(made),
        note="That the least eigenvalues vanish as images grow is not tested at this scale.")


MEASURES = {
    "C1": measure_c1, "C2": measure_c2, "C3": measure_c3, "C4": measure_c4, "C5": measure_c5, "C6": measure_c6,
    "C7": measure_c7,
}


def measure(settings: Settings) -> dict[str, Measured]:
    """Measure every claim by its fixed protocol."""
    return measure_claims(CLAIMS, MEASURES, settings)
