"""Tables that are made part by part: the same to the last bit however the targets are cut, and little is held."""

from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from auralign.analysis.hypothesis_options import BestOverall
from auralign.analysis.paired_test_options import Test as PairedTest  # pytest collects what is called Test
from auralign.analysis.score_arrays import TableScores
from auralign.analysis.stored_scores import StoredScores, read_scores
from auralign.errors import AuralignError, DataError
from auralign.estimators.lasso import Lasso
from auralign.estimators.ridge import Ridge
from auralign.questions.encoding import block_tables, parts
from auralign.questions.encoding.asked import EncodingQuestion
from auralign.questions.encoding.block_tables import BlockTables
from auralign.questions.encoding.summary import summarise
from auralign.questions.encoding.tables import EncodingTables
from auralign.runs.making import make_tables

DEPTH = {"net": 2, "mel": 1, "both": 2}
ESTIMATORS = {"ridge": Ridge(kind="ridge", alphas=[0.1, 1.0, 10.0]), "lasso": Lasso(kind="lasso", n_alphas=5)}
N_UNITS = 12


@dataclass
class Done:
    """A block whose tables lie in a folder."""

    folder: Path
    name: str
    is_sparse: bool
    label: str = "a block"

    def file(self, table: str) -> Path:
        """Where a table is."""
        return self.folder / f"{self.name}.{table}.parquet"

    def need(self, table: str) -> pd.DataFrame:
        """Read a table."""
        return pd.read_parquet(self.file(table))


def block(random: np.random.Generator, n_targets: int, n_splits: int) -> pd.DataFrame:
    """Scores of one layer and all targets: equals, scores above 1, and some that are missing."""
    split, target = (index.ravel() for index in np.indices((n_splits, n_targets)))
    table = pd.DataFrame({"target": target, "split": split})
    for metric in ("r2", "r2_corr", "r2_dev", "reliability", "r2_corr_c", "r2_corr_c2"):
        table[metric] = random.random(len(table)).round(2) * 1.2
    table.loc[(target == 3) & (split < 2), ["r2_corr", "r2_corr_c2"]] = np.nan
    table.loc[target == 5, "r2_corr"] = np.nan
    table.loc[target == 6, "r2_corr"] = 0.0
    table["alpha"] = random.choice([0.1, 1.0, 10.0, np.inf], len(table))
    return table.assign(n_train=20 + split % 2, n_test=10)


def study_of(n_targets: int, n_splits: int) -> SimpleNamespace:
    """What tables take from a study; targets have names that are hard to write, subjects and regions."""
    names = np.array([f'v{n}"\t{n}' if n % 7 == 0 else f"v{n}" for n in range(n_targets)], dtype=object)
    about = {"subject": np.arange(n_targets) % 3, "roi": np.where(np.arange(n_targets) % 5, "A1", "belt")}
    layers = {
        name: {n: SimpleNamespace(bands=[np.zeros((30, N_UNITS))]) for n in range(d)} for name, d in DEPTH.items()
    }
    return SimpleNamespace(
        targets=xr.DataArray(
            np.zeros((30, n_targets, 1)),
            dims=("stimulus", "target", "repetition"),
            coords={"target": names, **{name: ("target", values) for name, values in about.items()}},
        ),
        splits=[(np.arange(20 + n % 2), np.arange(20, 30)) for n in range(n_splits)],
        features=layers,
        dropped_targets=None,
    )


def planned_of(folder: Path, n_targets: int, n_splits: int, size: int, depth: dict[str, int] | None = None) -> list:
    """Write the blocks of a comparison, cut into parts of so many targets; what they hold does not depend on it."""
    folder.mkdir()
    planned = []
    for number, name in enumerate(depth or DEPTH):
        for layer in range((depth or DEPTH)[name]):
            for label in ESTIMATORS:
                random = np.random.default_rng([number, layer, label == "lasso"])
                scores = block(random, n_targets, n_splits)
                units = scores[["target", "split"]].loc[scores.index.repeat(3)]
                units = units.assign(
                    unit=np.tile([0, 2, 5], len(scores)) + layer, weight=random.random(3 * len(scores))
                )
                units = units[random.random(len(units)) > 0.3]
                for start in range(0, n_targets, size):
                    part = slice(start, min(start + size, n_targets))
                    job = Done(folder, f"{name}{layer}{label}{start}", label == "lasso")
                    for table, rows in (("scores", scores), ("selected", units)):
                        rows[rows["target"].between(part.start, part.stop - 1)].to_parquet(job.file(table), index=False)
                    layer_name = f"l{layer}" + ("+norm(x1)" if layer == 1 else "")
                    planned.append(
                        SimpleNamespace(
                            features=name, layer=layer, layer_name=layer_name, estimator=label, part=part, job=job
                        )
                    )
    return planned


