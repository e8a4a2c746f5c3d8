"""Which features sparse models select, and how consistently: across splits, targets and regions, against chance.

Two tables go in. `selected` is long and sparse, one row per selected feature: `features, layer, layer_name, estimator,
target, split, unit, weight`, with units counted from 0 inside their layer. A model that selects nothing has no row in
it, so `fitted` says which models there are: `features, layer, layer_name, estimator, target, split`, one row each, as
in the rows of the scores that belong to sparse estimators.

Splits are drawn from the same stimuli, and the development sets of two of them share about half. What is noise in the
shared stimuli is selected twice. So a high z says that selections are not drawn at random, not that they would come
back with other stimuli, and the interval of `stability`, which takes splits as independent, is too narrow.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix
from scipy.stats import hypergeom

from ..errors import DataError
from .aggregate import group_targets

MODEL = ["features", "layer", "layer_name", "estimator"]
FITTED = [*MODEL, "target", "split"]
SELECTED = [*FITTED, "unit", "weight"]
# targets whose pairs with all others are counted at a time; groups of targets, of which every pair gets a row
ROWS_AT_ONCE, MOST_GROUPS = 128, 200


@dataclass(frozen=True)
class Selections:
    """All selections of one (features, layer, estimator).

    Attributes
    ----------
    labels : dict
        features, layer, layer_name, estimator.
    targets : ndarray, shape (n_targets,)
    matrices : list of csr_matrix, shape (n_targets, n_units)
        1 where selected; one per split.
    weights : list of csr_matrix, shape (n_targets, n_units)
    fitted : ndarray of bool, shape (n_targets, n_splits)
    """

    labels: dict
    targets: np.ndarray
    matrices: list[csr_matrix]
    weights: list[csr_matrix]
    fitted: np.ndarray

    @property
    def sizes(self) -> np.ndarray:
        """Number of selected features, shape (n_targets, n_splits)."""
        return np.stack([matrix.getnnz(axis=1) for matrix in self.matrices], axis=1)

    @property
    def n_units(self) -> int:
        """Number of features that could be selected."""
        return self.matrices[0].shape[1]


def selection_frequency(
    selected: pd.DataFrame, fitted: pd.DataFrame, n_units: int | dict[tuple[str, int], int]
) -> pd.DataFrame:
    """Count for every feature in how many splits it is selected.

    Parameters
    ----------
    selected, fitted, n_units
        See `selection_consistency`.

    Returns
    -------
    DataFrame
        `features, layer, layer_name, target, estimator, unit, n_selected, n_splits, frequency, weight_mean`: the mean
        weight over splits, 0 where not selected. Units that are never selected have no row.
    """
    tables = []
    for model in _models(selected, fitted, n_units):
        counts, weights = sum(model.matrices).tocoo(), sum(model.weights)
        n_splits = model.fitted.sum(axis=1)[counts.row]
        total = np.asarray(weights[counts.row, counts.col]).ravel()
        table = {"target": model.targets[counts.row], "unit": counts.col, "n_selected": counts.data.astype(int)}
        table |= {"n_splits": n_splits, "frequency": counts.data / n_splits, "weight_mean": total / n_splits}
        tables.append(pd.DataFrame(model.labels | table))
    columns = [*MODEL[:3], "target", "estimator", "unit", "n_selected", "n_splits", "frequency", "weight_mean"]
    return pd.concat(tables, ignore_index=True)[columns]


def selection_consistency(
    selected: pd.DataFrame,
    fitted: pd.DataFrame,
    n_units: int | dict[tuple[str, int], int],
    by: str = "split",
    targets: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Measure how well selections agree, and how well random ones of the same sizes would.

    Over pairs of selections A, B of a and b among p features:

    - `jaccard`: mean |A and B| / |A or B|; `jaccard_chance`: its expectation under random selection;
    - `kuncheva`: mean correlation of the 0/1 indicators, (|A and B| - ab/p) / sqrt(a (1 - a/p) b (1 - b/p)), which is
      Kuncheva's index where a = b (Kuncheva 2007, AIA; Nogueira & Brown 2016, ECML). 0 is chance, 1 is identical;
    - `jaccard_z`, `kuncheva_z`: distance from chance in standard deviations of the mean over pairs of random
      selections. Both are exact: |A and B| is hypergeometric, and pairs of random selections are uncorrelated;
    - a selection that is empty (or has every feature) cannot agree: its pairs are left out.

    Across splits also `stability` of Nogueira, Sechidis & Brown 2018 (J Mach Learn Res 18:174), which compares the
    variance of each feature's selection with that of random selection (0 chance, 1 identical, empty selections
    included): `stability_chance`, its expectation for random selections of the same sizes, is 0 where sizes are equal
    and hardly less where not; `stability_low`, `stability_high` are its 95 % interval.

    Parameters
    ----------
    selected : DataFrame
        `features, layer, layer_name, estimator, target, split, unit, weight`.
    fitted : DataFrame
        One row per model: `features, layer, layer_name, estimator, target, split`, and any other columns.
    n_units : int or dict
        Number of features to select from; where it differs, by (features, layer).
    by : str
        "split": pairs of splits of each target. "target": pairs of targets in the same split, pooled over splits, one
        row per pair of targets. A column of `targets` (roi, subject): the same for pairs of groups of targets `a` and
        `b`; where both are one group, pairs of two targets inside it.
    targets : DataFrame, optional
        Metadata: `target`, and the column named by `by`. Targets without a label are left out.

    Returns
    -------
    DataFrame
        `features, layer, layer_name, estimator`; `target`, or `a` and `b`; across splits `n_splits`, `n_empty`,
        `n_selected_mean`, `n_selected_min`, `n_selected_max`; `n_pairs`; the above. NaN where no pair is left.

    Raises
    ------
    DataError
        The tables do not fit together, a unit does not exist, or the groups are too many.
    """
    tables = []
    for model in _models(selected, fitted, n_units):
        table = _across_splits(model) if by == "split" else _across_groups(model, by, targets)
        tables.append(pd.DataFrame(model.labels | table))
    return pd.concat(tables, ignore_index=True)


