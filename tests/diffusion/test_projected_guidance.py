"""Projected guidance: the algorithm against Algorithm 1's own arithmetic, its limits, and diffusers' implementation."""
from __future__ import annotations

import pytest
import torch
from gradscape.diffusion.projected_guidance import (
    AdaptiveProjectedGuidance,
    MomentumBuffer,
    NoiseSpaceGuidance,
    cfg,
    clip_norm,
    decompose,
    from_denoised,
    project_guidance,
    to_denoised,
)
from gradscape.generative.edm import karras_sigmas, sample
from gradscape.generative.mixture import Mixture

SHAPE = (5, 3, 4, 4)


def normal(seed, shape=SHAPE, dtype=torch.float64):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def dots(a, b):
    return (a * b).flatten(1).sum(1)


def norms(a):
    return a.flatten(1).norm(dim=1)


class TestDecompose:
    def test_parts_add_up_and_are_orthogonal(self):
        update, reference = normal(0), normal(1)
        parallel, orthogonal = decompose(update, reference)
        torch.testing.assert_close(parallel + orthogonal, update, rtol=0, atol=1e-12)
        assert (dots(orthogonal, reference).abs() <= 1e-10 * norms(orthogonal) * norms(reference)).all()

    def test_a_multiple_of_the_reference_is_all_parallel(self):
        reference = normal(1)
        parallel, orthogonal = decompose(-2.5 * reference, reference)
        torch.testing.assert_close(parallel, -2.5 * reference)
        torch.testing.assert_close(orthogonal, torch.zeros(SHAPE, dtype=torch.float64), rtol=0, atol=1e-12)

    def test_scale_of_the_reference_does_not_matter(self):
        update, reference = normal(0), normal(1)
        torch.testing.assert_close(decompose(update, 1e-3 * reference), decompose(update, reference))

    def test_zero_reference_has_no_parallel_part(self):
        parallel, orthogonal = decompose(normal(0), torch.zeros(SHAPE, dtype=torch.float64))
        assert (parallel == 0).all()
        torch.testing.assert_close(orthogonal, normal(0))

    @pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
    @pytest.mark.parametrize("shape", [(2, 6), (2, 3, 2), (2, 1, 2, 3), (2, 1, 2, 3, 1)])
    def test_any_rank_and_dtype(self, dtype, shape):
        update, reference = normal(0, (2, 6)).to(dtype), normal(1, (2, 6)).to(dtype)
        flat = decompose(update, reference)
        shaped = decompose(update.view(shape), reference.view(shape))
        for a, b in zip(shaped, flat, strict=True):
            assert a.dtype == dtype
            assert torch.equal(a.view(2, 6), b)

    def test_a_sample_does_not_depend_on_its_batch(self):
        update, reference = normal(0), normal(1)
        alone = decompose(update[2:3], reference[2:3])[0]
        torch.testing.assert_close(decompose(update, reference)[0][2:3], alone, rtol=0, atol=1e-14)


