"""How cost grows with each lesson's main size, beside what theory says.

CPU time of a lesson's core at four sizes, each the double of the one before; the exponent is the slope of a line
through the logarithms, and beside it that of the last doubling alone. A user who plans a larger run multiplies the
lesson's time (`gradscape run` prints it) by the ratio of sizes to this power. Exponents below theory mean that at these
sizes the fixed cost of calls still counts.
"""
from __future__ import annotations

import gc
import math
import statistics
import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from gradscape.credit.noprop.blocks import DenoisingBlocks
from gradscape.credit.recoding.model import LSTMLanguageModel
from gradscape.credit.recoding.recoder import Recoder
from gradscape.credit.rectified_ste.stack import Arm, BinaryStack
from gradscape.credit.rectified_ste.training import momentum_step
from gradscape.credit.surrogate_ntk import kernels
from gradscape.diffusion import project_guidance
from gradscape.diffusion.concentration import ridge_classifier
from gradscape.diffusion.noise2score.network import ScoreNet, score_map
from gradscape.diffusion.score_estimation.kernel import KernelPath
from gradscape.distributed import econtrol, error_feedback
from gradscape.distributed import gradient_coding as coding
from gradscape.distributed.compressors import TopK
from gradscape.distributed.gradient_coding.schemes import make
from gradscape.distributed.workers import DelayModel, DelayTrace
from gradscape.dynamics.bandlimited.networks import solve_readout
from gradscape.dynamics.bayes_optimal import J
from gradscape.dynamics.high_dimensional.simulation import simulate
from gradscape.dynamics.high_dimensional.theory import LinearTask
from gradscape.dynamics.multiscale_descent.dynamics import exact_dynamics, modes_of
from gradscape.dynamics.multiscale_descent.theory import TwoScale
from gradscape.dynamics.sgd_noise.networks import MeanFieldMLP
from gradscape.dynamics.sgd_noise.training import train_grid
from gradscape.ensemble import cross_entropy, fit
from gradscape.optimizers import DiffGrad, adaptive_batch
from gradscape.optimizers.anyloss import LossSpec, fit_linear
from gradscape.optimizers.gradient_normalized import gns_minimize
from gradscape.optimizers.gradient_normalized.experiments import random_logsumexp
from gradscape.optimizers.gradient_normalized.problems import LogSumExp
from gradscape.recovery.blind_calibration import calibrate, calibration_problem
from gradscape.recovery.robust_matrix import make_problem, random_start, subgm
from gradscape.robustness.bidirectional import BidirectionalMLP, train_bidirectional
from gradscape.robustness.bitplanes import gradient_score, patch_grid
from gradscape.robustness.input_gradients.gradients import input_gradient
from gradscape.robustness.input_gradients.training import network
from side_by_side import TINY, goal, shown, size, table

Job = Callable[[], object]
REPEATS, STEPS = size(5, 1), 5
SYSTEM = 0.15  # share of the system's own time from which it is named as the cause
FASTER = 0.5  # an exponent this much above theory's is named


class Case(NamedTuple):
    """``job(n)`` prepares everything and returns what is timed; ``exponent`` is theory's, for the reason ``why``."""

    lesson: str
    name: str
    smallest: int
    exponent: float
    why: str
    job: Callable[[int], Job]


def draw(*shape: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0), dtype=dtype)


def labels(n: int) -> torch.Tensor:
    return torch.arange(n) % 10


