"""What a solver gives back, looked at before it is used: an estimator of somebody else may give anything."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from ..errors import AuralignError, DataError
from .plugin import Can, Plugin


@contextmanager
def named(plugin: Plugin) -> Iterator[None]:
    """Say which estimator it is that fails.

    Raises
    ------
    DataError
        Whatever went wrong inside it; a sentence of auralign's own stays as it is.
    """
    try:
        yield
    except AuralignError:
        raise
    except Exception as error:
        raise DataError(f"the estimator {plugin.name} failed: {type(error).__name__}: {error}") from error


def refuse_wrong_fit(plugin: Plugin, can: Can, found: Any, n_units: int, n_targets: int) -> None:
    """Refuse what is not the fit of so many targets.

    Parameters
    ----------
    plugin : Plugin
    can : Can
        What it says that it can do.
    found : Fitted, or what the plug-in's `predict` gives
    n_units, n_targets : int
        Of the features and responses that it was given.

    Raises
    ------
    DataError
        Something is missing or of another shape; what was expected is said.
    """
    needed = ["alpha", "r2_dev", *(["coef"] if can.sparse else []), *(["params"] if can.params else [])]
    for name in needed:
        if getattr(found, name, None) is None:
            raise DataError(
                f"the estimator {plugin.name} gave a {type(found).__name__} without {name}; expected of what it can do "
                f"are {', '.join(needed)}."
            )
    for name in ("alpha", "r2_dev"):
        shape = np.shape(getattr(found, name))
        if shape not in ((), (1,), (n_targets,)):
            raise _wrong_shape(plugin, name, shape, f"({n_targets},), a number per target")
    coef, params = getattr(found, "coef", None), getattr(found, "params", None)
    if coef is not None and (can.sparse or can.weights) and np.shape(coef) != (n_units, n_targets):
        raise _wrong_shape(plugin, "coef", np.shape(coef), f"({n_units}, {n_targets}), units x targets")
    if can.params and not (
        isinstance(params, Sequence)
        and len(params) == n_targets
        and all(isinstance(of_target, Mapping) for of_target in params)
    ):
        raise DataError(
            f"the estimator {plugin.name} gave params that are no list of {n_targets} dictionaries, one per target."
        )


def refuse_wrong_prediction(plugin: Plugin, prediction: Any, n_test: int, n_targets: int) -> np.ndarray:
    """Return a prediction as numbers, unless it is none of so many stimuli and targets.

    Raises
    ------
    DataError
        It has another shape, or a value that is not finite, of which no score can be told.
    """
    with named(plugin):
        prediction = np.asarray(prediction, dtype=float)
    if prediction.shape != (n_test, n_targets):
        raise _wrong_shape(plugin, "a prediction", prediction.shape, f"({n_test}, {n_targets}), stimuli x targets")
    with np.errstate(all="ignore"):
        # one pass, and no array: where the sum is finite, every value is
        wrong = 0 if np.isfinite(prediction.sum()) else int((~np.isfinite(prediction)).sum())
    if wrong:
        raise DataError(
            f"the estimator {plugin.name} predicted {wrong} of {prediction.size} values as NaN or infinite; give it "
            "other options, or leave out the targets or units that it cannot fit."
        )
    return prediction


def _wrong_shape(plugin: Plugin, what: str, shape: tuple[int, ...], expected: str) -> DataError:
    return DataError(f"the estimator {plugin.name} gave {what} of the shape {shape}; expected {expected}.")
