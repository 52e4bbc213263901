"""NoProp's parts: closed forms, autograd, sampling, plain modules in a loop, limiting cases, refused arguments."""
from __future__ import annotations

import math

import pytest
import torch
from gradscape.credit import noprop as npr
from gradscape.credit.noprop.labels import initial_embedding, nearest, redraw
from gradscape.credit.noprop.losses import denoise_terms
from gradscape.credit.noprop.networks import positions
from torch import nn

TIGHT = 1e-10  # float64 arithmetic in another order
T, D, M, B = 4, 6, 3, 9


def gen(seed=0):
    return torch.Generator().manual_seed(seed)


def data(seed=0, n=B):
    g = gen(seed)
    return torch.randn(n, D, generator=g, dtype=torch.float64), torch.randint(0, M, (n,), generator=g)


def blocks(seeds=1, T=T, **options):
    return npr.DenoisingBlocks(T, D, M, M, width=8, seeds=seeds, **options).double()


class PlainBlock(nn.Module):
    """One block written with torch's own layers, its weights copied from slice k of a stack."""

    def __init__(self, stack, k):
        super().__init__()
        self.layers = nn.ModuleDict()
        for name, layer in stack.named_children():
            if name.endswith("_bn"):
                norm = nn.BatchNorm1d(layer.weight.shape[1])
                norm.weight.data, norm.bias.data = layer.weight.data[k].clone(), layer.bias.data[k].clone()
                self.layers[name] = norm.double()
            else:
                weight = layer.weight.data[k]
                linear = nn.Linear(*weight.shape)
                linear.weight.data, linear.bias.data = weight.T.clone(), layer.bias.data[k, 0].clone()
                self.layers[name] = linear.double()

    def forward(self, z, x):
        def step(name, a):
            return self.layers[f"{name}_bn"](self.layers[name](a))

        image = step("image2", step("image1", x).relu())
        a = step("label1", z).relu()
        a = a + step("label3", step("label2", a).relu())
        return self.layers["out"](step("both2", step("both1", torch.cat([image, a], 1)).relu()).relu())


@pytest.mark.parametrize("seeds", [1, 2])
def test_a_stack_is_a_loop_over_plain_modules(seeds):
    stack = blocks(seeds, dropout=0.0)
    plain = [PlainBlock(stack, k) for k in range(T * seeds)]
    x, _ = data()
    z = torch.randn(seeds, T, B, M, generator=gen(1), dtype=torch.float64)
    for training in (True, False):
        stack.train(training)
        found = stack(z, x)
        for s in range(seeds):
            for t in range(T):
                expected = plain[t * seeds + s].train(training)(z[s, t], x)
                torch.testing.assert_close(found[s, t], expected, atol=TIGHT, rtol=0)
    if seeds == 1:
        torch.testing.assert_close(stack(z[0], x), found[0], atol=TIGHT, rtol=0)


def test_a_block_alone_shares_memory_and_answers_alike():
    stack = blocks().eval()
    x, _ = data()
    z = torch.randn(T, B, M, generator=gen(1), dtype=torch.float64)
    alone = stack.block(2)
    torch.testing.assert_close(alone(z[2:3], x), stack(z[2:3], x, slice(2, 3)), atol=TIGHT, rtol=0)
    before = stack.out.weight[2].clone()
    with torch.no_grad():
        alone.out.weight.add_(1.0)
        alone.train()
        alone(z[2:3], x)
    assert torch.equal(stack.out.weight[2], before + 1)
    assert not torch.equal(stack.image1_bn.mean[2], torch.zeros(8).double())
    assert torch.equal(stack.image1_bn.mean[1], torch.zeros(8).double())


def test_initial_weights_do_not_depend_on_the_depth():
    assert torch.equal(blocks(T=2).both1.weight, blocks(T=5).both1.weight[:2])


def test_dropout_keeps_the_mean_and_each_block_its_stream():
    stack = blocks(dropout=0.5)
    ones = torch.ones(T, 20_000, 1, dtype=torch.float64)
    mask = stack._mask(ones, [gen(t) for t in range(T)])
    assert set(mask.unique().tolist()) == {0.0, 2.0}
    assert abs(float(mask.mean()) - 1) < 5 / math.sqrt(mask.numel())
    assert torch.equal(mask[2], stack._mask(ones[:1], [gen(2)])[0])


