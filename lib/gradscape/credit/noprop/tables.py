"""The lesson's recorded tables: many ways to train and to read, on digits and Fashion-MNIST; a learned schedule."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from gradscape import results
from gradscape.credit.noprop.backprop import BackpropChain
from gradscape.credit.noprop.continuous import NoPropCT
from gradscape.credit.noprop.discrete import NoPropDT
from gradscape.credit.noprop.estimator import LabelDenoiser
from gradscape.credit.noprop.experiments import Looked, Split, digits, dt, look, rivals
from gradscape.credit.noprop.learned_schedule import LearnedSchedule
from gradscape.credit.noprop.settings import Settings
from gradscape.datasets import fashion
from gradscape.lesson import seeds_of

LESSON = "credit/noprop"
READINGS = ("single", "noise_free", "vote", "first_block", "p_true")
RATES = (3e-4, 3e-3)  # tried beside the paper's 1e-3, for DT and for back-propagation alike
VARIANTS = 3  # seeds, at most, of the variants and of the rates
CONV_CHANNELS, CONV_HIDDEN = (8, 16, 32), 64  # Figure 6 in small


class _Rows:
    """Collects one row a model that was looked at."""

    def __init__(self) -> None:
        self.columns: dict[str, list[Any]] = {
            name: [] for name in ("data", "method", "variant", "epochs", "seed", *READINGS)
        }

    def add(self, data: str, method: str, variant: str, replicate: int, looked: Looked) -> None:
        found = {"data": data, "method": method, "variant": variant, "epochs": looked.epochs, "seed": replicate}
        for name, value in (found | looked.reading.by_name).items():
            self.columns[name].append(value)


def accuracy_table(settings: Settings) -> results.Table:
    """Test accuracy by data, method, variant, epochs and replicate, read in every way."""
    settings, size, rows = settings.protocol, settings.size, _Rows()
    for r, study in enumerate(dt(settings)):
        rows.add("digits", "DT", "one-hot", r, study.early)
        rows.add("digits", "DT", "one-hot", r, study.late)
    for name, looks in rivals(settings).items():
        method = {"chain": "backprop", "chain_long": "backprop", "ct": "CT", "fm": "FM"}[name]
        for r, looked in enumerate(looks):
            rows.add("digits", method, "one-hot", r, looked)
    for r, seed in enumerate(seeds_of(settings, min(size.seeds, VARIANTS))):
        data, start = digits(seed, size.train, size.test), seed % 2**31
        variants: list[tuple[str, str, int, LabelDenoiser]] = [
            ("DT", "learned, 20", size.epochs, NoPropDT(embedding="learned", seed=start)),
            ("DT", "prototype", size.epochs, NoPropDT(embedding="prototype", seed=start)),
            ("DT", "one-hot, radial head", size.epochs, NoPropDT(head="radial", seed=start)),
            ("CT", "one-hot", 2 * size.epochs, NoPropCT(steps=size.steps, seed=start)),
        ]
        for rate in RATES:
            variants.append(("DT", f"one-hot, lr {rate:g}", size.epochs, NoPropDT(lr=rate, seed=start)))
            variants.append(("backprop", f"one-hot, lr {rate:g}", size.epochs, BackpropChain(lr=rate, seed=start)))
        for method, variant, epochs, model in variants:
            rows.add("digits", method, variant, r, look(model, data, epochs, (epochs,), seed)[epochs])
    _fashion(settings, rows)
    return results.make(LESSON, "accuracy", rows.columns, settings)


def _fashion(settings: Settings, rows: _Rows) -> None:
    """Fashion-MNIST at 14 x 14 for DT and back-propagation, and once Figure 6 on 28 x 28."""
    size = settings.size
    early, late = min(size.fashion_early, size.fashion_epochs), size.fashion_epochs
    part: dict[str, Any] = {} if size.train > 1000 else {"n": size.train}
    flat = Split(*fashion.load("train", pool=2, flat=True, **part), *fashion.load("test", pool=2, flat=True, **part))
    for r, seed in enumerate(seeds_of(settings, size.fashion_seeds)):
        start = seed % 2**31
        models: list[tuple[str, LabelDenoiser]] = [
            ("DT", NoPropDT(width=64, seed=start)), ("backprop", BackpropChain(width=64, seed=start))
        ]
        for method, model in models:
            for looked in look(model, flat, late, (early, late), seed).values():
                rows.add("Fashion 14 x 14", method, "one-hot", r, looked)
    square = Split(*fashion.load("train", **part), *fashion.load("test", **part))
    seed = seeds_of(settings, 1)[0]
    conv = NoPropDT(network="conv", width=CONV_HIDDEN, channels=CONV_CHANNELS, seed=seed % 2**31)
    rows.add("Fashion 28 x 28", "DT", "one-hot, convolutions", 0, look(conv, square, 2, (2,), seed)[2])


def schedule_table(settings: Settings) -> results.Table:
    """alpha_bar(t) that CT learned on the first split, beside the one it started from."""
    model = rivals(settings.protocol)["ct"][0].model
    columns = {
        "t": torch.linspace(0, 1, 41).tolist(), "alpha_bar": model.schedule.grid(40).tolist(),
        "start": LearnedSchedule().grid(40).tolist(),
    }
    return results.make(LESSON, "schedule", columns, settings)


TABLES: dict[str, Callable[[Settings], results.Table]] = {"accuracy": accuracy_table, "schedule": schedule_table}