def multiscale(n: int) -> Job:
    def job() -> None:
        modes_of.cache_clear()
        exact_dynamics(TwoScale(int(1.3 * n), n, n // 2, 100.0), torch.logspace(0, 4, 20, dtype=torch.float64), (0,))
    return job


def noise(runs: int) -> Job:
    x, y = draw(64, 16), torch.where(draw(64) < 0, -1.0, 1.0)
    rows = torch.arange(64).expand(runs, 64)
    net = MeanFieldMLP(16, 64, 2)
    return lambda: train_grid(x, y, x, y, net, torch.full((runs,), 0.01), torch.full((runs,), 2.0**-10), range(runs),
                              rows, max_steps=4 * STEPS)


def diffgrad(n: int) -> Job:
    params = [torch.nn.Parameter(draw(n, 1000))]
    params[0].grad = draw(n, 1000)
    return DiffGrad(params).step


def ghost(n: int) -> Job:
    model = torch.nn.Sequential(torch.nn.Linear(784, 32), torch.nn.ReLU(), torch.nn.Linear(32, 10))
    x = draw(n, 784)
    return lambda: adaptive_batch.ghost_stats(model, torch.nn.functional.cross_entropy, x, labels(n))


def newton(n: int) -> Job:
    stack = random_logsumexp(n, 1.0, 0, 1)
    problem = LogSumExp(stack.A[0], stack.b[0], 1.0, centre=False)
    start = torch.ones(n, dtype=torch.float64)
    return lambda: gns_minimize(problem, start, metric=stack.gram[0], max_iter=STEPS)


def coded(n: int) -> Job:
    delays = DelayModel().sample(100, n, torch.Generator().manual_seed(0))
    trace = delays if isinstance(delays, DelayTrace) else DelayTrace(delays)
    s = n // 10
    return lambda: coding.simulate(make("gc", n, (s,)), trace.adjusted((s + 1) / n, 5.0), jobs=80)


def clients(n: int) -> Job:
    problem = error_feedback.nonconvex_least_squares(n, 20, 10, 1.0)
    x = draw(20, dtype=torch.float64)
    return lambda: error_feedback.run(problem, "ef21", 1e-3, TopK(1), 4 * STEPS, x, record_every=4 * STEPS)


def controlled(n: int) -> Job:
    problem = econtrol.koloskova_quadratic(n, 100, 10.0, list(range(10)))
    return lambda: econtrol.run(problem, "econtrol", 1e-3, 4 * STEPS, eta=0.1, compressor=TopK(10),
                                x0=problem.x_star + 1.0, seeds=range(10), record_every=4 * STEPS)


def blocks(T: int) -> Job:
    made, x, z = DenoisingBlocks(T, 64, 10, 10, 64, dropout=0.0), draw(128, 64), draw(T, 128, 10)
    return lambda: made(z, x).square().mean().backward()


def binary(n: int) -> Job:
    net, x = BinaryStack(64, 64, 2, 10, [Arm()] * n, generators=range(n)), draw(128, 64)
    return lambda: fit(net, (x, labels(128)), loss=cross_entropy, update=momentum_step, steps=STEPS, lr=1e-3)


def recoded(n: int) -> Job:
    recoder = Recoder(LSTMLanguageModel(40).eval()).eval()
    x = torch.randint(40, (n, 8), generator=torch.Generator().manual_seed(0))

    def job() -> None:
        state, g = recoder.model.start(n), torch.Generator().manual_seed(0)
        for t in range(7):
            state = recoder.advance(x[:, t], x[:, t + 1], state, True, g)[1]
    return lambda: torch.no_grad()(job)()


def factors(d: int) -> Job:
    problem = make_problem(d, 2, 30 * d, noise="outlier", seed=0)
    start = random_start(problem, 4, 0.1, torch.Generator().manual_seed(1))
    subgm(problem, start, steps=1, eta0=0.1, rho=0.99)  # folds the measurements once
    return lambda: subgm(problem, start, steps=4 * STEPS, eta0=0.1, rho=0.99, record_every=4 * STEPS)


def gains(n: int) -> Job:
    problem = calibration_problem(n, n, 8, 0.5, seed=0)
    return lambda: calibrate(problem.A, problem.y, max_iter=4 * STEPS, tol=1e-300, record_every=4 * STEPS)


def both_ways(n: int) -> Job:
    net, X = BidirectionalMLP((784, 16, 10), seeds=range(n)), torch.sigmoid(draw(500, 784))
    return lambda: train_bidirectional(net, X, labels(500), "bl", iters=STEPS, batch=100, seeds=range(n))


def saliency(n: int) -> Job:
    net, x = network((196, 64, 64, 10), range(n)), draw(200, 196)
    return lambda: input_gradient(net.forward, x)


def planes(n: int) -> Job:
    images = np.random.default_rng(0).integers(0, 256, (n, 64, 64, 3), dtype=np.uint8)
    return lambda: gradient_score(patch_grid(images, 16))


def points(n: int) -> Job:
    angle = 2 * math.pi * torch.arange(n, dtype=torch.float64) / n
    X = torch.stack([angle.cos(), angle.sin()], 1)
    return lambda: kernels(X, X, 3, ("erf", 2.0))


def guided(n: int) -> Job:
    a, b = draw(n, 196), torch.tanh(draw(n, 196))
    return lambda: project_guidance(a, b, 4.0, 0.0, 2.5)


def image(side: int) -> Job:
    net, y = ScoreNet(), draw(1, 1, side, side)
    return lambda: score_map(net, y)


def ridge(d: int) -> Job:
    X = draw(10, 200, d, dtype=torch.float64)
    return lambda: ridge_classifier(X, 0.1)


def readout(n: int) -> Job:
    H, y = draw(2 * n, n, dtype=torch.float64).numpy(), draw(2 * n, dtype=torch.float64).numpy()
    return lambda: solve_readout(H, y)


def path(n: int) -> Job:
    Z, Y = draw(n, 4, dtype=torch.float64), draw(n, 2, dtype=torch.float64)
    return lambda: KernelPath(Z, Y)


def losses(n: int) -> Job:
    x, y = draw(1, n, 10, dtype=torch.float64), (draw(1, n) > 0).double()
    return lambda: fit_linear(x, y, [LossSpec("fbeta"), LossSpec("bce")], iterations=4 * STEPS)


CASES = (
    Case("high_dimensional", "weights N", 100, 3, "one decomposition",
         lambda n: lambda: simulate(LinearTask(2.0, 1.0, 0.25), n, [1.0, 10.0], seeds=[0])),
    Case("multiscale_descent", "features d", 60, 3, "one decomposition", multiscale),
    Case("sgd_noise", "runs", 40, 1, "each run for itself", noise),
    Case("bayes_optimal", "noise levels", 100, 1, "each level for itself",
         lambda n: lambda: J(np.logspace(-1, 2, n), 0.5)),
    Case("bandlimited", "width n (2n points)", 60, 3, "one decomposition", readout),
    Case("diffgrad", "thousand parameters", 250, 1, "each entry once", diffgrad),
    Case("adaptive_batch", "batch b", 500, 1, "two products a sample", ghost),
    Case("gradient_normalized", "unknowns n", 100, 3, "one factorization a trial", newton),
    Case("anyloss", "rows", 2000, 1, "each row once a step", losses),
    Case("gradient_coding", "workers n", 128, 1, "each worker once a round", coded),
    Case("error_feedback", "clients n", 400, 1, "each client once a round", clients),
    Case("econtrol", "clients n", 40, 1, "each client once a round", controlled),
    Case("noprop", "blocks T", 10, 1, "each block for itself", blocks),
    Case("rectified_ste", "networks", 6, 1, "each network for itself", binary),
    Case("surrogate_ntk", "points P", 150, 2, "each pair of points", points),
    Case("recoding", "sentences", 300, 1, "each sentence for itself", recoded),
    Case("score_estimation", "examples n", 150, 3, "one decomposition", path),
    Case("noise2score", "side of the image", 64, 2, "each pixel once", image),
    Case("concentration", "pixels d", 50, 2, "a product of rows with rows", ridge),
    Case("projected_guidance", "images", 500, 1, "each image for itself", guided),
    Case("input_gradients", "networks", 10, 1, "each network for itself", saliency),
    Case("bidirectional", "networks", 5, 1, "each network for itself", both_ways),
    Case("bitplanes", "images", 40, 1, "each patch once", planes),
    Case("robust_matrix", "rows d (30d measurements)", 10, 3, "30 d products of d² entries", factors),
    Case("blind_calibration", "sensors and pixels", 60, 2, "each entry of the masks a step", gains),
)


def spent(job: Job) -> float:
    """Median CPU seconds of a call."""
    job()
    gc.collect()
    times = []
    for _ in range(REPEATS):
        began = time.process_time()
        job()
        times.append(time.process_time() - began)
    return max(statistics.median(times), 1e-9)


def because(job: Job) -> str:
    """Why the last doubling costs more than theory says, as far as the system's own clock tells."""
    import resource  # not on Windows

    job()
    before = resource.getrusage(resource.RUSAGE_SELF)
    for _ in range(REPEATS):
        job()
    after = resource.getrusage(resource.RUSAGE_SELF)
    kernel, own = after.ru_stime - before.ru_stime, after.ru_utime - before.ru_utime
    if kernel < SYSTEM * (kernel + own):
        return "not the system's time; caches, or other work on the machine"
    faults = (after.ru_minflt - before.ru_minflt) / REPEATS
    return (f"{kernel / (kernel + own):.0%} of the time at the largest size is the system's, clearing fresh pages for "
            f"large temporaries ({faults:.0f} page faults a call)")


def main() -> None:
    torch.set_num_threads(1)
    rows, fast = [], []
    for case in CASES:
        sizes = [case.smallest * 2**k for k in range(size(4, 2))]
        if TINY:
            sizes = [max(2, case.smallest // 5 // 2) * 2, max(2, case.smallest // 5 // 2) * 4]
        torch.manual_seed(0)
        times = [spent(case.job(n)) for n in sizes]
        slope = float(np.polyfit(np.log(sizes), np.log(times), 1)[0])
        last = math.log2(times[-1] / times[-2])
        if last > case.exponent + FASTER:
            fast.append((case.lesson, last, case.exponent, because(case.job(sizes[-1]))))
        rows.append((case.lesson, case.name, f"{sizes[0]} to {sizes[-1]}", f"{shown(times[0])} to {shown(times[-1])}",
                     f"{slope:.2f}", f"{last:.2f}", f"{case.exponent:g}", case.why))
    table(("lesson", "size", "from, to", "time", "exponent", "last doubling", "theory", "because"), rows)
    for lesson, last, exponent, cause in fast:
        goal(f"{lesson}: exponent of the last doubling", last, exponent + FASTER, "", most=True, cause=cause)


if __name__ == "__main__":
    main()
