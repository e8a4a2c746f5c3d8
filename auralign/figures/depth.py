"""Where the best layer lies, by region: relative depths of every model, with paired tests."""

import warnings
from functools import partial

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ..analysis.aggregate import over_subjects
from ..analysis.layer_choice import nested_choice
from ..analysis.score_arrays import Scores
from ..errors import DataError
from ..inference.resampling import FEWEST_SUBJECTS, paired_bootstrap
from ..inference.statistics import benjamini_hochberg
from ..wording import counted, listed
from .heads import looks_of, scores_of
from .marks import between, dodge
from .saving import FigureOf
from .style import SMALL, Look, handle, number, panels, shorten, surround

ALL_MODELS = "(all models)"


def best_layer_by_region(
    scores: Scores | pd.DataFrame,
    targets: pd.DataFrame,
    estimator: str,
    metric: str = "r2_corr",
    region: str = "roi",
    subject: str = "subject",
    reference: str | None = None,
    fdr: float = 0.05,
    looks: dict[str, Look] | None = None,
) -> FigureOf:
    """Draw the relative depth of the best layer per region, one line per feature set, tested against one region.

    Layers are chosen inside the development stimuli, split by split and target by target
    (`layer_choice.nested_choice`); a subject's depth in a region is the median over its targets, mean over splits.

    Parameters
    ----------
    scores : Scores or DataFrame
        One row per features x layer x target x estimator x split, with `r2_dev`; those at chosen layers are enough
        (`Results.chosen`).
    targets : DataFrame
        `target` and the columns named by `region` and `subject`.
    estimator, metric : str
    region, subject : str
        Columns of `targets`.
    reference : str, optional
        The region that the others are tested against; by default the first.
    fdr : float
        False discovery rate of the tests of feature sets.
    looks : dict of str to Look, optional

    Returns
    -------
    FigureOf
        Points are means over subjects, bars the within-subject standard error (Morey). Each other region is tested
        against the reference by the paired bootstrap: over subjects for every feature set, and over feature sets
        (their means over subjects), whose p stands above the region.

    Raises
    ------
    DataError
        No feature set has two layers, no subject has targets in every region, or the reference is no region.
    """
    data = depth_data(scores_of(scores, estimator), targets, metric, region, subject, reference)
    points = data[data["features"] != ALL_MODELS]
    n_subjects, regions = int(points["n_subjects"].min()), list(data["region"].unique())
    reference = data["reference"].iloc[0]
    over_models = data[(data["features"] == ALL_MODELS) & data["p"].notna()]
    words = [f"{row.region}: p = {row.p:.3f} (n = {row.n_tested} models)" for row in over_models.itertuples()]
    found = points[points["p_fdr"] <= fdr]
    deepest = points.loc[points["depth"].idxmax()]
    return FigureOf(
        name=f"depth_by_region_{estimator}",
        title="Relative depth of the best layer by region",
        caption=f"Relative depth of the best layer (0 first, 1 last), {estimator}, chosen inside the development "
        f"stimuli. Points: means over {counted(n_subjects, 'subject')} of the median over a region's targets; bars: "
        "within-subject standard error of the mean (Cousineau, corrected by Morey). Tests against "
        f"{reference}: paired bootstrap, two-sided; over subjects per feature set, {len(found)} of "
        f"{int(points['p'].notna().sum())} at a false discovery rate of {fdr:g} (filled); over feature sets: "
        f"{listed(words, 12) if words else f'not tested, there are fewer than {FEWEST_SUBJECTS}'}.",
        alt=f"Relative depth of the best layer in {counted(len(regions), 'region')}. Deepest: {deepest.features} in "
        f"{deepest.region}, {number(deepest.depth)}. In {reference}: "
        f"{number(points.loc[points['region'] == reference, 'depth'].mean())} on average over feature sets.",
        data=data,
        draw=partial(_draw, fdr=fdr, looks=looks),
    )


