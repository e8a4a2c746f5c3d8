"""Responses with gaps: targets that cannot be used, and stimuli that lack repetitions."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.io import savemat
from sklearn.linear_model import RidgeCV

from auralign.config.reading import read_config
from auralign.errors import DataError
from auralign.inputs.options import Targets
from auralign.inputs.repetitions import (
    development_repetitions,
    effective_repetitions,
    mean_response,
    predict_repetitions,
)
from auralign.inputs.responses import read_responses
from auralign.inputs.study import load_study
from auralign.inputs.usable_targets import usable_targets
from auralign.runs.compare import run_comparison
from auralign.scoring.ceilings import noise_corrected
from auralign.scoring.scores import r2_corr

ALPHAS = [0.01, 0.1, 1.0, 10.0, 100.0]


@pytest.fixture
def responses(small_config) -> pd.DataFrame:
    """The small study's responses with further targets that cannot be used, written to its table."""
    y = pd.read_csv(small_config.parent / "y.tsv", sep="\t")
    n = np.arange(len(y))
    y = y.assign(gap=np.where(n == 4, np.nan, n), never=np.nan, infinite=np.where(n == 6, np.inf, n), flat=7.0)
    y.to_csv(small_config.parent / "y.tsv", sep="\t", index=False)
    return y


def test_targets_that_cannot_be_used_are_named_with_both_remedies(small_config, responses):
    stimuli = responses["stimulus"][[4, 6]]
    with pytest.raises(DataError) as error:
        load_study(read_config(small_config), small_config.parent)
    message = str(error.value)
    assert f"responses are not finite for {len(responses)} stimuli" in message
    assert (
        "in 3 of 6 targets: gap, never, infinite (1 missing for some stimuli, 1 missing for all stimuli, 1 inf"
        in message
    )
    assert "`missing_targets: drop`" in message and "or leave these stimuli out of the file" in message
    assert "Besides: flat (1 constant over stimuli)" in message
    small_config.write_text(small_config.read_text() + "missing_targets: drop\n")
    study = load_study(read_config(small_config), small_config.parent)
    assert list(study.targets.target.values) == ["first", "second"]
    assert len(study.stimuli) == 30  # no stimulus is lost
    dropped = study.dropped_targets.set_index("target")
    assert dropped.loc["gap"].tolist() == ["missing for some stimuli", 1, stimuli[4]]
    assert dropped.loc["infinite"].tolist() == ["infinite", 1, stimuli[6]]
    assert dropped.loc["flat"].tolist() == ["constant over stimuli", 0, ""]
    assert "Left out (missing_targets: drop): 4 of 6 targets" in study.warnings[0]


def test_scores_of_the_others_are_those_without_the_dropped_targets(small_config, tmp_path):
    config = small_config.read_text()
    complete = run_comparison(read_config(small_config), tmp_path / "a")["scores"]
    y = pd.read_csv(tmp_path / "y.tsv", sep="\t")
    y.assign(gap=np.where(np.arange(30) == 4, np.nan, 1.0 * np.arange(30))).to_csv(
        tmp_path / "y.tsv", sep="\t", index=False
    )
    small_config.write_text(config + "missing_targets: drop\n")
    tables = run_comparison(read_config(small_config), tmp_path / "b")
    pd.testing.assert_frame_equal(tables["scores"], complete)
    assert pd.read_csv(tmp_path / "b" / "dropped_targets.tsv", sep="\t")["target"].tolist() == ["gap"]
    assert any("gap" in text for text in json.loads((tmp_path / "b" / "provenance.json").read_text())["warnings"])


def test_a_stimulus_without_any_response_is_a_missing_stimulus_and_costs_no_target(small_config):
    y = pd.read_csv(small_config.parent / "y.tsv", sep="\t")
    y.loc[y["stimulus"] == "stim8_sound", ["first", "second"]] = np.nan
    y.to_csv(small_config.parent / "y.tsv", sep="\t", index=False)
    with pytest.raises(DataError, match="lack 1 stimuli: stim8_sound"):
        load_study(read_config(small_config), small_config.parent)
    text = small_config.read_text().replace("train_size: 16", "train_size: 15")
    small_config.write_text(text + "missing: drop\nmissing_targets: drop\n")
    study = load_study(read_config(small_config), small_config.parent)
    assert study.targets.sizes["target"] == 2 and len(study.stimuli) == 29


