"""The checks of arguments: what passes comes back, what does not is named with its value and what is allowed."""
from __future__ import annotations

import math
from functools import partial

import numpy as np
import pytest
import torch
from gradscape import validate

NO_NUMBERS = ("1", "", None, [1], (1, 2), {}, 1j, True, False, np.ones(2), torch.ones(2), object())


@pytest.mark.parametrize("value", [1, 0.5, 1e-300, np.float32(2), torch.tensor(3.0)])
def test_positive_passes_on_what_is_positive(value):
    assert validate.positive("lr", value) is value


@pytest.mark.parametrize("value", [0, -1, math.nan, math.inf, -math.inf, *NO_NUMBERS])
def test_positive_refuses_the_rest(value):
    with pytest.raises(ValueError, match=r"^lr=.*must lie in \(0, inf\)$"):
        validate.positive("lr", value)


def test_nonnegative_is_positive_and_zero():
    assert validate.nonnegative("eps", 0.0) == 0.0
    for value in (-1e-300, math.nan, math.inf):
        with pytest.raises(ValueError, match=r"eps=.*\[0, inf\)"):
            validate.nonnegative("eps", value)


@pytest.mark.parametrize(
    ("open_low", "open_high", "inside", "shown"),
    [
        (False, False, {0, 1}, "[0, 1]"),
        (True, False, {1}, "(0, 1]"),
        (False, True, {0}, "[0, 1)"),
        (True, True, set(), "(0, 1)"),
    ],
)
def test_ends_of_a_range_are_as_stated(open_low, open_high, inside, shown):
    check = partial(validate.in_range, "beta", low=0.0, high=1.0, open_low=open_low, open_high=open_high)
    assert check(value=0.5) == 0.5
    for end in (0, 1):
        if end in inside:
            assert check(value=end) == end
        else:
            with pytest.raises(ValueError) as caught:
                check(value=end)
            assert str(caught.value) == f"beta={end}: must lie in {shown}"


@pytest.mark.parametrize(("value", "gives"), [(3, 3), (3.0, 3), (np.int64(4), 4), (torch.tensor(5), 5)])
def test_at_least_gives_a_plain_integer(value, gives):
    result = validate.at_least("steps", value, 3)
    assert (result, type(result)) == (gives, int)


@pytest.mark.parametrize("value", [2, 3.5, math.nan, math.inf, -math.inf, "3", *NO_NUMBERS])
def test_at_least_refuses_the_rest(value):
    with pytest.raises(ValueError, match=r"^steps=.*must be an integer >= 3$"):
        validate.at_least("steps", value, 3)


def test_one_of_names_what_is_allowed():
    assert validate.one_of("act", "relu", ("relu", "gelu")) == "relu"
    for value in ("tanh", None, 1, torch.ones(2), np.ones(2)):
        with pytest.raises(ValueError, match=r"^act=.*must be one of 'relu', 'gelu'$"):
            validate.one_of("act", value, ("relu", "gelu"))


def test_finite_counts_what_is_not():
    good = torch.arange(3)
    assert validate.finite("x", good) is good
    array = np.ones((2, 2))
    assert validate.finite("x", array) is array
    with pytest.raises(ValueError, match=r"x holds 2 NaN or infinite entries of 4"):
        validate.finite("x", torch.tensor([1.0, math.nan, math.inf, 0.0]))
    with pytest.raises(ValueError, match=r"x is empty: shape \(0, 3\)"):
        validate.finite("x", torch.ones(0, 3))


def test_same_shape_lists_all_shapes():
    validate.same_shape(a=torch.ones(2, 3), b=np.ones((2, 3)))
    with pytest.raises(ValueError, match=r"shapes differ: a \(2, 3\), b \(3,\)"):
        validate.same_shape(a=torch.ones(2, 3), b=torch.ones(3))
