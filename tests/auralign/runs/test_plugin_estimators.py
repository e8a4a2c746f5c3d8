"""A comparison of every kind of estimator, one of a file among them: run, reported, computed again."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest

from auralign.config.reading import read_config
from auralign.errors import ConfigError
from auralign.estimators.record import recorded
from auralign.figures.alphas import alphas
from auralign.figures.diagnostics import fit_problems
from auralign.report import page as page_of_report
from auralign.report import write_report
from auralign.runs.compare import run_comparison
from auralign.runs.rerun.changes import check
from auralign.runs.rerun.study_plan import plan_study
from auralign.runs.rerun.verify import recompute
from auralign.runs.results import read_results

NEAREST = '''
"""The mean response of the nearest stimuli, a dense estimator without a penalty or weights."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from sklearn.metrics.pairwise import euclidean_distances

from auralign.estimators.options import EstimatorOptions
from auralign.estimators.plugin import Can, Plugin


class Nearest(EstimatorOptions):
    kind: Literal["nearest"]
    k: int = 3


@dataclass
class Fit:
    x: np.ndarray
    y: np.ndarray
    k: int
    alpha = np.nan

    @property
    def r2_dev(self):
        return np.full(self.y.shape[1], 0.5)

    def predict(self, x):
        nearest = np.argsort(euclidean_distances(x, self.x), axis=1)[:, : self.k]
        return self.y[nearest].mean(axis=1)


def fit(x, y, options, cv, widths=None):
    return Fit(x, y, options.k)