def test_no_target_left_is_an_error(small_config):
    y = pd.read_csv(small_config.parent / "y.tsv", sep="\t")
    y.loc[3, "first"], y.loc[5, "second"] = np.nan, np.nan
    y.to_csv(small_config.parent / "y.tsv", sep="\t", index=False)
    small_config.write_text(small_config.read_text() + "missing_targets: drop\n")
    with pytest.raises(DataError, match=r"no target is left: first, second \(2 missing for some stimuli\)"):
        load_study(read_config(small_config), small_config.parent)


@pytest.mark.parametrize("kind", ["components", "published_components", "voxels"])
def test_every_kind_of_targets_leaves_it_to_the_setting(small_config, kind):
    folder = small_config.parent
    names = sorted((f"stim{n}_sound" for n in range(2, 62, 2)), key=lambda name: int(name[4:-6]))
    values = np.random.default_rng(0).standard_normal((30, 3))
    values[4, 1] = np.nan
    cells = np.empty((30, 1), dtype=object)
    cells.flat = names
    components = np.empty((3, 1), dtype=object)
    components.flat = ["p", "q", "r"]
    for sub in ("data", "sounds", "NH2015comp"):
        (folder / sub).mkdir()
    for path in ("data/components.mat", "NH2015comp/components.mat"):
        savemat(folder / path, {"R": values, "stim_names": cells, "component_names": components})
    np.save(folder / "data" / "voxels.npy", values[:, :, None])
    (folder / "data" / "voxels.tsv").write_text("target\np\nq\nr\n")
    pd.DataFrame({"stimulus": names}).to_csv(folder / "sounds" / "stimuli.tsv", sep="\t", index=False)
    where = "folder" if kind.startswith("published") else "dataset"
    text = small_config.read_text().replace("{kind: table, table: y.tsv}", f"{{kind: {kind}, {where}: .}}")
    small_config.write_text(text)
    with pytest.raises(
        DataError, match=r"not finite for 1 stimuli: stim10_sound; in 1 of 3 targets: q .*missing_targets"
    ):
        load_study(read_config(small_config), folder)
    small_config.write_text(text + "missing_targets: drop\n")
    assert load_study(read_config(small_config), folder).targets.target.values.tolist() == ["p", "r"]


# --- unequal repetitions ------------------------------------------------------------------------------------------


def lacking(y: np.ndarray, share: float, seed: int = 0) -> np.ndarray:
    """Repetitions [stimulus, target, repetition] of which whole rows are missing; every stimulus keeps one."""
    random = np.random.default_rng(seed)
    missing = random.random((len(y), y.shape[2])) < share
    missing[np.arange(len(y)), random.integers(y.shape[2], size=len(y))] = False
    return np.where(missing[:, None], np.nan, y)


def write_repetitions(folder: Path, y: np.ndarray, first: int = 1) -> pd.DataFrame:
    """Write a table without the rows that are missing; repetitions are numbered from `first`."""
    names = [f"t{i}" for i in range(y.shape[1])]
    parts = [
        pd.DataFrame(y[:, :, k], columns=names).assign(
            stimulus=[f"s{i:03d}" for i in range(len(y))], repetition=k + first
        )
        for k in range(y.shape[2])
    ]
    table = pd.concat(parts).dropna()
    table.to_csv(folder / "y.tsv", sep="\t", index=False)
    return table


def test_an_absent_row_and_an_empty_cell_are_the_same_missing_repetition(tmp_path):
    rows = "stimulus\trepetition\ta\nx\t4\t1\ny\t4\t2\nz\t4\t7\ny\t9\t3\nz\t9\t5\n"
    (tmp_path / "y.tsv").write_text(rows)
    with pytest.raises(DataError, match=r"repetition 9 has other stimuli than repetition 4: \['x'\].*: available`"):
        usable_targets(read_responses(Targets(kind="table", table=tmp_path / "y.tsv")), tmp_path / "y.tsv")
    targets = read_responses(Targets(kind="table", table=tmp_path / "y.tsv", missing_repetitions="available"))
    np.testing.assert_array_equal(targets.values[:, 0], [[1, np.nan], [2, 3], [7, 5]])
    (tmp_path / "y.tsv").write_text(rows + "x\t9\t\n")
    same = read_responses(Targets(kind="table", table=tmp_path / "y.tsv", missing_repetitions="available"))
    np.testing.assert_array_equal(same.values, targets.values)


