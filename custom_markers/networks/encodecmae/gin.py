"""The gin text of a checkpoint: its bindings are read as text and evaluated as literals, never executed."""

import ast
import re
from collections.abc import Iterator, Mapping
from typing import Any

_STRING = r"\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'"


class GinError(ValueError):
    """A binding that is missing or no plain value; the message names it."""


def _statements(text: str) -> Iterator[str]:
    """Yield the statements of a gin text: comments dropped, values that run over several lines joined."""
    text = re.sub(rf"({_STRING})|#[^\n]*", lambda match: match[1] or "", text)
    statement = ""
    for line in text.splitlines():
        statement += line.rstrip()
        bare = re.sub(_STRING, "", statement)
        if sum(map(bare.count, "([{")) <= sum(map(bare.count, ")]}")):
            if statement.strip():
                yield statement
            statement = ""


def bindings(text: str) -> dict[str, str]:
    """Collect ``[scope/]Class.parameter`` and macro assignments, the last of a key winning, values as text.

    Module paths are dropped (``encodecmae.models.encoders.WavEncoder.fs`` is ``WavEncoder.fs``) and blocks
    (``Class:`` above indented assignments) spelled out. Nothing else, as imports and ``+=``, is needed here.
    """
    found: dict[str, str] = {}
    block = ""
    for statement in _statements(text):
        if not statement[0].isspace():
            header = re.fullmatch(r"([\w./]+)\s*:", statement)
            block = f"{header[1]}." if header else ""
        assignment = re.fullmatch(r"\s*([\w./]+)\s*=\s*(\S.*)", statement)
        if assignment:
            scope, _, name = (block + assignment[1]).rpartition("/")
            found[f"{scope}/" * bool(scope) + ".".join(name.split(".")[-2:])] = assignment[2]
    return found


def value(found: Mapping[str, str], key: str, scope: str = "") -> Any:
    """Evaluate one of the `bindings`, scoped before unscoped: a Python literal, or a %MACRO set anywhere.

    Raises
    ------
    GinError
        If neither is set, a macro is undefined or refers to itself, or the text is no literal.
    """
    text = found.get(f"{scope}/{key}", found.get(key))
    wanted = f"{scope}/{key}" if scope else key
    if text is None:
        raise GinError(f"does not set {wanted}")
    seen = set()
    while text.startswith("%"):
        macro = text[1:].strip()
        if macro in seen or macro not in found:
            fault = "refers to itself" if macro in seen else "is not defined"
            raise GinError(f"{wanted}: the macro %{macro} {fault}")
        seen.add(macro)
        text = found[macro]
    try:
        return ast.literal_eval(text.strip())
    except (ValueError, SyntaxError) as error:
        raise GinError(f"{wanted}: {text!r} is not a plain value") from error
