#!/usr/bin/env python
"""Speed of the lassos against scikit-learn and celer on one BLAS thread, at the duality gap that each of them reaches.

Two kinds of features: independent units, and units that share few dimensions as those of a network's layer do (singular
values falling as 1 / k), on which coordinate descent is slow. For every solver: seconds for a whole fit (choice of
alpha by 5 inner folds on 50 alphas down to 1e-3 alpha_max, then the final fit), the largest relative duality gap along
its path, and the ratio to ours. Then the fastest competitor at each precision, and what a whole comparison takes.

celer is no dependency: without it (`pip install celer`) only scikit-learn is compared.
"""

import time
import warnings
from collections.abc import Callable

import click
import numpy as np
from sklearn.linear_model import LassoCV, LassoLarsCV, MultiTaskLassoCV
from sklearn.model_selection import KFold
from threadpoolctl import threadpool_limits

from auralign.estimators.lasso import Lasso, alpha_grid, fit_lasso, fit_lassos, relative_gaps, solve_path
from auralign.estimators.multitask_lasso import fit_multitask_lasso, joint_alpha_grid, joint_path, relative_joint_gap
from auralign.estimators.ridge import Ridge
from auralign.questions.encoding.engines import run_julearn
from auralign.questions.preparation import Preparation

try:
    import celer
except ImportError:
    celer = None

N_STIMULI, N_TARGETS, EPS = 83, 6, 1e-3
# gap at which coordinate descent is usually stopped
LOOSE = 1e-3
PRECISIONS = (1e-3, 1e-5, 1e-7, 1e-9)
FOLDS = KFold(5, shuffle=True, random_state=0)


