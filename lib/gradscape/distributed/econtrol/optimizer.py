"""EControl as a torch optimizer: one server's view of n clients whose gradients are known one by one."""
from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

from gradscape import validate
from gradscape.distributed.compressors import Compressor
from gradscape.distributed.econtrol.methods import econtrol_step
from gradscape.learning.gradients import check_dense

Block = tuple[dict[str, Any], Tensor, Tensor]  # a group, one of its parameters, all clients' gradients of it


class EControlSGD(torch.optim.Optimizer):
    """SGD on the mean of n clients' gradients, each sent as one compressed message with EControl's feedback.

    Gao, Islamov & Stich 2023 (arXiv 2311.05645). Each parameter p carries ``p.client_grad`` of shape
    (n_clients, *p.shape). The compressor sees the *concatenated* vector of all parameters that have one, of all groups
    (not layer by layer). ``lr`` and ``eta`` may differ between groups. The first step starts every estimate h at the
    first gradient, which counts as sent whole. State of each parameter: ``e``, ``h`` (n_clients, *p.shape), ``server``
    (*p.shape): the mean of h as the server knows it.

    ``ValueError`` for options out of range and client gradients of another shape, dtype or device than their
    parameter's, ``RuntimeError`` for sparse or complex ones (before anything is changed).

    >>> from gradscape.distributed.compressors import TopK
    >>> w = torch.nn.Parameter(torch.zeros(2))
    >>> w.client_grad = torch.tensor([[1.0, 0.0], [3.0, 2.0]])
    >>> EControlSGD([w], lr=0.5, eta=0.5, compressor=TopK(1), n_clients=2).step(); w
    Parameter containing:
    tensor([-1.0000, -0.5000], requires_grad=True)
    """

    def __init__(
        self, params: Iterable[Any], lr: float | Tensor, eta: float, compressor: Compressor, n_clients: int, *,
        generator: torch.Generator | None = None,
    ) -> None:
        defaults = {"lr": lr, "eta": eta}
        _check_options(defaults)
        self.n_clients = validate.at_least("n_clients", n_clients, 1)
        if compressor.random and generator is None:
            raise ValueError("generator=None: a random compressor needs a torch.Generator")
        self.compressor, self.generator = compressor, generator
        super().__init__(params, defaults)

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add a group as `torch.optim.Optimizer` does, after a check of the options it sets itself."""
        _check_options({**self.defaults, **param_group})
        super().add_param_group(param_group)

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget all gradients, those of the clients included."""
        super().zero_grad(set_to_none)
        for group in self.param_groups:
            for p in group["params"]:
                p.client_grad = None

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Take one round; ``closure``, if given, recomputes the loss and ``client_grad`` first. Returns its loss."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        blocks = [(group, p, p.client_grad) for group in self.param_groups for p in group["params"]
                  if getattr(p, "client_grad", None) is not None]
        for _, p, grads in blocks:
            self._check(p, grads)
        if blocks:
            self._round(blocks)
        elif any(p.grad is not None for group in self.param_groups for p in group["params"]):
            raise ValueError("no parameter has client_grad: EControl needs every client's gradient, not their mean")
        return loss

    def _round(self, blocks: list[Block]) -> None:
        """One message of every client about all blocks together, then the server's step."""
        for _, p, grads in blocks:
            if not self.state[p]:
                self.state[p] = {"e": torch.zeros_like(grads), "h": grads.clone(), "server": grads.mean(0)}
        e, h = (torch.cat([self.state[p][name].flatten(1) for _, p, _ in blocks], 1) for name in ("e", "h"))
        g = torch.cat([grads.flatten(1) for _, _, grads in blocks], 1)
        eta = torch.cat([g.new_full((p.numel(),), group["eta"]) for group, p, _ in blocks])
        sizes = [p.numel() for _, p, _ in blocks]
        parts = (all_of.split(sizes, 1) for all_of in econtrol_step(e, h, g, eta, self.compressor, self.generator))
        for (group, p, grads), sent, e_new, h_new in zip(blocks, *parts, strict=True):
            own = self.state[p]
            own["e"], own["h"] = e_new.reshape(grads.shape), h_new.reshape(grads.shape)
            own["server"] = own["server"] + sent.mean(0).view_as(p)
            p.sub_(own["server"] * float(group["lr"]))

    def _check(self, p: Tensor, grads: Any) -> None:
        if not isinstance(grads, Tensor):
            raise ValueError(f"client_grad={grads!r}: must be a tensor")
        check_dense("EControlSGD", p, grads)
        found, wanted = ((t.dtype, t.device) for t in (grads, p))
        if tuple(grads.shape) != (self.n_clients, *p.shape) or found != wanted:
            raise ValueError(
                f"client_grad has shape {tuple(grads.shape)}, {grads.dtype} on {grads.device}: must be "
                f"{(self.n_clients, *p.shape)}, {p.dtype} on {p.device}")


def _check_options(options: dict[str, Any]) -> None:
    lr = options["lr"]
    if isinstance(lr, Tensor) and lr.numel() != 1:
        raise ValueError(f"lr has shape {tuple(lr.shape)}: must be a number or a tensor with one entry")
    validate.positive("lr", float(lr) if isinstance(lr, Tensor) else lr)
    validate.nonnegative("eta", options["eta"])
