"""A results folder as one object: its tables, read when they are first asked for, and what they were made from."""

import json
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq

from ..errors import DataError
from ..files.text_tables import open_text
from ..questions.encoding.tables import FILES
from ..scoring.metrics import primary_metric

SCORES = "scores"
# tables without which a folder holds no finished result, in the order in which they are looked for
ALWAYS = ("summary", "comparisons")
# by table: columns without which it cannot be used
NEEDED = {
    "scores": "features layer layer_name target estimator split r2 r2_corr r2_dev alpha n_train n_test",
    "summary": "features layer layer_name target estimator r2_median r2_corr_median n_splits",
    "comparisons": "test metric a b target difference p_fdr significant",
    "layers": "features estimator layer metric score sem sem_morey pooled n_subjects n_targets",
    "regions": "features estimator region layer metric score sem sem_morey pooled n_subjects n_targets",
    "layer_choice": "features estimator metric layers naive published nested gap n_targets",
    "unique_variance": "features without adds layer estimator target unique low high",
    "selected": "features layer estimator target split unit weight",
    "selection": "across features layer estimator kuncheva jaccard_chance n_pairs",
    "hypotheses": "hypothesis statement target a b estimate low high n p_fdr verdict",
    "above_chance": "features layer estimator target score chance p",
    "dropped_targets": "target reason n_stimuli stimuli",
    "repetitions": "stimulus n_repetitions_mean n_repetitions_min n_repetitions_max",
}
# by table that is not always there: what a comparison must have to get it
BROUGHT_BY = {
    "regions": "targets with a column `roi` (targets.target_table)",
    "layer_choice": "a run of scripts/compare.py of this version",
    "layers": "a run of scripts/compare.py of this version",
    "unique_variance": "a feature set that joins two others (features.<set>.join)",
    "selected": "a sparse estimator (kind: lasso)",
    "selection": "a sparse estimator (kind: lasso)",
    "hypotheses": "`hypotheses` in the configuration",
    "above_chance": "`above_chance` in the configuration",
    "dropped_targets": "`missing_targets: drop`, and targets that are left out",
    "repetitions": "`targets.missing_repetitions: available`, and stimuli that lack repetitions",
}
# names are text whatever they look like: NA and 001 are names
TEXT = (
    "target", "features", "estimator", "layer_name", "a", "b", "without", "adds", "region", "region_of", "roi", "hemi",
    "metric", "layers", "across", "stimulus", "stimuli",
)  # fmt: skip
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

    def __repr__(self) -> str:
        """Say in one line what the results are of."""
        return f"<Results {self.name}: {', '.join(f'{n:,} {what}' for what, n in self._counts())}; {self.folder}>"

    def _repr_html_(self) -> str:
        """Show in a notebook what the results are of, and which tables there are."""
        held = [table for table in (SCORES, *FILES) if _path(self.folder, table).exists() or table in self._read]
        rows = [
            ("folder", str(self.folder)),
            ("feature sets", _first(self.features)),
            ("estimators", _first(self.estimators)),
            *((what, f"{n:,}") for what, n in self._counts() if what not in ("feature sets", "estimators")),
            ("primary metric", self.metric),
            ("tables", ", ".join(held)),
        ]
        cells = "".join(f"<tr><th>{escape(key)}</th><td>{escape(value)}</td></tr>" for key, value in rows)
        note = "<p>Synthetic responses.</p>" if self.synthetic else ""
        return f"<strong>{escape(self.name)}</strong>{note}<table>{cells}</table>"

    def _counts(self) -> list[tuple[str, int]]:
        summary, provenance = self.summary, self.provenance
        return [
            ("feature sets", len(self.features)),
            ("layers", len(summary[["features", "layer"]].drop_duplicates())),
            ("targets", summary["target"].nunique()),
            ("estimators", len(self.estimators)),
            ("splits", len(provenance["splits"])),
            ("stimuli", len(provenance.get("stimuli", []))),
        ]

    def get(self, table: str) -> pd.DataFrame | None:
        """Return a table by its name (`scores`, or a key of `tables.FILES`), None where there is none.

        Raises
        ------
        DataError
            There is no table of that name in any result, or the file cannot be read.
        """
        path = _path(self.folder, table)
        if table not in self._read:
            if not path.exists():
                return None
            self._read[table] = _read_table(path, table)
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
                f"{_path(self.folder, table)}: the file is missing. It needs "
                f"{BROUGHT_BY.get(table, 'a finished comparison')}; then run: python scripts/compare.py <config>"
            )
        return found

    @property
    def scores(self) -> pd.DataFrame:
        """One row per features x layer x target x estimator x split."""
        return self.need(SCORES)

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
        """Labels of the estimators, in the order of the configuration."""
        return list(self.provenance["config"]["estimators"])

    @property
    def metric(self) -> str:
        """The primary metric, by which everything is read; results of earlier versions do not name one."""
        return primary_metric(self.provenance["config"].get("metric", "auto"), "r2_corr_c2_median" in self.summary)

    @property
    def level(self) -> float:
        """Level of the intervals: 1 - fdr."""
        return 1.0 - self.provenance["config"]["fdr"]

    @property
    def targets(self) -> pd.DataFrame:
        """What is known of every target, one row each: `target` and its metadata."""
        kept = [c for c in self.summary if c not in RESULT_COLUMNS and not c.endswith(("_median", "_sd"))]
        return self.summary[kept].drop_duplicates("target").reset_index(drop=True)

    @property
    def synthetic(self) -> bool:
        """Whether the responses say of themselves that they are synthetic."""
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
    """Open a results folder that `scripts/compare.py` wrote.

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
    for table in ALWAYS:
        _refuse_missing(folder / FILES[table], folder)
    _refuse_missing(folder / "provenance.json", folder)
    try:
        provenance = json.loads((folder / "provenance.json").read_text(encoding="utf-8"))
        for key in ("name", "features", "estimators", "fdr"):
            provenance["config"][key]
        provenance["splits"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{folder / 'provenance.json'}: not the provenance of a comparison ({error!r}). Run the comparison again."
        ) from error
    results = Results(folder, provenance)
    for table in (SCORES, *FILES):
        path = _path(folder, table)
        if path.exists():
            _check_columns(path, table)
    for table in ALWAYS:
        results.need(table)
    return results


def _first(names: list[str], most: int = 12) -> str:
    """Join names; of many the first ones and how many more."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _path(folder: Path, table: str) -> Path:
    if table != SCORES and table not in FILES:
        raise DataError(f"{folder}: there is no table {table!r}; there are {', '.join([SCORES, *FILES])}.")
    return folder / ("scores.parquet" if table == SCORES else FILES[table])


