"""The friction and the step of diffGrad against Adam, two published packages and values worked out by hand."""
from __future__ import annotations

import copy
import functools
import io
import math
import warnings

import pytest
import torch
from gradscape.optimizers import DiffGrad, diffgrad_state, diffgrad_update, friction
from gradscape.optimizers.diffgrad import VARIANTS, change_for

with warnings.catch_warnings():
    # both peers define old-style annotations and aliases that torch and Python warn about on import
    warnings.simplefilter("ignore", DeprecationWarning)
    warnings.simplefilter("ignore", FutureWarning)
    import pytorch_optimizer
    import torch_optimizer

ROUNDING = 1e-15  # one or two units in the last place of parameters of order 1
PATHS = 1e-12  # lerp and multiply-add round differently; 50 steps add up
SINGLE = 1e-6  # float32, one batched and one single computation
SHAPES = ((3, 4), (5,), (17, 33), ())


def train(make, *, steps=50, scale=1.0, dtype=torch.float64, seed=0, between=None):
    """Parameters after steps with random gradients; ``make`` builds the optimizer."""
    g = torch.Generator().manual_seed(seed)
    params = [torch.nn.Parameter(torch.randn(shape, generator=g, dtype=dtype)) for shape in SHAPES]
    optimizer = make(params)
    for _ in range(steps):
        for p in params:
            p.grad = torch.randn(p.shape, generator=g, dtype=dtype) * scale
        optimizer.step()
        if between is not None:
            between(optimizer)
    return torch.cat([p.detach().flatten() for p in params])


def gap(a, b):
    return (a - b).abs().max().item()


# friction

def test_friction_is_even_bounded_and_starts_at_one_half():
    delta = torch.linspace(-30, 30, 601, dtype=torch.float64)
    xi = friction(delta, torch.zeros_like(delta))
    assert torch.equal(xi, xi.flip(0))
    assert bool(((xi >= 0.5) & (xi < 1)).all())
    zero = torch.zeros(1)
    assert friction(zero, zero).item() == 0.5
    assert friction(zero + math.inf, zero).item() == 1.0


def test_friction_slope_at_zero_is_one_quarter_and_cubic_term_one_48th():
    h = torch.tensor([1e-2], dtype=torch.float64)
    xi = friction(h, torch.zeros_like(h)).item()
    assert xi == pytest.approx(0.5 + 1e-2 / 4 - 1e-6 / 48, abs=1e-12)


def test_variants_by_hand():
    old, new = torch.tensor([2.0, 0.0]), torch.tensor([1.0, 3.0])  # change 1, -3; |g| has mean 2 and deviation 1
    sigmoid = torch.sigmoid
    expected = {
        "dfc": sigmoid(torch.tensor([1.0, 3.0])),
        "dfc1": sigmoid(torch.tensor([1.0, -3.0])),
        "dfc2": 9 * sigmoid(torch.tensor([0.5, 1.5])) - 4,
        "dfc3": sigmoid(torch.tensor([-1.0, 1.0])),
        "none": torch.ones(2),
        "half": torch.full((2,), 0.5),
    }
    for variant, value in expected.items():
        torch.testing.assert_close(friction(old, new, variant), value, rtol=1e-6, atol=1e-6)


def test_spread_enters_with_its_power():
    old, new = torch.zeros(2), torch.tensor([1.0, 9.0])  # mean 5, deviation 4
    size = {"dfc3": 4.0, "dfc4": 16.0, "dfc5": 2.0}
    for variant, factor in size.items():
        expected = torch.sigmoid(factor * new - 5)
        torch.testing.assert_close(friction(old, new, variant), expected)


def test_variants_stay_where_they_can():
    delta = torch.linspace(-40, 40, 401, dtype=torch.float64)
    zero = torch.zeros_like(delta)
    second = friction(delta, zero, "dfc2")
    assert 0.5 <= second.min().item() <= second.max().item() < 5 + 1e-12
    # the paper prints [1/2, 1] for DFC3-5; at a change of zero they are sigmoid(-mean) < 1/2
    same = torch.tensor([1.0, 2.0])
    for variant in ("dfc3", "dfc4", "dfc5"):
        torch.testing.assert_close(friction(same, same, variant), torch.sigmoid(torch.tensor([-1.5, -1.5])))


def test_stacked_statistics_are_taken_member_by_member():
    g = torch.Generator().manual_seed(1)
    old, new = torch.randn(3, 4, 5, generator=g), torch.randn(3, 4, 5, generator=g)
    for variant in VARIANTS:
        alone = torch.stack([friction(a, b, variant) for a, b in zip(old, new, strict=True)])
        torch.testing.assert_close(friction(old, new, variant, stacked=True), alone)


