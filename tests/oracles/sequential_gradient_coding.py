"""Record durations of every round from the authors' simulator, mamaj/Sequential-Gradient-Coding-2 at commit 21933da.

Run as ``python sequential_gradient_coding.py PATH/TO/CHECKOUT/2_find_runtimes`` (numpy 2.4; nothing else is imported).
Their GC accepts only fewer than s stragglers, and their SR-SGC holds plain rounds against the window: compare with
``strict_official=True``. In the last rounds of SR-SGC they let idle workers run too; those rounds are not recorded.
"""
import json
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, sys.argv[1])
from gradient_coding import GradientCoding
from multiplexed_sgc import MultiplexedSGC
from selective_repeat_sgc import SelectiveRepeatSGC

JOBS, MU = 40, 1.0
rng = np.random.default_rng(7)
cases = []
for n, share in ((10, 0.1), (24, 0.06)):
    slow = rng.random((n, JOBS + 8)) < share
    slow[:, 1:] |= slow[:, :-1] & (rng.random((n, JOBS + 7)) < 0.4)
    delays = np.round(rng.uniform(0.6, 0.9, slow.shape) * np.where(slow, rng.uniform(2.2, 4.0, slow.shape), 1.0), 6)
    runs = [(GradientCoding, "gc", (s,)) for s in (2, 3, 5)]
    runs += [(SelectiveRepeatSGC, "srsgc", p) for p in ((1, 2, 4), (1, 3, 5), (2, 3, 4), (2, 5, 6), (3, 4, 6))]
    runs += [(MultiplexedSGC, "msgc", p) for p in ((1, 2, 3), (1, 2, n), (1, 4, 4), (2, 3, 5), (3, 5, 6))]
    results = []
    for kind, scheme, params in runs:
        model = kind(n, *params, JOBS, MU, delays)
        model.run()
        results.append({"scheme": scheme, "params": params, "load": model.load, "T": model.T, "waits": model.num_waits,
                        "durations": np.round(model.durations[:JOBS], 9).tolist()})
    cases.append({"n": n, "delays": delays.T.tolist(), "results": results})
found = {"versions": {"numpy": np.__version__, "commit": "21933da"}, "jobs": JOBS, "mu": MU, "cases": cases}
Path(__file__).with_suffix(".json").write_text(json.dumps(found, separators=(",", ":")) + "\n")
