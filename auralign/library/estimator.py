"""The estimator of a call: a name, options, or one of scikit-learn's regressors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter, ValidationError

from ..errors import ConfigError
from ..estimators.options import Estimator
from ..options import Options


def estimator_options(given: Any) -> Any:
    """Check what was given as `estimator`.

    Parameters
    ----------
    given : str, mapping or options
        "ridge"; `{"kind": "ridge", "cv": 5}`, as in a configuration; or options that are checked already.

    Raises
    ------
    ConfigError
        There is no such estimator or option.
    """
    if isinstance(given, Options):
        return given
    settings = {"kind": given} if isinstance(given, str) else given
    if not isinstance(settings, Mapping):
        raise ConfigError(
            f"estimator: {type(given).__name__} is none of what can be given: a name ('ridge'), a dict of options "
            "({'kind': 'ridge', 'cv': 5}), or one of scikit-learn's regressors."
        )
    try:
        return TypeAdapter(Estimator).validate_python(dict(settings))
    except ValidationError as error:
        problems = [problem["msg"].removeprefix("Value error, ") for problem in error.errors()]
        raise ConfigError(f"estimator: {'; '.join(problems)}.") from error
