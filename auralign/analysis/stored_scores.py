"""Scores that lie in parquet files: the blocks of a run, or the scores.parquet of its results."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ..errors import DataError
from .score_arrays import CELL, Model, Scores, TableScores

# targets that are read at a time where the files hold all of them
TARGETS_AT_ONCE = 8192


@dataclass(frozen=True)
class Piece:
    """Where the scores of one layer and some targets lie: in a parquet file, split by split, target by target.

    Attributes
    ----------
    path : Path
    targets : slice
        Positions among all targets.
    row_group : int, optional
        The row group that holds them and nothing else; by default the whole file.
    """

    path: Path
    targets: slice
    row_group: int | None = None


class StoredScores(Scores):
    """Scores that lie in files, of which no more is read than is asked for.

    Parameters
    ----------
    models, targets, metrics
        See `Scores`.
    sizes : DataFrame
        One row per split, ascending: `split`, `n_train`, `n_test`.
    pieces : mapping of (features, estimator, layer) to list of Piece
        In the order of the targets.
    """

    def __init__(
        self,
        models: list[Model],
        targets: np.ndarray,
        metrics: tuple[str, ...],
        sizes: pd.DataFrame,
        pieces: Mapping[tuple[str, str, int], Sequence[Piece]],
    ) -> None:
        self.models, self.targets, self.metrics = models, targets, metrics
        self.splits, self.n_train, self.n_test = (sizes[name].to_numpy() for name in ("split", "n_train", "n_test"))
        self._pieces = pieces
        self.parts = _shared_parts(list(pieces.values()), len(targets))

    @property
    def blocks(self) -> list[tuple[Model, int]]:
        """See `Scores.blocks`; in the order of the files."""
        return [(self.model(features, estimator), layer) for features, estimator, layer in self._pieces]

    def read(
        self,
        model: Model,
        metrics: Sequence[str],
        targets: slice | None = None,
        layers: Iterable[int] | None = None,
    ) -> dict[str, np.ndarray]:
        """See `Scores.read`."""
        self.need(metrics)
        own, names = self.own(targets), list(dict.fromkeys(metrics))
        wanted = model.layers.tolist() if layers is None else list(layers)
        values = {
            metric: np.full((len(wanted), len(self.splits), max(own.stop - own.start, 0)), np.nan) for metric in names
        }
        for number, layer in enumerate(wanted):
            for piece in self._pieces[model.features, model.estimator, layer]:
                start, stop = max(own.start, piece.targets.start), min(own.stop, piece.targets.stop)
                if start >= stop:
                    continue
                inside = slice(start - piece.targets.start, stop - piece.targets.start)
                read = _read_piece(piece, names, len(self.splits))
                for metric in names:
                    values[metric][number, :, start - own.start : stop - own.start] = read[metric][:, inside]
        return values


def _shared_parts(pieces: list[Sequence[Piece]], n_targets: int) -> list[slice]:
    """Divide the targets where the files of all models do, so that each file is read once.

    Files of all targets, of estimators that fit them together, are read some targets at a time where they are many.
    """
    ends = [{piece.targets.stop for piece in own} for own in pieces if len(own) > 1]
    shared = set.intersection(*ends) if ends else set(range(TARGETS_AT_ONCE, n_targets, TARGETS_AT_ONCE))
    bounds = sorted({0, n_targets} | shared)
    return [slice(start, stop) for start, stop in pairwise(bounds)]


def _read_piece(piece: Piece, metrics: list[str], n_splits: int) -> dict[str, np.ndarray]:
    """Read the columns of a piece, [n_splits, n_targets] each."""
    shape = (n_splits, piece.targets.stop - piece.targets.start)
    try:
        with pq.ParquetFile(piece.path) as file:
            held = [metric for metric in metrics if metric in file.schema_arrow.names]
            table = file.read(held) if piece.row_group is None else file.read_row_group(piece.row_group, held)
    except FileNotFoundError as error:
        raise DataError(f"{piece.path}: its results are gone. Run the same command again.") from error
    except (OSError, pa.ArrowException) as error:
        raise DataError(f"{piece.path}: the file cannot be read ({error}). Run the same command again.") from error
    read = {name: table[name].to_numpy().astype(float, copy=False).reshape(shape) for name in held}
    return {metric: read.get(metric, np.broadcast_to(np.nan, shape)) for metric in metrics}


def read_scores(path: Path) -> Scores:
    """Open a `scores.parquet`: some targets at a time where a row group holds one layer's, else as a whole.

    Raises
    ------
    DataError
        The file is not there, or cannot be read.
    """
    try:
        with pq.ParquetFile(path) as file:
            stored = _row_groups(path, file)
        return TableScores(pd.read_parquet(path)) if stored is None else stored
    except FileNotFoundError as error:
        raise DataError(f"{path}: the file is missing.") from error
    except (OSError, pa.ArrowException) as error:
        raise DataError(f"{path}: the file cannot be read ({error}). Run the comparison again.") from error


def _row_groups(path: Path, file: pq.ParquetFile) -> StoredScores | None:
    """Find what every row group holds; None where one holds several layers, or not all splits of its targets in order.

    A file of an earlier version has row groups of a million rows, whatever they hold.
    """
    names = [name for name in file.schema_arrow.names if pa.types.is_floating(file.schema_arrow.field(name).type)]
    whole: dict[str, int] = {}
    sizes: pd.DataFrame | None = None
    pieces: dict[tuple[str, str, int], list[Piece]] = {}
    labels: dict[tuple[str, int], str] = {}
    for number in range(file.num_row_groups):
        rows = file.read_row_group(number, [*CELL, "layer_name", "n_train", "n_test"])
        single = [pc.unique(rows[name]) for name in ("features", "estimator", "layer", "layer_name")]
        if not len(rows) or any(len(values) != 1 for values in single):
            return None
        features, estimator, layer, layer_name = (values[0].as_py() for values in single)
        found = rows.select(["split", "n_train", "n_test"]).to_pandas().drop_duplicates().reset_index(drop=True)
        targets = rows["target"].to_numpy().reshape(len(found), -1) if len(rows) % len(found) == 0 else None
        if sizes is None:
            sizes = found
        n_targets = len(rows) // len(sizes)
        if (
            targets is None
            or not sizes.equals(found)
            or not (rows["split"].to_numpy() == np.repeat(sizes["split"].to_numpy(), n_targets)).all()
            or not (targets == targets[0]).all()
        ):
            return None
        for target in targets[0]:
            whole.setdefault(target, len(whole))
        first = whole[targets[0][0]]
        if [whole[target] for target in targets[0]] != list(range(first, first + n_targets)):
            return None
        labels[features, layer] = layer_name
        piece = Piece(path, slice(first, first + n_targets), number)
        pieces.setdefault((features, estimator, layer), []).append(piece)
    if sizes is None or not all(_is_division(own, len(whole)) for own in pieces.values()):
        return None
    models = []
    for features, estimator in dict.fromkeys((features, estimator) for features, estimator, _ in pieces):
        layers = sorted(layer for own, label, layer in pieces if (own, label) == (features, estimator))
        layer_names = np.array([labels[features, layer] for layer in layers], dtype=object)
        models.append(Model(features, estimator, np.array(layers), layer_names))
    return StoredScores(models, np.array(list(whole), dtype=object), tuple(names), sizes, pieces)


def _is_division(pieces: Sequence[Piece], n_targets: int) -> bool:
    """Tell whether pieces hold all targets, in order."""
    ends = [0, *(piece.targets.stop for piece in pieces)]
    return [piece.targets.start for piece in pieces] == ends[:-1] and ends[-1] == n_targets
