"""Parameters and sizes of the lesson."""
from __future__ import annotations

from dataclasses import dataclass, replace

from gradscape import lesson
from gradscape.lesson import choice, integer, real


@dataclass(frozen=True)
class Sizes:
    """How much each experiment runs."""

    temperatures: int = 7  # temperatures between 0.03 and 3 of the perceptron (N1)
    perceptron_runs: int = 24  # runs at each of them
    dims: tuple[int, ...] = (32,)  # input dimensions of N2; criteria are held at 32
    chi0_sizes: tuple[int, ...] = (128, 256, 512, 1024)  # training-set sizes at chi 0
    chi1_sizes: tuple[int, ...] = (512, 1024, 2048, 4096)  # at chi 1
    chi3_sizes: tuple[int, ...] = (512, 1024, 2048, 4096, 8192)  # at chi 3
    chi_runs: tuple[int, ...] = (16, 24, 32)  # runs per size at chi 0, 1, 3
    lazy_sizes: tuple[int, ...] = (128, 256, 512, 1024)  # training-set sizes of the lazy grid (N3)
    lazy_per_octave: float = 0.5  # its temperatures per factor of 2, from 2^-12 to 2^-4
    lazy_seeds: int = 4  # seeds per cell
    fashion_sizes: tuple[int, ...] = (1,)  # sizes of the same grid on Fashion-MNIST; a single 1 leaves it out
    phase_step: float = 4.0  # octaves between output scales of the phase diagram, from 2^-10 to 2^10
    phase_per_octave: float = 1.0  # its temperatures per factor of 2, five octaves below the edge
    phase_seeds: int = 3  # seeds per cell
    edge_seeds: int = 4  # seeds per temperature when looking for the stability edge (N4)
    edge_steps: int = 600  # steps within which half of them must fit
    edge_octaves: tuple[int, ...] = (13, 10, 7, 4)  # octaves of its output scales below 1
    paired_seeds: int = 24  # paired seeds of the noise benefit (N5)
    paired_points: int = 128  # and its training points
    lazy_paired_seeds: int = 16  # paired seeds of the counter-example
    batch_seeds: int = 12  # seeds per batch size (N6)
    batch_points: int = 512  # and its training points
    point_seeds: int = 8  # seeds of one point


QUICK = Sizes()
SIZES = {
    "smoke": Sizes(
        temperatures=3, perceptron_runs=3, chi0_sizes=(64, 128), chi1_sizes=(128, 256), chi3_sizes=(256, 512),
        chi_runs=(2, 2, 2), lazy_sizes=(64, 128), lazy_per_octave=0.25, lazy_seeds=1, phase_step=10.0,
        phase_per_octave=0.4, phase_seeds=1, edge_seeds=1, edge_steps=200, edge_octaves=(6, 4), paired_seeds=2,
        paired_points=64, lazy_paired_seeds=2, batch_seeds=1, batch_points=256, point_seeds=2,
    ),
    "quick": QUICK,
    "full": replace(
        QUICK, dims=(16, 32, 64), chi0_sizes=(128, 256, 512, 1024, 2048),
        chi1_sizes=(512, 1024, 2048, 4096, 8192, 16384), chi3_sizes=(512, 1024, 2048, 4096, 8192, 16384),
        lazy_per_octave=2.0, lazy_seeds=8, fashion_sizes=(256, 512, 1024, 2048, 4096), phase_step=1.0,
        phase_per_octave=2.0, phase_seeds=8, edge_seeds=8, batch_seeds=24,
    ),
}


class Settings(lesson.Settings, profiles=SIZES):
    """A network run (T … dataset) and a perceptron run (chi … perceptron_alpha)."""

    T: float = real(2**-4, 2**-14, 2.0, scale="log2", symbol="T", about="temperature, rate over width times batch")
    alpha: float = real(1.0, 2**-14, 2**18, scale="log2", symbol="α", about="output scale, lazy when large")
    P: int = integer(128, 64, 1024, scale="log2", symbol="P", about="training points of the network")
    depth: int = integer(2, 1, 3, symbol="D", about="hidden layers")
    act: str = choice("gelu", ("gelu", "relu"), symbol="φ", about="activation")
    batch: int = integer(16, 1, 64, scale="log2", symbol="B", about="batch size")
    dataset: str = choice("digits", ("digits", "fashion"), about="parity of the class")
    chi: float = real(1.0, 0.0, 4.0, symbol="χ", about="perceptron, power of the density at the boundary")
    d: int = integer(32, 8, 64, symbol="d", about="perceptron, input dimension")
    perceptron_P: int = integer(512, 64, 4096, scale="log2", symbol="P", about="perceptron, training points")
    perceptron_T: float = real(1.0, 1e-5, 10.0, scale="log", symbol="T", about="perceptron, temperature")
    perceptron_alpha: float = real(2.0**15, 1.0, 2.0**15, scale="log2", symbol="α", about="perceptron, inverse margin")
