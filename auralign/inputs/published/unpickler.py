"""Pickles of numbers, read without running anything that a file asks for.

A pickle is a program: it names callables and has them called. Here a name is looked up in a fixed table of stand-ins
that only hold what they are given; any other name ends the reading. Not even numpy's own functions are called by the
file, since a forged dtype could pass raw bytes off as pointers: arrays are made afterwards, by `np.frombuffer` of
plain numbers and text, once everything has been checked.
"""

import math
import pickle
import re
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import DataError

# numbers and text of a fixed size, and O for the stand-ins of Python objects
_PLAIN = re.compile(r"b1|[iu][1248]|f[248]|c(?:8|16)|[SU][1-9]\d{0,5}|O8?")
# deeper than any published file; a container may also hold itself
MAX_DEPTH = 20


class Refused(Exception):
    """The pickle asks for more than data; the message says for what."""


class Inert:
    """A stand-in: what a file may call instead of the class of that name. It holds data and does nothing."""

    def __setstate__(self, state: Any) -> None:
        """Refuse a state, unless the stand-in expects one."""
        raise Refused(f"it sets a state of {type(self).__name__}")


class NdarrayName(Inert):
    """For `numpy.ndarray`, which pickles of arrays mention."""


class Dtype(Inert):
    """For `numpy.dtype`: `dtype` is one of plain numbers, text or objects, without fields."""

    def __init__(self, code: str, align: bool = False, copy: bool = True) -> None:
        if not isinstance(code, str) or not _PLAIN.fullmatch(code):
            raise Refused(f"it holds an array of type {code!r}; admitted are numbers and text")
        self.dtype = np.dtype(code)

    def __setstate__(self, state: tuple) -> None:
        """Take the byte order: (version, order, subarray, names, fields, size, alignment, flags)."""
        if any(part is not None for part in state[2:5]) or state[1] not in ("<", ">", "=", "|"):
            raise Refused("it holds an array with fields")
        self.dtype = self.dtype.newbyteorder(state[1])


class Array(Inert):
    """For `_reconstruct`, which makes an empty array whose content is then set: what the content is, unchecked."""

    def __init__(self, *_: Any) -> None:
        self.state: tuple | None = None

    def __setstate__(self, state: tuple) -> None:
        """Take (version, shape, dtype, Fortran order, bytes or list of objects)."""
        _, shape, dtype, fortran, data = state
        self.state = (shape, dtype, fortran, data)


class FromBuffer(Inert):
    """For `_frombuffer` of pickle protocol 5."""

    def __new__(  # type: ignore[misc]  # as numpy's function does, it stands for a call that makes something else
        cls, data: bytes, dtype: Dtype, shape: tuple, order: str, axis_order: tuple | None = None
    ) -> Array:
        """Return an `Array`."""
        if axis_order is not None:
            raise Refused("it holds an array with permuted axes")
        array = Array()
        array.state = (shape, dtype, order == "F", data)
        return array


class Scalar(Inert):
    """For `scalar`: one number or text."""

    def __new__(cls, dtype: Dtype, data: bytes) -> np.generic:  # type: ignore[misc]  # as above
        """Return the value."""
        return _from_bytes((1,), dtype, False, data)[0]


NUMPY = {
    ("numpy", "ndarray"): NdarrayName,
    ("numpy", "dtype"): Dtype,
    # OrderedDict is read as a dict
    ("collections", "OrderedDict"): dict,
    # numpy 2 renamed the module
    **{(f"numpy.{core}.multiarray", "_reconstruct"): Array for core in ("core", "_core")},
    **{(f"numpy.{core}.multiarray", "scalar"): Scalar for core in ("core", "_core")},
    **{(f"numpy.{core}.numeric", "_frombuffer"): FromBuffer for core in ("core", "_core")},
}


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: Any, admitted: dict[tuple[str, str], type]) -> None:
        super().__init__(file)
        self._admitted = admitted

    def find_class(self, module: str, name: str) -> type:
        if (module, name) not in self._admitted:
            raise Refused(f"it asks for {module}.{name}")
        return self._admitted[module, name]