def test_kl_to_the_prior_is_torch_s():
    u = torch.randn(5, D, generator=gen(), dtype=torch.float64)
    level = 0.3
    q = torch.distributions.Normal(math.sqrt(level) * u, math.sqrt(1 - level))
    expected = torch.distributions.kl_divergence(q, torch.distributions.Normal(0.0, 1.0)).sum(-1)
    torch.testing.assert_close(npr.kl_to_prior(u, level), expected, atol=TIGHT, rtol=0)
    paper = npr.kl_to_prior(torch.eye(10, dtype=torch.float64), npr.cosine_alpha_bar(10)[0])
    torch.testing.assert_close(paper, torch.full((10,), 0.0093, dtype=torch.float64), atol=5.1e-5, rtol=0)


def test_the_weight_of_a_block_is_the_kl_of_its_step():
    """KL(N(a u + b z, c) || N(a u^ + b z, c)) = (SNR(t) - SNR(t-1)) |u^ - u|² / 2."""
    coef = npr.posterior_coefficients(npr.cosine_alpha_bar(T))
    u, guess = torch.randn(2, D, generator=gen(), dtype=torch.float64)
    for t in range(T):
        normal = [torch.distributions.Normal(coef.a[t] * v, coef.c[t].sqrt()) for v in (u, guess)]
        kl = torch.distributions.kl_divergence(*normal).sum()
        torch.testing.assert_close(kl, 0.5 * coef.snr_diff[t] * (guess - u).square().sum(), atol=TIGHT, rtol=1e-10)


def test_the_dt_loss_by_hand():
    """With blocks that always say class 0, each term is a number that can be written down."""
    coef, eta = npr.posterior_coefficients(npr.cosine_alpha_bar(T)), 0.1
    x, y = data()
    certain = torch.tensor([200.0, 0.0, 0.0], dtype=torch.float64)

    class Sure:
        T = 4

        def __call__(self, z, x, blocks=None, *, generators=None):
            return certain.expand(*z.shape[:-1], M)

    embed = torch.eye(M, dtype=torch.float64)
    head = npr.SoftmaxHead(M, M).double()
    terms = npr.dt_loss(Sure(), head, embed, x, y, coef, eta, gen())
    wrong = float((y != 0).double().mean())  # |e_0 - e_k|² = 2
    torch.testing.assert_close(terms.denoise, T / 2 * eta * coef.snr_diff * 2 * wrong, atol=TIGHT, rtol=0)
    torch.testing.assert_close(terms.total, terms.denoise.sum() + terms.ce + terms.kl, atol=TIGHT, rtol=0)
    alpha = npr.cosine_alpha_bar(T)
    torch.testing.assert_close(terms.kl, npr.kl_to_prior(embed[y], alpha[0]).mean(), atol=TIGHT, rtol=0)


def test_a_block_is_fed_its_own_noised_label():
    """Block t reads z_{t-1} ~ N(sqrt(alpha_bar_{t-1}) u, 1 - alpha_bar_{t-1}), the head z_T."""
    alpha = npr.cosine_alpha_bar(T)
    coef, n = npr.posterior_coefficients(alpha), 20_000
    seen = {}

    class Spy:
        T = 4

        def __call__(self, z, x, blocks=None, *, generators=None):
            seen["z"] = z
            return z

    class SpyHead(nn.Module):
        def forward(self, z, embed):
            seen["end"] = z
            return z

    embed, x, y = 2 * torch.eye(M, dtype=torch.float64), torch.zeros(n, D).double(), torch.zeros(n, dtype=torch.int64)
    npr.dt_loss(Spy(), SpyHead(), embed, x, y, coef, generator=gen())
    for t, z in enumerate([*seen["z"], seen["end"]]):
        error = 5 / math.sqrt(n)
        torch.testing.assert_close(z.mean(0), alpha[t].sqrt() * embed[0], atol=error, rtol=0)
        torch.testing.assert_close(z.var(0), (1 - alpha[t]).expand(M), atol=2 * error, rtol=0)


