"""Features and responses before a sparse solver: checked, centred, and each column once."""

import numpy as np

from ...errors import ConfigError, DataError


def checked(
    x: np.ndarray, y: np.ndarray, n_alphas: int = 1, eps: float = 0.5, solver: str = "lasso"
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Centre features [n, n_features] and responses [n, n_targets]; constant columns become exactly 0.

    `n_alphas` and `eps` are those of a grid, where there is one; messages begin with `solver`.

    Returns
    -------
    x_mean, x_centred, y_mean, y_centred : ndarray

    Raises
    ------
    ConfigError
        n_alphas or eps are not among what is allowed.
    DataError
        A value is not finite, or features and responses are not of the same two stimuli or more.
    """
    x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if len(x) != len(y) or len(x) < 2:
        raise DataError(f"{solver}: features of {len(x)} stimuli and responses to {len(y)}; give the same 2 or more.")
    if n_alphas < 1 or not 0 < eps < 1:
        raise ConfigError(f"{solver}: expected n_alphas >= 1 and 0 < eps < 1, got n_alphas={n_alphas!r}, eps={eps!r}.")
    centred = []
    for name, values in (("features", x), ("responses", y)):
        if not np.isfinite(values).all():
            row, column = np.argwhere(~np.isfinite(values))[0]
            raise DataError(
                f"{solver}: {name} have {(~np.isfinite(values)).sum()} values that are not finite, the first is "
                f"{values[row, column]} in row {row}, column {column}; leave these stimuli or columns out."
            )
        mean = np.where(np.ptp(values, axis=0) == 0, values[0], values.mean(axis=0))
        centred += [mean, values - mean]
    return tuple(centred)


def distinct_columns(x: np.ndarray) -> np.ndarray:
    """Return the indices of the first of every group of equal or opposite columns, without columns that are zero."""
    leading = x[(x != 0).argmax(axis=0), np.arange(x.shape[1])]
    columns = np.ascontiguousarray(np.where(leading < 0, -x, x).T) + 0.0  # no -0.0
    first = {column.tobytes(): index for index, column in reversed(list(enumerate(columns)))}
    first.pop(np.zeros(len(x)).tobytes(), None)
    return np.sort(np.fromiter(first.values(), dtype=int, count=len(first)))
