"""Predictions of single stimuli, which results do not hold: the chosen layers fitted once more."""

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from ..config import Comparison
from ..engines import run_multitarget
from ..errors import DataError
from ..preparation import joined_bands, preparation_of
from ..repetitions import mean_response
from ..results import Results
from ..study import Study, load_study
from .style import MAX_PANELS, listed

# scores of a refit that differ more than this from the stored ones are not of the same inputs
SAME = 1e-4
# targets whose predictions are made if none are named
FIRST = 6


def stimulus_predictions(
    results: Results,
    features: str,
    estimator: str,
    layer: int | None = None,
    targets: list[str] | None = None,
) -> pd.DataFrame:
    """Predict every test stimulus again from a comparison's inputs, which must still be where they were.

    Predictions are not stored: those of a large study are hundreds of gigabytes.

    Parameters
    ----------
    results : Results
    features, estimator : str
    layer : int, optional
        For all targets; by default each target's layer chosen most often inside the development stimuli.
    targets : list of str, optional
        By default the first 6 targets of few, and the 6 best predicted of more than 12.

    Returns
    -------
    DataFrame
        As `predicted_against_measured` needs it, with `layer`; categories where the comparison names a table of them.

    Raises
    ------
    DataError
        The inputs are gone, or give other scores than those stored.
    """
    for what, given, known in (("features", features, results.features), ("estimator", estimator, results.estimators)):
        if given not in known:
            raise DataError(f"{what}: {given!r} is not in {results.folder}; there are {listed(known, 20)}.")
    chosen = _chosen_layers(results, features, estimator, layer)
    wanted = targets if targets is not None else list(chosen.index[:FIRST])
    _refuse_joint(results, estimator)
    absent = [name for name in wanted if name not in chosen.index]
    if absent:
        raise DataError(f"targets: {absent} are not in {results.folder} with a layer of {features}.")
    config = _reduced(results, features, estimator)
    with tempfile.TemporaryDirectory() as scratch:
        study = load_study(config, Path(scratch))
        position = {name: place for place, name in enumerate(study.targets.target.values)}
        study = _of_results(study, results)
        y = mean_response(study.targets.to_numpy())[:, [position[name] for name in wanted]]
        tables = []
        for index, own in chosen.loc[wanted].groupby("layer", sort=False):
            columns = [wanted.index(name) for name in own.index]
            tables += _predict(results, config, study, estimator, y[:, columns], list(own.index), features, int(index))
    predictions = pd.concat(tables, ignore_index=True)
    if study.categories is not None:
        category = dict(zip(study.stimuli, study.categories, strict=True))
        predictions["category"] = predictions["stimulus"].map(category)
    order = {name: place for place, name in enumerate(wanted)}
    return predictions.sort_values("target", key=lambda names: names.map(order), kind="stable").reset_index(drop=True)


def _chosen_layers(results: Results, features: str, estimator: str, layer: int | None) -> pd.DataFrame:
    """Layer and score of every target, index target; many targets in the order of their scores."""
    scores = results.scores
    own = scores[(scores["features"] == features) & (scores["estimator"] == estimator)]
    if layer is not None:
        own = own[own["layer"] == layer]
        if own.empty:
            raise DataError(f"layer: {features} has no layer {layer} in {results.folder}.")
    dev = own.pivot(index=["target", "split"], columns="layer", values="r2_dev") if "r2_dev" in own else None
    if dev is None or dev.isna().all(axis=None):
        raise DataError(
            f"{results.folder}: the scores have no r2_dev, by which layers are chosen; run compare.py again."
        )
    best = dev.dropna(how="all").idxmax(axis=1).groupby(level="target", sort=False).agg(lambda values: values.mode()[0])
    median = own.groupby(["target", "layer"])["r2_corr"].median()
    chosen = pd.DataFrame({"layer": best})
    chosen["score"] = median.reindex(pd.MultiIndex.from_arrays([chosen.index, chosen["layer"]])).to_numpy()
    names = pd.Index(own["target"].unique())
    chosen = chosen.reindex(names[names.isin(chosen.index)])
    return chosen if len(chosen) <= MAX_PANELS else chosen.sort_values("score", ascending=False, kind="stable")


