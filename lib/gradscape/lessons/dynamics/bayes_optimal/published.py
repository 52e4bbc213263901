"""Numbers stored by the authors (github.com/SPOC-group/ExtensiveWidthQuadraticSamples, commit 6fff944)."""
from __future__ import annotations

# AMP_200_0.5_0.0.csv, column AMP_mean: GAMP-RIE at d = 200, κ = ½, no noise
GAMP_ALPHAS = (0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5)
GAMP_ERRORS = (0.7480, 0.5783, 0.4028, 0.2516, 0.1330, 0.0431, 0.0039, 0.0004, 0.0002)
# data_simulations_averaged/…200_0.205_0.5_0.5_64…, mean of the two entries × κ: mean of 64 solutions
AVERAGED_ALPHA, AVERAGED_ERROR = 0.205, 0.4216
