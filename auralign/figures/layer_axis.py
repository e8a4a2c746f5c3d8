"""Where layers stand along an axis: by relative depth where feature sets share it, by name where one has it alone.

Layer 3 of 7 is not layer 3 of 10, so that indices of different feature sets never share an axis.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator

from .style import MM, SMALL, WIDTH, shorten

DEPTH = "relative depth of the layer (0 first, 1 last)"
COUNTED = "layer (counted from 0)"
# names along an axis: characters at most, millimetres between two of them, angle
LONGEST, APART, ANGLE = 14, 5.5, 45.0
# names up to this many characters stand upright side by side
UPRIGHT = 3
# characters after which a name may be cut
SEPARATORS = "._/-: "
# mean width of a character, in parts of the size of the type
CHARACTER = 0.55


@dataclass(frozen=True)
class LayerAxis:
    """Places and names of the layers of some feature sets.

    Attributes
    ----------
    places : dict of str to dict of int to float
        By feature set, where each of its layers stands: at its relative depth (0 first, 1 last, 0 for the only one), or
        where one feature set alone has several layers at 0, 1, 2, ...
    names : dict of str to dict of int to str
        By feature set, names of its layers; empty where the table had none.
    relative : bool
        Whether places are relative depths.
    """

    places: dict[str, dict[int, float]]
    names: dict[str, dict[int, str]]
    relative: bool

    @classmethod
    def of(cls, rows: pd.DataFrame, by: str = "features") -> "LayerAxis":
        """Find the places of all layers of a table.

        Parameters
        ----------
        rows : DataFrame
            `layer`, the column `by`, and where known `layer_name`. Rows without a score must still be there: they
            count as layers.
        by : str
            Column of the feature sets.
        """
        layers = {str(name): sorted(own.unique()) for name, own in rows.groupby(by, sort=False)["layer"]}
        relative = sum(len(own) > 1 for own in layers.values()) > 1
        places = {
            name: {
                int(layer): place / max(len(own) - 1, 1) if relative else float(place)
                for place, layer in enumerate(own)
            }
            for name, own in layers.items()
        }
        names: dict[str, dict[int, str]] = {name: {} for name in layers}
        if "layer_name" in rows:
            known = rows.drop_duplicates([by, "layer"]).dropna(subset=["layer_name"])
            for name, layer, text in known[[by, "layer", "layer_name"]].itertuples(index=False, name=None):
                if str(text):
                    names[str(name)][int(layer)] = str(text)
        return cls(places, names, relative)

    @property
    def alone(self) -> str | None:
        """The only feature set with several layers; None where there are more, or none."""
        several = [name for name, own in self.places.items() if len(own) > 1]
        return several[0] if len(several) == 1 else None

    @property
    def step(self) -> float:
        """Distance of neighbouring layers; of the deepest feature set where places are relative."""
        deepest = max((len(own) for own in self.places.values()), default=1)
        return 1.0 / (deepest - 1) if self.relative else 1.0

    @property
    def label(self) -> str:
        """What the axis is."""
        if self.relative:
            return DEPTH
        if self.alone is None or not self._named(self.alone):
            return COUNTED
        _, before, after = without_common(self._listed(self.alone))
        return f"layer of {shorten(self.alone, 30)}" + (f" ({before}…{after})" if before or after else "")

    @property
    def one_layer_words(self) -> str:
        """A sentence for captions of figures in which feature sets with one layer stand beside others."""
        one = [len(own) == 1 for own in self.places.values()]
        return " Feature sets with one layer stand at the left end." if any(one) and not all(one) else ""

    @property
    def height(self) -> float:
        """Millimetres that the names need below the axis beyond what numbers need."""
        longest = max(map(len, self.labels()), default=0) if not self.relative else 0
        if longest <= UPRIGHT:
            return 0.0
        return text_width("x" * longest) * np.sin(np.radians(ANGLE))

    def place(self, rows: pd.DataFrame, by: str = "features") -> pd.Series:
        """Where the layer of every row stands."""
        places = [self.places[str(name)][int(layer)] for name, layer in zip(rows[by], rows["layer"], strict=True)]
        return pd.Series(places, index=rows.index, dtype=float)

    def name_of(self, rows: pd.DataFrame, by: str = "features") -> list[str]:
        """Name of the layer of every row."""
        return [self.name(name, layer) for name, layer in zip(rows[by], rows["layer"], strict=True)]

    def depth(self, features: str, layer: int) -> float:
        """Relative depth of a layer in its feature set."""
        own = self.places[str(features)]
        return self.places[str(features)][int(layer)] / (1.0 if self.relative else max(len(own) - 1, 1))

    def depth_among(self, features: str, layer: int) -> float | None:
        """Relative depth of a layer among several; None where there are none, or it is not known."""
        own = self.places.get(str(features), {})
        return self.depth(features, layer) if len(own) > 1 and int(layer) in own else None

    def at(self, features: str, layer: int) -> str:
        """Say where a layer is: `at layer conv3, depth 0.50`; `at its only layer`."""
        if len(self.places[str(features)]) == 1:
            return "at its only layer"
        return f"at {layer_words(self.name(features, layer))}, depth {self.depth(features, layer):.2f}"

    def name(self, features: str, layer: int) -> str:
        """Name of a layer, or its index where it has none."""
        return self.names.get(str(features), {}).get(int(layer), str(int(layer)))

    def labels(self) -> list[str]:
        """Short names of the layers of the only feature set that has several, in their order; else none."""
        return [] if self.alone is None else self.short(self.alone)

    def short(self, features: str) -> list[str]:
        """Short names of the layers of a feature set, in their order."""
        return short_names(self._listed(features))

    def mark(self, axes: Sequence[Axes], columns: int = 1) -> None:
        """Tick the x axis of panels that stand in some columns: at depths, or at as many names as fit, ends included.

        Parameters
        ----------
        axes : sequence of Axes
        columns : int
            Of panels, which says how wide one is.
        """
        if self.alone is None:
            for axis in axes:
                axis.xaxis.set_major_locator(FixedLocator([0.0, 0.5, 1.0]) if self.relative else FixedLocator([0.0]))
                if self.relative:
                    axis.set_xticks([0.0, 0.5, 1.0], ["0", "0.5", "1"])
            return
        labels = self.labels()
        upright = max(map(len, labels)) <= UPRIGHT
        room = (WIDTH - 14.0) / columns - 4.0
        kept = thinned(len(labels), int(room // APART))
        turned: dict[str, Any] = {} if upright else {"rotation": ANGLE, "ha": "right", "rotation_mode": "anchor"}
        for axis in axes:
            axis.set_xticks(kept, [labels[place] for place in kept], fontsize=SMALL, **turned)

    def _named(self, features: str) -> bool:
        return len(self.names.get(features, {})) > 0

    def _listed(self, features: str) -> list[str]:
        return [self.name(features, layer) for layer in self.places[features]]


def layer_words(name: str) -> str:
    """Put `layer` before a name that does not begin with it: `layer conv3`, `layer03`."""
    return name if name.lower().startswith("layer") else f"layer {name}"


def text_width(text: str) -> float:
    """Width of a small text, mm, about."""
    return len(text) * CHARACTER * SMALL / 72 / MM


def thinned(n: int, most: int) -> list[int]:
    """Choose from the places 0 to n - 1 both ends and as many others, about evenly, as leave room for `most` labels."""
    gap = (n - 1) / max(most - 1, 1)  # places that one label takes
    for kept in range(min(n, most), 2, -1):
        places = np.linspace(0, n - 1, kept).round().astype(int)
        if np.diff(places).min() >= gap:
            return [int(place) for place in places]
    return [0, n - 1] if n > 1 else [0]


def without_common(names: Sequence[str]) -> tuple[list[str], str, str]:
    """Cut what all names begin and end with, at separators: the rest of each, the beginning, the end.

    `encoder.layers.0.fc` and `encoder.layers.11.fc` become `0` and `11`, `encoder.layers.`, `.fc`.
    """
    if len(names) < 2:
        return list(names), "", ""
    before = _common(names)
    rest = [name[len(before) :] for name in names]
    after = _common([name[::-1] for name in rest])[::-1]
    cut = [name[: len(name) - len(after)] for name in rest]
    return (cut, before, after) if all(cut) else (list(names), "", "")


def _common(names: Sequence[str]) -> str:
    """What all names begin with, up to the last separator in it."""
    first, last = min(names), max(names)  # what these two share, all share
    same = next((place for place, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), len(first))
    return first[: max(first.rfind(mark, 0, same) for mark in SEPARATORS) + 1]


def short_names(names: Sequence[str]) -> list[str]:
    """Shorten names for ticks; where that makes two of them alike, their number in the row stands before each."""
    cut = [shorten(name, LONGEST) for name in without_common(names)[0]]
    if len(set(cut)) == len(cut):
        return cut
    return [f"{place} {shorten(name, LONGEST - 4)}" for place, name in enumerate(without_common(names)[0])]
