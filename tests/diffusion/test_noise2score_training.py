"""Noise2Score: training, baselines and noise, each against an oracle."""
from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from gradscape.diffusion import noise2score as n2s
from gradscape.diffusion.noise2score import baselines, network, noise
from gradscape.diffusion.noise2score.settings import schedule
from gradscape.lesson import generator
from torch import nn

EXACT = 1e-10  # closed forms in float64
F32 = 1e-5  # the same in float32
Z = np.arange(5.0)


def rand(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


# ---- score learning --------------------------------------------------------------------------------------------------


class Linear(nn.Module):
    """r(y) = c y."""

    def __init__(self, c: float = 0.0) -> None:
        super().__init__()
        self.c = nn.Parameter(torch.tensor(c))

    def forward(self, y: torch.Tensor) -> torch.Tensor:
        return self.c * y


@pytest.mark.parametrize("c", [0.0, -0.8, 0.5])
def test_ardae_loss_of_a_linear_net(c):
    """1 + 2 a² c + a² c² (v + a²) for y ~ N(0, v I)."""
    v, a = 0.5, 0.7
    y = math.sqrt(v) * torch.randn(400, 1, 32, 32, generator=torch.Generator().manual_seed(1))
    found = float(n2s.ardae_loss(Linear(c), y, a, torch.Generator().manual_seed(2)).detach())
    assert found == pytest.approx(1 + 2 * a**2 * c + a**2 * c**2 * (v + a**2), rel=0.01)  # 4e5 draws


def test_fit_score_finds_the_score_of_white_noise():
    """The minimiser -1/(v + a²): the score of y + a u, not that of y."""
    v, a = 0.25, 0.3
    y = math.sqrt(v) * torch.randn(200, 1, 16, 16, generator=torch.Generator().manual_seed(1))
    net = Linear()
    history = n2s.fit_score(net, y, a, 400, lr=0.1)
    assert float(net.c.detach()) == pytest.approx(-1 / (v + a**2), rel=0.02)
    assert np.mean(history["loss"][-100:]) == pytest.approx(v / (v + a**2), rel=0.02)
    assert history["sigma_a"] == [a] * 400


def test_annealed_sigma():
    scale = n2s.AnnealedSigma(0.1, 0.02, 5)
    assert [round(scale(k), 6) for k in range(8)] == [0.1, 0.08, 0.06, 0.04, 0.02, 0.02, 0.02, 0.02]
    assert n2s.AnnealedSigma(0.1, 0.02, 1)(0) == 0.1
    for bad in ((0.0, 0.1, 3), (0.1, -1.0, 3), (0.1, 0.1, 0)):
        with pytest.raises(ValueError, match="="):
            n2s.AnnealedSigma(*bad)


def test_fit_score_is_deterministic_and_anneals():
    y = rand(40, 1, 16, 16)
    runs = []
    for _ in range(2):
        net = n2s.ScoreNet(4, 3)
        runs.append(n2s.fit_score(net, y, n2s.AnnealedSigma(0.2, 0.1, 6), 6, seed=3))
    assert runs[0] == runs[1]
    assert runs[0]["sigma_a"][0] == 0.2
    assert runs[0]["sigma_a"][-1] == pytest.approx(0.1)
    assert n2s.fit_score(n2s.ScoreNet(4, 3), y, 0.2, 6, seed=4)["loss"] != runs[0]["loss"]


def test_progress_is_told_every_step():
    told = []
    n2s.fit_score(n2s.ScoreNet(4, 2), rand(20, 1, 8, 8), 0.1, 3, progress=lambda *at: told.append(at))
    assert told == [(1, 3), (2, 3), (3, 3)]


def test_score_net():
    net = n2s.ScoreNet(32, 5)
    assert sum(p.numel() for p in net.parameters()) == 4 * 32 * 9 + 32 + 3 * (32 * 32 * 9 + 32) + 32 * 4 * 9 + 4
    y = rand(2, 1, 12, 16)
    out = net(y)
    assert out.shape == y.shape
    double = n2s.ScoreNet(32, 5, gain=10.0)
    torch.testing.assert_close(double(y), 2 * out)
    assert not torch.equal(n2s.ScoreNet(32, 5, seed=1)(y), out)
    # a pixel two cells beyond the receptive field is not seen: five 3 x 3 layers at half resolution reach 10 + 1 pixels
    far = rand(1, 1, 64, 64)
    moved = far.clone()
    moved[..., 0, 0] += 1
    assert torch.equal(net(far)[..., 14:, 14:], net(moved)[..., 14:, 14:])
    assert not torch.equal(net(far)[..., :8, :8], net(moved)[..., :8, :8])
    assert n2s.ScoreNet(8, 3, in_channels=3)(rand(1, 3, 8, 8)).shape == (1, 3, 8, 8)


@pytest.mark.parametrize(("call", "named"), [
    (lambda: n2s.ScoreNet(0), "channels=0"), (lambda: n2s.ScoreNet(depth=1), "depth=1"),
    (lambda: n2s.ScoreNet(gain=0.0), "gain=0.0"), (lambda: n2s.ScoreNet(shuffle=0), "shuffle=0"),
    (lambda: n2s.ScoreNet(4, 2)(torch.ones(1, 1, 7, 8)), "divisible by 2"),
    (lambda: n2s.ScoreNet(4, 2)(torch.ones(1, 3, 8, 8)), r"\(B, 1"),
    (lambda: n2s.fit_score(n2s.ScoreNet(4, 2), torch.ones(4, 8, 8), 0.1, 1), "patches"),
    (lambda: n2s.fit_score(n2s.ScoreNet(4, 2), torch.full((4, 1, 8, 8), math.nan), 0.1, 1), "patches holds"),
    (lambda: n2s.fit_score(n2s.ScoreNet(4, 2), torch.ones(4, 1, 8, 8, dtype=torch.int), 0.1, 1), "patches is"),
    (lambda: n2s.fit_score(n2s.ScoreNet(4, 2), torch.ones(4, 1, 8, 8), 0.0, 1), "start=0.0"),
    (lambda: n2s.fit_score(n2s.ScoreNet(4, 2), torch.ones(4, 1, 8, 8), 0.1, 0), "steps=0"),
    (lambda: n2s.fit_score(n2s.ScoreNet(4, 2), torch.ones(4, 1, 8, 8), 0.1, 1, batch=0), "batch=0"),
    (lambda: n2s.fit_score(n2s.ScoreNet(4, 2), torch.ones(4, 1, 8, 8), 0.1, 1, lr=-1), "lr=-1"),
    (lambda: n2s.ardae_loss(n2s.ScoreNet(4, 2), torch.ones(4, 1, 8, 8), math.inf), "sigma_a=inf"),
    (lambda: n2s.fit_supervised(n2s.ScoreNet(4, 2), torch.ones(4, 1, 8, 8), torch.ones(3, 1, 8, 8), 1), "differ"),
    (lambda: n2s.fit_noise2noise(n2s.ScoreNet(4, 2), torch.ones(4, 1, 8, 8), torch.ones(3, 1, 8, 8), 1), "shapes"),
    (lambda: n2s.fit_sure(n2s.ScoreNet(4, 2), torch.ones(4, 1, 8, 8), 0.0, 1), "sigma=0.0"),
    (lambda: n2s.blinded(torch.ones(1, 1, 8, 8), 16), "phase=16"),
])
def test_bad_arguments_of_training(call, named):
    with pytest.raises(ValueError, match=named):
        call()


def test_denoise_pads_and_does_not_add_noise():
    net = n2s.ScoreNet(4, 3)
    y = rand(1, 1, 9, 11)
    out = n2s.denoise(net, y, "gaussian", 0.1)
    assert out.shape == y.shape
    even = rand(1, 1, 8, 10)
    torch.testing.assert_close(
        n2s.denoise(net, even, "gaussian", 0.1, 0.05), even + (0.1**2 + 0.05**2) * net(even).detach())
    torch.testing.assert_close(n2s.denoise(net, even, "poisson", 0.1),
                               n2s.tweedie_poisson(even, net(even).detach(), 0.1))


# ---- baselines -------------------------------------------------------------------------------------------------------


def test_blinding_hides_each_pixel_once():
    y = rand(2, 1, 8, 12)
    hidden = sum(n2s.blinded(y, phase)[1].int() for phase in range(16))
    assert torch.equal(hidden, torch.ones_like(hidden))
    image, mask = n2s.blinded(y, 6)
    assert torch.equal(image[..., ~mask], y[..., ~mask])
    # phase 6: row 1, column 2
    near = y[0, 0, 0:3, 1:4]
    mean = (0.5 * (near[0, 0] + near[0, 2] + near[2, 0] + near[2, 2]) + near[0, 1] + near[1, 0] + near[1, 2]
            + near[2, 1]) / 6
    torch.testing.assert_close(image[0, 0, 1, 2], mean)


def test_noise2self_never_sees_the_pixel_that_it_predicts():
    net = n2s.ScoreNet(4, 3, gain=1.0)
    y = rand(1, 1, 16, 16)
    moved = y.clone()
    moved[0, 0, 6, 7] += 10
    change = n2s.noise2self_predict(net, moved) - n2s.noise2self_predict(net, y)
    assert float(change[0, 0, 6, 7]) == 0
    assert float(change.abs().max()) > 0.1


def test_sure_is_the_squared_error_on_average():
    """For the shrinkage f(y) = c y + b its expectation is known: the risk to the clean image."""
    x, sigma, c = rand(600, 1, 16, 16), 0.3, 0.6
    y = n2s.corrupt(x, "gaussian", sigma, torch.Generator().manual_seed(1))
    net = Linear(c - 1)  # f = y + net(y)
    loss = n2s.fit_sure(net, y, sigma, 1, batch=600)["loss"][0]
    assert loss == pytest.approx(float((c * y - x).square().mean()), abs=0.003)


def test_sure_learns_the_best_shrinkage_without_clean_images():
    t, sigma = 0.4, 0.3
    x = t * torch.randn(300, 1, 16, 16, generator=torch.Generator().manual_seed(1))
    y = n2s.corrupt(x, "gaussian", sigma, torch.Generator().manual_seed(2))
    best = t**2 / (t**2 + sigma**2) - 1
    for fit in (lambda net: n2s.fit_sure(net, y, sigma, 300, lr=0.05),
                lambda net: n2s.fit_supervised(net, y, x, 300, lr=0.05),
                lambda net: n2s.fit_noise2noise(
                    net, y, n2s.corrupt(x, "gaussian", sigma, torch.Generator().manual_seed(3)), 300, lr=0.05)):
        net = Linear()
        fit(net)
        assert float(net.c.detach()) == pytest.approx(best, abs=0.02)


def test_untrained_denoisers_gain():
    x = n2s.photographs()[:1, :, :64, :64]
    y = n2s.corrupt(x, "gaussian", 0.1, torch.Generator().manual_seed(1))
    before = float(n2s.psnr(y, x))
    for made in (n2s.total_variation_denoiser(y, 0.1), n2s.nonlocal_means(y, 0.1)):
        assert made.dtype == y.dtype
        assert float(n2s.psnr(made, x)) > before + 4


# ---- noise and photographs -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "parameter", "variance"), [
    ("gaussian", 0.2, lambda x: 0.04), ("poisson", 0.1, lambda x: 0.1 * x), ("gamma", 20.0, lambda x: x**2 / 20)])
