"""Settings: one model from which parameters, sliders and checks come."""
from __future__ import annotations

import ast
from dataclasses import dataclass

import pytest
from gradscape import lesson
from gradscape.lesson import choice, explain, field_info, fields, integer, parameters_source, real, switch
from hypothesis import given
from hypothesis import strategies as st


@dataclass(frozen=True)
class Sizes:
    runs: int = 24
    rate: float = 0.5
    widths: tuple[int, ...] = (2, 4)
    exact: bool = True


class Settings(
    lesson.Settings, profiles={"smoke": Sizes(runs=2), "quick": Sizes(), "full": Sizes(runs=64, widths=(2, 4, 8))}
):
    T: float = real(0.5, 2**-7, 2**4, scale="log2", symbol="T", about="temperature")
    depth: int = integer(2, 1, 5, symbol="D", about="hidden layers")
    act: str = choice("relu", ("relu", "gelu"), about="activation")
    noisy: bool = switch(False, about="add label noise")


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"T": 99}, "T=99: must be a number from 0.0078125 to 16"),
        ({"T": float("nan")}, "T=nan: must be a number"),
        ({"T": "1"}, "T='1': must be a number"),
        ({"T": True}, "T=True: must be a number"),
        ({"depth": 1.5}, "depth=1.5: must be a whole number from 1 to 5"),
        ({"act": "tanh"}, "act='tanh': must be one of relu, gelu"),
        ({"noisy": 1}, "noisy=1: must be True or False"),
        ({"Tt": 1}, "unknown parameter 'Tt' (did you mean T?)"),
        ({"profile": "fast"}, "profile='fast': must be one of smoke, quick, full"),
        ({"seed": -1}, "seed=-1: must be a whole number from 0"),
        ({"device": "tpu"}, "device='tpu': must be cpu"),
        ({"sizes": "run:3"}, "unknown size 'run' (did you mean runs?)"),
        ({"sizes": "runs"}, "must have the form name:value"),
        ({"sizes": "runs:x"}, "runs:'x': must be int"),
        ({"sizes": "runs:0"}, "whole sizes at least 1"),
        ({"sizes": "rate:nan"}, "must be float, finite"),
        ({"sizes": "runs:1,runs:2"}, "'runs' is given twice"),
        ({"sizes": "exact:2"}, "true or false"),
    ],
)
def test_bad_values_name_parameter_value_and_allowed(wrong, says):
    with pytest.raises(ValueError) as caught:
        Settings(**wrong)
    message = explain(caught.value)
    assert says in message
    assert "\n" not in message
    assert "pydantic" not in message


def test_sizes_follow_profile_and_overrides():
    assert Settings(profile="smoke").size == Sizes(runs=2)
    own = Settings(sizes="runs:3, widths:5/7, rate:0.25, exact:false")
    assert own.size == Sizes(runs=3, widths=(5, 7), rate=0.25, exact=False)
    assert own.own_sizes
    assert not Settings().own_sizes


def test_protocol_keeps_only_what_a_measurement_may_depend_on():
    settings = Settings(T=2.0, depth=3, seed=5, profile="full", sizes="runs:9")
    assert settings.protocol == Settings(seed=5, profile="full", sizes="runs:9")
    assert settings.protocol.protocol == settings.protocol


def test_settings_are_frozen_and_hashable():
    settings = Settings(T=1)
    assert hash(settings) == hash(Settings(T=1.0))
    with pytest.raises(ValueError):
        settings.T = 2.0
    assert settings.replace(T=2).T == 2.0
    assert settings.changed() == {"T": 1.0}
    with pytest.raises(ValueError, match="T=1000"):
        settings.replace(T=1000)


def test_parameters_cell_executes_to_the_defaults():
    source = parameters_source(Settings)
    names: dict[str, object] = {}
    exec(compile(ast.parse(source), "cell", "exec"), names)
    assert Settings.of(names) == Settings()
    for line in source.splitlines():
        assignment, comment = line.split("  # ")
        assert "=" not in comment
        assert "|" not in assignment


def test_field_info_describes_a_slider():
    info = field_info(Settings, "T")
    assert (info.low, info.high, info.scale, info.symbol, info.default) == (2**-7, 2**4, "log2", "T", 0.5)
    assert [f.name for f in fields(Settings)] == ["T", "depth", "act", "noisy"]
    with pytest.raises(ValueError, match="unknown parameter 'depht'"):
        field_info(Settings, "depht")


@given(st.floats(2**-7, 2**4))
def test_a_value_survives_the_command_line(value):
    assert field_info(Settings, "T").parse(repr(value)) == value


@given(st.text(max_size=12))
def test_no_text_crashes_the_parser(text):
    for info in fields(Settings):
        try:
            parsed = info.parse(text)
        except ValueError as error:
            assert info.name in str(error)
        else:
            assert info.check(parsed) == parsed


def test_about_must_fit_a_parameters_comment():
    with pytest.raises(ValueError, match="one line"):
        real(1.0, 0.0, 2.0, about="a = b")
    with pytest.raises(ValueError, match="logarithmic"):
        real(1.0, 0.0, 2.0, scale="log")