def test_change_for_inverts_the_friction():
    for xi in (0.5, 0.6, 0.99):
        change = torch.tensor([change_for(xi)], dtype=torch.float64)
        assert friction(change, 0 * change).item() == pytest.approx(xi, abs=1e-15)


@pytest.mark.parametrize(("arguments", "words"), [
    ((torch.zeros(2), torch.zeros(3)), "shapes differ"),
    ((torch.zeros(2), torch.zeros(2), "dfc6"), "variant='dfc6'"),
])
def test_friction_refuses(arguments, words):
    with pytest.raises(ValueError, match=words):
        friction(*arguments)


# the step

@pytest.mark.parametrize("foreach", [True, False])
def test_none_is_adam_and_half_is_adam_at_half_the_rate(foreach):
    adam, half = train(torch.optim.Adam), train(lambda p: torch.optim.Adam(p, lr=5e-4))
    assert gap(train(lambda p: DiffGrad(p, variant="none", foreach=foreach)), adam) <= ROUNDING
    assert gap(train(lambda p: DiffGrad(p, variant="half", foreach=foreach)), half) <= ROUNDING


@pytest.mark.parametrize("decoupled", [True, False])
@pytest.mark.parametrize("foreach", [True, False])
def test_weight_decay_and_maximize_are_those_of_adam(foreach, decoupled):
    peer = torch.optim.AdamW if decoupled else torch.optim.Adam
    options = {"lr": 0.01, "weight_decay": 0.1, "maximize": True}
    ours = train(lambda p: DiffGrad(p, variant="none", decoupled_weight_decay=decoupled, foreach=foreach, **options))
    assert gap(ours, train(lambda p: peer(p, **options))) <= 1e-14  # 50 decayed steps of size 0.01


def test_uncorrected_eps_is_torch_optimizer_exactly():
    ours = train(lambda p: DiffGrad(p, lr=0.01, weight_decay=0.1, eps_mode="uncorrected", foreach=False))
    assert gap(ours, train(lambda p: torch_optimizer.DiffGrad(p, lr=0.01, weight_decay=0.1))) == 0.0


def test_uncorrected_eps_is_pytorch_optimizer():
    ours = train(lambda p: DiffGrad(p, eps_mode="uncorrected"))
    assert gap(ours, train(lambda p: pytorch_optimizer.DiffGrad(p, weight_decouple=False))) <= 1e-8


def test_eps_modes_differ_only_when_eps_matters():
    options = {"lr": 0.01, "eps": 1e-2}
    corrected, not_ = (train(lambda p, mode=mode: DiffGrad(p, eps_mode=mode, **options))
                       for mode in ("corrected", "uncorrected"))
    assert gap(corrected, not_) > 1e-3
    plain = train(lambda p: DiffGrad(p, lr=0.01, eps=0.0))
    assert gap(plain, train(lambda p: DiffGrad(p, lr=0.01, eps=0.0, eps_mode="uncorrected"))) <= PATHS


@pytest.mark.parametrize("options", [
    {}, {"variant": "dfc1"}, {"variant": "dfc4"}, {"weight_decay": 0.1}, {"eps_mode": "uncorrected"},
    {"weight_decay": 0.1, "decoupled_weight_decay": True}, {"maximize": True}, {"record_friction": True},
])
def test_foreach_and_single_tensor_paths_agree(options):
    runs = [train(lambda p, flag=flag: DiffGrad(p, lr=0.01, foreach=flag, **options)) for flag in (True, False)]
    assert gap(*runs) <= PATHS


def test_first_step_is_lr_times_sigmoid_of_the_gradient():
    p = torch.nn.Parameter(torch.zeros(3, dtype=torch.float64))
    p.grad = torch.tensor([0.5, -2.0, 7.0], dtype=torch.float64)
    DiffGrad([p], lr=0.1, eps=0.0).step()
    torch.testing.assert_close(p.detach(), -0.1 * torch.sigmoid(p.grad.abs()) * p.grad.sign())


def test_zero_gradients_leave_parameters_unchanged():
    assert gap(train(DiffGrad, scale=0.0), train(DiffGrad, steps=0)) == 0.0