@pytest.mark.parametrize(("cell", "said"), [("", "no repetition"), ("1.5", "the repetition '1.5'"), ("two", "'two'")])
def test_a_repetition_that_is_no_number_is_named_with_its_line(tmp_path, cell, said):
    (tmp_path / "y.tsv").write_text(f"stimulus\trepetition\ta\nx\t1\t1\ny\t1\t2\nx\t2\t3\ny\t{cell}\t5\n")
    with pytest.raises(DataError, match=rf"y\.tsv: line 5 has .*{said}; .* whole numbers from 0"):
        read_responses(Targets(kind="table", table=tmp_path / "y.tsv", missing_repetitions="available"))


def test_mean_and_effective_number_of_what_is_there():
    y = np.random.default_rng(0).standard_normal((40, 3, 3))
    np.testing.assert_array_equal(mean_response(y), y.mean(axis=2))
    assert effective_repetitions(y).tolist() == [3.0, 3.0, 3.0]
    y[:20, 1, 0], y[:, 2, 2] = np.nan, np.nan
    np.testing.assert_allclose(mean_response(y), np.nanmean(y, axis=2), rtol=1e-14)
    assert effective_repetitions(y) == pytest.approx([3.0, 2 / (1 / 2 + 1 / 3), 2.0], rel=1e-14)


def test_a_whole_run_with_gaps_equals_the_definition(tmp_path):
    random = np.random.default_rng(2)
    x = random.standard_normal((60, 6))
    signal = x[:, :2] @ random.standard_normal((2, 2))
    y = lacking(signal[:, :, None] + random.standard_normal((60, 2, 3)), 0.4)
    stimuli = [f"s{i:03d}" for i in range(60)]
    pd.DataFrame(x, columns=list("abcdef")).assign(stimulus=stimuli).to_csv(tmp_path / "x.tsv", sep="\t", index=False)
    write_repetitions(tmp_path, y)
    (tmp_path / "c.yml").write_text(
        "name: c\nfeatures: {net: {table: x.tsv}}\n"
        "targets: {kind: table, table: y.tsv, missing_repetitions: available}\n"
        "splits: {kind: shuffle, n_splits: 3, train_size: 30, test_size: 30, seed: 1}\n"
        f"estimators: {{ridge: {{kind: ridge, alphas: {ALPHAS}, unpredictable: published}}}}\nengine: multitarget\n"
    )
    tables = run_comparison(read_config(tmp_path / "c.yml"), tmp_path / "out")
    splits = load_study(read_config(tmp_path / "c.yml"), tmp_path).splits
    mean = np.nanmean(y, axis=2)
    for number, (train, test) in enumerate(splits):
        for t in range(2):

            def predict(response, rows, test=test):
                centre = x[rows].mean(axis=0)
                return RidgeCV(alphas=ALPHAS).fit(x[rows] - centre, response[rows]).predict(x[test] - centre)

            score = r2_corr(mean[test, t], predict(mean[:, t], train))
            single = [predict(y[:, t, k], train[~np.isnan(y[train, t, k])]) for k in range(3)]
            own = (y[train][:, [t]], np.stack(single, axis=1)[:, None])
            expected = noise_corrected(score[None], *own, effective_repetitions(y[test][:, [t]]))
            row = tables["scores"].query(
                "target == @name and split == @number", local_dict={"name": f"t{t}", "number": number}
            )
            for name, value in expected.items():
                assert row[name].iloc[0] == pytest.approx(value[0], rel=1e-8)
    repetitions = pd.read_csv(tmp_path / "out" / "repetitions.tsv", sep="\t")
    np.testing.assert_array_equal(repetitions["n_repetitions_min"], (~np.isnan(y[:, 0])).sum(axis=1))
    warnings = json.loads((tmp_path / "out" / "provenance.json").read_text())["warnings"]
    assert any("stimuli lack repetitions" in text and "every stimulus counts alike" in text for text in warnings)


