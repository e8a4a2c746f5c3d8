"""YAML as it is meant: a key given twice, or a name that YAML takes for something else, is an error with its place.

YAML 1.1 reads a bare `no`, `yes`, `on` or `off` as a truth value, `2024-01-01` as a date, `007` as the number 7, and
`1:30` as 90. `ruamel.yaml` parses, constructs and writes; what is here is which of its results are refused, and where
in the file they stand.
"""

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.constructor import SafeConstructor
from ruamel.yaml.error import StringMark, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.representer import SafeRepresenter
from ruamel.yaml.resolver import VersionedResolver, implicit_resolvers

_TAG = "tag:yaml.org,2002:"
_KIND = {
    f"{_TAG}bool": "a truth value",
    f"{_TAG}timestamp": "a date",
    f"{_TAG}int": "a number",
    f"{_TAG}float": "a number",
    f"{_TAG}null": "nothing (null)",
}
# numbers of other bases that nobody means: 010 is 8, and 1:30 is 90
_OCTAL, _SIXTIES = re.compile(r"[-+]?0[0-7_]+"), re.compile(r"[-+]?\d[\d_]*(:[0-5]?\d)+(\.\d*)?")
# Bare words that are no text are those of PyYAML, in which these files were first read. ruamel's YAML 1.1 also has the
# truth values `y` and `n` (names of axes here) and numbers without digits or a dot (`_`, `1e3`).
_BARE: dict[str, Any] = {
    f"{_TAG}bool": re.compile("(?:yes|Yes|YES|no|No|NO|true|True|TRUE|false|False|FALSE|on|On|ON|off|Off|OFF)$"),
    f"{_TAG}int": re.compile(
        r"(?:[-+]?0b[0-1_]+|[-+]?0[0-7_]+|[-+]?(?:0|[1-9][0-9_]*)|[-+]?0x[0-9a-fA-F_]+"
        r"|[-+]?[1-9][0-9_]*(?::[0-5]?[0-9])+)$"
    ),
    f"{_TAG}float": re.compile(
        r"(?:[-+]?[0-9][0-9_]*\.[0-9_]*(?:[eE][-+][0-9]+)?|\.[0-9][0-9_]*(?:[eE][-+][0-9]+)?"
        r"|[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+\.[0-9_]*|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$"
    ),
}
_UNREADABLE = (YAMLError, TypeError, ValueError, RecursionError)


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
    _root: Node | None

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
        if not is_whole or not isinstance(node, ScalarNode) or node.style is not None or node.tag not in _KIND:
            return None
        return _quote(node) if node.value else None

    def written(self, place: Sequence[str | int]) -> str | None:
        """Return the text of the single value at a place as it stands in the file; None where there is none."""
        _, node, is_whole = _find(self._root, place)
        return node.value if is_whole and isinstance(node, ScalarNode) else None


def read_yaml(text: str) -> Yaml:
    """Read one YAML document.

    Raises
    ------
    YamlError
        The text is no YAML; a key is there twice, or is no name; a number has another base than it looks like.
    """
    reader = _yaml_1_1()
    try:
        root = reader.compose(text)
        if root is None:
            return Yaml(None, None)
        _refuse_misread(root)
        return Yaml(reader.constructor.construct_document(root), root)
    except _UNREADABLE as error:
        raise YamlError(f"not a YAML file that can be read: {error}") from error


def read_junifer_yaml(text: str) -> Any:
    """Read a YAML document as `junifer` does, by the same library: YAML 1.2, in which `no` is text.

    Raises
    ------
    YamlError
        The text is no YAML.
    """
    try:
        return YAML().load(text)
    except _UNREADABLE as error:
        raise YamlError(f"not a YAML file that can be read: {error}") from error


def write_yaml(content: Any, width: int = 80) -> str:
    """Write mappings, lists and single values as YAML that `read_yaml` reads back; keys keep their order."""
    writer: Any = _yaml_1_1()
    writer.default_flow_style, writer.width = False, width
    writer.sort_base_mapping_type_on_output = False
    text = io.StringIO()
    writer.dump(content, text)
    return text.getvalue()


def spans_of_values(text: str, places: Sequence[tuple]) -> list[tuple[int, int] | None]:
    """Find where single values begin and end in a YAML text, in characters; None where none is written at a place."""
    root = _yaml_1_1().compose(text)
    found = (_find(root, place) for place in places)
    return [
        (node.start_mark.index, node.end_mark.index) if is_whole and isinstance(node, ScalarNode) else None
        for _, node, is_whole in found
    ]


