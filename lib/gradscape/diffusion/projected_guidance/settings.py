"""Parameters and sizes of the lesson."""
from __future__ import annotations

from dataclasses import dataclass

from gradscape import lesson
from gradscape.lesson import real, switch


@dataclass(frozen=True)
class Sizes:
    """How much is computed."""

    patch_seeds: int = 8  # part A: replicates, each with its own patches, mixture and noise
    patches_per_class: int = 900  # real 8 x 8 patches from each photograph
    patch_samples: int = 200  # samples per method and replicate, spread over the eight classes
    patch_scales: tuple[float, ...] = (5.0,)  # guidance scales of part A; the claims are about 5
    train_seeds: int = 1  # part B: trained networks
    train_steps: int = 800  # optimizer steps for each
    garment_samples: int = 600  # generated images per method, and as many real ones to compare them with
    garment_scales: tuple[float, ...] = (1.5, 4.0)  # guidance scales of part B; the claims are about 1.5 and 4
    whole_ablation: bool = False  # all methods at every scale, instead of at scale 4 only


SIZES = {
    "smoke": Sizes(patch_seeds=1, patches_per_class=300, patch_samples=16, train_steps=12, garment_samples=40),
    "quick": Sizes(),
    "full": Sizes(
        patch_seeds=20, patch_scales=(2.0, 5.0, 10.0), train_seeds=4, train_steps=4000, garment_scales=(1.5, 4.0, 8.0),
        whole_ablation=True,
    ),
}


class Settings(lesson.Settings, profiles=SIZES):
    """Guidance as the sliders set it; the claims are measured at the paper's and the brief's fixed values."""

    w: float = real(5.0, 1.0, 15.0, symbol="w", about="guidance scale; 1 is no guidance")
    eta: float = real(0.0, 0.0, 1.0, symbol="η", about="weight of the parallel part; 1 keeps it, as CFG does")
    clip: bool = switch(True, about="whether the update's norm is clipped at r")
    r: float = real(2.5, 0.5, 10.0, scale="log", symbol="r", about="largest norm of the update, when clip is on")
    beta: float = real(-0.5, -0.9, 0.0, symbol="β", about="momentum; negative pushes away from directions taken before")
