"""What `encode` gives back: scores, and what follows from them, as labelled arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sized
from dataclasses import dataclass, field
from functools import cached_property
from html import escape
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
import xarray as xr

from ..analysis.layer_choice import naive_best, nested_choice, published_choice
from ..errors import ConfigError, DataError
from ..questions.encoding.ceiling_blocks import COLUMNS, ceiling_table
from ..questions.encoding.summary import describe_targets, summarise
from ..scoring.ceiling_options import Ceiling
from ..scoring.metrics import METRICS, primary_metric
from .given import Array

if TYPE_CHECKING:
    from ..figures import FigureOf

RULES = {"nested": nested_choice, "best": naive_best, "published": published_choice}
OF_SPLIT = ("n_train", "n_test")


@dataclass(frozen=True, repr=False, eq=False)
class Result:
    """Scores of one feature set and one estimator on every layer, target and split.

    Attributes
    ----------
    table : DataFrame
        One row per layer x target x split; see `to_table`.
    responses : DataArray
        Dims (stimulus, target, repetition): those that were used, in the order of `stimuli`.
    splits : list of (development, test)
        Positions in `stimuli`.
    options : dict
        What was asked for: estimator, preparation, engine, versions.
    warnings : list of str
        What a reader should know, in sentences.
    """

    table: pd.DataFrame
    responses: xr.DataArray
    splits: list[tuple[Array, Array]]
    options: Mapping[str, Any]
    warnings: list[str] = field(default_factory=list)
    kept_predictions: xr.DataArray | None = None
    kept_weights: Mapping[int, xr.DataArray] | None = None

    @property
    def stimuli(self) -> list[str]:
        """Ids of the stimuli, in the order in which they were used."""
        return [str(name) for name in self.responses.stimulus.to_numpy()]

    @property
    def targets(self) -> list[str]:
        """Names of the targets."""
        return [str(name) for name in self.responses.target.to_numpy()]

    @cached_property
    def layers(self) -> dict[int, str]:
        """Name of every layer."""
        rows = self.table.drop_duplicates("layer")
        return dict(zip(rows["layer"].tolist(), rows["layer_name"].tolist(), strict=True))

    @property
    def features(self) -> str:
        """Name of the feature set."""
        return str(self.table["features"].iloc[0])

    @property
    def estimator(self) -> str:
        """Label of the estimator."""
        return str(self.table["estimator"].iloc[0])

    @property
    def metric(self) -> str:
        """The primary metric: r2_corr_c2 where the responses are repeated, else r2_corr."""
        return str(primary_metric("auto", "r2_corr_c2" in self.table))

    @cached_property
    def scores(self) -> xr.Dataset:
        """Every score, of dims (layer, target, split).

        Variables: `r2`, `r2_corr`, `r2_dev` (inside the development stimuli), `alpha`; of repeated responses also
        `reliability`, `reliability_pred`, `r2_corr_c` and `r2_corr_c2`. Coordinates: `layer_name` of layer, what is
        known of each target, `n_train` and `n_test` of split.
        """
        names = [c for c in self.table if c not in (*_IDENTITY, "split", *OF_SPLIT)]
        layers = list(self.layers)
        place = (
            pd.Index(layers).get_indexer(self.table["layer"]),
            pd.Index(self.targets).get_indexer(self.table["target"]),
            self.table["split"].to_numpy(),
        )
        variables = {}
        for name in names:
            column = self.table[name].to_numpy()
            numbers = np.issubdtype(column.dtype, np.number)
            shape = (len(layers), len(self.targets), len(self.splits))
            values = np.full(shape, np.nan if numbers else None, dtype=float if numbers else object)
            values[place] = column
            variables[name] = (("layer", "target", "split"), values)
        about = {
            name: ("target", coordinate.to_numpy())
            for name, coordinate in self.responses.coords.items()
            if coordinate.dims == ("target",) and name != "target"
        }
        sizes = {
            name: ("split", np.array([len(split[part]) for split in self.splits])) for part, name in enumerate(OF_SPLIT)
        }
        coords = {"layer": layers, "target": self.targets, "split": np.arange(len(self.splits))}
        return xr.Dataset(
            variables,
            coords={**coords, "layer_name": ("layer", list(self.layers.values())), **about, **sizes},
            attrs={"features": self.features, "estimator": self.estimator},
        )

    @property
    def predictions(self) -> xr.DataArray:
        """Predictions of the mean response, of dims (layer, split, stimulus, target); NaN where not tested.

        Kept where they were asked for: `encode(..., predictions=True)`.
        """
        if self.kept_predictions is None:
            raise DataError(
                "predictions were not kept, because those of many targets fill the memory: "
                "encode(..., predictions=True) keeps them."
            )
        return self.kept_predictions

    @property
    def weights(self) -> Mapping[int, xr.DataArray]:
        """Weights of every layer, of dims (unit, target), or (split, unit, target); layers may differ in their units.

        Of the features as they were given (without confounds where these are removed): a change of one unit changes the
        prediction by the weight. Kept where they were asked for: `encode(..., weights="mean")` or `"split"`.
        """
        if self.kept_weights is None:
            raise DataError(
                "weights were not kept: encode(..., weights='mean') keeps their mean over splits, weights='split' "
                "those of every split."
            )
        return self.kept_weights

    @cached_property
    def ceilings(self) -> xr.Dataset | None:
        """Noise ceilings of r2_corr, of dim target; None where responses are not repeated.

        `noise_ceiling`, its 95 % interval `noise_ceiling_low` and `noise_ceiling_high` (jackknife over stimuli), and
        `n_repetitions`. Computed when they are first asked for.
        """
        if self.responses.sizes["repetition"] < 2:
            return None
        known = {column: ("target", self._about_targets[column].to_numpy()) for column in COLUMNS}
        return xr.Dataset(known, coords={"target": self.targets})

    @cached_property
    def summary(self) -> pd.DataFrame:
        """One row per layer and target, as summary.tsv of a results folder: medians and deviations over splits."""
        return summarise(self.table, self._about_targets)

    @cached_property
    def _about_targets(self) -> pd.DataFrame:
        about = describe_targets(self.responses)
        if self.responses.sizes["repetition"] < 2:
            return about
        return pd.concat([about, ceiling_table(self.responses.to_numpy(), Ceiling())], axis=1)

    def best_layer(
        self,
        metric: str | None = None,
        layer: Literal["nested", "best", "published"] = "nested",
        by: str | list[str] | None = None,
    ) -> pd.DataFrame:
        """Choose a layer for every target, and read the score there.

        Parameters
        ----------
        metric : str, optional
            By default the primary one (`metric`).
        layer : {"nested", "best", "published"}
            `nested`: every split's development stimuli choose (highest `r2_dev`), its test stimuli are only read: what
            choosing and fitting reach on new stimuli. `best`: the highest median over the test splits, and that very
            median, which is optimistic. `published`: chosen on one half of the splits, read on the other (Tuckute et
            al. 2023).
        by : str or list of str, optional
            One row per combination of these columns of the targets, or `[]` for all targets together; by default one
            per target.

        Returns
        -------
        DataFrame
            `target` (or the columns of `by`), `score`, `layer` and `layer_name` (chosen most often), `layer_share` (how
            often), `pos`, `rel_pos`, `n_layers`, `n_targets`; `metric`.

        Examples
        --------
        >>> import auralign as au
        >>> features, responses = au.phantom()
        >>> result = au.encode(features, responses, au.splits(165, n_splits=4))
        >>> best = result.best_layer().set_index("target")
        >>> best.loc["envsounds", "layer_name"]
        'mean_sd'
        """
        if layer not in RULES:
            raise ConfigError(f"best_layer: layer={layer!r} is none of {', '.join(map(repr, RULES))}.")
        columns = [by] if isinstance(by, str) else by
        if columns == ["target"]:
            columns = None
        chosen = RULES[layer](self.table, self._metric(metric), self._about_targets, columns)
        return chosen.drop(columns=["features", "estimator"])

    def plot(self, kind: Literal["layers", "alphas"] = "layers", metric: str | None = None) -> FigureOf:
        """Draw a figure of the report.

        Parameters
        ----------
        kind : {"layers", "alphas"}
            Score per layer, one panel per target (more than 12 targets: their median); or the chosen alphas.
        metric : str, optional
            Of `layers`; by default the primary one.

        Returns
        -------
        FigureOf
            A notebook shows it; `.figure` is matplotlib's, `.data` what is drawn, `.caption` says what it is of, and
            `.save(folder)` writes SVG, PNG and TSV.
        """
        from ..figures import alphas, layer_scores  # loads matplotlib, which scores do not need

        if kind == "layers":
            return layer_scores(self.summary, self.estimator, self._metric(metric))
        if kind == "alphas":
            return alphas(self.table)
        raise ConfigError(f"plot: kind={kind!r} is neither 'layers' nor 'alphas'.")

    def to_table(self) -> pd.DataFrame:
        """Return one row per layer x target x split, with the columns of scores.parquet."""
        return self.table.copy()

    def _metric(self, metric: str | None) -> str:
        metric = metric or self.metric
        known = [name for name in METRICS if name in self.table]
        if metric not in known:
            raise ConfigError(
                f"metric: {metric!r} is not among the scores; there are {', '.join(known)} (those that are corrected "
                "for noise need repetitions)."
            )
        return metric

    def _counts(self) -> list[tuple[str, int]]:
        counts: tuple[Sized, ...] = (self.layers, self.targets, self.splits, self.stimuli)
        return [(what, len(n)) for what, n in zip(("layers", "targets", "splits", "stimuli"), counts, strict=True)]

    @cached_property
    def _headline(self) -> str:
        (score,) = self.best_layer(by=[])["score"]
        return f"{score:.3f}"

    def __repr__(self) -> str:
        """Say in one line what the result is of."""
        counts = ", ".join(f"{n:,} {what if n != 1 else _SINGULAR[what]}" for what, n in self._counts())
        return (
            f"<Result {self.features}, {self.estimator}: {counts}; median {self.metric} at nested layers "
            f"{self._headline}>"
        )

    def _repr_html_(self) -> str:
        """Show in a notebook what the result is of."""
        rows = [("estimator", self.estimator), *((what, f"{n:,}") for what, n in self._counts())]
        rows.append((f"median {self.metric} at nested layers", self._headline))
        cells = "".join(f"<tr><th>{escape(key)}</th><td>{escape(value)}</td></tr>" for key, value in rows)
        notes = "".join(f"<p>{escape(note)}</p>" for note in self.warnings)
        return f"<strong>{escape(self.features)}</strong>{notes}<table>{cells}</table>"


_IDENTITY = ("features", "layer", "layer_name", "target", "estimator")
_SINGULAR = {"layers": "layer", "targets": "target", "splits": "split", "stimuli": "stimulus"}
