"""
Ridge against lasso
===================

The same features, responses and splits for two estimators, so that their scores are paired split by split.
"""

# %%
import matplotlib.pyplot as plt

import auralign as au
from auralign.inference.statistics import corrected_interval, corrected_ttest

features, responses = au.phantom()
splits = au.splits(165, kind="tuckute2023")
layer = features[1]  # means and standard deviations of the energies
ridge, lasso = (
    au.encode(layer, responses, splits, estimator, engine="multitarget")
    for estimator in ("ridge", "lasso")
)

# %%
# Splits share stimuli, so that a plain t-test finds far too much: the corrected one adds n_test / n_development.
difference = (
    (ridge.scores["r2_corr"] - lasso.scores["r2_corr"])
    .isel(layer=0)
    .transpose("split", "target")
    .to_numpy()
)
t, df, p = corrected_ttest(difference, n_train=83, n_test=82)
low, high = corrected_interval(difference, n_train=83, n_test=82)
for name, mean, p_value in zip(
    responses.target.values, difference.mean(axis=0), p, strict=True
):
    print(f"{name:10s} ridge - lasso {mean:+.3f}, p = {p_value:.2f}")

# %%
# Means over splits with 95 % intervals: above zero, ridge predicts better.
fig, axis = plt.subplots(figsize=(6, 3.2), layout="constrained")
mean = difference.mean(axis=0)
axis.errorbar(range(6), mean, [mean - low, high - mean], fmt="o", capsize=4)
axis.axhline(0, color="grey", linewidth=1)
axis.set_xticks(range(6), responses.target.values)
axis.set_ylabel("r2_corr, ridge - lasso")