TESTS = [
    {"metric": "r2", "a": {"estimator": "ridge"}, "b": {"estimator": "lasso"}},
    {"metric": "r2_corr_c2", "a": {"features": "net", "layer": "nested"}, "b": {"features": "mel", "layer": "nested"}},
    {"metric": "r2", "a": {"features": "net", "layer": "best"}, "b": {"features": "both", "layer": 1}},
]


def options() -> SimpleNamespace:
    """What tables take from the settings."""
    return SimpleNamespace(
        estimators=ESTIMATORS,
        features={name: SimpleNamespace(join=["net", "mel"] if name == "both" else None) for name in DEPTH},
        tests=[PairedTest.model_validate(test) for test in TESTS],
        hypotheses=[
            BestOverall(name="H", kind="best_overall", features="net", against=["mel"], metric="r2", estimator="ridge")
        ],
        metric="auto",
        above_chance=None,
        fdr=0.05,
    )


def made(tmp_path: Path, name: str, n_targets: int, n_splits: int, size: int):
    """Make every table of blocks that are cut into parts of so many targets."""
    study, folder = study_of(n_targets, n_splits), tmp_path / name
    blocks = BlockTables(planned_of(folder, n_targets, n_splits, size), study)
    targets = study.targets.coords.to_dataset().to_dataframe().reset_index()
    tables = EncodingTables(options(), study, targets, blocks, folder)
    return make_tables({EncodingQuestion(): SimpleNamespace(tables=tables.makers, found=list)}), blocks


def same(one: pd.DataFrame | Path, other: pd.DataFrame | Path) -> None:
    if isinstance(one, Path) and one.suffix == ".tsv":
        assert one.read_bytes() == other.read_bytes()
        return
    if isinstance(one, Path):
        one, other = pd.read_parquet(one), pd.read_parquet(other)
        keys = [name for name in ("features", "layer", "estimator", "target", "split", "unit") if name in one]
        if "weight" in one or "r2_dev" not in one:
            one, other = (table.sort_values(keys, ignore_index=True) for table in (one, other))
    pd.testing.assert_frame_equal(one, other, check_exact=True)


