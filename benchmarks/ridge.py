#!/usr/bin/env python
"""Speed of the exact ridge against scikit-learn and himalaya, all in one run on one BLAS thread.

83 development and 82 test stimuli, 768 features with a falling spectrum, as many targets as NH2015 has voxels; a third
of the targets well, a third weakly and a third not predictable. Every method chooses alpha per target and predicts the
test stimuli; with three repetitions the mean and each repetition are fitted, four columns a target. Times are CPU
seconds, the smallest of the repeats. Ratios above 1 are in favour of auralign. The comparison of predictions is
with the published behaviour for targets that nothing predicts (`unpredictable="published"`), which is scikit-learn's.
"""

import platform
import time
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

import click
import numpy as np
import scipy  # noqa: F401  (its BLAS is listed)
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import KFold
from threadpoolctl import threadpool_info, threadpool_limits

from auralign.estimators.numerics.decomposition import decompose
from auralign.estimators.numerics.ridge_errors import distinct_alphas
from auralign.estimators.ridge import predict_ridge

N, N_TEST, N_UNITS = 83, 82, 768
GRIDS = {"100 alphas (published)": [10.0**k for k in range(49, -51, -1)], "12 alphas": list(np.logspace(-3, 8, 12))}


def cpu_seconds(function: Callable, repeats: int = 1) -> tuple[float, tuple[np.ndarray, np.ndarray]]:
    """Return the smallest CPU time of some calls, and the result (alpha [V], prediction [N_TEST, V])."""
    times = []
    for _ in range(repeats):
        start = time.process_time()
        result = function()
        times.append(time.process_time() - start)
    return min(times), result


def gemm_rate(size: int) -> float:
    """Measure the rate of a large float64 matrix product, in GFLOP per CPU second."""
    a, b = np.random.default_rng(0).standard_normal((2, size, size))
    a @ b
    return 2 * size**3 / min(cpu_seconds(lambda: (a @ b, None))[0] for _ in range(3)) / 1e9


def simulate(targets: int, repetitions: int) -> tuple[np.ndarray, np.ndarray]:
    """Make features [165, 768] and responses [165, columns]: the mean, and single repetitions where there are several.

    The linear part of a target has .5, .05 or 0 of the variance of one repetition.
    """
    random = np.random.default_rng(0)
    x = 10.0 * random.standard_normal((N + N_TEST, N_UNITS)) / np.sqrt(np.arange(1, N_UNITS + 1)) + 1.0
    signal = x @ random.standard_normal((N_UNITS, targets))
    signal = (signal - signal.mean(axis=0)) / signal.std(axis=0)
    share = np.resize([0.5, 0.05, 0.0], targets)
    noise = random.standard_normal((repetitions, N + N_TEST, targets))
    y = np.sqrt(share) * signal + np.sqrt(1.0 - share) * noise
    return x, y[0] if repetitions == 1 else np.hstack([y.mean(axis=0), *y])


def competitors(x: np.ndarray, y: np.ndarray, x_test: np.ndarray, alphas: list[float]) -> dict[str, Callable]:
    """Build what is compared: name -> function that returns (alpha, prediction)."""

    def per_target() -> tuple[np.ndarray, np.ndarray]:
        x_mean = x.mean(axis=0)
        alpha, prediction = [], []
        for column in y.T:
            mean = column.mean()
            model = RidgeCV(alphas=alphas).fit(x - x_mean, column - mean)
            alpha.append(model.alpha_)
            prediction.append(model.predict(x_test - x_mean) + mean)
        return np.array(alpha), np.column_stack(prediction)

    def at_once() -> tuple[np.ndarray, np.ndarray]:
        model = RidgeCV(alphas=alphas, alpha_per_target=True).fit(x, y)
        return model.alpha_, model.predict(x_test)

    def himalaya_ridge() -> tuple[np.ndarray, np.ndarray]:
        from himalaya.ridge import RidgeCV as HimalayaRidgeCV

        model = HimalayaRidgeCV(alphas=alphas, cv=5, fit_intercept=True).fit(x, y)
        return model.best_alphas_, model.predict(x_test)

    def himalaya_kernel(cv: int | KFold) -> tuple[np.ndarray, np.ndarray]:
        from himalaya.kernel_ridge import KernelRidgeCV

        # it has no intercept: centred before, so that leaving out is not exact
        x_mean, y_mean = x.mean(axis=0), y.mean(axis=0)
        model = KernelRidgeCV(alphas=alphas, cv=cv).fit(x - x_mean, y - y_mean)
        return model.best_alphas_, model.predict(x_test - x_mean) + y_mean

    found = {
        "scikit-learn RidgeCV, one fit a target": per_target,
        "scikit-learn RidgeCV(alpha_per_target=True)": at_once,
    }
    if find_spec("himalaya"):
        found |= {
            "himalaya RidgeCV, 5 folds": himalaya_ridge,
            "himalaya KernelRidgeCV, 5 folds": lambda: himalaya_kernel(5),
            "himalaya KernelRidgeCV, LOO, centred before": lambda: himalaya_kernel(KFold(len(x))),
        }
    return found


