"""Recovery: non-convex problems that gradient methods solve all the same."""
from __future__ import annotations

import lazy_loader

# Nothing below is imported before it is asked for: module -> the public names it defines.
__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    ["blind_calibration", "robust_matrix"],
    {
        "blind_calibration": [
            "alternating_ls", "backprojection", "calibrate", "calibration_problem", "CalibrationProblem",
            "CalibrationResult", "linear_ls", "phase_diagram", "project_gain_box", "project_zero_mean", "SignMasks",
            "uncalibrated_ls",
        ],
        "robust_matrix": [
            "from_matrix", "geometric_schedule", "gradient_descent_l2", "make_problem", "phi", "RobustProblem",
            "sign_rip", "spectral_start", "SubGM", "subgm", "truncated_frobenius",
        ],
    },
)
