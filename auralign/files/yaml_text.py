"""YAML as it is meant: a key given twice, or a name that YAML takes for something else, is an error with its place.

YAML 1.1 reads a bare `no`, `yes`, `on` or `off` as a truth value, `2024-01-01` as a date, `007` as the number 7, and
`1:30` as 90.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import yaml

_KIND = {
    "tag:yaml.org,2002:bool": "a truth value",
    "tag:yaml.org,2002:timestamp": "a date",
    "tag:yaml.org,2002:int": "a number",
    "tag:yaml.org,2002:float": "a number",
    "tag:yaml.org,2002:null": "nothing (null)",
}
_MERGE = "tag:yaml.org,2002:merge"
# numbers of other bases that nobody means: 010 is 8, and 1:30 is 90
_OCTAL, _SIXTIES = re.compile(r"[-+]?0[0-7_]+"), re.compile(r"[-+]?\d[\d_]*(:[0-5]?\d)+(\.\d*)?")


class YamlError(Exception):
    """A YAML text that cannot be read as it is meant; the message is a sentence with line and column."""


@dataclass(frozen=True)
class Yaml:
    """A YAML text that was read.

    Attributes
    ----------
    content : object
        What it holds: mappings with names as keys, lists, single values.
    """

    content: Any
    _root: yaml.Node | None

    def where(self, place: Sequence[str | int]) -> str:
        """Return `line 5, column 3` of the key or the value at a place, or of what holds it where it is not there."""
        return _at(_find(self._root, place)[0])

    def taken_for(self, place: Sequence[str | int]) -> str | None:
        """Say that the single value at a place is written bare and is no text for YAML; None where that is not so.

        Returns
        -------
        str or None
            For example: ``line 5, column 12: YAML reads `no` as a truth value; quote it: "no"``.
        """
        _, node, is_whole = _find(self._root, place)
        if not is_whole or not isinstance(node, yaml.ScalarNode) or node.style is not None or node.tag not in _KIND:
            return None
        return _quote(node) if node.value else None

    def written(self, place: Sequence[str | int]) -> str | None:
        """Return the text of the single value at a place as it stands in the file; None where there is none."""
        _, node, is_whole = _find(self._root, place)
        return node.value if is_whole and isinstance(node, yaml.ScalarNode) else None


def read_yaml(text: str) -> Yaml:
    """Read one YAML document.

    Raises
    ------
    YamlError
        The text is no YAML; a key is there twice, or is no name; a number has another base than it looks like.
    """
    try:
        loader = _Loader(text)
        try:
            root = loader.get_single_node()
            content = None if root is None else loader.construct_document(root)
        finally:
            loader.dispose()
    except (yaml.YAMLError, TypeError, ValueError, RecursionError) as error:
        raise YamlError(f"not a YAML file that can be read: {error}") from error
    return Yaml(content, root)


class _Loader(yaml.SafeLoader):
    """A loader that refuses what YAML 1.1 reads differently from what is meant."""

    def construct_mapping(self, node, deep=False):
        seen = set()
        for key, _ in node.value:
            if key.tag == _MERGE:
                continue
            if not isinstance(key, yaml.ScalarNode):
                raise YamlError(f"{_at(key.start_mark)}: a key is a list or a mapping; it must be a name.")
            if key.tag in _KIND:
                raise YamlError(f"{_quote(key)}.")
            if key.value in seen:
                raise YamlError(f"{_at(key.start_mark)}: the key {key.value!r} is there twice.")
            seen.add(key.value)
        return super().construct_mapping(node, deep)

    def construct_number(self, node):
        for pattern, meaning in ((_OCTAL, "of base 8"), (_SIXTIES, "of base 60, like minutes and seconds")):
            if pattern.fullmatch(node.value):
                raise YamlError(
                    f"{_at(node.start_mark)}: YAML reads `{node.value}` as a number {meaning}; quote it if it is a "
                    f'name: "{node.value}", and write it otherwise if it is a number.'
                )
        is_float = node.tag.endswith("float")
        return self.construct_yaml_float(node) if is_float else self.construct_yaml_int(node)

    def construct_date(self, node):
        try:
            return self.construct_yaml_timestamp(node)
        except ValueError as error:
            raise YamlError(f"{_quote(node)} ({error}).") from error


_Loader.add_constructor("tag:yaml.org,2002:value", yaml.SafeLoader.construct_yaml_str)  # a bare `=`
_Loader.add_constructor("tag:yaml.org,2002:timestamp", _Loader.construct_date)
_Loader.add_constructor("tag:yaml.org,2002:int", _Loader.construct_number)
_Loader.add_constructor("tag:yaml.org,2002:float", _Loader.construct_number)


def _quote(node: yaml.ScalarNode) -> str:
    shown = node.value or "an empty key"
    return f'{_at(node.start_mark)}: YAML reads `{shown}` as {_KIND[node.tag]}, not as a name; quote it: "{node.value}"'


def _at(mark: yaml.Mark | None) -> str:
    return "" if mark is None else f"line {mark.line + 1}, column {mark.column + 1}"


def _find(root: yaml.Node | None, place: Sequence[str | int]) -> tuple[yaml.Mark | None, yaml.Node | None, bool]:
    """Follow a place as far as it goes: where that begins, what is there, and whether it is the whole place."""
    node, mark = root, None if root is None else root.start_mark
    for part in place:
        if isinstance(node, yaml.MappingNode):
            found = next(((key, value) for key, value in node.value if key.value == str(part)), None)
            if found is None:
                return mark, node, False
            mark, node = found[0].start_mark, found[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            mark = node.start_mark
        else:
            return mark, node, False
    return mark, node, True
