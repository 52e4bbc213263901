"""Settings and sizes of the lesson *error feedback reloaded*."""
from __future__ import annotations

from dataclasses import dataclass

from gradscape import lesson
from gradscape.lesson import integer, real


@dataclass(frozen=True)
class Sizes:
    """How many clients, how large their problems, how long everything runs."""

    clients: int = 200  # clients n of the synthetic problem
    d: int = 20  # its variables
    rows: int = 10  # rows per client
    seeds: int = 5  # problems drawn
    spreads: tuple[float, ...] = (0.3, 1.0, 2.0)  # spreads of L_i under the guarantee
    guarantee_rounds: int = 1500  # rounds that are held against the bound
    rounds: int = 20_000  # rounds at most until the gradient has fallen
    identity_rounds: int = 300  # rounds over which EF21 and EF21-W are compared
    growth_clients: int = 500  # clients where the gain is followed over the spread
    growth_seeds: int = 5  # problems drawn there
    growth_spreads: tuple[float, ...] = (0.3, 1.0, 1.5, 2.0)  # spreads there; 1 and 1.5 are in the criterion
    real_rounds: int = 3000  # rounds of EF21 on breast cancer
    table_rounds: int = 1000  # rounds of EF21 on the other tables
    image_rounds: int = 300  # rounds of EF21 on images
    image_pool: int = 1  # pixels averaged per side of an image
    tuned_rounds: int = 100  # rounds with every multiple of the safe step
    multiples: int = 8  # steps 1, 2, 4, ... times the safe one
    clone_vectors: int = 1000  # random vectors of L_i for the cloning bounds
    wire_clients: int = 8  # clients of the run between real processes
    wire_rounds: int = 100  # its rounds


SIZES = {
    "smoke": Sizes(
        clients=20, d=5, rows=4, seeds=2, spreads=(0.3, 2.0), guarantee_rounds=40, rounds=400, identity_rounds=30,
        growth_clients=40, growth_seeds=1, real_rounds=60, table_rounds=30, image_rounds=5, image_pool=4,
        tuned_rounds=20, clone_vectors=50, wire_rounds=10,
    ),
    "quick": Sizes(),
    "full": Sizes(
        clients=2000, d=10, seeds=20, rounds=100_000,
        growth_clients=2000, growth_seeds=20, growth_spreads=(0.2, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0), table_rounds=3000,
        image_rounds=1000, image_pool=1,
    ),
}


class Settings(lesson.Settings, profiles=SIZES):
    """One synthetic problem and one choice of compressor, weights and step."""

    n: int = integer(200, 10, 1000, scale="log", symbol="n", about="clients")
    spread: float = real(1.5, 0.0, 3.0, symbol="spread", about="standard deviation of log L_i before scaling")
    k: int = integer(1, 1, 20, symbol="K", about="entries kept of a message of 20")
    q: float = real(1.0, 0.0, 1.0, symbol="q", about="exponent of the weights, w_i ∝ L_i^q")
    multiple: float = real(1.0, 2**-2, 2**7, scale="log2", symbol="γ/γ_safe", about="step over the safe step")
