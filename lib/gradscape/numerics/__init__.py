"""Numerical tools shared by the lessons: spectra, random matrices, quadrature, solvers, kernels (float64)."""
