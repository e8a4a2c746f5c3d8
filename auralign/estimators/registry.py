"""Estimators by name: those that are shipped, those of installed packages, and those of a file of one's own.

A package registers its estimators as entry points of the group `auralign.estimators`, in its pyproject.toml:

    [project.entry-points."auralign.estimators"]
    my_kind = "my_package.my_module:PLUGIN"

A file is named in the configuration, `{kind: my_kind, file: my_estimator.py}`, and has the `Plugin` in a variable.
"""

from __future__ import annotations

import configparser
import importlib
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

from ..errors import ConfigError, DataError, did_you_mean
from .of_file import OfFile, options_of_file
from .options import EstimatorOptions
from .plugin import Can, Fitted, InnerCv, Plugin, Prediction
from .returned import named, refuse_wrong_fit, refuse_wrong_prediction

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator

GROUP = "auralign.estimators"
# those that are shipped: pyproject.toml registers what this file says; a checkout whose metadata was installed before
# an estimator was added knows it from here
SHIPPED_FILE = "entry_points.txt"
# models of other libraries may be given in short, `{sklearn: sklearn.svm.SVR}`: the option that the value stands for
SHORT = {"sklearn": "estimator", "julearn": "model"}


def shipped() -> dict[str, str]:
    """List the estimators of auralign itself, as `module:variable`."""
    parser = configparser.ConfigParser(delimiters="=", interpolation=None)
    parser.read_string(resources.files(__package__).joinpath(SHIPPED_FILE).read_text(encoding="utf-8"))
    return dict(parser[GROUP])


@cache
def registered() -> dict[str, str]:
    """List the estimators that are known by name, as `module:variable`; those that are shipped first.

    Raises
    ------
    ConfigError
        Two packages register one name.
    """
    known = shipped()
    for entry in sorted(entry_points(group=GROUP), key=lambda entry: (entry.name, entry.value)):
        if known.setdefault(entry.name, entry.value) != entry.value:
            raise ConfigError(
                f"estimators: two packages register kind: {entry.name} in the group {GROUP}: {known[entry.name]} and "
                f"{entry.value}. Uninstall one of them."
            )
    return known


@cache
def get(kind: str) -> Plugin:
    """Return the estimator of a name.

    Raises
    ------
    ConfigError
        There is none of that name, or its package cannot be imported.
    """
    known = registered()
    if kind not in known:
        raise ConfigError(
            f"{kind!r} is not an estimator; there are {', '.join(map(repr, known))}.{did_you_mean(kind, known)} One of "
            f"your own: install a package that registers it (entry point group {GROUP}), or name its file, "
            f"{{kind: {kind}, file: my_estimator.py}}."
        )
    place = known[kind]
    module, _, variable = place.partition(":")
    try:
        plugin = getattr(importlib.import_module(module), variable)
    except Exception as error:  # whatever the package of somebody else does when it is imported
        raise ConfigError(
            f"estimators: kind: {kind} is registered as {place}, which cannot be had: {error}."
        ) from error
    if not isinstance(plugin, Plugin) or plugin.name != kind:
        raise ConfigError(f"estimators: kind: {kind} is registered as {place}, which is no Plugin of that name.")
    return plugin


def plugin_of(options: EstimatorOptions) -> Plugin:
    """Return the estimator that options are of."""
    brought: Plugin | None = getattr(options, "plugin", None)
    return get(options.kind) if brought is None else brought


def abilities(options: EstimatorOptions) -> Can:
    """Say what the estimator of some options can do with them."""
    return plugin_of(options).abilities(options)


def alpha_grid(options: EstimatorOptions) -> list[float] | None:
    """Return the alphas on offer, ascending; None where there are none, or where they depend on the data."""
    grid = plugin_of(options).grid
    return None if grid is None else grid(options)


def of_single_repetition(options: EstimatorOptions) -> EstimatorOptions:
    """Return the options by which a single repetition is fitted, which may be too noisy to be predicted alone."""
    single = plugin_of(options).single
    return options if single is None else single(options)