PLUGIN = Plugin("nearest", Nearest, fit, Can(weights=False), words=lambda options: f"the {options.k} nearest stimuli")
'''
ESTIMATORS = """
  ridge: {kind: ridge, alphas: [0.1, 10, 1000]}
  net: {kind: elastic_net, l1_ratio: [0.5, 1.0], n_alphas: 6, eps: 0.05, cv: 3}
  pls: {kind: pls, n_components: [1, 2], cv: 3}
  shared: {kind: pls, n_components: [1, 2], cv: 3, per_target: false}
  kernel: {kind: kernel_ridge, alphas: [0.01, 1], gammas: [0.1, 1.0]}
  svm: {kind: sklearn, estimator: sklearn.svm.SVR, grid: {C: [0.1, 1.0]}, cv: 3}
  tuned: {kind: julearn, model: linreg, preprocess: pca, model_params: {pca__n_components: [1, 2]}, cv: 3}
  mine: {kind: nearest, file: mine.py, k: 4}
"""
LABELS = ["ridge", "net", "pls", "shared", "kernel", "svm", "tuned", "mine"]


@pytest.fixture(scope="module")
def study(inputs, tmp_path_factory):
    folder = tmp_path_factory.mktemp("plugins")
    for name in ("net.tsv", "components.tsv"):
        shutil.copy(inputs / name, folder / name)
    (folder / "mine.py").write_text(NEAREST, encoding="utf-8")
    (folder / "study.yml").write_text(
        "name: study\nfeatures: {net: {table: net.tsv, layers: [1]}}\ntargets: {kind: table, table: components.tsv}\n"
        "splits: {kind: shuffle, n_splits: 2, train_size: 18, test_size: 12, seed: 1}\n"
        f"estimators:{ESTIMATORS}",
        encoding="utf-8",
    )
    run_comparison(read_config(folder / "study.yml"), folder / "results", n_jobs=2)
    return folder


def _only(study, name: str, *labels: str):
    """Write the comparison with some of its estimators."""
    text = (study / "study.yml").read_text(encoding="utf-8")
    rows = [row for row in text.splitlines() if not row.startswith("  ") or row.split(":")[0].strip() in labels]
    (study / f"{name}.yml").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return study / f"{name}.yml"


def test_every_estimator_has_scores_and_what_it_chose(study):
    results = read_results(study / "results")
    scores = results.scores
    assert list(scores["estimator"].unique()) == LABELS
    own = {label: rows for label, rows in scores.groupby("estimator")}
    assert all(np.isfinite(rows[["r2", "r2_dev"]].to_numpy()).all() for rows in own.values())
    assert {label for label, rows in own.items() if rows["alpha"].notna().all()} == {"ridge", "net", "kernel"}
    assert {label for label, rows in own.items() if rows["params"].notna().all()} == set(LABELS) - {"ridge", "mine"}
    assert set(json.loads(own["svm"]["params"].iloc[0])) == {"C"}
    assert set(json.loads(own["tuned"]["params"].iloc[0])) == {"pca__n_components"}
    # a new estimator without a selection is dense
    assert set(results.get("selected")["estimator"]) == {"net"} == set(results.get("selection")["estimator"])
    shared = own["shared"].groupby(["layer", "split"])["params"].nunique()
    assert (shared == 1).all()


def test_what_it_can_do_is_recorded_with_the_results(study):
    provenance = read_results(study / "results").provenance
    records = recorded(provenance)
    assert {label for label, record in records.items() if record.can.joint} == {"shared"}
    assert {label for label, record in records.items() if record.can.sparse} == {"net"}
    assert {label for label, record in records.items() if record.can.banded} == {"ridge"}
    assert records["mine"].words == "the 4 nearest stimuli"
    assert str(study / "mine.py") in provenance["inputs"]
    assert provenance["engines"]["shared"] == "multitarget" and provenance["engines"]["mine"] == "julearn"


def test_the_report_needs_no_plugin(study, tmp_path, monkeypatch):
    # two of the figures: those that look at alphas
    monkeypatch.setattr(
        page_of_report,
        "all_figures",
        lambda of: [alphas(of.scores), fit_problems(of.scores, of.provenance, of.get("selected"), of.get("layers"))],
    )
    shutil.copytree(study / "results", tmp_path / "results")
    page = write_report([tmp_path / "results"], tmp_path / "report.html").read_text(encoding="utf-8")
    assert "the 4 nearest stimuli" in page and "from 2 values between 0.01 and 1" in page
    assert "alpha l1_ratio ||w||" in page
    drawn = pd.read_csv(tmp_path / "results" / "figures" / "alphas.tsv", sep="\t")
    assert set(drawn["estimator"]) == {"ridge", "net", "kernel"}


def test_it_can_be_computed_again_and_a_changed_file_is_seen(study, tmp_path):
    config = _only(study, "few", "kernel", "mine")
    run_comparison(read_config(config), study / "few", config_file=config)
    shutil.copytree(study, tmp_path / "moved")
    checked = check(tmp_path / "moved" / "few")
    assert checked.config.estimators["mine"].file == tmp_path / "moved" / "mine.py" and not checked.inputs
    assert recompute(checked).is_reproduced
    (tmp_path / "moved" / "mine.py").write_text(NEAREST.replace(": self.k]", ": 1]"), encoding="utf-8")
    changed = check(tmp_path / "moved" / "few")
    assert ["mine.py" in line for line in changed.inputs] == [True]
    assert not recompute(changed).is_reproduced


def test_engines_agree(study, tmp_path):
    # a support vector machine feels the centring of julearn's pipeline within its tolerance
    config = _only(study, "engines", *set(LABELS) - {"shared", "svm"})
    text, tables = config.read_text(encoding="utf-8"), []
    for engine in ("julearn", "multitarget"):
        config.write_text(f"{text}engine: {engine}\n", encoding="utf-8")
        tables.append(run_comparison(read_config(config), tmp_path / engine)["scores"])
    columns = ["r2", "r2_corr", "r2_dev", "alpha"]
    pd.testing.assert_frame_equal(*(table[columns] for table in tables), atol=1e-8, rtol=1e-8)
    pd.testing.assert_series_equal(*(table["params"].fillna("") for table in tables))


def test_a_change_of_the_file_is_another_block(study, capsys):
    config = _only(study, "changed", "ridge", "mine")
    run_comparison(read_config(config), study / "changed")
    (study / "mine.py").write_text(NEAREST.replace("[:, : self.k]", "[:, : self.k + 1]"), encoding="utf-8")
    capsys.readouterr()
    run_comparison(read_config(config), study / "changed")
    (study / "mine.py").write_text(NEAREST, encoding="utf-8")
    assert "1 of 2 blocks are there from an earlier run" in capsys.readouterr().out


def test_a_study_takes_the_file_along(study):
    assert "inputs/files/mine.py" in plan_study(study / "study.yml").responses


def test_a_mistake_in_an_option_of_a_file_is_named(study):
    (study / "wrong.yml").write_text((study / "study.yml").read_text().replace("k: 4", "n: 4"), encoding="utf-8")
    with pytest.raises(ConfigError, match=r"estimators\.mine\.n: unknown key; allowed here: .*k.* \(line"):
        read_config(study / "wrong.yml")
