"""A results folder as one object: its tables, read when they are first asked for, and what they were made from."""

import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from html import escape
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd

from ..analysis.chosen import ChosenScores
from ..analysis.estimator_pairs import paired_differences
from ..analysis.fits import fits_table
from ..analysis.score_arrays import Scores, as_scores
from ..errors import DataError
from ..estimators.record import recorded
from ..questions import measures as long_table
from ..questions.question import TableFile, get_question
from ..scoring.metrics import primary_metric
from .provenance import refuse_unknown
from .result_tables import check_columns, read_table, refuse_missing, tables_of

T = TypeVar("T")

# columns of the summary that are results, not metadata of the target; so are those that end in _median or _sd
RESULT_COLUMNS = ("features", "layer", "layer_name", "estimator", "r2_corr_half_split", "n_splits")
# markers whose features are acoustics, the baselines of every network
ACOUSTIC = ("LogMel", "SpectroTemporal", "AcousticSummary")


@dataclass(frozen=True, repr=False)
class Results:
    """The tables of one results folder.

    Attributes
    ----------
    folder : Path
    provenance : dict
        The content of provenance.json: `config`, `splits`, `stimuli`, `features` (metadata of the markers), ...
    """

    folder: Path
    provenance: dict
    _read: dict[str, pd.DataFrame] = field(default_factory=dict, repr=False)
    _made: dict[Callable, Any] = field(default_factory=dict, repr=False, compare=False)

    def __repr__(self) -> str:
        """Say in one line what the results are of."""
        return f"<Results {self.name}: {', '.join(f'{n:,} {what}' for what, n in self._counts())}; {self.folder}>"

    def _repr_html_(self) -> str:
        """Show in a notebook what the results are of, and which tables there are."""
        tables = self._tables
        held = [name for name in tables if (self.folder / tables[name].file).exists() or name in self._read]
        named = ("feature sets", "questions", "estimators")
        rows = [
            ("folder", str(self.folder)),
            ("feature sets", _first(self.features)),
            ("questions", _first(self.questions)),
            *([("estimators", _first(self.estimators))] if self.estimators else []),
            *((what, f"{n:,}") for what, n in self._counts() if what not in named),
            *([("primary metric", self.metric)] if "encoding" in self.questions else []),
            ("tables", ", ".join(held)),
        ]
        cells = "".join(f"<tr><th>{escape(key)}</th><td>{escape(value)}</td></tr>" for key, value in rows)
        note = "<p>Synthetic responses.</p>" if self.synthetic else ""
        return f"<strong>{escape(self.name)}</strong>{note}<table>{cells}</table>"

    def _counts(self) -> list[tuple[str, int]]:
        provenance = self.provenance
        if "encoding" not in self.questions:
            studied = [("feature sets", len(self.features)), ("questions", len(self.questions))]
            return [*studied, ("stimuli", len(provenance.get("stimuli", [])))]
        return [
            ("feature sets", len(self.features)),
            ("layers", len(self.layer_names)),
            ("targets", self.n_targets),
            ("estimators", len(self.estimators)),
            ("splits", len(provenance["splits"])),
            ("stimuli", len(provenance.get("stimuli", []))),
        ]

    @property
    def questions(self) -> list[str]:
        """Names of the questions that were asked; results of earlier versions asked one."""
        return self.provenance.get("questions", ["encoding"])

    @property
    def _tables(self) -> dict[str, TableFile]:
        return tables_of(self.questions)

    def get(self, table: str) -> pd.DataFrame | None:
        """Return a table by its name (of encoding `scores`, `summary`, ...), None where there is none.

        Raises
        ------
        DataError
            There is no table of that name in any such result, or the file cannot be read.
        """
        path = self._path(table)
        if table not in self._read:
            if not path.exists():
                return None
            self._read[table] = read_table(path)
        return self._read[table]

    def need(self, table: str) -> pd.DataFrame:
        """Return a table that must be there.

        Raises
        ------
        DataError
            It is not; the message says what a comparison must have to get it.
        """
        found = self.get(table)
        if found is None:
            raise DataError(
                f"{self._path(table)}: the file is missing. It needs {self._tables[table].brought_by}; then run: "
                "auralign run <config>"
            )
        return found

    def once(self, make: Callable[["Results"], T]) -> T:
        """Return what a function makes of these results; it is called the first time alone."""
        if make not in self._made:
            self._made[make] = make(self)
        return self._made[make]

    def _path(self, table: str) -> Path:
        if table not in self._tables:
            raise DataError(f"{self.folder}: there is no table {table!r}; there are {', '.join(self._tables)}.")
        return self.folder / self._tables[table].file

    def measures(self, **filters: Any) -> pd.DataFrame:
        """Read the numbers of all questions as one long table: `question, measure, value` and the dims they have.

        Parameters
        ----------
        **filters : value or list of values
            By column, such as `measure="r2", layer=[0, 1]`: of a large result no more is read than is asked for.

        Returns
        -------
        DataFrame
            See `questions.measures.read_measures`; `questions.measures.to_wide` gives every measure a column. Of a
            folder that was written before there was `measures.parquet`, they are made of its other tables.

        Raises
        ------
        DataError
            The file cannot be read, or a filter is of no column.
        """
        path = self.folder / long_table.FILE
        if path.exists():
            return long_table.read_measures(path, **filters)
        older = [(name, get_question(name).older_measures(self.get)) for name in self.questions]
        found = [(name, *of_question) for name, of_question in older if of_question is not None]
        if not found:
            refuse_missing(path, self.folder)
        with tempfile.TemporaryDirectory(prefix="auralign-measures-") as folder:
            made = Path(folder) / long_table.FILE
            with long_table.open_measures(made, {dim for _, dims, _ in found for dim in dims}) as file:
                for name, _, tables in found:
                    for table in tables:
                        file.write(name, table)
            return long_table.read_measures(made, **filters)

    @property
    def scores(self) -> pd.DataFrame:
        """One row per features x layer x target x estimator x split."""
        return self.need("scores")

    @property
    def summary(self) -> pd.DataFrame:
        """One row per features x layer x target x estimator."""
        return self.need("summary")

    @property
    def comparisons(self) -> pd.DataFrame:
        """One row per test, pair and target; empty where the comparison has no tests."""
        return self.need("comparisons")

    @property
    def name(self) -> str:
        """The comparison's name."""
        return self.provenance["config"]["name"]

    @property
    def features(self) -> list[str]:
        """Names of the feature sets, in the order of the configuration."""
        return list(self.provenance["config"]["features"])

    @property
    def estimators(self) -> list[str]:
        """Labels of the estimators, in the order of the configuration; none where no question has any."""
        return list(self.provenance["config"].get("estimators", ()))

    @property
    def metric(self) -> str:
        """The primary metric, by which everything is read; results of earlier versions do not name one."""
        return primary_metric(self.provenance["config"].get("metric", "auto"), "r2_corr_c2_median" in self.summary)

    @property
    def level(self) -> float:
        """Level of the intervals: 1 - fdr."""
        return 1.0 - self.provenance["config"]["fdr"]

    @cached_property
    def chosen(self) -> Scores:
        """Scores of which those at layers chosen by `r2_dev` are known: of nested.parquet, else all scores."""
        if self._is_compact("nested"):
            return ChosenScores(self.need("nested"), self.layer_names)
        return as_scores(self.scores)

    @cached_property
    def fits(self) -> pd.DataFrame:
        """What the fits chose, counted (`analysis.fits.count_fits`): fits.parquet, else made of the scores."""
        if self._is_compact("fits"):
            return self.need("fits")
        return fits_table(self.scores, {name: record.alphas for name, record in recorded(self.provenance).items()})

    def differences(self, a: str, b: str) -> pd.DataFrame:
        """Return differences of two estimators in the primary metric (`analysis.estimator_pairs.differences_of`)."""
        if self._is_compact("estimator_differences"):
            table = self.need("estimator_differences")
            own = table[(table["a"] == a) & (table["b"] == b) & (table["metric"] == self.metric)]
            if len(own):
                return own
        return paired_differences(self.scores, a, b, self.metric)

    def _is_compact(self, table: str) -> bool:
        """Whether a table that is made of the scores is there. Scores that are in memory are as good."""
        return "scores" not in self._read and (table in self._read or self._path(table).exists())

    @cached_property
    def layer_names(self) -> pd.DataFrame:
        """Every layer of every feature set, one row each: `features`, `layer`, `layer_name`."""
        return self.summary[["features", "layer", "layer_name"]].drop_duplicates(["features", "layer"])

    @property
    def several_layers(self) -> bool:
        """Whether a feature set has more than one layer, so that there is a choice."""
        return bool(self.layer_names["features"].duplicated().any())

    @property
    def n_targets(self) -> int:
        """How many targets there are."""
        return len(self.targets)

    @cached_property
    def targets(self) -> pd.DataFrame:
        """What is known of every target, one row each: `target` and its metadata."""
        kept = [c for c in self.summary if c not in RESULT_COLUMNS and not c.endswith(("_median", "_sd"))]
        return self.summary[kept].drop_duplicates("target").reset_index(drop=True)

    @property
    def synthetic(self) -> bool:
        """Whether the responses say of themselves that they are synthetic."""
        if "encoding" not in self.questions:
            return False
        return "synthetic" in self.summary and bool((self.summary["synthetic"].astype(str) == "True").any())

    @property
    def roles(self) -> dict[str, str]:
        """By feature set: `model`, `control` (untrained or permuted), `baseline` (acoustics) or `joined`."""
        return {name: self._role(name) for name in self.features}

    def _role(self, name: str) -> str:
        source = self.provenance["config"]["features"][name]
        metadata = self.provenance.get("features", {}).get(name) or {}
        if source.get("join"):
            return "joined"
        if source.get("permuted") or metadata.get("permute_seed") is not None:
            return "control"
        if metadata.get("checkpoint") == "untrained" or metadata.get("weights") == "untrained":
            return "control"
        acoustic = metadata.get("class") in ACOUSTIC or source.get("network") == "spectemp"
        return "baseline" if acoustic or source.get("song165") else "model"


