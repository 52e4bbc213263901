"""Label embeddings and heads: one-hot, learned or prototype vectors u_y; softmax or distance for p(y | z)."""
from __future__ import annotations

import torch
from torch import Tensor, nn

from gradscape import validate
from gradscape.credit.noprop.checks import check_pair, check_width

EMBEDDINGS = ("onehot", "learned", "prototype")
HEADS = ("softmax", "radial")
LEARNED_DIM = 20  # the paper's width of a learned embedding
RADIUS = 0.5  # sigma of the radial head; the paper gives none


def class_medoids(X: Tensor, y: Tensor, n_classes: int) -> Tensor:
    """Per class the image with the smallest *median* distance to the others of its class, (n_classes, D) (Sec. 4).

    X (N, …) is flattened. ``ValueError`` for a class without an image.
    """
    check_pair(X, y, validate.at_least("n_classes", n_classes, 2))
    rows, found = X.flatten(1), []
    for k in range(n_classes):
        own = rows[y == k]
        if not len(own):
            raise ValueError(f"y holds no example of class {k}: a prototype needs one")
        if len(own) == 1:
            found.append(own[0])
            continue
        apart = torch.cdist(own, own, compute_mode="donot_use_mm_for_euclid_dist")
        others = apart[~torch.eye(len(own), dtype=torch.bool)].view(len(own), -1)
        found.append(own[others.median(1).values.argmin()])
    return torch.stack(found)


def initial_embedding(
    kind: str, n_classes: int, *, X: Tensor, y: Tensor, dim: int = LEARNED_DIM, generator: torch.Generator | None = None
) -> nn.Parameter:
    """W_E (n_classes, d): the identity, fixed; orthonormal rows or columns; or the medoids. The last two learn."""
    validate.one_of("embedding", kind, EMBEDDINGS)
    if kind == "onehot":
        return nn.Parameter(torch.eye(n_classes, dtype=X.dtype), requires_grad=False)
    if kind == "prototype":
        return nn.Parameter(class_medoids(X, y, n_classes).clone())
    start = torch.empty(n_classes, validate.at_least("dim", dim, 1), dtype=X.dtype)
    return nn.Parameter(nn.init.orthogonal_(start, generator=generator))


class SoftmaxHead(nn.Linear):
    """p(y | z) = softmax(W z + b), the paper's p_out; the embedding is not looked at."""

    def forward(self, z: Tensor, embed: Tensor | None = None) -> Tensor:
        return super().forward(z)


class RadialHead(nn.Linear):
    """Eqs 15 and 16: y~ = softmax(W z + b) W_E, and p(y) ∝ exp(-|y~ - u_y|² / 2 sigma²)."""

    def __init__(self, in_features: int, out_features: int, sigma: float = RADIUS) -> None:
        super().__init__(in_features, out_features)
        self.sigma = validate.positive("sigma", sigma)

    def forward(self, z: Tensor, embed: Tensor | None = None) -> Tensor:
        if embed is None:
            raise ValueError("embed=None: the radial head measures distances to the embeddings")
        guess = super().forward(z).softmax(-1) @ embed
        return -(guess[..., None, :] - embed).square().sum(-1) / (2 * self.sigma**2)


def make_head(kind: str, dim: int, n_classes: int, generator: torch.Generator) -> SoftmaxHead | RadialHead:
    """A head of that kind with nn.Linear's law of weights, drawn from ``generator``."""
    head = {"softmax": SoftmaxHead, "radial": RadialHead}[validate.one_of("head", kind, HEADS)](dim, n_classes)
    redraw(head, generator)
    return head


def redraw(module: nn.Module, generator: torch.Generator) -> None:
    """Draw the weights of every linear and convolutional layer anew from ``generator``, by torch's own law."""
    for layer in module.modules():
        if isinstance(layer, nn.Linear | nn.Conv2d):
            assert layer.bias is not None
            bound = layer.weight[0].numel() ** -0.5
            with torch.no_grad():
                layer.weight.uniform_(-bound, bound, generator=generator)
                layer.bias.uniform_(-bound, bound, generator=generator)


def nearest(z: Tensor, embed: Tensor) -> Tensor:
    """The class whose embedding is nearest to z (…, d) in Euclidean distance, (…,)."""
    check_width("z", z, embed.shape[-1])
    return (z[..., None, :] - embed).square().sum(-1).argmin(-1)
