"""The lesson's recorded tables: every network of the full profile, and the one trained too long (arXiv 1805.08006)."""
from __future__ import annotations

from collections.abc import Callable

from gradscape import results
from gradscape.robustness.bidirectional.experiments import GRID, TUNED, same_rates, study, tuning
from gradscape.robustness.bidirectional.hybrid_experiments import hybrid, hybrid_cnn, overtrained
from gradscape.robustness.bidirectional.settings import NETS, Settings, rates

LESSON = "robustness/bidirectional"
SAME = "bp at the rates of bl"
FIELDS = ("clean", "noisy", "fgsm_true", "fgsm_pred", "pgd", "pgd_margin", "zero_grad", "mean_confidence_ratio")


def networks_table(settings: Settings) -> results.Table:
    """Means over seeds for each network and variant; what was not measured is missing. Networks not trained are out."""
    columns: dict[str, list] = {name: [] for name in ("network", "variant", "seeds", *FIELDS)}

    def add(network: str, variant: str, seeds: int, values: dict[str, float]) -> None:
        for name, value in {"network": network, "variant": variant, "seeds": seeds}.items():
            columns[name].append(value)
        for name in FIELDS:
            columns[name].append(values.get(name))

    for name in NETS:
        if name == "one" or settings.size.deep_seeds:
            made = study(settings, name)
            for variant in made.variants:
                add(name, variant, made.seeds, {field: float(made.of(variant, field).mean()) for field in FIELDS})
            if rates(name, "bp") != rates(name, "bl"):
                same = same_rates(settings, name)
                add(name, SAME, made.seeds, {field: float(same[field].mean()) for field in FIELDS})
    if settings.size.han_seeds:
        fully = hybrid(settings)
        for variant in fully.variants:
            add("HAN-FC", variant, fully.seeds, {field: float(fully.of(variant, field).mean()) for field in FIELDS})
    if settings.size.cnn_iterations:
        cnn = hybrid_cnn(settings)
        for k, variant in enumerate(cnn.variants):
            shown = ("clean", "fgsm_true", "pgd_margin")
            add("HAN-CNN, a quarter", variant, 1, {field: float(getattr(cnn, field)[k]) for field in shown})
    return results.make(LESSON, "networks", columns, settings)


def overtrained_table(settings: Settings) -> results.Table:
    """The overtrained network at each of its marks."""
    found = overtrained(settings)
    shown = ("clean", "fgsm_single", "fgsm_double", "pgd_margin", "margin")
    columns = {"iterations": list(found.iterations)} | {name: getattr(found, name).tolist() for name in shown}
    return results.make(LESSON, "overtrained", columns, settings)


def tuning_table(settings: Settings) -> results.Table:
    """Means over seeds of every variant at every rate, and which rate held-out images choose."""
    found = tuning(settings)
    at = [(v, r) for v in range(len(TUNED)) for r in range(len(GRID))]
    columns: dict[str, list] = {
        "variant": [TUNED[v] for v, _ in at], "lr": [GRID[r] for _, r in at],
        "chosen": [r == found.best[v] for v, r in at],
        "held_out": [float(found.held_out[v, r].mean()) for v, r in at],
    }
    columns |= {field: [float(found.report[field][v, r].mean()) for v, r in at] for field in FIELDS}
    return results.make(LESSON, "tuning", columns, settings)


TABLES: dict[str, Callable[[Settings], results.Table]] = {
    "networks": networks_table, "overtrained": overtrained_table, "tuning": tuning_table,
}
