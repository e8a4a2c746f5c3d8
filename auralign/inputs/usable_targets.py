"""Which targets of the responses can be used: complete, finite, varying; the others are refused or left out."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from ..errors import DataError
from .magnitudes import LARGEST, LEAST

# names that a message lists before it says how many more there are
LISTED = 5
COLUMNS = ["target", "reason", "n_stimuli", "stimuli"]


@dataclass(frozen=True)
class Usable:
    """Responses of which every target can be used.

    Attributes
    ----------
    targets : DataArray
        Dimensions (stimulus, target, repetition); NaN only for repetitions that stimuli may lack.
    dropped : DataFrame
        One row per target left out: `COLUMNS`, with the number of its stimuli that are not there or infinite, and the
        first of their names.
    warnings : list of str
        In sentences.
    """

    targets: xr.DataArray
    dropped: pd.DataFrame
    warnings: list[str]


def answered(responses: xr.DataArray) -> xr.DataArray:
    """Leave out stimuli that have no response at all: no target in no repetition."""
    return responses[~np.isnan(responses.to_numpy()).all(axis=(1, 2))]


def usable_targets(
    responses: xr.DataArray, path: Path | str, missing_targets: str = "error", missing_repetitions: str = "error"
) -> Usable:
    """Refuse or leave out targets that lack a response, are infinite, constant, or near the ends of float64.

    Parameters
    ----------
    responses : DataArray
        Dimensions (stimulus, target, repetition); NaN where a value is missing.
    path : Path or str
        Where they come from, for messages.
    missing_targets : {"error", "drop"}
    missing_repetitions : {"error", "available"}
        `error`: every stimulus needs all repetitions. `available`: one is enough.

    Raises
    ------
    DataError
        There is such a target and `missing_targets` is `error`; none is left; stimuli lack a repetition, which
        `missing_repetitions` does not allow.
    """
    values, names = responses.to_numpy(), responses.target.to_numpy()
    missing = np.isnan(values)
    if missing_repetitions == "error":
        _refuse_other_stimuli(responses, missing, path)
    lacking = missing.all(axis=2) if missing_repetitions == "available" else missing.any(axis=2)
    not_finite = lacking | np.isinf(values).any(axis=2)  # [stimuli, targets]
    reasons = _reasons(values, lacking, not_finite)
    bad = reasons != ""
    stimuli = responses.stimulus.values
    gaps = {t: stimuli[not_finite[:, t]] for t in np.flatnonzero(bad)}
    rows = [(names[t], reasons[t], len(own), _listed(own)) for t, own in gaps.items()]
    dropped = pd.DataFrame(rows, columns=COLUMNS)
    if bad.any() and missing_targets == "error":
        raise DataError(_refusal(path, dropped, stimuli[not_finite.any(axis=1)], len(names), missing))
    if bad.all():
        raise DataError(f"{path}: no target is left: {_summary(dropped)}.")
    targets = responses[:, ~bad] if bad.any() else responses
    warnings = []
    if bad.any():
        warnings.append(
            f"Left out (missing_targets: drop): {len(dropped)} of {len(names)} targets of {path}: {_summary(dropped)}. "
            "dropped_targets.tsv names them all."
        )
    if missing_repetitions == "available" and np.isnan(targets.to_numpy()).any():
        warnings.append(_unequal(targets))
    return Usable(targets, dropped, warnings)


def _reasons(values: np.ndarray, lacking: np.ndarray, not_finite: np.ndarray) -> np.ndarray:
    """Say of each target why it cannot be used, empty where it can; values are [stimulus, target, repetition]."""
    there = np.where(not_finite[:, :, None], np.nan, values)
    size = np.fmax.reduce(np.abs(there), axis=(0, 2), initial=0.0)
    used = ~not_finite.any(axis=0)
    with np.errstate(over="ignore"):  # of values near the end of float64, which are refused below
        spread = np.fmax.reduce(there, axis=0) - np.fmin.reduce(there, axis=0)  # [targets, repetitions]
    constant = used & (np.fmax.reduce(spread, axis=1, initial=0.0) <= 1e-12 * size)
    reasons = np.full(len(size), "", dtype=object)
    reasons[used & ((size < LEAST) | (size > LARGEST))] = f"outside {LEAST:g} to {LARGEST:g}"
    reasons[constant] = "constant over stimuli"
    reasons[not_finite.any(axis=0)] = "infinite"
    reasons[lacking.any(axis=0)] = "missing for some stimuli"
    reasons[lacking.all(axis=0)] = "missing for all stimuli"
    return reasons


def _refuse_other_stimuli(responses: xr.DataArray, missing: np.ndarray, path: Path | str) -> None:
    """Refuse repetitions that lack whole stimuli: the whole row of a table, not single targets."""
    there = ~missing.all(axis=1)  # [stimuli, repetitions]
    numbers, stimuli = responses.repetition.values, responses.stimulus.values
    for k in range(1, there.shape[1]):
        odd = stimuli[there[:, k] != there[:, 0]]
        if len(odd):
            raise DataError(
                f"{path}: repetition {numbers[k]} has other stimuli than repetition {numbers[0]}: "
                f"{sorted(odd.tolist())[:LISTED]}. Add what is missing, leave these stimuli out of the file, or use "
                "what is there: `missing_repetitions: available` in `targets`."
            )


def _refusal(path: Path | str, dropped: pd.DataFrame, stimuli: np.ndarray, n_targets: int, missing: np.ndarray) -> str:
    """Name the targets and what can be done about them."""
    gaps = dropped[dropped["n_stimuli"] > 0]
    if gaps.empty:
        parts = [
            f"{len(rows)} targets are {reason}, so that no score is defined: {_listed(rows['target'])}"
            for reason, rows in dropped.groupby("reason", sort=False)
        ]
        return (
            f"{path}: {'; '.join(parts)}. Remove or rescale them, or leave them out with `missing_targets: drop` (a "
            "key beside `missing`)."
        )
    text = (
        f"{path}: responses are not finite for {len(stimuli)} stimuli: {_listed(stimuli)}; in {len(gaps)} of "
        f"{n_targets} targets: {_listed(gaps['target'])} ({_reason_counts(gaps)}). Leave these targets out with "
        "`missing_targets: drop` (a key beside `missing`), or leave these stimuli out of the file"
    )
    if missing.shape[2] > 1 and (missing.any(axis=2) & ~missing.all(axis=2)).any():
        text += (
            "; where only some repetitions are missing, `missing_repetitions: available` in `targets` uses the others"
        )
    others = dropped[dropped["n_stimuli"] == 0]
    return f"{text}." if others.empty else f"{text}. Besides: {_summary(others)}."


def _summary(dropped: pd.DataFrame) -> str:
    """Say how many targets are left out for which reason, and name the first ones."""
    return f"{_listed(dropped['target'])} ({_reason_counts(dropped)})"


def _reason_counts(dropped: pd.DataFrame) -> str:
    return ", ".join(f"{count} {reason}" for reason, count in dropped["reason"].value_counts(sort=False).items())


def _listed(names) -> str:
    names = [str(name) for name in names]
    more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return ", ".join(names[:LISTED]) + more


def _unequal(targets: xr.DataArray) -> str:
    missing = np.isnan(targets.to_numpy())
    n_repetitions, n_stimuli = targets.sizes["repetition"], int(missing.any(axis=(1, 2)).sum())
    return (
        f"{n_stimuli} of {len(missing)} stimuli lack repetitions ({missing.mean():.1%} of all responses; "
        "repetitions.tsv has the numbers). Responses are means of the repetitions that are there (at most "
        f"{n_repetitions}), and every stimulus counts alike, whatever its number; ceilings and reliabilities are of "
        "the pairs of repetitions that are there."
    )


def count_repetitions(targets: xr.DataArray) -> pd.DataFrame:
    """Tabulate how many repetitions each stimulus has, over targets.

    Returns
    -------
    DataFrame
        `stimulus, n_repetitions_mean, n_repetitions_min, n_repetitions_max`, one row per stimulus.
    """
    counts = (~np.isnan(targets.to_numpy())).sum(axis=2)
    return pd.DataFrame(
        {
            "stimulus": targets.stimulus.values,
            "n_repetitions_mean": counts.mean(axis=1),
            "n_repetitions_min": counts.min(axis=1),
            "n_repetitions_max": counts.max(axis=1),
        }
    )