def _models(
    selected: pd.DataFrame, fitted: pd.DataFrame, n_units: int | dict[tuple[str, int], int]
) -> Iterator[Selections]:
    """Check both tables and yield the selections of each (features, layer, estimator)."""
    for name, table, columns in (("selected", selected, SELECTED), ("fitted", fitted, FITTED)):
        absent = [column for column in columns if column not in table]
        if absent:
            raise DataError(f"the table `{name}` lacks the columns {absent}; it has: {', '.join(table.columns)}.")
        twice = table.duplicated([column for column in columns if column != "weight"])
        if twice.any():
            raise DataError(f"the table `{name}` has a row twice: {table[twice].iloc[0][columns].to_dict()}.")
    if fitted.empty:
        raise DataError("there are no sparse models: the table `fitted` is empty.")
    rows_of = selected.groupby(MODEL, sort=False, observed=True).indices
    models = {key: fitted.iloc[rows] for key, rows in fitted.groupby(MODEL, sort=False, observed=True).indices.items()}
    if unknown := [key for key in rows_of if key not in models]:
        raise DataError(f"{unknown[0]} has selections, but is not among the fitted models.")
    for key, own in models.items():
        width = n_units if isinstance(n_units, int | np.integer) else n_units.get(key[:2])
        if width is None:
            raise DataError(f"the number of units of features {key[0]!r}, layer {key[1]} is not given.")
        yield _selections(dict(zip(MODEL, key, strict=True)), selected.iloc[rows_of.get(key, [])], own, int(width))


