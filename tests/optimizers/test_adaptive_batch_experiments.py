"""The lesson's runs: the fast paths against the plain loop, torch's optimizers and each other."""
from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from gradscape.learning import per_sample
from gradscape.lesson import judge
from gradscape.optimizers import adaptive_batch as ab
from gradscape.optimizers.adaptive_batch import experiments as ex
from gradscape.optimizers.adaptive_batch.tables import networks_table

SMOKE = ab.Settings(profile="smoke")
PROBLEM = ab.GemanMcClure(10, 0.5)


def start(seed=0):
    g = torch.Generator().manual_seed(seed)
    return ex.stream.start(10, 1.5, g), g


def keeper(name="norm", eta=0.5, cap=500):
    return ab.BatchSizeController(ab.rule(name, eta=eta), initial=16, maximum=cap)


@pytest.mark.parametrize("method", ["AdaGradNorm", "AdaGrad"])
def test_a_stream_is_the_algorithm_with_torchs_optimizers(method):
    x, g = start()
    run = ab.stream_adaptive(PROBLEM, keeper(cap=100), lr=0.1, x=x, generator=g, steps=40, method=method)
    x, g = start()
    p, size = torch.nn.Parameter(x.clone()), 16
    optimizer = (ab.AdaGradNorm if method == "AdaGradNorm" else torch.optim.Adagrad)([p], lr=0.1)
    for k in range(len(run.batch)):
        assert run.batch[k] == size
        exact = PROBLEM.full_gradient(p.detach())
        assert run.gradient[k] == pytest.approx(float(exact.square().sum()), rel=1e-10)
        each = PROBLEM.per_sample(p.detach(), size, g)
        p.grad = each.mean(0)
        error = (p.grad - exact).square().sum() / exact.square().sum()
        assert run.error[k] == pytest.approx(float(error), rel=1e-8)
        optimizer.step()
        if size < 100:
            T = ab.norm_test(per_sample.stats(each), 0.5).required
            assert run.required[k] == pytest.approx(T, rel=1e-8)
            size = min(100, max(size, math.ceil(T)))
    assert run.batch[-1] == 100
    assert (run.batch[:-1] < 100).all()
    assert run.samples[-1] == run.batch.sum()


def test_the_stack_is_the_single_run():
    """16 x 11 draws a step fill whole blocks of the generator, so both draw the same numbers."""
    starts = [start(seed) for seed in (0, 1, 2)]
    stack = ab.stream_constant(
        PROBLEM, 16, lr=0.5, x=torch.stack([x for x, _ in starts]), generators=[g for _, g in starts], steps=120
    )
    for seed, run in enumerate(stack):
        x, g = start(seed)
        never = ab.BatchSizeController(lambda stats: ab.TestResult(0.0, True), initial=16, maximum=17)
        single = ab.stream_adaptive(PROBLEM, never, lr=0.5, x=x, generator=g, steps=120)
        np.testing.assert_allclose(run.gradient, single.gradient, rtol=1e-7)
        np.testing.assert_allclose(run.error, single.error, rtol=1e-6)


def test_slopes_and_waits_by_hand():
    k = np.arange(1.0, 51)
    run = ab.Stream(k, k, 3 * k**-1.5, k, k)
    assert run.slope() == pytest.approx(-1.5)
    assert run.steps_to(3 * 10**-1.5) == 10
    assert run.steps_to(1e-9) == math.inf
    assert run.late_error() == pytest.approx(38.0)
    assert math.isnan(ab.Stream(k[:5], k[:5], k[:5], k[:5], k[:5]).slope())
    assert run.lowest[-1] == run.gradient[-1]


@pytest.mark.parametrize(("call", "words"), [
    (lambda x, g: ab.stream_adaptive(PROBLEM, keeper(), lr=0.0, x=x, generator=g, steps=5), "lr=0.0"),
    (lambda x, g: ab.stream_adaptive(PROBLEM, keeper(), lr=0.1, x=x, generator=g, steps=0), "steps=0"),
    (lambda x, g: ab.stream_adaptive(PROBLEM, keeper(), lr=0.1, x=x, generator=g, steps=5, method="SGD"), "method="),
    (lambda x, g: ab.stream_constant(PROBLEM, 16, lr=0.1, x=x, generators=[g], steps=5), "x has shape"),
    (lambda x, g: ab.stream_constant(PROBLEM, 0, lr=0.1, x=x[None], generators=[g], steps=5), "b=0"),
])
def test_bad_streams(call, words):
    with pytest.raises(ValueError, match=words):
        call(*start())


# softmax regression in closed form

def small(n=300, p=12, classes=4, seed=0):
    g = torch.Generator().manual_seed(seed)
    x, y = torch.randn(n, p, generator=g), torch.randint(classes, (n,), generator=g)
    x[:, :classes] += torch.nn.functional.one_hot(y, classes)
    return (x[:250], y[:250]), (x[250:], y[250:])


