"""Builders of the committed files in ``data/``; each is run by hand and gives the same arrays on every machine."""
