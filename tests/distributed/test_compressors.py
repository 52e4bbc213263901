"""Compressors: contraction and where it is tight, homogeneity, and the size of what they send, counted by hand."""
from __future__ import annotations

import doctest
import importlib
import math

import pytest
import torch
from gradscape.distributed import compressors, wire
from gradscape.distributed.compressors import (
    Dither,
    Identity,
    NaturalRound,
    Quantize,
    RandK,
    ScaledSign,
    TopK,
    bits,
    dither,
    natural_round,
    quantize,
    rand_k,
    scaled_sign,
    top_k,
)
from gradscape.distributed.feedback import ec_step, ef21_step
from hypothesis import given, settings
from hypothesis import strategies as st

ROUNDING = 1e-12  # relative; a few operations in float64
DETERMINISTIC = [Identity(), TopK(1), TopK(3), NaturalRound(), ScaledSign(), Quantize(1), Quantize(4)]
ALL = [*DETERMINISTIC, RandK(2), Dither(2)]


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def lost(compressor, x: torch.Tensor, seed: int = 0) -> torch.Tensor:
    return (compressor(x, generator(seed)) - x).square().sum(-1) / x.square().sum(-1)


@pytest.mark.parametrize("compressor", DETERMINISTIC, ids=repr)
@pytest.mark.parametrize("d", [3, 8, 20])
def test_deterministic_compressors_contract_every_vector(compressor, d):
    x = torch.randn(4000, d, generator=generator(d), dtype=torch.float64)
    x = x * torch.exp(3 * torch.randn(4000, d, generator=generator(d + 1), dtype=torch.float64))  # some very uneven
    assert float(lost(compressor, x).max()) <= 1 - compressor.alpha(d) + ROUNDING


@pytest.mark.parametrize("compressor", [RandK(2), Dither(1), Dither(5)], ids=repr)
def test_random_compressors_contract_on_average(compressor):
    d, draws = 8, 20_000
    for x in (torch.ones(d, dtype=torch.float64), torch.tensor([5.0, 1, 1, 0, 0, 0, 0, 0.1], dtype=torch.float64)):
        each = lost(compressor, x.expand(draws, d))
        error = float(each.std()) / math.sqrt(draws)
        assert float(each.mean()) <= 1 - compressor.alpha(d) + 4 * error
    if isinstance(compressor, RandK):  # for every vector alike
        assert abs(float(each.mean()) - (1 - compressor.alpha(d))) < 4 * error


def test_where_alpha_is_reached():
    d = 20
    assert float(lost(TopK(3), torch.ones(d, dtype=torch.float64))) == pytest.approx(1 - 3 / d, abs=ROUNDING)
    assert float(lost(NaturalRound(), torch.full((d,), 1.5, dtype=torch.float64))) == pytest.approx(1 / 9, abs=ROUNDING)
    single = torch.zeros(d, dtype=torch.float64)
    single[4] = -7.0
    assert float(lost(ScaledSign(), single)) == pytest.approx(1 - 1 / d, abs=ROUNDING)
    for levels in (1, 3):
        worst = torch.full((d,), (1 - 1e-9) / (2 * levels), dtype=torch.float64)
        worst[0] = 1.0
        assert float(lost(Quantize(levels), worst)) == pytest.approx(1 - Quantize(levels).alpha(d), abs=1e-7)


@pytest.mark.parametrize("compressor", ALL, ids=repr)
def test_homogeneity_is_declared_truly(compressor):
    x = torch.randn(50, 6, generator=generator(3), dtype=torch.float64)
    at_once, after = compressor(3.7 * x, generator(1)), 3.7 * compressor(x, generator(1))
    same = float((at_once - after).abs().max()) < ROUNDING
    assert same == compressor.homogeneous
    assert float((compressor(4 * x, generator(1)) - 4 * compressor(x, generator(1))).abs().max()) < ROUNDING


@pytest.mark.parametrize("compressor", ALL, ids=repr)
def test_rows_are_compressed_one_by_one_and_arguments_are_left_alone(compressor):
    x = torch.randn(2, 3, 6, generator=generator(4), dtype=torch.float64)
    before = x.clone()
    whole = compressor(x, generator(2))
    assert whole.shape == x.shape
    assert torch.equal(x, before)
    whole.zero_()
    assert torch.equal(x, before)
    if not compressor.random:
        assert torch.equal(compressor(x)[1, 2], compressor(x[1, 2]))


