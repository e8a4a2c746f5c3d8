"""
Predictions of single sounds
============================

A score is one number for 82 sounds. Which sounds are predicted, and which are not?
"""

# %%
import matplotlib.pyplot as plt

import auralign as au

features, responses = au.phantom()
result = au.encode(
    features[1], responses, au.splits(165, kind="tuckute2023"), predictions=True
)

# %%
# A prediction of every sound from the splits in which it was a test stimulus, and so was unknown to the model.
predicted = result.predictions.isel(layer=0).mean("split")

# %%
# ``speech`` has a bonus for the categories of speech and song, which energies in bands know nothing of: their sounds
# lie above the line.
fig, axes = plt.subplots(1, 2, figsize=(8, 4), layout="constrained")
for axis, target in zip(axes, ("lowfreq", "speech"), strict=True):
    for category in ("EngSpeech", "Song", "Music", "Mechanical"):
        chosen = responses.category.to_numpy() == category
        axis.plot(
            predicted.sel(target=target)[chosen],
            responses.sel(target=target)[chosen],
            "o",
            label=category,
        )
    low, high = (
        float(responses.sel(target=target).min()),
        float(responses.sel(target=target).max()),
    )
    axis.plot([low, high], [low, high], color="grey", linewidth=1)
    axis.set(xlabel="predicted", ylabel="measured", title=target)
axes[1].legend(frameon=False, fontsize=8)
