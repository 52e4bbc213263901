"""Record what neural-tangents 0.6.5 says of erf networks, for tests/credit/test_surrogate_ntk.py.

Run with neural-tangents 0.6.5 and jax 0.4.30. Inputs are rounded, so that the test reads exactly what was used.
"""
import json
from pathlib import Path

import jax
import numpy as np

jax.config.update("jax_enable_x64", True)
from neural_tangents import stax  # noqa: E402

rng = np.random.default_rng(0)
X = np.round(rng.standard_normal((4, 3)), 3)
Y = np.round(1.5 * rng.standard_normal((3, 3)), 3)
SW2, SB2 = 1.0, 0.1
found = []
for depth in (1, 3):
    for m in (1.0, 2.0, 5.0, 20.0):
        dense = {"W_std": SW2**0.5, "b_std": SB2**0.5}
        layers = [layer for _ in range(depth) for layer in (stax.Dense(1, **dense), stax.Erf(1.0, m, 0.0))]
        kernel = stax.serial(*layers, stax.Dense(1, **dense))[2](X, Y, ("nngp", "ntk"))
        found.append({"depth": depth, "m": m, "nngp": np.asarray(kernel.nngp).tolist(),
                      "ntk": np.asarray(kernel.ntk).tolist()})
Path(__file__).with_suffix(".json").write_text(json.dumps(
    {"made_with": "neural-tangents 0.6.5, jax 0.4.30", "sw2": SW2, "sb2": SB2, "X": X.tolist(), "Y": Y.tolist(),
     "cases": found}, indent=None) + "\n")
