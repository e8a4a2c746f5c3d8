"""Published results in our form."""

import runpy
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from auralign.errors import DataError
from auralign.inputs.published.results import read_output, read_outputs
from auralign.inputs.published.tables import COLUMNS

PICKLES = Path(__file__).resolve().parent / "pickles"
OUTPUT = runpy.run_path(str(PICKLES / "make.py"))["output"]


def _voxels(study="NH2015", layer="relu1"):
    return pd.DataFrame(
        {
            "median_r2_test": [0.25, 0.5, 0.75],
            "std_r2_test": [0.1, 0.2, 0.3],
            "median_r2_test_c": [0.5, 1.25, 0.75],
            "median_alpha": [1.0, 10.0, 100.0],
            "subj_idx": [1, 1, 2],
            "hemi": ["rh", "lh", "rh"],
            "x_ras": [1, 2, 3],
            "y_ras": [4, 5, 6],
            "voxel_id": [3, 4, 5],
            "roi_label_general": ["Primary", np.nan, "Lateral"],
            "source_model": "Kell2018word",
            "source_layer": layer,
            "randnetw": "True",
            "target": study,
        }
    )


@pytest.mark.parametrize("version", ["1.1.4", "1.3.5", "2.3.3"])
def test_components_of_any_pandas_become_a_summary(version):
    found = read_output(PICKLES / f"output_pandas{version}.pkl")
    assert found["target"].tolist() == ["lowfreq", "highfreq"]
    row = found.iloc[1]
    assert (row["features"], row["network"], row["dataset"], row["estimator"]) == (
        "AST",
        "trained",
        "NH2015comp",
        "ridge",
    )
    assert (row["layer"], row["layer_name"], row["n_splits"], row["alpha_median"]) == (1, "Encoder_1", 10, 1e49)
    assert row["r2_corr_median"] == 0.625
    # a deviation over ten splits with ddof 0 becomes one with ddof 1
    splits = np.array([0.0, 1.0] * 5)
    assert row["r2_corr_sd"] / 0.06 == pytest.approx(splits.std(ddof=1) / splits.std(ddof=0), rel=1e-12)
    # zeros, since components cannot be corrected
    assert "r2_corr_c_median" not in found


def test_voxels_are_named_and_described(tmp_path):
    _voxels().to_pickle(tmp_path / "df_output.pkl")
    found = read_output(tmp_path / "df_output.pkl")
    assert found["target"].tolist() == ["NH2015_s1_rh_v00003", "NH2015_s1_lh_v00004", "NH2015_s2_rh_v00005"]
    assert found["features"].unique().tolist() == ["CochCNN9-Word"] and found["network"].unique().tolist() == [
        "permuted"
    ]
    assert found["layer"].unique().tolist() == [2]
    assert found["r2_corr_c_median"].tolist() == [0.5, 1.25, 0.75]
    assert found["subject"].tolist() == [1, 1, 2] and found["x"].tolist() == [1, 2, 3]
    _voxels().to_csv(tmp_path / "df_output.csv")
    pd.testing.assert_frame_equal(read_output(tmp_path / "df_output.csv"), found, check_dtype=False)


