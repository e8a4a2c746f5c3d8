#!/usr/bin/env python
"""The bootstraps of this project against `scipy.stats.bootstrap`: CPU seconds on one thread, best of some runs.

Usage: python benchmarks/bootstrap.py
"""

import time
from collections.abc import Callable

import click
import numpy as np
from scipy.stats import bootstrap

from auralign.inference.resampling import paired_bootstrap
from auralign.scoring.noise_ceilings import noise_ceiling

N_STIMULI, N_REPETITIONS, N_SUBJECTS = 165, 3, 8


def seconds(function: Callable[[], object], runs: int = 5) -> float:
    """CPU time of the fastest of some calls."""
    best = np.inf
    for _ in range(runs):
        started = time.process_time()
        function()
        best = min(best, time.process_time() - started)
    return best


def reliability(*repetitions: np.ndarray, axis: int = -1) -> np.ndarray:
    """What `noise_ceiling` estimates, as a statistic for scipy: R/(R - 1) (1 - sum of variances / variance of sum)."""
    y, n = np.stack(repetitions), len(repetitions)
    return n / (n - 1) * (1 - y.var(axis=axis).sum(axis=0) / y.sum(axis=0).var(axis=axis))


@click.command(help=__doc__)
def main() -> None:
    """Print one line per size."""
    random = np.random.default_rng(0)
    for n_targets in (1, 6, 100, 300):
        y = random.standard_normal((N_STIMULI, n_targets, N_REPETITIONS))
        samples = tuple(np.moveaxis(y, (0, 2), (2, 0)))  # per repetition [targets, stimuli]
        options = {"paired": True, "vectorized": True, "method": "percentile", "n_resamples": 1000, "batch": 50}
        ours = seconds(lambda y=y: noise_ceiling(y, 1000, interval="bootstrap"))
        theirs = seconds(lambda s=samples, o=options: bootstrap(s, reliability, axis=-1, **o), 2)
        click.echo(f"noise ceiling, {n_targets} targets: {ours:.4f} s, scipy {theirs:.4f} s, {theirs / ours:.1f} times")
    for n_rows in (1, 6, 100):
        a, b = random.standard_normal((2, N_SUBJECTS, n_rows))
        ours = seconds(lambda a=a, b=b: paired_bootstrap(a, b))
        theirs = seconds(lambda d=a - b: bootstrap((d,), np.mean, axis=0, method="BCa", n_resamples=10_000))
        click.echo(
            f"over subjects, {n_rows} rows: studentised interval and p {ours:.4f} s; scipy's BCa interval alone "
            f"{theirs:.4f} s, {theirs / ours:.1f} times"
        )


if __name__ == "__main__":
    main()
