"""Numbers of the authors: their log of the hybrid studies over iterations, and their table for MNIST.

Transcribed from ``csv_paper`` and the appendix (Tables 1 and 2) of sidneyp/bidirectional; MNIST, seed 0, one run each.
FGSM has ε = 0.3 and takes the network's own predictions for labels.
"""
from __future__ import annotations

from dataclasses import dataclass

MEASURES = ("clean", "static", "FGSM")
ITERATIONS = (5_000, 15_000, 50_000, 100_000, 250_000, 500_000)


@dataclass(frozen=True)
class Run:
    """One network over ``ITERATIONS``: clean, static and FGSM accuracy, and which method trained it."""

    name: str
    method: str
    clean: tuple[float, ...]
    static: tuple[float, ...]
    fgsm: tuple[float, ...]

    def of(self, measure: str) -> tuple[float, ...]:
        """One of ``MEASURES``."""
        return {"clean": self.clean, "static": self.static, "FGSM": self.fgsm}[measure]


LOG = (
    Run("HAN-CNN", "BP", (.9891, .9895, .9911, .9914, .9918, .9908), (.9853, .9882, .9891, .9899, .9899, .9886),
        (.0492, .0406, .0504, .097, .379, .6851)),
    Run("HAN-CNN", "BL", (.9731, .9784, .9804, .979, .9798, .9805), (.9628, .9649, .9669, .9698, .9723, .9726),
        (.1175, .1844, .2721, .4583, .8731, .9516)),
    Run("HAN-CNN, no bias", "BL", (.9764, .9775, .9786, .9782, .981, .9823), (.9648, .9685, .9691, .9631, .9574, .9396),
        (.0752, .1798, .3034, .6692, .9444, .9703)),
    Run("HAN-FC, no bias", "BP", (.964, .9781, .9784, .9791, .9789, .9781), (.9345, .9435, .9164, .9267, .9357, .9352),
        (.0189, .0125, .019, .0156, .0258, .0814)),
    Run("HAN-FC, no bias", "BL", (.8177, .8923, .928, .937, .9472, .9484), (.6402, .6288, .6154, .4622, .5338, .4999),
        (.2563, .3121, .4778, .6073, .6577, .5231)),
)
STUDIES = ("HAN-CNN", "HAN-FC, no bias")  # those with both methods in the log

# network -> (clean, static, FGSM), each for BP, half, BL
APPENDIX = {
    "no hidden": ((.9289, .9202, .8854), (.7519, .3469, .7229), (.039, .0781, .4018)),
    "no hidden, no bias": ((.9273, .9265, .8781), (.7138, .3216, .6419), (.0417, .045, .6014)),
    "one hidden": ((.9484, .9397, .9176), (.6478, .407, .412), (.0314, .0949, .1148)),
    "two hidden": ((.9451, .9247, .9042), (.4826, .6984, .6425), (.0506, .3476, .2211)),
    "four hidden": ((.9803, .9458, .9458), (.938, .8653, .8653), (.0981, .3329, .3329)),
    "CNN": ((.9893, .9785, .9799), (.9883, .8559, .8369), (.1226, .0804, .068)),
    "HAN-FC": ((.9792, .9786, .9652), (.927, .8736, .7719), (.0131, .1414, .0682)),
    "HAN-FC, no bias": ((.9799, .9621, .9503), (.9333, .5618, .4872), (.0524, .6973, .5338)),
    "HAN-CNN": ((.9925, .9854, .9823), (.9913, .9783, .9696), (.0477, .9375, .9084)),
    "HAN-CNN, no bias": ((.9921, .9849, .9829), (.9906, .9768, .9491), (.0508, .9592, .9566)),
}
