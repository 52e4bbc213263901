"""Finite networks: the written-out step against autograd, Jacobians against torch.func, experiments against theory."""
from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from gradscape import lesson
from gradscape.credit import surrogate_ntk as sn
from gradscape.credit.surrogate_ntk import claims, digits, ensembles
from gradscape.credit.surrogate_ntk.circle import rms
from gradscape.numerics.kernels import erf_slopes
from torch import nn

EXACT = 1e-10  # float64, sums over units and samples
SMOKE = sn.Settings(profile="smoke")


class OneNet(nn.Module):
    """A network of the stack as anybody would write it, for autograd."""

    def __init__(self, nets, r, surrogate):
        super().__init__()
        self.W = nn.ParameterList(nn.Parameter(W[r].detach().clone()) for W in nets.weights)
        self.b = nn.ParameterList(nn.Parameter(b[r].detach().clone()) for b in nets.biases)
        self.nets, self.surrogate = nets, surrogate

    def forward(self, x):
        for layer, (W, b) in enumerate(zip(self.W, self.b, strict=True)):
            x = self.nets.sw / math.sqrt(W.shape[0]) * x @ W + self.nets.sb * b
            if layer < len(self.W) - 1:
                x = sn.SurrogateSign.apply(x, self.surrogate) if math.isinf(self.nets.m) else (self.nets.m * x).erf()
        return x.squeeze(-1)


