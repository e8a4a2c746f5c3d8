"""What is wrong with options, said without a file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

import numpy as np
from pydantic import BaseModel, ValidationError

from ..errors import ConfigError, did_you_mean

Checked = TypeVar("Checked", bound=BaseModel)


def validated(model: type[Checked], given: Mapping[str, Any], function: str) -> Checked:
    """Check options.

    Raises
    ------
    ConfigError
        With every mistake; `function` is named as the one that was called.
    """
    try:
        return model.model_validate(dict(given))
    except ValidationError as error:
        raise ConfigError(f"{function}: {' '.join(sentences(error, model.model_fields))}") from error


def sentences(error: ValidationError, allowed: Iterable[str]) -> list[str]:
    """Say every mistake, in sentences."""
    allowed, found = list(allowed), []
    for problem in error.errors():
        key = ".".join(map(str, problem["loc"]))
        message = problem["msg"].removeprefix("Value error, ")
        if problem["type"] == "extra_forbidden" and len(problem["loc"]) == 1:
            near = did_you_mean(key, allowed)
            message = f"there is no such option; there are {', '.join(allowed)}." + near
        elif not isinstance(problem.get("input"), dict) and problem["type"] != "extra_forbidden":
            message += f" (given: {problem.get('input')!r})"
        message = message if message.endswith((".", "?")) else f"{message}."
        found.append(f"{key}: {message}" if key else message)
    return found


def one_of(option: str, given: Any, allowed: tuple[str, ...]) -> None:
    """Refuse what is none of the words that an option knows.

    Raises
    ------
    ConfigError
    """
    if given not in allowed:
        near = did_you_mean(str(given), allowed)
        words = [repr(word) for word in allowed]
        known = f"neither {words[0]} nor {words[1]}" if len(words) == 2 else f"none of {', '.join(words)}"
        raise ConfigError(f"{option}: {given!r} is {known}.{near}")


def refuse_n_jobs(n_jobs: Any) -> None:
    """Refuse what is no number of processes; below 0 are joblib's numbers, -1 for one per core.

    Raises
    ------
    ConfigError
    """
    if isinstance(n_jobs, bool) or not isinstance(n_jobs, int | np.integer) or n_jobs == 0:
        raise ConfigError(f"n_jobs: {n_jobs!r} is no number of processes; give 1 or more, or -1 for one per core.")
