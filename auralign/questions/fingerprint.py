"""What results depend on, as hashes: any value, and the code that makes numbers."""

import ast
import hashlib
import importlib.util
import json
import marshal
from collections.abc import Iterator, Sequence
from dataclasses import fields, is_dataclass
from functools import cache
from importlib.abc import InspectLoader
from importlib.machinery import ModuleSpec
from importlib.metadata import version
from typing import Any, cast

import numpy as np
from pydantic import BaseModel

from ..inputs.arrays import StoredArray, sha256_of_array

PACKAGE = __name__.split(".", maxsplit=1)[0]
# whatever this module imports from the package, directly or not, makes the numbers of a block
ROOT = f"{PACKAGE}.questions.blocks"
# and of these, whose numbers change with their versions
LIBRARIES = ("numpy", "scipy", "scikit-learn", "julearn", "pandas")


def fingerprint(value: Any) -> str:
    """Hash a value with everything in it, so that no part can be forgotten.

    Parameters
    ----------
    value : None, bool, number, str, array, StoredArray, pydantic model, or dataclass, list, tuple or dict of such
        A StoredArray counts by its values and its rows, not by its file; a dataclass by all its fields.

    Raises
    ------
    TypeError
        Something else, of which it is not known what in it makes a difference.
    """
    return hashlib.sha256(json.dumps(_plain(value)).encode()).hexdigest()


def _plain(value: Any) -> Any:
    """Write a value as JSON can hold it; different values differ."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, StoredArray):
        return ["StoredArray", value.sha256, sha256_of_array(value.rows)]
    if isinstance(value, np.ndarray):
        return ["ndarray", sha256_of_array(value)]
    if isinstance(value, BaseModel):
        return [type(value).__name__, value.model_dump(mode="json")]
    if is_dataclass(value):
        return [type(value).__name__, {field.name: _plain(getattr(value, field.name)) for field in fields(value)}]
    if isinstance(value, dict):
        return {str(key): _plain(value[key]) for key in sorted(value)}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    raise TypeError(f"a {type(value).__name__} has no fingerprint: say in {__name__} what in it makes a difference.")


@cache
def code_version() -> str:
    """Hash the code that makes the numbers of a block, and the versions of the libraries that it computes with.

    The code is every module of this package that `auralign.questions.blocks` imports, directly or not. Comments,
    docstrings and layout do not count. Computed once per process: a module that is edited afterwards is not the one
    that runs.
    """
    digest = hashlib.sha256()
    for library in LIBRARIES:
        digest.update(f"{library} {version(library)}\n".encode())
    for name in imported_modules(ROOT):
        digest.update(f"{name}\n".encode())
        digest.update(_code(name))
    return digest.hexdigest()


def imported_modules(root: str) -> list[str]:
    """List a module and the modules of its package that it imports, directly or not; sorted.

    Imports inside functions count, those for type checkers alone do not. The modules are found and read through their
    loaders, so that it makes no difference whether the package is installed, editable or zipped.
    """
    found: set[str] = set()
    waiting = [root]
    while waiting:
        name = waiting.pop()
        if name in found or _spec(name) is None:
            continue
        found.add(name)
        # a package's own module runs before those in it
        waiting += [name.rpartition(".")[0]] if "." in name else []
        source = _source(name)
        if source is not None:
            package = cast(ModuleSpec, _spec(name)).parent or ""
            waiting += [other for other in _imports(ast.parse(source), package) if other.startswith(f"{PACKAGE}.")]
    return sorted(found)


def _imports(tree: ast.AST, package: str) -> Iterator[str]:
    """Yield the names of everything that a module imports which may be modules."""
    for node in _running(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = importlib.util.resolve_name("." * node.level + (node.module or ""), package)
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)


def _running(tree: ast.AST) -> Iterator[ast.AST]:
    """Walk a syntax tree without what `if TYPE_CHECKING:` hides from running code."""
    for node in ast.iter_child_nodes(tree):
        parts: Sequence[ast.AST] = [node]
        if isinstance(node, ast.If) and "TYPE_CHECKING" in (
            getattr(node.test, "id", None),
            getattr(node.test, "attr", None),
        ):
            parts = node.orelse
        for part in parts:
            yield part
            yield from _running(part)


@cache
def _spec(name: str) -> ModuleSpec | None:
    """Find a module; None where there is none of that name."""
    try:
        return importlib.util.find_spec(name)
    except ModuleNotFoundError:  # a function or class of a module, which is no package
        return None


def _loader(name: str) -> InspectLoader:
    """Return what loads a module that there is; files, archives and what is built in can all tell source and code."""
    return cast(InspectLoader, cast(ModuleSpec, _spec(name)).loader)


def _source(name: str) -> str | None:
    """Read the source of a module; None where there is bytecode alone."""
    return _loader(name).get_source(name)


def _code(name: str) -> bytes:
    """Return what of a module makes a difference: its statements, or its bytecode where there is no source."""
    source = _source(name)
    if source is None:
        return marshal.dumps(_loader(name).get_code(name))
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:]
    return ast.dump(tree).encode()