def test_noise_has_its_mean_and_variance(name, parameter, variance):
    for x in (0.3, 0.8):
        clean = torch.full((200_000,), x)
        y = n2s.corrupt(clean, name, parameter, torch.Generator().manual_seed(1))
        assert float(y.mean()) == pytest.approx(x, abs=0.002)
        assert float(y.var()) == pytest.approx(variance(x), rel=0.02)
        again = n2s.corrupt(clean, name, parameter, torch.Generator().manual_seed(1))
        assert torch.equal(again, y)


def test_noise_levels_may_differ_within_a_batch_and_counts_lie_on_their_lattice():
    levels = torch.tensor([0.05, 0.5])[:, None]
    y = n2s.corrupt(torch.ones(2, 50_000), "poisson", levels, torch.Generator().manual_seed(1))
    torch.testing.assert_close(y.var(1), levels[:, 0], rtol=0.03, atol=0)
    torch.testing.assert_close(y / levels, (y / levels).round(), atol=1e-4, rtol=0)
    shapes = torch.tensor([[4.0], [100.0]])
    gamma = n2s.corrupt(torch.ones(2, 50_000), "gamma", shapes, torch.Generator().manual_seed(1))
    torch.testing.assert_close(gamma.var(1), torch.tensor([0.25, 0.01]), rtol=0.03, atol=0)


