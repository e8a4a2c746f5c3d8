"""The `tests` of a comparison: which rows of the scores each pairs, and the table of what came out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from ..errors import ConfigError
from ..inference.statistics import benjamini_hochberg, corrected_interval, corrected_ttest, standardised_effect
from ..scoring.metrics import Metric
from .aggregate import Medians
from .nested_layers import at_position, chosen_positions, most_frequent
from .paired_test_options import Selector, Test
from .score_arrays import Scores, as_scores, split_sizes

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


class _Values:
    """The scores of both sides of a test, some targets at a time.

    Parameters
    ----------
    scores : Scores
    metric : str
    pairs : DataFrame
        See `_pairs`.
    """

    def __init__(self, scores: Scores, metric: str, pairs: pd.DataFrame) -> None:
        self._scores, self._metric, self._pairs = scores, metric, pairs
        self._targets = pd.Index(scores.targets).get_indexer(pairs["target"])
        self._chosen: dict[tuple[str, str], np.ndarray] = {}
        for side in ("a", "b"):
            for (features, layer, estimator), _ in self._groups(pairs, side):
                if layer == NESTED and (features, estimator) not in self._chosen:
                    model = scores.model(features, estimator)
                    self._chosen[features, estimator] = chosen_positions(scores, model)

    @staticmethod
    def _groups(pairs: pd.DataFrame, side: str) -> Iterator[tuple[tuple[str, int, str], np.ndarray]]:
        """Yield the features, layer and estimator of one side, and the rows that have them."""
        keys = [f"{side}_{key}" for key in KEYS]
        yield from pairs.groupby(keys, sort=False, observed=True).indices.items()

    def parts(self) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Yield rows of the pairs, and the scores of a and of b there, [n_splits, n_rows]."""
        for part in self._scores.parts:
            own = self._scores.own(part)
            rows = np.flatnonzero((self._targets >= own.start) & (self._targets < own.stop))
            if len(rows):
                pairs = self._pairs.iloc[rows]
                yield rows, self._read(pairs, rows, "a", own), self._read(pairs, rows, "b", own)

    def _read(self, pairs: pd.DataFrame, rows: np.ndarray, side: str, part: slice) -> np.ndarray:
        # row by row along the memory: the same to the last digit however many rows there are
        values = np.empty((len(rows), len(self._scores.splits)))
        for (features, layer, estimator), own in self._groups(pairs, side):
            model = self._scores.model(features, estimator)
            if layer == NESTED:
                read = self._scores.read(model, [self._metric], part)[self._metric]
                at_layer = at_position(read, self._chosen[features, estimator][:, part])
            else:
                (at_layer,) = self._scores.read(model, [self._metric], part, [layer])[self._metric]
            values[own] = at_layer[:, self._targets[rows[own]] - part.start].T
        return values.T

    def layers(self, side: str) -> np.ndarray:
        """Return the layer of every pair, of nested ones that which most splits chose, the lowest of equals."""
        layers = self._pairs[f"{side}_layer"].to_numpy().copy()
        for (features, layer, estimator), own in self._groups(self._pairs, side):
            if layer == NESTED:
                model = self._scores.model(features, estimator)
                often = most_frequent(self._chosen[features, estimator], len(model.layers))
                layers[own] = model.layers[often[self._targets[own]]]
        return layers

    def labels(self, side: str) -> np.ndarray:
        """Name what one side of every pair is of."""
        labels = np.empty(len(self._pairs), dtype=object)
        for (features, layer, estimator), own in self._groups(self._pairs, side):
            labels[own] = f"{features}/{'nested' if layer == NESTED else f'layer{layer:02d}'}/{estimator}"
        return labels


def _tested(values: _Values, n_rows: int, sizes: tuple[np.ndarray, np.ndarray], fdr: float) -> dict[str, Any]:
    """Test every pair over splits: the columns of the table that are numbers."""
    numbers = ("difference", "t", "p", "low", "high", "effect", "a_mean", "b_mean")
    found: dict[str, Any] = {name: np.empty(n_rows) for name in numbers}
    for rows, a, b in values.parts():
        t, df, p = corrected_ttest(a - b, *sizes)
        low, high = corrected_interval(a - b, *sizes, 1.0 - fdr)
        effect = standardised_effect(a - b, *sizes)
        of_part = ((a - b).mean(axis=0), t, p, low, high, effect, a.mean(axis=0), b.mean(axis=0))
        for name, own in zip(numbers, of_part, strict=True):
            found[name][rows] = own
        found |= {"df": df, "n_splits": len(a)}
    return found


def run_tests(
    scores: Scores | pd.DataFrame, summary: pd.DataFrame | Medians, tests: list[Test], fdr: float
) -> pd.DataFrame:
    """Run every test with the corrected resampled t-test; false discoveries are controlled within each test.

    Parameters
    ----------
    scores : Scores, or DataFrame
        One row per features x layer x target x estimator x split.
    summary : DataFrame or Medians
        Medians over splits: the table of a comparison, or what it is made of.
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
        A nested layer cannot be chosen (`chosen_positions`), or rows of one split differ in their numbers of stimuli.
    """
    if not tests:
        return _no_tests()
    scores = as_scores(scores)
    tables, sizes = [], split_sizes(scores)
    for number, test in enumerate(tests):
        metric = metric_of(test)
        known = _median_rows(scores, summary, metric) if isinstance(summary, Medians) else summary
        pairs = _pairs(known, test)
        if pairs.empty:
            continue
        values = _Values(scores, metric, pairs)
        found = _tested(values, len(pairs), sizes, fdr)
        found["p_fdr"] = benjamini_hochberg(found["p"])
        table = {"test": number, "metric": metric, "target": pairs["target"].astype(object), **found}
        table["significant"] = found["p_fdr"] <= fdr
        for side in ("a", "b"):
            selector = getattr(test, side)
            table[side] = values.labels(side)
            table |= {f"{side}_{key}": pairs[f"{side}_{key}"].astype(object) for key in ("features", "estimator")}
            table[f"{side}_layer"] = values.layers(side)
            table[f"{side}_layer_choice"] = selector.layer if selector.layer in ("nested", "best") else "given"
        tables.append(pd.DataFrame(table)[[*COLUMNS, *DETAILS]])
    return pd.concat(tables, ignore_index=True) if tables else _no_tests()


def _no_tests() -> pd.DataFrame:
    return pd.DataFrame({column: np.array([], dtype=object) for column in [*COLUMNS, *DETAILS]})


def _median_rows(scores: Scores, medians: Medians, metric: str) -> pd.DataFrame:
    """Tabulate medians over splits in the order of the summary; names are categories, which are cheap to pair."""
    n_targets, blocks = len(scores.targets), scores.blocks
    rows = {
        "features": pd.Categorical(np.repeat([model.features for model, _ in blocks], n_targets)),
        "layer": np.repeat([layer for _, layer in blocks], n_targets),
        "estimator": pd.Categorical(np.repeat([model.estimator for model, _ in blocks], n_targets)),
        "target": pd.Categorical.from_codes(np.tile(np.arange(n_targets), len(blocks)), scores.targets),
    }
    own = [medians.values(model, metric)[np.searchsorted(model.layers, layer)] for model, layer in blocks]
    return pd.DataFrame(rows | {f"{metric}_median": np.concatenate(own)})
