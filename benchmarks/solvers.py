#!/usr/bin/env python
"""Speed of the exact solvers against scikit-learn, on one thread, at the size of the study.

Prints, for 83 development stimuli, 768 units and the targets named below: seconds, the ratio to scikit-learn in the
same run, and the largest difference between both predictions.
"""

import time
from collections.abc import Callable

import click
import numpy as np
from sklearn.linear_model import LassoCV, RidgeCV
from sklearn.model_selection import KFold
from threadpoolctl import threadpool_limits

from auralign.lasso import fit_lasso
from auralign.ridge import fit_ridge

N_STIMULI, N_UNITS, N_TEST = 83, 768, 82


def seconds(function: Callable, repeats: int) -> tuple[float, np.ndarray]:
    """Return the smallest time of some repeats, and the result."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        result = function()
        times.append(time.perf_counter() - start)
    return min(times), result


def report(name: str, ours: tuple[float, np.ndarray], theirs: tuple[float, np.ndarray], share: float = 1.0) -> None:
    """Print one line; `share` is the part of the targets that the competitor was run on."""
    difference = np.abs(ours[1][:, : theirs[1].shape[1]] - theirs[1]).max() / ours[1].std()
    click.echo(
        f"{name:58s} {ours[0]:9.4f} s   scikit-learn {theirs[0] / share:9.3f} s   "
        f"ratio {theirs[0] / share / ours[0]:7.1f}   difference {difference:.1e} of the spread"
    )


@click.command()
@click.option("--targets", type=click.IntRange(min=6), default=1000, show_default=True, help="Of the larger ridge.")
@click.option("--repeats", type=click.IntRange(min=1), default=3, show_default=True)
def main(targets: int, repeats: int) -> None:
    """Time ridge and lasso against scikit-learn."""
    random = np.random.default_rng(0)
    # units with a falling spectrum, like a layer's
    scale = 1.0 / np.sqrt(np.arange(1, N_UNITS + 1))
    x, x_test = random.standard_normal((N_STIMULI, N_UNITS)) * scale, random.standard_normal((N_TEST, N_UNITS)) * scale
    signal = random.standard_normal((8, targets))
    y = x[:, :8] @ signal + random.standard_normal((N_STIMULI, targets))
    alphas = np.logspace(-3, 8, 12)
    with threadpool_limits(1):
        for count, sample in ((6, 6), (targets, min(targets, 50))):
            ours = seconds(lambda: fit_ridge(x, y[:, :count], alphas).predict(x_test), repeats)  # noqa: B023
            theirs = seconds(
                lambda: np.column_stack(
                    [RidgeCV(alphas).fit(x, y[:, k]).predict(x_test) for k in range(sample)]  # noqa: B023
                ),
                1,
            )
            report(f"ridge, LOO, 12 alphas, {count} targets / one fit a target", ours, theirs, sample / count)
            theirs = seconds(
                lambda: RidgeCV(alphas, alpha_per_target=True).fit(x, y[:, :count]).predict(x_test),  # noqa: B023
                1,
            )
            report(f"ridge, LOO, 12 alphas, {count} targets / alpha_per_target", ours, theirs)
        folds = KFold(5, shuffle=True, random_state=0)
        ours = seconds(lambda: np.column_stack([fit_lasso(x, y[:, k]).predict(x_test) for k in range(2)]), repeats)
        for tolerance in (1e-4, 1e-8):
            theirs = seconds(
                lambda: np.column_stack(
                    [
                        LassoCV(eps=1e-3, n_alphas=50, cv=folds, tol=tolerance, max_iter=100_000)  # noqa: B023
                        .fit(x, y[:, k])
                        .predict(x_test)
                        for k in range(2)
                    ]
                ),
                1,
            )
            report(f"lasso, 5 folds, 50 alphas, 2 targets (tol {tolerance:g})", ours, theirs)


if __name__ == "__main__":
    main()