def test_no_block_hears_of_another():
    stack, (x, y) = blocks(), data()
    coef = npr.posterior_coefficients(npr.cosine_alpha_bar(T))
    embed, head = torch.eye(M, dtype=torch.float64), npr.SoftmaxHead(M, M).double()
    terms = npr.dt_loss(stack, head, embed, x, y, coef, generator=gen())
    for t in range(T):
        for gradient in torch.autograd.grad(terms.denoise[t], list(stack.parameters()), retain_graph=True):
            others = torch.cat([gradient[:t], gradient[t + 1 :]])
            assert float(others.abs().max()) == 0.0
    gradient = torch.autograd.grad(terms.ce, list(stack.parameters()), retain_graph=True, allow_unused=True)
    assert all(value is None for value in gradient)


def test_a_learned_embedding_gets_its_gradient_from_every_term():
    stack, (x, y) = blocks().eval(), data()
    coef = npr.posterior_coefficients(npr.cosine_alpha_bar(T))
    head = npr.SoftmaxHead(M, M).double()
    embed = torch.randn(M, M, generator=gen(3), dtype=torch.float64)

    def total(value):
        return npr.dt_loss(stack, head, value, x, y, coef, generator=gen()).total

    assert torch.autograd.gradcheck(total, (embed.requires_grad_(),), fast_mode=True)


def test_the_learned_schedule_rises_and_its_slope_is_autograd_s():
    schedule = npr.LearnedSchedule().double()
    with torch.no_grad():
        for p in (schedule.v, schedule.w, schedule.b):
            p.add_(torch.randn(p.shape, generator=gen(), dtype=torch.float64))
    t = torch.linspace(0, 1, 41, dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(schedule.snr(t).sum(), t, create_graph=True)
    torch.testing.assert_close(schedule.snr_prime(t), slope, atol=TIGHT, rtol=1e-9)
    assert bool((slope > 0).all())
    ends = schedule.gamma(torch.tensor([0.0, 1.0]).double())
    torch.testing.assert_close(ends, torch.tensor([3.0, -3.0]).double(), atol=TIGHT, rtol=0)
    npr.check_schedule(schedule.grid(7))
    by_hand = torch.autograd.grad(slope.mean(), schedule.w, retain_graph=True)[0]
    closed = torch.autograd.grad(schedule.snr_prime(t).mean(), schedule.w)[0]
    torch.testing.assert_close(closed, by_hand, atol=1e-8, rtol=1e-6)


class Fixed(nn.Module):
    """A block that does not look at anything."""

    def __init__(self, logits):
        super().__init__()
        self.logits = torch.tensor(logits, dtype=torch.float64)

    def forward(self, z, x, t):
        return self.logits.expand(len(z), -1)


def test_the_ct_loss_is_the_integral_over_time():
    """For a fixed guess the mean over t of SNR' is SNR(1) - SNR(0), whatever gamma does in between."""
    n, schedule = 40_000, npr.LearnedSchedule(-1.0, 1.0).double()
    x, y = torch.zeros(n, D).double(), torch.ones(n, dtype=torch.int64)
    embed, head = torch.eye(M, dtype=torch.float64), npr.SoftmaxHead(M, M).double()
    terms = npr.ct_loss(Fixed([200.0, 0, 0]), schedule, head, embed, x, y, 1.0, gen())
    span = math.e - 1 / math.e
    grid = torch.linspace(0, 1, 2001, dtype=torch.float64)
    assert abs(float(torch.trapezoid(schedule.snr_prime(grid).detach(), grid)) - span) < 1e-5
    spread = float(schedule.snr_prime(grid).std().detach())
    assert abs(float(terms.denoise.detach()) - span) < 5 * spread / math.sqrt(n)
    terms.total.backward()
    assert all(p.grad is not None for p in schedule.parameters())


def test_a_frozen_schedule_gives_dt_s_steps():
    schedule = npr.LearnedSchedule()
    grid = schedule.grid(10)
    gamma = schedule.gamma(torch.linspace(0, 1, 11)).detach().double()
    found, expected = npr.posterior_coefficients(grid), npr.posterior_coefficients(torch.sigmoid(-gamma))
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-6)