class _Resolver(VersionedResolver):
    """Tells which bare words are no text, alike for every file, whatever version its `%YAML` names."""

    processing_version = (1, 1)
    versioned_resolver: dict[str, list[tuple[str, re.Pattern]]] = {}


for _versions, _tag, _pattern, _first in implicit_resolvers:
    if (1, 1) in _versions:
        for _letter in _first:
            _Resolver.versioned_resolver.setdefault(_letter, []).append((_tag, _BARE.get(_tag, _pattern)))


class _Constructor(SafeConstructor):
    """Makes values of nodes; what is no date or number although it looks like one is named with its place."""

    def construct_object(self, node: Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep)
        except (ValueError, LookupError) as error:
            if isinstance(node, ScalarNode) and node.tag in _KIND:
                raise YamlError(f"{_quote(node)} ({error}).") from error
            raise


_Constructor.add_constructor(f"{_TAG}value", SafeConstructor.construct_yaml_str)  # a bare `=`


class _Representer(SafeRepresenter):
    """Makes nodes of values; a float has a point, without which `1e-05` would be text."""

    def represent_float(self, data: float) -> ScalarNode:
        node = super().represent_float(data)
        if "e" in node.value and "." not in node.value:
            node.value = node.value.replace("e", ".0e", 1)
        return node


_Representer.add_representer(float, _Representer.represent_float)


def _yaml_1_1() -> YAML:
    """Make a reader and writer, which is good for one text."""
    made = YAML(typ="safe", pure=True)
    made.Resolver, made.Constructor, made.Representer = _Resolver, _Constructor, _Representer
    made.composer.warn_double_anchors = False
    return made


def _refuse_misread(root: Node) -> None:
    """Refuse anchors and keys that are there twice, keys that are no names, and numbers of other bases."""
    waiting, seen, anchors = [root], set(), set()
    while waiting:  # in the order of the file
        node = waiting.pop()
        if id(node) in seen:  # an alias
            continue
        seen.add(id(node))
        if node.anchor is not None:
            if node.anchor in anchors:
                raise YamlError(f"{_at(node.start_mark)}: the anchor &{node.anchor} is there twice.")
            anchors.add(node.anchor)
        if isinstance(node, MappingNode):
            _refuse_keys(node)
            waiting.extend(value for _, value in reversed(node.value))
        elif isinstance(node, SequenceNode):
            waiting.extend(reversed(node.value))
        elif isinstance(node, ScalarNode) and node.tag in (f"{_TAG}int", f"{_TAG}float"):
            _refuse_other_bases(node)


def _refuse_keys(mapping: MappingNode) -> None:
    seen = set()
    for key, _ in mapping.value:
        if not isinstance(key, ScalarNode):
            raise YamlError(f"{_at(key.start_mark)}: a key is a list or a mapping; it must be a name.")
        if key.tag in _KIND:
            raise YamlError(f"{_quote(key)}.")
        if key.value in seen:
            several = " Merge several mappings as one list: <<: [*a, *b]." if key.tag == f"{_TAG}merge" else ""
            raise YamlError(f"{_at(key.start_mark)}: the key {key.value!r} is there twice.{several}")
        seen.add(key.value)


def _refuse_other_bases(number: ScalarNode) -> None:
    for pattern, meaning in ((_OCTAL, "of base 8"), (_SIXTIES, "of base 60, like minutes and seconds")):
        if pattern.fullmatch(number.value):
            raise YamlError(
                f"{_at(number.start_mark)}: YAML reads `{number.value}` as a number {meaning}; quote it if it is a "
                f'name: "{number.value}", and write it otherwise if it is a number.'
            )


def _quote(node: ScalarNode) -> str:
    shown, kind = node.value or "an empty key", _KIND[str(node.tag)]
    return f'{_at(node.start_mark)}: YAML reads `{shown}` as {kind}, not as a name; quote it: "{node.value}"'


def _at(mark: StringMark | None) -> str:
    return "" if mark is None else f"line {mark.line + 1}, column {mark.column + 1}"


def _find(root: Node | None, place: Sequence[str | int]) -> tuple[StringMark | None, Node | None, bool]:
    """Follow a place as far as it goes: where that begins, what is there, and whether it is the whole place."""
    node, mark = root, None if root is None else root.start_mark
    for part in place:
        if isinstance(node, MappingNode):
            found = next(((key, value) for key, value in node.value if key.value == str(part)), None)
            if found is None:
                return mark, node, False
            mark, node = found[0].start_mark, found[1]
        elif isinstance(node, SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            mark = node.start_mark
        else:
            return mark, node, False
    return mark, node, True
