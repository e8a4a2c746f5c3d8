"""Tables of plain numbers: pyarrow and Python read the same bits, and leave the same texts to others."""

import numpy as np
import pandas as pd
import pytest

from auralign.files import plain_numbers
from auralign.files.number_tables import read_numbers
from auralign.files.plain_numbers import read_values

MISSING = ["", "NA", "NaN", "nan"]


def _both(content: str, monkeypatch, separator: str = "\t", text: tuple[int, ...] = (0,), first: int = 2):
    """Read a table without empty lines by pyarrow and by Python."""
    n_rows, n_columns = len(content.splitlines()) - (first - 1), content.splitlines()[first - 2].count(separator) + 1
    lines, found = np.arange(first, first + n_rows), []
    for large in (0, 10**12):
        monkeypatch.setattr(plain_numbers, "LARGE", large)
        found.append(read_values(content, separator, lines, n_columns, text, MISSING))
    return found


def test_every_number_is_the_same_to_the_last_bit(monkeypatch):
    random = np.random.default_rng(0)
    bits = random.integers(0, 2**63, size=4000, dtype=np.uint64).view(np.float64)
    numbers = [
        *map(repr, bits[np.isfinite(bits)].tolist()),
        *(f"{value:.25e}" for value in random.standard_normal(2000)),
    ]
    numbers += [
        "5e-324",
        "1.7976931348623157e308",
        "-0.0",
        "007",
        ".5",
        "5.",
        "1E5",
        "0.1" + "0" * 400 + "1",
        "1" * 400 + "e-390",
    ]
    content = "stimulus\tx\n" + "".join(f"s{row}\t{number}\n" for row, number in enumerate(numbers))
    monkeypatch.setattr(plain_numbers, "_by_line", lambda *_: pytest.fail("left to Python"))
    monkeypatch.setattr(plain_numbers, "LARGE", 0)
    values, texts = read_values(content, "\t", np.arange(2, len(numbers) + 2), 2, (0,), MISSING)
    np.testing.assert_array_equal(values[:, 0].view(np.int64), np.array(list(map(float, numbers))).view(np.int64))
    assert texts == [[f"s{row}" for row in range(len(numbers))]]


NUMBERS = ["1", "+1", " 1", "1 ", "1e5", "", "NA", "nan"]
OTHERS = ["1_0", "NAN", "inf", "-Infinity", "1e400", "x", "0x1p3", "\uff11", "1,5", "N/A", "1e", "- 1"]


@pytest.mark.parametrize("cell", [*NUMBERS, *OTHERS])
def test_what_a_cell_is_does_not_depend_on_who_reads_it(cell, monkeypatch):
    by_pyarrow, by_line = _both(f"stimulus\tx\ty\na\t{cell}\t2.5\nb\t1.5\t{cell}\n", monkeypatch)
    assert (by_pyarrow is None) == (by_line is None) == (cell in OTHERS)
    if by_line is not None:
        np.testing.assert_array_equal(by_pyarrow[0], by_line[0])
        assert by_pyarrow[1] == by_line[1] == [["a", "b"]]


@pytest.mark.parametrize(
    ("content", "arguments"),
    [
        ("stimulus\tx\r\na\t1\r\nb\t2\r\n", {}),
        ("\n\nstimulus\tx\na\t1\nb\t2", {"first": 4}),
        ("x;layer;stimulus\n1.5;0;NA\n;1;\n", {"separator": ";", "text": (1, 2)}),
        ("x\ty\n1\t2\n", {"text": ()}),
        ("stimulus\tx\tx\nä\t1\t2\n", {}),
    ],
)
def test_lines_separators_and_columns_of_text(content, arguments, monkeypatch):
    by_pyarrow, by_line = _both(content, monkeypatch, **arguments)
    np.testing.assert_array_equal(by_pyarrow[0], by_line[0])
    assert by_pyarrow[1] == by_line[1]


def test_lines_longer_than_a_block_of_pyarrow(monkeypatch):
    numbers = np.random.default_rng(0).standard_normal((3, 70_000))
    rows = ("\t".join(["s", *map(repr, row)]) for row in numbers.tolist())
    content = "\n".join(["\t".join(["stimulus", *map(str, range(70_000))]), *rows])
    by_pyarrow, by_line = _both(content, monkeypatch)
    np.testing.assert_array_equal(by_pyarrow[0], numbers)
    np.testing.assert_array_equal(by_line[0], numbers)


def test_a_large_table_is_the_same_table(tmp_path, monkeypatch):
    random = np.random.default_rng(0)
    rows = [
        f"s{row % 40}\t{row // 40}\t" + "\t".join(f"{value:.9g}" for value in random.standard_normal(3))
        for row in range(80)
    ]
    rows[7] = "s7\t0\t\tNA\t1"
    (tmp_path / "x.tsv").write_text("\n".join(["stimulus\tlayer\ta\tb\tc", "", *rows, "  ", ""]), encoding="utf-8")
    found = []
    for large in (0, 10**12):
        monkeypatch.setattr(plain_numbers, "LARGE", large)
        found.append(read_numbers(tmp_path / "x.tsv", "unit", "layer"))
    (table, layer, numbers), (by_line, layer_by_line, numbers_by_line) = found
    pd.testing.assert_frame_equal(table, by_line, check_exact=True)
    pd.testing.assert_frame_equal(numbers, numbers_by_line, check_exact=True)
    np.testing.assert_array_equal(layer, layer_by_line)
    assert table.index[0] == 3
