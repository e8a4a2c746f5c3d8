"""Results folders: what is read, and what is refused."""

import json

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from auralign.analysis.chosen import ChosenScores
from auralign.analysis.layer_choice import nested_choice
from auralign.config.reading import read_config
from auralign.errors import DataError
from auralign.questions.measures import SCHEMA, SCHEMA_KEY, to_wide
from auralign.runs.compare import run_comparison
from auralign.runs.rerun.changes import check
from auralign.runs.results import Results, read_results


@pytest.fixture
def folder(small_config, tmp_path):
    run_comparison(read_config(small_config), tmp_path / "out")
    return tmp_path / "out"


def test_tables_are_those_of_the_run(small_config, tmp_path):
    made = run_comparison(read_config(small_config), tmp_path / "out")
    results = read_results(str(tmp_path / "out"))
    assert results.name == "small"
    assert results.features == ["net", "plain"]
    assert results.estimators == ["ridge", "lasso"]
    assert results.level == pytest.approx(0.95)
    for name in ("scores", "summary", "comparisons", "layers", "layer_choice", "selected"):
        pd.testing.assert_frame_equal(results.need(name), made[name], check_dtype=False, check_exact=False)
    assert results.get("scores") is results.get("scores")  # read once


def test_a_table_that_is_not_there_says_what_would_bring_it(folder):
    results = read_results(folder)
    assert results.get("regions") is None
    with pytest.raises(DataError, match=r"regions\.tsv: the file is missing\. It needs targets with a column `roi`"):
        results.need("regions")
    with pytest.raises(DataError, match=r"there is no table 'region'; there are scores, summary"):
        results.get("region")


@pytest.mark.parametrize("name", ["summary.tsv", "comparisons.tsv", "provenance.json"])
def test_an_unfinished_result_is_refused_by_file(folder, name):
    (folder / name).unlink()
    with pytest.raises(DataError, match=rf"{name}: the file is missing, so .* is not a finished result"):
        read_results(folder)


def test_a_table_of_another_version_is_refused_at_once(folder):
    layers = pd.read_csv(folder / "layers.tsv", sep="\t").drop(columns="pooled")
    layers.to_csv(folder / "layers.tsv", sep="\t", index=False)
    with pytest.raises(DataError, match=r"layers\.tsv: the column 'pooled' is missing"):
        read_results(folder)


def test_damaged_files_are_named(folder):
    (folder / "scores.parquet").write_bytes(b"no table")
    with pytest.raises(DataError, match=r"scores\.parquet: the file cannot be read"):
        read_results(folder)
    (folder / "provenance.json").write_text("{")
    with pytest.raises(DataError, match=r"provenance\.json: not the provenance of a comparison"):
        read_results(folder)


def test_names_that_look_like_missing_values_or_numbers_stay_names(folder):
    summary = pd.read_csv(folder / "summary.tsv", sep="\t", dtype=str)
    summary["target"] = summary["target"].replace({"first": "NA", "second": "001"})
    summary.to_csv(folder / "summary.tsv", sep="\t", index=False)
    assert list(read_results(folder).targets["target"]) == ["NA", "001"]


def test_metadata_of_targets_are_all_that_is_not_a_result(folder):
    summary = pd.read_csv(folder / "summary.tsv", sep="\t")
    summary.assign(roi="core", synthetic=True).to_csv(folder / "summary.tsv", sep="\t", index=False)
    results = read_results(folder)
    assert list(results.targets.columns) == ["target", "roi", "synthetic"]
    assert len(results.targets) == 2
    assert results.synthetic
    summary.to_csv(folder / "summary.tsv", sep="\t", index=False)
    assert not read_results(folder).synthetic


def test_roles_come_from_markers_and_from_the_configuration(tmp_path):
    features = {name: {} for name in ("trained", "random", "shuffled", "bands", "spectemp", "published")}
    features |= {"both": {"join": ["trained", "bands"]}, "published": {"permuted": True}}
    features["spectemp"] = {"network": "spectemp"}
    metadata = {
        "trained": {"class": "EncodecMAE", "checkpoint": "mel256-ec-base", "permute_seed": None},
        "random": {"class": "Whisper", "checkpoint": "untrained"},
        "shuffled": {"class": "EncodecMAE", "checkpoint": "mel256-ec-base", "permute_seed": 0},
        "bands": {"class": "LogMel"},
    }
    results = Results(tmp_path, {"config": {"features": features}, "features": metadata})
    assert results.roles == {
        "trained": "model",
        "random": "control",
        "shuffled": "control",
        "bands": "baseline",
        "spectemp": "baseline",
        "published": "control",
        "both": "joined",
    }


def test_the_level_of_intervals_follows_the_configuration(folder):
    provenance = json.loads((folder / "provenance.json").read_text())
    provenance["config"]["fdr"] = 0.1
    (folder / "provenance.json").write_text(json.dumps(provenance))
    assert read_results(folder).level == pytest.approx(0.9)