def fit(
    x: np.ndarray,
    y: np.ndarray,
    options: EstimatorOptions,
    cv: InnerCv = None,
    widths: tuple[int, ...] | None = None,
) -> Fitted:
    """Fit an estimator.

    Parameters
    ----------
    x : ndarray, shape (n, n_units)
    y : ndarray, shape (n, n_targets)
    options : EstimatorOptions
    cv : inner folds, optional
        Instead of the options' own: "loo", a number, a splitter of scikit-learn, or a list of folds.
    widths : tuple of int, optional
        Units of every part of a joined feature set.

    Raises
    ------
    DataError, ConfigError
        It cannot be fitted, or gives what is no fit; a sentence that names it.
    """
    plugin = _plugin_for(options, widths)
    with named(plugin):
        found = plugin.fit(x, y, options, _inner(options, cv), widths)
    refuse_wrong_fit(plugin, plugin.abilities(options), found, x.shape[1], y.shape[1])
    return found


def predict(
    x: np.ndarray,
    y: np.ndarray,
    x_test: np.ndarray,
    options: EstimatorOptions,
    cv: InnerCv = None,
    widths: tuple[int, ...] | None = None,
) -> Prediction:
    """Fit an estimator as `fit` and predict x_test, shape (n_test, n_units)."""
    plugin = _plugin_for(options, widths)
    if plugin.predict is None:
        fitted = fit(x, y, options, cv, widths)
        with named(plugin):
            prediction = fitted.predict(x_test)
        return _as_prediction(plugin, options, fitted, prediction, len(x_test), y.shape[1])
    with named(plugin):
        found = plugin.predict(x, y, x_test, options, _inner(options, cv), widths)
    return _looked_at(plugin, options, found, x, x_test, y)


def predict_several(
    x: np.ndarray,
    fits: Sequence[tuple[np.ndarray, EstimatorOptions]],
    x_test: np.ndarray,
    cv: InnerCv = None,
    widths: tuple[int, ...] | None = None,
) -> list[Prediction]:
    """Do what `predict` does for several responses to the same stimuli, which share work where the estimator can.

    Parameters
    ----------
    x, x_test, cv, widths
        As of `predict`.
    fits : list of (y, options)
        Responses [n, n_targets]; options of one estimator that differ by `of_single_repetition` alone.
    """
    options = fits[0][1]
    plugin = _plugin_for(options, widths)
    if plugin.several is None:
        return [predict(x, y, x_test, own, cv, widths) for y, own in fits]
    with named(plugin):
        found = list(plugin.several(x, fits, x_test, _inner(options, cv), widths))
    if len(found) != len(fits):
        raise DataError(
            f"the estimator {plugin.name}: `several` gave {len(found)} predictions for {len(fits)} responses; it gives "
            "one for each (y, options), in their order."
        )
    return [_looked_at(plugin, own, one, x, x_test, y) for (y, own), one in zip(fits, found, strict=True)]


def _looked_at(
    plugin: Plugin, options: EstimatorOptions, found: Any, x: np.ndarray, x_test: np.ndarray, y: np.ndarray
) -> Prediction:
    """Look at what a plug-in predicted at once."""
    with named(plugin):
        prediction = found.prediction
    refuse_wrong_fit(plugin, plugin.abilities(options), found, x.shape[1], y.shape[1])
    return _as_prediction(plugin, options, found, prediction, len(x_test), y.shape[1])


def _as_prediction(
    plugin: Plugin, options: EstimatorOptions, found: Any, prediction: Any, n_test: int, n_targets: int
) -> Prediction:
    can = plugin.abilities(options)
    prediction = refuse_wrong_prediction(plugin, prediction, n_test, n_targets)
    alpha, r2_dev = (np.broadcast_to(np.asarray(v, dtype=float), n_targets) for v in (found.alpha, found.r2_dev))
    coef, params = found.coef if can.sparse else None, found.params if can.params else None
    return Prediction(prediction, alpha, r2_dev, coef, params)


def face(options: EstimatorOptions, cv: InnerCv = None, widths: tuple[int, ...] | None = None) -> BaseEstimator:
    """Make the scikit-learn estimator of some options; `cv` and `widths` as of `fit`."""
    from .face import PluginFace  # with scikit-learn, which who reads options does without

    plugin, cv = _plugin_for(options, widths), _inner(options, cv)
    return PluginFace(plugin, options, cv, widths) if plugin.face is None else plugin.face(options, cv, widths)


