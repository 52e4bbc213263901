"""Settings of a lesson: one frozen model from which parameters, sliders, checks and sweeps all come."""
from __future__ import annotations

import dataclasses
import difflib
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Literal, Self

import pydantic
from pydantic import BaseModel, ConfigDict, Field, model_validator

Scale = Literal["lin", "log", "log2"]
COMMON = ("profile", "seed", "device", "sizes")


@dataclass(frozen=True)
class FieldInfo:
    """One parameter as a slider, a command line or a sweep sees it.

    ``kind`` is ``"real"``, ``"integer"``, ``"choice"`` or ``"switch"``; ``low`` and ``high`` are inclusive and ``None``
    for choices and switches; ``options`` is empty except for choices.
    """

    name: str
    kind: str
    default: Any
    low: float | None = None
    high: float | None = None
    scale: Scale = "lin"
    symbol: str = ""
    about: str = ""
    options: tuple[Any, ...] = ()

    @property
    def allowed(self) -> str:
        """What a value must be, in words."""
        if self.kind == "choice":
            return "one of " + ", ".join(map(str, self.options))
        if self.kind == "switch":
            return "True or False"
        number = "a whole number" if self.kind == "integer" else "a number"
        return f"{number} from {self.low:g} to {self.high:g}"

    def check(self, value: Any) -> Any:
        """Return ``value`` in the field's type; ``ValueError`` naming field, value and what is allowed otherwise."""
        wrong = ValueError(f"{self.name}={value!r}: must be {self.allowed}")
        if self.kind == "choice":
            if value not in self.options:
                raise wrong
            return value
        if self.kind == "switch":
            if not isinstance(value, bool):
                raise wrong
            return value
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise wrong
        if self.kind == "integer" and int(value) != value:
            raise wrong
        if not (-math.inf if self.low is None else self.low) <= value <= (math.inf if self.high is None else self.high):
            raise wrong
        return int(value) if self.kind == "integer" else float(value)

    def parse(self, text: str) -> Any:
        """Read a value from the command line; ``ValueError`` as :meth:`check`."""
        wrong = ValueError(f"{self.name}={text!r}: must be {self.allowed}")
        if self.kind == "choice":
            by_text = {str(option): option for option in self.options}
            if text not in by_text:
                raise wrong
            return by_text[text]
        if self.kind == "switch":
            if text.lower() not in ("true", "false"):
                raise wrong
            return text.lower() == "true"
        try:
            value: float = int(text) if self.kind == "integer" else float(text)
        except ValueError:
            raise wrong from None
        return self.check(value)


def _field(default: Any, kind: str, **extra: Any) -> Any:
    about = extra.pop("about")
    if "=" in about or "|" in about or "\n" in about:
        raise ValueError(f"about={about!r}: must be one line without '=' and '|' (it becomes a parameter's comment)")
    if extra.get("scale", "lin") != "lin" and extra["low"] <= 0:
        raise ValueError(f"low={extra['low']!r}: must be > 0 on a logarithmic scale")
    return Field(default, description=about, json_schema_extra={"kind": kind, **extra})


def real(default: float, low: float, high: float, *, scale: Scale = "lin", symbol: str = "", about: str = "") -> Any:
    """A real parameter between ``low`` and ``high`` (inclusive)."""
    return _field(float(default), "real", low=float(low), high=float(high), scale=scale, symbol=symbol, about=about)


def integer(default: int, low: int, high: int, *, scale: Scale = "lin", symbol: str = "", about: str = "") -> Any:
    """A whole-number parameter between ``low`` and ``high`` (inclusive)."""
    return _field(default, "integer", low=low, high=high, scale=scale, symbol=symbol, about=about)


def choice(default: Any, options: tuple[Any, ...], *, symbol: str = "", about: str = "") -> Any:
    """A parameter that takes one of the named ``options``."""
    return _field(default, "choice", options=list(options), symbol=symbol, about=about)


