"""What the paper claims, how each claim is measured, what a sweep records."""
from __future__ import annotations

from gradscape import lesson
from gradscape.credit.surrogate_ntk.circle import Model, angles, rms, target
from gradscape.credit.surrogate_ntk.digits import digits_study
from gradscape.credit.surrogate_ntk.ensembles import (
    NARROW,
    WIDTH,
    Run,
    ensemble,
    run_point,
    single_scan,
    spread_run,
)
from gradscape.credit.surrogate_ntk.kernel_study import STEEPNESSES, diagonal, growth, kernel_study, spikes
from gradscape.credit.surrogate_ntk.settings import Settings
from gradscape.lesson import Claim, Measured, Point, above, at_most, below, between, within
from gradscape.stats import powerlaw

CLAIMS = (
    Claim(
        "C1", kind="paper", sentence="Taken to a sign network, the NTK of erf_m diverges on its diagonal.",
        where="Sec. on activations with jumps; Fig. 1", paper="converges for fixed m, diverges as m grows",
        parts={"slope at L=1": within(1, 0.05), "slope at L=3": within(3, 0.05), "m=20, L=3": above(1000)},
    ),
    Claim(
        "C2", kind="paper",
        sentence="Regression with that kernel is ill-posed, regression with the SG-NTK is not.",
        where="abstract", paper="gradient flow not well-posed",
        parts={"NTK at m=1000": below(0.01), "SG-NTK at m=1000": above(0.5)},
    ),
    Claim(
        "C3", kind="paper", sentence="The empirical SG-NTK converges to a finite analytic kernel as networks widen.",
        where="Fig. 2", paper="n = 10 … 1000, m = 2, 5, 20",
        parts={"m=2, n=1000": below(0.06), "m=2, n=10 over n=1000": between(5, 20), "m=20, n=1000": below(0.16)},
    ),
    Claim(
        "C4", kind="paper", sentence="Surrogate gradient learning in sign networks follows SG-NTK regression.",
        where="Fig. 3; abstract", paper="means agree",
        parts={"RMS": below(0.06), "over k=0.3": below(0.6), "over k=4": below(0.6), "over NNGP": below(0.6)},
    ),
    Claim(
        "C5", kind="control",
        sentence="Another surrogate makes another function, and the kernel with k = 0.3 tracks it.",
        parts={"RMS": below(0.025), "k=1 over matched": above(2.5)},
    ),
    Claim(
        "C6", kind="paper", sentence="The agreement improves with width.", where="Fig. 3; supplement",
        paper="better with width (20, 100, 500)", parts={"n=30 over n=300": above(1.6)},
    ),
    Claim(
        "C7", kind="paper", sentence="The spread of the ensemble is that of the SG-NTK's Gaussian process.",
        where="Fig. 3", paper="confidence band", parts={"error": at_most(0.12)},
    ),
    Claim(
        "C8", kind="control",
        sentence="Single sign networks approach their own prediction slowly, far slower than n^-1/2.",
        parts={"slope": between(-0.35, -0.12)},
    ),
)


def measure_c1(settings: Settings) -> Measured:
    """Analytic diagonals on the unit circle; slopes between m = 100 and 1000."""
    values = {f"slope at L={depth}": growth(depth) for depth in (1, 3)}
    for depth in (1, 3):
        values |= {f"m={m:g}, L={depth}": diagonal(Model(depth, activation=("erf", m), kind="ntk"))
                   for m in STEEPNESSES}
    return Measured(values, note="analytic, the same for every seed")


def measure_c2(settings: Settings) -> Measured:
    """RMS of converged regressions halfway between 8 training angles."""
    found = spikes((2.0, 1000.0))
    values = {f"{name} at m={m:g}": float(value) for name, row in (("NTK", found.ntk_rms), ("SG-NTK", found.sg_rms))
              for m, value in zip(found.m, row, strict=True)}
    return Measured(values | {"SG-NTK of sign": found.sign_rms}, note="analytic, the same for every seed")


def measure_c3(settings: Settings) -> Measured:
    """Relative RMS over pairs of 24 angles, at initialization; the same after training in the note."""
    study = kernel_study(settings, "sg")
    low, high = study.widths.index(10), study.widths.index(1000) if 1000 in study.widths else len(study.widths) - 1
    before, after = study.errors.double()
    values = {"m=2, n=1000": float(before[0, high]), "m=2, n=10 over n=1000": float(before[0, low] / before[0, high]),
              "m=20, n=1000": float(before[2, high])}
    note = "" if 1000 in study.widths else f"at n={study.widths[high]} instead of 1000; "
    note += f"after {study.steps} steps: {float(after[0, high]):.3f} (m=2), {float(after[2, high]):.3f} (m=20)"
    return Measured(values, n=study.curves.shape[3], note=note)


