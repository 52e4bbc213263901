"""The losses of NoProp: eq. 8 (DT, block by block), eq. 9 (CT) and eqs 12 and 13 (FM)."""
from __future__ import annotations

import math
from typing import NamedTuple, Protocol

import torch
from torch import Tensor, nn

from gradscape import validate
from gradscape.credit.noprop.blocks import Streams
from gradscape.credit.noprop.checks import check_pair
from gradscape.credit.noprop.learned_schedule import LearnedSchedule
from gradscape.credit.noprop.networks import TimeBlock
from gradscape.generative.schedule import Coefficients

ETA_DT, ETA_CT = 0.1, 1.0  # the paper's weights of the denoising term


class Blocks(Protocol):
    """What the DT loss needs of a set of blocks."""

    T: int

    def __call__(
        self, z: Tensor, x: Tensor, blocks: slice | None = None, *, generators: Streams | None = None
    ) -> Tensor:
        ...


class LossTerms(NamedTuple):
    """``denoise`` (T',) per block, or () for one block of all times; ``ce``, ``kl``, and their sum ``total``."""

    denoise: Tensor
    ce: Tensor
    kl: Tensor
    total: Tensor


def kl_to_prior(u: Tensor, alpha_bar_0: Tensor | float) -> Tensor:
    """KL(q(z_0 | y) || N(0, I)) = (alpha_bar_0 (|u|² - d) - d log(1 - alpha_bar_0)) / 2 for each row of u (B, d).

    >>> kl_to_prior(torch.eye(10, dtype=torch.float64)[:1], 0.017037)
    tensor([0.0092], dtype=torch.float64)
    """
    level = torch.as_tensor(alpha_bar_0, dtype=u.dtype)
    if not bool((level > 0) & (level < 1)):
        raise ValueError(f"alpha_bar_0={alpha_bar_0}: must lie in (0, 1)")
    d = u.shape[-1]
    return 0.5 * (level * (u.square().sum(-1) - d) - d * torch.log1p(-level))


def head_terms(
    head: nn.Module, embed: Tensor, y: Tensor, ends: tuple[Tensor, Tensor], generator: torch.Generator | None = None
) -> tuple[Tensor, Tensor]:
    """-log p_out(y | z_T) with z_T ~ q(z_T | y), not the chain's, and KL_0; ``ends``: alpha_bar_0, alpha_bar_T."""
    u = embed[y]
    noise = torch.randn(u.shape, generator=generator, dtype=u.dtype)
    z = ends[1].sqrt() * u + (1 - ends[1]).sqrt() * noise
    return nn.functional.cross_entropy(head(z, embed), y), kl_to_prior(u, ends[0]).mean()


def denoise_terms(
    blocks: Blocks, embed: Tensor, x: Tensor, y: Tensor, coef: Coefficients, *, eta: float = ETA_DT,
    part: slice = slice(None), generators: Streams | torch.Generator | None = None,
) -> Tensor:
    """The third term of eq. 8 for each block of ``blocks``, which are the steps ``part`` of ``coef``: (T',).

    T/2 eta (SNR(t) - SNR(t-1)) mean |u^ - u_y|², with z_{t-1} drawn from q(. | y): no block sees another one's output.
    """
    snr = coef.snr[:-1][part].to(x.dtype)
    weight = 0.5 * eta * len(coef.a) * coef.snr_diff[part].to(x.dtype)
    u = embed[y]
    if len(snr) != blocks.T:
        raise ValueError(f"part={part} has {len(snr)} steps and blocks {blocks.T}: as many are needed")
    if generators is None or isinstance(generators, torch.Generator):
        noise = torch.randn((len(snr), *u.shape), generator=generators, dtype=u.dtype)
        streams = None
    else:
        noise = torch.stack([torch.randn(u.shape, generator=g, dtype=u.dtype) for g in generators])
        streams = generators
    level = (snr / (1 + snr)).view(-1, 1, 1)
    z = level.sqrt() * u + (1 - level).sqrt() * noise
    guess = blocks(z, x, generators=streams).softmax(-1) @ embed
    return weight * (guess - u).square().sum(-1).mean(-1)


