"""Whether a YAML has the parts that a `junifer` command needs, before junifer stumbles over them or does nothing."""

import glob
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py

from auralign.errors import ConfigError, did_you_mean
from auralign.files.yaml_text import read_junifer_yaml

KEYS = ("with", "workdir", "datagrabber", "preprocess", "markers", "storage", "elements", "queue")


def check_yaml(yaml_file: Path, command: str) -> None:
    """Refuse a YAML with which `junifer run`, `queue` or `collect` would do nothing, or stop in the middle of its code.

    Parameters
    ----------
    yaml_file : Path
    command : str
        The command of junifer that was given the YAML.

    Raises
    ------
    ConfigError
        A part is missing or of another shape, or there is nothing to collect.
    """
    content = read_junifer_yaml(yaml_file.read_text(encoding="utf-8"))
    for key in content:
        if str(key) not in KEYS and not str(key).startswith(("x-", ".", "_")):
            hint = did_you_mean(str(key), [known for known in KEYS if known not in content])
            if hint:
                raise ConfigError(f"{yaml_file}: {key}: junifer knows no such key.{hint} Allowed: {', '.join(KEYS)}.")
    if command in ("run", "queue"):
        _require(yaml_file, content, "datagrabber")
        _check_markers(yaml_file, content)
    if command in ("run", "queue", "collect"):
        _require(yaml_file, content, "storage")
        _check_storage(yaml_file, content.get("storage") or {}, command)


def problem_of_storage(storage: Path) -> str | None:
    """Say what stands at the path of a collected file and is none; None where there is nothing, or such a file.

    junifer would fail there later, and what stands there would be set aside as an outdated collected file.
    """
    if storage.is_dir():
        return "is a folder; the path of a file is needed, such as features/NAME/NAME.hdf5 (storage: uri)."
    if storage.is_file() and storage.stat().st_size and not h5py.is_hdf5(storage):
        return "is there and is no HDF5 file; it is left alone. Give the YAML another storage (storage: uri)."
    return None


def _require(yaml_file: Path, content: Mapping[str, Any], key: str) -> None:
    """Refuse a part that is no mapping; that it is not there at all is told elsewhere (see `complaints`)."""
    if key in content and not isinstance(content[key], Mapping):
        raise ConfigError(
            f"{yaml_file}: {key}: {_shown(content[key])}; expected `kind:` and the parameters of that kind, one a line."
        )


def _check_markers(yaml_file: Path, content: Mapping[str, Any]) -> None:
    if "markers" not in content:
        return
    markers = content["markers"]
    expected = "expected a list, each beginning with `- name:` and followed by `kind:` and parameters."
    if not isinstance(markers, list):
        raise ConfigError(f"{yaml_file}: markers: {_shown(markers)}; {expected}")
    if not markers:
        raise ConfigError(f"{yaml_file}: markers: the list is empty, nothing would be computed; {expected}")
    for number, marker in enumerate(markers, start=1):
        if not isinstance(marker, Mapping):
            raise ConfigError(f"{yaml_file}: markers: number {number} is {_shown(marker, '')}; {expected}")


def _check_storage(yaml_file: Path, storage: Mapping[str, Any], command: str) -> None:
    uri = storage.get("uri")
    if "uri" not in storage:
        return
    if not isinstance(uri, str):
        raise ConfigError(f"{yaml_file}: storage: uri: {_shown(uri)}; expected the path of a file, quoted if need be.")
    path = (yaml_file.resolve().parent / uri).resolve()
    problem = problem_of_storage(path)
    if problem is not None:
        raise ConfigError(f"{yaml_file}: storage: {path} {problem}")
    one_each = storage.get("kind") == "HDF5FeatureStorage" and not storage.get("single_output", False)
    if command == "collect" and one_each and not any(path.parent.glob(f"element_*_{glob.escape(path.name)}")):
        raise ConfigError(
            f"{yaml_file}: there is nothing to collect: {path.parent} holds no features (element_*_{path.name}). Run "
            f"`junifer run {yaml_file}` first, or correct storage: uri."
        )


def _shown(value: Any, verb: str = "is ") -> str:
    """Describe a value of a wrong shape."""
    if value is None:
        return f"{verb}empty"
    if isinstance(value, (Mapping, list)):
        return f"{verb}a {'list' if isinstance(value, list) else 'mapping'}"
    return f"{verb}{value!r}"