def _reduced(results: Results, features: str, estimator: str) -> Comparison:
    """The comparison as it was run, with no more of it than the predictions need."""
    config = dict(results.provenance["config"])
    parts = config["features"][features].get("join") or []
    config["features"] = {name: config["features"][name] for name in (*parts, features)}
    config["estimators"] = {estimator: config["estimators"][estimator]}
    config |= {"tests": [], "hypotheses": [], "above_chance": None, "scheduler": None}
    if config["splits"]["kind"] == "tuckute2023":
        config["splits"] = {"kind": "tuckute2023"}
    try:
        return Comparison.model_validate(config)
    except ValueError as error:
        raise DataError(
            f"{results.folder / 'provenance.json'}: its configuration is not of this version: {error}"
        ) from error


def _of_results(study: Study, results: Results) -> Study:
    """Bring the study's stimuli into the order of the results', and take their splits."""
    position = {name: row for row, name in enumerate(study.stimuli)}
    absent = [name for name in results.provenance["stimuli"] if name not in position]
    if absent:
        raise DataError(f"{results.folder}: its inputs no longer hold {len(absent)} of its stimuli: {listed(absent)}.")
    rows = np.array([position[name] for name in results.provenance["stimuli"]])
    return replace(
        study,
        stimuli=results.provenance["stimuli"],
        features={
            name: {
                index: replace(layer, bands=tuple(band.take(rows) for band in layer.bands))
                for index, layer in layers.items()
            }
            for name, layers in study.features.items()
        },
        targets=study.targets.isel(stimulus=rows),
        confounds=None if study.confounds is None else study.confounds[rows],
        categories=None if study.categories is None else [study.categories[row] for row in rows],
        splits=[(np.array(s["development"]), np.array(s["test"])) for s in results.provenance["splits"]],
        groups=None if study.groups is None else study.groups[rows],
    )


def _predict(
    results: Results,
    config: Comparison,
    study: Study,
    estimator: str,
    y: np.ndarray,
    targets: list[str],
    features: str,
    layer: int,
) -> list[pd.DataFrame]:
    """Fit one layer on every split and average the predictions of each stimulus; y is [stimuli, targets]."""
    inputs = study.features[features][layer]
    x = joined_bands([band.load() for band in inputs.bands])
    preparation = preparation_of(config, study, features, inputs)
    splits = study.splits
    fits = run_multitarget(x, y, splits, config.estimators[estimator], preparation, study.groups)
    predicted = np.full((len(splits), *y.shape), np.nan)
    for number_of, ((_, test), fit) in enumerate(zip(splits, fits, strict=True)):
        predicted[number_of, test] = fit.prediction
    _refuse_other_scores(results, features, estimator, layer, targets, np.stack([fit.r2_corr for fit in fits]))
    n_tests = np.isfinite(predicted[..., 0]).sum(axis=0)
    tables = []
    for column, target in enumerate(targets):
        own = pd.DataFrame(predicted[..., column])  # [splits, stimuli]
        mean, spread = own.mean().to_numpy(), own.std(ddof=1).to_numpy()
        table = {
            "target": target,
            "stimulus": results.provenance["stimuli"],
            "measured": y[:, column],
            "predicted": mean,
        }
        table |= {"low": mean - spread, "high": mean + spread, "n_tests": n_tests, "layer": int(layer)}
        tables.append(pd.DataFrame(table))
    return tables


def _refuse_other_scores(
    results: Results, features: str, estimator: str, layer: int, targets: list[str], found: np.ndarray
) -> None:
    """Compare the scores of a refit, [splits, targets], with those stored."""
    scores = results.scores
    own = (scores["features"] == features) & (scores["estimator"] == estimator) & (scores["layer"] == layer)
    stored = scores[own & scores["target"].isin(targets)].pivot(index="split", columns="target", values="r2_corr")
    worst = float(np.nanmax(np.abs(stored[targets].to_numpy() - found), initial=0.0))
    if worst > SAME:
        raise DataError(
            f"{results.folder}: fitting {features}, layer {layer} again gives scores that differ by {worst:.2g} from "
            "the stored ones, so the inputs have changed since. Run scripts/compare.py again."
        )


def _refuse_joint(results: Results, estimator: str) -> None:
    """Refuse what has no prediction of a single target, or none in the units of the response."""
    config = results.provenance["config"]
    settings, confounds = config["estimators"][estimator], config.get("confounds") or {}
    if settings["kind"] == "multitask_lasso" or (settings["kind"] == "ridge" and not settings["per_target"]):
        raise DataError(f"{estimator} fits all targets together: predictions of some cannot be made alone.")
    if confounds.get("table") is not None and "y" in confounds["apply_to"]:
        raise DataError(
            "confounds are removed from the responses, split by split, so that there is no one measured response to "
            "draw predictions against."
        )
