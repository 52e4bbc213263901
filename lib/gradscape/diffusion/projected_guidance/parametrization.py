"""Between a network's kind of prediction and the denoised image, and guidance in the wrong space for comparison.

The noisy point is x = alpha x0 + sigma n (variance preserving: alpha^2 + sigma^2 = 1; EDM: alpha = 1; rectified flow:
alpha = 1 - t, sigma = t).
"""
from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from gradscape.validate import one_of, same_shape

KINDS = ("eps", "v", "flow", "x0")


def to_denoised(pred: Tensor, x: Tensor, kind: str, alpha: float | Tensor, sigma: float | Tensor) -> Tensor:
    """Turn a prediction into D, the estimate of x0.

    eps: the noise n, D = (x - sigma eps)/alpha; v: alpha n - sigma x0 (variance preserving), D = alpha x - sigma v;
    flow: the velocity n - x0, D = x - sigma v; x0: D itself.
    """
    same_shape(pred=pred, x=x)
    one_of("kind", kind, KINDS)
    if kind == "eps":
        return (x - sigma * pred) / alpha
    if kind == "v":
        return alpha * x - sigma * pred
    return x - sigma * pred if kind == "flow" else pred


def from_denoised(d: Tensor, x: Tensor, kind: str, alpha: float | Tensor, sigma: float | Tensor) -> Tensor:
    """Turn D back into a prediction: the inverse of `to_denoised`; sigma > 0."""
    same_shape(d=d, x=x)
    one_of("kind", kind, KINDS)
    if kind == "eps":
        return (x - alpha * d) / sigma
    if kind == "v":
        return (alpha * x - d) / sigma
    return (x - d) / sigma if kind == "flow" else d


class NoiseSpaceGuidance:
    """The same guidance wrongly applied to noise predictions, as some pipelines do: the pitfall behind claim G6.

    Wraps a denoiser whose points are x = x0 + sigma n: its ``pair`` hands out eps = (x - D)/sigma instead of D, and a
    call turns the guided eps back, so ``sample(wrong, ..., guidance=wrong)`` is guided in eps-space.
    """

    def __init__(self, denoiser: Callable[..., Tensor], guidance: Callable[[Tensor, Tensor], Tensor]) -> None:
        self.denoiser, self.guidance = denoiser, guidance
        self._x: Tensor | None = None
        self._sigma = 0.0

    def pair(self, x: Tensor, sigma: float, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Return the noise predictions with and without the labels."""
        self._x, self._sigma = x, sigma
        cond, uncond = self.denoiser.pair(x, sigma, labels)  # type: ignore[attr-defined]
        return from_denoised(cond, x, "eps", 1.0, sigma), from_denoised(uncond, x, "eps", 1.0, sigma)

    def __call__(self, eps_cond: Tensor, eps_uncond: Tensor) -> Tensor:
        """Guide the noise predictions and return the denoised prediction they imply."""
        assert self._x is not None
        return to_denoised(self.guidance(eps_cond, eps_uncond), self._x, "eps", 1.0, self._sigma)

    def reset(self) -> None:
        """Forget the trajectory."""
        reset = getattr(self.guidance, "reset", None)
        if reset is not None:
            reset()
