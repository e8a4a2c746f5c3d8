"""A second question, small enough to be written here, goes through all of the machinery that runs and reads results."""

import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from pydantic import Field

import auralign
from auralign.config.models import comparison_model
from auralign.config.reading import read_config
from auralign.errors import AuralignError, ConfigError, DataError
from auralign.inputs.arrays import StoredArray, store_array
from auralign.inputs.options import Inputs
from auralign.inputs.repetitions import mean_response
from auralign.questions import question as interface
from auralign.questions.block import Block
from auralign.questions.measures import to_wide
from auralign.questions.question import Plan, Question, TableFile
from auralign.report import describe, write_report
from auralign.runs.compare import run_comparison
from auralign.runs.dry_run import dry_run_of
from auralign.runs.rerun.changes import check
from auralign.runs.rerun.verify import describe_verification, recompute
from auralign.runs.results import read_results

FAILS = {"DataError": DataError("no numbers today"), "ValueError": ValueError("a mistake of the program")}


class Agreement(Inputs):
    """What a comparison may say that asks it."""

    draws: int = Field(default=3, ge=1)
    fail: str | None = None


@dataclass(frozen=True)
class Row(Block):
    """One layer against all others: how alike are their dissimilarities, of random halves of the stimuli?"""

    own: StoredArray
    others: tuple[StoredArray, ...]
    halves: list[np.ndarray]
    folder: Path
    scratch: Path
    label: str
    code: str = ""

    @property
    def holds(self) -> dict[str, tuple[str, ...]]:
        """The position of the other layer, the half, and the value."""
        return {"agreement": ("other", "split", "value")}

    def compute(self) -> dict[str, pd.DataFrame]:
        """Correlate."""
        rows = []
        for other, array in enumerate(self.others):
            for split, half in enumerate(self.halves):
                a, b = (np.corrcoef(layer.load()[half])[np.triu_indices(len(half), 1)] for layer in (self.own, array))
                rows.append((other, split, np.corrcoef(a, b)[0, 1]))
        return {"agreement": pd.DataFrame(rows, columns=["other", "split", "value"])}


class AgreementPlan(Plan):
    """Layer x layer, one value per half, and one per group of targets."""

    dims = ("features", "layer", "features_b", "layer_b", "split", "group", "low", "high")

    def __init__(self, options, study, place):
        self.options, self.study = options, study
        random = np.random.default_rng(0)
        halves = [np.sort(random.permutation(len(study.stimuli))[::2]) for _ in range(options.draws)]
        layers = [(name, index, layer) for name, of_set in study.features.items() for index, layer in of_set.items()]
        self.names = [(name, index) for name, index, _ in layers]
        arrays = tuple(layer.bands[0] for _, _, layer in layers)
        self.blocks = [
            Row(own, arrays, halves, place.blocks, place.scratch, f"layer {name}/{index}")
            for own, (name, index) in zip(arrays, self.names, strict=True)
        ]

    def table(self):
        """One row per pair of layers and half."""
        tables = []
        for (name, index), block in zip(self.names, self.blocks, strict=True):
            own = block.need("agreement")
            other = [self.names[place] for place in own["other"]]
            own["features_b"], own["layer_b"] = [name for name, _ in other], [index for _, index in other]
            tables.append(own.assign(features=name, layer=index).drop(columns="other"))
        return pd.concat(tables, ignore_index=True)

    def broken(self):
        """Fail as the configuration says."""
        if self.options.fail is not None:
            raise FAILS[self.options.fail]
        return None

    def tables(self):
        """A table that may fail comes first, one that never does last."""
        return {"broken": self.broken, "agreement": self.table}

    def measures(self, tables):
        """One table per layer, and one number of a group of the responses."""
        for _, own in tables["agreement"].groupby(["features", "layer"], sort=False):
            yield own.assign(measure="agreement")
        spread = float(mean_response(self.study.targets.to_numpy()).std())
        of_group = {"measure": ["spread"], "value": [spread], "group": ["hemi=lh"], "low": [0.0], "high": [np.nan]}
        yield pd.DataFrame(of_group)

    def record(self):
        """Say how many layers there are."""
        return {"n_layers": len(self.names)}


class AgreementQuestion(Question):
    """How alike are layers?"""

    name = "agreement"
    options = Agreement
    tables = {
        "agreement": TableFile("agreement.tsv", "features layer features_b layer_b split value", always=True),
        "broken": TableFile("broken.tsv", ""),
    }
    measures = {"agreement": "correlation of dissimilarities", "spread": "of the responses"}
    dims = {"features_b": str, "layer_b": int}

    def plan(self, options, study, place):
        """Plan one row of the matrix per block."""
        return AgreementPlan(options, study, place)