def test_scale_moves_diffgrad_from_half_to_full_adam():
    """The derived limits: Delta << 1 is Adam at lr / 2, Delta >> 1 is Adam at lr."""
    def scaled(make, c):
        return train(lambda p: make(p, eps=1e-8 * c), scale=c)

    for c, variant in ((1e-9, "half"), (1e9, "none")):
        adam = scaled(functools.partial(DiffGrad, variant=variant), c)
        # of 50 × 579 changes of size 1e9, none is likely to be smaller than 20
        assert gap(scaled(DiffGrad, c), adam) <= 1e-9


def test_gradients_are_not_written_to():
    p = torch.nn.Parameter(torch.ones(3))
    p.grad = torch.ones(3)
    for foreach in (True, False):
        DiffGrad([p], weight_decay=0.5, maximize=True, foreach=foreach).step()
        assert torch.equal(p.grad, torch.ones(3))


# the alias of the first published code

@pytest.mark.parametrize("set_to_none", [True, False])
def test_alias_bug_makes_friction_one_half_when_gradients_are_zeroed_in_place(set_to_none):
    g = torch.Generator().manual_seed(0)
    inputs, w = torch.randn(8, 16, 5, generator=g), torch.nn.Parameter(torch.ones(5))
    optimizer = DiffGrad([w], alias_bug=True, record_friction=True)
    for x in inputs:
        optimizer.zero_grad(set_to_none=set_to_none)
        (x @ w).square().sum().backward()
        optimizer.step()
    later = [(r.median, r.max) for r in optimizer.friction_log[1:]]
    assert optimizer.friction_log[0].max > 0.5
    assert all(entry == (0.5, 0.5) for entry in later) is not set_to_none


def test_alias_bug_makes_no_difference_with_fresh_gradients():
    assert gap(train(lambda p: DiffGrad(p, alias_bug=True)), train(lambda p: DiffGrad(p, foreach=False))) == 0.0


def test_alias_bug_is_half_adam_from_the_second_step():
    w = torch.nn.Parameter(torch.tensor([1.0, -3.0], dtype=torch.float64))
    twin = torch.nn.Parameter(w.detach().clone())
    bugged, half = DiffGrad([w], lr=0.1, alias_bug=True), torch.optim.Adam([twin], lr=0.05)
    for t in range(30):
        for p, optimizer in ((w, bugged), (twin, half)):
            optimizer.zero_grad(set_to_none=False)
            p.square().sum().backward()
            if t > 0 or optimizer is half:
                optimizer.step()
            else:
                bugged.step()
                w.data.copy_(torch.tensor([0.95, -2.95]))  # undo the first step's own friction
    torch.testing.assert_close(w.detach(), twin.detach(), rtol=1e-6, atol=1e-8)


# torch's conventions

def test_state_dict_round_trip_is_bit_exact():
    def reload(optimizer):
        buffer = io.BytesIO()
        torch.save(optimizer.state_dict(), buffer)
        buffer.seek(0)
        for entry in optimizer.state.values():
            entry.clear()
        optimizer.load_state_dict(torch.load(buffer, weights_only=True))

    def make(p):
        return DiffGrad(p, lr=0.01, weight_decay=0.01)

    assert gap(train(make, between=reload), train(make)) == 0.0


def test_state_has_the_names_of_the_published_codes():
    p = torch.nn.Parameter(torch.ones(2))
    p.grad = torch.tensor([1.0, 2.0])
    optimizer = DiffGrad([p])
    optimizer.step()
    state = optimizer.state[p]
    assert set(state) == {"step", "exp_avg", "exp_avg_sq", "previous_grad"}
    assert torch.equal(state["previous_grad"], p.grad)
    assert state["previous_grad"].data_ptr() != p.grad.data_ptr()


def test_a_checkpoint_of_torch_optimizer_goes_on():
    g = torch.Generator().manual_seed(0)
    start, grads = torch.randn(6, generator=g), torch.randn(20, 6, generator=g)

    def go(optimizer, p, rows):
        for row in rows:
            p.grad = row.clone()
            optimizer.step()

    theirs = torch.nn.Parameter(start.clone())
    peer = torch_optimizer.DiffGrad([theirs])
    go(peer, theirs, grads[:10])
    ours = torch.nn.Parameter(theirs.detach().clone())
    optimizer = DiffGrad([ours], eps_mode="uncorrected")
    optimizer.load_state_dict(copy.deepcopy(peer.state_dict()))
    go(peer, theirs, grads[10:])
    go(optimizer, ours, grads[10:])
    assert gap(theirs.detach(), ours.detach()) <= 1e-7  # float32


