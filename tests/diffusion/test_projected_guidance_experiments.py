"""Projected guidance: metrics against peers and closed forms, the two experiments, claims and limits of the lesson."""
from __future__ import annotations

import numpy as np
import pytest
import torch
from gradscape import lesson
from gradscape.diffusion import projected_guidance as pg
from gradscape.diffusion.projected_guidance import garments, methods, patches
from gradscape.generative.edm import sample
from gradscape.lesson import generator

SMOKE = pg.Settings(profile="smoke", sizes="patch_seeds:2,train_steps:12")


def normal(seed, *shape, dtype=torch.float64):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


class TestMetrics:
    def test_range_metrics_by_hand(self):
        x = torch.tensor([[0.0, 1.5], [-2.0, 0.5]])
        assert pg.overshoot(x) == pytest.approx((0.5 + 1.0) / 4)
        assert pg.clip_fraction(x) == 0.5
        assert pg.mean_norm(x) == pytest.approx((1.5 + 4.25**0.5) / 2)

    def test_saturation_is_skimages_on_the_shown_image(self):
        color = pytest.importorskip("skimage.color")
        rgb = 1.5 * normal(0, 4, 3, 5, 5)
        shown = ((rgb + 1) / 2).clamp(0, 1).permute(0, 2, 3, 1).numpy()
        assert pg.hsv_saturation(rgb) == pytest.approx(color.rgb2hsv(shown)[..., 1].mean())

    def test_saturation_of_pure_gray_and_black(self):
        black, gray = -torch.ones(1, 3, 1, 1), torch.zeros(1, 3, 1, 1)
        red = torch.tensor([1.0, -1, -1]).view(1, 3, 1, 1)
        assert [pg.hsv_saturation(image) for image in (black, gray, red)] == [0.0, 0.0, 1.0]

    def test_contrast_is_the_spread_of_luminance(self):
        half = torch.ones(2, 3, 4, 4)
        half[:, :, :2] = -1
        assert pg.contrast(half) == pytest.approx(1.0)
        assert pg.contrast(torch.full((2, 3, 4, 4), 0.3)) == pytest.approx(0.0, abs=1e-6)

    def test_frechet_of_known_moments(self):
        """Standardized samples have exactly the moments put in: means 3 apart, covariances (4, 1) and (1, 9)."""
        base = normal(0, 200, 2)
        base = base - base.mean(0)
        base = base @ torch.linalg.inv(torch.linalg.cholesky(base.T.cov())).T
        a, b = base * torch.tensor([2.0, 1.0]), base * torch.tensor([1.0, 3.0]) + torch.tensor([3.0, 0.0])
        assert pg.frechet(a, b) == pytest.approx(9 + (2 - 1) ** 2 + (1 - 3) ** 2)
        assert pg.frechet(a, a) == pytest.approx(0, abs=1e-9)
        assert pg.frechet(a, b) == pytest.approx(pg.frechet(b, a))

    def test_frechet_is_scipys_formula(self):
        linalg = pytest.importorskip("scipy.linalg")
        a, b = normal(0, 300, 4) @ normal(1, 4, 4), normal(2, 200, 4) @ normal(3, 4, 4) + 1
        root = np.real(linalg.sqrtm(a.T.cov().numpy() @ b.T.cov().numpy()))
        spread = np.trace(a.T.cov().numpy() + b.T.cov().numpy() - 2 * root)
        assert pg.frechet(a, b) == pytest.approx(float(((a.mean(0) - b.mean(0)) ** 2).sum()) + spread, rel=1e-6)

    def test_precision_and_recall_of_clear_cases(self):
        real = normal(0, 200, 3)
        assert pg.precision_recall(real, real) == (1.0, 1.0)
        assert pg.precision_recall(real, real + 100) == (0.0, 0.0)
        collapsed = 0.01 * normal(1, 200, 3)
        precision, recall = pg.precision_recall(real, collapsed)
        assert precision == 1.0
        assert recall < 0.02

    def test_precision_by_hand(self):
        """On a line with k = 1 each real ball reaches to the next real point."""
        real, fake = torch.tensor([[0.0], [1.0], [3.0]]), torch.tensor([[-0.9], [1.9], [5.1], [4.9]])
        assert pg.precision_recall(real, fake, k=1)[0] == pytest.approx(3 / 4)

    def test_components_are_sklearns(self):
        decomposition = pytest.importorskip("sklearn.decomposition")
        x = normal(0, 300, 6) @ normal(1, 6, 6)
        peer = decomposition.PCA(3, svd_solver="full").fit(x.numpy())
        ours = pg.Components.fit(x, 3)(x)
        np.testing.assert_allclose(ours.abs().numpy(), np.abs(peer.transform(x.numpy())), rtol=1e-6, atol=1e-8)

    @pytest.mark.parametrize(
        ("pooled", "name"), [(True, "LinearDiscriminantAnalysis"), (False, "QuadraticDiscriminantAnalysis")]
    )
    def test_classifiers_are_sklearns(self, pooled, name):
        peers = pytest.importorskip("sklearn.discriminant_analysis")
        labels = torch.arange(600) % 3
        x = normal(0, 600, 4) * (1 + labels[:, None]) + 2 * torch.nn.functional.one_hot(labels, 4)
        peer = getattr(peers, name)().fit(x.numpy(), labels.numpy())
        ours = pg.fit_classifier(x, labels, pooled=pooled)
        # the ridge of ours and the covariance estimates differ in the fourth digit: a few points near borders may move
        assert (ours.log_posterior(x).argmax(1).numpy() == peer.predict(x.numpy())).mean() > 0.99
        assert pg.accuracy(ours, x, labels) == pytest.approx(peer.score(x.numpy(), labels.numpy()), abs=0.01)

    @pytest.mark.parametrize("call", [
        lambda: pg.hsv_saturation(torch.zeros(2, 1, 4, 4)),
        lambda: pg.contrast(torch.zeros(3, 4, 4)),
        lambda: pg.frechet(torch.zeros(5), torch.zeros(5)),
        lambda: pg.precision_recall(torch.zeros(3, 2), torch.zeros(9, 2), k=3),
        lambda: pg.precision_recall(torch.zeros(9, 2), torch.zeros(9, 2), k=0),
    ])
    def test_bad_values_are_refused(self, call):
        with pytest.raises(ValueError):
            call()