@pytest.mark.parametrize(("x", "name", "parameter", "named"), [
    (torch.ones(2), "salt", 0.1, "noise='salt'"), (torch.ones(2), "gaussian", 0.0, "parameter=0.0"),
    (torch.ones(2), "gamma", 1.0, "parameter=1.0"), (torch.ones(2), "gamma", torch.tensor([2.0, 1.0]), "parameter"),
    (-torch.ones(2), "poisson", 0.1, "negative"), (-torch.ones(2), "gamma", 5.0, "negative"),
    (torch.tensor([math.nan]), "gaussian", 0.1, "x holds"), (torch.ones(2, dtype=torch.int), "gaussian", 0.1, "x is"),
])
def test_bad_noise(x, name, parameter, named):
    with pytest.raises(ValueError, match=named):
        n2s.corrupt(x, name, parameter, torch.Generator())


def test_test_crops_and_training_patches_are_different_photographs():
    assert not set(noise.TRAIN) & set(noise.TEST)
    assert n2s.photographs().shape == (4, 1, 192, 192)
    made = n2s.data(5, "gaussian", 0.1, 3)
    assert made.clean.shape == made.noisy.shape == (27, 1, 32, 32)
    assert float((made.noisy - made.clean).std()) == pytest.approx(0.1, rel=0.05)
    assert not torch.equal(made.second(), made.noisy)
    other = n2s.data(6, "gaussian", 0.1, 3)
    assert not torch.equal(other.clean, made.clean)
    assert torch.equal(other.test_clean, made.test_clean)
    assert not torch.equal(other.test_noisy, made.test_noisy)