def _selections(labels: dict, selected: pd.DataFrame, fitted: pd.DataFrame, n_units: int) -> Selections:
    targets, splits = (np.asarray(fitted[name].unique()) for name in ("target", "split"))
    target_of, split_of = pd.Index(targets), pd.Index(splits)
    is_fitted = np.zeros((len(targets), len(splits)), dtype=bool)
    is_fitted[target_of.get_indexer(fitted["target"]), split_of.get_indexer(fitted["split"])] = True
    target, split = target_of.get_indexer(selected["target"]), split_of.get_indexer(selected["split"])
    unit = selected["unit"].to_numpy()
    wrong = (target < 0) | (split < 0) | ~is_fitted[target, split] | (unit < 0) | (unit >= n_units)
    if wrong.any():
        raise DataError(
            f"{labels} have {n_units} units, and this selection is not of one of them or not of a fitted model: "
            f"{selected[wrong].iloc[0][['target', 'split', 'unit']].to_dict()}."
        )
    matrices, weights = [], []
    for number in range(len(splits)):
        own = split == number
        place, shape = (target[own], unit[own]), (len(targets), n_units)
        matrices.append(csr_matrix((np.ones(own.sum()), place), shape))
        weights.append(csr_matrix((selected["weight"].to_numpy()[own], place), shape))
    return Selections(labels, targets, matrices, weights, is_fitted)


def _across_splits(model: Selections) -> dict[str, np.ndarray]:
    sizes, fitted = model.sizes, model.fitted
    chance = _Chance(model.n_units, sizes)
    sums = np.zeros((len(_Chance.SUMS), len(sizes)))
    for a, b in combinations(range(sizes.shape[1]), 2):
        shared = np.asarray(model.matrices[a].multiply(model.matrices[b]).sum(axis=1)).ravel()
        sums += chance.compare(shared, sizes[:, a], sizes[:, b])
    stability, at_random, error = _stability(model)
    known = np.where(fitted, sizes, 0)
    return {
        "target": model.targets,
        "n_splits": fitted.sum(axis=1),
        "n_empty": (fitted & (sizes == 0)).sum(axis=1),
        "n_selected_mean": known.sum(axis=1) / fitted.sum(axis=1),
        "n_selected_min": np.where(fitted, sizes, model.n_units).min(axis=1),
        "n_selected_max": known.max(axis=1),
        **chance.summarise(sums),
        "stability": stability,
        "stability_chance": at_random,
        "stability_low": stability - 1.96 * error,
        "stability_high": stability + 1.96 * error,
    }


def _across_groups(model: Selections, by: str, targets: pd.DataFrame | None) -> dict[str, np.ndarray]:
    if by == "target":
        groups = [(target, np.array([position])) for position, target in enumerate(model.targets)]
    else:
        groups = [(labels[by], members) for labels, members in group_targets(model.targets, targets, [by])]
    if len(groups) > MOST_GROUPS:
        raise DataError(
            f"by={by!r} makes {len(groups)} groups of targets, and every pair of them a row; at most {MOST_GROUPS} are "
            "allowed. Name a column of the targets' metadata with fewer labels."
        )
    member = np.zeros((len(model.targets), len(groups)))
    for number, (_, positions) in enumerate(groups):
        member[positions, number] = 1.0
    sizes = model.sizes
    chance = _Chance(model.n_units, sizes)
    sums = np.zeros((len(_Chance.SUMS), len(groups), len(groups)))
    for split, matrix in enumerate(model.matrices):
        size = sizes[:, split]
        for start in range(0, len(size), ROWS_AT_ONCE):
            rows = np.arange(start, min(start + ROWS_AT_ONCE, len(size)))
            shared = (matrix[rows] @ matrix.T).toarray()
            found = chance.compare(shared, size[rows, None], size[None])
            found[:, np.arange(len(rows)), rows] = 0.0  # not a target with itself
            sums += member[rows].T @ found @ member
    # inside a group every pair was met from both sides
    sums[:, np.arange(len(groups)), np.arange(len(groups))] /= 2.0
    names = np.array([label for label, _ in groups], dtype=object)
    a, b = np.triu_indices(len(groups), k=int(by == "target"))
    return {"a": names[a], "b": names[b], **chance.summarise(sums[:, a, b])}


