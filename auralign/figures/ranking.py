"""Models ranked by the score at their best layer, which is chosen without the test stimuli."""

from functools import partial

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ..analysis.score_arrays import Scores
from ..analysis.standing import MANY_TARGETS, mean_of_subjects, mean_over_splits, nested_by_subject, nested_values
from ..errors import DataError
from ..wording import counted, listed
from .heads import looks_of, scores_of
from .marks import between
from .saving import FigureOf
from .style import BAND, MAX_PANELS, METRICS, Look, number, panels, shorten, surround, title


def model_ranking(
    scores: Scores | pd.DataFrame,
    estimator: str,
    metric: str = "r2_corr",
    roles: dict[str, str] | None = None,
    level: float = 0.95,
    looks: dict[str, Look] | None = None,
    targets: pd.DataFrame | None = None,
    subject: str | None = None,
) -> FigureOf:
    """Rank feature sets by the score at their best layer, chosen split by split by `r2_dev`.

    Parameters
    ----------
    scores : Scores or DataFrame
        One row per features x layer x target x estimator x split, with `r2_dev`, `n_train`, `n_test`; those at chosen
        layers are enough (`Results.chosen`).
    estimator, metric : str
    roles : dict of str to str, optional
        `Results.roles`: the best baseline is a band, controls are grey.
    level : float
        Of the intervals over splits.
    looks : dict of str to Look, optional
    targets : DataFrame, optional
        Metadata with `target` and the column `subject`.
    subject : str, optional
        Column of `targets`: scores are then means over subjects, with within-subject errors.

    Returns
    -------
    FigureOf
        Without subjects: means over splits, with the interval of the corrected resampled t-test over splits; one panel
        for the mean over targets, and one per target, up to 12; of more than 24 targets one panel, of the median over
        them in each split. With subjects: means over subjects of the median over their targets.

    Raises
    ------
    DataError
    """
    own = scores_of(scores, estimator)
    data = _over_splits(own, metric, level) if subject is None else _over_subjects(own, metric, targets, subject)
    if data.empty:
        raise DataError(f"there are no scores of estimator {estimator!r} and {metric!r}.")
    data["role"] = [(roles or {}).get(name, "model") for name in data["features"]]
    data["rank"] = data.groupby("target", sort=False)["score"].rank(ascending=False, method="first").astype(int)
    first = data[data["target"] == data["target"].iloc[0]].sort_values("rank")
    baseline = first[first["role"] == "baseline"]
    n, n_targets = int(data["n"].max()), counted(len(own.targets), "target")
    if subject is None:
        interval = f"{level:.0%} interval of the corrected resampled t-test over splits"
        what = f"means over {counted(n, 'split')}; bars: {interval}"
    else:
        what = (
            f"means over {counted(n, 'subject')} of each one's median over targets; bars: within-subject standard error"
        )
    n_sets = counted(len(first), "feature set")
    sentences = [
        f"Scores ({METRICS[metric]}) at the best layer, chosen split by split inside the development stimuli, "
        f"{estimator}; {n_sets}, {n_targets}. Points: {what}. In the order of the first panel.",
        f"Black band: the best baseline, {baseline['features'].iloc[0]}." if len(baseline) else "",
        "Grey: controls." if (data["role"] == "control").any() else "",
    ]
    winners = data[data["rank"] == 1]
    words = [f"{row.target}: {row.features} {number(row.score)}" for row in winners.itertuples()]
    return FigureOf(
        name=f"ranking_{estimator}",
        title=f"Feature sets ranked, {estimator}",
        caption=" ".join(sentence for sentence in sentences if sentence),
        alt=f"Ranking of {n_sets}: {listed(list(first['features']), 12)}. First: {listed(words, MAX_PANELS + 1)}.",
        data=data.reset_index(drop=True),
        draw=partial(_draw, metric=metric, looks=looks, roles=roles),
    )


def _over_splits(scores: Scores, metric: str, level: float) -> pd.DataFrame:
    tables = []
    for one in nested_values(scores, [metric]):
        chosen, n_targets = one.values[metric], len(scores.targets)
        names, columns = [], []
        if n_targets > 1:
            of = "median" if n_targets > MANY_TARGETS else "mean"
            names, columns = [f"{of} of {n_targets:,} targets"], [one.over_targets(metric)]
        if n_targets <= MAX_PANELS:
            names, columns = [*names, *one.targets], [*columns, *chosen.T]
        score, low, high = mean_over_splits(np.column_stack(columns), scores.n_train, scores.n_test, level)
        table = {"target": names, "features": one.features, "score": score, "low": low, "high": high}
        layer = int(one.layers[one.shares().argmax()])
        tables.append(pd.DataFrame(table | {"layer": layer, "n_layers": len(one.layers), "n": len(columns[0])}))
    return _by_target(pd.concat(tables, ignore_index=True).dropna(subset=["score"]))


def _over_subjects(scores: Scores, metric: str, targets: pd.DataFrame | None, subject: str) -> pd.DataFrame:
    chosen = nested_by_subject(scores, metric, targets, subject)
    means = mean_of_subjects(chosen)
    often = chosen.groupby("features", sort=False)[["layer", "n_layers"]].agg(lambda layers: layers.mode().iloc[0])
    table = means.assign(low=means["score"] - means["sem_morey"], high=means["score"] + means["sem_morey"])
    table = table.join(often, on="features").rename(columns={"n_subjects": "n"})
    n_subjects = chosen["subject"].nunique()
    columns = ["features", "score", "low", "high", "layer", "n_layers", "n"]
    return table[columns].assign(target=f"mean of {n_subjects} subjects").dropna(subset=["score"])


def _by_target(table: pd.DataFrame) -> pd.DataFrame:
    """Put the rows of a target together, targets in the order of first appearance."""
    order = {name: place for place, name in enumerate(table["target"].unique())}
    return table.sort_values("target", key=lambda names: names.map(order), kind="stable").reset_index(drop=True)


def _draw(data: pd.DataFrame, metric: str, looks: dict[str, Look] | None, roles: dict[str, str] | None) -> Figure:
    looks = looks_of(data["features"], looks, roles)
    targets = list(data["target"].unique())
    order = list(data[data["target"] == targets[0]].sort_values("rank")["features"])
    figure, axes = panels(len(targets), height=max(16.0, 6.0 + 4.0 * len(order)), extra=10.0)
    for axis, target in zip(axes, targets, strict=True):
        own = data[data["target"] == target].set_index("features").reindex(order)
        baseline = own[own["role"] == "baseline"]["score"]
        if len(baseline):
            best = own.loc[baseline.idxmax()]
            axis.axvspan(best["low"], best["high"], color="black", alpha=BAND * 0.7, linewidth=0)
        for place, (name, row) in enumerate(own.iterrows()):
            error = between(*([row[column]] for column in ("score", "low", "high")))
            axis.errorbar(
                row["score"], place, xerr=error, color=looks[name].colour, marker=looks[name].marker, markersize=3.2,
                linewidth=0.8, linestyle="none", label=name,
            )  # fmt: skip
        axis.set_yticks(range(len(order)), [shorten(name, 16) for name in order])
        title(axis, target, 24 if len(targets) > 1 else 50)
    axes[0].set_ylim(len(order) - 0.4, -0.6)  # the first on top
    surround(figure, METRICS[metric])
    return figure
