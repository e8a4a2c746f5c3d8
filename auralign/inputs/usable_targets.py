"""Which targets of the responses can be used: complete, finite, varying; the others are refused or left out."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from ..errors import DataError
from .lazy_arrays import target_parts
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
    silent = np.ones(responses.sizes["stimulus"], dtype=bool)
    for _, values in target_parts(responses):
        silent &= np.isnan(values).all(axis=(1, 2))
        if not silent.any():
            return responses
    return responses[~silent]


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
    found = _look_at(responses, missing_repetitions == "available")
    if missing_repetitions == "error":
        _refuse_other_stimuli(responses, found.there, path)
    names, stimuli, reasons = responses.target.to_numpy(), responses.stimulus.to_numpy(), found.reasons
    bad = reasons != ""
    rows = [(names[t], reasons[t], len(own), _listed(stimuli[own])) for t, own in found.gaps.items()]
    dropped = pd.DataFrame(rows, columns=COLUMNS)
    if bad.any() and missing_targets == "error":
        raise DataError(_refusal(path, dropped, stimuli[found.not_finite], len(names), found.some_repetitions))
    if bad.all():
        raise DataError(f"{path}: no target is left: {_summary(dropped)}.")
    targets = responses[:, ~bad] if bad.any() else responses
    warnings = []
    if bad.any():
        warnings.append(
            f"Left out (missing_targets: drop): {len(dropped)} of {len(names)} targets of {path}: {_summary(dropped)}. "
            "dropped_targets.tsv names them all."
        )
    if missing_repetitions == "available" and found.lacking.any():
        warnings.append(_unequal(targets, found.lacking))
    return Usable(targets, dropped, warnings)


@dataclass(frozen=True)
class _Found:
    """What a look at all responses, some targets at a time, has found.

    Attributes
    ----------
    reasons : ndarray of object, shape (n_targets,)
        Why a target cannot be used, empty where it can.
    gaps : dict of int to ndarray of int
        By target that cannot be used, the stimuli at which it is not there or infinite.
    not_finite : ndarray of bool, shape (n_stimuli,)
        Whether some target is not there, or infinite.
    some_repetitions : bool
        Whether a target lacks some repetitions of a stimulus, but not all.
    there : ndarray of bool, shape (n_stimuli, n_repetitions)
        Whether some target has a value.
    lacking : ndarray of int, shape (n_stimuli,)
        Repetitions that targets which can be used lack, all targets together.
    """

    reasons: np.ndarray
    gaps: dict[int, np.ndarray]
    not_finite: np.ndarray
    some_repetitions: bool
    there: np.ndarray
    lacking: np.ndarray


def _look_at(responses: xr.DataArray, repetitions_may_lack: bool) -> _Found:
    n_stimuli, n_targets, n_repetitions = responses.shape
    reasons = np.full(n_targets, "", dtype=object)
    gaps: dict[int, np.ndarray] = {}
    any_not_finite, lacking_counts = np.zeros(n_stimuli, dtype=bool), np.zeros(n_stimuli, dtype=np.int64)
    there, some = np.zeros((n_stimuli, n_repetitions), dtype=bool), False
    for own, values in target_parts(responses):
        if np.isfinite(values).all():  # as a rule: nothing to be said of single values
            there[:] = True
            none = np.zeros(values.shape[:2], dtype=bool)
            reasons[own] = _reasons(values, none, none)
            gaps |= {own.start + int(t): np.empty(0, np.int64) for t in np.flatnonzero(reasons[own] != "")}
            continue
        missing = np.isnan(values)
        lacking = missing.all(axis=2) if repetitions_may_lack else missing.any(axis=2)
        not_finite = lacking | np.isinf(values).any(axis=2)  # [stimuli, targets]
        reasons[own] = _reasons(values, lacking, not_finite)
        bad = reasons[own] != ""
        gaps |= {own.start + int(t): np.flatnonzero(not_finite[:, t]) for t in np.flatnonzero(bad)}
        any_not_finite |= not_finite.any(axis=1)
        some = some or bool((missing.any(axis=2) & ~missing.all(axis=2)).any())
        there |= ~missing.all(axis=1)
        lacking_counts += missing[:, ~bad].sum(axis=(1, 2))
    return _Found(reasons, gaps, any_not_finite, some, there, lacking_counts)


def _reasons(values: np.ndarray, lacking: np.ndarray, not_finite: np.ndarray) -> np.ndarray:
    """Say of each target why it cannot be used, empty where it can; values are [stimulus, target, repetition]."""
    there = np.where(not_finite[:, :, None], np.nan, values) if not_finite.any() else values
    highest, lowest = np.fmax.reduce(there, axis=0), np.fmin.reduce(there, axis=0)  # [targets, repetitions]
    size = np.fmax.reduce(np.fmax(np.abs(highest), np.abs(lowest)), axis=1, initial=0.0)
    used = ~not_finite.any(axis=0)
    with np.errstate(over="ignore"):  # of values near the end of float64, which are refused below
        spread = highest - lowest
    constant = used & (np.fmax.reduce(spread, axis=1, initial=0.0) <= 1e-12 * size)
    reasons = np.full(len(size), "", dtype=object)
    reasons[used & ((size < LEAST) | (size > LARGEST))] = f"outside {LEAST:g} to {LARGEST:g}"
    reasons[constant] = "constant over stimuli"
    reasons[not_finite.any(axis=0)] = "infinite"
    reasons[lacking.any(axis=0)] = "missing for some stimuli"
    reasons[lacking.all(axis=0)] = "missing for all stimuli"
    return reasons


def _refuse_other_stimuli(responses: xr.DataArray, there: np.ndarray, path: Path | str) -> None:
    """Refuse repetitions that lack whole stimuli: whole rows of a table, not single targets; `there` is of `_Found`."""
    numbers, stimuli = responses.repetition.values, responses.stimulus.values
    for k in range(1, there.shape[1]):
        odd = stimuli[there[:, k] != there[:, 0]]
        if len(odd):
            raise DataError(
                f"{path}: repetition {numbers[k]} has other stimuli than repetition {numbers[0]}: "
                f"{sorted(odd.tolist())[:LISTED]}. Add what is missing, leave these stimuli out of the file, or use "
                "what is there: `missing_repetitions: available` in `targets`."
            )


def _refusal(path: Path | str, dropped: pd.DataFrame, stimuli: np.ndarray, n_targets: int, some: bool) -> str:
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
    if some:
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


def _unequal(targets: xr.DataArray, lacking: np.ndarray) -> str:
    n_stimuli, n_targets, n_repetitions = targets.shape
    share = lacking.sum() / (n_stimuli * n_targets * n_repetitions)
    return (
        f"{int((lacking > 0).sum())} of {n_stimuli} stimuli lack repetitions ({share:.1%} of all responses; "
        "repetitions.tsv has the numbers). Responses are means of the repetitions that are there (at most "
        f"{n_repetitions}), and every stimulus counts alike, whatever its number; ceilings and reliabilities are of "
        "the pairs of repetitions that are there."
    )


def count_repetitions(targets: xr.DataArray) -> pd.DataFrame | None:
    """Tabulate how many repetitions each stimulus has, over targets; None where every one has all.

    Returns
    -------
    DataFrame or None
        `stimulus, n_repetitions_mean, n_repetitions_min, n_repetitions_max`, one row per stimulus.
    """
    n_stimuli, n_targets, n_repetitions = targets.shape
    least, most = np.full(n_stimuli, n_repetitions), np.zeros(n_stimuli, dtype=np.int64)
    total = np.zeros(n_stimuli, dtype=np.int64)
    for _, values in target_parts(targets):
        counts = (~np.isnan(values)).sum(axis=2)
        least, most = np.minimum(least, counts.min(axis=1)), np.maximum(most, counts.max(axis=1))
        total += counts.sum(axis=1)
    if (least == n_repetitions).all():
        return None
    return pd.DataFrame(
        {
            "stimulus": targets.stimulus.values,
            "n_repetitions_mean": total / n_targets,
            "n_repetitions_min": least,
            "n_repetitions_max": most,
        }
    )