@pytest.mark.parametrize(("n_targets", "n_splits", "size"), [(31, 6, 13), (31, 5, 8), (7, 4, 3), (3, 4, 1)])
def test_tables_are_the_same_to_the_last_bit_however_the_targets_are_cut(tmp_path, n_targets, n_splits, size):
    whole, _ = made(tmp_path, "whole", n_targets, n_splits, n_targets)
    cut, blocks = made(tmp_path, "cut", n_targets, n_splits, size)
    assert not whole.failures and not cut.failures
    assert len(blocks.scores.parts) == -(-n_targets // size)
    assert set(whole.tables) == set(cut.tables) >= {"scores", "selected", "selection", "unique_variance", "hypotheses"}
    for name, table in whole.tables.items():
        same(table, cut.tables[name])


def test_rows_of_scores_come_split_by_split_some_targets_at_a_time(tmp_path, monkeypatch):
    for module in (parts, block_tables):
        monkeypatch.setattr(module, "TARGETS_TOGETHER", 8)
    tables, blocks = made(tmp_path, "cut", 20, 4, 4)
    scores = pd.read_parquet(tables.tables["scores"])
    first = scores[(scores["features"] == "net") & (scores["layer"] == 0) & (scores["estimator"] == "ridge")]
    names = list(study_of(20, 4).targets.target.to_numpy())
    assert first["target"].tolist() == names[:8] * 4 + names[8:16] * 4 + names[16:] * 4
    assert first["split"].tolist() == np.repeat(range(4), 8).tolist() * 2 + np.repeat(range(4), 4).tolist()
    assert scores["target"].dtype == object and scores["layer"].dtype == np.int64
    # what lies in row groups is read as what lies in blocks
    read = read_scores(tables.tables["scores"])
    assert isinstance(read, StoredScores) and read.parts == [slice(0, 8), slice(8, 16), slice(16, 20)]
    for one, other in zip(read.models, blocks.scores.models, strict=True):
        for metric in blocks.scores.metrics:
            values = [side.read(model, [metric])[metric] for side, model in ((read, one), (blocks.scores, other))]
            np.testing.assert_array_equal(*values)
    np.testing.assert_array_equal(read.n_train, [20, 21, 20, 21])


def test_scores_of_an_earlier_version_are_read_as_a_whole(tmp_path):
    tables, _ = made(tmp_path, "cut", 9, 4, 4)
    table = pd.read_parquet(tables.tables["scores"])
    table.to_parquet(tmp_path / "old.parquet", index=False)
    old, new = read_scores(tmp_path / "old.parquet"), read_scores(tables.tables["scores"])
    assert isinstance(old, TableScores) and old.metrics == new.metrics
    for one, other in zip(old.models, new.models, strict=True):
        values = [side.read(model, ["r2"], slice(2, 7), [0])["r2"] for side, model in ((old, one), (new, other))]
        np.testing.assert_array_equal(*values)
    with pytest.raises(DataError, match=r"none\.parquet: the file is missing"):
        read_scores(tmp_path / "none.parquet")


def test_the_summary_of_arrays_is_that_of_pandas(tmp_path):
    tables, _ = made(tmp_path, "cut", 31, 6, 4)
    scores = pd.read_parquet(tables.tables["scores"])
    study = study_of(31, 6)
    summary = summarise(scores, study.targets.coords.to_dataset().to_dataframe().reset_index())
    keys = ["features", "layer", "layer_name", "target", "estimator"]
    groups = scores.groupby(keys, sort=False)
    own = summary.set_index(keys)
    for metric in ("r2", "r2_corr", "r2_corr_c", "r2_corr_c2"):
        expected = {"median": groups[metric].median(), "sd": groups[metric].std(ddof=1)}
        for what, values in expected.items():
            np.testing.assert_allclose(own[f"{metric}_{what}"], values[own.index], rtol=1e-13, atol=1e-15)
    assert own["r2_corr_median"].isna().sum() == 10
    assert (summary["roi"] == np.where(summary["target"].str.extract(r"v(\d+)")[0].astype(int) % 5, "A1", "belt")).all()


def test_a_table_that_fails_loses_no_other_and_leaves_no_file(tmp_path, monkeypatch):
    def broken(*args):
        raise AuralignError("no medians")

    monkeypatch.setattr("auralign.questions.encoding.summary._spread", broken)
    tables, _ = made(tmp_path, "cut", 31, 6, 13)
    assert set(tables.failures) == {"summary.tsv"}
    assert {"scores", "nested", "layers", "layer_choice", "comparisons"} <= set(tables.tables)
    assert not [path for path in (tmp_path / "cut").iterdir() if "summary" in path.name]


def test_of_one_split_there_are_scores_but_no_tests(tmp_path):
    tables, _ = made(tmp_path, "cut", 9, 1, 4)
    assert {"comparisons.tsv", "unique_variance.tsv"} <= set(tables.failures)
    assert {"scores", "summary", "layers", "layer_choice", "nested"} <= set(tables.tables)
    summary = pd.read_csv(tables.tables["summary"], sep="\t")
    assert summary["r2_sd"].isna().all() and summary["r2_median"].notna().all()


def test_a_block_that_is_gone_is_named(tmp_path):
    study = study_of(9, 4)
    blocks = BlockTables(planned_of(tmp_path / "cut", 9, 4, 4), study)
    model = blocks.scores.models[0]
    (tmp_path / "cut" / "net0ridge4.scores.parquet").unlink()
    with pytest.raises(DataError, match=r"net0ridge4.*its results are gone. Run the same command again"):
        blocks.scores.read(model, ["r2"])
    with pytest.raises(DataError, match=r"no column 'r3'; they have: .*r2_corr"):
        blocks.scores.read(model, ["r3"])


def test_no_more_is_read_at_a_time_than_one_layer_or_one_part(tmp_path, monkeypatch):
    for module in (parts, block_tables):
        monkeypatch.setattr(module, "TARGETS_TOGETHER", 4)
    cells, rows = [], []
    read, named = StoredScores.read, BlockTables.named

    def counted_read(self, model, metrics, targets=None, layers=None):
        values = read(self, model, metrics, targets, layers)
        cells.append(max(own.size for own in values.values()))
        return values

    def counted_named(self, planned, table):
        rows.append(len(table))
        return named(self, planned, table)

    monkeypatch.setattr(StoredScores, "read", counted_read)
    monkeypatch.setattr(BlockTables, "named", counted_named)
    n_targets, n_splits, size = 31, 6, 4
    study = study_of(n_targets, n_splits)
    planned = planned_of(tmp_path / "cut", n_targets, n_splits, size)
    blocks = BlockTables([one for one in planned if not one.job.is_sparse], study)
    targets = study.targets.coords.to_dataset().to_dataframe().reset_index()
    makers = EncodingTables(options(), study, targets, blocks, tmp_path / "cut").makers()
    for name in ("scores", "nested", "summary", "layers", "layer_choice", "regions", "unique_variance"):
        makers[name]()
    assert max(rows) == size * n_splits
    assert max(cells) <= n_splits * max(n_targets, size * max(DEPTH.values()))
