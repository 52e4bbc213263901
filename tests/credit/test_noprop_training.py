"""The four classifiers: order of training, oracles of inference, what is random, what is refused."""
from __future__ import annotations

import copy

import pytest
import torch
from gradscape.credit import noprop as npr
from gradscape.credit.noprop import experiments as ex
from gradscape.credit.noprop.discrete import ORDERS
from gradscape.datasets import tables

SAME = 1e-8  # the claim's own bound for orders of training, float64
MODELS = {
    "dt": lambda **o: npr.NoPropDT(3, 8, **o), "ct": lambda **o: npr.NoPropCT(32, 4, **o),
    "fm": lambda **o: npr.NoPropFM(32, 4, **o), "chain": lambda **o: npr.BackpropChain(3, 8, **o),
}


def toy(n=60, dtype=torch.float32):
    """Three well separated classes in the plane."""
    g = torch.Generator().manual_seed(0)
    y = torch.arange(n) % 3
    centers = torch.tensor([[0.0, 3.0], [3.0, -2.0], [-3.0, -2.0]], dtype=dtype)
    return centers[y] + 0.3 * torch.randn(n, 2, generator=g, dtype=dtype), y


def flat(model):
    return torch.cat([p.detach().flatten() for p in model.blocks.state_dict().values()])


def test_three_orders_of_training_give_the_same_blocks():
    x, y = toy(dtype=torch.float64)
    made = [npr.NoPropDT(3, 8, order=order, batch=20).fit(x, y, 3) for order in ORDERS]
    for other in made[1:]:
        assert float((flat(other) - flat(made[0])).abs().max()) <= SAME
        assert other.losses[-1]["denoise"] == pytest.approx(made[0].losses[-1]["denoise"])


def test_a_block_does_not_notice_how_many_others_there_are_to_train():
    """Block 1 of a longer schedule with the same first entries differs in the loss weight alone, which AdamW divides
    out but for its eps."""
    x, y = toy(dtype=torch.float64)
    a, b = (npr.NoPropDT(2, 8, eta=eta, batch=20).fit(x, y, 2) for eta in (0.1, 1.0))
    assert float((flat(a) - flat(b)).abs().max()) < 1e-3
    assert not torch.equal(flat(a), flat(b))


@pytest.mark.parametrize("name", MODELS)
def test_same_seed_same_result_and_the_global_generator_is_left_alone(name):
    x, y = toy()
    torch.manual_seed(5)
    first = MODELS[name](seed=3).fit(x, y, 2)
    state = torch.get_rng_state()
    again = MODELS[name](seed=3).fit(x, y, 2)
    assert torch.equal(state, torch.get_rng_state())
    assert first.losses == again.losses
    assert torch.equal(first.predict_trajectory(x), again.predict_trajectory(x))
    assert MODELS[name](seed=4).fit(x, y, 2).losses != first.losses


@pytest.mark.standard
@pytest.mark.parametrize("embedding", ["onehot", "learned", "prototype"])
@pytest.mark.parametrize("name", MODELS)
def test_every_variant_learns_what_is_easy(name, embedding):
    x, y = toy(120)
    model = MODELS[name](embedding=embedding, embed_dim=4, batch=20, lr=5e-3).fit(x, y, 40)
    assert model.score(x, y, "mean") > 0.95
    assert model.score(x, y, "vote", runs=7) > 0.8


@pytest.mark.standard
@pytest.mark.parametrize("embedding", ["onehot", "learned"])
def test_the_radial_head_learns_too(embedding):
    x, y = toy(120)
    model = npr.NoPropDT(3, 8, head="radial", embedding=embedding, batch=20, lr=5e-3).fit(x, y, 60)
    assert model.score(x, y, "mean") > 0.95


@pytest.mark.standard
def test_convolutions_learn_digits():
    x, y = tables.digits(n=500, flat=False)
    model = npr.NoPropDT(2, 32, network="conv", channels=(4, 8, 8), batch=25, lr=5e-3).fit(x, y, 12)
    assert model.score(x, y, "mean") > 0.8


