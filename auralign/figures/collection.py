"""All figures that the tables of a results folder allow."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pandas as pd

from ..analysis.layer_choice import nested_choice
from ..analysis.score_arrays import Scores
from ..analysis.series import early_steps, training_series
from ..analysis.standing import FEWEST_SUBJECTS, nested_values
from ..extras import require
from ..runs.results import Results
from .alphas import alphas
from .depth import best_layer_by_region
from .diagnostics import fit_problems, reliability
from .dynamics import training_heat, training_lines, training_surface
from .estimators import estimator_differences, estimator_layers
from .layer_axis import LayerAxis
from .layers import layer_scores
from .maps import best_layer_map, layer_ticks, score_map
from .ranking import model_ranking
from .saving import FigureOf
from .scatter import component_scatter, estimators_against
from .sparse import selected_counts, selection_agreement, selection_stability
from .stimuli import predicted_against_measured
from .style import MAX_PANELS, Look, feature_looks
from .subjects import median_layers, region_layers
from .variance import optimism_gap, unique_variance

# mm; length of the colour bar below surfaces
BAR = 53.0
# feature sets that get maps of their own, the best ones
MOST_MAPS = 4


@dataclass(frozen=True)
class Wanted:
    """How figures are to be made; see `all_figures`."""

    roles: dict[str, str]
    looks: dict[str, Look]
    predictions: bool
    vertices: pd.DataFrame | None


def all_figures(
    results: Results,
    roles: dict[str, str] | None = None,
    predictions: bool = False,
    vertices: pd.DataFrame | None = None,
) -> list[FigureOf]:
    """Make every figure that the tables of a results folder allow; each is drawn when its `figure` is asked for.

    Parameters
    ----------
    results : Results
    roles : dict of str to str, optional
        By feature set `model`, `control`, `baseline` or `joined`; by default `Results.roles`, which knows markers but
        takes every table for a model.
    predictions : bool
        Also predicted against measured responses of the best feature set, which are fitted again from the comparison's
        inputs; an error where these are gone.
    vertices : DataFrame, optional
        Places of the flattened grid on fsaverage (`surface.voxels_to_surface`): maps are also drawn on the cortex.

    Returns
    -------
    list of FigureOf
        In the order of a report: scores, estimators, regions, maps, training, selections, reliability, and for its
        appendix alphas and diagnostics. Of a training series, all but the last step are in its own figures only.

    Raises
    ------
    DataError
    """
    roles = roles or results.roles
    wanted = Wanted(roles, feature_looks(results.features, roles), predictions, vertices)
    made = [figure for name in results.questions if name in FIGURES for figure in FIGURES[name](results, wanted)]
    if results.synthetic:
        made = [figure.noting("The responses are synthetic.") for figure in made]
    return made


def _of_encoding(results: Results, wanted: Wanted) -> Iterator[FigureOf]:
    roles, looks, vertices = wanted.roles, wanted.looks, wanted.vertices
    early = early_steps(results.features)
    summary, chosen = _without_early_steps(results.summary, results), results.chosen.of(without=early)
    depths = _without_early_steps(results.layer_names, results).groupby("features")["layer"].nunique()
    n_targets = results.n_targets
    metric = results.metric
    people = _subject_column(results)
    for estimator in results.estimators:
        if n_targets <= MAX_PANELS:
            yield layer_scores(summary, estimator, metric, looks=looks)
        else:
            layers = _without_early_steps(results.need("layers"), results)
            yield median_layers(layers, estimator, metric, looks=looks, summary=summary)
        if results.get("regions") is not None:
            regions = _without_early_steps(results.need("regions"), results)
            yield region_layers(regions, estimator, metric, looks=looks, summary=summary)
        if len(depths) > 1:
            yield model_ranking(chosen, estimator, metric, roles, results.level, looks, results.targets, people)
        if depths.max() > 1 and results.get("layer_choice") is not None:
            yield optimism_gap(_without_early_steps(results.need("layer_choice"), results), estimator, metric)
        if 1 < n_targets <= MAX_PANELS:
            yield component_scatter(summary, estimator, metric=metric, looks=looks)
        if people is not None and depths.max() > 1 and _n_regions(results) > 1 and _in_all_regions(results, people):
            fdr = 1.0 - results.level
            yield best_layer_by_region(chosen, results.targets, estimator, metric, fdr=fdr, looks=looks)
    yield from _pairs_of_estimators(results, summary, looks)
    yield from _unique(results, looks)
    yield from _maps(results, chosen, metric, vertices)
    yield from _training(results)
    yield from _selections(results, looks)
    if wanted.predictions:
        yield _predictions(results, chosen)
    if "noise_ceiling" in summary or "reliability_median" in summary:
        yield reliability(summary)
    fits = _without_early_steps(results.fits, results)
    if fits["n_alphas"].any():
        yield alphas(fits, looks)
    yield fit_problems(results.fits, results.provenance, results.get("selected"), results.get("layers"))


def _without_early_steps(table: pd.DataFrame, results: Results) -> pd.DataFrame:
    early = early_steps(results.features)
    return table[~table["features"].isin(early)] if early else table


def _subject_column(results: Results) -> str | None:
    targets = results.targets
    return "subject" if "subject" in targets and targets["subject"].nunique() >= FEWEST_SUBJECTS else None


def _in_all_regions(results: Results, subject: str) -> bool:
    """Whether some subject has targets in every region, so that regions can be compared within subjects."""
    return bool((results.targets.groupby(subject)["roi"].nunique() == _n_regions(results)).any())


def _n_regions(results: Results) -> int:
    targets = results.targets
    return targets["roi"].nunique() if "roi" in targets else 0


def _pairs_of_estimators(results: Results, summary: pd.DataFrame, looks: dict[str, Look]) -> Iterator[FigureOf]:
    first, *others = results.estimators
    if others:
        yield estimator_layers(summary, results.metric, looks)
    for other in others:
        yield estimators_against(summary, first, other, looks, results.metric)
        differences = _without_early_steps(results.differences(first, other), results)
        yield estimator_differences(differences, first, other, results.metric, results.level, looks)


def _unique(results: Results, looks: dict[str, Look]) -> Iterator[FigureOf]:
    table = results.get("unique_variance")
    if table is not None:
        table = table.merge(results.layer_names, on=["features", "layer"], how="left")
        pairs = table[["estimator", "without"]].drop_duplicates().itertuples(index=False, name=None)
        for estimator, without in pairs:
            yield unique_variance(table, estimator, without, results.level, looks)


def _maps(results: Results, scores: Scores, metric: str, vertices: pd.DataFrame | None) -> Iterator[FigureOf]:
    targets = results.targets
    if not {"x", "y"} <= set(targets.columns):
        return
    chosen = nested_choice(scores, metric)
    models = chosen.groupby(["features", "estimator"], sort=False)["score"].median().sort_values(ascending=False)
    for place, (features, estimator) in enumerate(models.index[:MOST_MAPS]):
        own = chosen[(chosen["features"] == features) & (chosen["estimator"] == estimator)]
        layers = LayerAxis.of(results.layer_names[results.layer_names["features"] == features])
        name = f"{features}_{estimator}"
        for subjects in (False, True) if place == 0 and "subject" in targets else (False,):
            yield score_map(own, targets, subjects, name=name)
            if own["n_layers"].max() > 1:
                yield best_layer_map(own, targets, subjects, name=name, layers=layers)
        if vertices is not None:
            require("brain", "a map on the cortical surface")
            from .surface import surface_maps, voxels_to_surface  # nilearn takes seconds to import

            scored = voxels_to_surface(own.rename(columns={"score": "value"}), targets, vertices)
            yield surface_maps({name: scored}, "score at the best layer", (0.0, 1.0), name=f"surface_score_{name}")
            last = own["n_layers"].max() - 1.0
            if last > 0:
                deep = own.assign(value=(own["pos"] - 1.0).where(own["score"] > 0))
                placed = voxels_to_surface(deep, targets, vertices)
                ticks, what = layer_ticks(layers, int(own["n_layers"].max()), BAR)
                key = f"surface_layer_{name}"
                yield surface_maps({name: placed}, what, (0.0, last), "viridis", name=key, ticks=ticks)


def _training(results: Results) -> Iterator[FigureOf]:
    for series, steps in training_series(results.features).items():
        own = results.summary[results.summary["features"].isin(steps)]
        for estimator in results.estimators:
            yield training_lines(own, series, estimator, results.metric)
            yield training_heat(own, series, estimator, results.metric)
            if own["layer"].nunique() > 1:
                yield training_surface(own, series, estimator, results.metric)


def _selections(results: Results, looks: dict[str, Look]) -> Iterator[FigureOf]:
    selection = results.get("selection")
    if selection is None:
        return
    for estimator in selection["estimator"].unique():
        yield selected_counts(selection, estimator, looks)
        yield selection_stability(selection, estimator, looks)
        for across in ("target", "roi"):
            if (selection["across"] == across).any():
                yield selection_agreement(selection, estimator, across)


def _predictions(results: Results, scores: Scores) -> FigureOf:
    """Of the feature set and estimator with the best score over all targets, as in the ranking."""
    from ..runs.predictions import stimulus_predictions  # brings along all that fits models

    nested = nested_values(scores, [results.metric])
    means = {(one.features, one.estimator): pd.Series(one.over_targets(results.metric)).mean() for one in nested}
    features, estimator = max(means, key=lambda model: means[model])
    return predicted_against_measured(stimulus_predictions(results, features, estimator), f"{features}_{estimator}")


# by question, what is drawn of its results; a question that is not here has no figures
FIGURES: dict[str, Callable[[Results, Wanted], Iterator[FigureOf]]] = {"encoding": _of_encoding}
