"""The page of a report: that it holds what the tables hold, needs nothing else, and names no folder of the machine."""

import hashlib
import re
import shutil
from dataclasses import replace
from html import unescape
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import yaml
from click.testing import CliRunner

from auralign.cli.report import main
from auralign.config.reading import read_config
from auralign.errors import DataError
from auralign.report import describe, write_report
from auralign.report import page as page_module
from auralign.report.comparing import compare_results
from auralign.report.page import labels_of
from auralign.report.pictures import MANY_FIGURES
from auralign.report.shown import MAX_ROWS, cut, show
from auralign.report.sources import datasets, relative, resolved_config, without_folders
from auralign.report.split_scores import SplitScores
from auralign.report.wording import signed
from auralign.runs import result_tables
from auralign.runs.compare import run_comparison
from auralign.runs.results import read_results

TEMPLATES = Path(page_module.__file__).parent / "templates"


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """Where the first test leaves the result of `small_config` for the others."""
    return tmp_path_factory.mktemp("report") / "out"


@pytest.fixture
def folder(made, small_config, tmp_path):
    if not made.exists():
        run_comparison(read_config(small_config), made)
    return Path(shutil.copytree(made, tmp_path / "out"))


@pytest.fixture
def no_figures(monkeypatch):
    """Figures have tests of their own; most of what is tested here is about the rest of the page."""
    monkeypatch.setattr(page_module, "all_figures", lambda results: [])


def _tables(page: str) -> dict[str, pd.DataFrame]:
    """Read the tables of a page back, full values where cells have them."""
    tables = {}
    found = re.findall(r'<details class="table" id="[\w-]*?table-(\w+)".*?<table[^>]*>(.*?)</table>', page, re.S)
    cell = r'<td(?: class="n" data-order="(.*?)")?>(.*?)</td>'
    for key, body in found:
        header = [unescape(text) for text in re.findall(r'<th scope="col"[^>]*>(.*?)</th>', body)]
        rows = [
            [unescape(value or text) for value, text in re.findall(cell, row)]
            for row in re.findall(r"<tr>(<td.*?)</tr>", body)
        ]
        tables[key] = pd.DataFrame(rows, columns=header)
    return tables


def test_the_page_needs_nothing_else_and_every_figure_is_described(folder):
    page = write_report([folder]).read_text(encoding="utf-8")
    assert "default-src 'none'" in page
    assert not re.search(r'(src|href)="(?!data:|#)', page)
    own = page.replace((TEMPLATES / "vendor" / "dataTables.min.js").read_text(encoding="utf-8"), "")
    assert "http:" not in own
    assert "https:" not in own
    images = re.findall(r'<img src="data:image/(?:svg\+xml|png);base64,[^"]+" alt="([^"]*)"', page)
    assert len(images) == page.count("<figure") > 3
    assert all(len(text) > 20 for text in images)
    saved = {path.stem for path in (folder / "figures").glob("*.svg")}
    assert set(re.findall(r'data-save="(\w+)\.(?:svg|png)"', page)) == saved


def test_a_report_needs_no_scores_and_is_the_same_as_of_an_older_folder(folder, tmp_path):
    older = Path(shutil.copytree(folder, tmp_path / "older"))
    (folder / "scores.parquet").unlink()
    for name in ("nested", "fits", "estimator_differences"):
        (older / f"{name}.parquet").unlink()
    pages = [write_report([one]).read_bytes() for one in (folder, older)]
    assert pages[0] == pages[1]
    files = sorted(path.name for path in (folder / "figures").iterdir())
    assert len(files) > 9
    for name in files:
        assert (folder / "figures" / name).read_bytes() == (older / "figures" / name).read_bytes(), name


def test_what_several_processes_draw_is_the_same(folder, tmp_path):
    again = Path(shutil.copytree(folder, tmp_path / "again"))
    pages = [write_report([one], n_jobs=n_jobs).read_bytes() for one, n_jobs in ((folder, 1), (again, 2))]
    assert pages[0] == pages[1]
    names = sorted(path.name for path in (folder / "figures").iterdir())
    assert len(names) >= 3 * MANY_FIGURES  # else one process draws them
    assert names == sorted(path.name for path in (again / "figures").iterdir())


