"""One layer and one estimator through all splits: what a block of a run and `auralign.encode` both call."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from sklearn.preprocessing import StandardScaler

from ...errors import ConfigError
from ...estimators.registry import abilities, fit, of_single_repetition
from ...inputs.arrays import StoredArray
from ...inputs.repetitions import effective_repetitions, mean_response, predict_repetitions
from ...scoring.ceilings import noise_corrected
from ..preparation import Preparation, Split
from .engines import ENGINES, SplitResult, inner_cv, run_repetitions
from .parts import TARGETS_TOGETHER, in_order

if TYPE_CHECKING:
    from ...estimators.options import EstimatorOptions

# by name, each [n_targets]
Correction = dict[str, np.ndarray]

SCORES = ("target", "split", "r2", "r2_corr", "r2_dev", "alpha", "n_train", "n_test")


@dataclass(frozen=True)
class EncodedLayer:
    """What one estimator makes of one layer.

    Attributes
    ----------
    scores : DataFrame
        One row per split and target (its position): `SCORES`; `params` (JSON) of an estimator that chooses more than
        alpha; with repetitions also those of `noise_corrected`.
    selected : DataFrame
        Of sparse estimators, one row per target, split and unit: `target`, `split`, `unit`, `weight`; of others empty.
    predictions : list of ndarray, each of shape (n_test, n_targets), or None
        By split: of the mean response of the test stimuli, where they are kept.
    """

    scores: pd.DataFrame
    selected: pd.DataFrame
    predictions: list[np.ndarray] | None = None


def encode_layer(
    x: np.ndarray,
    y: np.ndarray | StoredArray,
    splits: list[Split],
    estimator: EstimatorOptions,
    engine: str,
    preparation: Preparation,
    groups: np.ndarray | None = None,
    keep_predictions: bool = False,
    at_once: int | None = None,
) -> EncodedLayer:
    """Fit and score one layer on every split, some targets at a time.

    Parameters
    ----------
    x : ndarray, shape (n_stimuli, n_units)
        The layer; of several bands side by side.
    y : ndarray or StoredArray, shape (n_stimuli, n_targets, n_repetitions)
        A stored one is read some targets at a time.
    splits : list of (development, test)
    estimator : configuration
    engine : str
        A key of `ENGINES`.
    preparation : Preparation
    groups : ndarray of int, shape (n_stimuli,), optional
        Code of the group of every stimulus, which inner folds keep together.
    keep_predictions : bool
    at_once : int, optional
        Most targets that are fitted at a time, which bounds the memory; joint estimators fit all of them.

    Raises
    ------
    AuralignError
        The layer cannot be fitted.
    """
    n_targets = y.shape[1]
    at_once = n_targets if abilities(estimator).joint else min(at_once or TARGETS_TOGETHER, TARGETS_TOGETHER)
    predictions: list[list[np.ndarray]] = [[] for _ in splits]
    scores, selected = [], []
    for start in range(0, n_targets, at_once):
        columns = slice(start, start + at_once)
        block = y.load(columns) if isinstance(y, StoredArray) else y[:, columns]
        results = _run(x, block, splits, estimator, engine, preparation, groups)
        for number, ((result, correction), split) in enumerate(zip(results, splits, strict=True)):
            scores.append(_scores(result, correction, start, number, split))
            if result.selected is not None:
                selected += [
                    (start + target, number, units, weights) for target, (units, weights) in enumerate(result.selected)
                ]
            if keep_predictions:
                predictions[number].append(result.prediction)
    tables = pd.concat(scores, ignore_index=True), _selected(selected)
    if at_once < min(n_targets, TARGETS_TOGETHER):
        tables = in_order(tables[0]), in_order(tables[1])  # as if they had been fitted together
    return EncodedLayer(
        *tables,
        predictions=[np.concatenate(parts, axis=1) for parts in predictions] if keep_predictions else None,
    )


def layer_weights(
    x: np.ndarray,
    y: np.ndarray,
    splits: list[Split],
    estimator: EstimatorOptions,
    preparation: Preparation,
    groups: np.ndarray | None = None,
) -> Iterator[np.ndarray]:
    """Fit the mean response on every split once more, and yield the weights of its units.

    Parameters
    ----------
    x, splits, estimator, preparation, groups
        As of `encode_layer`.
    y : ndarray, shape (n_stimuli, n_targets, n_repetitions)

    Yields
    ------
    ndarray, shape (n_units, n_targets)
        Of the units as they were given (without confounds where these are removed), also where they were divided by
        their standard deviations for the fit.

    Raises
    ------
    ConfigError
        The estimator has no weights.
    """
    without_scale = replace(preparation, zscore=False)
    for split in splits:
        development, _ = without_scale.features(x, split)
        scale = StandardScaler(with_mean=False).fit(development).scale_ if preparation.zscore else None
        responses, _ = preparation.responses(mean_response(y), split)
        own = development if scale is None else development / scale
        fitted = fit(own, responses, estimator, inner_cv(estimator, groups, split), preparation.widths)
        coef = getattr(fitted, "coef", None)
        if coef is None or not abilities(estimator).weights:
            raise ConfigError(f"weights: {estimator.kind} has none: its prediction is no weighted sum of units.")
        yield coef if scale is None else coef / scale[:, None]


def _run(
    x: np.ndarray,
    y: np.ndarray,
    splits: list[Split],
    estimator: EstimatorOptions,
    engine: str,
    preparation: Preparation,
    groups: np.ndarray | None,
) -> Iterator[tuple[SplitResult, Correction]]:
    """Fit the mean response, and where there are repetitions each of them; y is [n_stimuli, n_targets, n_repetitions].

    Yields, split by split, the result of the mean response, and its scores corrected for noise (`noise_corrected`).
    """
    run, n_repetitions = ENGINES[engine], y.shape[2]
    if n_repetitions == 1:
        yield from ((result, {}) for result in run(x, y[:, :, 0], splits, estimator, preparation, groups))
        return
    single = of_single_repetition(estimator)
    together, has_gaps = not abilities(single).joint, bool(np.isnan(y).any())
    if engine == "multitarget" and together and not has_gaps:
        # each repetition contiguous: columns are read many times
        y = np.moveaxis(np.ascontiguousarray(np.moveaxis(y, 2, 1)), 1, 2)
        for result, data, predicted in run_repetitions(x, y, splits, estimator, preparation, groups):
            yield result, noise_corrected(result.r2_corr, data, predicted)
        return
    of_mean = run(x, mean_response(y), splits, estimator, preparation, groups)
    of_repetitions = predict_repetitions(
        lambda columns, splits: [one.prediction for one in run(x, columns, splits, single, preparation, groups)],
        y,
        splits,
        together=together,
        least=max(3, single.n_inner_folds),
        groups=groups,
    )
    for result, columns, split in zip(of_mean, of_repetitions, splits, strict=True):
        predicted = np.moveaxis(columns.reshape(len(columns), n_repetitions, -1), 1, 2)
        # the noise that lowers the score is that of the test stimuli
        scored = effective_repetitions(y[split[1]])
        yield result, noise_corrected(result.r2_corr, preparation.repetitions(y, split), predicted, scored)


def _scores(result: SplitResult, correction: Correction, start: int, number: int, split: Split) -> pd.DataFrame:
    """Tabulate one split, whose targets are counted from `start`."""
    development, test = split
    table = {
        "target": start + np.arange(len(result.r2)),
        "r2": result.r2,
        "r2_corr": result.r2_corr,
        "r2_dev": result.r2_dev,
        "alpha": result.alpha,
        "n_train": len(development),
        "n_test": len(test),
    }
    params = {} if result.params is None else {"params": result.params}
    return pd.DataFrame(table | params | correction | {"split": number})


def _selected(rows: list[tuple[int, int, np.ndarray, np.ndarray]]) -> pd.DataFrame:
    """Make the long table of selected units from (target, split, units, weights)."""
    counts = [len(units) for _, _, units, _ in rows]
    units, weights = ([row[part] for row in rows] for part in (2, 3))
    return pd.DataFrame(
        {
            "target": np.repeat([row[0] for row in rows], counts).astype(np.int32),
            "split": np.repeat([row[1] for row in rows], counts).astype(np.int32),
            "unit": np.concatenate(units).astype(np.int32) if rows else np.empty(0, np.int32),
            "weight": np.concatenate(weights) if rows else np.empty(0),
        }
    )
