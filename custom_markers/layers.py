"""Which layers of a network a marker stores."""

from collections.abc import Sequence


def select_layers(layers: str | Sequence[int | float], n_layers: int) -> list[int]:
    """Turn the parameter `layers` of a marker into ascending layer indices.

    Parameters
    ----------
    layers : "all" or sequence of int or float
        Indices from 0 (negative ones count from the end), or relative depths from 0.0 (first layer) to 1.0 (last),
        of which depth * (n_layers - 1) is rounded half up.
    n_layers : int
        How many layers the network gives.

    Raises
    ------
    ValueError
        An index or depth out of range, a duplicate, or nothing selected.
    """
    if layers == "all":
        return list(range(n_layers))
    if isinstance(layers, str) or not layers:
        raise ValueError(
            f"layers: {layers!r} selects nothing. Allowed: all, indices such as [0, 5, -1], or relative depths such as "
            "[0.0, 0.5]."
        )
    chosen = []
    for layer in layers:
        if isinstance(layer, float):
            if not 0.0 <= layer <= 1.0:
                raise ValueError(f"layers: relative depth {layer} is not between 0.0 and 1.0.")
            chosen.append(int(layer * (n_layers - 1) + 0.5))
        elif -n_layers <= layer < n_layers:
            chosen.append(layer % n_layers)
        else:
            raise ValueError(f"layers: there is no layer {layer}; this network has {n_layers}, 0 to {n_layers - 1}.")
    if len(set(chosen)) != len(chosen):
        raise ValueError(f"layers: {list(layers)!r} names a layer twice (as indices: {chosen}).")
    return sorted(chosen)
