"""Tables pickled by pandas, read without pandas running anything that the file asks for.

The names that such a pickle may use are these, each a stand-in that holds what it is given: the numpy names of
`unpickler`, DataFrame, BlockManager, `_new_Index` with Index, RangeIndex and the numeric indices that pandas 2
removed, the makers of blocks of pandas 1.3 and of 2, `functools.partial` and `slice`. The columns are then put together
from the blocks. That covers pandas 1.0 to 2.3 with columns of numbers, booleans and text; other column types
(categorical, nullable, dates, the text columns of pandas 3) are refused by name.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ...errors import DataError
from .unpickler import NUMPY, Inert, Refused, load_stand_ins, refusal, resolve


class IndexName(Inert):
    """For the class of an index, which pickles mention."""


class RangeIndexName(IndexName):
    """For an index that is a range."""


class Index(Inert):
    """For `_new_Index`: labels."""

    def __init__(self, kind: type, state: dict) -> None:
        self.is_range, self.state = kind is RangeIndexName, state

    def labels(self) -> pd.Index:
        """Return the labels as pandas holds them."""
        state = resolve(self.state, objects=True)
        if self.is_range:
            return pd.RangeIndex(state["start"], state["stop"], state["step"], name=state["name"])
        return pd.Index(state["data"], name=state["name"])


class Block(Inert):
    """For a block: values [column, row] of one type, and the columns' positions."""

    def __init__(self, values: Any, placement: Any, ndim: int = 2) -> None:
        self.values, self.placement = values, placement


class NewBlock(Inert):
    """For `new_block`, which is named but called through `Partial`."""


class Partial(Inert):
    """For `functools.partial`, by which pandas 1.3 wraps `new_block`; whatever is wrapped, a block comes out."""

    def __init__(self, *_: Any) -> None:
        """Ignore the function."""

    def __setstate__(self, state: tuple) -> None:
        """Ignore (function, arguments, keywords, attributes): the only keyword is the number of dimensions."""

    def __call__(self, values: Any, placement: Any) -> Block:
        """Return a block."""
        return Block(values, placement)


class BlockManager(Inert):
    """For the blocks and axes of a table."""

    def __init__(self, blocks: Any = (), axes: Any = ()) -> None:
        self.blocks, self.axes = blocks, axes

    def __setstate__(self, state: tuple) -> None:
        """Take the state of pandas before 1.3: (axes, values, labels, {"0.14.1": {"axes": ..., "blocks": ...}})."""
        content = state[3]["0.14.1"]
        self.axes = content["axes"]
        self.blocks = [Block(block["values"], block["mgr_locs"]) for block in content["blocks"]]


class Frame(Inert):
    """For a DataFrame."""

    def __setstate__(self, state: dict) -> None:
        """Take the manager, which pandas 1.0 called `_data`."""
        self.manager = state["_mgr"] if "_mgr" in state else state["_data"]


PANDAS = {
    **NUMPY,
    ("pandas.core.frame", "DataFrame"): Frame,
    ("pandas.core.internals.managers", "BlockManager"): BlockManager,
    ("pandas.core.indexes.base", "_new_Index"): Index,
    ("pandas.core.indexes.base", "Index"): IndexName,
    ("pandas.core.indexes.range", "RangeIndex"): RangeIndexName,
    **{("pandas.core.indexes.numeric", f"{kind}Index"): IndexName for kind in ("Int64", "UInt64", "Float64")},
    ("pandas.core.internals.blocks", "new_block"): NewBlock,
    ("pandas._libs.internals", "_unpickle_block"): Block,
    ("functools", "partial"): Partial,
    ("builtins", "slice"): slice,
}


def read_frame(path: Path) -> pd.DataFrame:
    """Read a table that `DataFrame.to_pickle` wrote.

    Raises
    ------
    DataError
        The pickle asks for a name that is not admitted (nothing was run), or is not a table of numbers and text.
    """
    content = load_stand_ins(path, PANDAS)
    if not isinstance(content, Frame):
        raise DataError(f"{path}: the pickle holds a {type(content).__name__}; expected a table (pandas DataFrame).")
    try:
        return _assemble(content.manager)
    except Refused as error:
        raise refusal(path, error, PANDAS) from error
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise DataError(f"{path}: the pickle is not laid out like a table of pandas 1.0 to 2.3: {error!r}.") from error


def _assemble(manager: BlockManager) -> pd.DataFrame:
    columns, rows = (axis.labels() for axis in manager.axes)
    found: dict[int, np.ndarray] = {}
    for block in manager.blocks:
        values = resolve(block.values, objects=True)
        place = block.placement
        positions = range(len(columns))[place] if isinstance(place, slice) else [int(p) for p in resolve(place)]
        if values.shape != (len(positions), len(rows)):
            raise ValueError(f"a block of shape {values.shape} for {len(positions)} columns of {len(rows)} rows")
        found.update(zip(positions, values, strict=True))
    if sorted(found) != list(range(len(columns))):
        raise ValueError(f"blocks for the columns {sorted(found)} of {len(columns)}")
    frame = pd.DataFrame({position: found[position] for position in range(len(columns))}, index=rows)
    frame.columns = columns
    return frame
