"""An estimator of one's own, which a configuration names by its file: `{kind: my_kind, file: my_estimator.py}`."""

from __future__ import annotations

import hashlib
import sys
import types
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

from pydantic import create_model

from ..errors import ConfigError, did_you_mean
from .options import EstimatorOptions
from .plugin import Plugin


class OfFile(EstimatorOptions):
    """Options of an estimator that a file brings; `file` is an input of a comparison as a table is."""

    plugin: ClassVar[Plugin]
    sha256: ClassVar[str]
    file: Path

    def in_key(self) -> dict[str, Any]:
        """Return what changes numbers: the content of the file, wherever it lies."""
        return {**self.model_dump(mode="json", exclude={"file"}), "sha256": self.sha256}

    def __reduce__(self):
        """Let other processes load the file themselves, whose module they cannot import."""
        return _restored, (self.model_dump(), self.sha256)


def _restored(settings: dict[str, Any], sha256: str) -> EstimatorOptions:
    """Make the options again in another process.

    Raises
    ------
    ConfigError
        The file is not there, or another one.
    """
    of_kind = options_of_file(Path(settings["file"]), settings["kind"])
    if of_kind.sha256 != sha256:
        raise ConfigError(f"{settings['file']}: the file has changed since the run began. Start the run again.")
    return of_kind.model_validate(settings)


def options_of_file(file: Path, kind: str) -> type[OfFile]:
    """Read a file and make the class of its estimator's options, which have `file` besides.

    Raises
    ------
    ConfigError
    """
    try:
        content = file.read_bytes()
    except OSError as error:
        raise ConfigError(f"{file}: this file of an estimator cannot be read: {error.strerror}.") from error
    return _class_of(file, content, kind)


@cache
def _class_of(file: Path, content: bytes, kind: str) -> type[OfFile]:
    sha256 = hashlib.sha256(content).hexdigest()
    module = _module_of(file, content, sha256)
    found = {value.name: value for value in vars(module).values() if isinstance(value, Plugin)}
    if kind not in found:
        has = f"there are {', '.join(map(repr, found))}" if found else "there is none"
        raise ConfigError(f"{file}: the file has no Plugin of the name {kind!r}; {has}.{did_you_mean(kind, found)}")
    options = found[kind].options
    make: Any = create_model  # for pydantic's plugin of mypy a class made of two has the attributes of neither
    made = make(options.__name__, __base__=(OfFile, options), __module__=module.__name__)
    made.plugin, made.sha256 = found[kind], sha256
    return made


def _module_of(file: Path, content: bytes, sha256: str) -> types.ModuleType:
    """Run a file as a module of its own, once per content."""
    name = f"auralign_estimator_{sha256[:16]}"
    if name in sys.modules:
        return sys.modules[name]
    module = types.ModuleType(name)
    module.__file__ = str(file)
    sys.modules[name] = module
    try:
        exec(compile(content, str(file), "exec"), vars(module))
    except Exception as error:
        del sys.modules[name]
        raise ConfigError(
            f"{file}: this file of an estimator cannot be run: {type(error).__name__}: {error}."
        ) from error
    return module
