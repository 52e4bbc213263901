"""Verdicts must not hang on a seed: each claim's verdict is the same for at least 19 of 20 of them."""
from __future__ import annotations

import io
from collections import Counter

import pytest
from gradscape import catalog
from gradscape.batch.sweeps import stability
from rich.console import Console

SEEDS = 20
# Claims that do hang on the seed, with what is known of them; the lesson says so too.
KNOWN = {
    # does not hold for 3 of 20: three data sets leave the mean of ridge regression uncertain by half the allowed gap
    "dynamics/multiscale_descent": {"M4a"},
    # M4 hangs on the synthetic set; M5 and M6 on three tables: a spread, or a move of BCE, above .02
    "optimizers/anyloss": {"M4", "M5", "M6"},
    # C1: partly for 16 of 20, 300 test points meet the narrow bumps more or less often; on 5000 points it holds
    # C5: does not hold for 4 of 20, where two of twenty nets of 50 units go more than .005 below the floor
    "dynamics/bandlimited": {"C1", "C5"},
    # C2: partly for 2 of 20, where one mean of six ratios is 1.151 or 1.162 at d = 100
    # C5: partly for 11 of 20, its steps from d to d are about as small as the standard error of twelve teachers
    "dynamics/bayes_optimal": {"C2", "C5"},
    # partly for 5 of 20: too few of twenty networks are on the criterion's side at one rate
    "optimizers/diffgrad": {"D5"},
    # partly for 3 of 20: the largest of its groups, where a run ends with a search in vain at a stationary point
    "optimizers/gradient_normalized": {"N4"},
    # partly for 10 of 20: in 13 of 200 problems a fourth direction grows large enough to fit noise
    "recovery/robust_matrix": {"C5"},
    # partly for 4 of 20: at m = 128, ratio 2.01, 7 or 8 of 10 problems are done at the diagram's cap of iterations
    "recovery/blind_calibration": {"C3"},
    # partly for 2 to 4 of 20, by processor: at k = .2 the robust DiffROAR is 1.4 to 4.5 points, the criterion 2.5
    "robustness/input_gradients": {"I5"},
    # partly for 3 of 20: low bits in arm J75 leave a gap above .08 (.086 to .108) between own and unseen generators
    "robustness/bitplanes": {"L5"},
}
LESSONS = catalog.lessons(available=True)


@pytest.mark.slow
@pytest.mark.parametrize("entry", LESSONS, ids=[entry.id for entry in LESSONS])
def test_verdicts_are_stable_over_seeds(entry):
    # the folder of `gradscape stability`: a seed that it has measured with this very code is not measured again
    console = Console(file=io.StringIO())
    table = stability.over_seeds(entry, SEEDS, "quick", catalog.root() / "runs" / "stability", console, workers=1)
    assert [row["settings"]["seed"] for row in table.done] == list(range(SEEDS)), "seeds that were not measured"
    counts = {claim.id: Counter(row["claims"][claim.id]["verdict"] for row in table.done)
              for claim in entry.load().CLAIMS}
    for claim, said in counts.items():
        print(f"{entry.id}#{claim}: {dict(said)}")
    unstable = {claim: dict(said) for claim, said in counts.items() if stability.unstable(said)}
    assert set(unstable) <= KNOWN.get(entry.id, set()), unstable