def test_by_hand():
    x = torch.tensor([0.5, -4.0, 3.0, 0.0])
    assert top_k(x, 1).tolist() == [0, -4, 0, 0]
    assert top_k(x, 2).tolist() == [0, -4, 3, 0]
    assert torch.equal(top_k(x, 4), x)
    assert scaled_sign(x).tolist() == [1.875, -1.875, 1.875, 1.875]
    assert quantize(x, 2).tolist() == [0, -4, 4, 0]
    assert natural_round(x).tolist() == [0.5, -4, 4, 0]
    assert sorted(rand_k(x, 2, generator()).ne(0).nonzero().flatten().tolist() + [3])[-1] == 3


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_natural_round_is_the_nearest_power(dtype):
    """Against a search over all powers of two, tiny and huge numbers included."""
    x = torch.cat([torch.randn(400, generator=generator(5), dtype=dtype) * s for s in (1e-30, 1.0, 1e30)])
    powers = 2.0 ** torch.arange(-126, 127, dtype=torch.float64)
    nearest = powers[(x.double().abs()[:, None] - powers).abs().argmin(1)] * x.double().sign()
    assert torch.equal(natural_round(x).double(), nearest)


@given(st.lists(st.floats(-1e6, 1e6, allow_subnormal=False), min_size=1, max_size=12), st.data())
@settings(max_examples=60, deadline=None)
def test_top_k_keeps_the_largest(values, data):
    k = data.draw(st.integers(1, len(values)))
    x = torch.tensor(values, dtype=torch.float64)
    kept = top_k(x, k)
    gone = x - kept
    assert int((kept != 0).sum()) <= k
    assert bool(((kept == x) | (kept == 0)).all())
    if int((kept != 0).sum()) == k:
        assert float(gone.abs().max()) <= float(kept[kept != 0].abs().min())


def test_rand_k_draws_every_place_equally_often():
    n, d, k = 20_000, 5, 2
    kept = rand_k(torch.ones(n, d, dtype=torch.float64), k, generator(6))
    assert set(kept.sum(-1).tolist()) == {float(k)}
    error = math.sqrt(k / d * (1 - k / d) / n)
    assert float((kept.mean(0) - k / d).abs().max()) < 4 * error


def test_dither_is_unbiased():
    x = torch.tensor([0.3, -1.0, 0.0, 2.2], dtype=torch.float64)
    drawn = dither(x.expand(40_000, 4), 3, generator(7))
    error = drawn.std(0) / math.sqrt(40_000)
    assert bool(((drawn.mean(0) - x).abs() <= 4 * error).all())
    assert set(drawn[:, 2].tolist()) == {0.0}


def test_zero_stays_zero_and_what_diverged_is_not_hidden():
    for compressor in ALL:
        assert float(compressor(torch.zeros(3, 4, dtype=torch.float64), generator()).abs().max()) == 0
        for bad in (math.inf, math.nan):
            x = torch.tensor([1.0, bad, 2.0, 3.0], dtype=torch.float64)
            if not isinstance(compressor, RandK):
                assert not bool(torch.isfinite(compressor(x, generator())).all()), compressor


@pytest.mark.parametrize(
    ("compressor", "d", "expected"),
    [
        (Identity(), 20, 640), (TopK(1), 20, 32 + 5), (TopK(3), 20, 3 * 37), (TopK(20), 20, 640), (TopK(1), 1, 32),
        (RandK(2), 1024, 2 * 42), (NaturalRound(), 20, 180), (ScaledSign(), 20, 52), (Quantize(1), 20, 2 * 20 + 32),
        (Quantize(7), 20, 4 * 20 + 32), (Dither(2), 10, 3 * 10 + 32),
    ],
)
def test_bits_by_hand(compressor, d, expected):
    assert bits(compressor, d) == compressor.bits(d) == expected
    # values twice as long: what is not a value stays
    values = d if isinstance(compressor, Identity) else getattr(compressor, "k", 1)
    grown = 3 * d if isinstance(compressor, NaturalRound) else 32 * values
    assert bits(compressor, d, value_bits=64) == expected + grown