def load_stand_ins(path: Path, admitted: dict[tuple[str, str], type]) -> Any:
    """Read a pickle of `admitted` names; arrays are still `Array`, to be made by `resolve`.

    Raises
    ------
    DataError
        The pickle asks for another name (nothing was run), or cannot be read.
    """
    try:
        with open(path, "rb") as file:
            return _Unpickler(file, admitted).load()
    except FileNotFoundError as error:
        raise DataError(f"{path}: there is no such file.") from error
    except Refused as error:
        raise refusal(path, error, admitted) from error
    except Exception as error:  # damaged pickles raise nearly anything; pickle names no types
        raise DataError(f"{path}: not a pickle that can be read: {error!r}.") from error


def refusal(path: Path, error: Refused, admitted: dict[tuple[str, str], type] = NUMPY) -> DataError:
    """Make the message about a pickle that was refused."""
    names = ", ".join(sorted({f"{module}.{name}" for module, name in admitted}))
    return DataError(
        f"{path}: refused: {error}, and nothing of it was run. Admitted are plain numbers, text, dicts, lists and "
        f"arrays ({names}). If you trust the file, save it as .npy, .h5 or a table with the program that made it."
    )


def load_numpy(path: Path) -> Any:
    """Read a pickle of numpy arrays, dicts, lists and scalars; object arrays are refused.

    Returns
    -------
    dict, list, ndarray (read-only), scalar, str or None

    Raises
    ------
    DataError
        The pickle holds or asks for anything else (nothing was run), or cannot be read.
    """
    content = load_stand_ins(path, NUMPY)
    try:
        return resolve(content)
    except Refused as error:
        raise refusal(path, error) from error


def resolve(value: Any, objects: bool = False, depth: int = 0) -> Any:
    """Make the arrays in what was read; `objects` admits arrays of text and scalars.

    Raises
    ------
    Refused
        Something is neither data nor a container of data, or an array's bytes do not fit its shape.
    """
    if depth > MAX_DEPTH:
        raise Refused(f"it nests containers more than {MAX_DEPTH} deep")
    if isinstance(value, Array):
        return _make(value, objects, depth)
    if isinstance(value, dict):
        return {_key(key): resolve(item, objects, depth + 1) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [resolve(item, objects, depth + 1) for item in value]
    if value is None or isinstance(value, (bool, int, float, complex, str, bytes, np.generic)):
        return value
    raise Refused(f"it holds a {type(value).__name__}")


def _key(key: Any) -> int | float | str:
    if isinstance(key, np.generic):
        key = key.item()
    if not isinstance(key, (int, float, str)):
        raise Refused(f"it holds a dict with a key of type {type(key).__name__}")
    return key


def _make(array: Array, objects: bool, depth: int) -> np.ndarray:
    if array.state is None:
        raise Refused("it holds an array without content")
    shape, dtype, fortran, data = array.state
    if isinstance(dtype, Dtype) and dtype.dtype.kind == "O":
        if not objects:
            raise Refused("it holds an array of Python objects")
        elements = resolve(data, objects, depth + 1)
        made = np.empty(len(elements), dtype=object)
        made[:] = elements
        return _shaped(made, shape, fortran)
    return _from_bytes(shape, dtype, fortran, data)


def _from_bytes(shape: tuple, dtype: Dtype, fortran: bool, data: bytes) -> np.ndarray:
    if not isinstance(dtype, Dtype) or dtype.dtype.kind == "O" or not isinstance(data, (bytes, bytearray)):
        raise Refused("it holds an array whose content is not bytes of numbers or text")
    try:
        return _shaped(np.frombuffer(data, dtype=dtype.dtype), shape, fortran)
    except ValueError as error:
        raise Refused(f"it holds an array of {len(data)} bytes that are not {dtype.dtype}") from error


def _shaped(flat: np.ndarray, shape: tuple, fortran: bool) -> np.ndarray:
    sizes = isinstance(shape, tuple) and all(type(size) is int and size >= 0 for size in shape)
    if not sizes or math.prod(shape) != flat.size:
        raise Refused(f"it holds an array of {flat.size} values whose shape is said to be {shape}")
    return flat.reshape(shape, order="F" if fortran else "C")
