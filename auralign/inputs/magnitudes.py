"""Numbers too large or too small to compute with, refused where they enter."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from ..errors import DataError

# between these, squares and products of squares neither overflow nor vanish (1e300 of at most 1.8e308): features and
# responses of 1e99 together still fail in the joint lasso; single precision, of most features, ends at 3.4e38
LARGEST, LEAST = 1e75, 1e-75


def refuse_extreme(
    values: np.ndarray,
    what: str,
    path: Path | str | None,
    stimuli: Sequence[str],
    column_name: Callable[[int], str],
    each: bool = False,
) -> None:
    """Refuse values that overflow when they are squared, or that vanish all of them.

    Parameters
    ----------
    values : ndarray, shape (n_stimuli, n_columns) or (n_stimuli, n_columns, n_repetitions)
    what : str
        What they are, for the message: "features net, layer 3".
    path : Path, str or None
        The file that they were read from, or what they were given as.
    stimuli : sequence of str
        Names of the rows.
    column_name : callable
        Position of a column -> what to call it.
    each : bool
        Whether no column may vanish, as those that are used one by one may not; otherwise the largest of all counts.

    Raises
    ------
    DataError
        Names the file, and the stimulus and column of the value.
    """
    if not values.size:
        return
    others = tuple(axis for axis in range(values.ndim) if axis != 1)
    with np.errstate(invalid="ignore"):
        sizes = np.fmax(np.abs(np.fmax.reduce(values, axis=others)), np.abs(np.fmin.reduce(values, axis=others)))
    if not each:
        sizes = np.where(sizes == np.fmax.reduce(sizes), sizes, 0.0)
    for wrong, problem in (
        (sizes > LARGEST, f"too large to be squared; allowed are sizes up to {LARGEST:g}"),
        (
            (sizes > 0.0) & (sizes < LEAST),
            f"the largest there, and lost when squared; allowed are sizes from {LEAST:g}",
        ),
    ):
        if wrong.any():
            column = int(np.argmax(wrong))
            own = values[:, column].reshape(len(values), -1)
            row, repetition = map(int, np.unravel_index(np.nanargmax(np.abs(own)), own.shape))
            raise DataError(
                f"{path}: {what}: {column_name(column)} of {stimuli[row]} is {own[row, repetition]:g}, "
                f"{problem}. Repair the file, or bring its values to another unit."
            )
