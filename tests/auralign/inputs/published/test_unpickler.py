"""Reading pickles of numbers without running them."""

import io
import os
import pickle
import pickletools
import struct
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest

from auralign.errors import DataError
from auralign.inputs.published.unpickler import NUMPY, load_numpy


def _dump(content, path: Path, protocol: int = 4) -> Path:
    path.write_bytes(pickle.dumps(content, protocol=protocol))
    return path


@pytest.mark.parametrize("protocol", [3, 4, 5])
def test_arrays_dicts_and_scalars_come_back_as_plain_pickle_gives_them(tmp_path, protocol):
    random = np.random.default_rng(0)
    content = {
        0: random.standard_normal(768).astype(np.float32),
        "c": random.standard_normal((3, 4)),
        "fortran": np.asfortranarray(random.standard_normal((3, 4))),
        "strided": random.standard_normal((6, 4))[::2, ::3],
        "big endian": np.arange(5, dtype=">i4"),
        "text": np.array(["a", "long"]),
        "bytes": np.array([b"x.wav"]),
        "truth": np.array([True, False]),
        "complex": np.array([1 + 2j]),
        "empty": np.zeros((0, 3)),
        "zero-dimensional": np.array(2.5),
        "scalars": [np.float64(1.5), np.int64(-3), np.str_("ä"), True, None, 2, 0.5, "t", b"b"],
        "inner": OrderedDict(k=np.float32(2)),
    }
    path = _dump(content, tmp_path / "a.pkl", protocol)
    found, expected = load_numpy(path), pickle.loads(path.read_bytes())
    assert list(found) == list(expected)
    for key, value in expected.items():
        if isinstance(value, np.ndarray):
            assert found[key].dtype.newbyteorder("=") == value.dtype.newbyteorder("="), key
            np.testing.assert_array_equal(found[key], value, err_msg=str(key))
        else:
            assert found[key] == value, key


def test_names_of_numpy_2_are_admitted(tmp_path):
    blob = pickle.dumps({"a": np.arange(3.0), "s": np.float32(0.5)}, protocol=4)
    frame, body = blob[:11], blob[11:]
    new = body.replace(
        b"\x8c\x15numpy.core.multiarray",
        struct.pack("BB", 0x8C, len("numpy._core.multiarray")) + b"numpy._core.multiarray",
    )
    assert new != body
    (tmp_path / "a.pkl").write_bytes(frame[:2] + b"\x95" + struct.pack("<Q", len(new)) + new)
    found = load_numpy(tmp_path / "a.pkl")
    np.testing.assert_array_equal(found["a"], [0.0, 1.0, 2.0])
    assert found["s"] == np.float32(0.5)


class _Runs:
    """A pickle that runs something when it is read."""

    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


def _global(module: str, name: str, argument: str) -> bytes:
    """Return a pickle that calls module.name(argument); the name need not exist here."""
    return (
        b"c"
        + f"{module}\n{name}\n".encode()
        + b"("
        + b"X"
        + struct.pack("<I", len(argument))
        + argument.encode()
        + b"tR."
    )


def test_a_pickle_that_would_run_a_command_is_refused_and_nothing_runs(tmp_path):
    mark = tmp_path / "ran"
    path = _dump({0: np.arange(3.0), 1: _Runs(os.system, f"touch {mark}")}, tmp_path / "stim5_x_activations.pkl")
    with pytest.raises(DataError) as caught:
        load_numpy(path)
    assert not mark.exists()
    message = str(caught.value)
    assert str(path) in message and "posix.system" in message and "nothing of it was run" in message
    # the pickle does what it says where it is trusted
    pickle.loads(path.read_bytes())
    assert mark.exists()


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("os", "system"),
        ("builtins", "eval"),
        ("builtins", "getattr"),
        ("subprocess", "Popen"),
        ("numpy", "load"),
        ("numpy", "ndarray.tofile"),
        ("numpy.core.multiarray", "fromfile"),
        ("numpy.testing._private.utils", "runstring"),
        ("torch._utils", "_rebuild_tensor_v2"),
        ("pandas.core.frame", "DataFrame"),
        ("auralign.inputs.published.unpickler", "Array"),
    ],
)
@pytest.mark.parametrize("in_frame", [False, True])
def test_every_other_name_is_refused_by_name(tmp_path, module, name, in_frame):
    blob = _global(module, name, "x")
    if in_frame:  # protocol 4's way to name things
        stacked = io.BytesIO()
        for text in (module, name):
            stacked.write(b"\x8c" + struct.pack("B", len(text)) + text.encode())
        blob = b"\x80\x04" + stacked.getvalue() + b"\x93."
    assert any(op.name.endswith("GLOBAL") for op, _, _ in pickletools.genops(blob))
    (tmp_path / "a.pkl").write_bytes(blob)
    with pytest.raises(DataError, match=rf"a\.pkl: refused: it asks for {module}\.{name}, and nothing"):
        load_numpy(tmp_path / "a.pkl")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (np.array([1, "a", None], dtype=object), "Python objects"),
        ({0: [np.array([[1]], dtype=object)]}, "Python objects"),
        (np.zeros(2, dtype=[("a", "f8"), ("b", "O")]), "type 'V16'"),
        (np.array(["2020-01-01"], dtype="M8[D]"), "type 'M8'"),
        ({1, 2}, "it holds a set"),
        ({(1, 2): 0}, "a key of type tuple"),
        (np.float64, "numpy.float64"),
    ],
)
def test_what_is_not_numbers_or_text_is_refused(tmp_path, content, expected):
    with pytest.raises(DataError, match=expected):
        load_numpy(_dump(content, tmp_path / "a.pkl"))


