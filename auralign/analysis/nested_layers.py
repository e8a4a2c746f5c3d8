"""The layer of every split, chosen inside its development stimuli and read on its test stimuli."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from ..errors import DataError
from .score_arrays import Model, Scores, as_scores

DEV = "r2_dev"


def best_position(values: np.ndarray) -> np.ndarray:
    """Position of the highest value along the first axis, the layers, the first of equals; -1 where all are NaN."""
    known = ~np.isnan(values)
    return np.where(known.any(axis=0), np.where(known, values, -np.inf).argmax(axis=0), -1)


def at_position(values: np.ndarray, position: np.ndarray) -> np.ndarray:
    """Take the values at positions of the first axis, the layers; NaN where the position is -1."""
    taken = np.take_along_axis(values, np.maximum(position, 0)[None], axis=0)[0]
    return np.where(position >= 0, taken, np.nan)


def chosen_positions(scores: Scores, model: Model, among: np.ndarray | None = None) -> np.ndarray:
    """Choose the layer of every split and target by `r2_dev`, without the test stimuli; of equal ones the first.

    What is read there on the test stimuli is free of the optimism of a choice by the same scores, and does not profit
    from the number of layers: sets of unequal depth can be compared. The choice is that of
    `layer_choice.nested_choice`.

    Parameters
    ----------
    scores : Scores
    model : Model
    among : ndarray of bool, shape (n_targets,), optional
        The targets for which a layer must be found; by default all.

    Returns
    -------
    ndarray of int, shape (n_splits, n_targets)
        Positions in `model.layers`; -1 where there is none.

    Raises
    ------
    DataError
        There is no `r2_dev`, or it is undefined for every layer of a target and split.
    """
    if DEV not in scores.metrics:
        raise DataError(
            "the scores have no column `r2_dev` (r2 inside the development stimuli), by which layers are chosen: they "
            "are those of an earlier version. Run `auralign run` again."
        )
    position = np.empty((len(scores.splits), len(scores.targets)), dtype=np.int16)
    for part in scores.parts:
        position[:, part] = best_position(scores.read(model, [DEV], part)[DEV])
    undefined = (position < 0) & (True if among is None else among)
    if undefined.any():
        target, split = np.argwhere(undefined.T)[0]
        raise DataError(
            f"{model.features}, {model.estimator}: `r2_dev` is undefined in every layer for {int(undefined.sum())} "
            f"pairs of target and split, such as target {scores.targets[target]!r}, split {scores.splits[split]}; no "
            "layer can be chosen."
        )
    return position


def read_chosen(scores: Scores, model: Model, position: np.ndarray, metrics: Sequence[str]) -> dict[str, np.ndarray]:
    """Read scores at the positions of `chosen_positions`, [n_splits, n_targets] each.

    Raises
    ------
    DataError
        There is no such metric.
    """
    for metric in metrics:
        if metric not in scores.metrics:
            raise DataError(f"the scores have no column {metric!r}; those corrected for noise need repetitions.")
    values = {metric: np.empty(position.shape) for metric in metrics}
    for part in scores.parts:
        for metric, own in scores.read(model, metrics, part).items():
            values[metric][:, part] = at_position(own, position[:, part])
    return values


def choose_layers(scores: Scores | pd.DataFrame, features: str, estimator: str) -> pd.DataFrame:
    """Tabulate the choice of `chosen_positions`, and the scores there: one row per split and target.

    Parameters
    ----------
    scores : Scores, or DataFrame with one row per features x layer x target x estimator x split
    features, estimator : str

    Returns
    -------
    DataFrame
        `target`, `split`, `layer` and all scores.

    Raises
    ------
    DataError
    """
    scores = as_scores(scores)
    model = scores.model(features, estimator)
    position = chosen_positions(scores, model)
    values = read_chosen(scores, model, position, scores.metrics)
    n_splits, n_targets = position.shape
    head = {"target": np.tile(scores.targets, n_splits), "split": np.repeat(scores.splits, n_targets)}
    return pd.DataFrame(
        head | {"layer": model.layers[position.ravel()]} | {name: own.ravel() for name, own in values.items()}
    )


def nested_scores(
    scores: Scores | pd.DataFrame, features: str, estimator: str, metric: str, targets: list[str] | None = None
) -> pd.DataFrame:
    """Read the test scores at the layers of `chosen_positions`: index split, columns target, both ascending.

    Parameters
    ----------
    scores : Scores, or DataFrame
    features, estimator, metric : str
    targets : list of str, optional
        By default all.

    Raises
    ------
    DataError
        Also where there is no such metric.
    """
    scores = as_scores(scores)
    model = scores.model(features, estimator)
    own = np.ones(len(scores.targets), dtype=bool) if targets is None else np.isin(scores.targets, targets)
    values = read_chosen(scores, model, chosen_positions(scores, model, own), [metric])[metric]
    table = pd.DataFrame(values[:, own], index=pd.Index(scores.splits, name="split"), columns=scores.targets[own])
    return table.rename_axis(columns="target").sort_index(axis=1)


def most_chosen(scores: Scores | pd.DataFrame, features: str, estimator: str) -> pd.Series:
    """Find the layer that the splits of every target choose most often, the lowest of equals; index target."""
    scores = as_scores(scores)
    model = scores.model(features, estimator)
    position = chosen_positions(scores, model)
    return pd.Series(model.layers[most_frequent(position, len(model.layers))], index=scores.targets)


def most_frequent(position: np.ndarray, n_layers: int) -> np.ndarray:
    """Find the position that is most frequent over the splits, the first of equals; [n_targets]."""
    most, count = np.zeros(position.shape[1], dtype=int), np.zeros(position.shape[1], dtype=int)
    for layer in range(n_layers):
        own = (position == layer).sum(axis=0)
        most[own > count], count = layer, np.maximum(own, count)
    return most
