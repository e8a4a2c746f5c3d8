"""The `tests` of a comparison: which rows of the scores each pairs, and the table of what came out."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..errors import ConfigError
from ..inference.statistics import benjamini_hochberg, corrected_interval, corrected_ttest, standardised_effect
from ..scoring.metrics import Metric
from .nested_layers import most_chosen, nested_scores
from .paired_test_options import Selector, Test
from .score_arrays import split_sizes

KEYS = ["features", "layer", "estimator"]
COLUMNS = ["test", "metric", "a", "b", "target", "difference", "t", "df", "p", "p_fdr", "significant"]
DETAILS = [
    "a_features",
    "a_layer",
    "a_layer_choice",
    "a_estimator",
    "b_features",
    "b_layer",
    "b_layer_choice",
    "b_estimator",
    "a_mean",
    "b_mean",
    "n_splits",
    "low",
    "high",
    "effect",
]
# stands for the layer, while rows are paired, where every split has its own
NESTED = -1


def _select(summary: pd.DataFrame, selector: Selector, metric: str) -> pd.DataFrame:
    """Return the rows (features, layer, estimator, target) that a selector names.

    `layer: nested` gives one row per target, features and estimator, with the layer `NESTED`: it is chosen split by
    split (`nested_layers`). `layer: best` is, for each of these, the layer with the highest median over splits: a
    choice on the test scores, which is the more optimistic the more layers there are.
    """
    rows = summary
    if selector.features is not None:
        rows = rows[rows["features"] == selector.features]
    if selector.estimator is not None:
        rows = rows[rows["estimator"] == selector.estimator]
    if isinstance(selector.layer, int):
        rows = rows[rows["layer"] == selector.layer]
    elif selector.layer == "nested":
        rows = rows.drop_duplicates(["features", "estimator", "target"]).assign(layer=NESTED)
    elif selector.layer == "best":
        rows = rows.sort_values(f"{metric}_median", ascending=False, kind="stable")
        rows = rows.drop_duplicates(["features", "estimator", "target"])
    return rows[[*KEYS, "target"]]


def _pairs(summary: pd.DataFrame, test: Test) -> pd.DataFrame:
    """Pair the rows of both sides: equal in the target and in every key that neither side fixes; none with itself."""
    fixed = {key for key in KEYS if getattr(test.a, key) is not None or getattr(test.b, key) is not None}
    shared = [key for key in KEYS if key not in fixed] + ["target"]
    left, right = (_select(summary, side, metric_of(test)) for side in (test.a, test.b))
    left = left.rename(columns={key: f"a_{key}" for key in fixed})
    right = right.rename(columns={key: f"b_{key}" for key in fixed})
    pairs = left.merge(right, on=shared, how="inner", sort=False)
    for key in KEYS:
        if key not in fixed:
            pairs[f"a_{key}"] = pairs[f"b_{key}"] = pairs[key]
    itself = np.logical_and.reduce([pairs[f"a_{key}"] == pairs[f"b_{key}"] for key in KEYS])
    return pairs[~itself].reset_index(drop=True)


def metric_of(test: Test) -> Metric:
    """Return the metric of a test whose comparison has settled it (`settle_metric`)."""
    if test.metric is None:
        raise ValueError("a test without a metric: settle the metric of the comparison before.")
    return test.metric


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


def best_layer_warnings(tests: list[Test], layers: dict[str, list[int]]) -> list[str]:
    """Say where `layer: best` chooses among more layers on one side of a test than on the other.

    The highest of several medians over the test splits is too high by chance, and by more where there are more: of ten
    equally good layers against one such layer the ten are found better far too often (docs/statistics.md).

    Parameters
    ----------
    tests : list of Test
    layers : dict of str to list of int
        The layers of every feature set of the comparison.

    Returns
    -------
    list of str
        A sentence for every such test.
    """
    warnings = []
    for number, test in enumerate(tests):
        unequal = [
            (a, b, counts)
            for a, b in _feature_pairs(test, list(layers))
            if len(set(counts := [_n_candidates(test.a, layers[a]), _n_candidates(test.b, layers[b])])) > 1
        ]
        if unequal:
            a, b, counts = unequal[0]
            more = f" (and {len(unequal) - 1} more pairs of feature sets)" if len(unequal) > 1 else ""
            warnings.append(
                f"tests[{number}]: `layer: best` is the best of {counts[0]} on the side of {a} and of {counts[1]} on "
                f"the side of {b}{more}, chosen on the test scores that are compared: this favours the side with more "
                "layers to choose from. Use `layer: nested`, which chooses inside the development stimuli."
            )
    return warnings


def _feature_pairs(test: Test, names: list[str]) -> list[tuple[str, str]]:
    """List which feature sets a test compares: matched where neither side names one."""
    if test.a.features is None and test.b.features is None:
        return [(name, name) for name in names]
    left, right = ([side.features] if side.features is not None else names for side in (test.a, test.b))
    return [(a, b) for a in left for b in right]


def _n_candidates(selector: Selector, layers: list[int]) -> int:
    """Count the layers among which a side takes one by its test scores; 1 where it does not look at them."""
    return len(layers) if selector.layer == "best" else 1


def _label(row: pd.Series, side: str) -> str:
    layer = "nested" if row[f"{side}_layer"] == NESTED else f"layer{row[f'{side}_layer']:02d}"
    return f"{row[f'{side}_features']}/{layer}/{row[f'{side}_estimator']}"


def _with_nested(scores: pd.DataFrame, pairs: pd.DataFrame, metric: str) -> tuple[pd.DataFrame, dict[tuple, int]]:
    """Pivot the scores, [split, (features, layer, estimator, target)], and add the columns of the layer `NESTED`.

    Returns
    -------
    wide : DataFrame
    often : dict of (features, estimator, target) to int
        The layer that was chosen in most splits.
    """
    wide = scores.pivot(index="split", columns=[*KEYS, "target"], values=metric)
    often: dict[tuple, int] = {}
    sides = (pairs[[f"{side}_{key}" for key in KEYS]].set_axis(KEYS, axis=1) for side in ("a", "b"))
    models = pd.concat(sides).query("layer == @NESTED")[["features", "estimator"]].drop_duplicates()
    parts = [wide]
    for features, estimator in models.itertuples(index=False, name=None):
        part = nested_scores(scores, features, estimator, metric)
        columns = [(features, NESTED, estimator, target) for target in part.columns]
        parts.append(part.set_axis(pd.MultiIndex.from_tuples(columns, names=wide.columns.names), axis=1))
        chosen = most_chosen(scores, features, estimator)
        often |= {(features, estimator, target): int(layer) for target, layer in chosen.items()}
    return (pd.concat(parts, axis=1) if len(parts) > 1 else wide), often


def _describe_layers(pairs: pd.DataFrame, test: Test, often: dict[tuple, int]) -> pd.DataFrame:
    """Add how each side's layer was chosen, and put the most frequent layer in the place of `NESTED`."""
    for side in ("a", "b"):
        selector, layer = getattr(test, side), pairs[f"{side}_layer"]
        models = pairs[[f"{side}_features", f"{side}_estimator", "target"]].itertuples(index=False, name=None)
        layers = [often[model] if own == NESTED else own for own, model in zip(layer, models, strict=True)]
        choice = selector.layer if selector.layer in ("nested", "best") else "given"
        pairs = pairs.assign(**{f"{side}_layer": layers, f"{side}_layer_choice": choice})
    return pairs


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
        `effect` the standardised difference, which does not grow with the number of splits. `a_layer_choice` says how
        the layer of side a was found: `nested`, `best` or `given` (named or matched); of nested ones `a_layer` is the
        layer that most splits chose, the lowest of equals.

    Raises
    ------
    DataError
        A nested layer cannot be chosen (`choose_layers`), or rows of one split differ in their numbers of stimuli.
    """
    tables, sizes = [], split_sizes(scores)
    for number, test in enumerate(tests):
        pairs = _pairs(summary, test)
        if pairs.empty:
            continue
        wide, often = _with_nested(scores, pairs, metric_of(test))
        a, b = (
            wide[
                list(pairs[[*(f"{side}_{key}" for key in KEYS), "target"]].itertuples(index=False, name=None))
            ].to_numpy()
            for side in ("a", "b")
        )
        t, df, p = corrected_ttest(a - b, *sizes)
        adjusted = benjamini_hochberg(p)
        low, high = corrected_interval(a - b, *sizes, 1.0 - fdr)
        labels = {side: pairs.apply(_label, axis=1, side=side) for side in ("a", "b")}
        tables.append(
            _describe_layers(pairs, test, often).assign(
                test=number,
                metric=test.metric,
                **labels,
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
                effect=standardised_effect(a - b, *sizes),
            )
        )
    if not tables:
        return pd.DataFrame({column: np.array([], dtype=object) for column in [*COLUMNS, *DETAILS]})
    return pd.concat(tables, ignore_index=True)[[*COLUMNS, *DETAILS]]
