"""Generative models that several lessons share: the EDM recipe and Gaussian mixtures with exact scores."""
from __future__ import annotations
