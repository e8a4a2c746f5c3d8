"""The `tests` of a comparison: which rows of the scores each pairs, and the table of what came out."""

import numpy as np
import pandas as pd

from ..config import Selector, Test
from ..errors import ConfigError
from ..statistics import benjamini_hochberg, corrected_interval, corrected_ttest, standardised_effect

KEYS = ["features", "layer", "estimator"]
COLUMNS = ["test", "metric", "a", "b", "target", "difference", "t", "df", "p", "p_fdr", "significant"]
DETAILS = [
    "a_features",
    "a_layer",
    "a_estimator",
    "b_features",
    "b_layer",
    "b_estimator",
    "a_mean",
    "b_mean",
    "n_splits",
    "low",
    "high",
    "effect",
]


def _select(summary: pd.DataFrame, selector: Selector, metric: str) -> pd.DataFrame:
    """Return the rows (features, layer, estimator, target) that a selector names.

    `layer: best` is, for each target, features and estimator, the layer with the highest median over splits: a choice
    on the test scores, which is optimistic by the same rule on both sides.
    """
    rows = summary
    if selector.features is not None:
        rows = rows[rows["features"] == selector.features]
    if selector.estimator is not None:
        rows = rows[rows["estimator"] == selector.estimator]
    if isinstance(selector.layer, int):
        rows = rows[rows["layer"] == selector.layer]
    elif selector.layer == "best":
        rows = rows.sort_values(f"{metric}_median", ascending=False, kind="stable")
        rows = rows.drop_duplicates(["features", "estimator", "target"])
    return rows[[*KEYS, "target"]]


def _pairs(summary: pd.DataFrame, test: Test) -> pd.DataFrame:
    """Pair the rows of both sides: equal in the target and in every key that neither side fixes; none with itself."""
    fixed = {key for key in KEYS if getattr(test.a, key) is not None or getattr(test.b, key) is not None}
    shared = [key for key in KEYS if key not in fixed] + ["target"]
    left, right = (_select(summary, side, test.metric) for side in (test.a, test.b))
    left = left.rename(columns={key: f"a_{key}" for key in fixed})
    right = right.rename(columns={key: f"b_{key}" for key in fixed})
    pairs = left.merge(right, on=shared, how="inner", sort=False)
    for key in KEYS:
        if key not in fixed:
            pairs[f"a_{key}"] = pairs[f"b_{key}"] = pairs[key]
    itself = np.logical_and.reduce([pairs[f"a_{key}"] == pairs[f"b_{key}"] for key in KEYS])
    return pairs[~itself].reset_index(drop=True)


def check_tests(tests: list[Test], layers: dict[str, list[int]], corrected: bool) -> None:
    """Refuse a test of a layer or of a score that there will not be, before anything is computed.

    Parameters
    ----------
    tests : list of Test
    layers : dict of str to list of int
        The layers of every feature set of the comparison.
    corrected : bool
        Whether there are noise-corrected scores.

    Raises
    ------
    ConfigError
    """
    for number, test in enumerate(tests):
        if test.metric not in ("r2", "r2_corr") and not corrected:
            raise ConfigError(
                f"tests[{number}].metric: {test.metric} is corrected for noise, which needs responses with repetitions "
                "and `noise_correction: auto`; use r2 or r2_corr."
            )
        for side in ("a", "b"):
            selector = getattr(test, side)
            names = [selector.features] if selector.features is not None else list(layers)
            if isinstance(selector.layer, int) and not any(selector.layer in layers[name] for name in names):
                raise ConfigError(
                    f"tests[{number}].{side}.layer: there is no layer {selector.layer}; there are "
                    + ", ".join(f"{name}: {layers[name]}" for name in names)
                )


def _label(row: pd.Series, side: str) -> str:
    return f"{row[f'{side}_features']}/layer{row[f'{side}_layer']:02d}/{row[f'{side}_estimator']}"


def run_tests(scores: pd.DataFrame, summary: pd.DataFrame, tests: list[Test], fdr: float) -> pd.DataFrame:
    """Run every test with the corrected resampled t-test; false discoveries are controlled within each test.

    Parameters
    ----------
    scores, summary : DataFrame
        The tables of a comparison.
    tests : list of Test
    fdr : float
        Level of the Benjamini-Hochberg procedure over all rows of one test.

    Returns
    -------
    DataFrame
        Columns `COLUMNS`, then `DETAILS`; one row per test, pair and target. `difference` is the mean over splits of
        a - b, in units of the metric, `low` to `high` its interval of level 1 - fdr with the same corrected variance,
        `effect` the standardised difference, which does not grow with the number of splits.
    """
    tables = []
    for number, test in enumerate(tests):
        pairs = _pairs(summary, test)
        if pairs.empty:
            continue
        wide = scores.pivot(index="split", columns=[*KEYS, "target"], values=test.metric)
        a, b = (
            wide[
                list(pairs[[*(f"{side}_{key}" for key in KEYS), "target"]].itertuples(index=False, name=None))
            ].to_numpy()
            for side in ("a", "b")
        )
        n_train, n_test = int(scores["n_train"].iloc[0]), int(scores["n_test"].iloc[0])
        t, df, p = corrected_ttest(a - b, n_train, n_test)
        adjusted = benjamini_hochberg(p)
        low, high = corrected_interval(a - b, n_train, n_test, 1.0 - fdr)
        tables.append(
            pairs.assign(
                test=number,
                metric=test.metric,
                a=pairs.apply(_label, axis=1, side="a"),
                b=pairs.apply(_label, axis=1, side="b"),
                difference=(a - b).mean(axis=0),
                t=t,
                df=df,
                p=p,
                p_fdr=adjusted,
                significant=adjusted <= fdr,
                a_mean=a.mean(axis=0),
                b_mean=b.mean(axis=0),
                n_splits=len(a),
                low=low,
                high=high,
                effect=standardised_effect(a - b, n_train, n_test),
            )
        )
    if not tables:
        return pd.DataFrame({column: np.array([], dtype=object) for column in [*COLUMNS, *DETAILS]})
    return pd.concat(tables, ignore_index=True)[[*COLUMNS, *DETAILS]]
