"""Layers in tables for readers: beside the index the name and the relative depth, since layer 3 of 7 is not 3 of 10."""

from collections.abc import Callable

import pandas as pd

from ..figures.layer_axis import LayerAxis

# columns that hold a layer chosen by some rule
CHOSEN = ("naive_layer", "published_layer", "nested_layer")


def with_depth(table: pd.DataFrame, layers: LayerAxis) -> pd.DataFrame:
    """Add the name and the relative depth of every row's layer.

    Parameters
    ----------
    table : DataFrame
        With `features`, and `layer` or columns of chosen layers; others are returned as they are.
    layers : LayerAxis
        Of all feature sets of the results.

    Returns
    -------
    DataFrame
        `layer_name` (where it is not there already) and `depth` (0 first, 1 last) after `layer`; chosen layers as
        `conv3 (0.50)`, name and depth. Of feature sets with one layer there is no depth.
    """
    if "features" not in table:
        return table
    table = table.copy()
    if "layer" in table:
        if "layer_name" not in table:
            table.insert(table.columns.get_loc("layer") + 1, "layer_name", _each(table, "layer", layers.name))
        place = table.columns.get_loc("layer_name") + 1
        table.insert(place, "depth", _each(table, "layer", layers.depth_among).astype(float))
    for column in (column for column in CHOSEN if column in table):
        table[column] = _each(table, column, lambda name, layer: _words(layers, name, layer))
    return table


def _each(table: pd.DataFrame, column: str, find: Callable[[str, int], object]) -> pd.Series:
    """Look up the layer of every row; nothing where a row has none."""
    rows = zip(table["features"], table[column], strict=True)
    found = [None if pd.isna(layer) else find(name, int(layer)) for name, layer in rows]
    return pd.Series(found, index=table.index, dtype=object)


def _words(layers: LayerAxis, features: str, layer: int) -> str:
    depth = layers.depth_among(features, layer)
    name = layers.name(features, layer)
    return name if depth is None else f"{name} ({depth:.2f})"
