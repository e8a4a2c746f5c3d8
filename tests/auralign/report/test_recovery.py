"""What a report says of synthetic responses, and how it writes numbers."""

from pathlib import Path

import numpy as np
import pandas as pd

from auralign.report.best_found import recovered
from auralign.report.recovery import recovery
from auralign.report.wording import MINUS, interval, p_value, percent, score, share, share_interval, signed
from auralign.runs.results import Results

SPLITS = ((0, -0.001), (1, 0.001))


def _synthetic(values: list[float], synthetic: bool = True) -> Results:
    summary = pd.DataFrame(
        {
            "features": ["a", "b"] * 4,
            "layer": 0,
            "estimator": "ridge",
            "target": np.repeat(["low", "pitch", "music", "lost"], 2),
            "r2_corr_median": values,
            "ceiling": 0.9,
            "expected": np.repeat(["recovered", "partly", "not", "recovered"], 2),
            "driven_by": "x",
            "synthetic": synthetic,
        }
    )
    # two splits; a second layer, better on the test stimuli, that development never chooses
    scores = pd.concat([summary.assign(split=k, r2_corr=summary["r2_corr_median"] + step) for k, step in SPLITS])
    scores = scores.assign(r2_dev=0.5, layer_name="l0")
    deeper = scores.assign(layer=1, layer_name="l1", r2_corr=0.99, r2_dev=0.1)
    return Results(Path("nowhere"), {}, {"summary": summary, "scores": pd.concat([scores, deeper])})


def test_recovery_says_what_was_found_and_what_could_not_be():
    values = [0.5, 0.85, 0.3, 0.4, 0.01, 0.02, 0.1, 0.2]
    table = recovery(_synthetic(values)).set_index("target")
    assert table.loc["low", "verdict"] == "recovered"
    assert table.loc["low", "by"] == "b, ridge"
    assert table.loc["pitch", "verdict"] == "partly recovered (44% of what is possible), as expected"
    assert table.loc["music", "verdict"] == "not recovered, as expected"
    assert table.loc["lost", "verdict"] == "only 22% of what is possible: less than expected"
    assert recovery(_synthetic([0.9] * 8)).set_index("target").loc["music", "verdict"].startswith("a score")
    weak = [0.7, 0.7, 0.02, 0.02, 0.7, 0.7, 0.7, 0.7]
    table = recovery(_synthetic(weak)).set_index("target")
    assert table.loc["pitch", "verdict"] == "not recovered: less than expected"
    assert table.loc["low", "verdict"] == "recovered"  # 78 % of the ceiling
    assert recovery(_synthetic(values, synthetic=False)) is None
    group = recovered(_synthetic(values))
    said = {one.about: one.text for one in group.findings}
    assert said["Recovered"] == "1 response of 4, expected to be recovered: low 0.850 of 0.900."
    assert said["Partly recovered, as expected"].endswith("pitch 0.400 of 0.900.")
    assert said["Not recovered, as expected"].endswith("music 0.020 of 0.900.")


def test_numbers_are_written_for_readers():
    assert score(0.6021) == "0.602"
    assert score(-0.0001) == "0.000"
    assert score(float("nan")) == "undefined"
    assert signed(-0.25) == f"{MINUS}0.250"
    assert signed(0.25) == "+0.250"
    assert signed(-0.0001) == "0.000"
    assert interval(-0.1, 0.2, signed) == f"{MINUS}0.100 to +0.200"
    assert interval(float("nan"), 1.0) == "undefined"
    assert p_value(0.0009) == "< 0.001"
    assert p_value(0.031) == "0.031"
    assert percent(0.95) == "95 %"
    assert percent(0.999) == "99.9 %"
    assert share(0.724) == "72 %"
    assert share(0.0123, 1) == "1.2 %"
    assert share(0.9999) == "over 99 %"
    assert share(1.0) == "100 %"
    assert share_interval(-0.02, 0.804) == f"{MINUS}2 to 80 %"