class BesideQuestion(AgreementQuestion):
    """The same question, asked beside another one, as a section of a comparison would ask it."""

    name = "beside"

    def is_asked(self, options):
        """Always."""
        return True

    def plan(self, options, study, place):
        """Plan with the defaults; the settings stay those of the comparison."""
        inputs = {name: getattr(options, name) for name in Inputs.model_fields}
        plan = AgreementPlan(Agreement(**inputs), study, place)
        plan.options = options
        plan.broken = lambda: None
        return plan


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    monkeypatch.setitem(interface.QUESTIONS, "agreement", f"{__name__}:AgreementQuestion")
    yield
    comparison_model.cache_clear()


@pytest.fixture
def config(small_config) -> Path:
    """A comparison that asks the second question."""
    small_config.write_text(small_config.read_text().split("estimators:")[0] + "task: agreement\n")
    return small_config


def _provenance(folder: Path) -> dict:
    return json.loads((folder / "provenance.json").read_text())


def test_it_runs_resumes_and_says_what_it_is_made_from(config, tmp_path):
    out = tmp_path / "out"
    made = run_comparison(read_config(config), out, n_jobs=2, config_file=config)
    assert sorted(path.name for path in out.iterdir() if path.name[0] != ".") == [
        "agreement.tsv",
        "measures.parquet",
        "provenance.json",
    ]
    table = made["agreement"]
    assert len(table) == 3 * 3 * 3
    np.testing.assert_allclose(table.query("features == features_b and layer == layer_b")["value"], 1.0)
    record = _provenance(out)
    assert record["questions"] == ["agreement"] and record["config"]["task"] == "agreement"
    assert record["n_layers"] == 3 and record["blocks"] == {"all": 3, "computed": 3}
    assert set(record["tables"]) == {"agreement.tsv", "measures.parquet"}
    again = run_comparison(read_config(config), out)
    assert _provenance(out)["blocks"] == {"all": 3, "computed": 0}
    pd.testing.assert_frame_equal(again["agreement"], table)
    # another setting is another block
    config.write_text(config.read_text() + "draws: 2\n")
    run_comparison(read_config(config), out)
    assert _provenance(out)["blocks"] == {"all": 3, "computed": 3}


def test_its_measures_are_read_back_with_dims_of_its_own(config, tmp_path):
    table = run_comparison(read_config(config), tmp_path / "out")["agreement"]
    results = read_results(tmp_path / "out")
    assert results.questions == ["agreement"] and results.features == ["net", "plain"] and results.estimators == []
    own = results.measures(measure="agreement")
    assert list(own) == ["question", "measure", "value", "features", "layer", "split", "features_b", "layer_b"]
    pd.testing.assert_frame_equal(own[table.columns], table)
    one = results.measures(features_b="net", layer_b=[1], split=0)
    assert len(one) == 3 and set(one["layer_b"]) == {1}
    assert results.measures(measure="spread").to_dict("records")[0] | {"value": 0} == {
        "question": "agreement", "measure": "spread", "value": 0, "group": "hemi=lh", "low": 0.0
    }  # fmt: skip
    assert to_wide(own)["agreement"].tolist() == table["value"].tolist()
    assert "2 feature sets" in repr(results) and "agreement" in results._repr_html_()
    assert "agreement" in describe(results)
    with pytest.raises(DataError, match=r"asked for agreement alone\. Its numbers are in measures\.parquet"):
        write_report([tmp_path / "out"])


def test_it_is_verified_number_by_number(config, tmp_path):
    out = tmp_path / "out"
    run_comparison(read_config(config), out, config_file=config)
    found = recompute(check(out), 0.0)
    assert found.is_reproduced
    assert found.numbers["measures.parquet"].n_rows == 3 * 3 * 3 + 1
    net = pd.read_csv(tmp_path / "net.tsv", sep="\t")
    net.loc[0, "u0"] += 1.0
    net.to_csv(tmp_path / "net.tsv", sep="\t", index=False)
    found = recompute(check(out))
    assert not found.is_reproduced and found.beyond == ["value"]
    assert "(BEYOND) at agreement, agreement, " in describe_verification(found)
    (out / "measures.parquet").unlink()
    with pytest.raises(DataError, match=r"measures\.parquet: the file is missing"):
        check(out)


@pytest.mark.parametrize(("error", "raised"), [("DataError", DataError), ("ValueError", ValueError)])
def test_a_table_that_fails_loses_no_other(error, raised, config, tmp_path):
    out = tmp_path / "out"
    (tmp_path / "out").mkdir()
    (out / "broken.tsv").write_text("of an earlier run")
    config.write_text(config.read_text() + f"fail: {error}\n")
    with pytest.raises(raised, match=str(FAILS[error])) as failure:
        run_comparison(read_config(config), out)
    if isinstance(failure.value, AuralignError):
        assert "1 table could not be made; all others are written.\n  broken.tsv: no numbers" in str(failure.value)
    assert len(read_results(out).measures()) == 3 * 3 * 3 + 1
    assert f"broken.tsv could not be made: {FAILS[error]}" in _provenance(out)["warnings"]
    assert not (out / "broken.tsv").exists()