def test_the_flow_matching_loss_of_the_best_constant_velocity():
    """E|c - (u - z_0)|² = |c - u|² + d for z_0 ~ N(0, I)."""
    n = 40_000
    x, y = torch.zeros(n, D).double(), torch.zeros(n, dtype=torch.int64)
    embed = torch.eye(M, dtype=torch.float64)
    for logits, gap in (([1.0, 0, 0], 0.0), ([0.0, 2.0, 0], 5.0)):
        loss = npr.fm_loss(Fixed(logits), embed, x, y, gen()).denoise
        assert abs(float(loss) - gap - M) < 5 * math.sqrt(2 * M + 4 * gap) / math.sqrt(n)


def test_flow_matching_states_lie_on_the_straight_path():
    """torchcfm's conditional path: x_t = t x_1 + (1 - t) x_0 + sigma noise, target x_1 - x_0."""
    seen = {}

    class Oracle(nn.Module):
        def forward(self, z, x, t):
            seen.update(z=z, t=t)
            return (embed[y] - z) / (1 - t[:, None])  # = u - z_0 on the path, for sigma = 0

    embed = torch.eye(M, dtype=torch.float64)
    x, y = data()
    terms = npr.fm_loss(Oracle(), embed, x, y, gen())
    assert float(terms.denoise) < 1e-18
    assert seen["z"].shape == (B, M)
    noisy = npr.fm_loss(Oracle(), embed, x, y, gen(), sigma=0.5)
    assert float(noisy.denoise) > 0.01


def test_medoids_by_brute_force():
    x, y = data(4, 40)
    found = npr.class_medoids(x, y, M)
    for k in range(M):
        own = x[y == k]
        best = min(range(len(own)), key=lambda i: float(
            torch.stack([(own[i] - own[j]).norm() for j in range(len(own)) if j != i]).median()
        ))
        assert torch.equal(found[k], own[best])
    one = npr.class_medoids(x[:2], torch.tensor([0, 1]), 2)
    assert torch.equal(one, x[:2])


def test_embeddings_and_heads():
    x, y = data(4, 40)
    learned = initial_embedding("learned", M, X=x, y=y, dim=5, generator=gen())
    torch.testing.assert_close(learned @ learned.T, torch.eye(M, dtype=torch.float64), atol=TIGHT, rtol=0)
    assert not initial_embedding("onehot", M, X=x, y=y).requires_grad
    assert initial_embedding("prototype", M, X=x, y=y).shape == (M, D)
    head = npr.RadialHead(5, M).double()
    z = torch.randn(B, 5, generator=gen(), dtype=torch.float64)
    guess = nn.functional.linear(z, head.weight, head.bias).softmax(-1) @ learned
    expected = torch.exp(-torch.cdist(guess, learned) ** 2 / (2 * head.sigma**2))
    expected = expected / expected.sum(-1, keepdim=True)
    torch.testing.assert_close(head(z, learned).softmax(-1), expected, atol=1e-8, rtol=0)
    assert torch.equal(nearest(learned + 0.01, learned), torch.arange(M))


def test_networks_of_figure_6():
    conv = npr.ConvDenoisingBlock(1, 8, M, M, channels=(2, 3, 4), hidden=8)
    assert conv(torch.randn(B, M), torch.randn(B, 1, 8, 8)).shape == (B, M)
    pair = npr.BlockLoop([conv, npr.ConvDenoisingBlock(1, 8, M, M, channels=(2, 3, 4), hidden=8)]).eval()
    z, x = torch.randn(2, B, M), torch.randn(B, 1, 8, 8)
    torch.testing.assert_close(pair(z, x)[0], conv(z[0], x))
    torch.testing.assert_close(pair.block(1)(z[1:], x), pair(z[1:], x, slice(1, 2)))
    assert npr.TimeBlock(D, M, M, width=8)(torch.randn(B, M), torch.randn(B, D), torch.rand(B)).shape == (B, M)
    assert positions(torch.tensor([0.0])).tolist()[0] == [0.0] * 32 + [1.0] * 32


def test_redrawing_follows_torch_s_law():
    layer = nn.Sequential(nn.Linear(100, 400), nn.Conv2d(4, 50, 5))
    redraw(layer, gen())
    for part, fan_in in ((layer[0], 100), (layer[1], 100)):
        assert float(part.weight.detach().abs().max()) <= fan_in**-0.5
        assert abs(float(part.weight.detach().var()) * 3 * fan_in - 1) < 0.05


