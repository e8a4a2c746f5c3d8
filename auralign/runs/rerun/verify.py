"""Compute a result again and say by how much it differs."""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...files.text_tables import open_text
from ...questions.measures import FILE as MEASURES
from ...questions.measures import NUMBERS
from ...questions.question import Question
from ..columns import column_names
from ..compare import run_comparison
from ..provenance import describe_tables, read_provenance
from .changes import Check, compared_files
from .table_differences import TableDifference, compare_tables

# columns of measures that follow from others: from layer, and from target
DERIVED = ("layer_name", "component", "time", "subject", "roi")


@dataclass(frozen=True)
class Verification:
    """A recomputed result beside the recorded one.

    Attributes
    ----------
    numbers : dict of str to TableDifference
        By file of the tables that are compared number by number (of encoding scores.parquet).
    choices : tuple of str
        Columns of those that are chosen and not measured.
    tables : dict of str to str
        By name of another table, how it differs, in words; empty where it is the same.
    features : list of str
        What changed in the metadata that the features' markers stored.
    tolerance : float
    """

    numbers: dict[str, TableDifference]
    choices: tuple[str, ...]
    tables: dict[str, str]
    features: list[str]
    tolerance: float

    @property
    def beyond(self) -> list[str]:
        """Columns whose largest difference exceeds the tolerance."""
        return [
            column.column
            for difference in self.numbers.values()
            for column in difference.columns
            if column.column not in self.choices and not column.largest <= self.tolerance
        ]

    @property
    def is_reproduced(self) -> bool:
        """Whether every recorded number was computed again, within the tolerance."""
        whole = all(
            not one.rows_only_old[0] and not one.rows_only_new[0] and not one.only_old for one in self.numbers.values()
        )
        return whole and not self.beyond


def recompute(checked: Check, tolerance: float = 1e-10, n_jobs: int = 1) -> Verification:
    """Compute a result again, in a temporary folder, and compare.

    Parameters
    ----------
    checked : Check
    tolerance : float
        Largest absolute difference of a number that counts as none.
    n_jobs : int
        Processes.

    Raises
    ------
    AuralignError
        The comparison cannot be run, or a table of the result cannot be read.
    """
    recorded = checked.results
    compared = compared_files(checked.provenance)
    questions = {question.name: question for of_file in compared.values() for question in of_file}
    others = {table.file for question in questions.values() for table in question.tables.values()}
    with tempfile.TemporaryDirectory(prefix="auralign-verify-") as folder:
        new = Path(folder)
        run_comparison(checked.config, new, n_jobs)
        return Verification(
            numbers={
                file: _difference(recorded / file, new / file, of_file) for file, of_file in sorted(compared.items())
            },
            choices=tuple(choice for question in questions.values() for choice in question.choices),
            tables={name: _table_difference(recorded / name, new / name) for name in sorted(others - set(compared))},
            features=_differences(checked.provenance.get("features", {}), read_provenance(new)["features"]),
            tolerance=tolerance,
        )


def _difference(old: Path, new: Path, questions: list[Question]) -> TableDifference:
    """Compare a table that holds the numbers of some questions."""
    if old.name == MEASURES:
        dims = [name for name in column_names(old) if name not in NUMBERS]
        # what follows from another dim tells no rows apart, and would make their keys long
        derived = [name for name in DERIVED if ("layer" if name == "layer_name" else "target") in dims]
        measured = {name for one in questions for name in one.measures if name not in one.choices}
        only = {"question": [question.name for question in questions], "measure": measured}
        return compare_tables(old, new, [name for name in dims if name not in derived], only=only)
    (question,) = questions
    rows = next(table.rows for table in question.tables.values() if table.file == old.name)
    return compare_tables(old, new, rows, question.choices)


def _table_difference(old: Path, new: Path) -> str:
    """Say how a table that was made from the scores differs; empty where it does not, or is on neither side."""
    if not old.exists() or not new.exists():
        return "" if old.exists() == new.exists() else f"only {'recorded' if old.exists() else 'recomputed'}"
    if describe_tables([old]) == describe_tables([new]):
        return ""
    if old.suffix == ".parquet":
        return "differs"
    a, b = (open_text(path).frame() for path in (old, new))
    if list(a.columns) != list(b.columns) or len(a) != len(b):
        return f"other rows or columns: {a.shape} -> {b.shape}"
    numbers = a.select_dtypes("number").columns.intersection(b.select_dtypes("number").columns)
    largest = (a[numbers] - b[numbers]).abs().max()
    text = [column for column in a.columns.difference(numbers) if not a[column].equals(b[column])]
    words = [f"largest difference {largest.max():.3g} (column {largest.idxmax()})"] if largest.max() > 0 else []
    return "; ".join([*words, *([f"other text in {', '.join(text)}"] if text else [])]) or "other text"


def _differences(old: Any, new: Any, key: str = "") -> list[str]:
    """List the leaves of two nested dictionaries that differ, as `key: old -> new`."""
    if isinstance(old, dict) and isinstance(new, dict):
        keys = sorted(set(old) | set(new))
        return [
            line for name in keys for line in _differences(old.get(name), new.get(name), f"{key}.{name}".strip("."))
        ]
    return [] if old == new else [f"{key}: {old!r} -> {new!r}"]


def _describe_numbers(difference: TableDifference, verification: Verification) -> list[str]:
    lines = []
    for column in difference.columns:
        if not column.largest:
            lines.append(f"  {column.column:<17} equal")
            continue
        verdict = "BEYOND" if column.column in verification.beyond else "within"
        kind = "difference"
        if column.column in verification.choices:
            kind, verdict = "relative difference", "a choice, not a score"
        lines.append(
            f"  {column.column:<17} largest {kind} {column.largest:.3g} ({verdict}) at {column.where}; "
            f"{column.n_different} rows differ"
        )
    for side, (number, first) in {
        "recorded": difference.rows_only_old,
        "recomputed": difference.rows_only_new,
    }.items():
        if number:
            lines.append(f"only {side}: {number} rows, such as " + "; ".join(first))
    for side, columns in {"recorded": difference.only_old, "recomputed": difference.only_new}.items():
        if columns:
            lines.append(f"only {side}: columns {', '.join(columns)}")
    return lines


def describe_verification(verification: Verification) -> str:
    """Say in words by how much every score differs, where most, and whether that is within the tolerance."""
    lines = []
    for file, difference in verification.numbers.items():
        what = "" if len(verification.numbers) == 1 else f" of {file}"
        lines.append(f"computed {difference.n_rows} rows{what} again; tolerance {verification.tolerance:g}")
        lines += _describe_numbers(difference, verification)
    lines += [f"features: {line}" for line in verification.features]
    lines += [f"{name}: {difference}" for name, difference in verification.tables.items() if difference]
    lines.append("REPRODUCED" if verification.is_reproduced else "NOT REPRODUCED")
    return "\n".join(lines)
