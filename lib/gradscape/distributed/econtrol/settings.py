"""Settings and sizes of the lesson *EControl*."""
from __future__ import annotations

from dataclasses import dataclass

from gradscape import lesson
from gradscape.lesson import integer, real


@dataclass(frozen=True)
class Sizes:
    """How many seeds, how long, how large."""

    seeds: int = 3  # problems drawn, each with its own noise and start
    d: int = 100  # variables of the quadratics; a tenth of a message is kept
    clean_rounds: int = 1500  # rounds without noise
    rounds: int = 3000  # rounds with noise, of which the last third counts
    widest: int = 64  # largest number of clients in the speed-up (16 and 64, or 256 in addition)
    sweep_etas: int = 10  # gains of the recorded sweep
    sweep_gammas: int = 6  # steps of the recorded sweep
    own_rounds: int = 600  # rounds of the explorers' own run
    own_d: int = 50  # its variables
    own_gains: int = 13  # gains of the explorer that sweeps them
    image_seeds: int = 1  # trainings on images, each with its own minibatches
    image_rounds: int = 1200  # rounds on images
    hidden: int = 64  # hidden units of the recorded two-layer net
    wire_rounds: int = 100  # rounds between real processes


SIZES = {
    "smoke": Sizes(
        seeds=2, d=20, clean_rounds=60, rounds=60, own_rounds=60, own_d=20, own_gains=5, image_rounds=10, hidden=8,
        wire_rounds=10,
    ),
    "quick": Sizes(),
    "full": Sizes(seeds=20, widest=256, image_seeds=20),
}


class Settings(lesson.Settings, profiles=SIZES):
    """One quadratic problem with noise, one compressor, one gain."""

    eta_ratio: float = real(1.0, 1e-3, 5.0, scale="log", symbol="η/δ", about="gain of the error feedback over delta")
    gamma: float = real(0.003, 1e-4, 0.3, scale="log", symbol="γ", about="step of the server")
    zeta: float = real(10.0, 0.0, 100.0, symbol="ζ", about="how much the clients differ")
    sigma: float = real(10.0, 0.0, 30.0, symbol="σ", about="root mean square norm of the gradient noise")
    n: int = integer(10, 1, 64, scale="log", symbol="n", about="clients")
    kept: float = real(0.1, 0.01, 1.0, scale="log", symbol="K/d", about="share of the entries that a message keeps")
