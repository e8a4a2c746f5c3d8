"""The primary metric: how it is settled, what takes it, and that it is recorded."""

import json

import numpy as np
import pandas as pd
import pytest

from auralign.config.reading import read_config
from auralign.errors import ConfigError
from auralign.runs.compare import run_comparison
from auralign.runs.results import read_results
from auralign.scoring.metrics import primary_metric

NO_METRIC = "tests:\n  - {a: {estimator: ridge}, b: {estimator: lasso}}\n"
HYPOTHESIS = "hypotheses: [{name: H, kind: best_overall, features: net, against: [plain], estimator: ridge}]\n"


def _repeated(folder) -> None:
    """Give the responses of `small_config` three repetitions."""
    y, noise = pd.read_csv(folder / "y.tsv", sep="\t"), np.random.default_rng(0).standard_normal((3, 30))
    tables = [y.assign(repetition=k, first=y["first"] + noise[k], second=y["second"] + noise[k - 1]) for k in range(3)]
    pd.concat(tables).to_csv(folder / "y.tsv", sep="\t", index=False)


def _write(config, extra: str) -> None:
    text = config.read_text()
    config.write_text(text[: text.index("tests:")] + NO_METRIC + extra)


def test_auto_is_corrected_for_noise_where_that_is_possible():
    assert primary_metric("auto", True) == "r2_corr_c2"
    assert primary_metric("auto", False) == "r2_corr"
    assert primary_metric("r2", True) == "r2"
    with pytest.raises(ConfigError, match="metric: r2_corr_c is corrected for noise, which needs responses with rep"):
        primary_metric("r2_corr_c", False)


@pytest.mark.parametrize(
    ("repeated", "extra", "expected"),
    [
        (False, "", "r2_corr"),
        (True, "", "r2_corr_c2"),
        (True, "noise_correction: off\n", "r2_corr"),
        (True, "metric: r2_corr_c\n", "r2_corr_c"),
        (False, "metric: r2\n", "r2"),
    ],
)
def test_the_metric_is_settled_once_and_taken_by_all(small_config, tmp_path, repeated, extra, expected):
    if repeated:
        _repeated(tmp_path)
    _write(small_config, HYPOTHESIS + extra)
    tables = run_comparison(read_config(small_config), tmp_path / "out")
    assert set(tables["comparisons"]["metric"]) == {expected}
    assert set(tables["hypotheses"]["metric"]) == {expected}
    recorded = json.loads((tmp_path / "out" / "provenance.json").read_text())["config"]
    assert recorded["metric"] == expected
    assert recorded["tests"][0]["metric"] == expected
    assert read_results(tmp_path / "out").metric == expected


def test_a_named_metric_of_a_test_stays(small_config, tmp_path):
    tables = run_comparison(read_config(small_config), tmp_path / "out")
    assert tables["comparisons"].groupby("test")["metric"].unique().map(list).tolist() == [["r2"], ["r2_corr"]]


def test_a_metric_that_cannot_be_is_refused_before_anything_is_computed(small_config, tmp_path):
    _write(small_config, "metric: r2_corr_c2\n")
    with pytest.raises(ConfigError, match=r"metric: r2_corr_c2 is corrected for noise.*use auto, r2_corr or r2"):
        run_comparison(read_config(small_config), tmp_path / "out")
    assert not (tmp_path / "out" / "scores.parquet").exists()
    _write(small_config, "metric: r3\n")
    with pytest.raises(ConfigError, match="metric"):
        read_config(small_config)


@pytest.mark.parametrize(("repeated", "expected"), [(False, "r2_corr"), (True, "r2_corr_c2")])
def test_results_of_earlier_versions_have_one_too(small_config, tmp_path, repeated, expected):
    if repeated:
        _repeated(tmp_path)
    run_comparison(read_config(small_config), tmp_path / "out")
    file = tmp_path / "out" / "provenance.json"
    provenance = json.loads(file.read_text())
    del provenance["config"]["metric"]
    file.write_text(json.dumps(provenance))
    assert read_results(tmp_path / "out").metric == expected
