"""Images: the patch score against numpy and scipy, the score network against other denoisers.

Bit-planes: gradients of all patches at once against a loop over patches with numpy and with
``scipy.signal.convolve2d``; whole numbers, which must be equal. Noise2Score: the network that folds pixels into
channels against the same depth at full resolution (another network: shown for time), and one denoised photograph by it,
by total variation and by non-local means of scikit-image, for time beside quality (an untrained network: time only).
"""
from __future__ import annotations

import numpy as np
import torch
from gradscape.diffusion.noise2score.baselines import nonlocal_means, total_variation_denoiser
from gradscape.diffusion.noise2score.network import ScoreNet, ardae_loss, score_map
from gradscape.robustness.bitplanes import gradient_score, patch_grid
from scipy.signal import convolve2d
from side_by_side import agree, report, seconds, size

KERNELS = tuple(np.array(k) for k in ([[-1, 1]], [[-1], [1]], [[-1, 0], [0, 1]], [[0, -1], [1, 0]]))


def bitplanes() -> None:
    images = np.random.default_rng(0).integers(0, 256, (size(100, 2), 64, 64, 3), dtype=np.uint8)
    grid = patch_grid(images, 16)
    flat = grid.reshape(-1, 16, 16, 3)

    def ours() -> np.ndarray:
        return gradient_score(patch_grid(images, 16)).ravel()

    def by_numpy() -> np.ndarray:
        found = []
        for patch in flat.astype(np.int64):
            score = np.abs(np.diff(patch, axis=0)).sum() + np.abs(np.diff(patch, axis=1)).sum()
            score += np.abs(patch[1:, 1:] - patch[:-1, :-1]).sum() + np.abs(patch[1:, :-1] - patch[:-1, 1:]).sum()
            found.append(score)
        return np.array(found)

    def by_scipy() -> np.ndarray:
        return np.array([
            sum(np.abs(convolve2d(patch[..., c], kernel, "valid")).sum() for kernel in KERNELS for c in range(3))
            for patch in flat.astype(np.int64)])

    agree("bitplanes: largest difference to numpy", float(np.abs(ours() - by_numpy()).max()), 0)
    agree("bitplanes: largest difference to scipy", float(np.abs(ours() - by_scipy()).max()), 0)
    report(f"bitplanes: {len(flat)} patches of 16 x 16", seconds(
        {"all patches at once": ours, "loop over patches, numpy": by_numpy, "loop, scipy.signal.convolve2d": by_scipy},
        blocks=5))


def noise2score() -> None:
    y = torch.rand(16, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    nets = {f"{name} resolution": ScoreNet(shuffle=k) for name, k in (("half", 2), ("full", 1))}

    def trained(net: ScoreNet) -> None:
        net.zero_grad()
        ardae_loss(net, y, 0.1, torch.Generator().manual_seed(0)).backward()

    report("noise2score: forward and backward, 16 patches of 32 x 32, 32 channels, 5 layers",
           seconds({name: lambda net=net: trained(net) for name, net in nets.items()}))
    photo = torch.rand(1, 1, size(192, 32), size(192, 32), generator=torch.Generator().manual_seed(1))
    net = nets["half resolution"]
    names = ("scikit-image, total variation", "scikit-image, non-local means")
    report(f"noise2score: one image of {photo.shape[-1]} x {photo.shape[-1]}", seconds({
        "score network": lambda: score_map(net, photo),
        names[0]: lambda: total_variation_denoiser(photo, 0.1), names[1]: lambda: nonlocal_means(photo, 0.1),
    }, blocks=5), others=names)


def main() -> None:
    torch.set_num_threads(1)
    bitplanes()
    noise2score()


if __name__ == "__main__":
    main()