def fitted(name, **options):
    x, y = toy()
    return MODELS[name](**options).fit(x, y, 1), x, y


class Oracle:
    """Blocks that know the label."""

    def __init__(self, y, T, m):
        self.logits = 200.0 * torch.nn.functional.one_hot(y, m).float()

    def image(self, x, blocks=None, *, generators=None):
        return torch.zeros(3, len(x), 1)

    def read(self, z, image, blocks=None):
        return self.logits.repeat(z.shape[1] // len(self.logits), 1)[None]


def test_with_the_true_label_the_chain_samples_q():
    """Mean and variance of z_t over many runs are those of q(z_t | y), within 5 standard errors."""
    model, x, y = fitted("dt")
    model.blocks, runs = Oracle(y, 3, 3), 400
    states = model.runs(x, runs, torch.Generator().manual_seed(1))
    u, alpha = torch.eye(3)[y], model.alpha_bar
    n = runs * len(x) * 3
    for t in range(1, 4):  # z_0 is N(0, I), not q(z_0): what is left of that shrinks like b
        b = torch.prod(model.coef.b[:t])
        signal = alpha[t].sqrt() - b * alpha[0].sqrt()
        variance = 1 - alpha[t] + b**2 * alpha[0]
        rest = states[t] - signal.float() * u
        assert abs(float(rest.mean())) < 5 * float((variance / n).sqrt())
        assert abs(float(rest.square().mean() - variance)) < 5 * float(variance) * (2 / n) ** 0.5


def test_without_noise_there_is_one_answer():
    for name in MODELS:
        model, x, _ = fitted(name)
        one, two = (model.predict_trajectory(x, torch.Generator().manual_seed(s), noise=0.0) for s in (1, 2))
        assert torch.equal(one, two)
        assert float(one[0].abs().max()) == 0.0
        assert not torch.equal(model.predict_trajectory(x, torch.Generator().manual_seed(1))[0], one[0])


class Toward:
    """A velocity field whose logits are u - z_0 on the straight path."""

    def __init__(self, u):
        self.u = u

    def image(self, x):
        return torch.zeros(len(x), 1)

    def read(self, z, image, t):
        return (self.u - z) / (1 - t)


@pytest.mark.parametrize("steps", [1, 3, 50])
def test_flow_matching_with_the_true_velocity_arrives(steps):
    model, x, y = fitted("fm")
    u = torch.eye(3)[y]
    model.steps, model.block = steps, Toward(u)
    end = model.predict_trajectory(x)[-1]
    torch.testing.assert_close(end, u, atol=1e-4, rtol=0)
    assert torch.equal(model.classify(end), y)


def test_euler_s_steps_are_torchdiffeq_s():
    odeint = pytest.importorskip("torchdiffeq").odeint
    model, x, _ = fitted("fm")
    with torch.no_grad():
        image = model.block.image(x)
        found = model.predict_trajectory(x)
        path = odeint(
            lambda t, z: model.block.read(z, image, float(t)) @ model.embed, found[0],
            torch.linspace(0, 1, model.steps + 1), method="euler",
        )
    torch.testing.assert_close(found, path, atol=1e-5, rtol=1e-5)


def test_continuous_time_steps_by_hand():
    model, x, _ = fitted("ct")
    grid, g = model.schedule.grid(4), torch.Generator().manual_seed(1)
    states = model.predict_trajectory(x, torch.Generator().manual_seed(1))
    coef = npr.posterior_coefficients(grid)
    z = torch.randn(len(x), 3, generator=g)
    torch.testing.assert_close(states[0], z)
    for n in range(4):
        with torch.no_grad():
            guess = model.block(z, x, n / 4).softmax(-1)
        z = (coef.a[n] * guess + coef.b[n] * z + coef.c[n].sqrt() * torch.randn(z.shape, generator=g)).float()
        torch.testing.assert_close(states[n + 1], z, atol=1e-5, rtol=1e-5)


def test_the_deterministic_step_keeps_the_noise_it_infers():
    model, x, _ = fitted("ct", stepper="deterministic")
    states, grid = model.predict_trajectory(x), model.schedule.grid(4).float()
    with torch.no_grad():
        guess = model.block(states[0], x, 0.0).softmax(-1)
    before = (states[0] - grid[0].sqrt() * guess) / (1 - grid[0]).sqrt()
    after = (states[1] - grid[1].sqrt() * guess) / (1 - grid[1]).sqrt()
    torch.testing.assert_close(before, after, atol=1e-4, rtol=1e-4)


def test_the_schedule_learns_unless_frozen():
    start = npr.LearnedSchedule().grid(4)
    assert not torch.allclose(fitted("ct")[0].schedule.grid(4), start, atol=1e-6)
    assert torch.equal(fitted("ct", learn_schedule=False)[0].schedule.grid(4), start)


def test_the_chain_s_gradient_reaches_the_first_block_and_matches_a_plain_loop():
    model, x, y = fitted("chain", dropout=0.0)
    model._training(True)
    image = model.blocks.image(x)
    z = torch.randn(len(x), 3, generator=torch.Generator().manual_seed(2))
    end = model.chain(z, image)[-1]
    state, alpha = z, torch.tanh(model.w)
    for t in range(3):
        logits = model.blocks(state[None], x, slice(t, t + 1))[0]
        state = state + alpha[t] * (logits.softmax(-1) @ model.embed - state)
    torch.testing.assert_close(end, state, atol=1e-5, rtol=1e-5)
    torch.nn.functional.cross_entropy(model.head(end), y).backward()
    assert float(model.alone[0].out.weight.grad.abs().max()) > 0
    assert float(model.blocks.image1.weight.grad[0].abs().max()) > 0


def test_a_vote_is_the_most_frequent_label():
    model, x, _ = fitted("dt")
    g = torch.Generator().manual_seed(1)
    runs = model.classify(model.runs(x, 5, torch.Generator().manual_seed(1))[-1])
    counts = torch.nn.functional.one_hot(runs, 3).sum(0)
    vote = model.predict(x, "vote", runs=5, generator=g)
    assert bool((counts.gather(1, vote[:, None])[:, 0] == counts.max(1).values).all())


def test_a_copy_of_a_model_does_not_learn_on():
    x, y = toy()
    kept = {}
    model = npr.BackpropChain(3, 8).fit(x, y, 3, lambda epoch, now: kept.setdefault(epoch, copy.deepcopy(now)))
    shorter = npr.BackpropChain(3, 8).fit(x, y, 1)
    assert torch.equal(kept[1].predict_trajectory(x), shorter.predict_trajectory(x))
    assert torch.equal(kept[3].predict_trajectory(x), model.predict_trajectory(x))


@pytest.mark.parametrize(
    ("call", "word"),
    [
        (lambda: npr.NoPropDT(0), "T=0"),
        (lambda: npr.NoPropDT(embedding="words"), "embedding='words'"),
        (lambda: npr.NoPropDT(head="none"), "head='none'"),
        (lambda: npr.NoPropDT(order="random"), "order='random'"),
        (lambda: npr.NoPropDT(schedule="steep"), "schedule='steep'"),
        (lambda: npr.NoPropDT(3, alpha_bar=npr.cosine_alpha_bar(2)), "T . 1 = 4"),
        (lambda: npr.NoPropDT(2, alpha_bar=torch.tensor([0.1, 0.5, 1.0])), "alpha_bar"),
        (lambda: npr.NoPropDT(eta=-1.0), "eta=-1.0"),
        (lambda: npr.NoPropDT(lr=float("nan")), "lr=nan"),
        (lambda: npr.NoPropDT(dropout=1.0), "dropout"),
        (lambda: npr.NoPropDT(batch=1), "batch=1"),
        (lambda: npr.NoPropCT(stepper="heun"), "stepper"),
        (lambda: npr.NoPropCT(gamma0=3.0, gamma1=-3.0), "gamma1"),
        (lambda: npr.NoPropFM(sigma=-1.0), "sigma"),
        (lambda: npr.NoPropDT(2, 8, network="conv").fit(*toy(), 1), "convolutions"),
        (lambda: npr.NoPropDT(2, 8).fit(toy()[0][:1], toy()[1][:1], 1), "two"),
        (lambda: npr.NoPropDT(2, 8).fit(toy()[0], toy()[1] - 1, 1), "labels must lie"),
        (lambda: npr.NoPropDT(2, 8).fit(toy()[0], toy()[1][:3], 1), "one label per row"),
        (lambda: npr.NoPropDT(2, 8).fit(toy()[0], [0] * 60, 1), "y is list"),
        (lambda: npr.NoPropDT(2, 8).fit(toy()[0], toy()[1].float(), 1), "int64"),
        (lambda: npr.NoPropDT(2, 8).fit([[1.0]], toy()[1], 1), "X is list"),
        (lambda: npr.NoPropDT(2, 8).fit(*toy(), 0), "epochs=0"),
        (lambda: npr.NoPropDT(2, 8).predict(toy()[0]), "not fitted"),
        (lambda: fitted("dt")[0].predict(toy()[0], "best"), "mode='best'"),
        (lambda: fitted("dt")[0].predict(toy()[0], "vote", runs=0), "runs=0"),
        (lambda: fitted("dt")[0].predict(toy()[0].double()), "dtype"),
        (lambda: fitted("dt")[0].predict(toy()[0] / 0), "X holds"),
        (lambda: fitted("fm")[0].runs(toy()[0], 1, noise=-1.0), "noise=-1.0"),
        (lambda: fitted("chain")[0].predict(toy()[0][:, :1]), "last axis"),
    ],
)
def test_bad_arguments_are_named(call, word):
    with pytest.raises(ValueError, match=word):
        call()


def test_a_last_batch_of_one_row_joins_the_one_before():
    model = npr.NoPropDT(2, 8, batch=4)
    x, y = toy(9)
    assert [len(b) for b, _ in model._batches(x, y)] == [4, 5]
    assert [len(b) for b, _ in model._batches(x[:8], y[:8])] == [4, 4]


SMOKE = npr.Settings(profile="smoke")


def test_the_experiments_have_the_sizes_they_say():
    study = ex.dt(SMOKE)[0]
    assert (study.early.epochs, study.late.epochs) == (2, 3)
    assert study.denoise.shape == (3, 10)
    assert study.listening.noise.shape == (10,)
    reading = study.late.reading
    assert reading.single.shape == (ex.RUNS,)
    assert 0 <= reading.p_true <= 1
    assert ex.dt(SMOKE.replace(T=3))[0] is study
    found = ex.rivals(SMOKE)
    assert {name: looks[0].epochs for name, looks in found.items()} == {"chain": 2, "chain_long": 3, "ct": 3, "fm": 3}


def test_an_early_look_is_a_shorter_training():
    seed = ex.seeds_of(SMOKE, 1)[0]
    data, study = ex.digits(seed, 300, 200), ex.dt(SMOKE)[0]
    model = npr.NoPropDT(seed=seed % 2**31).fit(data.x, data.y, 2)
    assert torch.equal(flat(model), flat(study.early.model))


def test_independence_is_measured_and_memory_counted():
    found = ex.independence(0, T=3, width=4, n=130, epochs=1)
    assert found.foreign == 0.0
    assert found.own > 0
    assert found.orders <= SAME
    counted = ex.memory((2, 4), batch=32, width=8)
    assert counted.block[0] == counted.block[1]
    assert 1.9 < counted.chain[1] / counted.chain[0] < 2.1


def test_a_sweep_point_has_named_scalars():
    point = npr.point(SMOKE.replace(T=2, epochs=1))
    assert set(point.scalars) == {"single", "noise_free", "vote", "first_block", "p_true"}
