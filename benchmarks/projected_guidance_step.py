"""Time of one guided step as a ratio to diffusers' ``normalized_guidance``, and what share of a network pair it costs.

The batch is that of the lesson, 600 images of 14 x 14. Results must agree to 1e-5 (float32). All are timed in
turn, block by block, and each ratio is the median over blocks, so that a busy machine slows all alike. Target: at
most 15 % of a pair.
"""
from __future__ import annotations

import time

import torch
from gradscape.diffusion import MLPDenoiser, MomentumBuffer, cfg, project_guidance
from side_by_side import agree, goal, ratio, report, size

BATCH, PIXELS, CLASSES = 600, 196, 10
BLOCKS, CALLS = size(30, 1), 10
TARGET, AGREEMENT = 0.15, 1e-5


def main() -> None:
    """Print the median time of each, the ratios, and the largest difference to the peer."""
    torch.set_num_threads(1)
    g = torch.Generator().manual_seed(0)
    x = torch.randn(BATCH, PIXELS, generator=g)
    labels = torch.arange(BATCH) % CLASSES
    net = MLPDenoiser(PIXELS, CLASSES)
    torch.nn.init.normal_(net.backbone.outlet.weight, std=0.1, generator=g)
    with torch.no_grad():
        pair = net.pair(x, 1.0, labels)
        ours = MomentumBuffer(-0.75)
        jobs = {
            "network pair": lambda: net.pair(x, 1.0, labels),
            "CFG": lambda: cfg(*pair, 4.0),
            "APG": lambda: project_guidance(*pair, 4.0, 0.0, 2.5, ours),
        }
        try:
            from diffusers.guiders import adaptive_projected_guidance as peer
        except ImportError:
            print("diffusers is not installed: only the network is compared")
        else:
            theirs = peer.MomentumBuffer(-0.75)
            jobs["diffusers"] = lambda: peer.normalized_guidance(*pair, 3.0, theirs, 0.0, 2.5, True)
            difference = max(float((jobs["APG"]() - jobs["diffusers"]()).abs().max()) for _ in range(3))
            agree("largest difference to diffusers over three steps", difference, AGREEMENT)
        times: dict[str, list[float]] = {name: [] for name in jobs}
        for _ in range(BLOCKS):
            for name, job in jobs.items():
                start = time.perf_counter()
                for _ in range(CALLS):
                    job()
                times[name].append((time.perf_counter() - start) / CALLS)
    share = 1 / ratio(times["APG"], times["network pair"])
    report("one step, 600 images of 14 x 14", {"APG": times.pop("APG"), **times}, others=("CFG", "network pair"),
           behind="ours clips and combines in float64 too, diffusers only projects in it")
    goal("projected_guidance: APG's share of a network pair", share, TARGET, "", most=True,
         cause="the network of this lesson is small")


if __name__ == "__main__":
    main()
