"""Which layers of a network a marker stores."""

import difflib
from collections.abc import Sequence


def select_layers(layers: str | Sequence[int | float | str], available: int | Sequence[str]) -> list[int]:
    """Turn the parameter `layers` of a marker into ascending layer indices.

    Parameters
    ----------
    layers : "all" or sequence of int, float or str
        Indices from 0 (negative ones count from the end), relative depths from 0.0 (first layer) to 1.0 (last),
        of which depth * (n_layers - 1) is rounded half up, or names.
    available : int or sequence of str
        How many layers the network gives, or their names in order of depth.

    Raises
    ------
    ValueError
        An index or depth out of range, an unknown name, a duplicate, or nothing selected.
    """
    names = [] if isinstance(available, int) else list(available)
    n_layers = available if isinstance(available, int) else len(names)
    if layers == "all":
        return list(range(n_layers))
    if isinstance(layers, str) or not layers:
        raise ValueError(
            f"layers: {layers!r} selects nothing. Allowed: all, indices such as [0, 5, -1], relative depths such as "
            "[0.0, 0.5], or names in a list."
        )
    chosen = [_index_of(layer, n_layers, names) for layer in layers]
    if len(set(chosen)) != len(chosen):
        raise ValueError(f"layers: {list(layers)!r} names a layer twice (as indices: {chosen}).")
    return sorted(chosen)


def _index_of(layer: int | float | str, n_layers: int, names: list[str]) -> int:
    """Return the index of one layer that is given as name, relative depth or index."""
    if isinstance(layer, str):
        if layer in names:
            return names.index(layer)
        close = difflib.get_close_matches(layer, names, n=3, cutoff=0.5)
        hint = f" Did you mean {' or '.join(close)}?" if close else ""
        raise ValueError(f"layers: there is no layer {layer!r}.{hint} {_listing(n_layers, names)}")
    if isinstance(layer, float):
        if not 0.0 <= layer <= 1.0:
            raise ValueError(f"layers: relative depth {layer} is not between 0.0 and 1.0.")
        return int(layer * (n_layers - 1) + 0.5)
    if not -n_layers <= layer < n_layers:
        raise ValueError(
            f"layers: there is no layer {layer}; this network has {n_layers}, 0 to {n_layers - 1}."
            + (f" {_listing(n_layers, names)}" if names else "")
        )
    return layer % n_layers


def _listing(n_layers: int, names: list[str]) -> str:
    """Say which layers there are."""
    if not names:
        return f"The layers of this network have no names; give indices, 0 to {n_layers - 1}."
    return f"Its layers are {', '.join(f'{index} {name}' for index, name in enumerate(names))}."
