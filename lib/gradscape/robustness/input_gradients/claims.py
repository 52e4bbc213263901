"""What the paper claims, what is measured for it, and by which criterion (arXiv 2102.12781)."""
from __future__ import annotations

from torch import Tensor

from gradscape import lesson
from gradscape.lesson import Claim, Measured, at_least, at_most, between, every
from gradscape.robustness.input_gradients.images import RANDOM, blocks, roar, robust_kind
from gradscape.robustness.input_gradients.points import POINT_EPS, point, rich, simplified
from gradscape.robustness.input_gradients.settings import ROAR_EPS, Settings

HIT, RATIO, READ = "largest gradient at the signal, share", "gradient at the signal over elsewhere", "accuracy"
LAMBDA, NU = "median λ", "mean ν"
NEAR, FAR = 0.2, 0.1  # levels of DiffROAR that the claims name

CLAIMS = (
    Claim(
        "I1", "paper", "A standard network's gradient does not mark the place where an input carries its signal.",
        "abstract; Theorem 1", "official notebook, d = 10: quality at k = 1 is -.521; mean |cosine| .29",
        {HIT: every(at_most(0.15)), RATIO: every(between(0.8, 1.05)), READ: every(at_least(1.0))},
    ),
    Claim(
        "I2", "paper", "A robust network's gradient does.", "abstract",
        "official notebook, d = 10: quality at k = 1 is 1.000; mean |cosine| 1.00",
        {HIT: every(at_least(0.95)), RATIO: every(at_least(5.0))},
    ),
    Claim(
        "I3", "paper", "Feature leakage: a standard network's gradient also lights up the block without signal.",
        "abstract; Sec. 4", None, {LAMBDA: every(at_least(0.7)), NU: every(at_least(0.3))},
    ),
    Claim(
        "I4", "paper", "The leak vanishes when the signal is always on top, and is reduced by robust training.",
        "abstract; Sec. 4", None,
        {f"{LAMBDA}, top": every(at_most(0.3)), f"{NU}, top": every(at_most(0.02)),
         f"{LAMBDA}, robust": every(at_most(0.5)), f"{NU}, robust": every(at_most(0.1))},
    ),
    Claim(
        "I5", "paper", "DiffROAR is near zero for standard networks and positive for robust ones.",
        "abstract; Sec. 3", "CIFAR-10, ImageNet-10: negative for standard networks below k = .2 (official notebook)",
        {"|standard|, k = .2, points": at_most(2.0), "robust, k = .2, points": at_least(2.5),
         "robust - standard, k = .2, points": at_least(1.5), "robust - standard, k = .1, points": at_least(1.5),
         "|random|, k = .2, points": at_most(2.0), "|random|, k = .1, points": at_most(2.0)},
    ),
    Claim(
        "I6", "control", "The mask itself carries the label: blind networks read it as well as images are read.",
        "", None, {"mask-only minus base accuracy, k = .1, points": every(at_least(-5.0))},
    ),
    Claim(
        "I7", "report", "What robustness costs, and what it leaves.", "", None,
    ),
)


def _mean(values: Tensor) -> str:
    return f"{float(values.mean()):.3f}"


def _range(values: Tensor) -> str:
    return f"{float(values.min()):.2f} to {float(values.max()):.2f}"


def _points(value: Tensor) -> str:
    """Points of accuracy with their sign, and no negative zero."""
    return f"{round(float(value), 1) + 0.0:+.1f}"


def measure_i1(settings: Settings) -> Measured:
    """Standard networks on d = 20, |S| = 10: per network; the rich variant as a note."""
    found, small = simplified(settings), rich(settings)
    return Measured(
        {HIT: found.hit.numpy(), RATIO: found.ratio.double().numpy(), READ: found.accuracy.numpy(),
         "smallest gradient at the signal, share": found.smallest.numpy(),
         "mean |cosine|": found.cosine.double().numpy()},
        n=len(found.hit),
        note=f"from a small start: coefficient of variation over S {_mean(small.variation)}, off S {_mean(small.off)} "
             "of S (closed form: 0 and 0)",
    )


def measure_i2(settings: Settings) -> Measured:
    """Robust networks, linf radius .35, per network."""
    found = simplified(settings, POINT_EPS)
    return Measured(
        {HIT: found.hit.numpy(), RATIO: found.ratio.double().numpy(), READ: found.accuracy.numpy(),
         "accuracy under the training attack": found.attacked.double().numpy(),
         "mean |cosine|": found.cosine.double().numpy()},
        n=len(found.hit),
    )