def test_the_command_says_what_the_page_says_and_reads_a_folder_once(folder, monkeypatch):
    read, opened = result_tables.read_written, []
    monkeypatch.setattr(result_tables, "read_written", lambda path, text: opened.append(path.name) or read(path, text))
    done = CliRunner().invoke(main, [str(folder), "--n-jobs", "1"])
    assert done.exit_code == 0, done.output
    assert f"report: {folder / 'report.html'}" in done.output
    assert describe(read_results(folder)) in done.output
    assert opened.count("summary.tsv") == 2  # by the command, and by this test


def test_results_that_were_read_are_reported_as_they_are(folder, no_figures):
    page = write_report([folder]).read_text(encoding="utf-8")
    assert write_report([read_results(folder)]).read_text(encoding="utf-8") == page
    with pytest.raises(DataError, match="is given twice"):
        write_report([folder, read_results(folder)])


def test_the_tables_of_the_page_are_those_of_the_results(folder, no_figures):
    shown = _tables(write_report([folder]).read_text(encoding="utf-8"))
    for key in ("summary", "layers", "layer_choice", "comparisons"):
        table = pd.read_csv(folder / f"{key}.tsv", sep="\t")
        assert len(shown[key]) == len(table) > 0
        for column in shown[key].columns.intersection(table.columns):
            if pd.api.types.is_float_dtype(table[column]):
                values = pd.to_numeric(shown[key][column], errors="coerce")
                np.testing.assert_array_equal(values, table[column])
    # layers have their name and depth beside the index: those of `net` 0 and 1, the only one of `plain` none
    assert set(shown["summary"].query("features == 'net'")["depth"]) == {"0.0", "1.0"}
    assert set(shown["summary"].query("features == 'plain'")["depth"]) == {""}
    assert set(shown["layers"]["layer_name"]) == {"layer00", "layer01"}
    assert set(shown["layer_choice"]["nested_layer"]) <= {"layer00 (0.00)", "layer01 (1.00)", "layer00"}
    best = shown["best_layers"].set_index(["target", "features", "estimator"])
    choices = pd.read_csv(folder / "layer_choice.tsv", sep="\t").query("metric == 'r2_corr' and layers == 'all'")
    nested = choices.set_index(["target", "features", "estimator"])["nested"]
    np.testing.assert_allclose(best.loc[nested.index, "median"].astype(float), nested, rtol=1e-12)
    assert set(best.index.get_level_values("target")) == {"first", "second", "all targets"}


def test_no_folder_of_the_machine_is_on_the_page(folder, tmp_path, no_figures):
    page = write_report([folder]).read_text(encoding="utf-8")
    assert str(tmp_path) not in page
    assert "net.tsv" in page
    config = yaml.safe_load(resolved_config(read_results(folder)))
    held = read_results(folder).provenance["config"]
    assert config["features"]["net"]["table"] == "net.tsv"
    assert config["estimators"] == held["estimators"]
    assert config["splits"] == held["splits"]


def test_paths_are_relative_to_the_project_or_cut():
    assert relative("/home/me/study/features/a.hdf5", Path("/home/me/study")) == "features/a.hdf5"
    assert relative("/data/shared/lab/y/a.tsv", Path("/home/me/study")) == "…/lab/y/a.tsv"
    assert relative("a.tsv", Path("/home")) == "a.tsv"
    assert without_folders({"a": ["/x/y/z/w/v"], "b": 1}, Path("/x/y")) == {"a": ["z/w/v"], "b": 1}


def test_names_that_look_like_missing_values_or_numbers_survive(small_config, tmp_path, no_figures):
    text = small_config.read_text().replace("net:", "NA:").replace("features: net", "features: NA")
    small_config.write_text(text)
    y = pd.read_csv(tmp_path / "y.tsv", sep="\t").rename(columns={"first": "NA", "second": "001"})
    y.to_csv(tmp_path / "y.tsv", sep="\t", index=False)
    run_comparison(read_config(small_config), tmp_path / "out")
    shown = _tables(write_report([tmp_path / "out"]).read_text(encoding="utf-8"))
    assert set(shown["summary"]["target"]) == {"NA", "001"}
    assert set(shown["best_layers"]["features"]) == {"NA", "plain"}