def measure_c4(settings: Settings) -> Measured:
    """Control-variate mean at n = 300, k = 1, against the matched kernel and three others."""
    run = ensemble(settings, 1.0, WIDTH)
    others = {name: run.distance(model) for name, model in rivals().items()}
    matched = run.distance()
    ratios = {f"over {name}": matched / other for name, other in others.items()}
    note = "RMS to others: " + ", ".join(f"{name} {other:.3f}" for name, other in others.items())
    note += "; standard error of the mean {:.3f}, without control variate {:.3f}".format(*run.noise)
    return Measured({"RMS": matched} | ratios, n=len(run.f_T), note=note)


def rivals() -> dict[str, Model]:
    """The kernels that a network trained with k = 1 should not follow."""
    return {"k=0.3": Model(k=0.3), "k=4": Model(k=4.0), "NNGP": Model(kind="nngp")}


def measure_c5(settings: Settings) -> Measured:
    """The same with training at k = 0.3."""
    run = ensemble(settings, 0.3, WIDTH)
    matched, other = run.distance(), run.distance(Model(k=1.0))
    return Measured({"RMS": matched, "k=1 over matched": other / matched}, n=len(run.f_T))


def measure_c6(settings: Settings) -> Measured:
    """Control-variate distance at two widths, k = 1."""
    narrow, wide = (ensemble(settings, 1.0, width).distance() for width in (NARROW, WIDTH))
    return Measured({"n=30 over n=300": narrow / wide, "RMS at n=30": narrow, "RMS at n=300": wide},
                    n=settings.size.networks)


def measure_c7(settings: Settings) -> Measured:
    """Mean over test angles of the standard deviation over networks, against the prediction."""
    run = spread_run(settings)
    found, predicted = float(run.f_T.std(0).mean()), float(run.prediction().sd.mean())
    return Measured({"error": abs(found / predicted - 1), "mean sd": found, "predicted": predicted}, n=len(run.f_T))


def measure_c8(settings: Settings) -> Measured:
    """Power of n in the distance of single networks to their own predictions; accuracies on digits beside it."""
    scan, images = single_scan(settings), digits_study(settings)
    power = powerlaw.fit(scan.widths, scan.distance.numpy())
    values = {"slope": float(power.exponents[0])}
    values |= {f"RMS at n={n}": float(value) for n, value in zip(scan.widths, scan.distance, strict=True)}
    accuracies = ", ".join(f"{float(one.mean()):.3f}/{float(all_):.3f} at n={n}" for n, one, all_ in
                           zip(images.widths, images.single, images.ensemble, strict=True))
    note = (f"digits: SG-NTK {images.kernel:.3f}; single networks/ensembles of {images.single.shape[1]}: {accuracies}")
    return Measured(values, n=scan.networks, note=note)


MEASURES = {
    "C1": measure_c1, "C2": measure_c2, "C3": measure_c3, "C4": measure_c4, "C5": measure_c5, "C6": measure_c6,
    "C7": measure_c7, "C8": measure_c8,
}


def measure(settings: Settings) -> dict[str, Measured]:
    """Every claim by its fixed protocol."""
    return lesson.measure(CLAIMS, MEASURES, settings)


def point(settings: Settings) -> Point:
    """The ensemble at the settings' own values, its kernel's prediction, and the naive NTK's diagonal at m."""
    run = run_point(settings)
    return Point(scalars(run) | {"ntk_diagonal": diagonal(
        Model(settings.depth, activation=("erf", settings.m), sw2=settings.sw2, sb2=settings.sb2, kind="ntk"))})


def scalars(run: Run) -> dict[str, float]:
    """Distances, spread and test errors of one run."""
    predicted, wanted = run.prediction(), target(run.t)
    return {
        "distance": run.distance(), "raw_distance": run.raw_distance, "single_distance": run.single_distance,
        "sd": float(run.f_T.std(0).mean()), "predicted_sd": float(predicted.sd.mean()),
        "test_error": rms(run.f_T.mean(0) - wanted), "predicted_test_error": rms(predicted.mean - wanted),
        "train_error": rms(run.f_T_train - target(angles(run.n_train))),
    }