def describe_machine() -> str:
    """Name the processor, the BLAS libraries and the versions that are compared."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    model = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.machine())
    blas = {f"{b['internal_api']} {b['version']} ({b.get('architecture')})" for b in threadpool_info() if b["version"]}
    versions = []
    for name in ("numpy", "scipy", "scikit-learn", "himalaya"):
        try:
            versions.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            versions.append(f"{name} is not installed (left out; pip install {name})")
    return f"{model}; {', '.join(sorted(blas))}\nPython {platform.python_version()}, {', '.join(versions)}"


def compare(name: str, alphas: list[float], targets: int, repetitions: int, sample: int, repeats: int) -> None:
    """Time one grid and one number of repetitions, and print a line for every method."""
    x, y = simulate(targets, repetitions)
    train, test, columns = slice(0, N), slice(N, None), y.shape[1]
    x, x_test, y = x[train], x[test], y[train]
    # the rate of the processor changes while a benchmark runs
    rate = gemm_rate(2000)

    def ours(rule: str) -> tuple[np.ndarray, np.ndarray]:
        result = predict_ridge(x, y, x_test, alphas, unpredictable=rule)
        return result.alpha, result.prediction

    seconds, (alpha, _) = cpu_seconds(lambda: ours("mean"), repeats)
    published_alpha, published = ours("published")
    distinct = len(distinct_alphas(decompose(x).eigenvalues, np.asarray(alphas)))
    # products: Q'y, one per alpha, and the prediction
    flop = 2.0 * (N - 1) * columns * (N * (distinct + 1) + N_TEST)
    click.echo(
        f"\n{name}, {distinct} of them distinct; {targets} targets"
        f"{f' x (mean + {repetitions} repetitions)' if repetitions > 1 else ''} = {columns} columns"
    )
    click.echo(
        f"  {'auralign':44s} {seconds:9.3f} s   {100 * flop / seconds / 1e9 / rate:.0f} % of the GEMM rate "
        f"({rate:.0f} GFLOP/s); the mean for {100 * np.isinf(alpha).mean():.0f} % of the columns"
    )
    spread = y.std()
    for label, function in competitors(x, y, x_test, alphas).items():
        share = 1.0
        if "one fit" in label:
            function = competitors(x, y[:, :sample], x_test, alphas)[label]
            share = sample / columns
        their_seconds, (their_alpha, theirs) = cpu_seconds(function)
        part = slice(0, theirs.shape[1])
        difference = np.abs(published[:, part] - theirs).max(axis=0) / spread
        click.echo(
            f"  {label:44s} {their_seconds / share:9.3f} s   ratio {their_seconds / share / seconds:6.1f}   "
            f"same alpha {100 * np.isclose(published_alpha[part], their_alpha, rtol=1e-9).mean():3.0f} %   "
            f"difference of predictions: median {np.median(difference):.0e}, largest {difference.max():.0e}"
            f"{f'   (from {sample} columns)' if share < 1 else ''}"
        )


@click.command()
@click.option("--targets", type=click.IntRange(min=6), default=11_065, show_default=True)
@click.option("--sample", type=click.IntRange(min=1), default=50, show_default=True, help="Columns of the plain loop.")
@click.option("--repeats", type=click.IntRange(min=1), default=5, show_default=True, help="Of auralign.")
@click.option("--quick", is_flag=True, help="300 targets and 6 columns of the loop: does it run?")
def main(targets: int, sample: int, repeats: int, quick: bool) -> None:
    """Compare the exact ridge with scikit-learn and himalaya."""
    if quick:
        targets, sample, repeats = 300, 6, 2
    with threadpool_limits(1):
        click.echo(describe_machine())
        click.echo("CPU seconds on one thread; differences in units of the spread of the responses")
        for repetitions in (1, 3):
            for name, alphas in GRIDS.items():
                compare(name, alphas, targets, repetitions, min(sample, targets), repeats)


if __name__ == "__main__":
    main()
