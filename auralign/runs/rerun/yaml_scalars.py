"""Replacing single values in the text of a YAML file, so that its comments and its layout stay."""

import json
import re
from pathlib import Path

from ...errors import ConfigError
from ...files.yaml_text import spans_of_values

# a value that means the same without quotes: a name or a path that is no number, date or keyword
_PLAIN = re.compile(r"(\.\./)*[A-Za-z][\w./-]*")
_WORDS = {"true", "false", "yes", "no", "on", "off", "null", "y", "n"}


def replace_values(file: Path, values: dict[tuple, str]) -> str:
    """Return a YAML file's text with other values at some places.

    Parameters
    ----------
    file : Path
    values : dict
        New value by place, for example `{("features", "mine", "table"): "../mine.tsv", ("markers", 0, "name"): "x"}`.

    Raises
    ------
    ConfigError
        A place is not written in the file as such (a YAML anchor stands there).
    """
    text = file.read_text(encoding="utf-8")
    spans = {}
    for (place, value), span in zip(values.items(), spans_of_values(text, list(values)), strict=True):
        if span is None:
            where = ".".join(str(part) for part in place)
            raise ConfigError(f"{file}: {where} is not written out there; write the value itself instead of an anchor.")
        spans[span] = _written(value)
    for (start, end), value in sorted(spans.items(), reverse=True):
        text = text[:start] + value + text[end:]
    return text


def _written(value: str) -> str:
    return value if _PLAIN.fullmatch(value) and value.lower() not in _WORDS else json.dumps(value)