def test_bits_without_places():
    assert bits(TopK(3), 785, indices=False) == 96
    assert bits(RandK(3), 785) - bits(RandK(3), 785, indices=False) == 3 * 10


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: top_k(torch.ones(3), 0), "k=0"),
        (lambda: top_k(torch.ones(3), 4), r"k=4: must lie in \[1, 3\]"),
        (lambda: top_k(torch.tensor(1.0), 1), "x has shape"),
        (lambda: top_k(torch.ones(2, 0), 1), "x has shape"),
        (lambda: TopK(0), "k=0"),
        (lambda: TopK(2.5), "k=2.5"),
        (lambda: TopK(5).alpha(3), "k=5"),
        (lambda: TopK(5).bits(3), "k=5"),
        (lambda: RandK(1)(torch.ones(3)), "generator=None"),
        (lambda: Dither(1)(torch.ones(3)), "generator=None"),
        (lambda: Quantize(0), "levels=0"),
        (lambda: Dither(-1), "levels=-1"),
        (lambda: ScaledSign().alpha(0), "d=0"),
        (lambda: bits(Identity(), 0), "d=0"),
        (lambda: bits(Identity(), 3, value_bits=0), "value_bits=0"),
        (lambda: NaturalRound().bits(3, value_bits=16), "value_bits=16"),
        (lambda: ef21_step(torch.ones(3), torch.ones(2), TopK(1)), "shapes differ"),
        (lambda: ec_step(torch.ones(3), torch.ones(2), TopK(1)), "shapes differ"),
    ],
)
def test_bad_arguments(call, message):
    with pytest.raises(ValueError, match=message):
        call()


# ---- one round of a client -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("compressor", ALL, ids=repr)
def test_ef21_adds_the_message_and_shrinks_the_difference(compressor):
    h = torch.randn(40, 6, generator=generator(8), dtype=torch.float64)
    g = torch.randn(40, 6, generator=generator(9), dtype=torch.float64)
    kept = h.clone(), g.clone()
    message, new = ef21_step(h, g, compressor, generator(1))
    assert torch.equal(message, compressor(g - h, generator(1)))
    assert float((new - h - message).abs().max()) < ROUNDING
    assert torch.equal(h, kept[0])
    assert torch.equal(g, kept[1])
    if not compressor.random:
        assert bool(((g - new).norm(dim=-1) <= (g - h).norm(dim=-1) * math.sqrt(1 - compressor.alpha(6)) + 1e-12).all())


@pytest.mark.parametrize("compressor", [Identity(), TopK(6), RandK(6)], ids=repr)
def test_nothing_compressed_leaves_the_gradient_bit_for_bit(compressor):
    h = torch.randn(40, 6, generator=generator(8), dtype=torch.float64)
    g = 1e-3 * torch.randn(40, 6, generator=generator(9), dtype=torch.float64)
    assert not torch.equal(h + (g - h), g)  # the plain sum would round
    assert torch.equal(ef21_step(h, g, compressor, generator(1))[1], g)


@pytest.mark.parametrize("compressor", ALL, ids=repr)
def test_error_compensation_loses_nothing(compressor):
    e = torch.randn(40, 6, generator=generator(8), dtype=torch.float64)
    g = torch.randn(40, 6, generator=generator(9), dtype=torch.float64)
    message, rest = ec_step(e, g, compressor, generator(1))
    assert float((message + rest - e - g).abs().max()) < ROUNDING


# ---- what goes over the wire -----------------------------------------------------------------------------------------


@given(st.integers(1, 3000), st.data())
@settings(max_examples=60, deadline=None)
def test_places_survive_packing(d, data):
    places = torch.tensor(data.draw(st.lists(st.integers(0, d - 1), min_size=1, max_size=30)))
    packed = wire.pack_places(places, d)
    assert packed.numel() == -(-len(places) * compressors.index_bits(d) // 8)
    assert torch.equal(wire.unpack_places(packed, len(places), d), places)


def test_index_bits():
    assert [compressors.index_bits(d) for d in (1, 2, 3, 4, 5, 785)] == [0, 1, 2, 2, 3, 10]


@pytest.mark.parametrize("name", ["compressors", "feedback", "wire"])
def test_examples(name):
    found = doctest.testmod(importlib.import_module(f"gradscape.distributed.{name}"))
    assert found.failed == 0