def data(count=6, dim=3, seed=0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    return (torch.randn(count, dim, dtype=dtype, generator=generator),
            torch.randn(count, dtype=dtype, generator=generator))


@pytest.mark.parametrize("surrogate", [sn.erf(0.7), sn.rectangle(1.0), sn.triangle(2.0), sn.fast_sigmoid(1.5)], ids=str)
@pytest.mark.parametrize("hidden", [(7,), (5, 8, 6)])
def test_step_is_that_of_autograd_through_a_surrogate_sign(hidden, surrogate):
    X, y = data()
    nets = sn.MLPEnsemble(3, (3, *hidden, 1), "sign", surrogate, sw2=1.7, sb2=0.3, seed=4, dtype=torch.float64)
    single = OneNet(nets, 1, surrogate)
    optimizer = torch.optim.SGD(single.parameters(), lr=0.05)
    for _ in range(3):
        loss = (single(X) - y).square().sum() / 2
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        assert float(nets.sgl_step(X, y, 0.05)[1]) == pytest.approx(loss.item(), rel=EXACT)
    for mine, theirs in zip(nets.weights, single.W, strict=True):
        torch.testing.assert_close(mine[1], theirs, rtol=EXACT, atol=EXACT)
    for mine, theirs in zip(nets.biases, single.b, strict=True):
        torch.testing.assert_close(mine[1], theirs, rtol=EXACT, atol=EXACT)


def test_step_is_the_gradient_where_the_surrogate_is_the_derivative():
    X, y = data()
    nets = sn.MLPEnsemble(2, (3, 6, 5, 1), ("erf", 1.0), sn.erf(1.0), seed=1, dtype=torch.float64)
    before = {name: value.detach().clone() for name, value in nets.named_parameters()}

    def loss(parameters):
        return (torch.func.functional_call(nets, parameters, (X,)) - y).square().sum() / 2

    slope = torch.func.grad(loss)(before)
    nets.sgl_step(X, y, 0.01)
    for name, value in nets.named_parameters():
        torch.testing.assert_close(value.detach(), before[name] - 0.01 * slope[name], rtol=EXACT, atol=EXACT)


def test_several_outputs_and_own_targets():
    X, _ = data()
    Y = torch.randn(2, 6, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    stack = sn.MLPEnsemble(2, (3, 9, 4), ("erf", 1.0), sn.erf(1.0), seed=1, dtype=torch.float64)
    losses = [float(stack.sgl_step(X, Y, 0.05).sum()) for _ in range(30)]
    assert losses[-1] < 0.5 * losses[0]
    alone = sn.MLPEnsemble(1, (3, 9, 4), ("erf", 1.0), sn.erf(1.0), seed=1, dtype=torch.float64)
    for _ in range(30):
        alone.sgl_step(X, Y[:1], 0.05)
    torch.testing.assert_close(alone(X)[0], stack(X)[0], rtol=EXACT, atol=EXACT)


def test_a_network_does_not_depend_on_its_stack_mates():
    few, many = (sn.MLPEnsemble(R, (2, 20, 1), seed=7) for R in (2, 5))
    for a, b in zip(few.parameters(), many.parameters(), strict=True):
        assert torch.equal(a, b[:2])
    assert not torch.equal(sn.MLPEnsemble(2, (2, 20, 1), seed=8).weights[0], few.weights[0])
    again = sn.MLPEnsemble(2, (2, 20, 1), seed=8)
    again.load_state_dict(few.state_dict())
    X = sn.on_circle(sn.angles(5))
    assert torch.equal(again(X), few(X))


@pytest.mark.parametrize("hidden", [(6,), (5, 7)])
def test_empirical_kernels_are_products_of_jacobians(hidden):
    m, k, (X, _) = 1.4, 0.6, data()
    nets = sn.MLPEnsemble(2, (3, *hidden, 1), ("erf", m), sn.erf(k), 1.3, 0.2, seed=2, dtype=torch.float64)
    parameters = {name: value.detach() for name, value in nets.named_parameters()}
    jacobian = torch.func.jacrev(lambda p: torch.func.functional_call(nets, p, (X,)))(parameters)
    true = sum(torch.einsum("rp...,rq...->rpq", *(2 * [torch.stack([J[r, :, r] for r in range(2)]).flatten(2)]))
               for J in jacobian.values())
    torch.testing.assert_close(nets.empirical_kernel(X, X, "ntk"), true, rtol=EXACT, atol=EXACT)
    # surrogate Jacobian by differences of weights that one SGL step makes: dtheta = -eta J_sur^T e
    mixed, eta = nets.empirical_kernel(X, X, "sg"), 1e-6
    for i in range(len(X)):
        goal = nets(X).detach().clone()
        goal[:, i] -= 1.0  # e is the i-th unit vector
        probe = sn.MLPEnsemble(2, (3, *hidden, 1), ("erf", m), sn.erf(k), 1.3, 0.2, seed=2, dtype=torch.float64)
        probe.sgl_step(X, goal, eta)
        change = (probe(X) - nets(X)).detach() / -eta
        torch.testing.assert_close(mixed[:, :, i], change, rtol=1e-4, atol=1e-4)
    assert not torch.allclose(mixed, mixed.mT, rtol=1e-3)


def test_sign_has_no_true_slope_and_autograd_shows_the_wrong_kernel():
    X = sn.on_circle(sn.angles(4))
    nets = sn.MLPEnsemble(2, (2, 2000, 1), seed=0)
    with pytest.raises(ValueError, match="0 almost everywhere"):
        nets.empirical_kernel(X, X)
    wrong, right = nets.empirical_kernel(X, X, "surrogate").mean(0).double(), sn.kernels(X, X, 1)[1]
    c = X @ X.T / 2 + 0.1
    both = sn.kernels(X, X, 1)[0] + c * erf_slopes(torch.tensor(0.6), torch.tensor(0.6), c, 1.0, 1.0)
    assert rms(wrong - both) / rms(both) < 0.1
    assert rms(both - right) / rms(right) > 0.05


def test_wide_networks_have_the_kernel_of_the_limit_at_any_depth():
    t = sn.angles(6)
    for depth, bound in ((1, 0.06), (2, 0.12)):
        model = sn.Model(depth, activation=("erf", 2.0))
        nets = sn.MLPEnsemble(4, (2, *[1000] * depth, 1), ("erf", 2.0), seed=3)
        limit = model.between(t, t)[1]
        assert rms(nets.empirical_kernel(sn.on_circle(t), sn.on_circle(t)) - limit) / rms(limit) < bound


def test_initial_outputs_are_the_gaussian_process():
    t = sn.angles(8)
    nets = sn.MLPEnsemble(4000, (2, 50, 1), seed=0)
    with torch.no_grad():
        found = torch.cov(nets(sn.on_circle(t)).T.double())
    assert rms(found - sn.Model().between(t, t)[0]) < 0.05


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: sn.MLPEnsemble(0, (2, 3, 1)), "R=0"),
        (lambda: sn.MLPEnsemble(1, (2, 1)), "hidden"),
        (lambda: sn.MLPEnsemble(1, (2, 0, 1)), r"sizes\[1\]=0"),
        (lambda: sn.MLPEnsemble(1, (2, 3, 1), "tanh"), "activation='tanh'"),
        (lambda: sn.MLPEnsemble(1, (2, 3, 1), sw2=-1.0), "sw2=-1"),
        (lambda: sn.MLPEnsemble(1, (2, 3, 1), sb2=math.nan), "sb2=nan"),
        (lambda: sn.MLPEnsemble(1, (2, 3, 1))(torch.ones(4, 3)), "X has shape"),
        (lambda: sn.MLPEnsemble(1, (2, 3, 1))(torch.full((4, 2), math.inf)), "X holds"),
        (lambda: sn.MLPEnsemble(1, (2, 3, 1)).sgl_step(torch.ones(4, 2), torch.ones(3), 0.1), "y has shape"),
        (lambda: sn.MLPEnsemble(1, (2, 3, 1)).sgl_step(torch.ones(4, 2), torch.full((4,), math.nan), 0.1), "y holds"),
        (lambda: sn.MLPEnsemble(1, (2, 3, 1)).sgl_step(torch.ones(4, 2), torch.ones(4), 0.0), "eta=0"),
        (lambda: sn.MLPEnsemble(1, (2, 3, 1)).empirical_kernel(torch.ones(1, 2), torch.ones(1, 2), "x"), "kind='x'"),
        (lambda: sn.MLPEnsemble(1, (2, 3, 2)).empirical_kernel(torch.ones(1, 2), torch.ones(1, 2)), "one output"),
        (lambda: sn.angles(0), "n=0"),
        (lambda: sn.regress(sn.Model(), sn.angles(3), 4, rate=2.0), "1.9/max Re ev"),
    ],
)
def test_bad_arguments_raise(call, match):
    with pytest.raises(ValueError, match=match):
        call()


