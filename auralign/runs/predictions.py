"""Predictions of single stimuli, which results do not hold: the chosen layers fitted once more."""

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from ..analysis.standing import nested_values
from ..config.models import Comparison
from ..errors import DataError
from ..estimators.record import recorded
from ..inputs.repetitions import mean_response
from ..inputs.study import Study, load_study
from ..questions.encoding.engines import run_multitarget
from ..questions.preparation import joined_bands, preparation_of
from ..wording import listed
from .results import Results

# scores of a refit that differ more than this from the stored ones are not of the same inputs
SAME = 1e-4
# of up to so many targets the first are predicted if none are named, of more the best
FEW = 12
# targets whose predictions are made if none are named
FIRST = 6


def stimulus_predictions(
    results: Results,
    features: str,
    estimator: str,
    layer: int | None = None,
    targets: list[str] | None = None,
    each_split: bool = False,
) -> pd.DataFrame:
    """Predict every test stimulus again from a comparison's inputs, which must still be where they were.

    Predictions are not stored: those of a large study are hundreds of gigabytes. **Six targets are taken by default**;
    name those you want in `targets`, all of them by `targets=list(results.targets["target"])`.

    Parameters
    ----------
    results : Results
    features, estimator : str
    layer : int, optional
        For all targets and splits; by default the layer of the headline, which each split's development stimuli
        choose for each target.
    targets : list of str, optional
        By default the first 6 targets of few, and the 6 best predicted of more than 12 (primary metric).
    each_split : bool
        One row per split and test stimulus instead of means over splits.

    Returns
    -------
    DataFrame
        As `predicted_against_measured` needs it: `target`, `stimulus`, `measured`, `predicted` (mean over the splits in
        which the stimulus was tested), `low` and `high` (standard deviation over them on either side), `n_tests`,
        `layer` (taken in most splits); `category` where the comparison names a table of them. With `each_split`:
        `target`, `split`, `stimulus`, `measured`, `predicted`, `layer`, `category`.

    Raises
    ------
    DataError
        The inputs are gone, or give other scores than those stored.
    """
    for what, given, known in (("features", features, results.features), ("estimator", estimator, results.estimators)):
        if given not in known:
            raise DataError(f"{what}: {given!r} is not in {results.folder}; there are {listed(known, 20)}.")
    chosen = _chosen_layers(results, features, estimator, layer)
    wanted = targets if targets is not None else list(chosen.columns[:FIRST])
    _refuse_joint(results, estimator)
    absent = [name for name in wanted if name not in chosen]
    if absent:
        raise DataError(f"targets: {absent} are not in {results.folder} with a layer of {features}.")
    config = _reduced(results, features, estimator)
    with tempfile.TemporaryDirectory() as scratch:
        study = load_study(config, Path(scratch), config.needs_categories)
        position = {name: place for place, name in enumerate(study.targets.target.values)}
        study = _of_results(study, results)
        y = mean_response(study.targets[:, [position[name] for name in wanted]].to_numpy())
        layers = chosen[wanted].to_numpy()  # [splits, targets], -1 where none can be chosen
        predicted = np.full((len(layers), *y.shape), np.nan)  # [splits, stimuli, targets]
        for index in np.unique(layers[layers >= 0]):
            columns = np.flatnonzero((layers == index).any(axis=0))
            names = [wanted[column] for column in columns]
            found = _predict(results, config, study, estimator, y[:, columns], names, features, int(index))
            here = (layers[:, columns] == index)[:, None, :]
            predicted[:, :, columns] = np.where(here, found, predicted[:, :, columns])
    tabulate = _by_split if each_split else _over_splits
    predictions = tabulate(predicted, y, layers, wanted, results.provenance["stimuli"])
    if study.categories is not None:
        category = dict(zip(study.stimuli, study.categories, strict=True))
        predictions["category"] = predictions["stimulus"].map(category)
    return predictions


