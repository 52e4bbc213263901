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
from gradscape.credit.noprop.experiments import Looked, Split, digits, look, rivals
from gradscape.credit.noprop.learned_schedule import LearnedSchedule
from gradscape.credit.noprop.settings import Settings, Sizes
from gradscape.datasets import fashion
from gradscape.lesson import seeds_of

LESSON = "credit/noprop"
READINGS = ("single", "noise_free", "vote", "first_block", "p_true")
RATES = (3e-4, 1e-3, 3e-3)  # for DT and for back-propagation alike; the paper's is the middle one
CONV_CHANNELS, CONV_HIDDEN = (8, 16, 32), 64  # Figure 6 in small

Case = tuple[str, str, int, LabelDenoiser]


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


def _on_digits(name: str, settings: Settings, cases: Callable[[int], list[Case]]) -> results.Table:
    """Train every case (method, variant, epochs, model) of each replicate on its split of the digits."""
    settings, size, rows = settings.protocol, settings.size, _Rows()
    for r, seed in enumerate(seeds_of(settings, size.seeds)):
        data = digits(seed, size.train, size.test)
        for method, variant, epochs, model in cases(seed % 2**31):
            rows.add("digits", method, variant, r, look(model, data, epochs, (epochs,), seed)[epochs])
    return results.make(LESSON, name, rows.columns, settings)


def variants_table(settings: Settings) -> results.Table:
    """DT with learned and prototype embeddings and with the radial head; CT for twice DT's epochs."""
    size = settings.size
    return _on_digits("variants", settings, lambda seed: [
        ("DT", "learned, 20", size.epochs, NoPropDT(embedding="learned", seed=seed)),
        ("DT", "prototype", size.epochs, NoPropDT(embedding="prototype", seed=seed)),
        ("DT", "radial head", size.epochs, NoPropDT(head="radial", seed=seed)),
        ("CT", "one-hot", 2 * size.epochs, NoPropCT(steps=size.steps, seed=seed)),
    ])


def rates_table(settings: Settings) -> results.Table:
    """DT and back-propagation at three learning rates: was the rival tuned as carefully?"""
    epochs = settings.size.chain_epochs
    return _on_digits("rates", settings, lambda seed: [
        case for rate in RATES for case in (
            ("DT", f"lr {rate:g}", epochs, NoPropDT(lr=rate, seed=seed)),
            ("backprop", f"lr {rate:g}", epochs, BackpropChain(lr=rate, seed=seed)),
        )
    ])


def _fashion(size: Sizes, pool: int, *, flat: bool) -> Split:
    part: dict[str, Any] = {} if size.train > 1000 else {"n": size.train}
    return Split(*(
        value for split in ("train", "test") for value in fashion.load(split, pool=pool, flat=flat, **part)
    ))


def fashion_table(settings: Settings) -> results.Table:
    """DT and back-propagation, 64 units wide, on Fashion-MNIST at 14 x 14."""
    settings, size, rows = settings.protocol, settings.size, _Rows()
    early, late, data = min(size.fashion_early, size.fashion_epochs), size.fashion_epochs, _fashion(size, 2, flat=True)
    for r, seed in enumerate(seeds_of(settings, size.fashion_seeds)):
        models: list[tuple[str, LabelDenoiser]] = [
            ("DT", NoPropDT(width=64, seed=seed % 2**31)), ("backprop", BackpropChain(width=64, seed=seed % 2**31))
        ]
        for method, model in models:
            for looked in look(model, data, late, (early, late), seed).values():
                rows.add("Fashion 14 x 14", method, "one-hot", r, looked)
    return results.make(LESSON, "fashion", rows.columns, settings)


def convolutions_table(settings: Settings) -> results.Table:
    """The paper's block with its convolutions, a quarter as wide, on Fashion-MNIST at 28 x 28; one seed."""
    settings, size, rows = settings.protocol, settings.size, _Rows()
    seed = seeds_of(settings, 1)[0]
    model = NoPropDT(network="conv", width=CONV_HIDDEN, channels=CONV_CHANNELS, seed=seed % 2**31)
    epochs = size.conv_epochs
    looked = look(model, _fashion(size, 1, flat=False), epochs, (epochs,), seed)[epochs]
    rows.add("Fashion 28 x 28", "DT", "convolutions", 0, looked)
    return results.make(LESSON, "convolutions", rows.columns, settings)


def schedule_table(settings: Settings) -> results.Table:
    """alpha_bar(t) that CT learned on the first split, beside the one it started from."""
    model = rivals(settings.protocol)["ct"][0].model
    columns = {
        "t": torch.linspace(0, 1, 41).tolist(), "alpha_bar": model.schedule.grid(40).tolist(),
        "start": LearnedSchedule().grid(40).tolist(),
    }
    return results.make(LESSON, "schedule", columns, settings)


TABLES: dict[str, Callable[[Settings], results.Table]] = {
    "variants": variants_table, "rates": rates_table, "fashion": fashion_table, "convolutions": convolutions_table,
    "schedule": schedule_table,
}