# ---- experiments


def test_erf_ensembles_follow_the_ntk_when_wide():
    # the classical case as a control of the whole chain: true gradients, smooth activation
    run = sn.train(sn.Model(activation=("erf", 1.0), k=1.0), 1000, 10, 8, 100, seed=0)
    assert run.single_distance < 0.05
    assert run.distance() < run.single_distance


def test_prediction_uses_the_rate_and_the_steps_of_the_run():
    run = sn.run_point(SMOKE.replace(networks=10, steps=7, rate=0.5, n_train=5))
    assert run.eta == pytest.approx(0.5 * sn.stable_eta(run.model.between(sn.angles(5), sn.angles(5))[1]))
    by_hand = sn.kernel_flow(*(run.model.between(t, sn.angles(5))[1] for t in (run.t, sn.angles(5))), run.eta, 7)
    torch.testing.assert_close(run.prediction().G, by_hand)
    assert len(run.f_T) == 10


def test_seeds_and_progress():
    seen = []
    first = ensembles.train(sn.Model(), 20, 3, 4, 5, seed=1, progress=lambda done, total: seen.append((done, total)))
    again = ensembles.train(sn.Model(), 20, 3, 4, 5, seed=1)
    assert seen == [(i, 5) for i in range(1, 6)]
    assert torch.equal(first.f_T, again.f_T)
    assert not torch.equal(first.f_T, ensembles.train(sn.Model(), 20, 3, 4, 5, seed=2).f_T)


def test_digits_are_split_without_overlap_and_scaled():
    data = digits.split(100, 0)
    assert data.X.shape == (100, 64)
    assert len(data.X_test) == 1697
    torch.testing.assert_close(data.X.square().sum(1), torch.full((100,), 64.0, dtype=torch.float64))
    assert float(data.X.mean(1).abs().max()) < 1e-12
    assert float(data.Y.sum(1).abs().max()) < 1e-12
    found = sn.digits_study(SMOKE)
    assert 0.5 < found.kernel <= 1
    assert found.single.shape == (2, 2)


def test_every_claim_is_measured_and_deterministic():
    lesson.clear_cache()
    first = sn.measure(SMOKE)
    lesson.clear_cache()
    again = sn.measure(SMOKE)
    assert list(first) == [claim.id for claim in sn.CLAIMS]
    for claim in sn.CLAIMS:
        assert dict(first[claim.id].values) == dict(again[claim.id].values)
        assert lesson.judge(claim, first[claim.id], smoke=True).word == "not tested at this scale"


def test_analytic_claims_hold_at_any_scale():
    for claim in sn.CLAIMS[:2]:
        assert lesson.judge(claim, claims.MEASURES[claim.id](SMOKE)).word == "reproduced"


def test_point_gives_finite_scalars():
    scalars = sn.point(SMOKE.replace(networks=10, width=20, steps=20)).scalars
    assert all(np.isfinite(list(scalars.values())))
    assert scalars["ntk_diagonal"] == pytest.approx(3.383, abs=1e-3)


def test_claims_pass_only_where_they_should():
    by_id = {claim.id: claim for claim in sn.CLAIMS}

    def word(claim_id, **values):
        return lesson.judge(by_id[claim_id], lesson.Measured(values)).word

    assert word("C4", **{"RMS": 0.059, "over k=0.3": 0.59, "over k=4": 0.59, "over NNGP": 0.59}) == "reproduced"
    assert word("C4", **{"RMS": 0.06, "over k=0.3": 0.59, "over k=4": 0.59, "over NNGP": 0.6}) == "partly"
    assert word("C5", **{"RMS": 0.02, "k=1 over matched": 2.5}) == "does not hold"
    assert word("C6", **{"n=30 over n=300": 1.6}) == "not reproduced"
    assert word("C7", error=0.121) == "not reproduced"
    assert word("C8", slope=-0.36) == "does not hold"