def _over_splits(
    predicted: np.ndarray, y: np.ndarray, layers: np.ndarray, targets: list[str], stimuli: list[str]
) -> pd.DataFrame:
    """Average the predictions [splits, stimuli, targets] of each stimulus over the splits in which it was tested."""
    tables = []
    for column, target in enumerate(targets):
        own = pd.DataFrame(predicted[..., column])
        mean, spread = own.mean().to_numpy(), own.std(ddof=1).to_numpy()
        chosen = layers[layers[:, column] >= 0, column]
        table = {"target": target, "stimulus": stimuli, "measured": y[:, column], "predicted": mean}
        table |= {"low": mean - spread, "high": mean + spread, "n_tests": own.notna().sum().to_numpy()}
        tables.append(pd.DataFrame(table | {"layer": int(np.bincount(chosen).argmax())}))
    return pd.concat(tables, ignore_index=True)


def _by_split(
    predicted: np.ndarray, y: np.ndarray, layers: np.ndarray, targets: list[str], stimuli: list[str]
) -> pd.DataFrame:
    """Tabulate the predictions [splits, stimuli, targets], one row per target, split and test stimulus."""
    target, split, stimulus = np.nonzero(np.isfinite(predicted).transpose(2, 0, 1))
    return pd.DataFrame(
        {
            "target": np.array(targets, dtype=object)[target],
            "split": split,
            "stimulus": np.array(stimuli, dtype=object)[stimulus],
            "measured": y[stimulus, target],
            "predicted": predicted[split, stimulus, target],
            "layer": layers[split, target],
        }
    )


def _chosen_layers(results: Results, features: str, estimator: str, layer: int | None) -> pd.DataFrame:
    """Layer of every split (rows) and target (columns), -1 where none can be chosen; many targets by their scores."""
    scores = results.scores
    own = scores[(scores["features"] == features) & (scores["estimator"] == estimator)]
    if layer is not None:
        own = own[own["layer"] == layer]
        if own.empty:
            raise DataError(f"layer: {features} has no layer {layer} in {results.folder}.")
    if own["r2_dev"].isna().all():
        raise DataError(
            f"{results.folder}: the scores have no r2_dev, by which layers are chosen; run compare.py again."
        )
    (nested,) = nested_values(own, [results.metric])
    layers = np.where(nested.position >= 0, nested.layers[nested.position], -1)
    chosen = pd.DataFrame(layers, columns=nested.targets)
    chosen = chosen.loc[:, (layers >= 0).any(axis=0)]
    if chosen.shape[1] <= FEW:
        return chosen
    score = pd.DataFrame(nested.values[results.metric], columns=nested.targets).mean()[chosen.columns]
    return chosen[score.sort_values(ascending=False, kind="stable").index]


def _reduced(results: Results, features: str, estimator: str) -> Comparison:
    """The comparison as it was run, with no more of it than the predictions need."""
    config = dict(results.provenance["config"])
    if config["missing"] == "error":  # else other sets may lack stimuli that this one has, and so leave them out
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
) -> np.ndarray:
    """Fit one layer on every split: from y [stimuli, targets] to predictions of the test stimuli, else NaN."""
    inputs = study.features[features][layer]
    x = joined_bands([band.load() for band in inputs.bands])
    preparation = preparation_of(config, study, features, inputs)
    splits = study.splits
    fits = run_multitarget(x, y, splits, config.estimators[estimator], preparation, study.groups)
    predicted = np.full((len(splits), *y.shape), np.nan)
    for number_of, ((_, test), fit) in enumerate(zip(splits, fits, strict=True)):
        predicted[number_of, test] = fit.prediction
    _refuse_other_scores(results, features, estimator, layer, targets, np.stack([fit.r2_corr for fit in fits]))
    return predicted


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
            "the stored ones, so the inputs have changed since. Run `auralign run` again."
        )


def _refuse_joint(results: Results, estimator: str) -> None:
    """Refuse what has no prediction of a single target, or none in the units of the response."""
    config = results.provenance["config"]
    confounds = config.get("confounds") or {}
    if recorded(results.provenance)[estimator].can.joint:
        raise DataError(f"{estimator} fits all targets together: predictions of some cannot be made alone.")
    if confounds.get("table") is not None and "y" in confounds["apply_to"]:
        raise DataError(
            "confounds are removed from the responses, split by split, so that there is no one measured response to "
            "draw predictions against."
        )