def test_orientations_keep_the_pixels():
    x = torch.arange(9.0).reshape(1, 1, 3, 3).expand(200, 1, 3, 3)
    turned = noise.symmetric(x, 0)
    assert torch.equal(turned.flatten(1).sort().values, x.flatten(1))
    assert len({tuple(t.flatten().tolist()) for t in turned}) == 8


def test_mixed_levels_are_log_uniform():
    made = n2s.data(7, "gaussian", 0.1, 60, (0.05, 0.2))
    spread = (made.noisy - made.clean).flatten(1).std(1)
    assert 0.045 < float(spread.min()) < 0.055
    assert 0.18 < float(spread.max()) < 0.22
    assert float(spread.log().mean()) == pytest.approx(math.log(0.1), abs=0.06)


def test_schedule_of_counts_stays_above_half_a_count():
    assert schedule("gaussian", 25 / 255, 0.03) == (0.1, 0.03)
    assert schedule("gaussian", 50 / 255, 0.03) == (0.2, 0.06)
    assert schedule("poisson", 0.05, 0.02) == (0.1, 0.025)
    assert schedule("gamma", 50.0, 0.03) == (0.1, 0.03)


# ---- a network on photographs ----------------------------------------------------------------------------------------


@pytest.mark.standard
def test_a_small_score_network_denoises_what_it_never_saw_clean():
    made = n2s.data(9, "gaussian", 0.1, 40)
    net = n2s.ScoreNet(16, 4, seed=1)
    n2s.fit_score(net, made.noisy, n2s.AnnealedSigma(0.1, 0.05, 200), 200)
    out = n2s.denoise(net, made.test_noisy, "gaussian", 0.1, 0.05)
    assert float((n2s.psnr(out, made.test_clean) - n2s.psnr(made.test_noisy, made.test_clean)).mean()) > 4
    # the sign of the score matters
    worse = made.test_noisy - (out - made.test_noisy)
    assert float(n2s.psnr(worse, made.test_clean).mean()) < float(n2s.psnr(made.test_noisy, made.test_clean).mean())


@pytest.mark.standard
@pytest.mark.parametrize("method", ["Noise2Noise", "SURE"])
def test_the_other_losses_denoise_too(method):
    recipe = n2s.Recipe(16, 4, 200, 40)
    run = n2s.learn(9, 0, method, "gaussian", 0.1, recipe)
    gain = n2s.psnr(run.output, run.data.test_clean) - n2s.psnr(run.data.test_noisy, run.data.test_clean)
    assert float(gain.mean()) > 3  # 200 steps of a network of 6000 weights


def test_an_unknown_method():
    with pytest.raises(ValueError, match="method='magic'"):
        n2s.learn(0, 0, "magic", "gaussian", 0.1, n2s.Recipe(4, 2, 1, 2))


def test_streams_differ():
    """Patches, their noise and the crops' noise do not share a stream."""
    made = n2s.data(5, "gaussian", 0.1, 16)
    a = (made.noisy - made.clean).flatten()[:1000]
    b = (made.test_noisy - made.test_clean).flatten()[:1000]
    assert abs(float(torch.corrcoef(torch.stack([a, b]))[0, 1])) < 0.1
    assert network.LR == 3e-3
    assert baselines.GRID == 4
    assert generator(5, 11).initial_seed() != generator(5, 12).initial_seed()