class TestGuidance:
    def test_worked_example(self):
        d_cond, d_uncond = torch.tensor([[2.0, 0.0]]), torch.tensor([[1.0, -1.0]])
        assert cfg(d_cond, d_uncond, 3.0).tolist() == [[4.0, 2.0]]
        assert project_guidance(d_cond, d_uncond, 3.0).tolist() == [[2.0, 2.0]]

    @pytest.mark.parametrize(
        ("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 1e-5), (torch.float16, 0.05)]
    )
    def test_neutral_settings_are_cfg(self, dtype, tolerance):
        d_cond, d_uncond = normal(0).to(dtype), normal(1).to(dtype)
        guided, plain = project_guidance(d_cond, d_uncond, 7.5, eta=1.0), cfg(d_cond, d_uncond, 7.5)
        assert guided.dtype == dtype
        torch.testing.assert_close(guided, plain, rtol=tolerance, atol=tolerance)
        torch.testing.assert_close(plain, d_uncond + 7.5 * (d_cond - d_uncond), rtol=tolerance, atol=tolerance)

    def test_unit_scale_returns_the_conditional_prediction_bitwise(self):
        d_cond, d_uncond = normal(0, dtype=torch.float32), normal(1, dtype=torch.float32)
        assert torch.equal(project_guidance(d_cond, d_uncond, 1.0, 0.3, 2.0, MomentumBuffer(-0.5)), d_cond)
        assert torch.equal(cfg(d_cond, d_uncond, 1.0), d_cond)

    def test_orthogonal_step_is_neutral_in_norm_to_first_order(self):
        d_cond, d_uncond = normal(0), normal(1)
        guided = project_guidance(d_cond, d_uncond, 4.0)
        step = guided - d_cond
        torch.testing.assert_close(norms(guided) ** 2, norms(d_cond) ** 2 + norms(step) ** 2)

    @pytest.mark.parametrize("eta", [0.0, 0.5, 1.0])
    def test_clipping_bounds_the_step(self, eta):
        d_cond, d_uncond, r = normal(0), normal(1), 0.7
        step = project_guidance(d_cond, d_uncond, 5.0, eta=eta, r=r) - d_cond
        assert (norms(step) <= 4.0 * r * (1 + 1e-12)).all()

    def test_a_radius_above_the_update_does_nothing(self):
        d_cond, d_uncond = normal(0), normal(1)
        free = project_guidance(d_cond, d_uncond, 5.0)
        torch.testing.assert_close(project_guidance(d_cond, d_uncond, 5.0, r=1e3), free)
        assert torch.equal(clip_norm(torch.zeros(2, 3), 1.0), torch.zeros(2, 3))

    def test_record_tells_the_norms(self):
        seen = []
        project_guidance(normal(0), normal(1), 5.0, r=0.7, record=seen.append)
        torch.testing.assert_close(seen[0].delta, norms(normal(0) - normal(1)))
        torch.testing.assert_close(seen[0].update, torch.full((5,), 0.7, dtype=torch.float64))
        torch.testing.assert_close(seen[0].parallel**2 + seen[0].orthogonal**2, seen[0].update**2)

    @pytest.mark.parametrize("call", [
        lambda: project_guidance(normal(0), normal(1)[:4], 2.0),
        lambda: project_guidance(normal(0, (5,)), normal(1, (5,)), 2.0),
        lambda: project_guidance(normal(0), normal(1), -1.0),
        lambda: project_guidance(normal(0), normal(1), 2.0, r=-1.0),
        lambda: cfg(normal(0), normal(1), float("nan")),
        lambda: MomentumBuffer(1.0),
        lambda: AdaptiveProjectedGuidance(2.0, beta=-1.0),
        lambda: AdaptiveProjectedGuidance(-2.0),
        lambda: AdaptiveProjectedGuidance(2.0, eta=float("inf")),
    ])
    def test_bad_values_are_refused(self, call):
        with pytest.raises(ValueError):
            call()


class TestMomentum:
    @pytest.mark.parametrize(("beta", "sign", "factors"), [
        (-0.5, 1, [1, 0.5, 0.75, 0.625]),   # constant updates shrink towards 1/(1 - beta)
        (-0.5, -1, [1, 1.5, 1.75, 1.875]),  # alternating ones grow towards 1/(1 + beta)
    ])
    def test_factors(self, beta, sign, factors):
        buffer, delta = MomentumBuffer(beta), normal(0)
        for k, factor in enumerate(factors):
            turn = sign**k
            torch.testing.assert_close(buffer.update(turn * delta), turn * factor * delta)

    @pytest.mark.parametrize(("beta", "limit"), [(-0.5, 2 / 3), (-0.75, 4 / 7)])
    def test_limit_of_constant_updates(self, beta, limit):
        buffer, delta = MomentumBuffer(beta), normal(0)
        for _ in range(100):
            out = buffer.update(delta)
        torch.testing.assert_close(out, limit * delta)

    def test_the_buffer_stays_unclipped(self):
        clipped, free = MomentumBuffer(-0.5), MomentumBuffer(-0.5)
        for seed in range(4):
            project_guidance(normal(seed), normal(seed + 9), 5.0, r=0.1, momentum=clipped)
            project_guidance(normal(seed), normal(seed + 9), 5.0, momentum=free)
            assert torch.equal(clipped.value, free.value)

    def test_reset_makes_two_trajectories_equal(self):
        guidance = AdaptiveProjectedGuidance(5.0, beta=-0.5)
        pairs = [(normal(seed), normal(seed + 9)) for seed in range(3)]
        first = [guidance(*pair) for pair in pairs]
        stale = guidance(*pairs[0])
        guidance.reset()
        again = [guidance(*pair) for pair in pairs]
        assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
        assert not torch.allclose(stale, first[0])

    def test_another_batch_without_reset_is_refused(self):
        guidance = AdaptiveProjectedGuidance(5.0, beta=-0.5)
        guidance(normal(0), normal(1))
        with pytest.raises(ValueError, match="momentum"):
            guidance(normal(0)[:2], normal(1)[:2])


class TestPeer:
    """diffusers' ``normalized_guidance``, an implementation independent of this one."""

    @pytest.fixture
    def peer(self):
        return pytest.importorskip("diffusers.guiders.adaptive_projected_guidance")

    @pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
    @pytest.mark.parametrize("shape", [(5, 3, 4, 4), (5, 12)])
    def test_original_formulation_is_the_papers_with_scale_w_minus_1(self, peer, dtype, shape):
        w, eta, r, beta = 5.0, 0.3, 4.0, -0.75
        ours, theirs = AdaptiveProjectedGuidance(w, eta, r, beta), peer.MomentumBuffer(beta)
        tolerance = 1e-12 if dtype == torch.float64 else 1e-5
        for step in range(3):
            pair = normal(step, shape).to(dtype), normal(step + 9, shape).to(dtype)
            expected = peer.normalized_guidance(*pair, w - 1, theirs, eta, r, use_original_formulation=True)
            torch.testing.assert_close(ours(*pair), expected, rtol=tolerance, atol=tolerance)

    @pytest.mark.parametrize(("w", "eta"), [(3.0, 0.0), (7.5, 0.5), (2.0, 1.0)])
    def test_default_formulation_is_the_papers_at_another_eta(self, peer, w, eta):
        pair = normal(0), normal(1)
        other = (w * eta - 1) / (w - 1)
        torch.testing.assert_close(peer.normalized_guidance(*pair, w, eta=eta), project_guidance(*pair, w, eta=other))


class TestParametrization:
    @pytest.mark.parametrize("kind", ["eps", "v", "flow", "x0"])
    @pytest.mark.parametrize("angle", [0.05, 0.7, 1.5])
    def test_round_trip_and_meaning(self, kind, angle):
        x0, noise = normal(0), normal(1)
        angle = torch.tensor(angle, dtype=torch.float64)
        alpha, sigma = (1 - angle / 2, angle / 2) if kind == "flow" else (angle.cos(), angle.sin())
        x = alpha * x0 + sigma * noise
        target = {"eps": noise, "v": alpha * noise - sigma * x0, "flow": noise - x0, "x0": x0}[kind]
        torch.testing.assert_close(to_denoised(target, x, kind, alpha, sigma), x0, rtol=1e-6, atol=1e-6)
        torch.testing.assert_close(from_denoised(x0, x, kind, alpha, sigma), target, rtol=1e-6, atol=1e-6)

    def test_unknown_kind_is_refused(self):
        for convert in (to_denoised, from_denoised):
            with pytest.raises(ValueError, match="kind"):
                convert(normal(0), normal(1), "score", 1.0, 1.0)

    def test_space_does_not_matter_to_cfg_but_to_the_projection(self):
        g = torch.Generator().manual_seed(0)
        mixture = Mixture(torch.ones(2), torch.randn(2, 6, generator=g), torch.ones(2), torch.tensor([0, 1]))
        noise, labels, sigmas = torch.randn(4, 6, generator=g), torch.tensor([0, 1, 0, 1]), karras_sigmas(8, 0.05, 10.0)

        def run(guidance, in_noise_space):
            wrong = NoiseSpaceGuidance(mixture, guidance)
            model, guide = (wrong, wrong) if in_noise_space else (mixture, guidance)
            return sample(model, noise, sigmas, labels=labels, guidance=guide)

        plain = AdaptiveProjectedGuidance(4.0, eta=1.0)
        torch.testing.assert_close(run(plain, True), run(plain, False), rtol=1e-4, atol=1e-4)
        projected = AdaptiveProjectedGuidance(4.0)
        assert not torch.allclose(run(projected, True), run(projected, False), atol=0.05)