def make_data(kind: str, n_units: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw features [N_STIMULI, n_units] and responses [N_STIMULI, N_TARGETS], half of whose variance is noise."""
    random = np.random.default_rng(0)
    if kind == "independent":
        x = random.standard_normal((N_STIMULI, n_units)) / np.sqrt(np.arange(1, n_units + 1))
        signal = x[:, :8] @ random.standard_normal((8, N_TARGETS))
    else:
        dimensions = random.standard_normal((N_STIMULI, N_STIMULI))
        x = (dimensions / np.arange(1, N_STIMULI + 1)) @ random.standard_normal((N_STIMULI, n_units))
        signal = dimensions[:, :8] @ random.standard_normal((8, N_TARGETS))
    return x, signal / signal.std(axis=0) + random.standard_normal((N_STIMULI, N_TARGETS))


def seconds(function: Callable, repeats: int) -> tuple[float, object]:
    """Return the smallest time of some repeats, and the result."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        result = function()
        times.append(time.perf_counter() - start)
    return min(times), result


def largest_gap(x: np.ndarray, y: np.ndarray, coefs: np.ndarray, alphas: np.ndarray) -> float:
    """Largest relative duality gap of weights [n_units, n_alphas] or [n_targets, n_units, n_alphas], centred data."""
    if y.ndim == 1:
        return float(relative_gaps(x, y, coefs, alphas).max())
    return max(relative_joint_gap(x, y, coefs[:, :, i].T, alpha) for i, alpha in enumerate(alphas))


def gap_along_path(model, x: np.ndarray, y: np.ndarray, alphas: np.ndarray) -> float:
    """Largest gap on the path of a fitted competitor, on all stimuli, by the very function that its folds use.

    The final fit alone would flatter it: the choice of alpha rests on every alpha's solution in every fold.
    """
    x, y = np.asfortranarray(x - x.mean(axis=0)), np.asfortranarray(y - y.mean(axis=0))
    if isinstance(model, LassoLarsCV):
        return largest_gap(x, y, model.coef_[:, None], np.array([model.alpha_]))
    alphas, coefs, _ = model.path(x, y, alphas=alphas, tol=model.tol, max_iter=model.max_iter)
    return largest_gap(x, y, coefs, alphas)


def compare(
    ours: float, competitors: dict[str, Callable], x: np.ndarray, y: np.ndarray, alphas: np.ndarray
) -> list[tuple[float, float, str]]:
    """Time the competitors, print a line for each and the fastest at every precision; return time, gap and name."""
    rows = []
    for name, make in competitors.items():
        duration, model = seconds(lambda: make().fit(x, y), 1)  # noqa: B023
        rows.append((duration, gap_along_path(model, x, y, alphas), name))
        click.echo(f"    {name:40s} {duration:9.4f} s   gap {rows[-1][1]:8.1e}   ratio {duration / ours:7.1f}")
    for precision in PRECISIONS:
        reached = [row for row in rows if row[1] <= precision]
        if reached:
            duration, _, name = min(reached)
            click.echo(f"    fastest with a gap up to {precision:.0e}: {name}, ratio {duration / ours:.1f}")
    return rows


def lasso_competitors(n_alphas: int, quick: bool) -> dict[str, Callable]:
    """Name the estimators that choose alpha on the same grid and folds; LassoLarsCV has its own grid, the knots."""
    options = {"eps": EPS, "n_alphas": n_alphas, "cv": FOLDS}
    found = {"scikit-learn LassoLarsCV": lambda: LassoLarsCV(cv=FOLDS, max_iter=2000)}
    for tol in (1e-4,) if quick else (1e-4, 1e-6):
        passes = 1000 if quick else 100_000
        found[f"scikit-learn LassoCV, tol {tol:g}"] = lambda tol=tol, passes=passes: LassoCV(
            **options, tol=tol, max_iter=passes
        )
    if celer is not None:
        for tol in (1e-4, 1e-6) if quick else (1e-4, 1e-6, 1e-8):
            found[f"celer LassoCV, tol {tol:g}"] = lambda tol=tol: celer.LassoCV(**options, tol=tol, max_iter=1000)
    return found


def joint_competitors(n_alphas: int, quick: bool) -> dict[str, Callable]:
    """Name the estimators that choose one alpha for all targets on the same grid and folds.

    Their passes are limited, for on layer-like units scikit-learn takes hours to converge; the gap says it.
    """
    options = {"eps": EPS, "n_alphas": n_alphas, "cv": FOLDS}
    found = {}
    for passes in (300,) if quick else (1000, 10_000):
        found[f"scikit-learn MultiTaskLassoCV, {passes} passes"] = lambda passes=passes: MultiTaskLassoCV(
            **options, max_iter=passes
        )
    if celer is not None:
        for tol in (1e-4,) if quick else (1e-4, 1e-6):
            found[f"celer MultiTaskLassoCV, tol {tol:g}"] = lambda tol=tol: celer.MultiTaskLassoCV(**options, tol=tol)
    return found


def whole_comparison(x: np.ndarray, y: np.ndarray, n_splits: int) -> None:
    """Time one layer through julearn, ridge and lasso, and say what 4 networks of 10 layers would take."""
    random = np.random.default_rng(1)
    x, y = (
        np.concatenate([values, values + 0.5 * values.std() * random.standard_normal(values.shape)])[:165]
        for values in (x, y)
    )
    orders = [random.permutation(165) for _ in range(n_splits)]
    splits = [(np.sort(order[:83]), np.sort(order[83:])) for order in orders]
    total = 0.0
    for estimator in (Ridge(kind="ridge"), Lasso(kind="lasso")):
        duration, _ = seconds(lambda: run_julearn(x, y, splits, estimator, Preparation()), 1)  # noqa: B023
        total += duration * 10 / n_splits
        click.echo(f"    {estimator.kind:6s} {duration:7.2f} s for {n_splits} splits of 6 targets")
    click.echo(f"    4 networks x 10 layers x 6 targets x 10 splits, on 2 cores: {40 * total / 2 / 60:.1f} minutes")


@click.command()
@click.option("--units", type=click.IntRange(min=10), default=768, show_default=True, help="Features.")
@click.option("--repeats", type=click.IntRange(min=1), default=5, show_default=True, help="Of ours.")
@click.option("--quick", is_flag=True, help="Fewer alphas, tolerances and passes: a minute.")
def main(units: int, repeats: int, quick: bool) -> None:
    """Time the lasso and the multi-task lasso against scikit-learn and celer."""
    n_alphas, repeats = (10, 2) if quick else (50, repeats)
    warnings.simplefilter("ignore")  # competitors that do not converge: the gap says it
    if celer is None:
        click.echo("celer is not installed and not compared.")
    with threadpool_limits(1):
        for kind in ("independent", "layer-like"):
            x, y = make_data(kind, units)
            click.echo(f"{kind} units, {N_STIMULI} x {units}")
            options, centred = {"n_alphas": n_alphas, "eps": EPS}, (x - x.mean(axis=0), y - y.mean(axis=0))
            ours, _ = seconds(lambda: fit_lasso(x, y[:, 0], **options), repeats)  # noqa: B023
            alphas = alpha_grid(centred[0], centred[1][:, 0], **options)
            gap = solve_path(centred[0], centred[1][:, 0], alphas)[1].max()
            click.echo(f"  lasso of one target\n    {'auralign':40s} {ours:9.4f} s   gap {gap:8.1e}")
            compare(ours, lasso_competitors(n_alphas, quick), x, y[:, 0], alphas)
            together, _ = seconds(lambda: fit_lassos(x, y, **options), repeats)  # noqa: B023
            each = together / N_TARGETS
            click.echo(
                f"    {N_TARGETS} targets together: {each:.4f} s each, {ours / each:.1f} times faster than alone"
            )
            ours, _ = seconds(lambda: fit_multitask_lasso(x, y, **options), repeats)  # noqa: B023
            alphas = joint_alpha_grid(*centred, **options)
            gap = max(gap for *_, gap in joint_path(*centred, alphas))
            click.echo(
                f"  multi-task lasso of {N_TARGETS} targets\n    {'auralign':40s} {ours:9.4f} s   gap {gap:8.1e}"
            )
            # like with like: a competitor that stops at a loose gap is compared with ours that does so, too
            loose, _ = seconds(lambda: fit_multitask_lasso(x, y, tolerance=LOOSE, **options), repeats)  # noqa: B023
            gap = max(gap for *_, gap in joint_path(*centred, alphas, LOOSE))
            click.echo(f"    {f'auralign, tolerance {LOOSE:g}':40s} {loose:9.4f} s   gap {gap:8.1e}")
            rows = compare(ours, joint_competitors(n_alphas, quick), x, y, alphas)
            reached = [duration for duration, gap, _ in rows if gap <= LOOSE]
            if reached:
                click.echo(f"    fastest with a gap up to {LOOSE:g} to ours of that: ratio {min(reached) / loose:.1f}")
        click.echo("one layer through julearn")
        whole_comparison(x, y, 2 if quick else 10)


if __name__ == "__main__":
    main()