def _refuse_missing(path: Path, folder: Path) -> None:
    if not path.exists():
        raise DataError(
            f"{path}: the file is missing, so {folder} is not a finished result. "
            "Make it with: python scripts/compare.py <config>"
        )


def _check_columns(path: Path, table: str) -> None:
    """Refuse a table that is not of this version, by its header alone."""
    try:
        held = pq.read_schema(path).names if path.suffix == ".parquet" else _header(path)
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: the file cannot be read ({error}). Run the comparison again.") from error
    absent = [column for column in NEEDED[table].split() if column not in held]
    if absent:
        raise DataError(
            f"{path}: the column {absent[0]!r} is missing; there are {held[:12]}. Run the comparison again with this "
            "version."
        )


def _header(path: Path) -> list[str]:
    with open(path, encoding="utf-8") as file:
        return file.readline().rstrip("\n").split("\t")


def _read_table(path: Path, table: str) -> pd.DataFrame:
    try:
        if path.suffix == ".parquet":
            return pd.read_parquet(path)
        text = dict.fromkeys((name for name in _header(path) if name in TEXT), str)
        return open_text(path).frame(dtype=text, keep_default_na=False, na_values=[""]).reset_index(drop=True)
    except (OSError, ValueError, DataError) as error:
        raise DataError(f"{path}: the file cannot be read ({error}). Run the comparison again.") from error