def test_text_of_the_results_is_not_taken_for_markup(folder, no_figures):
    table = pd.read_csv(folder / "summary.tsv", sep="\t")
    table["target"] = table["target"].replace("first", "<script>alert(1)</script>")
    shown = show(table, "summary", "<b>All</b>")
    macros = page_module.template_environment().get_template("macros.html.j2").module
    html = str(macros.table(shown, ""))
    assert "<script>" not in html
    assert "<b>" not in html


def test_noise_corrected_scores_are_on_the_page(small_config, tmp_path, no_figures):
    y = pd.read_csv(tmp_path / "y.tsv", sep="\t")
    noise = np.random.default_rng(0).standard_normal((3, 30))
    pd.concat([y.assign(repetition=k, first=y["first"] + noise[k]) for k in range(3)]).to_csv(
        tmp_path / "y.tsv", sep="\t", index=False
    )
    summary = run_comparison(read_config(small_config), tmp_path / "out")["summary"]
    page = write_report([tmp_path / "out"]).read_text(encoding="utf-8")
    best = summary.query("features == 'plain' and estimator == 'ridge' and target == 'first'").iloc[0]
    row = (
        _tables(page)["best_layers"].query("features == 'plain' and estimator == 'ridge' and target == 'first'").iloc[0]
    )
    # one layer: the median is that of the summary, in the primary metric
    assert float(row["median"]) == pytest.approx(min(best["r2_corr_c2_median"], 1.0), rel=1e-12)
    assert "of the explainable variance of 2 responses on average" in page
    assert '<th scope="col">r2_corr_c2</th>' in page
    assert 'aria-label="Noise correction"' in page


def test_methods_are_those_of_the_configuration(folder, no_figures):
    page = write_report([folder]).read_text(encoding="utf-8")
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))
    assert "The 30 stimuli were divided 4 times into 16 development and 14 test stimuli, at random (seed 1)." in text
    assert "from 7 values between 0.001 and 1e+03" in text
    assert "4-fold inner cross-validation" in text
    assert 'aria-label="Lasso"' in page
    assert 'aria-label="Joint lasso"' not in page
    assert 'aria-label="Noise correction"' not in page
    assert "k = 4, n_test/n_dev = 0.875" in text


def test_long_tables_are_cut_to_their_ends():
    table = pd.DataFrame({"features": np.repeat(["a", "b"], 5000), "score": np.random.default_rng(0).random(10000)})
    kept, note = cut(table, ("score", ["features"]))
    assert len(kept) == MAX_ROWS
    for name, rows in table.groupby("features"):
        own = kept[kept["features"] == name]["score"]
        ordered = rows["score"].sort_values()
        expected = {*ordered.head(MAX_ROWS // 4), *ordered.tail(MAX_ROWS // 4)}
        assert set(own) == expected
    assert note == "The 150 highest and 150 lowest rows by score of each features, 600 of 10,000 rows."
    assert cut(table.head(MAX_ROWS), ("score", ["features"]))[1] == ""
    assert "The whole table is x.tsv" in show(table, "x", "X", "x.tsv", "", ("score", ["features"])).note


def test_results_with_the_same_splits_are_compared_split_by_split(folder, small_config, tmp_path, no_figures):
    text = small_config.read_text().replace("name: small", "name: short")
    small_config.write_text(text.replace("net: {table: net.tsv}", "net: {table: net.tsv, layers: [1]}"))
    run_comparison(read_config(small_config), tmp_path / "short")
    page = write_report([folder, tmp_path / "short"], tmp_path / "both.html").read_text(encoding="utf-8")
    assert page.count("<main") == page.count("<h1>") == 1
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'href="#([^"]+)"', page)) <= set(ids)
    results = [read_results(folder), read_results(tmp_path / "short")]
    splits = [SplitScores(one) for one in results]
    compared = compare_results(results, splits, labels_of(results))
    assert "paired over splits" in compared.intro
    values = []
    for one in results:
        rows = one.scores.query("target == 'first'")
        chosen = rows.loc[rows.groupby(["features", "estimator", "split"])["r2_dev"].idxmax()]
        wide = chosen.pivot(index="split", columns=["features", "estimator"], values="r2_corr")
        values.append(wide[wide.mean().idxmax()].to_numpy())
    order = np.argsort([-one.mean() for one in values], kind="stable")
    mean = (values[order[0]] - values[order[1]]).mean()
    finding = next(one for one in compared.findings if one.about == "first")
    assert signed(mean) in finding.text
    settings = next(table for table in compared.tables if table.key == "settings")
    changed = {row[0].text for row in settings.rows if not row[0].text.endswith("table")}
    assert changed == {"name", "features.net.layers"}


