"""The estimator of a call: a name, options, or one of scikit-learn's regressors."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from ..errors import ConfigError
from ..estimators.options import EstimatorOptions
from ..estimators.registry import options_class, options_of
from .regressor import is_regressor, options_of_regressor
from .wrong import sentences


def estimator_options(given: Any) -> EstimatorOptions:
    """Check what was given as `estimator`.

    Parameters
    ----------
    given : str, mapping, EstimatorOptions or regressor
        "ridge"; `{"kind": "ridge", "cv": 5}`, as in a configuration; options that are checked already; or anything with
        scikit-learn's `fit` and `predict`.

    Raises
    ------
    ConfigError
        There is no such estimator or option.
    """
    if is_regressor(given):
        return options_of_regressor(given)
    try:
        return options_of(given)
    except ValidationError as error:
        raise ConfigError(f"estimator: {' '.join(sentences(error, _allowed(given)))}") from error


def label_of(given: Any, options: EstimatorOptions) -> str:
    """Name an estimator as tables and figures have it."""
    return given if isinstance(given, str) else options.kind


def _allowed(given: Any) -> list[str]:
    """List the options that there are; none where there is no such estimator."""
    settings = {"kind": given} if isinstance(given, str) else given
    try:
        return list(options_class(settings).model_fields)
    except (ConfigError, AttributeError, TypeError, KeyError):
        return []