def test_copies_keep_options_and_can_step():
    p = torch.nn.Parameter(torch.ones(2))
    clone = copy.deepcopy(DiffGrad([p], variant="dfc2", record_friction=True))
    assert clone.param_groups[0]["variant"] == "dfc2"
    q = clone.param_groups[0]["params"][0]
    q.grad = torch.ones(2)
    clone.step()
    assert len(clone.friction_log) == 1


def test_parameter_groups_have_their_own_options():
    a, b = (torch.nn.Parameter(torch.zeros(2)) for _ in range(2))
    optimizer = DiffGrad([{"params": [a], "lr": 0.1, "variant": "none"}, {"params": [b]}], lr=0.01, eps=0.0)
    for p in (a, b):
        p.grad = torch.full((2,), 3.0)
    optimizer.step()
    torch.testing.assert_close(a.detach(), torch.full((2,), -0.1))
    torch.testing.assert_close(b.detach(), torch.full((2,), -0.01 * torch.sigmoid(torch.tensor(3.0)).item()))
    with pytest.raises(ValueError, match="variant='dfc9'"):
        optimizer.add_param_group({"params": [torch.nn.Parameter(torch.zeros(1))], "variant": "dfc9"})


def test_parameters_without_gradient_are_left_out_and_count_their_own_steps():
    a, b = (torch.nn.Parameter(torch.zeros(1, dtype=torch.float64)) for _ in range(2))
    optimizer = DiffGrad([a, b], lr=0.1, eps=0.0)
    for t in range(3):
        a.grad = torch.ones_like(a)
        b.grad = torch.ones_like(b) if t == 2 else None
        optimizer.step()
    assert optimizer.state[a]["step"] == 3
    assert optimizer.state[b]["step"] == 1
    assert b.item() == pytest.approx(-0.1 / (1 + math.exp(-1)), rel=1e-12)


def test_a_rate_tensor_follows_a_scheduler():
    def run(lr):
        def halve(optimizer):
            optimizer.scheduler.step()

        def make(p):
            optimizer = DiffGrad(p, lr=lr)
            optimizer.scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 10, gamma=0.5)
            return optimizer

        return train(make, between=halve)

    assert gap(run(torch.tensor(0.01, dtype=torch.float64)), run(0.01)) <= 1e-14
    assert gap(run(0.01), train(lambda p: DiffGrad(p, lr=0.01))) > 1e-3


@pytest.mark.parametrize("name", ["OneCycleLR", "CosineAnnealingLR", "ReduceLROnPlateau"])
def test_torch_schedulers_drive_it(name):
    p = torch.nn.Parameter(torch.ones(2))
    optimizer = DiffGrad([p], lr=0.1)
    arguments = {"OneCycleLR": {"max_lr": 0.1, "total_steps": 5}, "CosineAnnealingLR": {"T_max": 5}}
    scheduler = getattr(torch.optim.lr_scheduler, name)(optimizer, **arguments.get(name, {}))
    for _ in range(3):
        p.grad = torch.ones(2)
        optimizer.step()
        scheduler.step(*([1.0] if name == "ReduceLROnPlateau" else []))
    assert bool(torch.isfinite(p).all())


def test_closure_is_called_with_gradients_enabled():
    p = torch.nn.Parameter(torch.tensor([2.0]))
    optimizer = DiffGrad([p], lr=0.1)

    def closure():
        optimizer.zero_grad()
        loss = p.square().sum()
        loss.backward()
        return loss

    assert optimizer.step(closure).item() == 4.0
    assert p.item() < 2.0


def test_sparse_and_complex_gradients_are_refused_before_anything_changes():
    table = torch.nn.Embedding(4, 2, sparse=True)
    table(torch.tensor([1])).sum().backward()
    w = torch.nn.Parameter(torch.ones(1))
    w.grad = torch.ones(1)
    with pytest.raises(RuntimeError, match="sparse"):
        DiffGrad([w, table.weight]).step()
    z = torch.nn.Parameter(torch.ones(1, dtype=torch.complex64))
    z.grad = torch.ones(1, dtype=torch.complex64)
    with pytest.raises(RuntimeError, match="complex"):
        DiffGrad([w, z]).step()
    assert w.item() == 1.0


