"""The moving average against its recursion."""
from __future__ import annotations

import pytest
import torch
from gradscape.learning.ema import EMA
from torch import nn


def test_follows_the_recursion_with_warm_up():
    net = nn.Linear(2, 1, bias=False)
    ema = EMA(net, decay=0.5)
    expected = net.weight.detach().clone()
    for t, keep in enumerate([0.1, 2 / 11, 0.25, 4 / 13, 5 / 14, 0.4, 7 / 16, 8 / 17, 0.5, 0.5, 0.5]):
        with torch.no_grad():
            net.weight.fill_(float(t))
        ema.update(net)
        expected = keep * expected + (1 - keep) * t
        torch.testing.assert_close(ema.module.weight, expected)
    assert not ema.module.weight.requires_grad


def test_buffers_are_copied_and_the_original_is_left_alone():
    net = nn.BatchNorm1d(3)
    ema = EMA(net)
    net(torch.randn(8, 3))
    ema.update(net)
    torch.testing.assert_close(ema.module.running_mean, net.running_mean)
    assert net.training
    assert not ema.module.training


@pytest.mark.parametrize("decay", [-0.1, 1.0])
def test_refuses_a_decay_outside_zero_to_one(decay):
    with pytest.raises(ValueError, match="decay"):
        EMA(nn.Linear(1, 1), decay)
