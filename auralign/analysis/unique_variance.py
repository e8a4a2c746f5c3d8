"""What a feature set predicts beyond others: joint models against models without it."""

import pandas as pd

from ..inference.statistics import benjamini_hochberg, corrected_interval, corrected_ttest
from .score_arrays import split_sizes

COLUMNS = [
    "features", "without", "adds", "layer", "estimator", "target", "metric",
    "unique", "low", "high", "t", "df", "p", "p_fdr", "significant",
]  # fmt: skip


def unique_variance(scores: pd.DataFrame, joins: dict[str, list[str]], fdr: float = 0.05) -> pd.DataFrame:
    """Unique r2 of a part = r2(all parts together) - r2(the other part alone), per target, on the same splits.

    For every feature set that joins two others, each of them is taken away in turn. The joint model is a banded ridge,
    which can give a part no share at all, so that a useless part costs little. Differences can be negative: on the test
    stimuli more features may predict worse.

    Parameters
    ----------
    scores : DataFrame
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
    sizes = split_sizes(scores)
    wide = scores.pivot(index="split", columns=["features", "layer", "estimator", "target"], values="r2")
    tables = []
    for name, parts in joins.items():
        if len(parts) != 2:
            continue
        for estimator in scores["estimator"].unique():
            rows, pairs = [], []
            for without, adds in (parts, parts[::-1]):
                layers = _layers_of(scores, without)
                for layer in _layers_of(scores, name):
                    other = layer if len(layers) > 1 else layers[0]
                    for target in scores["target"].unique():
                        rows.append((name, without, adds, layer, estimator, target))
                        pairs.append(((name, layer, estimator, target), (without, other, estimator, target)))
            joint, alone = (wide[[pair[side] for pair in pairs]].to_numpy() for side in (0, 1))
            difference = joint - alone
            t, df, p = corrected_ttest(difference, *sizes)
            low, high = corrected_interval(difference, *sizes, 1.0 - fdr)
            adjusted = benjamini_hochberg(p)
            table = pd.DataFrame(rows, columns=COLUMNS[:6]).assign(
                metric="r2",
                unique=difference.mean(axis=0),
                low=low,
                high=high,
                t=t,
                df=df,
                p=p,
                p_fdr=adjusted,
                significant=adjusted <= fdr,
            )
            tables.append(table[COLUMNS])
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=COLUMNS)


def _layers_of(scores: pd.DataFrame, features: str) -> list[int]:
    return sorted(scores.loc[scores["features"] == features, "layer"].unique())
