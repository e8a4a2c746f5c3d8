"""The record of checksums at first use, and the cache folder that it lies in."""

import json
import os
import tempfile
from pathlib import Path
from typing import Any

import platformdirs

CACHE_VARIABLE = "AURALIGN_CACHE"


class WeightsError(RuntimeError):
    """Weights that cannot be found, or are not those that were used before."""


def cache_folder() -> Path:
    """Return the folder of ``AURALIGN_CACHE``, by default the user's cache folder."""
    folder = os.environ.get(CACHE_VARIABLE)
    return Path(folder).expanduser().absolute() if folder else platformdirs.user_cache_path("auralign")


def record_file() -> Path:
    """Return the path of the record of checksums."""
    return cache_folder() / "weights.json"


def read_record() -> dict[str, dict[str, Any]]:
    """Read {source: {"name", "revision", "sha256"}}; empty where there is no record yet."""
    path = record_file()
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        if all({"name", "revision", "sha256"} <= set(facts) for facts in record.values()):
            return record
        reason = "an entry lacks name, revision or sha256"
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, ValueError, AttributeError, TypeError) as error:
        reason = str(error)
    raise WeightsError(
        f"the record of checksums {path} cannot be read: {reason}; "
        f"correct it, or delete it (checksums are then recorded anew)"
    )


def write_record(record: dict[str, dict[str, Any]]) -> None:
    """Replace the record in one step, so that a reader never sees half of it."""
    path = record_file()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(
            "w", encoding="utf-8", dir=path.parent, prefix=".weights", suffix=".json", delete=False
        ) as file:
            json.dump(record, file, indent=2, sort_keys=True)
        os.replace(file.name, path)
    except OSError as error:
        raise WeightsError(
            f"the record of checksums {path} cannot be written: {error.strerror}; "
            f"set the environment variable {CACHE_VARIABLE} to a folder that can be written to"
        ) from error