def test_a_block_that_fails_says_which_it_is_and_keeps_the_others(config, tmp_path, monkeypatch):
    monkeypatch.setattr(Row, "compute", _fail_on_plain(Row.compute))
    with pytest.raises(DataError, match="layer plain/0: no luck"):
        run_comparison(read_config(config), tmp_path / "out")
    assert len(list((tmp_path / "out" / ".blocks").glob("*.parquet"))) == 2


def _fail_on_plain(compute):
    def compute_or_fail(self):
        if "plain" in self.label:
            raise DataError("no luck")
        return compute(self)

    return compute_or_fail


def test_two_questions_share_a_run_its_folder_and_its_verification(small_config, tmp_path, monkeypatch):
    alone = run_comparison(read_config(small_config), tmp_path / "alone")
    monkeypatch.setitem(interface.QUESTIONS, "beside", f"{__name__}:BesideQuestion")
    out = tmp_path / "out"
    both = run_comparison(read_config(small_config), out, config_file=small_config)
    pd.testing.assert_frame_equal(both["summary"], alone["summary"])
    assert _provenance(out)["blocks"]["all"] == 6 + 3 and _provenance(out)["questions"] == ["encoding", "beside"]
    results = read_results(out)
    assert set(results.measures()["question"]) == {"encoding", "beside"}
    # what the other question does not have is not there
    assert "layer_b" not in results.measures(question="encoding")
    assert "target" not in results.measures(question="beside")
    assert results.need("agreement")["features_b"].tolist() == both["agreement"]["features_b"].tolist()
    assert "beside" in describe(results) and "r2_corr" in describe(results)
    assert "small" in write_report([out]).read_text(encoding="utf-8")
    found = recompute(check(out), 0.0)
    assert found.is_reproduced and list(found.numbers) == ["measures.parquet", "scores.parquet"]
    # of the measures those of the question that has no table for it
    assert found.numbers["measures.parquet"].n_rows == 3 * 3 * 3 + 1
    assert "computed 28 rows of measures.parquet again" in describe_verification(found)


def test_a_failing_table_of_encoding_loses_no_other(small_config, tmp_path, monkeypatch):
    def fail(*arguments):
        raise ValueError("a mistake of the program")

    monkeypatch.setattr("auralign.questions.encoding.tables.selection_consistency", fail)
    with pytest.raises(ValueError, match="a mistake of the program"):
        run_comparison(read_config(small_config), tmp_path / "out")
    results = read_results(tmp_path / "out")
    assert results.get("selection") is None and len(results.need("selected")) and len(results.comparisons)
    assert len(results.measures(measure="r2")) == len(results.scores)
    assert any("selection.tsv could not be made" in warning for warning in results.provenance["warnings"])


def test_it_is_asked_from_python(config, tmp_path):
    settings = yaml.safe_load(config.read_text())
    for part in (*settings["features"].values(), settings["targets"]):
        part["table"] = str(tmp_path / part["table"])
    results = auralign.run(settings | {"draws": 1}, tmp_path / "out")
    assert results.questions == ["agreement"] and len(results.measures(measure="agreement")) == 3 * 3
    with pytest.raises(ConfigError, match="no question 'telepathy'"):
        auralign.run(settings | {"task": "telepathy"}, tmp_path / "out")
    with pytest.raises(ConfigError, match="--dry-run is of encoding alone; this comparison asks for agreement"):
        dry_run_of(read_config(config), tmp_path / "out")


def test_its_settings_are_its_own(config, tmp_path):
    config.write_text(config.read_text() + "draws: 0\nestimators: {}\n")
    with pytest.raises(ConfigError) as error:
        read_config(config)
    assert "draws: Input should be greater than or equal to 1" in str(error.value)
    assert "estimators: unknown key; allowed here: features, targets" in str(error.value)
    assert "draws, fail, name, task, scheduler" in str(error.value)


def test_a_question_that_does_not_exist_is_named(small_config):
    small_config.write_text(small_config.read_text() + "task: agreeement\n")
    with pytest.raises(
        ConfigError, match=r"no question 'agreeement'\. Did you mean agreement\? There are encoding, ag"
    ):
        read_config(small_config)


def test_every_field_of_its_blocks_is_in_the_key_without_a_word(tmp_path):
    array = store_array(np.eye(4), tmp_path)
    block = Row(array, (array,), [np.arange(4)], tmp_path, tmp_path, "x")
    assert replace(block, halves=[np.arange(3)]).key != block.key
    assert replace(block, code="other").key != block.key
    assert replace(block, label="y").key == block.key
