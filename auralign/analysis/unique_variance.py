"""What a feature set predicts beyond others: joint models against models without it."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from ..inference.statistics import benjamini_hochberg, corrected_interval, corrected_ttest
from .score_arrays import Model, Scores, as_scores, split_sizes

COLUMNS = [
    "features", "without", "adds", "layer", "estimator", "target", "metric",
    "unique", "low", "high", "t", "df", "p", "p_fdr", "significant",
]  # fmt: skip


def unique_variance(scores: Scores | pd.DataFrame, joins: dict[str, list[str]], fdr: float = 0.05) -> pd.DataFrame:
    """Unique r2 of a part = r2(all parts together) - r2(the other part alone), per target, on the same splits.

    For every feature set that joins two others, each of them is taken away in turn. The joint model is a banded ridge,
    which can give a part no share at all, so that a useless part costs little. Differences can be negative: on the test
    stimuli more features may predict worse.

    Parameters
    ----------
    scores : Scores, or DataFrame
        One row per features x layer x target x estimator x split.
    joins : dict of str to list of str
        The parts of every joined feature set; sets of more than two have no row (join the others beside them, and
        test).
    fdr : float
        False discovery rate; 1 - fdr is the level of the intervals.

    Returns
    -------
    DataFrame
        Columns `COLUMNS`: `unique` is the mean over splits of the difference that `adds` makes to `without`. Interval
        (level 1 - fdr) and p are both two-sided and of one corrected resampled t-test: p < fdr exactly where the
        interval excludes 0. `p_fdr` controls the false discovery rate over all rows of one joined set and estimator;
        `significant` is p_fdr <= fdr, so that every significant row has an interval without 0. Its sign tells which
        way: below 0 the part makes predictions worse.
    """
    scores = as_scores(scores)
    sizes = split_sizes(scores)
    tables = []
    for name, parts in joins.items():
        if len(parts) != 2:
            continue
        for estimator in dict.fromkeys(model.estimator for model in scores.models):
            together, rows = scores.model(name, estimator), []
            for without, adds in (parts, parts[::-1]):
                alone = scores.model(without, estimator)
                for layer in together.layers:
                    other = layer if len(alone.layers) > 1 else alone.layers[0]
                    head = {"features": name, "without": without, "adds": adds, "layer": layer, "estimator": estimator}
                    rows += [head | own for own in _of_layer(scores, (together, layer), (alone, other), sizes, fdr)]
            table = pd.concat([pd.DataFrame(own) for own in rows], ignore_index=True)
            adjusted = benjamini_hochberg(table["p"].to_numpy())
            tables.append(table.assign(metric="r2", p_fdr=adjusted, significant=adjusted <= fdr)[COLUMNS])
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=COLUMNS)


def _of_layer(
    scores: Scores,
    joint: tuple[Model, int],
    alone: tuple[Model, int],
    sizes: tuple[np.ndarray, np.ndarray],
    fdr: float,
) -> Iterator[dict[str, np.ndarray | int]]:
    """Test the difference of two layers for all targets, some at a time."""
    for part in scores.parts:
        (first,), (second,) = (scores.read(model, ["r2"], part, [layer])["r2"] for model, layer in (joint, alone))
        # target by target along the memory: the same to the last digit however many targets there are
        difference = np.ascontiguousarray((first - second).T).T
        t, df, p = corrected_ttest(difference, *sizes)
        low, high = corrected_interval(difference, *sizes, 1.0 - fdr)
        targets = scores.targets[scores.own(part)].astype(object)
        yield {
            "target": targets, "unique": difference.mean(axis=0), "low": low, "high": high, "t": t, "df": df, "p": p,
        }  # fmt: skip