class TestPatches:
    def test_one_component_per_class_is_the_class_moments(self):
        x, y = normal(0, 60, 30, dtype=torch.float32), torch.arange(60) % 2
        mixture = pg.fit_mixture(x, y, components=1, ridge=0.0)
        for label in (0, 1):
            torch.testing.assert_close(mixture.means[label], x[y == label].mean(0))
            cov = mixture.bases[label] @ mixture.eigenvalues[label].diag() @ mixture.bases[label].T
            torch.testing.assert_close(cov, x[y == label].T.cov(), rtol=1e-3, atol=1e-4)

    def test_clusters_find_two_groups(self):
        x = normal(0, 80, 30, dtype=torch.float32) + 20.0 * (torch.arange(80) % 2)[:, None]
        mixture = pg.fit_mixture(x, torch.zeros(80, dtype=torch.long))
        torch.testing.assert_close(mixture.log_weights.exp(), torch.tensor([0.5, 0.5]))
        assert sorted(round(float(mean.mean())) for mean in mixture.means) == [0, 20]

    def test_unguided_samples_have_the_moments_of_the_mixture(self):
        """The exact denoiser samples the fitted mixture; what guidance adds is guidance's doing."""
        mixture = pg.patch_world(0, 0, 300).mixture
        labels = torch.zeros(2000, dtype=torch.long)
        noise = torch.randn(2000, 192, generator=generator(0, 5))
        with torch.inference_mode():
            x = sample(mixture, noise, patches.SIGMAS, labels=labels).double()
        alone = mixture.given(0)
        weights = alone.log_weights.exp().double()
        mean = weights @ alone.means.double()
        covs = (alone.bases * alone.eigenvalues[:, None]) @ alone.bases.transpose(1, 2)
        centered = alone.means.double() - mean
        cov = torch.einsum("m,mde->de", weights, covs.double() + centered[:, :, None] * centered[:, None])
        assert float(torch.linalg.norm(x.mean(0) - mean)) < 0.15 * float(cov.trace()) ** 0.5
        assert float(torch.linalg.norm(x.T.cov() - cov) / torch.linalg.norm(cov)) < 0.15

    def test_methods_share_their_noise_and_unit_scale_is_no_guidance(self):
        world = pg.patch_world(0, 0, 300)
        noise, labels = patches.starts(SMOKE.seed, 0, 16)
        with torch.inference_mode():
            base = pg.guided(methods.UNGUIDED, world.mixture, noise, patches.SIGMAS, labels, 5.0)
            for method in (methods.CFG, methods.APG_PATCHES, methods.PARALLEL):
                one = pg.guided(method, world.mixture, noise, patches.SIGMAS, labels, 1.0)
                torch.testing.assert_close(one, base, rtol=1e-3, atol=1e-3)

    def test_grid_is_complete_and_unguided_is_the_same_at_every_scale(self):
        settings = SMOKE.replace(sizes="patch_seeds:2,patch_scales:2/5,train_steps:12")
        grid = pg.experiment_patches(settings)
        assert np.isfinite(grid.values).all()
        base = grid.select(method=methods.UNGUIDED)
        np.testing.assert_array_equal(base.select(w=2.0).values, base.select(w=5.0).values)
        assert (pg.excess(grid, "norm", methods.CFG, 5.0) > pg.excess(grid, "norm", methods.CFG, 2.0)).all()

    def test_comparison_traces_every_step_and_clips(self):
        result = pg.compare_patches(SMOKE)
        assert result.norms["delta"].shape == result.sigmas.shape == (28,)
        assert (result.norms["update"] <= 2.5 + 1e-6).all()
        assert result.norms["delta"][0] > 2.5
        free = pg.compare_patches(SMOKE.replace(clip=False, beta=0.0))
        np.testing.assert_allclose(free.norms["update"], free.norms["delta"], rtol=1e-5)

    def test_point_at_cfgs_settings_is_cfg(self):
        scalars = pg.point(SMOKE.replace(eta=1.0, clip=False, beta=0.0)).scalars
        for name in ("norm", "overshoot", "clip", "saturation"):
            assert scalars[f"{name}_excess_ratio"] == pytest.approx(1.0, abs=1e-2)
        assert pg.point(SMOKE.replace(w=1.0)).scalars["accuracy_gain"] == 0.0