def test_results_are_shown_in_one_line_and_in_notebooks_in_a_small_table(folder):
    results = read_results(folder)
    counts = "2 feature sets, 3 layers, 2 targets, 2 estimators, 4 splits, 30 stimuli"
    assert repr(results) == f"<Results small: {counts}; {folder}>"
    html = results._repr_html_()
    assert "<th>feature sets</th><td>net, plain</td>" in html
    assert "<th>primary metric</th><td>r2_corr</td>" in html
    assert "layer_choice" in html
    assert "regions" not in html
    assert len(html) < 2000


def test_text_of_a_notebook_is_escaped(folder):
    provenance = json.loads((folder / "provenance.json").read_text())
    provenance["config"]["name"] = "<b>"
    assert "<b>" not in Results(folder, provenance, read_results(folder)._read)._repr_html_()


def test_tables_that_reports_read_are_made_of_the_scores_where_there_are_none(folder):
    results = read_results(folder)
    assert set(results.estimators) == {"ridge", "lasso"}
    chosen, fits, differences = results.chosen, results.fits, results.differences("ridge", "lasso")
    assert isinstance(chosen, ChosenScores) and "scores" not in results._read
    for name in ("nested", "fits", "estimator_differences"):
        (folder / f"{name}.parquet").unlink()
    older = read_results(folder)
    pd.testing.assert_frame_equal(older.fits, fits)
    pd.testing.assert_frame_equal(older.differences("ridge", "lasso"), differences)
    pd.testing.assert_frame_equal(nested_choice(older.chosen), nested_choice(chosen), check_exact=True)
    assert "scores" in older._read
    # a metric that is not the one of the run, and a pair that is not among its differences
    assert not read_results(folder).differences("lasso", "ridge")["difference"].equals(differences["difference"])


def test_scores_in_memory_are_what_everything_is_made_of(folder):
    results = read_results(folder)
    better = results.scores.assign(r2_corr=results.scores["r2_corr"] / 2, alpha=3.0)
    changed = Results(results.folder, results.provenance, results._read | {"scores": better})
    assert (changed.fits["alpha"] == 3.0).all()
    own = nested_choice(changed.chosen)["score"].to_numpy()
    np.testing.assert_allclose(own, nested_choice(read_results(folder).chosen)["score"] / 2)


def test_what_is_made_of_results_is_made_once(folder):
    results, calls = read_results(folder), []

    def make(of: Results) -> list:
        calls.append(of)
        return []

    assert results.once(make) is results.once(make)
    assert calls == [results]


def test_layers_and_targets_are_those_of_the_summary(folder):
    results = read_results(folder)
    assert results.layer_names["features"].tolist() == ["net", "net", "plain"]
    assert results.layer_names["layer"].tolist() == [0, 1, 0]
    assert results.several_layers and results.n_targets == 2


def test_measures_are_the_scores_once_more(folder):
    results = read_results(folder)
    found = results.measures()
    assert set(found["measure"]) == {"r2", "r2_corr", "r2_dev", "alpha"} and set(found["question"]) == {"encoding"}
    wide = to_wide(found)
    pd.testing.assert_frame_equal(wide[results.scores.columns], results.scores, check_dtype=False)
    one = results.measures(measure="r2", features="net", layer=1, estimator="lasso", target="second")
    own = results.scores.query("features == 'net' and layer == 1 and estimator == 'lasso' and target == 'second'")
    assert one["value"].tolist() == own["r2"].tolist()
    # one row group per block
    assert pq.ParquetFile(folder / "measures.parquet").metadata.num_row_groups == 6


def test_a_folder_without_measures_makes_them_of_its_tables(folder):
    results = read_results(folder)
    made = results.measures(layer=0)
    (folder / "measures.parquet").unlink()
    pd.testing.assert_frame_equal(read_results(folder).measures(layer=0), made)
    with pytest.raises(DataError, match="there is no column 'layers'"):
        read_results(folder).measures(layers=0)


@pytest.mark.parametrize("read", [read_results, check])
def test_results_of_a_newer_version_are_refused(folder, read):
    path = folder / "provenance.json"
    provenance = json.loads(path.read_text())
    assert provenance["schema"] == SCHEMA and provenance["questions"] == ["encoding"]
    path.write_text(json.dumps(provenance | {"schema": SCHEMA + 1}))
    message = (
        r"provenance\.json: written by a newer version of auralign \(tables of schema 2; this version reads up to 1\)"
    )
    with pytest.raises(DataError, match=message):
        read(folder)
    path.write_text(json.dumps(provenance | {"questions": ["encoding", "telepathy"]}))
    with pytest.raises(DataError, match="question 'telepathy', which this version does not know; it knows encoding"):
        read(folder)


def test_a_table_of_a_newer_schema_is_refused(folder):
    path = folder / "measures.parquet"
    pq.write_table(pq.read_table(path).replace_schema_metadata({SCHEMA_KEY: b"7"}), path)
    with pytest.raises(DataError, match=r"measures\.parquet: written by a newer version of auralign"):
        read_results(folder)
