"""Controls of an explorer: what a slider, a list or a switch may be set to, taken from settings or made on the spot."""
from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal, cast

from gradscape.lesson import FieldInfo, Settings, field_info

Kind = Literal["real", "int", "integer", "choice", "switch"]
Scale = Literal["lin", "log", "log2"]

POSITIONS = 100  # about so many stops per slider: one per two pixels, and a hundred key presses from end to end
_POWER = re.compile(r"^([+-]?[\d.]+)\s*(?:\^|\*\*)\s*\(?([+-]?[\d.]+)\)?$")


@dataclass(frozen=True)
class Control:
    """A local control of an explorer, for what is not one of the lesson's settings.

    ``kind``: ``"real"`` or ``"int"`` (slider with a text box, ``lo`` to ``hi`` inclusive), ``"choice"`` (list of
    ``options``), ``"switch"``. ``scale`` spaces the slider's stops: ``"lin"``, ``"log"`` (``lo`` > 0) or ``"log2"``.
    ``step`` fixes the distance of neighboring stops (a difference on ``lin``, decades on ``log``, octaves on ``log2``);
    the text box takes any value in range. ``default`` is the first option, ``lo`` or off when left out.
    ``ValueError`` for an inconsistent control.

    >>> Control("w", lo=1, hi=15, default=5, symbol="w", about="guidance scale")
    """

    name: str
    kind: Kind = "real"
    lo: float | None = None
    hi: float | None = None
    scale: Scale = "lin"
    default: Any = None
    options: tuple[Any, ...] = ()
    symbol: str = ""
    about: str = ""
    step: float | None = None
    from_settings: bool = False

    def __post_init__(self) -> None:
        def put(name: str, value: Any) -> None:
            object.__setattr__(self, name, value)

        put("options", tuple(self.options))
        if self.kind == "integer":
            put("kind", "int")
        if self.kind not in ("real", "int", "choice", "switch"):
            raise ValueError(f"control {self.name!r}: kind={self.kind!r}: must be real, int, choice or switch")
        if self.kind == "choice" and not self.options:
            raise ValueError(f"control {self.name!r}: a choice needs options")
        if self.kind in ("real", "int"):
            if self.lo is None or self.hi is None or not self.lo < self.hi:
                raise ValueError(f"control {self.name!r}: lo={self.lo!r}, hi={self.hi!r}: lo < hi is needed")
            if self.scale not in ("lin", "log", "log2"):
                raise ValueError(f"control {self.name!r}: scale={self.scale!r}: must be lin, log or log2")
            if self.scale != "lin" and self.lo <= 0:
                raise ValueError(f"control {self.name!r}: lo={self.lo!r}: must be > 0 on a {self.scale} scale")
        if self.default is None:
            put("default", {"choice": self.options[:1] or (None,), "switch": (False,)}.get(self.kind, (self.lo,))[0])
        put("default", self.check(self.default))

    @cached_property
    def info(self) -> FieldInfo:
        """The same control as the lesson's settings describe their fields; it checks and parses values."""
        kind = {"int": "integer"}.get(self.kind, self.kind)
        return FieldInfo(
            self.name, kind, self.default, self.lo, self.hi, self.scale, self.symbol, self.about, self.options
        )

    @property
    def label(self) -> str:
        """The symbol, or the name where there is none."""
        return self.symbol or self.name

    def check(self, value: Any) -> Any:
        """``value`` in the control's type; ``ValueError`` naming control, value and what is allowed otherwise."""
        return self.info.check(value.item() if hasattr(value, "item") else value)

    def parse(self, text: str) -> Any:
        """Read what was typed; powers such as ``2^-7`` are understood. ``ValueError`` as :meth:`check`."""
        text = text.strip().replace("−", "-")
        try:
            power = _POWER.match(text)
            if power and self.kind in ("real", "int"):
                return self.check(float(power[1]) ** float(power[2]))
            return self.check(float(text)) if self.kind == "int" else self.info.parse(text)
        except (ValueError, OverflowError, ZeroDivisionError, TypeError):
            raise ValueError(f"{self.name}={text or 'nothing'}: must be {self.info.allowed}") from None

    def format(self, value: Any) -> str:
        """A value as the text box shows it; :meth:`parse` reads it back."""
        if self.kind == "switch":
            return "on" if value else "off"
        if self.kind == "choice":
            return str(value)
        if self.kind == "int":
            return str(value)
        assert self.lo is not None
        assert self.hi is not None
        short = f"{value:.6g}"
        return short if self.lo <= float(short) <= self.hi else repr(value)

    @cached_property
    def stops(self) -> tuple[Any, ...]:
        """The values a slider stops at, rising, both ends included (a choice's options; off and on of a switch)."""
        if self.kind == "choice":
            return self.options
        if self.kind == "switch":
            return (False, True)
        assert self.lo is not None
        assert self.hi is not None
        values = list(_stops(self.lo, self.hi, self.scale, self.step, self.kind == "int"))
        if self.kind == "int":
            values = sorted({round(value) for value in values if self.lo <= round(value) <= self.hi})
        return tuple(dict.fromkeys(values))

    def position(self, value: Any) -> int:
        """The stop nearest to ``value`` on the control's own scale."""
        if self.kind in ("choice", "switch"):
            return self.stops.index(value)
        place = (lambda v: v) if self.scale == "lin" else math.log
        return min(range(len(self.stops)), key=lambda k: abs(place(self.stops[k]) - place(value)))

    def ends(self) -> tuple[Any, ...]:
        """What the check mode visits: both ends of a range, every option of a choice, both states of a switch."""
        return self.stops if self.kind in ("choice", "switch") else (self.stops[0], self.stops[-1])


