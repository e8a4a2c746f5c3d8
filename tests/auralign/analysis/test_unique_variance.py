"""Unique variance: the difference to the part alone, and a p that agrees with its interval."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import t as student_t

from auralign.analysis.unique_variance import unique_variance

N_SPLITS = 10
JOINS = {"both": ["a", "b"]}


@pytest.fixture
def scores() -> pd.DataFrame:
    """Sixty targets; what a part adds goes from clearly less than nothing to clearly something."""
    random = np.random.default_rng(0)
    index = pd.MultiIndex.from_product(
        [["a", "b", "both"], [f"t{i}" for i in range(60)], range(N_SPLITS)], names=["features", "target", "split"]
    )
    table = index.to_frame(index=False).assign(layer=0, estimator="ridge", n_train=83, n_test=82)
    gain = np.where(table["features"] == "both", (table["target"].str[1:].astype(int) - 30) / 150, 0.0)
    return table.assign(r2=0.5 + gain + 0.03 * random.standard_normal(len(table)))


@pytest.mark.parametrize("fdr", [0.05, 0.2])
def test_p_is_below_the_level_exactly_where_the_interval_excludes_0(scores, fdr):
    table = unique_variance(scores, JOINS, fdr)
    excludes = (table["low"] > 0) | (table["high"] < 0)
    np.testing.assert_array_equal(excludes, table["p"] < fdr)
    # between the one-sided and the two-sided level the old p contradicted its interval
    assert ((table["p"] > fdr) & (table["p"] < 2 * fdr) & (table["unique"] > 0)).any()
    assert excludes[table["significant"]].all()
    assert table["significant"].equals(table["p_fdr"] <= fdr)
    # two-sided: what makes the prediction worse is found as well, and its sign says so
    assert (table.loc[table["significant"], "unique"] < 0).any()
    assert (table.loc[table["significant"], "unique"] > 0).any()


def test_every_split_counts_with_its_own_size(scores):
    n_test = np.array([82, 20] * (N_SPLITS // 2))
    scores["n_test"], scores["n_train"] = n_test[scores["split"]], 165 - n_test[scores["split"]]
    table = unique_variance(scores.sample(frac=1.0, random_state=0), JOINS)
    wide = scores.pivot(index="split", columns=["features", "target"], values="r2")
    for row in table.itertuples():
        difference = (wide["both", row.target] - wide[row.without, row.target]).to_numpy()
        spread = np.sqrt((1 / N_SPLITS + np.mean(n_test / (165 - n_test))) * np.var(difference, ddof=1))
        t = difference.mean() / spread
        assert (row.t, row.p) == pytest.approx((t, 2 * student_t.sf(abs(t), N_SPLITS - 1)))
        assert (row.low, row.high) == pytest.approx(
            tuple(difference.mean() + sign * student_t.ppf(0.975, N_SPLITS - 1) * spread for sign in (-1, 1))
        )