class TestGarments:
    def test_untrained_denoiser_is_the_skip_path_and_seeds_decide(self):
        net = pg.MLPDenoiser(20, 3, width=16, seed=4)
        x, labels = normal(0, 5, 20, dtype=torch.float32), torch.tensor([0, 1, 2, 3, 0])
        torch.testing.assert_close(net(x, 1.0, labels), x * 0.25 / 1.25)
        before = torch.random.get_rng_state()
        again, other = pg.MLPDenoiser(20, 3, width=16, seed=4), pg.MLPDenoiser(20, 3, width=16, seed=5)
        assert torch.equal(before, torch.random.get_rng_state())
        assert torch.equal(net.backbone.inlet.weight, again.backbone.inlet.weight)
        assert not torch.equal(net.backbone.inlet.weight, other.backbone.inlet.weight)

    def test_one_noise_level_for_all_is_the_same_as_one_each(self):
        net = pg.MLPDenoiser(20, 3, width=16)
        torch.nn.init.normal_(net.backbone.outlet.weight, generator=generator(0))
        x, labels = normal(0, 5, 20, dtype=torch.float32), torch.tensor([0, 1, 2, 3, 0])
        torch.testing.assert_close(net(x, 0.7, labels), net(x, torch.full((5,), 0.7), labels))

    def test_training_learns_the_conditional_mean(self):
        """Two classes of a single image each: at high noise D_c still finds the image, D_u only the mean of both."""
        x = torch.cat([torch.full((64, 6), 0.5), torch.full((64, 6), -0.5)])
        labels = torch.arange(128) // 64
        net = pg.MLPDenoiser(6, 2, width=32, blocks=1)
        net = pg.fit_denoiser(net, x, labels, steps=400, lr=1e-2, generator=generator(0))
        noisy = 20.0 * normal(1, 256, 6, dtype=torch.float32)
        given = torch.arange(256) % 2
        with torch.no_grad():
            cond, uncond = net.pair(noisy, 20.0, given)
        wanted = torch.where(given == 0, 0.5, -0.5)[:, None].expand(256, 6)
        assert float((cond - wanted).abs().mean()) < 0.15
        assert float(uncond.abs().mean()) < 0.35

    def test_training_is_reproducible_and_tells_its_progress(self):
        x, labels, seen = normal(0, 50, 6, dtype=torch.float32), torch.arange(50) % 2, []
        runs = [
            pg.fit_denoiser(pg.MLPDenoiser(6, 2, width=8), x, labels, steps=5, generator=generator(1),
                            progress=lambda done, total: seen.append((done, total)))
            for _ in range(2)
        ]
        assert seen[:5] == [(k, 5) for k in range(1, 6)]
        for a, b in zip(runs[0].parameters(), runs[1].parameters(), strict=True):
            assert torch.equal(a, b)

    @pytest.mark.parametrize("bad", [{"steps": 0}, {"steps": 5, "lr": 0.0}, {"steps": 5, "drop": 1.5}])
    def test_training_refuses_bad_values(self, bad):
        with pytest.raises(ValueError):
            pg.fit_denoiser(pg.MLPDenoiser(6, 2, width=8), torch.zeros(9, 6), torch.zeros(9, dtype=torch.long), **bad)

    def test_operations_of_a_matrix_product_and_of_a_sum(self):
        a, b = torch.zeros(3, 4), torch.zeros(4, 5)
        with pg.OperationCount() as product:
            a @ b
        with pg.OperationCount() as total:
            (a + a).T.sum()
        assert product.total == 2 * 3 * 4 * 5
        assert total.total == 12 + 12

    def test_comparison_at_unit_scale_is_one_set_of_images(self):
        result = pg.compare_garments(SMOKE.replace(w=1.0))
        base, *others = result.images.values()
        assert base.shape == (40, 14, 14)
        for other in others:
            torch.testing.assert_close(other, base, rtol=1e-3, atol=1e-3)

    def test_cancelling_training_leaves_nothing_behind(self):
        class Stop(Exception):
            pass

        def stop(done, total):
            raise Stop

        settings = SMOKE.replace(seed=77)
        with pytest.raises(Stop):
            pg.compare_garments(settings, progress=stop)
        assert pg.denoiser_of(settings) is pg.denoiser_of(settings)


class TestLesson:
    def test_every_claim_is_measured_once_and_smoke_tests_nothing(self):
        measured = pg.measure(SMOKE)
        assert list(measured) == [f"G{k}" for k in range(1, 8)]
        for claim in pg.CLAIMS:
            assert lesson.judge(claim, measured[claim.id], smoke=True).word == "not tested at this scale"

    def test_measuring_does_not_depend_on_the_sliders(self):
        moved = SMOKE.replace(w=9.0, eta=0.7, beta=0.0)
        assert pg.experiment_patches(moved) is pg.experiment_patches(SMOKE)
        assert pg.experiment_garments(moved) is pg.experiment_garments(SMOKE)

    @pytest.mark.standard
    def test_whole_ablation_fills_the_grid(self):
        settings = SMOKE.replace(sizes="patch_seeds:2,train_steps:12,whole_ablation:true,garment_scales:1.5/4")
        table = pg.TABLES["ablation"](settings)
        assert len(table.columns["method"]) == 2 * len(garments.METHODS)
        assert np.isfinite(pg.experiment_garments(settings).values).all()
