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
from pathlib import Path
from typing import Any, cast

import numpy as np
from pydantic import BaseModel

from ..estimators.options import EstimatorOptions
from ..inputs.arrays import StoredArray, sha256_of_array

PACKAGE = __name__.split(".", maxsplit=1)[0]
# what is computed with, beside code of this package and of a block's own
LIBRARIES = ("numpy", "scipy", "scikit-learn", "julearn", "pandas")


def fingerprint(value: Any) -> str:
    """Hash a value with everything in it, so that no part can be forgotten.

    Parameters
    ----------
    value : None, bool, number, str, slice, array, StoredArray, pydantic model, or dataclass, list, tuple, dict of such
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
    if isinstance(value, slice):
        return ["slice", value.start, value.stop, value.step]
    if isinstance(value, np.ndarray):
        return ["ndarray", sha256_of_array(value)]
    if isinstance(value, EstimatorOptions):
        return [type(value).__name__, value.in_key()]
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
def code_version(*roots: str) -> str:
    """Hash the code that makes the numbers of a block, and the versions of the libraries that it computes with.

    The code is some modules and every module of their packages and of this one that they import, directly or not.
    Comments, docstrings and layout do not count. Computed once per process: a module that is edited afterwards is not
    the one that runs.

    Parameters
    ----------
    *roots : str
        Names of modules, among them that of the block's class; or files (.py) that are no modules, of which what they
        import counts: their own content is in the key by the options.

    Raises
    ------
    TypeError
        No other process could import one of them.
    """
    digest = hashlib.sha256()
    for library in LIBRARIES:
        digest.update(f"{library} {version(library)}\n".encode())
    for name in counted_modules(*roots):
        digest.update(f"{name}\n".encode())
        digest.update(_code(name))
    return digest.hexdigest()


def counted_modules(*roots: str) -> list[str]:
    """List the modules that make the numbers of a block; sorted. Parameters and errors as of `code_version`."""
    found: set[str] = set()
    for root in roots:
        starts = [root]
        if root.endswith(".py"):
            tree = ast.parse(Path(root).read_text(encoding="utf-8"))
            starts = [name for name in _imports(tree, "") if name.startswith(f"{PACKAGE}.")]
        elif _spec(root) is None:
            raise TypeError(f"{root}: blocks are of classes in modules that other processes can import.")
        found.update(name for start in starts for name in imported_modules(start))
    return sorted(found)


def imported_modules(root: str) -> list[str]:
    """List a module and the modules of its package, and of auralign, that it imports, directly or not; sorted.

    Imports inside functions count, those for type checkers alone do not. The modules are found and read through their
    loaders, so that it makes no difference whether the package is installed, editable or zipped.
    """
    found: set[str] = set()
    waiting = [root]
    # a question or an estimator of another package brings code of its own
    packages = (f"{PACKAGE}.", f"{root.partition('.')[0]}.")
    while waiting:
        name = waiting.pop()
        spec = _spec(name)
        # a folder of packages that has no module of its own has no origin
        if name in found or spec is None or spec.origin is None:
            continue
        found.add(name)
        # a package's own module runs before those in it
        waiting += [name.rpartition(".")[0]] if "." in name else []
        source = _source(name)
        if source is not None:
            package = spec.parent or ""
            waiting += [other for other in _imports(ast.parse(source), package) if other.startswith(packages)]
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
    except (ModuleNotFoundError, ValueError):  # a function or class of a module; a script, which has no name
        return None


def _loader(name: str) -> InspectLoader:
    """Return what loads a module that there is; nearly all that loads can tell source and code."""
    return cast(InspectLoader, cast(ModuleSpec, _spec(name)).loader)


def _source(name: str) -> str | None:
    """Read the source of a module; None where there is bytecode alone."""
    loader = _loader(name)
    if not hasattr(loader, "get_source"):
        return Path(cast(str, cast(ModuleSpec, _spec(name)).origin)).read_text(encoding="utf-8")
    return loader.get_source(name)


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