def dt_loss(
    blocks: Blocks, head: nn.Module, embed: Tensor, x: Tensor, y: Tensor, coef: Coefficients, eta: float = ETA_DT,
    generator: torch.Generator | None = None, *, part: slice = slice(None), streams: Streams | None = None,
) -> LossTerms:
    """Eq. 8 for the steps ``part`` (all): ``denoise`` (T',), the head's cross-entropy, KL_0, and the sum of all.

    x (B, D) floats, y (B,) int64, embed (m, d). ``streams``: one generator a block for its noise and dropout.
    ``ValueError`` for labels out of range, inputs that are not finite, eta <= 0, other shapes.
    """
    check_pair(x, y, len(embed))
    validate.positive("eta", eta)
    first, last = (coef.snr[k] / (1 + coef.snr[k]) for k in (0, -1))
    denoise = denoise_terms(
        blocks, embed, x, y, coef, eta=eta, part=part, generators=generator if streams is None else streams
    )
    ce, kl = head_terms(head, embed, y, (first.to(x.dtype), last.to(x.dtype)), generator)
    return LossTerms(denoise, ce, kl, denoise.sum() + ce + kl)


def ct_loss(
    block: TimeBlock, schedule: LearnedSchedule, head: nn.Module, embed: Tensor, x: Tensor, y: Tensor,
    eta: float = ETA_CT, generator: torch.Generator | None = None,
) -> LossTerms:
    """Eq. 9: eta/2 mean SNR'(t) |u^(z_t, x, t) - u_y|², t ~ U(0, 1) per row; cross-entropy at t = 1, KL at t = 0."""
    check_pair(x, y, len(embed))
    validate.positive("eta", eta)
    u = embed[y]
    t = torch.rand(len(x), generator=generator, dtype=x.dtype)
    level = schedule.alpha_bar(t)[:, None]
    noise = torch.randn(u.shape, generator=generator, dtype=u.dtype)
    z = level.sqrt() * u + (1 - level).sqrt() * noise
    guess = block(z, x, t).softmax(-1) @ embed
    denoise = 0.5 * eta * (schedule.snr_prime(t) * (guess - u).square().sum(-1)).mean()
    ends = schedule.alpha_bar(torch.tensor([0.0, 1.0], dtype=x.dtype))
    ce, kl = head_terms(head, embed, y, (ends[0], ends[1]), generator)
    return LossTerms(denoise, ce, kl, denoise + ce + kl)


def fm_loss(
    block: TimeBlock, embed: Tensor, x: Tensor, y: Tensor, generator: torch.Generator | None = None, *,
    head: nn.Module | None = None, sigma: float = 0.0,
) -> LossTerms:
    """Eqs 12 and 13: mean |v(z_t, x, t) - (z_1 - z_0)|² with z_t = t z_1 + (1 - t) z_0 + sigma noise, z_1 = u_y.

    v = logits W_E without softmax: a velocity is no mixture of labels. With a ``head`` (W_E learns) the cross-entropy
    at z_t + (1 - t) v is added.
    """
    check_pair(x, y, len(embed))
    validate.nonnegative("sigma", sigma)
    u = embed[y]
    t = torch.rand(len(x), generator=generator, dtype=x.dtype)
    start = torch.randn(u.shape, generator=generator, dtype=u.dtype)
    z = t[:, None] * u + (1 - t[:, None]) * start
    if sigma > 0:
        z = z + sigma * torch.randn(u.shape, generator=generator, dtype=u.dtype)
    v = block(z, x, t) @ embed
    denoise = (v - (u - start)).square().sum(-1).mean()
    zero = denoise.new_zeros(())
    ce = zero if head is None else nn.functional.cross_entropy(head(z + (1 - t[:, None]) * v, embed), y)
    if not math.isfinite(float(denoise.detach())):
        raise ValueError(f"loss={float(denoise.detach())}: the flow-matching loss is not finite")
    return LossTerms(denoise, ce, zero, denoise + ce)
