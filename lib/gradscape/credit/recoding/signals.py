"""Error signals that a recoding step descends, and their gradients in closed form (Ulmer 2019, arXiv 2101.00674).

``surprisal``: ``-log p(y)``. ``surprisal_thesis``: ``p^(-p) - 1`` with ``p = p(y)``, which is what the published code
calls surprisal; not to be confused with the former, because it is 0 for a word that was certain *and* for one that was
thought impossible. ``entropy``: of the prediction. ``entropy_mc`` and ``entropy_ensemble``: of the mean prediction over
dropout masks or decoders; logits then have a first axis for them.
"""
from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from gradscape.numerics.solve import top_singular
from gradscape.validate import at_least, finite, nonnegative, one_of, positive

SIGNALS = ("surprisal", "surprisal_thesis", "entropy", "entropy_mc", "entropy_ensemble")
SUPERVISED = ("surprisal", "surprisal_thesis")
AVERAGED = ("entropy_mc", "entropy_ensemble")
DETERMINISTIC = ("surprisal", "surprisal_thesis", "entropy")


def _checked(kind: str, logits: Tensor, target: Tensor | None) -> None:
    one_of("kind", kind, SIGNALS)
    finite("logits", logits)
    dims = 3 if kind in AVERAGED else 2
    if logits.dim() != dims:
        shape = "(K, B, V)" if dims == 3 else "(B, V)"
        raise ValueError(f"logits has shape {tuple(logits.shape)}: must be {shape} for {kind!r}")
    if kind in SUPERVISED:
        if target is None:
            raise ValueError(f"target=None: {kind!r} needs a word per sequence")
        if target.shape != logits.shape[:1] or target.is_floating_point():
            raise ValueError(f"target: {target.dtype} {tuple(target.shape)}; must be integers ({len(logits)},)")
        if int(target.min()) < 0 or int(target.max()) >= logits.shape[-1]:
            raise ValueError(f"target: lies in {int(target.min())} ... {int(target.max())}; must be in 0 ... "
                             f"{logits.shape[-1] - 1}")


def error_signal(kind: str, logits: Tensor, target: Tensor | None = None) -> Tensor:
    """δ of each sequence (B,) in nats (thesis signal: no unit), from logits (B, V) or, averaged kinds, (K, B, V).

    ``target`` (B,) are the words that supervised kinds look at. ``ValueError`` for an unknown kind, a wrong shape or
    logits that are not finite.

    >>> error_signal("surprisal_thesis", torch.zeros(1, 4), torch.tensor([0]))
    tensor([0.4142])
    """
    _checked(kind, logits, target)
    return raw_signal(kind, logits.log_softmax(-1), target)


def raw_signal(kind: str, logp: Tensor, target: Tensor | None) -> Tensor:
    """:func:`error_signal` from log-probabilities, unchecked."""
    if kind in SUPERVISED:
        assert target is not None
        of_word = logp.gather(-1, target[:, None])[:, 0]
        return -of_word if kind == "surprisal" else torch.expm1(-of_word.exp() * of_word)
    mean = _mean_logp(logp) if kind in AVERAGED else logp
    return -(mean.exp() * mean).sum(-1)


def logit_gradient(kind: str, logp: Tensor, target: Tensor | None = None) -> Tensor:
    """∂δ/∂logits, of the shape of the log-probabilities ``logp``.

    surprisal: ``p - e_y``; thesis: ``(1 + ln p_y) p_y^(1 - p_y) (p - e_y)``, whose sign turns at ``p_y = 1/e``;
    entropy: ``-p (log p + H)``; averaged: ``-(1/K) p_k (log q - Σ p_k log q)`` with q the mean prediction.
    """
    p = logp.exp()
    if kind in SUPERVISED:
        assert target is not None
        away = p.scatter_add(-1, target[:, None], p.new_full((len(p), 1), -1.0))
        if kind == "surprisal":
            return away
        of_word = logp.gather(-1, target[:, None])
        return (1 + of_word) * (of_word - of_word.exp() * of_word).exp() * away
    if kind == "entropy":
        return -p * (logp - (p * logp).sum(-1, keepdim=True))
    mean = _mean_logp(logp)
    return -p * (mean - (p * mean).sum(-1, keepdim=True)) / len(logp)


def error_signal_grad(kind: str, logits: Tensor, W: Tensor, target: Tensor | None = None) -> Tensor:
    """∂δ/∂h (B, H) for ``logits = h W' + b``, in closed form.

    ``W`` is the decoder's weight (V, H), for ensembles (K, V, H). ``ValueError`` as :func:`error_signal`, or for a
    weight of another shape.
    """
    _checked(kind, logits, target)
    finite("W", W)
    if W.dim() < 2 or W.shape[-2] != logits.shape[-1]:
        raise ValueError(f"W has shape {tuple(W.shape)}: must be (..., {logits.shape[-1]}, H)")
    back = logit_gradient(kind, logits.log_softmax(-1), target) @ W
    return back.sum(0) if kind in AVERAGED else back


def _mean_logp(logp: Tensor) -> Tensor:
    """Logarithm of the mean over the first axis of the probabilities."""
    return logp.logsumexp(0) - math.log(len(logp))


def curvature(W: Tensor) -> float:
    """L = ½‖W‖₂², a bound of the Hessian of the surprisal along h, from the decoder's weight (V, H).

    For ``α <= 2/L`` a step satisfies ``δ(h') <= δ(h) - α (1 - αL/2) ‖g‖²`` with δ decoded anew from h'.
    """
    return 0.5 * float(top_singular(W.detach().double(), tol=1e-10, max_steps=10_000).s) ** 2


class AnchoredEnsembleDecoder(nn.Module):
    """K linear decoders, each drawn to its own anchor, so that together they sample a posterior (paper, ensembles).

    ``weight`` (K, V, H), ``bias`` (K, V) and the anchors, kept as buffers, are drawn from N(0, prior_scale²). The
    published code draws anchors but does not keep them, which leaves its anchor loss without effect.
    ``ValueError`` for sizes below 1 or scales that are not positive.
    """

    def __init__(
        self, hidden: int, vocab: int, k: int = 10, prior_scale: float = 0.2856, data_noise: float = 0.1, seed: int = 0
    ) -> None:
        super().__init__()
        for name, size in (("hidden", hidden), ("vocab", vocab), ("k", k)):
            at_least(name, size, 1)
        self.prior_scale, self.data_noise = positive("prior_scale", prior_scale), nonnegative("data_noise", data_noise)
        generator = torch.Generator().manual_seed(at_least("seed", seed, 0))

        def draw(*shape: int) -> Tensor:
            return prior_scale * torch.randn(shape, generator=generator)

        self.weight, self.bias = nn.Parameter(draw(k, vocab, hidden)), nn.Parameter(draw(k, vocab))
        self.weight_anchor: Tensor
        self.bias_anchor: Tensor
        self.register_buffer("weight_anchor", draw(k, vocab, hidden))
        self.register_buffer("bias_anchor", draw(k, vocab))

    def forward(self, h: Tensor) -> Tensor:
        """Logits (K, B, V) of hidden states (B, H)."""
        return h @ self.weight.mT + self.bias[:, None]

    def anchor_loss(self, n_data: int) -> Tensor:
        """``(λ/N) mean_k(‖W_k - anchor‖ + ‖b_k - anchor‖)`` with λ = data_noise / prior_scale."""
        at_least("n_data", n_data, 1)
        apart = (self.weight - self.weight_anchor).flatten(1).norm(dim=1) + (self.bias - self.bias_anchor).norm(dim=1)
        return self.data_noise / self.prior_scale / n_data * apart.mean()