class _Chance:
    """What random selections of the same sizes share, by pairs of sizes."""

    SUMS = ("n_pairs", "jaccard", "jaccard_chance", "jaccard_variance", "kuncheva")

    def __init__(self, n_units: int, sizes: np.ndarray):
        self.n_units = n_units
        self.known = np.unique(sizes)
        a, b = (grid[..., None] for grid in np.meshgrid(self.known, self.known, indexing="ij"))
        shared = np.arange(self.known.max(initial=0) + 1)
        probability = hypergeom.pmf(shared, n_units, a, b)
        jaccard = shared / np.maximum(a + b - shared, 1)
        self.mean = (probability * jaccard).sum(axis=-1)
        self.variance = (probability * jaccard**2).sum(axis=-1) - self.mean**2

    def compare(self, shared: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """Return the terms of `SUMS` for pairs of selections of a and b features, 0 where one cannot agree."""
        p = self.n_units
        first, second = np.searchsorted(self.known, a), np.searchsorted(self.known, b)
        spread = np.sqrt(a * (1.0 - a / p) * b * (1.0 - b / p))
        usable = spread > 0
        correlation = (shared - a * b / p) / np.where(usable, spread, 1.0)
        jaccard = shared / np.maximum(a + b - shared, 1)
        terms = (1.0, jaccard, self.mean[first, second], self.variance[first, second], correlation)
        return np.stack([np.where(usable, term, 0.0) for term in terms])

    def summarise(self, sums: np.ndarray) -> dict[str, np.ndarray]:
        """Turn sums over pairs into the columns of a table."""
        n_pairs, jaccard, chance, variance, correlation = sums
        with np.errstate(divide="ignore", invalid="ignore"):
            return {
                "n_pairs": n_pairs.astype(int),
                "jaccard": jaccard / n_pairs,
                "jaccard_chance": chance / n_pairs,
                # without variance (one feature of one) nothing can be said
                "jaccard_z": np.where(variance > 0, (jaccard - chance) / np.sqrt(variance), np.nan),
                "kuncheva": correlation / n_pairs,
                # the correlation with a random order of p values has the variance 1 / (p - 1)
                "kuncheva_z": correlation / n_pairs * np.sqrt(n_pairs * (self.n_units - 1)),
            }


def _stability(model: Selections) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return Nogueira's stability of each target, its value at random and its standard error (Theorem 7).

    1 - (mean variance over features of being selected, ddof 1) / (k/p (1 - k/p)), k the mean of the sizes a. Random
    selections share a_i a_j / p features on average, so that theirs is expected at -var(a) / (p^2 (M - 1)) in the same
    units, M the number of splits. NaN where nothing or everything is selected.
    """
    fitted, p = model.fitted, model.n_units
    sizes, m = np.where(fitted, model.sizes, 0), fitted.sum(axis=1)
    frequency = sum(model.matrices).multiply(1.0 / m[:, None]).tocsr()  # [T, p]
    mean_size = sizes.sum(axis=1) / m
    squares = np.asarray(frequency.multiply(frequency).sum(axis=1)).ravel()
    with np.errstate(divide="ignore", invalid="ignore"):
        random = mean_size / p * (1.0 - mean_size / p)
        stability = 1.0 - m / (m - 1) * (mean_size - squares) / p / random
        variance = (np.where(fitted, sizes - mean_size[:, None], 0.0) ** 2).sum(axis=1) / m
        at_random = -variance / (p**2 * (m - 1)) / random
        parts = []
        for number, matrix in enumerate(model.matrices):
            agreed = np.asarray(matrix.multiply(frequency).sum(axis=1)).ravel() / p
            k = sizes[:, number]
            shrunk = 2.0 * mean_size * k / p**2 - k / p - mean_size / p + 1.0
            parts.append((agreed - k * mean_size / p**2 + stability / 2.0 * shrunk) / random)
        part = np.where(fitted, np.stack(parts, axis=1), 0.0)  # [T, M]
        deviation = np.where(fitted, part - (part.sum(axis=1) / m)[:, None], 0.0)
        error = np.sqrt(4.0 / m**2 * (deviation**2).sum(axis=1))
    return stability, at_random, np.where(np.isfinite(stability), error, np.nan)