class _Forged:
    """An array whose pickle is put together by hand."""

    def __init__(self, dtype_code, dtype_state, shape, data):
        self.parts = dtype_code, dtype_state, shape, data

    def __reduce__(self):
        code, dtype_state, shape, data = self.parts
        dtype = _Call(np.dtype, (code, False, True), dtype_state)
        return np.core.multiarray._reconstruct, (np.ndarray, (0,), b"b"), (1, shape, dtype, False, data)


class _Call:
    def __init__(self, function, arguments, state):
        self.parts = function, arguments, state

    def __reduce__(self):
        return self.parts


PLAIN = (3, "<", None, None, None, -1, -1, 0)


@pytest.mark.parametrize(
    ("forged", "expected"),
    [
        # fields and a subarray smuggled in by the dtype's state: numpy would read pointers out of the bytes
        (_Forged("f8", (3, "<", None, ("a",), {"a": ("O", 0)}, 8, 8, 0), (1,), b"\x01" * 8), "with fields"),
        (_Forged("f8", (3, "<", ("O", (1,)), None, None, 8, 8, 0), (1,), b"\x01" * 8), "with fields"),
        (_Forged("O8", (3, "|", None, None, None, -1, -1, 0), (1,), b"\x01" * 8), "Python objects"),
        (_Forged("f8", PLAIN, (2,), [1.0, 2.0]), "not bytes"),
        (_Forged("f8", PLAIN, (3,), b"\x00" * 16), "2 values whose shape is said to be"),
        (_Forged("f8", PLAIN, (-1,), b"\x00" * 16), "shape is said"),
        (_Forged("f8", PLAIN, (-1, -2), b"\x00" * 16), "shape is said"),
        (_Forged("f8", PLAIN, (2**40, 2**40), b"\x00" * 16), "shape is said"),
        (_Forged("f8", PLAIN, (2,), b"\x00" * 15), "15 bytes"),
    ],
)
def test_forged_arrays_are_refused(tmp_path, forged, expected):
    with pytest.raises(DataError, match=expected):
        load_numpy(_dump({0: forged}, tmp_path / "a.pkl"))


def test_a_scalar_cannot_carry_an_object_nor_an_array_other_axes(tmp_path):
    scalar = _Call(np.core.multiarray.scalar, (np.dtype("O"), b"\x01" * 8), None)
    with pytest.raises(DataError, match="not bytes of numbers"):
        load_numpy(_dump({0: scalar}, tmp_path / "a.pkl"))
    # numpy 2.3 and later name the order of the axes of arrays that are neither C nor Fortran
    array = _Call(np.core.numeric._frombuffer, (b"\x00" * 16, np.dtype("f8"), (2, 1), "K", (1, 0)), None)
    with pytest.raises(DataError, match="permuted axes"):
        load_numpy(_dump({0: array}, tmp_path / "a.pkl"))


def test_the_stand_ins_cannot_be_altered_by_a_file(tmp_path):
    # BUILD on the class itself: (attributes, slots) would be set on it if it let them
    blob = b"cnumpy\nndarray\n(N}(X\x01\x00\x00\x00aK\x01utb."
    (tmp_path / "a.pkl").write_bytes(blob)
    with pytest.raises(DataError):
        load_numpy(tmp_path / "a.pkl")
    assert not hasattr(NUMPY["numpy", "ndarray"], "a")
    # and on an object of it
    (tmp_path / "a.pkl").write_bytes(b"\x80\x02cnumpy\nndarray\n)\x81}X\x01\x00\x00\x00aK\x01sb.")
    with pytest.raises(DataError, match="refused: it sets a state of NdarrayName"):
        load_numpy(tmp_path / "a.pkl")


def test_damaged_and_endless_pickles_are_refused(tmp_path):
    path = _dump({0: np.arange(100.0)}, tmp_path / "a.pkl")
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(DataError, match=r"a\.pkl: not a pickle that can be read"):
        load_numpy(path)
    short = _Call(np.core.multiarray._reconstruct, (np.ndarray, (0,), b"b"), (1, (2,)))
    with pytest.raises(DataError, match=r"a\.pkl: not a pickle that can be read"):
        load_numpy(_dump({0: short}, path))
    with pytest.raises(DataError, match=r"b\.pkl: there is no such file"):
        load_numpy(tmp_path / "b.pkl")
    endless: list = []
    endless.append(endless)
    with pytest.raises(DataError, match="more than 20 deep"):
        load_numpy(_dump(endless, tmp_path / "c.pkl"))
