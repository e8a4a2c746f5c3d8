#!/usr/bin/env python
"""Intervals of noise ceilings: how often they cover the truth in simulations, and what they cost.

Usage: python benchmarks/ceiling_intervals.py
"""

import time

import click
import numpy as np

from auralign.scoring.ceilings import spearman_brown
from auralign.scoring.noise_ceilings import noise_ceiling

KINDS = ("normal", "heavy-tailed", "skewed")
CORRELATIONS = (0.05, 0.3, 0.7)
INTERVALS = ("jackknife", "bootstrap")


def drawn(kind: str, random: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Numbers of mean 0 and variance 1: normal, of t with 5 degrees of freedom, exponential."""
    if kind == "normal":
        return random.standard_normal(shape)
    return (
        random.standard_t(5, shape) / np.sqrt(5 / 3) if kind == "heavy-tailed" else random.exponential(size=shape) - 1
    )


def simulated(kind: str, r: float, shape: tuple[int, int, int], random: np.random.Generator) -> np.ndarray:
    """Responses [stimulus, target, repetition], any two repetitions of which correlate r in the population."""
    signal, noise = drawn(kind, random, (*shape[:2], 1)), drawn(kind, random, shape)
    return np.sqrt(r) * signal + np.sqrt(1 - r) * noise


def covers(y: np.ndarray, true: float) -> dict[str, float]:
    """Share of the targets whose interval holds the truth, by interval."""
    shares = {}
    for interval in INTERVALS:
        found = noise_ceiling(y, interval=interval)
        shares[interval] = float(np.mean((found["ceiling_low"] <= true) & (true <= found["ceiling_high"])))
    return shares


def with_gaps(y: np.ndarray, share: float, random: np.random.Generator) -> tuple[np.ndarray, float]:
    """Take a share of the repetitions out, alike for all targets, but leave each stimulus one; also mean 1 / number."""
    missing = random.random((len(y), 1, y.shape[2])) < share
    back = random.integers(y.shape[2], size=(len(y), 1, 1)) == np.arange(y.shape[2])
    missing &= ~(missing.all(axis=2, keepdims=True) & back)
    return np.where(missing, np.nan, y), float(np.mean(1 / (~missing[:, 0]).sum(axis=1)))


@click.command(help=__doc__)
@click.option("--targets", type=click.IntRange(min=100), default=3000, show_default=True, help="Simulated per line.")
def main(targets: int) -> None:
    """Print the range of coverage by kind of responses, and CPU seconds for 30,000 voxels."""
    random = np.random.default_rng(0)
    for kind in KINDS:
        complete, gaps = [], []
        for n, n_repetitions in ((165, 3), (165, 2), (83, 3), (83, 2)):
            for r in (*CORRELATIONS, 0.97):
                y = simulated(kind, r, (n, targets, n_repetitions), random)
                if r in CORRELATIONS:
                    complete.append(covers(y, float(spearman_brown(np.array(r), n_repetitions))))
                lacking, inverse = with_gaps(y[:, : targets // 3], 0.3 if n_repetitions == 3 else 0.2, random)
                gaps.append(covers(lacking, r / (r + (1 - r) * inverse)))
        for what, shares in (("complete", complete), ("repetitions missing", gaps)):
            texts = [f"{i} {min(s[i] for s in shares):.1%} to {max(s[i] for s in shares):.1%}" for i in INTERVALS]
            click.echo(f"{kind}, {what}: {'; '.join(texts)}")
    y = simulated("normal", 0.3, (165, 30_000, 3), random)
    for name, options in (("none", {"n_draws": 0}), *((name, {"interval": name}) for name in INTERVALS)):
        started = time.process_time()
        noise_ceiling(y, **options)
        click.echo(f"30,000 voxels x 165 stimuli x 3, interval {name}: {time.process_time() - started:.2f} s of CPU")


if __name__ == "__main__":
    main()
