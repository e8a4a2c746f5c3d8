"""What every measure is given: representations [stimulus, unit] of the same stimuli, checked once and centred."""

import numpy as np

from ..errors import DataError

# a spread below this share of the size of the values is rounding, as in `scores.pearson`
ROUNDING = 1e-13


def representation(x: np.ndarray, least: int = 2, what: str = "x") -> np.ndarray:
    """Check one representation and return it as float64.

    Parameters
    ----------
    x : array-like, shape (n_stimuli, n_units)
    least : int
        Fewest stimuli that the measure is defined for.
    what : str
        Its name in messages.

    Returns
    -------
    ndarray of float64, shape (n_stimuli, n_units)

    Raises
    ------
    DataError
        Another number of axes, no units, too few stimuli, or values that are not finite.
    """
    x = np.asarray(x, dtype=np.float64)
    if x.ndim != 2:
        raise DataError(f"{what}: the shape is {x.shape}; expected (stimuli, units).")
    if x.shape[1] == 0:
        raise DataError(f"{what}: the shape is {x.shape}: there are no units.")
    if len(x) < least:
        raise DataError(f"{what}: {len(x)} stimuli; at least {least} are needed.")
    bad = ~np.isfinite(x)
    if bad.any():
        stimulus, unit = np.argwhere(bad)[0]
        raise DataError(
            f"{what}: {int(bad.sum())} values are not finite, the first at stimulus {stimulus}, unit {unit}. Leave out "
            "the units or the stimuli that have none."
        )
    return x


def representations(x: np.ndarray, y: np.ndarray, least: int = 2) -> tuple[np.ndarray, np.ndarray]:
    """Check two representations of the same stimuli (`representation`).

    Raises
    ------
    DataError
        Also where they are of different numbers of stimuli.
    """
    x, y = representation(x, least, "x"), representation(y, least, "y")
    if len(x) != len(y):
        raise DataError(f"x is of {len(x)} stimuli, y of {len(y)}; both must be of the same stimuli in the same order.")
    return x, y


def centred(x: np.ndarray) -> np.ndarray:
    """Subtract every unit's mean over stimuli; a unit whose spread is rounding (1e-13 of its size) becomes exactly 0.

    Parameters
    ----------
    x : ndarray, shape (n_stimuli, n_units)
    """
    result = x - x.mean(axis=0)
    constant = np.linalg.norm(result, axis=0) <= ROUNDING * np.linalg.norm(x, axis=0)
    result[:, constant] = 0.0
    return result


def zscored(x: np.ndarray, by: np.ndarray | None = None) -> np.ndarray:
    """Scale units to mean 0 and standard deviation 1 (ddof 0) over stimuli, by the statistics of others if given.

    A unit without spread is centred only, as in scikit-learn's StandardScaler.

    Parameters
    ----------
    x : ndarray, shape (n_stimuli, n_units)
    by : ndarray, shape (n_other, n_units), optional
        Stimuli that give mean and standard deviation, such as the development stimuli; by default x itself.
    """
    by = x if by is None else by
    deviations = centred(by)
    sd = np.sqrt((deviations**2).mean(axis=0))
    return (x - by.mean(axis=0)) / np.where(sd > 0, sd, 1.0)


def gram(x: np.ndarray) -> np.ndarray:
    """K = Xc Xc', the inner products of the stimuli after centring the units, shape (n_stimuli, n_stimuli)."""
    own = centred(x)
    return own @ own.T
