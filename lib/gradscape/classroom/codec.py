"""Values between the checker and a submission: JSON and raw numbers, never pickle.

Numbers, text, containers, arrays, tensors and random generators travel as data; functions as handles that are called
from afar. Only the checker's side may name classes (:class:`Encoder` with ``objects=True``): what comes back from a
submission is data alone.
"""
from __future__ import annotations

import importlib
import json
import types
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

LARGEST = 256 * 2**20  # bytes of one message: far more than any exercise hands over
DEEPEST = 40
KINDS = "biufc"  # numeric dtypes; never objects
HOMES = ("gradscape", "torch", "numpy", "math", "collections", "functools", "builtins")


class CodecError(ValueError):
    """A message that cannot be read, or a value that cannot be sent."""


@dataclass(frozen=True)
class Opaque:
    """Stands for something that a submission returned and that is no answer to any exercise."""

    kind: str

    def __repr__(self) -> str:
        return f"a {self.kind}"


@dataclass
class Encoder:
    """Turns values into a tree for JSON and a list of raw buffers.

    ``function(f)`` names a callable by a number. ``changeable`` collects arrays, tensors and generators in the order
    of the tree, so that a change made to one of them in place can be told.
    """

    function: Callable[[Any], int]
    objects: bool = False
    buffers: list[bytes] = field(default_factory=list)
    changeable: list[Any] = field(default_factory=list)

    def encode(self, value: Any, depth: int = 0) -> Any:
        """One value as a tree."""
        if depth > DEEPEST:
            raise CodecError("nested too deeply")
        if value is None or type(value) in (bool, int, float, str):
            return value
        if value is ...:
            return {"t": "dots"}
        if isinstance(value, np.generic):
            return self._array("scalar", np.asarray(value))
        if isinstance(value, np.ndarray):
            if value.dtype.kind not in KINDS:
                return {"t": "list", "v": [self.encode(part, depth + 1) for part in value.tolist()]}
            self.changeable.append(value)
            return self._array("array", value)
        if isinstance(value, torch.Tensor):
            self.changeable.append(value)
            plain = value.detach().cpu()
            if plain.dtype in (torch.bfloat16, torch.float16):
                plain = plain.float()
            return self._array("tensor", plain.resolve_conj().resolve_neg().numpy())
        if isinstance(value, np.random.Generator):
            self.changeable.append(value)
            return {"t": "rng", "v": _state(value)}
        if isinstance(value, torch.Generator):
            self.changeable.append(value)
            return self._array("generator", value.get_state().numpy())
        return self._container(value, depth)

    def _container(self, value: Any, depth: int) -> Any:
        if isinstance(value, complex):
            return {"t": "complex", "v": [value.real, value.imag]}
        names = getattr(value, "_fields", None)
        if names is None and type(value).__module__ == "torch.return_types":
            names = [name for name in dir(value) if not name.startswith(("_", "n_")) and name not in ("count", "index")]
            names = [next(n for n in names if getattr(value, n) is part) for part in value]
        if isinstance(value, tuple) and names and self.objects:
            return {"t": "named", "n": list(names), "v": [self.encode(part, depth + 1) for part in value]}
        for kind, name in ((tuple, "tuple"), (list, "list"), (range, "list"), (set | frozenset, "set")):
            if isinstance(value, kind):
                return {"t": name, "v": [self.encode(part, depth + 1) for part in value]}
        if isinstance(value, dict) and type(value).__module__ in ("builtins", "collections"):
            pairs = [[self.encode(k, depth + 1), self.encode(v, depth + 1)] for k, v in value.items()]
            return {"t": "dict", "v": pairs}
        if self.objects and not isinstance(value, type | types.FunctionType | types.MethodType):
            made = self._object(value, depth)
            if made is not None:
                return made
        if callable(value):
            name = getattr(value, "__name__", type(value).__name__)
            return {"t": "function", "v": self.function(value), "n": str(name)[:80]}
        try:
            return float(value)
        except Exception:
            return {"t": "opaque", "v": type(value).__name__[:80]}

    def _object(self, value: Any, depth: int) -> Any:
        kind = type(value)
        home = f"{kind.__module__}.{kind.__qualname__}"
        if kind.__module__.split(".")[0] not in ("gradscape", "torch") or not hasattr(value, "__dict__"):
            return None
        if kind.__module__.endswith(".exercises"):  # a checker's own class: only its fields travel
            home = ""
        state = [[name, self._field(part, depth + 1)] for name, part in vars(value).items()]
        return {"t": "object", "c": home, "v": [pair for pair in state if pair[1] is not None]}

    def _field(self, value: Any, depth: int) -> Any:
        """A field of an object; functions and classes by name, optimizers and locals not at all."""
        if isinstance(value, torch.optim.Optimizer):
            return None
        if isinstance(value, type | types.FunctionType | types.BuiltinFunctionType):
            place = f"{value.__module__}.{value.__qualname__}"
            known = value.__module__ and value.__module__.split(".")[0] in HOMES and "<" not in place
            return {"t": "name", "v": place} if known else None
        return {"t": "field", "v": self.encode(value, depth)}

    def _array(self, kind: str, array: np.ndarray) -> dict[str, Any]:
        self.buffers.append(np.ascontiguousarray(array).tobytes())
        return {"t": kind, "b": len(self.buffers) - 1, "d": array.dtype.str, "s": list(array.shape)}


