"""A study stored with the results of an earlier version: the same numbers today, and its folders can still be read."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from auralign.config.reading import read_config
from auralign.report import write_report
from auralign.runs.compare import run_comparison
from auralign.runs.rerun.changes import check
from auralign.runs.rerun.verify import recompute
from auralign.runs.results import read_results
from auralign.scoring.ceiling_options import Ceiling

STORED = Path(__file__).parent / "stored_study"
KEYS = {
    "scores.parquet": ["features", "layer", "target", "estimator", "split"],
    "summary.tsv": ["features", "layer", "target", "estimator"],
    "comparisons.tsv": ["test", "a", "b", "target", "a_layer", "b_layer"],
    "layers.tsv": ["features", "estimator", "layer", "metric"],
    "regions.tsv": ["features", "estimator", "region", "layer", "metric"],
    "layer_choice.tsv": ["features", "estimator", "metric", "target", "layers"],
    "selected.parquet": ["features", "layer", "target", "estimator", "split", "unit"],
    "unique_variance.tsv": ["features", "without", "adds", "layer", "estimator", "target"],
}
# what a stated change of method changed since: p of unique variance has two sides, as its interval
CHANGED = {"unique_variance.tsv": ["p", "p_fdr", "significant"]}
# the interval of noise ceilings is the jackknife's; earlier ones were the bootstrap's, which is there by name
BOOTSTRAP, INTERVAL = Ceiling(interval="bootstrap"), ["noise_ceiling_low", "noise_ceiling_high"]


def _read(path: Path) -> pd.DataFrame:
    table = pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path, sep="\t")
    keys = [key for key in KEYS[path.name] if key in table]
    return table.sort_values(keys, kind="stable").reset_index(drop=True)


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> Path:
    """A copy of the stored study, and beside its results those of today in `new/`."""
    folder = tmp_path_factory.mktemp("stored") / "study"
    shutil.copytree(STORED, folder)
    for name in ("study", "joined"):
        config = read_config(folder / f"{name}.yml").model_copy(update={"ceiling": BOOTSTRAP})
        run_comparison(config, folder / "new" / name)
    return folder


@pytest.mark.parametrize("name", ["study", "joined"])
def test_the_tables_are_those_of_the_earlier_version(study, name):
    compared = 0
    for path in sorted((study / "results" / name).iterdir()):
        if path.name not in KEYS:
            continue
        old, new = _read(path), _read(study / "new" / name / path.name)
        assert len(new) == len(old), path.name
        for column in old.columns.difference(CHANGED.get(path.name, [])):
            if pd.api.types.is_float_dtype(old[column]):
                message = f"{path.name}: {column}"
                np.testing.assert_allclose(new[column], old[column], rtol=1e-12, atol=1e-12, err_msg=message)
            else:
                pd.testing.assert_series_equal(new[column], old[column], check_dtype=False)
        compared += 1
    assert compared >= 6


@pytest.mark.parametrize("name", ["study", "joined"])
def test_the_jackknife_changes_the_intervals_of_noise_ceilings_alone(study, name, tmp_path):
    shutil.copytree(study / "new" / name, tmp_path / name)  # with its blocks: only ceilings are computed
    run_comparison(read_config(study / f"{name}.yml"), tmp_path / name)
    for path in sorted((study / "new" / name).iterdir()):
        if path.name in KEYS:
            old, new = _read(path), _read(tmp_path / name / path.name)
            pd.testing.assert_frame_equal(
                old.drop(columns=INTERVAL, errors="ignore"),
                new[old.columns.difference(INTERVAL, sort=False)],
                rtol=1e-12,
            )
    old, new = _read(study / "new" / name / "summary.tsv"), _read(tmp_path / name / "summary.tsv")
    assert (new[INTERVAL[0]] < new["noise_ceiling"]).all() and (new["noise_ceiling"] < new[INTERVAL[1]]).all()
    width = (old[INTERVAL[1]] - old[INTERVAL[0]]).mean()
    assert 0.0 < (new[INTERVAL] - old[INTERVAL]).abs().to_numpy().mean() < 0.2 * width


@pytest.mark.parametrize("name", ["study", "joined"])
def test_a_folder_of_the_earlier_version_can_be_read_and_reported(study, name, tmp_path):
    results = read_results(study / "results" / name)
    assert results.metric == ("r2_corr_c2" if name == "study" else "r2_corr")
    page = write_report([study / "results" / name], tmp_path / "report.html").read_text(encoding="utf-8")
    assert results.name in page


@pytest.mark.parametrize("name", ["study", "joined"])
def test_measures_of_a_folder_of_the_earlier_version_are_those_of_today(study, name):
    old, new = (read_results(study / folder / name).measures() for folder in ("results", "new"))
    assert not (study / "results" / name / "measures.parquet").exists()
    pd.testing.assert_frame_equal(old, new, rtol=1e-12, atol=1e-12)
    assert set(new["subject"]) == {"s1", "s2", "s3"} and "noise_ceiling" in set(new["measure"])


def test_a_folder_of_the_earlier_version_can_be_verified(study):
    verification = recompute(check(study / "results" / "joined"), 1e-10, 1)
    assert verification.is_reproduced