def test_all_that_a_folder_holds_becomes_one_table(tmp_path):
    run = tmp_path / "AST" / "AUD-MAPPING-Ridge_TARGET-NH2015comp_SOURCE-AST-Encoder_1_RANDNETW-False_ALPHALIMIT-50"
    run.mkdir(parents=True)
    OUTPUT().to_pickle(run / "df_output.pkl")
    chunks = tmp_path / "Kell2018word" / "AUD-MAPPING-Ridge_TARGET-B2021"
    chunks.mkdir(parents=True)
    for number in range(2):
        _voxels("B2021").iloc[number : number + 1].to_pickle(chunks / f"df_output_{number}.pkl")
    outputs = tmp_path / "AST" / "outputs"
    outputs.mkdir()
    curve = pd.DataFrame({"Embedding": [0.25, 0.75, 0.125], "Encoder_1": [0.5, 1.0, 0.25]}, index=[1, 2, "yerr"])
    curve.to_csv(outputs / "across-layers_roi-Primary_AST_NH2015_median_r2_test_c.csv")
    curve.to_csv(outputs / "across-layers_roi-None_AST_randnetw_B2021_median_r2_test_c.csv")
    common = {"source_model": "AST", "randnetw": False, "roi": None}
    best = pd.DataFrame({"median_r2_test": [0.8, 0.7], "target": "NH2015comp"}, index=["lowfreq", "pitch"])
    best.assign(**common).to_csv(outputs / "best-layer-CV-splits-nit-10_per-comp_AST_NH2015comp_median_r2_test.csv")
    best = pd.DataFrame({"median_r2_test_c": [0.5, 0.75], "subj_idx": [1, 2], "target": "NH2015"}, index=[1, 2])
    best.assign(**common).to_csv(outputs / "best-layer_CV-splits-nit-10_roi-None_AST_NH2015_median_r2_test_c.csv")
    best.to_csv(outputs / "best-layer_CV-splits-nit-10_roi-None_AST_NH2015_median_r2_test_c_stats.csv")

    found = read_outputs(tmp_path)
    assert list(found.columns) == COLUMNS
    keys = ["quantity", "features", "network", "dataset", "target", "layer"]
    values = {tuple(row[:-1]): row[-1] for row in found.fillna({"layer": -1})[[*keys, "value"]].itertuples(index=False)}
    voxel = ("CochCNN9-Word", "permuted", "B2021")
    assert values == {
        ("r2_corr_median", "AST", "trained", "NH2015comp", "lowfreq", 1): 0.5,
        ("r2_corr_median", "AST", "trained", "NH2015comp", "highfreq", 1): 0.625,
        ("r2_corr_median", *voxel, "B2021_s1_rh_v00003", 2): 0.25,
        ("r2_corr_median", *voxel, "B2021_s1_lh_v00004", 2): 0.5,
        ("r2_corr_c_median", *voxel, "B2021_s1_rh_v00003", 2): 0.5,
        ("r2_corr_c_median", *voxel, "B2021_s1_lh_v00004", 2): 1.25,
        ("r2_corr_c_subject_mean", "AST", "trained", "NH2015", "Primary", 0): 0.5,
        ("r2_corr_c_subject_mean", "AST", "trained", "NH2015", "Primary", 1): 0.75,
        ("r2_corr_c_subject_sem", "AST", "trained", "NH2015", "Primary", 0): 0.125,
        ("r2_corr_c_subject_sem", "AST", "trained", "NH2015", "Primary", 1): 0.25,
        ("r2_corr_c_subject_mean", "AST", "permuted", "B2021", "all", 0): 0.5,
        ("r2_corr_c_subject_mean", "AST", "permuted", "B2021", "all", 1): 0.75,
        ("r2_corr_c_subject_sem", "AST", "permuted", "B2021", "all", 0): 0.125,
        ("r2_corr_c_subject_sem", "AST", "permuted", "B2021", "all", 1): 0.25,
        ("r2_corr_best_layer", "AST", "trained", "NH2015comp", "lowfreq", -1): 0.8,
        ("r2_corr_best_layer", "AST", "trained", "NH2015comp", "pitch", -1): 0.7,
        ("r2_corr_c_best_layer", "AST", "trained", "NH2015", "all", -1): 0.625,
    }
    assert found["precision"].isna().all()


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"source_layer": "relu9"}, r"Kell2018word has no layer 'relu9'; it has relu0, maxpool0"),
        ({"source_model": "X"}, "no published network 'X'"),
        ({"median_alpha": None}, "the column 'median_alpha' is missing"),
        ({"voxel_id": None}, "the column 'voxel_id' is missing"),
    ],
)
def test_other_tables_are_refused(tmp_path, change, expected):
    frame = _voxels()
    for column, value in change.items():
        frame = frame.drop(columns=column) if value is None else frame.assign(**{column: value})
    frame.to_pickle(tmp_path / "df_output.pkl")
    with pytest.raises(DataError, match=expected):
        read_output(tmp_path / "df_output.pkl")


def test_an_empty_folder_and_damaged_files_are_named(tmp_path):
    with pytest.raises(DataError, match="there is no published result; looked for df_output"):
        read_outputs(tmp_path)
    (tmp_path / "df_output.csv").write_bytes(b"\xff\xfe,\n1")
    with pytest.raises(DataError, match=r"df_output\.csv"):
        read_outputs(tmp_path)
    (tmp_path / "df_output.csv").unlink()
    pd.DataFrame({"Embedding": [1.0]}).to_csv(tmp_path / "across-layers_roi-None_AST_NH2015_median_r2_test_c.csv")
    with pytest.raises(DataError, match="there is no row `yerr`"):
        read_outputs(tmp_path)