@dataclass(frozen=True)
class Field:
    """A settings' field used as a control; made by :func:`field`, resolved by ``explore``."""

    name: str
    changes: Mapping[str, Any]

    def resolve(self, settings: Settings) -> Control:
        """The control of this field with the settings' own value as default."""
        info = field_info(settings, self.name)
        control = Control(
            name=info.name, kind=cast(Kind, info.kind), lo=info.low, hi=info.high, scale=info.scale,
            default=getattr(settings, info.name), options=info.options, symbol=info.symbol, about=info.about,
            from_settings=True,
        )
        changes = dict(self.changes)
        if info.kind in ("real", "integer"):
            # a narrower slider must still hold the notebook's own value
            changes["lo"] = min(changes.get("lo", control.lo), control.default)
            changes["hi"] = max(changes.get("hi", control.hi), control.default)
        return replace(control, **changes) if changes else control


def field(
    name: str, *, lo: float | None = None, hi: float | None = None, scale: Scale | None = None,
    step: float | None = None, symbol: str | None = None, about: str | None = None,
    options: tuple[Any, ...] | None = None,
) -> Field:
    """Use the settings' field ``name`` as a control: kind, range, scale, symbol and help come from its declaration.

    The keywords narrow or rename it for one explorer (a smaller range for a heavier computation).
    """
    given = {"lo": lo, "hi": hi, "scale": scale, "step": step, "symbol": symbol, "about": about, "options": options}
    return Field(name, {key: value for key, value in given.items() if value is not None})


class Values(Mapping[str, Any]):
    """The controls' present values: ``values.T`` or ``values["T"]``; hashable and immutable.

    ``values.settings`` are the notebook's settings with the controls that are fields of it put in, checked.
    """

    __slots__ = ("_items", "_settings")

    def __init__(self, items: Mapping[str, Any], settings: Any = None) -> None:
        self._items = dict(items)
        self._settings = settings

    @property
    def settings(self) -> Any:
        known = type(self._settings).model_fields
        return self._settings.replace(**{name: value for name, value in self._items.items() if name in known})

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        try:
            return self._items[name]
        except KeyError:
            raise AttributeError(f"no control {name!r}; there are {', '.join(self._items)}") from None

    def __getitem__(self, name: str) -> Any:
        return self._items[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __hash__(self) -> int:
        return hash(tuple(self._items.items()))

    def __repr__(self) -> str:
        return f"Values({', '.join(f'{name}={value!r}' for name, value in self._items.items())})"


def _nice(step: float) -> float:
    """The next larger of 1, 2, 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(step))
    return next(m * power for m in (1, 2, 5, 10) if m * power >= step * (1 - 1e-9))


def _stops(lo: float, hi: float, scale: Scale, step: float | None, whole: bool) -> Iterator[float]:
    """Both ends exactly, and between them values rounded so that 1 and 10 come out as such and commands stay short."""
    if scale == "lin":
        step = step or max(_nice((hi - lo) / POSITIONS), 1 if whole else 0)
        inner = [float(f"{lo + k * step:.9g}") for k in range(1, math.ceil((hi - lo) / step))]
    else:
        base = 10.0 if scale == "log" else 2.0
        reach = math.log(hi / lo, base)
        fine = (0.02, 0.05, 0.1, 0.2, 0.25, 0.5, 1) if scale == "log" else (0.125, 0.25, 0.5, 1)
        step = step or next(s for s in fine if reach / s <= POSITIONS * 1.2 or s == 1)
        inner = []
        for k in range(1, math.ceil(reach / step)):
            value = lo * base ** (k * step)
            exact = scale == "log2" and abs(k * step - round(k * step)) < 1e-9  # powers of two stay what they are
            inner.append(value if exact else float(f"{value:.3g}"))
    margin = 1e-9 * (hi - lo)
    yield lo
    yield from (value for value in inner if lo + margin < value < hi - margin)
    yield hi
