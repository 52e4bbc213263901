"""Thin the authors' stored theory curves (github.com/SPOC-group/ExtensiveWidthQuadraticSamples, commit 6fff944).

Run as ``python bayes_optimal.py CLONE``. The file ``line_noise_0.5_0.25`` names a standard deviation: Δ = 0.0625.
"""
import csv
import json
import sys
from pathlib import Path

FILES = {"line_no_noise_0.2": (0.2, 0.0), "line_no_noise_0.5": (0.5, 0.0), "line_no_noise_1.0": (1.0, 0.0),
         "line_no_noise_5.0": (5.0, 0.0), "line_noise_0.5_0.25": (0.5, 0.0625)}
curves = []
for name, (kappa, delta) in FILES.items():
    with open(Path(sys.argv[1]) / "data_theory" / f"{name}.csv", encoding="utf-8") as stream:
        rows = [[float(entry) for entry in row] for row in list(csv.reader(stream))[1:]]
    kept = rows[5 :: max(1, len(rows) // 10)]
    curves.append({"file": name, "kappa": kappa, "delta": delta,
                   "alpha": [row[1] for row in kept], "error": [row[2] for row in kept]})
Path(__file__).with_suffix(".json").write_text(json.dumps({"commit": "6fff944be1fb", "curves": curves}) + "\n")