def switch(default: bool, *, symbol: str = "", about: str = "") -> Any:
    """A parameter that is on or off."""
    return _field(default, "switch", symbol=symbol, about=about)


class Settings(BaseModel):
    """Base of every lesson's settings: ``class Settings(lesson.Settings, profiles=SIZES)``.

    ``profiles`` maps ``"smoke"``, ``"quick"`` and ``"full"`` to a frozen dataclass of sizes. Instances are frozen and
    hashable; unknown names, wrong types and values out of range raise ``pydantic.ValidationError`` (a ``ValueError``),
    which :func:`explain` turns into one line per problem.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, ignored_types=(cached_property,))
    SIZES: ClassVar[Mapping[str, Any]] = {}

    profile: str = choice("quick", ("smoke", "quick", "full"), about="smoke, quick or full")
    seed: int = integer(0, 0, 2**31 - 1, about="replicate r draws from SeedSequence([seed, r])")
    device: str = Field("cpu", description="cpu, cuda or cuda:0", json_schema_extra={"kind": "text"})
    sizes: str = Field("", description="overrides, name:value separated by commas", json_schema_extra={"kind": "text"})

    @classmethod
    def __pydantic_init_subclass__(cls, profiles: Mapping[str, Any] | None = None, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        if profiles is not None:
            if set(profiles) != {"smoke", "quick", "full"}:
                raise ValueError(f"profiles={sorted(profiles)}: must be smoke, quick and full")
            cls.SIZES = dict(profiles)

    def __init_subclass__(cls, profiles: Mapping[str, Any] | None = None, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)

    @model_validator(mode="before")
    @classmethod
    def _check_fields(cls, values: Any) -> Any:
        if not isinstance(values, Mapping):
            return values
        checked = dict(values)
        for name, value in values.items():
            if name not in cls.model_fields:
                raise ValueError(_unknown(name, tuple(cls.model_fields)))
            if cls._extra(name).get("kind") != "text":
                checked[name] = field_info(cls, name).check(value)
        return checked

    @model_validator(mode="after")
    def _check_sizes(self) -> Self:
        if not re.fullmatch(r"cpu|cuda(:\d+)?", self.device):
            raise ValueError(f"device={self.device!r}: must be cpu, cuda or cuda:0")
        if self.SIZES:
            _overridden(self.SIZES[self.profile], self.sizes)
        elif self.sizes:
            raise ValueError(f"sizes={self.sizes!r}: this lesson has no sizes")
        return self

    @classmethod
    def _extra(cls, name: str) -> dict[str, Any]:
        extra = cls.model_fields[name].json_schema_extra
        return extra if isinstance(extra, dict) else {"kind": "text"}

    @classmethod
    def of(cls, namespace: Mapping[str, Any]) -> Self:
        """The settings that the names in a notebook's ``globals()`` spell; other names are ignored."""
        return cls(**{name: namespace[name] for name in cls.model_fields if name in namespace})

    @cached_property
    def size(self) -> Any:
        """The sizes of the profile with the overrides of ``sizes`` applied (a frozen dataclass)."""
        return _overridden(self.SIZES[self.profile], self.sizes)

    @property
    def own_sizes(self) -> bool:
        """Whether ``sizes`` overrides anything."""
        return bool(self.sizes.strip())

    @cached_property
    def protocol(self) -> Self:
        """The settings that claims are measured at: profile, seed, device and sizes kept, all else at its default."""
        return type(self)(**{name: getattr(self, name) for name in COMMON})

    def replace(self, **changes: Any) -> Self:
        """A copy with the named fields changed, checked as at construction."""
        return type(self)(**{**self.model_dump(), **changes})

    def changed(self) -> dict[str, Any]:
        """The fields that differ from their defaults, in order of declaration."""
        return {
            name: getattr(self, name)
            for name, spec in type(self).model_fields.items()
            if getattr(self, name) != spec.default
        }


