"""How much a training step keeps for its backward pass: the claim of constant memory, counted in bytes."""
from __future__ import annotations

from collections.abc import Callable, Iterable

from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks


def saved_activation_bytes(fn: Callable[[], object], exclude: Iterable[Tensor] = ()) -> int:
    """Bytes of all storage that autograd saves while ``fn`` runs, each once, without the storage of ``exclude``.

    ``exclude`` is for parameters and inputs, which are there in any case.
    """
    known = {tensor.untyped_storage().data_ptr() for tensor in exclude}
    kept: dict[int, Tensor] = {}

    def pack(tensor: Tensor) -> Tensor:
        # holding on to it keeps its address from being used again
        kept.setdefault(tensor.untyped_storage().data_ptr(), tensor)
        return tensor

    with saved_tensors_hooks(pack, lambda tensor: tensor):
        fn()
    return sum(tensor.untyped_storage().nbytes() for place, tensor in kept.items() if place not in known)