def _plugin_for(options: EstimatorOptions, widths: tuple[int, ...] | None) -> Plugin:
    """Return the estimator that fits features of so many bands."""
    plugin = plugin_of(options)
    several = widths is not None and len(widths) > 1
    return get(plugin.of_bands) if several and plugin.of_bands else plugin


def _inner(options: EstimatorOptions, cv: InnerCv) -> InnerCv:
    return getattr(options, "cv", None) if cv is None else cv


def origin(options: EstimatorOptions) -> str:
    """Say where the code of an estimator is: the name of its module, or the path of its file."""
    return str(options.file) if isinstance(options, OfFile) else _module(options.kind)


def origins(options: EstimatorOptions) -> tuple[str, ...]:
    """List where the code is that may fit with these options: also that of the estimator for several bands."""
    of_bands = plugin_of(options).of_bands
    return (origin(options), *([_module(of_bands)] if of_bands else []))


def _module(kind: str) -> str:
    return registered()[kind].partition(":")[0]


def options_of(settings: str | Mapping[str, Any] | EstimatorOptions, folder: Path | None = None) -> EstimatorOptions:
    """Check the options of an estimator, `{kind: ..., ...}`, or its name alone for its defaults.

    Models of other libraries may be given in short: `{sklearn: sklearn.svm.SVR, ...}` is `{kind: sklearn, estimator:
    sklearn.svm.SVR, ...}`, and `{julearn: svm, ...}` is `{kind: julearn, model: svm, ...}`.

    Parameters
    ----------
    settings : str, mapping or EstimatorOptions
    folder : Path, optional
        Of the configuration, to which `file` is relative; by default the working directory.

    Raises
    ------
    pydantic.ValidationError
        An option is wrong, `kind` is no estimator, or `file` cannot be read or has none of that kind.
    """
    if isinstance(settings, EstimatorOptions):
        return settings
    if isinstance(settings, str):
        settings = {"kind": settings}
    if not isinstance(settings, Mapping):
        raise _wrong("an estimator is a mapping with the key `kind`", settings)
    settings = _written_out(settings)
    kind = settings.get("kind")
    if not isinstance(kind, str):
        raise _wrong("an estimator needs `kind`, its name" if kind is None else "must be a name", kind, "kind")
    try:
        of_kind = options_class(settings, folder)
    except ConfigError as error:
        raise _wrong(str(error), kind, "kind" if settings.get("file") is None else "file") from error
    if issubclass(of_kind, OfFile):
        settings = {**settings, "file": _absolute(settings["file"], folder)}
    return of_kind.model_validate(dict(settings))


def _written_out(settings: Mapping[str, Any]) -> Mapping[str, Any]:
    """Write the short form of a model of another library as what it stands for."""
    short = [kind for kind in SHORT if kind in settings]
    if not short or "kind" in settings:
        return settings
    if len(short) > 1:
        raise _wrong(f"an estimator is of one library: give {' or '.join(short)}", dict(settings))
    rest = {key: value for key, value in settings.items() if key != short[0]}
    if SHORT[short[0]] in rest:
        raise _wrong(f"says the same as `{short[0]}`; give one of both", rest[SHORT[short[0]]], SHORT[short[0]])
    return {"kind": short[0], SHORT[short[0]]: settings[short[0]], **rest}


def options_class(settings: Mapping[str, Any], folder: Path | None = None) -> type[EstimatorOptions]:
    """Find what options the estimator of `{kind: ..., ...}` has; `folder` as of `options_of`.

    Raises
    ------
    ConfigError
        There is no such estimator, its package cannot be imported, or its file cannot be read or has no such estimator.
    """
    settings = _written_out(settings)
    if settings.get("file") is not None:
        file, kind = _absolute(settings["file"], folder), settings["kind"]
        if kind in registered():
            raise ConfigError(f"{file}: kind: {kind} is registered as {registered()[kind]}; give yours another name.")
        return options_of_file(file, kind)
    return get(settings["kind"]).options


def _absolute(file: str | Path, folder: Path | None) -> Path:
    return ((folder or Path()) / str(file)).absolute()


def _wrong(message: str, given: Any, *place: str) -> ValidationError:
    """Make the error of a mistake that no model can find."""
    problem = PydanticCustomError("estimator", "{message}", {"message": message})
    return ValidationError.from_exception_data("estimator", [InitErrorDetails(type=problem, loc=place, input=given)])