def test_saved_bytes_by_hand():
    w, x = torch.ones(8, 8, requires_grad=True), torch.ones(4, 8)
    assert npr.saved_activation_bytes(lambda: (x @ w).sum(), (w, x)) == 0
    assert npr.saved_activation_bytes(lambda: (x @ w).sum(), (w,)) == 4 * 8 * 4
    assert npr.saved_activation_bytes(lambda: (x @ w).exp().sum(), (w, x)) == 4 * 8 * 4
    assert npr.saved_activation_bytes(lambda: (x @ w).exp().exp().sum(), (w, x)) == 2 * 4 * 8 * 4


GOOD_X, GOOD_Y = data()
COEF = npr.posterior_coefficients(npr.cosine_alpha_bar(T))
EYE = torch.eye(M, dtype=torch.float64)


def loss(x=GOOD_X, y=GOOD_Y, **options):
    return npr.dt_loss(blocks(), npr.SoftmaxHead(M, M).double(), EYE, x, y, COEF, **options)


@pytest.mark.parametrize(
    ("call", "word"),
    [
        (lambda: loss(x=GOOD_X * float("nan")), "X holds"),
        (lambda: loss(y=GOOD_Y + 2), "labels must lie in 0 … 2"),
        (lambda: loss(y=GOOD_Y.float()), "int64"),
        (lambda: loss(y=GOOD_Y[:-1]), "one label per row"),
        (lambda: loss(eta=0.0), "eta=0.0"),
        (lambda: loss(part=slice(0, 2)), "as many are needed"),
        (lambda: loss(x=GOOD_X.long()), "float tensor"),
        (lambda: loss(x=GOOD_X[:0], y=GOOD_Y[:0]), "empty"),
        (lambda: blocks()(torch.zeros(T, B, M).double(), GOOD_X[:, :2]), "last axis must be 6"),
        (lambda: blocks()(torch.zeros(T + 1, B, M).double(), GOOD_X), "z has shape"),
        (lambda: blocks()(torch.zeros(1, B, M).double(), GOOD_X, slice(9, 10)), "blocks"),
        (lambda: blocks().block(T), "t=4"),
        (lambda: blocks()._mask(torch.zeros(T, B, 8), [gen()]), "one per block"),
        (lambda: npr.DenoisingBlocks(0, D, M, M), "T=0"),
        (lambda: npr.DenoisingBlocks(2, D, M, M, dropout=1.0), "dropout"),
        (lambda: npr.kl_to_prior(EYE, 1.0), "alpha_bar_0"),
        (lambda: npr.LearnedSchedule(3.0, -3.0), "gamma1"),
        (lambda: npr.LearnedSchedule().gamma(torch.tensor([1.5])), "t spans"),
        (lambda: npr.fm_loss(Fixed([0.0, 0, 0]), EYE, GOOD_X, GOOD_Y, sigma=-1.0), "sigma"),
        (lambda: npr.fm_loss(Fixed([float("nan")] * 3), EYE, GOOD_X, GOOD_Y), "not finite"),
        (lambda: npr.class_medoids(GOOD_X, torch.zeros(B, dtype=torch.int64), 2), "class 1"),
        (lambda: initial_embedding("words", M, X=GOOD_X, y=GOOD_Y), "embedding='words'"),
        (lambda: npr.RadialHead(M, M, sigma=0.0), "sigma"),
        (lambda: npr.RadialHead(M, M).double()(EYE), "embed=None"),
        (lambda: npr.ConvDenoisingBlock(1, 6, M, M), "multiple of 4"),
        (lambda: npr.ConvDenoisingBlock(1, 8, M, M, channels=(1, 2)), "three are needed"),
    ],
)
def test_bad_arguments_are_named(call, word):
    with pytest.raises(ValueError, match=word):
        call()


def test_a_batch_of_streams_and_a_single_one_are_both_taken():
    stack, (x, y) = blocks(dropout=0.0), data()
    one = denoise_terms(stack, EYE, x, y, COEF, generators=gen())
    many = denoise_terms(stack, EYE, x, y, COEF, generators=[gen(t) for t in range(T)])
    assert one.shape == many.shape == (T,)
    assert not torch.equal(one, many)
