"""The report and its figures: that they say what the tables hold."""

import re

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from auralign.compare import run_comparison
from auralign.config import read_config
from auralign.errors import DataError
from auralign.figures import estimator_scatter, layer_curves
from auralign.report import recovery, write_report


@pytest.fixture
def folder(small_config, tmp_path):
    run_comparison(read_config(small_config), tmp_path / "out")
    return tmp_path / "out"


@pytest.fixture
def summary(folder):
    return pd.read_csv(folder / "summary.tsv", sep="\t")


def test_the_page_is_self_contained_and_holds_the_headline(folder, summary):
    page = write_report([folder]).read_text()
    assert page.count("<figure>") == 3
    assert page.count('src="data:image/png;base64,') == 3
    assert not re.search(r'(src|href)="(?!data:)', page)
    best = summary.query("features == 'plain' and estimator == 'ridge' and target == 'second'")["r2_corr_median"].iloc[
        0
    ]
    assert f"<td>{best:.3f}</td>" in page
    assert "synthetic" not in page
    assert "Corrected for noise" not in page
    for name in ("layers_ridge", "layers_lasso", "ridge_against_lasso"):
        assert (folder / "figures" / f"{name}.svg").stat().st_size > 1000
        assert (folder / "figures" / f"{name}.png").stat().st_size > 1000


def test_layer_curves_draw_the_medians(summary):
    figure = layer_curves(summary, "ridge")
    panels = [axis for axis in figure.axes if axis.get_visible()]
    assert [axis.get_title() for axis in panels] == ["first", "second"]
    net = summary.query("features == 'net' and estimator == 'ridge' and target == 'first'")
    lines = {line.get_label(): line for line in panels[0].get_lines()}
    np.testing.assert_array_equal(lines["net"].get_xdata(), net["layer"])
    np.testing.assert_allclose(lines["net"].get_ydata(), net["r2_corr_median"])
    plt.close(figure)


def test_the_scatter_has_a_point_per_feature_set_layer_and_target(summary):
    figure = estimator_scatter(summary, "ridge", "lasso")
    points = figure.axes[0].collections[0].get_offsets()
    wide = summary.pivot(index=["features", "layer", "target"], columns="estimator", values="r2_median")
    expected = wide[["ridge", "lasso"]].clip(lower=-0.5).to_numpy()
    np.testing.assert_allclose(np.sort(np.asarray(points), axis=0), np.sort(expected, axis=0))
    plt.close(figure)


def test_recovery_says_what_was_found_and_what_could_not_be():
    summary = pd.DataFrame(
        {
            "features": ["a", "b"] * 4,
            "layer": 0,
            "estimator": "ridge",
            "target": np.repeat(["low", "pitch", "music", "lost"], 2),
            "r2_corr_median": [0.5, 0.85, 0.3, 0.4, 0.01, 0.02, 0.1, 0.2],
            "ceiling": np.repeat([0.9, 0.9, 0.9, 0.9], 2),
            "expected": np.repeat(["recovered", "partly", "not", "recovered"], 2),
            "driven_by": "x",
            "synthetic": True,
        }
    )
    table = recovery(summary).set_index("target")
    assert table.loc["low", "verdict"] == "recovered"
    assert table.loc["low", "by"] == "b, layer 0, ridge"
    assert table.loc["pitch", "verdict"] == "partly recovered (44% of what is possible), as expected"
    assert table.loc["music", "verdict"] == "not recovered, as expected"
    assert table.loc["lost", "verdict"] == "only 22% of what is possible: less than expected"
    assert (
        recovery(summary.assign(r2_corr_median=0.9)).set_index("target").loc["music", "verdict"].startswith("a score")
    )
    weak = summary.assign(r2_corr_median=np.where(summary["target"] == "pitch", 0.02, 0.7))
    assert recovery(weak).set_index("target").loc["pitch", "verdict"] == "not recovered: less than expected"
    assert recovery(weak).set_index("target").loc["low", "verdict"] == "recovered"  # 78 % of the ceiling
    assert recovery(summary.drop(columns="ceiling")) is None
    assert recovery(summary.drop(columns="synthetic")) is None


def test_names_that_look_like_missing_values_or_numbers_survive(small_config, tmp_path):
    text = small_config.read_text().replace("net:", "NA:").replace("features: net", "features: NA")
    small_config.write_text(text)
    y = pd.read_csv(tmp_path / "y.tsv", sep="\t").rename(columns={"first": "NA", "second": "001"})
    y.to_csv(tmp_path / "y.tsv", sep="\t", index=False)
    run_comparison(read_config(small_config), tmp_path / "out")
    page = write_report([tmp_path / "out"]).read_text()
    assert '<th scope="row">NA</th>' in page
    assert '<th scope="row">001</th>' in page


def test_noise_corrected_scores_are_on_the_page(small_config, tmp_path):
    y = pd.read_csv(tmp_path / "y.tsv", sep="\t")
    noise = np.random.default_rng(0).standard_normal((3, 30))
    pd.concat([y.assign(repetition=k, first=y["first"] + noise[k]) for k in range(3)]).to_csv(
        tmp_path / "y.tsv", sep="\t", index=False
    )
    summary = run_comparison(read_config(small_config), tmp_path / "out")["summary"]
    page = write_report([tmp_path / "out"]).read_text()
    best = summary.query("features == 'plain' and estimator == 'ridge' and target == 'first'").iloc[0]
    assert f'<td class="n">{best["r2_corr_c2_median"]:.3f}</td>' in page
    assert "Corrected for noise" in page


def test_an_unfinished_result_is_refused_by_file(tmp_path):
    with pytest.raises(DataError, match=r"summary\.tsv: the file is missing, so .* is not a finished result"):
        write_report([tmp_path])