def test_results_with_other_splits_are_not_paired(folder, small_config, tmp_path):
    small_config.write_text(small_config.read_text().replace("seed: 1}", "seed: 2}"))
    run_comparison(read_config(small_config), tmp_path / "other")
    results = [read_results(folder), read_results(tmp_path / "other")]
    labels = labels_of(results)
    assert labels == ["small (out)", "small (other)"]
    assert labels_of([results[0], results[0]]) == ["small (out), 1", "small (out), 2"]
    compared = compare_results(results, [SplitScores(one) for one in results], labels)
    assert "not paired" in compared.intro
    assert all("interval" not in one.text for one in compared.findings)
    tables = {name: results[1].need(name) for name in ("summary", "scores")}
    other = {name: table.assign(target="other " + table["target"]) for name, table in tables.items()}
    renamed = replace(results[1], _read=other)
    compared = compare_results([results[0], renamed], [SplitScores(results[0]), SplitScores(renamed)], labels)
    assert "share no targets" in compared.intro
    assert not compared.findings


def test_an_unfinished_result_is_refused_by_file(tmp_path):
    with pytest.raises(DataError, match=r"summary\.tsv: the file is missing, so .* is not a finished result"):
        write_report([tmp_path])


def test_a_folder_given_twice_is_refused(folder):
    with pytest.raises(DataError, match="out: this results folder is given twice"):
        write_report([folder, folder])


def test_a_page_that_cannot_be_written_is_an_error(folder, tmp_path, no_figures):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match=r"file.*the report cannot be written there"):
        write_report([folder], tmp_path / "file" / "report.html")


def test_the_command_writes_the_page_and_prints_the_headline(folder, root, no_figures):
    spec = spec_from_file_location("report_script", root / "scripts" / "report.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    result = CliRunner().invoke(module.main, [str(folder)])
    assert result.exit_code == 0, result.output
    assert result.output.startswith("small: The best of 2 feature sets, ")
    assert "r2_corr, mean over 4 splits, at layers chosen inside the development stimuli" in result.output
    assert f"report: {folder / 'report.html'}" in result.output


def test_the_kept_library_is_the_one_that_is_named(root):
    library = (TEMPLATES / "vendor" / "dataTables.min.js").read_bytes()
    digest = (TEMPLATES / "vendor" / "dataTables.min.js.sha256").read_text().split()[0]
    assert hashlib.sha256(library).hexdigest() == digest
    version = re.search(rb"DataTables ([\d.]+)", library)[1].decode()
    assert f"DataTables {version} (MIT" in (TEMPLATES / "report.html.j2").read_text(encoding="utf-8").replace("\n", " ")
    assert f"DataTables {version}," in (TEMPLATES / "vendor" / "README.md").read_text(encoding="utf-8")
    assert b"</script" not in library


def test_a_dataset_without_its_recipe_is_listed_by_its_name(tmp_path):
    results = SimpleNamespace(provenance={"datasets": {str(tmp_path / "mine"): None}})
    assert datasets(results) == [{"name": "mine", "state": None, "title": None, "licence": None, "citation": None}]