@dataclass
class Decoder:
    """The way back. ``function(number, name)`` makes what stands for a callable of the other side."""

    function: Callable[[int, str], Any]
    buffers: list[bytes]
    objects: bool = False
    changeable: list[tuple[Any, Any]] = field(default_factory=list)

    def decode(self, tree: Any, depth: int = 0) -> Any:
        """One value from its tree; :class:`CodecError` for anything that no encoder writes."""
        if depth > 2 * DEEPEST:
            raise CodecError("nested too deeply")
        if tree is None or type(tree) in (bool, int, float, str):
            return tree
        try:
            kind, value = tree["t"], tree.get("v")
            if kind in ("array", "tensor", "scalar", "generator"):
                return self._array(kind, tree)
            if kind in ("tuple", "list", "set"):
                return {"tuple": tuple, "list": list, "set": set}[kind](self.decode(part, depth + 1) for part in value)
            if kind == "dict":
                return {self.decode(k, depth + 1): self.decode(v, depth + 1) for k, v in value}
            if kind == "dots":
                return ...
            if kind == "complex":
                return complex(*value)
            if kind == "function":
                return self.function(int(value), str(tree["n"]))
            if kind == "opaque":
                return Opaque(str(value))
            if self.objects:
                return self._trusted(kind, tree, depth)
        except CodecError:
            raise
        except (KeyError, TypeError, ValueError, IndexError, AttributeError, OverflowError) as error:
            raise CodecError(f"unreadable value: {error}") from error
        raise CodecError(f"unknown kind {str(kind)[:40]!r}")

    def _array(self, kind: str, tree: dict[str, Any]) -> Any:
        dtype = np.dtype(str(tree["d"]))
        if dtype.kind not in KINDS:
            raise CodecError(f"dtype {dtype} is not numeric")
        array = np.frombuffer(self.buffers[tree["b"]], dtype).reshape([int(n) for n in tree["s"]]).copy()
        if kind == "scalar":
            return array[()]
        if kind == "array":
            made: Any = array
        elif kind == "tensor":
            made = torch.from_numpy(array)
        else:
            made = torch.Generator()
            made.set_state(torch.from_numpy(array))
        self.changeable.append((made, self.buffers[tree["b"]]))
        return made

    def _trusted(self, kind: str, tree: dict[str, Any], depth: int) -> Any:
        """What only the checker sends: generators of numpy, named tuples, objects of the library."""
        value = tree["v"]
        if kind == "rng":
            made = np.random.Generator(getattr(np.random, value["bit_generator"])())
            made.bit_generator.state = _restored(value)
            self.changeable.append((made, json.dumps(value)))
            return made
        if kind == "named":
            from collections import namedtuple

            return namedtuple("Named", tree["n"])(*(self.decode(part, depth + 1) for part in value))
        if kind == "name":
            return _by_name(value)
        if kind == "field":
            return self.decode(value, depth + 1)
        if kind == "object":
            state = {name: self.decode(part, depth + 1) for name, part in value}
            if not tree["c"]:
                return types.SimpleNamespace(**state)
            made = object.__new__(_by_name(tree["c"]))
            made.__dict__.update(state)
            return made
        raise CodecError(f"unknown kind {kind!r}")


def changes(pairs: list[tuple[Any, Any]]) -> tuple[list[list[Any]], list[bytes]]:
    """What was changed in place since decoding: [number, state or buffer number] each, and the buffers."""
    found: list[list[Any]] = []
    buffers: list[bytes] = []
    for number, (value, before) in enumerate(pairs):
        if isinstance(value, np.random.Generator):
            if json.dumps(now := _state(value)) != before:
                found.append([number, now])
            continue
        raw = value.get_state().numpy() if isinstance(value, torch.Generator) else np.asarray(
            value.detach() if isinstance(value, torch.Tensor) else value
        )
        if (data := np.ascontiguousarray(raw).tobytes()) != before:
            found.append([number, len(buffers)])
            buffers.append(data)
    return found, buffers


def apply_changes(originals: list[Any], found: list[list[Any]], buffers: list[bytes]) -> None:
    """Do to the checker's own values what a submission did to its copies; only numbers change, never a shape."""
    for number, now in found:
        value = originals[number]
        if isinstance(value, np.random.Generator):
            value.bit_generator.state = _restored(now)
        elif isinstance(value, torch.Generator):
            value.set_state(torch.frombuffer(bytearray(buffers[now]), dtype=torch.uint8))
        elif isinstance(value, np.ndarray):
            if len(buffers[now]) == value.nbytes:
                value[...] = np.frombuffer(buffers[now], value.dtype).reshape(value.shape)
        else:
            plain = value.detach()
            if len(buffers[now]) == plain.numel() * plain.element_size():
                plain.copy_(torch.frombuffer(bytearray(buffers[now]), dtype=plain.dtype).reshape(plain.shape))


def _state(value: np.random.Generator) -> dict[str, Any]:
    def plain(part: Any) -> Any:
        if isinstance(part, dict):
            return {key: plain(item) for key, item in part.items()}
        return part.tolist() if isinstance(part, np.ndarray | np.generic) else part

    return plain(dict(value.bit_generator.state))


def _restored(state: dict[str, Any]) -> dict[str, Any]:
    known = ("PCG64", "PCG64DXSM", "MT19937", "Philox", "SFC64")
    if not isinstance(state, dict) or state.get("bit_generator") not in known:
        raise CodecError("unknown random generator")
    return state


def _by_name(place: str) -> Any:
    parts = place.split(".")
    for cut in range(len(parts) - 1, 0, -1):
        try:
            found: Any = importlib.import_module(".".join(parts[:cut]))
        except ModuleNotFoundError:
            continue
        for name in parts[cut:]:
            found = getattr(found, name)
        return found
    raise CodecError(f"no {place}")
