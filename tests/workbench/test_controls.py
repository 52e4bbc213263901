"""Controls: their stops, what they accept, and what they say otherwise."""
from __future__ import annotations

import math

import pytest
from gradscape.workbench import Control, Values, field
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.workbench.toy import Settings


def test_a_field_brings_everything_its_declaration_says() -> None:
    control = field("T").resolve(Settings(T=2.0))
    assert (control.kind, control.lo, control.hi, control.scale) == ("real", 2**-7, 16, "log2")
    assert (control.default, control.symbol, control.about) == (2.0, "T", "temperature")
    assert control.from_settings
    assert field("n").resolve(Settings()).stops == (1, 2, 3, 4, 5)
    assert field("act").resolve(Settings(act="gelu")).default == "gelu"
    assert field("noisy").resolve(Settings()).stops == (False, True)


def test_a_narrowed_field_still_holds_the_notebooks_value() -> None:
    control = field("T", lo=1, hi=4, about="warm").resolve(Settings(T=8.0))
    assert (control.lo, control.hi, control.about) == (1, 8.0, "warm")


def test_an_unknown_field_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="temperature"):
        field("temperature").resolve(Settings())


def test_stops_reach_both_ends_and_meet_round_values() -> None:
    decades = Control("a", lo=0.1, hi=10, scale="log").stops
    assert (decades[0], decades[-1]) == (0.1, 10)
    assert 1.0 in decades
    octaves = Control("T", lo=2**-7, hi=2**4, scale="log2").stops
    assert all(2.0**p in octaves for p in range(-7, 5))
    assert Control("w", lo=1, hi=15).stops[:3] == (1.0, 1.2, 1.4)
    assert Control("w", lo=1, hi=15, step=5).stops == (1.0, 6.0, 11.0, 15)
    assert Control("P", "int", 64, 4096, scale="log2", step=1).stops == (64, 128, 256, 512, 1024, 2048, 4096)
    assert Control("P", "int", 1, 3, scale="log").stops == (1, 2, 3)


@settings(max_examples=60, deadline=None)
@given(
    lo=st.floats(1e-6, 1e3), factor=st.floats(1.5, 1e6), scale=st.sampled_from(["lin", "log", "log2"]),
    kind=st.sampled_from(["real", "int"]),
)
def test_stops_rise_within_the_range_and_are_read_back(lo: float, factor: float, scale: str, kind: str) -> None:
    lo, hi = (math.ceil(lo), math.ceil(lo) + math.ceil(factor)) if kind == "int" else (lo, lo * factor)
    control = Control("x", kind, lo, hi, scale=scale)  # type: ignore[arg-type]
    assert (control.stops[0], control.stops[-1]) == (lo, hi)
    assert all(a < b for a, b in zip(control.stops, control.stops[1:], strict=False))
    assert 2 <= len(control.stops) <= 260
    for stop in control.stops[1:-1]:
        assert control.position(stop) == control.stops.index(stop)
        assert control.parse(control.format(stop)) == pytest.approx(stop, rel=1e-5)


@pytest.mark.parametrize("text", ["", "abc", "99", "nan", "inf", "-1", "0.5.5", "1e400", "2^99999", "0^-1", "(-1)^0.5"])
def test_bad_text_is_refused_in_one_line_naming_control_value_and_range(text: str) -> None:
    control = field("T").resolve(Settings())
    with pytest.raises(ValueError, match=r"must be a number from 0\.0078125 to 16") as caught:
        control.parse(text)
    assert str(caught.value).startswith(f"T={text or 'nothing'}: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "value"), [("0.25", 0.25), (" 1e-1 ", 0.1), ("2^-7", 2**-7), ("2**3", 8.0), ("2^−2", 0.25)]
)
def test_numbers_are_read_also_as_powers(text: str, value: float) -> None:
    assert field("T").resolve(Settings()).parse(text) == value


def test_whole_numbers_stay_whole() -> None:
    control = Control("P", "int", 1, 1000)
    assert control.parse("1e2") == 100
    assert isinstance(control.parse("7.0"), int)
    with pytest.raises(ValueError, match=r"P=3\.7: must be a whole number from 1 to 1000"):
        control.parse("3.7")


def test_choices_and_switches_take_only_their_values() -> None:
    with pytest.raises(ValueError, match=r"'b'.*must be one of a, c"):
        Control("x", "choice", options=("a", "c")).check("b")
    with pytest.raises(ValueError, match="True or False"):
        Control("x", "switch").check(1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"kind": "slider"}, "kind='slider'"),
        ({"kind": "choice"}, "needs options"),
        ({"lo": 2, "hi": 1}, "lo < hi"),
        ({"hi": 1}, "lo=None"),
        ({"lo": 0, "hi": 1, "scale": "log"}, "lo=0"),
        ({"lo": 1, "hi": 2, "scale": "cubic"}, "scale='cubic'"),
        ({"lo": 1, "hi": 2, "default": 3}, "x=3"),
    ],
)
def test_inconsistent_controls_are_refused(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Control("x", **arguments)  # type: ignore[arg-type]


def test_values_read_as_names_and_carry_settings() -> None:
    values = Values({"T": 2.0, "local": 1}, Settings(n=4))
    assert (values.T, values["local"], dict(values)) == (2.0, 1, {"T": 2.0, "local": 1})
    assert values.settings == Settings(T=2.0, n=4)
    assert hash(values) == hash(Values({"T": 2.0, "local": 1}, None))
    with pytest.raises(AttributeError, match="no control 'alpha'; there are T, local"):
        _ = values.alpha
