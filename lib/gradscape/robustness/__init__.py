"""Robustness and detection: attacks, learning in both directions, what input gradients show."""
from __future__ import annotations

import lazy_loader

# Nothing below is imported before it is asked for: module -> the public names it defines.
__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    ["attacks", "bidirectional", "bitplanes", "generators", "input_gradients"],
    {
        "attacks": ["fgsm", "pgd"],
        "bidirectional": [
            "BidirectionalCNN", "BidirectionalMLP", "class_prototypes", "robustness_report", "RobustnessReport",
            "train_bidirectional", "train_by_autograd", "train_han",
        ],
        "bitplanes": [
            "bit_planes", "compose", "cross_generator_matrix", "degrade", "fit_detector", "generalization_gap",
            "gradient_score", "low_bits", "noise_image", "NoiseBasedClassifier", "NoiseGuidedClassifier", "patch_grid",
            "provenance", "scale_noise", "select_patch", "threshold_noise",
        ],
        "generators": ["DiffusionGenerator", "GANGenerator", "PCAGenerator", "QuiltGenerator", "VAEGenerator"],
        "input_gradients": [
            "Adversary", "block_images", "diffroar", "DiffRoarResult", "input_gradient", "leakage",
            "max_margin_gradient", "null_block", "random_attribution", "signal_hit_rate", "simplified_points", "unmask",
        ],
    },
)
