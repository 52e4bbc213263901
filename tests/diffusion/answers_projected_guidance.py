"""Answers to the exercises of projected guidance: solutions, and wrong answers with the hint each should get."""
from __future__ import annotations

from typing import Any

from gradscape.diffusion.projected_guidance import decompose, from_denoised, project_guidance, to_denoised


def eta_equivalent(w: float, eta: float) -> float:
    return (w * eta - 1) / (w - 1)


def guide_v(v_cond, v_uncond, x, alpha, sigma, sigma_before, momentum, *, w=4.0, beta=-0.5):
    update = v_cond - v_uncond
    if momentum is not None:
        update = update + beta * sigma_before / sigma * momentum
    d_cond = to_denoised(v_cond, x, "v", alpha, sigma)
    across = decompose(-sigma * update, d_cond)[1]
    return from_denoised(d_cond + (w - 1) * across, x, "v", alpha, sigma), update


def plain_momentum(v_cond, v_uncond, x, alpha, sigma, sigma_before, momentum):
    return guide_v(v_cond, v_uncond, x, alpha, sigma, sigma, momentum)


def inverted_ratio(v_cond, v_uncond, x, alpha, sigma, sigma_before, momentum):
    ratio = 1.0 if sigma_before is None else (sigma / sigma_before) ** 2
    return guide_v(v_cond, v_uncond, x, alpha, sigma, None if sigma_before is None else sigma_before * ratio, momentum)


def projected_on_v(v_cond, v_uncond, x, alpha, sigma, sigma_before, momentum):
    return project_guidance(v_cond, v_uncond, 4.0), v_cond - v_uncond


def in_denoised_space(v_cond, v_uncond, x, alpha, sigma, sigma_before, momentum):
    v, momentum = guide_v(v_cond, v_uncond, x, alpha, sigma, sigma_before, momentum)
    return to_denoised(v, x, "v", alpha, sigma), momentum


def wrong_sign(v_cond, v_uncond, x, alpha, sigma, sigma_before, momentum):
    return guide_v(v_uncond, v_cond, x, alpha, sigma, sigma_before, momentum)


def only_v(*args):
    return guide_v(*args)[0]


SOLUTIONS: dict[int, Any] = {1: eta_equivalent, 2: guide_v, 3: (0.0, 2.5, -0.5)}
SLOW = (3,)  # its checker samples with three fresh seeds

# exercise -> (answer, a part of the hint it should get)
WRONG: dict[int, list[tuple[Any, str]]] = {
    1: [
        (lambda w, eta: eta, "starts from D_u"),
        (lambda w, eta: w * eta / (w - 1), "Where does the part"),
        (lambda w, eta: (1 - w * eta) / (w - 1), "sign"),
        (lambda w, eta: w * eta - 1, "divided"),
        (lambda w, eta: eta - 1 / w, "collect the two parts"),
    ],
    2: [
        (plain_momentum, "σ changes between"),
        (inverted_ratio, "which σ belongs"),
        (projected_on_v, "along D_c"),
        (in_denoised_space, "you return D"),
        (wrong_sign, "the first step"),
        (only_v, "return the guided v and"),
    ],
    3: [
        ((1.0, 0.0, 0.0), "Which part of the update burns"),
        ((0.0, 0.0, 0.0), "clipped pixels are"),
        ((0.0, 0.05, 0.0), "too short"),
        ((0.0, -1.0, 0.0), "cannot be negative"),
        ((0.0, 2.5, -1.0), "stable only"),
    ],
}