def generators(*seeds):
    return [torch.Generator().manual_seed(seed) for seed in seeds]


@pytest.mark.parametrize("name", ["norm", "inner product", "augmented"])
def test_closed_form_training_is_the_general_loop(name):
    train, test = small()

    def make():
        return ab.BatchSizeController(ab.rule(name, theta=0.2), initial=8, maximum=200)

    run = ab.train_softmax(ab.Images.of(train, test), make(), generators(5), lr=0.1, budget=2000)[0]
    model = ex.linear(12, 4)
    history = ab.train_adaptive(
        model, train, torch.optim.Adagrad(model.parameters(), lr=0.1), make(), 2000, generator=generators(5)[0]
    )
    # T agrees to float32, so the whole sizes can differ by one where T is next to a whole number
    assert len(run.batch) == len(history.batch)
    assert np.abs(run.scheduled - history.scheduled).max() <= 1
    np.testing.assert_allclose(run.required, history.required, rtol=1e-2)
    loss = float(torch.nn.functional.cross_entropy(model(train[0]), train[1]).detach())
    assert run.loss[-1] == pytest.approx(loss, rel=1e-3)
    assert run.scheduled[-1] > 8


def test_a_stack_of_seeds_is_the_seeds_one_by_one():
    images = ab.Images.of(*small())
    together = ab.train_softmax(images, ab.constant(32), generators(1, 2), lr=0.1, budget=1000, marks=4)
    for seed, run in zip((1, 2), together, strict=True):
        alone = ab.train_softmax(images, ab.constant(32), generators(seed), lr=0.1, budget=1000, marks=4)[0]
        np.testing.assert_allclose(run.loss, alone.loss, rtol=1e-5)
        assert run.batch.tolist() == [32.0] * 31 + [8.0]
        assert run.marks.tolist() == [256, 512, 768, 1000]
    assert together[0].loss[-1] != together[1].loss[-1]


def test_a_full_batch_does_not_depend_on_the_seed():
    images = ab.Images.of(*small())
    runs = [ab.train_softmax(images, ab.constant(250), generators(s), lr=0.1, budget=1000)[0] for s in (1, 2)]
    assert runs[0].loss[0] == pytest.approx(runs[1].loss[0], rel=1e-6)


def test_bad_softmax_runs():
    images = ab.Images.of(*small())
    for options, words in (({"lr": 0.0}, "lr=0.0"), ({"budget": 0}, "budget=0"), ({"marks": 0}, "marks=0")):
        with pytest.raises(ValueError, match=words):
            ab.train_softmax(images, ab.constant(8), generators(1), **{"lr": 0.1, "budget": 100, **options})
    with pytest.raises(ValueError, match="2 seeds"):
        ab.train_softmax(images, keeper(), generators(1, 2), lr=0.1, budget=100)


# experiments and claims

def test_smoke_measures_every_claim():
    measured = ab.measure(SMOKE)
    for claim in ab.CLAIMS:
        assert judge(claim, measured[claim.id], smoke=True).word == "not tested at this scale"
    assert all(np.isfinite(value) for value in ab.point(SMOKE).scalars.values())


def test_schedules_share_budget_and_steps():
    runs = ex.schedules(SMOKE)
    total = ex.budget(SMOKE)
    assert all(run.batch.sum() == total for of in runs.values() for run in of)
    steps = runs["adaptive η = 0.9"][0].steps
    assert abs(runs["linear ramp, same steps"][0].steps - steps) <= 1
    assert abs(runs["constant, same steps"][0].steps - steps) <= 1


def test_other_seeds_draw_other_numbers_and_the_same_seed_the_same():
    def last(seed):
        return ex.streams(SMOKE.replace(seed=seed), eta=0.5, alpha=0.1)[0].gradient[-1]

    before = last(0)
    ex.streams.__wrapped__(SMOKE, eta=0.5, alpha=0.1)
    assert before == ex.streams.__wrapped__(SMOKE, eta=0.5, alpha=0.1)[0].gradient[-1]
    assert before != last(1)


@pytest.mark.standard
def test_the_recorded_table_has_a_row_for_each_schedule():
    rows = list(networks_table(SMOKE).rows())
    assert rows[0]["schedule"] == "constant 32"
    assert len(rows) == 7
    assert all(row["lowest"] <= row["accuracy"] <= row["highest"] for row in rows)


@pytest.mark.standard
def test_the_central_claims_show_at_quick_size():
    settings = ab.Settings(sizes="image_seeds:4")
    measured = ab.measure(settings)
    for claim in ab.CLAIMS:
        if claim.id != "A8":
            assert judge(claim, measured[claim.id]).word in ("reproduced", "holds"), claim.id
