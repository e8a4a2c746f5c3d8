"""The layer of every split, chosen inside its development stimuli and read on its test stimuli."""

import pandas as pd

from ..errors import DataError


def choose_layers(scores: pd.DataFrame, features: str, estimator: str) -> pd.DataFrame:
    """Choose the layer of every target and split by `r2_dev`, without the test stimuli; of equal ones the first.

    What is read off the chosen rows on the test stimuli is free of the optimism of a choice by the same scores, and
    does not profit from the number of layers: sets of unequal depth can be compared. The choice is that of
    `layer_choice.nested_choice`.

    Parameters
    ----------
    scores : DataFrame
        One row per features x layer x target x estimator x split.
    features, estimator : str

    Returns
    -------
    DataFrame
        The chosen rows, one per target and split.

    Raises
    ------
    DataError
        There is no `r2_dev`, or it is undefined for every layer of a target and split.
    """
    if "r2_dev" not in scores:
        raise DataError(
            "the scores have no column `r2_dev` (r2 inside the development stimuli), by which layers are chosen: they "
            "are those of an earlier version. Run `auralign run` again."
        )
    rows = scores[(scores["features"] == features) & (scores["estimator"] == estimator)]
    chosen = rows.sort_values(["r2_dev", "layer"], ascending=[False, True]).drop_duplicates(["target", "split"])
    undefined = chosen["r2_dev"].isna()
    if undefined.any():
        first = chosen[undefined].iloc[0]
        raise DataError(
            f"{features}, {estimator}: `r2_dev` is undefined in every layer for {int(undefined.sum())} pairs of target "
            f"and split, such as target {first['target']!r}, split {first['split']}; no layer can be chosen."
        )
    return chosen


def nested_scores(scores: pd.DataFrame, features: str, estimator: str, metric: str) -> pd.DataFrame:
    """Read the test scores at the layers of `choose_layers`: index split (ascending), columns target.

    Raises
    ------
    DataError
        Also where there is no such metric.
    """
    if metric not in scores:
        raise DataError(f"the scores have no column {metric!r}; those corrected for noise need repetitions.")
    return choose_layers(scores, features, estimator).pivot(index="split", columns="target", values=metric)


def most_chosen(scores: pd.DataFrame, features: str, estimator: str) -> pd.Series:
    """Find the layer that the splits of every target choose most often, the lowest of equals; index target."""
    chosen = choose_layers(scores, features, estimator)
    counts = chosen.groupby(["target", "layer"]).size().unstack(fill_value=0).sort_index(axis=1)
    return counts.idxmax(axis=1)
