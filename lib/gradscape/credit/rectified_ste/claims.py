"""What the paper claims, what is measured for it, and by which criterion (arXiv 2308.06689)."""
from __future__ import annotations

import numpy as np

from gradscape import lesson
from gradscape.credit.rectified_ste.convnet import conv_runs
from gradscape.credit.rectified_ste.experiments import (
    O_CLAIMED,
    RIVALS,
    Array,
    History,
    Tuned,
    alone,
    arm_of,
    lemma,
    sweep,
    tuned,
)
from gradscape.credit.rectified_ste.settings import Settings
from gradscape.lesson import (
    Claim,
    Measured,
    Point,
    at_least,
    at_most,
    below,
    equals,
    every,
    increasing,
    is_true,
    mean_of,
)
from gradscape.stats import paired

FALLS = "e falls strictly over o_end 1, 3, 10, 30"

CLAIMS = (
    Claim(
        "S1", "paper", "the estimating error never grows with o, and ReSTE's is never above STE's", "Lemma 3.1", None,
        {"rises with o": equals(0), "above STE": equals(0)},
    ),
    Claim(
        "S2", "paper", "equilibrium, first half: in trained networks the estimating error falls with o_end", "Fig. 4",
        None, {
            f"Fashion: {FALLS}": every(is_true("holds")), "Fashion: e(10) / e(1)": every(at_most(0.4)),
            f"digits: {FALLS}": every(is_true("holds")), "digits: e(10) / e(1)": every(at_most(0.4)),
        },
    ),
    Claim(
        "S3", "paper", "equilibrium, second half: gradients become less stable with o_end", "Fig. 4", None,
        {"s(30) / s(1)": at_least(5.0), "s(10) / s(1)": at_least(3.0), "s at o_end 1, 3, 10": increasing()},
    ),
    Claim(
        "S4", "paper", "too much rectification harms", "Figs. 4 and 6", "CIFAR-10: 86.75 at 3, 82.86 at 10 (by a note)",
        {"acc(3) - acc(10)": mean_of(at_least(0.015), 4), "acc(3) - acc(30)": mean_of(at_least(0.03), 4)},
    ),
    Claim(
        "S5", "paper", "ReSTE to 3 is not behind STE (o = 1) in accuracy, and ahead of it in training loss", "Table 3",
        "CIFAR-10: 86.75 vs 84.44 (by a note)",
        {"acc(3) - acc(1)": mean_of(at_least(-0.01), 6), "loss(3) - loss(1)": mean_of(below(0.0), 6)},
    ),
    Claim("S6", "report", "a small convolutional network does not show the collapse at large o_end"),
    Claim("S7", "report", "estimators side by side, same budget, each at the best of four rates", "Table 3",
          "CIFAR-10: STE 84.44, EDE 85.20, ReSTE 86.75 (by a note)"),
    Claim(
        "S8", "paper", "2.31 points over STE on CIFAR-10 (ResNet-20, 1000 epochs); ahead of DSQ, FDA, RBNN; ImageNet",
        "Tables 1 to 3", "CIFAR-10: 86.75; ImageNet, ResNet-18: 60.88",
        {"accuracy of ReSTE minus STE": at_least(0.0231)},
    ),
)


def final(history: History, values: Array, **arm: object) -> Array:
    """An arm's values after the last epoch, one per seed."""
    found: Array = values[history.at(**arm), :, -1]
    return found


def measure_s1(settings: Settings) -> Measured:
    """Violations by more than 1e-6 over o from 1 to 100."""
    found = lemma(settings)
    return Measured({"rises with o": found.rises, "above STE": found.above_ste}, n=found.values,
                    note="points from 1e-6 to 1e3 in size and all trained weights, at 13 values of o")


def measure_s2(settings: Settings) -> Measured:
    """e after training, per seed."""
    values: dict[str, Array] = {}
    notes = []
    for name, dataset in (("Fashion", "fashion"), ("digits", "digits")):
        history = sweep(settings, dataset)
        e = np.stack([final(history, history.e, kind="reste", o_end=o) for o in O_CLAIMED])
        values[f"{name}: {FALLS}"] = (np.diff(e, axis=0) < 0).all(0).astype(float)
        values[f"{name}: e(10) / e(1)"] = e[2] / e[0]
        notes.append(f"{name} e: {_listed(e.mean(1), '.1f')}")
    return Measured(values, n=settings.size.seeds, note="; ".join(notes))