def read_results(folder: Path | str) -> Results:
    """Open a results folder that `auralign run` wrote.

    Parameters
    ----------
    folder : Path or str

    Returns
    -------
    Results
        Summary and comparisons are read, the other tables when they are asked for.

    Raises
    ------
    DataError
        The folder is not a finished result, a file cannot be read, or lacks columns (also of tables not yet read).
    """
    folder = Path(folder)
    provenance = _read_provenance(folder)
    results = Results(folder, provenance)
    tables = tables_of(results.questions)
    for table in tables.values():
        if table.always:
            refuse_missing(folder / table.file, folder)
    if (folder / long_table.FILE).exists():
        long_table.schema_of(folder / long_table.FILE)
    for table in tables.values():
        if (folder / table.file).exists():
            check_columns(folder / table.file, table)
    for name, table in tables.items():
        if table.always:
            results.need(name)
    return results


def _read_provenance(folder: Path) -> dict:
    path = folder / "provenance.json"
    # a folder without tables is told by the first of them that is looked for
    for table in tables_of(["encoding"]).values():
        if table.always and not path.exists():
            refuse_missing(folder / table.file, folder)
    refuse_missing(path, folder)
    try:
        provenance = json.loads(path.read_text(encoding="utf-8"))
        refuse_unknown(path, provenance)
        for key in ("name", "features"):
            provenance["config"][key]
        for key in ("estimators", "fdr") if "encoding" in provenance.get("questions", ["encoding"]) else ():
            provenance["config"][key]
        provenance["splits"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path}: not the provenance of a comparison ({error!r}). Run the comparison again.") from error
    return provenance


def _first(names: list[str], most: int = 12) -> str:
    """Join names; of many the first ones and how many more."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
