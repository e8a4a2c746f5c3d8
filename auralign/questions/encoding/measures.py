"""The numbers of encoding as measures: the scores of every split, noise ceilings, p above chance."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from ..measures import one_name, to_long

# what the columns of scores, and numbers of other tables, are
MEASURES = {
    "r2": "1 - SSE/SST on the test stimuli",
    "r2_corr": "squared correlation of prediction and response on the test stimuli, 0 where it is negative",
    "r2_dev": "cross-validated r2 inside the development stimuli",
    "alpha": "the penalty that the development stimuli chose",
    "reliability": "of the responses, over repetitions",
    "reliability_pred": "of the predictions, over repetitions",
    "r2_corr_c": "r2_corr corrected for noise as published",
    "r2_corr_c2": "r2_corr corrected for noise without the published constants",
    "noise_ceiling": "r2_corr that a perfect prediction would reach, with its interval",
    "above_chance": "median r2_corr over splits, with p of its permutation test",
}
# what a layer's estimator is named by, and the columns that every score has
OF_BLOCK = ("features", "layer", "layer_name", "estimator")
OF_SCORE = ("split", "n_train", "n_test")
# a target of one component at one time: C11@0.40
TIMED = re.compile(r"(?P<component>.+)@(?P<time>[-+]?\d+(?:\.\d+)?)")


def target_dims(targets: pd.DataFrame) -> pd.DataFrame:
    """Tabulate the dims of every target: its name, and those of component, time, subject and roi that are known.

    Parameters
    ----------
    targets : DataFrame
        One row per target: `target` and its metadata. Without columns `component` and `time`, both are read off names
        such as `C11@0.40`.
    """
    names = targets["target"].astype(str)
    dims: dict[str, object] = {"target": pd.Categorical.from_codes(np.arange(len(names)), names)}
    timed = names.str.extract(f"^{TIMED.pattern}$")
    known = targets.assign(**{name: timed[name] for name in timed if name not in targets})
    for name in ("component", "subject", "roi"):
        if name in known and known[name].notna().any():
            dims[name] = pd.Categorical(known[name].map(_name, na_action="ignore"))
    times = pd.to_numeric(known["time"], errors="coerce")
    if times.notna().any():
        dims["time"] = times.to_numpy(float)
    return pd.DataFrame(dims)


def _name(value: object) -> str:
    """Write a name as text, where a gap in the column made whole numbers floats, too."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def of_scores(scores: pd.DataFrame, position: np.ndarray, targets: pd.DataFrame, names: dict) -> pd.DataFrame:
    """Make the measures of one block.

    Parameters
    ----------
    scores : DataFrame
        One row per target x split: those of `MEASURES` that it has, and `OF_SCORE`.
    position : ndarray of int, shape (n_rows,)
        Of every row's target in `targets`.
    targets : DataFrame
        See `target_dims`.
    names : dict
        The block's `OF_BLOCK`.
    """
    wide = {
        name: value if isinstance(value, int | np.integer) else one_name(value, len(scores))
        for name, value in names.items()
    }
    wide |= {name: targets[name].to_numpy()[position] for name in targets if name == "time"}
    wide |= {name: targets[name].array[position] for name in targets if name != "time"}
    present = [name for name in MEASURES if name in scores]
    return to_long(pd.DataFrame(wide | {name: scores[name].to_numpy() for name in (*OF_SCORE, *present)}), present)


def of_ceilings(targets: pd.DataFrame, dims: pd.DataFrame) -> pd.DataFrame:
    """Make the measure `noise_ceiling`, one row per target, of targets that have the columns `noise_ceiling*`."""
    numbers = {"value": "noise_ceiling", "low": "noise_ceiling_low", "high": "noise_ceiling_high"}
    own = {name: targets[column].to_numpy(float) for name, column in numbers.items() if column in targets}
    return dims.assign(measure=one_name("noise_ceiling", len(dims)), **own)


def of_chance(table: pd.DataFrame, dims: pd.DataFrame) -> pd.DataFrame:
    """Make the measure `above_chance` from the table of that name; its p is that of every layer by itself."""
    position = pd.Index(dims["target"].astype(str)).get_indexer(table["target"].astype(str))
    own = dims.iloc[position].reset_index(drop=True)
    names = table[list(OF_BLOCK)].reset_index(drop=True)
    numbers = {"value": table["score"].to_numpy(float), "p": table["p"].to_numpy(float)}
    return pd.concat([names, own], axis=1).assign(measure=one_name("above_chance", len(own)), **numbers)


def of_tables(
    tables: Mapping[str, pd.DataFrame | Path | None],
    blocks: Iterator[pd.DataFrame],
    targets: pd.DataFrame,
    dims: pd.DataFrame,
) -> Iterator[pd.DataFrame]:
    """Yield the measures of all blocks, then those of the tables that there are."""
    yield from blocks
    if "noise_ceiling" in targets:
        yield of_ceilings(targets, dims)
    chance = tables.get("above_chance")
    if isinstance(chance, pd.DataFrame) and len(chance):
        yield of_chance(chance, dims)


def blocks_of(scores: pd.DataFrame, dims: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """Yield the measures of every block of a whole table of scores."""
    position = pd.Index(dims["target"].astype(str))
    for names, own in scores.groupby(list(OF_BLOCK), sort=False, observed=True):
        where = position.get_indexer(own["target"].astype(str))
        yield of_scores(own, where, dims, dict(zip(OF_BLOCK, names, strict=True)))


def dims_of(dims: pd.DataFrame, has_intervals: bool, tested: bool) -> tuple[str, ...]:
    """List the columns of the measures beside question, measure and value.

    Parameters
    ----------
    dims : DataFrame
        See `target_dims`.
    has_intervals : bool
        Whether noise ceilings have an interval.
    tested : bool
        Whether there are p above chance.
    """
    intervals = ("low", "high") if has_intervals else ()
    return (*OF_BLOCK, *OF_SCORE, *dims.columns, *intervals, *(("p",) if tested else ()))