@pytest.mark.parametrize(("options", "words"), [
    ({"lr": -1e-3}, "lr=-0.001"), ({"lr": math.nan}, "lr=nan"), ({"lr": torch.ones(2)}, "lr has shape"),
    ({"eps": -1.0}, "eps=-1.0"), ({"betas": (1.0, 0.9)}, r"betas\[0\]=1.0"), ({"betas": (0.9,)}, "two numbers"),
    ({"betas": (0.9, -0.1)}, r"betas\[1\]=-0.1"), ({"weight_decay": -1.0}, "weight_decay=-1.0"),
    ({"variant": "DFC"}, "variant='DFC'"), ({"eps_mode": "both"}, "eps_mode='both'"),
    ({"alias_bug": True, "foreach": True}, "alias_bug"),
])
def test_bad_options(options, words):
    with pytest.raises(ValueError, match=words):
        DiffGrad([torch.nn.Parameter(torch.ones(1))], **options)


def test_friction_log_holds_quantiles_over_all_entries():
    a, b = torch.nn.Parameter(torch.zeros(60)), torch.nn.Parameter(torch.zeros(41))
    optimizer = DiffGrad([a, b], record_friction=True)
    a.grad, b.grad = torch.arange(60.0), torch.arange(60.0, 101.0)
    optimizer.step()
    xi = torch.sigmoid(torch.arange(101.0))
    record = optimizer.friction_log[0]
    assert record.step == 1
    assert (record.median, record.q99, record.max) == (xi[50].item(), xi[99].item(), xi[100].item())
    assert record.mean == pytest.approx(xi.mean().item(), rel=1e-6)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_lower_precision_stays_finite(dtype):
    end = train(lambda p: DiffGrad(p, eps=1e-4), dtype=dtype, steps=10)
    assert end.dtype == dtype
    assert bool(torch.isfinite(end).all())


# the functional form

def test_functional_step_is_the_optimizers():
    g = torch.Generator().manual_seed(3)
    params = {"w": torch.randn(4, 3, generator=g), "b": torch.randn(3, generator=g)}
    twins = {name: torch.nn.Parameter(value.clone()) for name, value in params.items()}
    optimizer, state = DiffGrad(twins.values(), lr=0.02), diffgrad_state(params)
    for t in range(1, 21):
        grads = {name: torch.randn(value.shape, generator=g) for name, value in params.items()}
        kept = copy.deepcopy((params, grads, state))
        new, new_state = diffgrad_update(params, grads, state, lr=0.02, step=t)
        for before, after in zip(kept, (params, grads, state), strict=True):
            torch.testing.assert_close(before, after, rtol=0, atol=0)  # pure
        params, state = new, new_state
        for name, twin in twins.items():
            twin.grad = grads[name]
        optimizer.step()
    for name, twin in twins.items():
        assert gap(params[name], twin.detach()) <= SINGLE


def test_stack_holds_adam_half_and_diffgrad():
    g = torch.Generator().manual_seed(4)
    start = {"w": torch.randn(5, 2, generator=g), "b": torch.randn(2, generator=g)}
    members = [("none", 0.01), ("none", 0.005), ("dfc", 0.01), ("dfc", 0.03)]
    stack = {name: value.repeat(4, *[1] * value.dim()) for name, value in start.items()}
    state, alone = diffgrad_state(stack), [(dict(start), diffgrad_state(start)) for _ in members]
    rates, mask = torch.tensor([lr for _, lr in members]), torch.tensor([v == "dfc" for v, _ in members])
    for t in range(1, 31):
        grads = {name: 3 * torch.randn(value.shape, generator=g) for name, value in start.items()}
        stacked = {name: value.repeat(4, *[1] * value.dim()) for name, value in grads.items()}
        stack, state = diffgrad_update(stack, stacked, state, lr=rates, step=t, variant_mask=mask)
        alone = [diffgrad_update(p, grads, s, lr=lr, variant=variant, step=t)
                 for (p, s), (variant, lr) in zip(alone, members, strict=True)]
    for m, (p, _) in enumerate(alone):
        for name, value in p.items():
            assert gap(stack[name][m], value) <= SINGLE


@pytest.mark.parametrize(("changes", "words"), [
    ({"step": 0}, "step=0"), ({"variant": "x"}, "variant='x'"), ({"lr": torch.ones(3)}, r"lr has shape \(3,\)"),
    ({"betas": (0.9, 1.0)}, r"betas\[1\]"), ({"grads": {}}, "names of params"), ({"eps_mode": "x"}, "eps_mode"),
    ({"grads": {"w": torch.ones(3, 3)}}, "shapes differ"),
])
def test_functional_refuses(changes, words):
    params = {"w": torch.ones(2, 3)}
    arguments = {"params": params, "grads": params, "state": diffgrad_state(params), "lr": 0.1, "step": 1, **changes}
    with pytest.raises(ValueError, match=words):
        diffgrad_update(**arguments)