def depth_data(
    scores: Scores, targets: pd.DataFrame, metric: str, region: str, subject: str, reference: str | None
) -> pd.DataFrame:
    """Compute depths and tests, one row per feature set x region, and one per region for all feature sets together.

    Returns
    -------
    DataFrame
        `features`, `region`, `depth`, `low`, `high` (-+ within-subject error), `n_subjects`; `reference`,
        `difference` from it, `p`, `p_fdr` (over all tests of feature sets), `n_tested`: subjects, or feature sets.
    """
    chosen = nested_choice(scores, metric, targets, [subject, region]).dropna(subset=["rel_pos"])
    if chosen.empty:
        raise DataError("no feature set has two layers with scores: there is no depth to compare.")
    chosen = chosen.rename(columns={region: "region", subject: "subject"})
    # `over_subjects` keeps those with a value in every region
    means = over_subjects(chosen, "region", ["features", "estimator"], "rel_pos")
    if means["rel_pos"].isna().all():
        raise DataError("no subject has targets in every region: depths cannot be compared between regions.")
    regions = list(means["region"].unique())
    reference = regions[0] if reference is None else reference
    if reference not in regions:
        raise DataError(f"reference: {reference!r} is not one of the regions {regions}.")
    rows = []
    for name, own in means.groupby("features", sort=False):
        wide = chosen[chosen["features"] == name].pivot(index="subject", columns="region", values="rel_pos").dropna()
        for row in own.itertuples():
            head = {"features": name, "region": row.region, "depth": row.rel_pos, "n_subjects": row.n_subjects}
            head |= {"low": row.rel_pos - row.sem_morey, "high": row.rel_pos + row.sem_morey}
            rows.append(head | _tested(wide[row.region], wide[reference]))
    models = means.pivot(index="features", columns="region", values="rel_pos").dropna()
    for name in regions:
        head = {"features": ALL_MODELS, "region": name, "depth": models[name].mean(), "n_subjects": np.nan}
        rows.append(head | {"low": np.nan, "high": np.nan} | _tested(models[name], models[reference]))
    data = pd.DataFrame(rows).assign(reference=reference)
    of_models = data["features"] != ALL_MODELS
    data.loc[of_models, "p_fdr"] = benjamini_hochberg(data.loc[of_models, "p"].to_numpy())
    columns = ["features", "region", "depth", "low", "high", "n_subjects", "reference", "difference", "p", "p_fdr"]
    return data[[*columns, "n_tested"]]


def _tested(a: pd.Series, b: pd.Series) -> dict:
    """Test a against b, paired by index; no p for a region against itself, or for fewer pairs than the test needs."""
    difference = float((a - b).mean()) if len(a) else np.nan
    if a.name == b.name or len(a) < FEWEST_SUBJECTS:
        return {"difference": difference, "p": np.nan, "n_tested": len(a)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # few pairs: n stands beside every p
        p = float(paired_bootstrap(a.to_numpy(), b.to_numpy()).p)
    return {"difference": difference, "p": p, "n_tested": len(a)}


def _draw(data: pd.DataFrame, fdr: float, looks: dict[str, Look] | None) -> Figure:
    points, over_models = data[data["features"] != ALL_MODELS], data[data["features"] == ALL_MODELS]
    looks = looks_of(points["features"], looks)
    regions, features = list(data["region"].unique()), list(points["features"].unique())
    figure, (axis,) = panels(1, height=60.0)
    for place, name in enumerate(features):
        own = points[points["features"] == name].set_index("region").reindex(regions)
        x, look = np.arange(len(regions)) + dodge(place, len(features)), looks[name]
        error = between(own["depth"], own["low"], own["high"])
        axis.errorbar(x, own["depth"], yerr=error, color=look.colour, linestyle=look.line, linewidth=0.7, label=name)
        faces = [look.colour if p <= fdr else "white" for p in own["p_fdr"].fillna(1.0)]
        axis.scatter(
            x,
            own["depth"],
            s=14,
            marker=look.marker,
            facecolors=faces,
            edgecolors=look.colour,
            linewidths=0.8,
            zorder=3,
        )
    for place, row in enumerate(over_models.set_index("region").reindex(regions).itertuples()):
        if np.isfinite(row.p):
            axis.text(place, 1.03, f"p = {row.p:.3f}", ha="center", va="bottom", fontsize=SMALL)
    axis.set_xticks(range(len(regions)), [shorten(str(name), 18) for name in regions], rotation=30, ha="right")
    axis.set(xlim=(-0.5, len(regions) - 0.5), ylim=(-0.04, 1.1))
    entries = {name: handle(looks[name]) for name in features}
    surround(figure, "region", "relative depth of the best layer (0 first, 1 last)", entries)
    return figure
