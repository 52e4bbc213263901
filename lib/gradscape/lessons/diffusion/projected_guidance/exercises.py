"""Checkers of the lesson's exercises."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch

from gradscape.diffusion.projected_guidance import (
    SIZES,
    AdaptiveProjectedGuidance,
    MomentumBuffer,
    from_denoised,
    guided,
    methods,
    patch_world,
    patches,
    project_guidance,
    to_denoised,
)
from gradscape.generative.edm import sample
from gradscape.lesson import generator
from gradscape.workbench import Feedback, as_array, as_number, checker, correct, expect, try_again

# 1: two settings of a pipeline, compared to round-off
SETTINGS_1, EXACT_1 = ((3.0, 0.0), (7.5, 0.5)), 1e-9
# 2: ten random steps in float64
STEPS_2, EXACT_2 = 10, 1e-10
# 3: fresh seeds that the notebook has not used
SEEDS_3, SCALE_3, ACCURACY_3, CLIP_3 = (1001, 1002, 1003), 10.0, 0.05, 0.15


@checker(1)
def check_1(eta_equivalent: Callable[[float, float], float]) -> Feedback:
    """The η of the paper that a pipeline with D_u + w (orth + η par) really applies."""
    answers = [as_number(eta_equivalent(w, eta), "your η") for w, eta in SETTINGS_1]

    def answered(formula: Callable[[float, float], float]) -> bool:
        return all(abs(got - formula(*at)) <= EXACT_1 for got, at in zip(answers, SETTINGS_1, strict=True))

    if not answered(lambda w, eta: (w * eta - 1) / (w - 1)):
        expect(not answered(lambda w, eta: eta), "nothing changes, you say; the pipeline starts from D_u, not D_c.")
        missing = "D_u is D_c − Δ. Where does the part of −Δ along D_c go?"
        expect(not answered(lambda w, eta: w * eta / (w - 1)), missing)
        expect(not answered(lambda w, eta: (1 - w * eta) / (w - 1)), "the size is right and the sign is not.")
        expect(not answered(lambda w, eta: w * eta - 1), "the paper multiplies its η by (w − 1); have you divided?")
        return try_again("put D_u = D_c − orth − par into the pipeline's formula and collect the two parts.")
    return correct("With η = 0 the default branch subtracts contrast: the paper's η is −1/(w − 1).")


@checker(2)
def check_2(guide_v: Callable[..., Any]) -> Feedback:
    """APG for v-predictions with momentum kept in v-space, against APG on D."""
    stream = generator(0)
    buffer, momentum, before = MomentumBuffer(-0.5), None, None
    wrong = MomentumBuffer(-0.5)
    for step in range(STEPS_2):
        x, v_cond, v_uncond = torch.randn(3, 4, 6, generator=stream, dtype=torch.float64)
        angle = 1.4 - 0.12 * step
        alpha, sigma = float(torch.cos(torch.tensor(angle))), float(torch.sin(torch.tensor(angle)))
        answer = guide_v(v_cond, v_uncond, x, alpha, sigma, before, momentum)
        expect(isinstance(answer, Sequence) and len(answer) == 2, "return the guided v and the new momentum.")
        v, momentum = answer
        got = as_array(v, "the guided v", (4, 6))
        d_cond, d_uncond = (to_denoised(pred, x, "v", alpha, sigma) for pred in (v_cond, v_uncond))
        guided_d = project_guidance(d_cond, d_uncond, 4.0, momentum=buffer)
        wanted = from_denoised(guided_d, x, "v", alpha, sigma)
        kept = torch.as_tensor(momentum, dtype=torch.float64)
        expect(kept.shape == v_cond.shape, "the momentum has the shape of v.")
        plain = wrong.update(v_cond - v_uncond)
        if _near(got, wanted):
            before = sigma
            continue
        expect(not _near(got, guided_d), "you return D; the sampler of a v-model wants v.")
        in_v = project_guidance(v_cond, v_uncond, 4.0)
        expect(step > 0 or not _near(got, in_v), "project along D_c, not along v_c.")
        expect(step > 0, "the first step, which has no past, differs already: convert, project, convert back.")
        hint = "step 1 is right, step 2 is not: Δ in D-space is −σ Δ in v-space, and σ changes between steps."
        expect(not _near(kept, plain), hint)
        return try_again("step 1 is right, step 2 is not: which σ belongs to the stored momentum, which to the new?")
    return correct("The coefficient is β σ_before/σ: momentum does not commute with a change of space that moves.")


@checker(3)
def check_3(eta: float, r: float, beta: float) -> Feedback:
    """Settings that keep CFG's accuracy at w = 10 without its burnt pixels, on three fresh seeds."""
    eta, r, beta = as_number(eta, "eta"), as_number(r, "r"), as_number(beta, "beta")
    expect(r >= 0, "r is a norm: it cannot be negative (0 does not clip).")
    expect(-1 < beta < 1, "the momentum is stable only for −1 < β < 1.")
    reports = [judge_patches(AdaptiveProjectedGuidance(SCALE_3, eta, r, beta), seed) for seed in SEEDS_3]
    clip = max((own["clip"] - base["clip"]) / (plain["clip"] - base["clip"]) for base, plain, own in reports)
    lost = max(plain["accuracy"] - own["accuracy"] for _, plain, own in reports)
    if clip > CLIP_3:
        return try_again(
            f"the clipped pixels are {clip:.0%} of CFG's excess; at most {CLIP_3:.0%} are allowed. Which part of the "
            "update burns, and how large is ‖Δ‖ when it is largest?"
        )
    if lost > ACCURACY_3:
        return try_again(f"class accuracy is {lost:.2f} below CFG's: the step across D_c has become too short.")
    return correct(f"clipped pixels: {clip:.0%} of CFG's excess; accuracy {-lost:+.2f} against CFG in the worst seed.")


def judge_patches(guidance: AdaptiveProjectedGuidance, seed: int) -> tuple[dict[str, float], ...]:
    """Scores of part A without guidance, with CFG and with the given guidance, at w = 10 from one noise."""
    size = SIZES["quick"]
    world = patch_world(seed, 0, size.patches_per_class)
    noise, labels = patches.starts(seed, 0, size.patch_samples)
    with torch.inference_mode():
        names = (methods.UNGUIDED, methods.CFG)
        base, plain = (guided(name, world.mixture, noise, patches.SIGMAS, labels, SCALE_3) for name in names)
        own = sample(world.mixture, noise, patches.SIGMAS, labels=labels, guidance=guidance)
    return tuple(world.scores(x, labels) for x in (base, plain, own))


def _near(a: Any, b: Any) -> bool:
    return bool((torch.as_tensor(a) - torch.as_tensor(b)).abs().max() <= EXACT_2)
