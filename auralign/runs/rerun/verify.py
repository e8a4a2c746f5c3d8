"""Compute a result again and say by how much it differs."""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...files.text_tables import open_text
from ...questions.encoding.tables import FILES
from ..compare import run_comparison
from ..provenance import describe_tables, read_provenance
from .changes import Check
from .table_differences import TableDifference, compare_tables

# chosen, not measured: where two alphas predict alike, rounding chooses between them
CHOSEN = ("alpha", "params")


@dataclass(frozen=True)
class Verification:
    """A recomputed result beside the recorded one.

    Attributes
    ----------
    scores : TableDifference
    tables : dict of str to str
        By name of another table, how it differs, in words; empty where it is the same.
    features : list of str
        What changed in the metadata that the features' markers stored.
    tolerance : float
    """

    scores: TableDifference
    tables: dict[str, str]
    features: list[str]
    tolerance: float

    @property
    def beyond(self) -> list[str]:
        """Columns of scores whose largest difference exceeds the tolerance."""
        return [
            column.column
            for column in self.scores.columns
            if column.column not in CHOSEN and not column.largest <= self.tolerance
        ]

    @property
    def is_reproduced(self) -> bool:
        """Whether every recorded score was computed again, within the tolerance."""
        same_rows = not self.scores.rows_only_old[0] and not self.scores.rows_only_new[0]
        return same_rows and not self.scores.only_old and not self.beyond


def recompute(checked: Check, tolerance: float = 1e-10, n_jobs: int = 1) -> Verification:
    """Compute a result again, in a temporary folder, and compare.

    Parameters
    ----------
    checked : Check
    tolerance : float
        Largest absolute difference of a score that counts as none.
    n_jobs : int
        Processes.

    Raises
    ------
    AuralignError
        The comparison cannot be run, or a table of the result cannot be read.
    """
    recorded = checked.results
    with tempfile.TemporaryDirectory(prefix="auralign-verify-") as folder:
        new = Path(folder)
        run_comparison(checked.config, new, n_jobs)
        return Verification(
            scores=compare_tables(recorded / "scores.parquet", new / "scores.parquet"),
            tables={name: _table_difference(recorded / name, new / name) for name in sorted(FILES.values())},
            features=_differences(checked.provenance.get("features", {}), read_provenance(new)["features"]),
            tolerance=tolerance,
        )


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


def describe_verification(verification: Verification) -> str:
    """Say in words by how much every score differs, where most, and whether that is within the tolerance."""
    scores = verification.scores
    lines = [f"computed {scores.n_rows} rows again; tolerance {verification.tolerance:g}"]
    for column in scores.columns:
        if not column.largest:
            lines.append(f"  {column.column:<17} equal")
            continue
        verdict = "BEYOND" if column.column in verification.beyond else "within"
        kind = "difference"
        if column.column in CHOSEN:
            kind, verdict = "relative difference", "a choice, not a score"
        lines.append(
            f"  {column.column:<17} largest {kind} {column.largest:.3g} ({verdict}) at {column.where}; "
            f"{column.n_different} rows differ"
        )
    for side, (number, first) in {"recorded": scores.rows_only_old, "recomputed": scores.rows_only_new}.items():
        if number:
            lines.append(f"only {side}: {number} rows, such as " + "; ".join(first))
    for side, columns in {"recorded": scores.only_old, "recomputed": scores.only_new}.items():
        if columns:
            lines.append(f"only {side}: columns {', '.join(columns)}")
    lines += [f"features: {line}" for line in verification.features]
    lines += [f"{name}: {difference}" for name, difference in verification.tables.items() if difference]
    lines.append("REPRODUCED" if verification.is_reproduced else "NOT REPRODUCED")
    return "\n".join(lines)
