"""What the paper claims, what is measured for it, and by which criterion (arXiv 1805.08006)."""
from __future__ import annotations

from torch import Tensor

from gradscape import lesson
from gradscape.lesson import Claim, Measured, at_least, at_most, equals, mean_of
from gradscape.robustness.bidirectional.experiments import (
    GRID,
    SCALES,
    TUNED,
    masking,
    point,
    same_rates,
    study,
    tuning,
)
from gradscape.robustness.bidirectional.hybrid_experiments import hybrid
from gradscape.robustness.bidirectional.settings import Settings

CLAIMS = (
    Claim(
        "B1", "paper", "Learning in both directions makes a network more robust to adversarial examples (FGSM).",
        "abstract; appendix, Table 1", "MNIST, ε = .3, labels predicted: .031 → .115 with one hidden layer, "
        ".039 → .402 with none", {"FGSM with true labels, BL - BP": mean_of(at_least(0.10))},
    ),
    Claim(
        "B2", "paper", "… and the robustness is there, not only hidden behind vanishing gradients (shallow network).",
        "abstract", None, {"PGD on the margin, BL - BP": mean_of(at_least(0.07))},
    ),
    Claim(
        "B3", "counter", "Learning in both directions even increases accuracy.", "abstract",
        "MNIST, one hidden layer: .948 (BP), .918 (BL); it rises only in some CIFAR-10 networks",
        {"clean accuracy, BP - BL": mean_of(at_least(0.03))},
    ),
    Claim(
        "B4", "counter", "Learning in both directions makes a network more robust to white-noise static.", "abstract",
        "MNIST, one hidden layer: .648 (BP), .412 (BL)",
        {"accuracy under static, BP - BL": mean_of(at_least(0.08))},
    ),
    Claim(
        "B5", "paper", "Trained in both directions, a network is less sure of itself on pure white noise.",
        "evaluation of the code", None,
        {"confidence on noise over that on images, BL - BP": mean_of(at_most(-0.10), minimum=6)},
    ),
    Claim(
        "B6", "control", "A plain penalty on squared weights does as well: two directions are not the only way.", "",
        None, {"clean accuracy, L2 - BL": mean_of(at_least(-0.01)),
               "PGD on the margin, L2 - BL": mean_of(at_least(0.0))},
    ),
    Claim(
        "B7", "report", "Where it may not help: four hidden layers, and hybrid adversarial networks trained briefly.",
        "appendix, Tables 1 and 2", "MNIST: .098 → .333 with four hidden layers, .013 → .068 for HAN-FC",
    ),
    Claim(
        "B8", "control", "A saturated softmax fakes robustness: the last layer 50 times as large.", "", None,
        {"images read differently": equals(0), "FGSM with true labels, change": mean_of(at_least(0.25)),
         "PGD on the margin, largest change": at_most(1e-9)},
    ),
    Claim(
        "B9", "control", "B1 and B2 do not hang on the learning rate: each method at its best of the same four.", "",
        None, {"FGSM with true labels, BL - BP": mean_of(at_least(0.10)),
               "PGD on the margin, BL - BP": mean_of(at_least(0.07))},
    ),
)


def _mean(values: Tensor) -> str:
    return f"{float(values.mean()):.3f}"


def _compared(settings: Settings, field: str, part: str, first: str, second: str) -> Measured:
    """first - second per seed, with both means as a note."""
    made = study(settings, "one")
    a, b = made.of(first, field), made.of(second, field)
    note = ", ".join(f"{variant} {_mean(made.of(variant, field))}" for variant in made.variants)
    return Measured({part: (a - b).double().numpy()}, n=made.seeds, note=f"means: {note}")


def measure_b1(settings: Settings) -> Measured:
    """Accuracy under FGSM with true labels, ε = 0.1, one hidden layer, per seed; predicted labels as a note."""
    found = _compared(settings, "fgsm_true", "FGSM with true labels, BL - BP", "bl", "bp")
    made = study(settings, "one")
    more = f"; predicted labels: bp {_mean(made.of('bp', 'fgsm_pred'))}, bl {_mean(made.of('bl', 'fgsm_pred'))}"
    return Measured(found.values, n=found.n, note=found.note + more)


def measure_b2(settings: Settings) -> Measured:
    """Ten steps on the logit margin in float64, which saturation cannot hide."""
    found = _compared(settings, "pgd_margin", "PGD on the margin, BL - BP", "bl", "bp")
    made = study(settings, "one")
    more = f"; images without gradient: bp {_mean(made.of('bp', 'zero_grad'))}, bl {_mean(made.of('bl', 'zero_grad'))}"
    return Measured(found.values, n=found.n, note=found.note + more)


