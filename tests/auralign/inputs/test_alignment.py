"""Features meet the responses to the same stimuli, by value, whatever stands where in the tables."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import Ridge
from sklearn.metrics import r2_score

from auralign.config.reading import read_config
from auralign.runs.compare import run_comparison
from auralign.runs.provenance import read_provenance


@pytest.mark.parametrize("engine", ["julearn", "multitarget"])
def test_dropped_stimuli_leave_every_row_with_its_own_response(engine, tmp_path):
    """Each table lacks other stimuli and has an order of its own; r2 is that of rows joined by their ids."""
    random = np.random.default_rng(4)
    stimuli = np.array([f"stim{n}_sound" for n in range(1, 61)])
    x = random.standard_normal((60, 5))
    weights = random.standard_normal((5, 2))
    y = pd.DataFrame(x @ weights + 0.05 * random.standard_normal((60, 2)), index=stimuli, columns=["low", "high"])
    layers = [pd.DataFrame(x, index=stimuli), pd.DataFrame(x @ random.standard_normal((5, 5)), index=stimuli)]
    left_out = [{1, 7, 33}, {2, 7, 41}, {11, 33, 58}, {0, 20}]

    def some(table: pd.DataFrame, number: int) -> pd.DataFrame:
        rows = random.permutation([row for row in range(60) if row not in left_out[number]])
        return table.iloc[rows].rename_axis("stimulus").reset_index()

    net = pd.concat([some(layer.add_prefix("u"), k).assign(layer=k) for k, layer in enumerate(layers)])
    net.to_csv(tmp_path / "net.tsv", sep="\t", index=False)
    some(layers[0].add_prefix("u"), 2).to_csv(tmp_path / "plain.tsv", sep="\t", index=False)
    twice = [some(y + 0.01 * random.standard_normal(y.shape), 3).assign(repetition=k) for k in range(2)]
    pd.concat(twice).to_csv(tmp_path / "y.tsv", sep="\t", index=False)
    (tmp_path / "drop.yml").write_text(
        f"""
name: drop
features: {{net: {{table: net.tsv}}, plain: {{table: plain.tsv}}}}
targets: {{kind: table, table: y.tsv}}
splits: {{kind: shuffle, n_splits: 3, train_size: 26, test_size: 24, seed: 1}}
estimators: {{ridge: {{kind: ridge, alphas: [1.0e-3]}}}}
missing: drop
engine: {engine}
""",
        encoding="utf-8",
    )
    scores = run_comparison(read_config(tmp_path / "drop.yml"), tmp_path / "out")["scores"]
    provenance = read_provenance(tmp_path / "out")
    everywhere = [stimulus for row, stimulus in enumerate(stimuli) if not any(row in rows for rows in left_out)]
    assert provenance["stimuli"] == everywhere
    mean = sum(part.set_index("stimulus").drop(columns="repetition") for part in twice) / 2
    for row in scores.itertuples():
        own = layers[row.layer].loc[everywhere].to_numpy()
        response = mean.loc[everywhere, row.target].to_numpy()
        split = provenance["splits"][row.split]
        model = Ridge(alpha=1e-3).fit(own[split["development"]], response[split["development"]])
        expected = r2_score(response[split["test"]], model.predict(own[split["test"]]))
        assert row.r2 == pytest.approx(expected, abs=1e-9) and expected > 0.99
