"""The configuration of a comparison: a YAML file, checked before anything runs (its keys are in `models`)."""

from __future__ import annotations

import os
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from ..errors import ConfigError
from ..estimators.registry import options_class
from ..files.yaml_text import Yaml, YamlError, read_yaml
from .models import TASK, Comparison, comparison_model


def _resolve_paths(section: Any, folder: Path) -> Any:
    """Make every path of a validated section absolute, relative to the folder of the file."""
    if isinstance(section, Path):
        target = folder / section
        # not the file itself, which in a DataLad dataset is a link to its present content
        return Path(os.path.normpath(target.parent.resolve() / target.name))
    if isinstance(section, BaseModel):
        return section.model_copy(
            update={name: _resolve_paths(getattr(section, name), folder) for name in type(section).model_fields}
        )
    if isinstance(section, dict):
        return {key: _resolve_paths(value, folder) for key, value in section.items()}
    return section


def _explain(path: Path, source: Yaml, error: ValidationError, model: type[Comparison]) -> str:
    lines = [f"{path}: this comparison cannot be run."]
    for problem in error.errors():
        loc = list(problem["loc"])
        if loc[:1] == ["hypotheses"]:
            # the third part is the kind by which pydantic chose the model, not a key of the file
            del loc[2:3]
        key = ".".join(map(str, loc)) or "(the whole file)"
        message = problem["msg"].removeprefix("Value error, ")
        if problem["type"] == "extra_forbidden":
            allowed = _allowed_keys(problem["loc"][:-1], source.content, path.parent, model)
            message = f"unknown key; allowed here: {', '.join(allowed)}"
        elif "input" in problem and not isinstance(problem["input"], dict):
            message += f" (given: {problem['input']!r})"
        quote = source.taken_for(loc) if _wants_name(problem, source.written(loc)) else None
        lines.append(f"  {key}: {message} ({quote or source.where(loc)})")
    return "\n".join(lines)


def _wants_name(problem: ErrorDetails, written: str | None) -> bool:
    """Whether a text is expected where something else was found, so that quotes would help."""
    if problem["type"] == "literal_error":
        return f"'{written}'" in problem.get("ctx", {}).get("expected", "")
    return problem["type"] in ("string_type", "path_type")


def _allowed_keys(location: tuple, content: dict, folder: Path, model: type[Comparison]) -> list[str]:
    """Find the keys that are allowed at a place of the configuration."""
    kind: Any = model
    if location[:1] == ("estimators",):
        # each estimator says itself which options it has
        kind, location = options_class(content["estimators"][location[1]], folder.resolve()), location[2:]
    for part in location:
        kind = _below(kind, part)
    return list(kind.model_fields)


def _below(kind: Any, part: Any) -> Any:
    """Follow a type to what it says of one key, index, or kind of a choice."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return _bare(kind.model_fields[part].annotation)
    if get_origin(kind) in (dict, list):
        return _bare(get_args(kind)[-1])
    # of several models pydantic names the one that it took by its kind
    return next(model for model in get_args(kind) if part in get_args(model.model_fields["kind"].annotation))


def _bare(kind: Any) -> Any:
    """Take off what surrounds a type: metadata, and the possibility of None."""
    if get_origin(kind) is Annotated:
        return _bare(get_args(kind)[0])
    several = [each for each in get_args(kind) if each is not type(None)]
    return several[0] if get_origin(kind) in (Union, UnionType) and len(several) == 1 else kind


def read_config(path: str | Path) -> Comparison:
    """Read and validate a comparison; relative paths become absolute, from the folder of the file.

    Raises
    ------
    ConfigError
        With the file and, for every mistake, the key, what was given and what is allowed.
    """
    path = Path(path)
    try:
        source = read_yaml(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigError(f"{path}: there is no such file. Comparisons lie in julearn_configs/.") from error
    except YamlError as error:
        raise ConfigError(f"{path}: {error}") from error
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{path}: line {line} is not text in UTF-8. Save the file as UTF-8.") from error
    except OSError as error:
        raise ConfigError(f"{path}: not a YAML file that can be read: {error}") from error
    if not isinstance(source.content, dict):
        raise ConfigError(f"{path}: a comparison is a mapping with the keys {', '.join(Comparison.model_fields)}.")
    try:
        model = comparison_model(str(source.content.get("task", TASK)))
    except ConfigError as error:
        raise ConfigError(f"{path}: this comparison cannot be run.\n  {error} ({source.where(['task'])})") from error
    try:
        config = model.model_validate(source.content, context={"folder": path.parent.resolve()})
    except ValidationError as error:
        raise ConfigError(_explain(path, source, error, model)) from error
    try:
        return _resolve_paths(config, path.parent.resolve())
    except (OSError, RuntimeError, ValueError) as error:
        raise ConfigError(f"{path}: a path in it cannot be followed: {error}") from error