def field_info(settings: type[Settings] | Settings, name: str) -> FieldInfo:
    """Everything known about one field; ``ValueError`` for an unknown name."""
    model = settings if isinstance(settings, type) else type(settings)
    if name not in model.model_fields:
        raise ValueError(_unknown(name, tuple(model.model_fields)))
    spec, extra = model.model_fields[name], dict(model._extra(name))
    options = tuple(extra.pop("options", ()))
    return FieldInfo(name=name, default=spec.default, about=spec.description or "", options=options, **extra)


def fields(settings: type[Settings] | Settings) -> Iterator[FieldInfo]:
    """The lesson's own fields (without profile, seed, device and sizes), in order of declaration."""
    model = settings if isinstance(settings, type) else type(settings)
    return (field_info(model, name) for name in model.model_fields if name not in COMMON)


def parameters_source(settings: type[Settings]) -> str:
    """The one and only content of a notebook's ``parameters`` cell."""
    lines = []
    for name, spec in settings.model_fields.items():
        kind = type(spec.default).__name__
        text = spec.description or ""
        if name not in COMMON and settings._extra(name)["kind"] in ("real", "integer", "choice"):
            text += f" ({field_info(settings, name).allowed})"
        default = f'"{spec.default}"' if isinstance(spec.default, str) else repr(spec.default)
        lines.append(f"{name}: {kind} = {default}  # {text.strip()}")
    return "\n".join(lines)


def explain(error: Exception) -> str:
    """One line per problem of a rejected setting, without pydantic's own decoration."""
    if not isinstance(error, pydantic.ValidationError):
        return str(error)
    lines = []
    for problem in error.errors(include_url=False):
        where, message = ".".join(map(str, problem["loc"])), problem["msg"].removeprefix("Value error, ")
        lines.append(f"{where}={problem['input']!r}: {message}" if where else message)
    return "\n".join(lines)


def _unknown(name: str, known: tuple[str, ...], what: str = "parameter") -> str:
    near = difflib.get_close_matches(name, known, 1)
    hint = f" (did you mean {near[0]}?)" if near else ""
    return f"unknown {what} {name!r}{hint}; known: {', '.join(known)}"


def _overridden(base: Any, text: str) -> Any:
    """Apply ``name:value`` overrides; a tuple's entries are separated by ``/``."""
    if not text.strip():
        return base
    known = {entry.name: getattr(base, entry.name) for entry in dataclasses.fields(base)}
    changes: dict[str, Any] = {}
    for item in text.split(","):
        name, colon, value = (part.strip() for part in item.partition(":"))
        if not colon or not value:
            raise ValueError(f"sizes={text!r}: {item.strip()!r} must have the form name:value")
        if name not in known:
            raise ValueError(f"sizes={text!r}: " + _unknown(name, tuple(known), "size"))
        if name in changes:
            raise ValueError(f"sizes={text!r}: {name!r} is given twice")
        changes[name] = _like(known[name], name, value)
    return dataclasses.replace(base, **changes)


def _like(example: Any, name: str, text: str) -> Any:
    """Read ``text`` as a size of the same type as ``example``; sizes are positive (floats: not negative)."""
    if isinstance(example, tuple):
        return tuple(_like(example[0], name, part) for part in text.split("/"))
    kind = "true or false" if isinstance(example, bool) else type(example).__name__
    wrong = ValueError(f"sizes {name}:{text!r}: must be {kind}, finite and not negative (whole sizes at least 1)")
    if isinstance(example, bool):
        if text.lower() not in ("true", "false"):
            raise wrong
        return text.lower() == "true"
    if isinstance(example, str):
        return text
    try:
        value = type(example)(text)
    except ValueError:
        raise wrong from None
    if not math.isfinite(value) or value < 0 or (isinstance(example, int) and value < 1):
        raise wrong
    return value
