"""Record the density of the Marchenko–Pastur law from scikit-rmt 2.1.1 (numpy 1.26; it does not accept numpy 2).

Run in an environment of its own: ``pip install scikit-rmt==2.1.1 "numpy<2"`` and ``python marchenko_pastur.py``.
scikit-rmt scales by 1/P where this package scales by 1/N: its ratio is ``1/alpha`` and its eigenvalue is ``λ/alpha``.
"""
import json
from importlib.metadata import version
from pathlib import Path

import numpy as np
from skrmt.ensemble.spectral_law import MarchenkoPasturDistribution

rows = []
for alpha in (1.0, 1.25, 2.0, 4.0, 10.0):
    low, high = (np.sqrt(alpha) - 1) ** 2, (np.sqrt(alpha) + 1) ** 2
    outside = [1.1 * high] if low == 0 else [0.5 * low, 1.1 * high]  # at λ = λ₋ = 0 the density is infinite
    lam = np.concatenate([low + (high - low) * np.linspace(0.01, 0.99, 25), outside])
    law = MarchenkoPasturDistribution(ratio=1 / alpha)
    rows.append({"alpha": alpha, "lam": lam.tolist(), "density": (law.pdf(lam / alpha) / alpha).tolist()})
versions = {name: version(name) for name in ("scikit-rmt", "numpy")}
Path(__file__).with_suffix(".json").write_text(json.dumps({"versions": versions, "rows": rows}) + "\n")
