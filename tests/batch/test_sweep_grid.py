"""The grid of a sweep: what texts and sequences mean, and every absurd one refused with its reason."""
from __future__ import annotations

import numpy as np
import pytest
from gradscape.batch.parameters import ParameterError
from gradscape.batch.sweeps import grid
from gradscape.dynamics.sgd_noise.settings import Settings


@pytest.mark.parametrize(("name", "text", "values"), [
    ("T", "0.1,1", (0.1, 1.0)),
    ("T", "log:1e-3:1:4", (0.001, 0.01, 0.1, 1.0)),
    ("T", "log2:2^-4:1:3", (0.0625, 0.25, 1.0)),
    ("chi", "lin:0:4:5", (0.0, 1.0, 2.0, 3.0, 4.0)),
    ("chi", "0:1:0.25", (0.0, 0.25, 0.5, 0.75)),
    ("chi", "1:0:-0.5", (1.0, 0.5)),
    ("seed", "0:4", (0, 1, 2, 3)),
    ("seed", "0:10:4", (0, 4, 8)),
    ("P", "log2:64:256:3", (64, 128, 256)),
    ("act", "gelu,relu", ("gelu", "relu")),
    ("profile", "smoke,quick", ("smoke", "quick")),
])
def test_texts_mean_values(name, text, values):
    made = grid.make(Settings, {name: text})
    assert made.axes[name] == pytest.approx(values, rel=1e-12) if name in ("T", "chi") else made.axes[name] == values
    assert len(made) == len(values)


def test_sequences_ranges_and_arrays_are_taken_too():
    chosen = {"T": np.array([0.1, 1.0]), "seed": range(3), "act": ["gelu", "relu"], "d": 16}
    made = grid.make(Settings, chosen, "smoke")
    assert made.axes == {"T": (0.1, 1.0), "seed": (0, 1, 2), "act": ("gelu", "relu")}
    assert made.fixed == {"d": 16, "profile": "smoke"}
    points = list(made.settings())
    assert len(points) == len(made) == 12
    assert [p.seed for p in points[:4]] == [0, 0, 1, 1]
    assert {p.profile for p in points} == {"smoke"}
    assert made.text() == "T 2 values × seed 3 values × act 2 values = 12 points"


@pytest.mark.parametrize(("name", "value", "message"), [
    ("TT", "1", "unknown parameter 'TT'"),
    ("T", "", "no values"),
    ("T", "0.1,,1", "empty entry"),
    ("T", "0.1,0.1", "given 2 times"),
    ("T", "fast", "not a number"),
    ("T", "nan", "finite"),
    ("T", "log:0:1:3", "> 0 on a logarithmic scale"),
    ("T", "log:-1:1:3", "> 0 on a logarithmic scale"),
    ("T", "log:0.1:1:1", "at least 2"),
    ("T", "log:0.1:1:3.5", "whole number"),
    ("T", "log:0.1:0.1:3", "equal"),
    ("T", "log:0.1:1", "FIRST:LAST:COUNT"),
    ("T", "cubic:0.1:1:3", "no spacing"),
    ("T", "lin:0.1:10:3", "must be a number from"),
    ("chi", "0:1:-0.1", "wrong sign"),
    ("chi", "1:0", "wrong sign"),
    ("chi", "0:1:0", "zero"),
    ("chi", "1:1", "equal"),
    ("chi", "0:1:2:3", "FIRST:END:STEP"),
    ("seed", "0:1e12", "200000"),
    ("seed", "0.5", "whole number"),
    ("act", "tanh", "one of gelu, relu"),
    ("T", [], "no values"),
    ("T", [True], "must be a number"),
    ("T", None, "must be a number"),
    ("sizes", "nothing:1", "unknown size"),
    ("sizes", 3, "text"),
])
def test_absurd_values_are_refused_with_their_reason(name, value, message):
    with pytest.raises(ParameterError, match=message):
        grid.make(Settings, {name: value})


def test_a_million_points_are_refused_before_they_are_made():
    with pytest.raises(ParameterError, match=r"= 1000000 points: at most 200000"):
        grid.make(Settings, {"T": "log:1e-3:1:100", "alpha": "log:1e-3:1:100", "seed": "0:100"})


def test_all_problems_are_told_at_once():
    with pytest.raises(ParameterError) as caught:
        grid.make(Settings, {"T": "log:0:1:3", "seed": "5:0", "nothing": "1"})
    assert len(str(caught.value).splitlines()) == 3


@pytest.mark.parametrize(("texts", "message"), [
    (("T",), "NAME=VALUES"), (("=1",), "NAME=VALUES"), (("T=1", "T=2"), "twice"), (("a b=1",), "NAME=VALUES"),
])
def test_spelling_is_checked(texts, message):
    with pytest.raises(ParameterError, match=message):
        grid.parse(texts)


def test_the_profile_is_given_once():
    with pytest.raises(ParameterError, match="twice"):
        grid.make(Settings, {"profile": "smoke"}, "quick")