def measure_i3(settings: Settings) -> Measured:
    """Block images, signal above or below at random: per network."""
    found = blocks(settings)
    return Measured(
        {LAMBDA: found.median_lam("standard").double().numpy(), NU: found.mean_nu("standard").double().numpy()},
        n=len(found.clean["standard"]), note=f"accuracy {_range(found.clean['standard'])}",
    )


def measure_i4(settings: Settings) -> Measured:
    """Standard networks where the signal is always on top; robust ones where it is not. Per network."""
    found = blocks(settings)
    values = {f"{name}, {variant}": value(variant).double().numpy() for variant in ("top", "robust")
              for name, value in ((LAMBDA, found.median_lam), (NU, found.mean_nu))}
    return Measured(
        values, n=len(found.clean["top"]),
        note=f"accuracy: top {_range(found.clean['top'])}, robust {_range(found.clean['robust'])} and under its "
             f"training attack {_range(found.attacked['robust'])}, where standard has "
             f"{_range(found.attacked['standard'])}",
    )


def measure_i5(settings: Settings) -> Measured:
    """DiffROAR in points of accuracy, means over base networks (random: over rankings)."""
    found = roar(settings)
    near, far = (found.result.at(level) for level in (NEAR, FAR))
    standard, robust, random = (found.mean(kind) for kind in ("standard", robust_kind(ROAR_EPS), RANDOM))
    net_of = {kind: found.mean(kind) - found.mean(kind, "mask_only_diff")
              for kind in ("standard", robust_kind(ROAR_EPS))}
    return Measured(
        {
            "|standard|, k = .2, points": abs(float(standard[near])),
            "robust, k = .2, points": float(robust[near]),
            "robust - standard, k = .2, points": float(robust[near] - standard[near]),
            "robust - standard, k = .1, points": float(robust[far] - standard[far]),
            "|random|, k = .2, points": abs(float(random[near])),
            "|random|, k = .1, points": abs(float(random[far])),
        },
        n=len(found.rows["standard"]),
        note=f"standard {_points(standard[near])} and {_points(standard[far])} at k = .2 and .1, robust "
             f"{_points(robust[near])} and {_points(robust[far])}; less the masks' own difference, at k = .1: "
             + ", ".join(f"{kind} {_points(value[far])}" for kind, value in net_of.items()),
    )


def measure_i6(settings: Settings) -> Measured:
    """Networks that see only where the standard networks' top tenth is, per base network."""
    found = roar(settings)
    far = found.result.at(FAR)
    seen = found.of("standard", "mask_only_top")[:, far]
    robust = found.of(robust_kind(ROAR_EPS), "mask_only_top")[:, far]
    return Measured(
        {"mask-only minus base accuracy, k = .1, points": (100 * (seen - found.clean["standard"])).double().numpy()},
        n=len(seen),
        note=f"mask-only {_mean(seen)}, base {_mean(found.clean['standard'])}; robust networks' masks {_mean(robust)}, "
             f"random masks {_mean(found.of(RANDOM, 'mask_only_top')[:1, far])}; top-k images "
             f"{_mean(found.of('standard', 'top')[:, far])}, bottom-k {_mean(found.of('standard', 'bottom')[:, far])}",
    )


def measure_i7(settings: Settings) -> Measured:
    """Accuracies of base networks, and the leak that robust block networks keep."""
    found, block = roar(settings), blocks(settings)
    values: dict[str, float] = {}
    for kind in found.clean:
        values[f"ten classes, {kind}"] = float(found.clean[kind].mean())
        values[f"ten classes, {kind}, attacked"] = float(found.attacked[kind].mean())
    for variant in ("standard", "robust"):
        values[f"block images, {variant}"] = float(block.clean[variant].mean())
    values[f"block images, robust, {LAMBDA}"] = float(block.median_lam("robust").mean())
    return Measured(values, n=len(found.rows["standard"]), note="means over networks; an exact gradient has λ = 0")


MEASURES = {
    "I1": measure_i1, "I2": measure_i2, "I3": measure_i3, "I4": measure_i4, "I5": measure_i5, "I6": measure_i6,
    "I7": measure_i7,
}


def measure(settings: Settings) -> dict[str, Measured]:
    """Every claim by its fixed protocol."""
    return lesson.measure(CLAIMS, MEASURES, settings)


__all__ = ["CLAIMS", "MEASURES", "measure", "point"]
