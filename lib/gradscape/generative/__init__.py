"""Generative models that several lessons share: EDM, Gaussian mixtures with exact scores, noise schedules."""
from __future__ import annotations