def measure_s3(settings: Settings) -> Measured:
    """Mean over all steps and seeds, Fashion-MNIST."""
    history = sweep(settings, "fashion")
    s = np.array([history.s[history.at(kind="reste", o_end=o)].mean() for o in O_CLAIMED])
    return Measured(
        {"s(30) / s(1)": float(s[3] / s[0]), "s(10) / s(1)": float(s[2] / s[0]), "s at o_end 1, 3, 10": s[:3]},
        n=settings.size.seeds, note=f"s at 1, 3, 10, 30: {_listed(s, '.2e')}",
    )


def measure_s4(settings: Settings) -> Measured:
    """Test accuracy after the last epoch, paired by seed."""
    history = sweep(settings, "fashion")
    acc = [final(history, history.acc, kind="reste", o_end=o) for o in O_CLAIMED]
    return Measured({"acc(3) - acc(10)": acc[1] - acc[2], "acc(3) - acc(30)": acc[1] - acc[3]}, n=len(acc[0]),
                    note=f"accuracy at 1, 3, 10, 30: {_listed(np.array(acc).mean(1), '.3f')}")


def measure_s5(settings: Settings) -> Measured:
    """Paired differences; the loss is the mean over the batches of the last epoch."""
    history = sweep(settings, "fashion")
    acc, loss = (
        final(history, values, kind="reste", o_end=3.0) - final(history, values, kind="reste", o_end=1.0)
        for values in (history.acc, history.loss)
    )
    low, high = paired.compare(acc, np.zeros_like(acc)).ci
    return Measured(
        {"acc(3) - acc(1)": acc, "loss(3) - loss(1)": loss}, n=len(acc),
        note=f"95 % interval of the mean difference of accuracy: {low:+.4f} to {high:+.4f}",
    )


def measure_s6(settings: Settings) -> Measured:
    """Model B, where its size is not 0."""
    if settings.size.conv_seeds < 1:
        return Measured.not_tested("the convolutional network belongs to the profile full")
    runs = conv_runs(settings)
    values = {
        f"accuracy at {o:g}": float(a) for o, a in zip(runs.o_end, runs.acc.mean(1), strict=True)
    }
    return Measured(values, n=settings.size.conv_seeds,
                    note=f"e: {_listed(runs.e.mean(1), '.1f')}; s: {_listed(runs.s.mean(1), '.2e')}")


def measure_s7(settings: Settings) -> Measured:
    """Means over seeds of the test accuracy at each estimator's best rate."""
    sets = ["digits", "fashion"] if settings.size.tune_fashion else ["digits"]
    found = [tuned(settings, dataset) for dataset in sets]
    values = {f"{result.dataset}, {arm.name}": float(acc) for result in found for arm, acc in zip(
        RIVALS, result.best.acc[:, :, -1].mean(1), strict=True)}
    return Measured(values, n=found[0].best.acc.shape[1], note="; ".join(_rates(result) for result in found))


def measure_s8(settings: Settings) -> Measured:
    """Not at laptop scale."""
    return Measured.not_tested("needs 1000 epochs of CIFAR-10 on a GPU; its networks are in the library")


MEASURES = {
    "S1": measure_s1, "S2": measure_s2, "S3": measure_s3, "S4": measure_s4, "S5": measure_s5, "S6": measure_s6,
    "S7": measure_s7, "S8": measure_s8,
}


def measure(settings: Settings) -> dict[str, Measured]:
    """Every claim, by its fixed protocol."""
    return lesson.measure(CLAIMS, MEASURES, settings)


def point(settings: Settings) -> Point:
    """One network at the settings' estimator, rate and epochs on the settings' images."""
    history = alone(
        settings.dataset, arm_of(settings), min(settings.epochs, settings.size.digit_epochs), settings.size.rows,
        settings.seed, seeds=1,
    ).history
    return Point({
        "accuracy": history.acc[0, 0, -1], "loss": history.loss[0, 0, -1], "error": history.e[0, 0, -1],
        "instability": history.s[0, 0].mean(), "inside": history.inside[0, 0], "beyond": history.beyond[0, 0],
    })


def _rates(result: Tuned) -> str:
    said = ", ".join(f"{arm.name}: {rate:g}" for arm, rate in zip(RIVALS, result.rates, strict=True))
    return f"rates on {result.dataset}: {said}"


def _listed(values: Array, form: str) -> str:
    return ", ".join(format(value, form) for value in values)