def test_complete_responses_are_scored_alike_whatever_the_setting(tmp_path):
    random = np.random.default_rng(3)
    x, y = random.standard_normal((40, 5)), random.standard_normal((40, 2, 2))
    pd.DataFrame(x, columns=list("abcde")).assign(stimulus=[f"s{i:03d}" for i in range(40)]).to_csv(
        tmp_path / "x.tsv", sep="\t", index=False
    )
    write_repetitions(tmp_path, y)
    scores = []
    for setting in ("error", "available"):
        (tmp_path / "c.yml").write_text(
            "name: c\nfeatures: {net: {table: x.tsv}}\n"
            f"targets: {{kind: table, table: y.tsv, missing_repetitions: {setting}}}\n"
            "splits: {kind: shuffle, n_splits: 2, train_size: 20, test_size: 20}\nestimators: {ridge: {kind: ridge}}\n"
        )
        scores.append(run_comparison(read_config(tmp_path / "c.yml"), tmp_path / setting)["scores"])
    pd.testing.assert_frame_equal(*scores, check_exact=True)


def test_confounds_are_taken_out_of_what_is_there():
    random = np.random.default_rng(4)
    confounds = random.standard_normal((30, 1))
    y = lacking(3.0 * confounds[:, :, None] + np.zeros((30, 2, 3)), 0.3)
    development, test = np.arange(20), np.arange(20, 30)
    left = development_repetitions(y, development, test, confounds)
    np.testing.assert_array_equal(np.isnan(left), np.isnan(y[development]))
    assert np.nanmax(np.abs(left)) < 1e-12


def test_a_repetition_of_too_few_stimuli_has_no_prediction():
    y = np.random.default_rng(5).standard_normal((20, 2, 2))
    y[3:, :, 1] = np.nan
    split = [(np.arange(12), np.arange(12, 20))]
    (found,) = predict_repetitions(lambda c, s: [np.zeros((8, c.shape[1]))], y, split, together=True, least=5)
    assert np.isnan(found).tolist() == [[False, False, True, True]] * 8
    groups = np.arange(20) // 5  # three groups in development
    (found,) = predict_repetitions(lambda c, s: [np.zeros((8, c.shape[1]))], y, split, True, 4, groups)
    assert np.isnan(found).all()


def test_corrected_scores_of_unequal_repetitions_are_those_of_complete_ones():
    random = np.random.default_rng(0)
    n, n_targets = 165, 200
    x = random.standard_normal((n, 60)) / np.sqrt(np.arange(1, 61))
    signal = x @ random.standard_normal((60, n_targets))
    signal = 0.8 * signal / signal.std(axis=0) + 0.6 * random.standard_normal((n, n_targets))
    complete = np.sqrt(0.6) * signal[:, :, None] + np.sqrt(0.4) * random.standard_normal((n, n_targets, 3))
    median = []
    for y in (complete, lacking(complete, 0.4)):  # 27 % of all repetitions
        scores = []
        for seed in range(3):
            order = np.random.default_rng(seed).permutation(n)
            development, test = order[:83], order[83:]

            def predict(columns, splits):
                return [x[t] @ np.linalg.solve(x[d].T @ x[d] + 5 * np.eye(60), x[d].T @ columns[d]) for d, t in splits]

            (single,) = predict_repetitions(predict, y, [(development, test)], together=True, least=3)
            single = np.moveaxis(single.reshape(len(test), 3, n_targets), 1, 2)
            score = r2_corr(mean_response(y)[test], predict(mean_response(y), [(development, test)])[0])
            corrected = noise_corrected(score, y[development], single, effective_repetitions(y[test]))
            scores.append(corrected["r2_corr_c2"])
        median.append(np.median(scores))
    # Monte Carlo error of either about .008
    assert median[1] == pytest.approx(median[0], abs=0.04)
