"""Distributed gradients: stragglers, compression and error feedback, in a simulator and between real processes.

Shared by the lessons: ``workers`` (delays, stragglers, the master's clock, bits on the wire), ``real`` (processes
that talk over loopback), ``compressors`` and ``feedback`` (what a client sends and what it remembers), ``wire``
(compressed methods between processes).
"""
from __future__ import annotations

import lazy_loader

# Nothing below is imported before it is asked for: module -> the public names it defines.
__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    ["compressors", "econtrol", "error_feedback", "feedback", "gradient_coding", "real", "wire", "workers"],
    {
        "real": ["Channel", "launch", "ProcessError"],
        "workers": ["bits", "Clock", "DelayModel", "DelayTrace", "gilbert_elliott", "Link", "timeline"],
        "gradient_coding": ["BurstyModel", "GC", "GradientCode", "MSGC", "NoCoding", "SRSGC", "train_sequence"],
        "compressors": [
            "Compressor", "Dither", "Identity", "NaturalRound", "Quantize", "RandK", "ScaledSign", "TopK",
        ],
        "feedback": ["ec_step", "ef21_step"],
        "wire": ["Exchange", "exchange"],
        "econtrol": [
            "critical_eta", "econtrol_step", "EControlSGD", "ECSimulator", "koloskova_quadratic", "label_skew_clients",
        ],
        "error_feedback": [
            "nonconvex_least_squares", "nonconvex_logistic", "step_size", "weighted_mean_smoothness", "xi",
        ],
    },
)
