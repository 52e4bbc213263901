"""The lesson's recorded tables: the sweep epoch by epoch, tuned estimators, the convolutional network."""
from __future__ import annotations

from collections.abc import Callable

from gradscape import results
from gradscape.credit.rectified_ste.convnet import conv_runs
from gradscape.credit.rectified_ste.experiments import RIVALS, sweep, tuned
from gradscape.credit.rectified_ste.settings import DATASETS, Settings

LESSON = "credit/rectified_ste"


def sweep_table(settings: Settings) -> results.Table:
    """Means over seeds of e, s, s of the last batch, accuracy and loss after each epoch, for every arm."""
    names = ("dataset", "kind", "o_end", "epoch", "e", "s", "s_last", "acc", "loss")
    columns: dict[str, list] = {name: [] for name in names}
    for dataset in DATASETS:
        history = sweep(settings.protocol, dataset)
        for k, arm in enumerate(history.arms):
            for epoch in range(history.acc.shape[2]):
                row = {"dataset": dataset, "kind": arm.kind, "o_end": arm.o_end, "epoch": epoch + 1}
                for name in names[4:]:
                    row[name] = float(f"{getattr(history, name)[k, :, epoch].mean():.5g}")
                for name in names:
                    columns[name].append(row[name])
    return results.make(LESSON, "sweep", columns, settings)


def estimators_table(settings: Settings) -> results.Table:
    """Validation-chosen rate and test accuracy of every estimator, seed by seed."""
    columns: dict[str, list] = {name: [] for name in ("dataset", "estimator", "lr", "seed", "acc", "loss")}
    for dataset in DATASETS if settings.size.tune_fashion else ("digits",):
        found = tuned(settings.protocol, dataset)
        for k, (arm, rate) in enumerate(zip(RIVALS, found.rates, strict=True)):
            for r in range(found.best.acc.shape[1]):
                row = (dataset, arm.name, rate, r, float(found.best.acc[k, r, -1]), float(found.best.loss[k, r, -1]))
                for name, value in zip(columns, row, strict=True):
                    columns[name].append(value)
    return results.make(LESSON, "estimators", columns, settings)


def convnet_table(settings: Settings) -> results.Table:
    """Accuracy, e and s of model B for each o_end and seed."""
    runs = conv_runs(settings.protocol)
    columns: dict[str, list] = {name: [] for name in ("o_end", "seed", "acc", "e", "s")}
    for k, o_end in enumerate(runs.o_end):
        for r in range(runs.acc.shape[1]):
            row = (o_end, r, *(float(values[k, r]) for values in (runs.acc, runs.e, runs.s)))
            for name, value in zip(columns, row, strict=True):
                columns[name].append(value)
    return results.make(LESSON, "convnet", columns, settings)


TABLES: dict[str, Callable[[Settings], results.Table]] = {
    "sweep": sweep_table, "estimators": estimators_table, "convnet": convnet_table,
}