def measure_b3(settings: Settings) -> Measured:
    """Accuracy on the test images as they are."""
    return _compared(settings, "clean", "clean accuracy, BP - BL", "bp", "bl")


def measure_b4(settings: Settings) -> Measured:
    """Accuracy with the paper's static of amplitude 0.1."""
    return _compared(settings, "noisy", "accuracy under static, BP - BL", "bp", "bl")


def measure_b5(settings: Settings) -> Measured:
    """Mean largest softmax on pure noise over that on test images."""
    return _compared(
        settings, "mean_confidence_ratio", "confidence on noise over that on images, BL - BP", "bl", "bp"
    )


def measure_b6(settings: Settings) -> Measured:
    """The penalty at 3e-3 beside BL, per seed."""
    made = study(settings, "one")
    values = {
        part: (made.of("l2", field) - made.of("bl", field)).double().numpy()
        for part, field in (("clean accuracy, L2 - BL", "clean"), ("PGD on the margin, L2 - BL", "pgd_margin"))
    }
    note = (f"PGD won by L2: {int((values['PGD on the margin, L2 - BL'] > 0).sum())} of {made.seeds}; FGSM with true "
            f"labels: l2 {_mean(made.of('l2', 'fgsm_true'))}, bl {_mean(made.of('bl', 'fgsm_true'))}")
    return Measured(values, n=made.seeds, note=note)


def measure_b7(settings: Settings) -> Measured:
    """Means of clean accuracy, FGSM with true labels and PGD on the margin; BP also at the rates of BL."""
    if not settings.size.deep_seeds or not settings.size.han_seeds:
        return Measured.not_tested("profile full trains these networks")
    deep, same, han = study(settings, "four"), same_rates(settings, "four"), hybrid(settings)
    fields = (("clean", "clean"), ("FGSM", "fgsm_true"), ("PGD", "pgd_margin"))
    values = {
        f"{what}, {name}, {variant.upper()}": float(made.of(variant, field).mean())
        for what, made in (("four hidden layers", deep), ("HAN-FC", han))
        for name, field in fields
        for variant in ("bp", "bl")
    }
    values |= {f"four hidden layers, {name}, BP at BL's rate": float(same[field].mean()) for name, field in fields}
    return Measured(values, n=deep.seeds, note=f"HAN-FC: {han.seeds} seeds, {settings.size.han_iterations} iterations")


def measure_b8(settings: Settings) -> Measured:
    """The back-propagated networks of B1 with the last layer times 50."""
    found = masking(settings)
    at = SCALES.index(50.0)
    return Measured(
        {
            "images read differently": int(found.changed[at].sum()),
            "FGSM with true labels, change": (found.fgsm_true[at] - found.fgsm_true[0]).double().numpy(),
            "PGD on the margin, largest change": float((found.pgd_margin[at] - found.pgd_margin[0]).abs().max()),
        },
        n=found.clean.shape[1],
        note=f"FGSM {_mean(found.fgsm_true[0])} → {_mean(found.fgsm_true[at])}, PGD on the cross-entropy "
             f"{_mean(found.pgd[0])} → {_mean(found.pgd[at])}, images without gradient {_mean(found.zero_grad[at])}",
    )


def measure_b9(settings: Settings) -> Measured:
    """One hidden layer, each variant at the rate that reads held-out images best."""
    if not settings.size.tuned_seeds:
        return Measured.not_tested("profile full trains every variant at every rate")
    found = tuning(settings)
    values = {
        f"{name}, BL - BP": (found.of("bl", field) - found.of("bp", field)).double().numpy()
        for name, field in (("FGSM with true labels", "fgsm_true"), ("PGD on the margin", "pgd_margin"))
    }
    chosen = ", ".join(
        f"{variant} {GRID[best]:g} (clean {_mean(found.of(variant, 'clean'))}, PGD "
        f"{_mean(found.of(variant, 'pgd_margin'))})"
        for variant, best in zip(TUNED, found.best, strict=True)
    )
    return Measured(values, n=settings.size.tuned_seeds, note=f"rates: {chosen}")


MEASURES = {
    "B1": measure_b1, "B2": measure_b2, "B3": measure_b3, "B4": measure_b4, "B5": measure_b5, "B6": measure_b6,
    "B7": measure_b7, "B8": measure_b8, "B9": measure_b9,
}


def measure(settings: Settings) -> dict[str, Measured]:
    """Every claim by its fixed protocol."""
    return lesson.measure(CLAIMS, MEASURES, settings)


__all__ = ["CLAIMS", "MEASURES", "measure", "point"]
