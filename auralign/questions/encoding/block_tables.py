"""What the blocks of encoding hold, with the names of what it is of: read part by part, and written the same way."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from ...analysis.score_arrays import Model, Scores
from ...analysis.stored_scores import Piece, StoredScores
from ...errors import AuralignError
from ...files.row_groups import open_row_groups
from ...inputs.study import Study
from ..measures import one_name
from .parts import TARGETS_TOGETHER, in_order
from .summary import IDENTITY

if TYPE_CHECKING:
    from .plan import Planned

_OF_LAYER = ("features", "layer", "estimator")
# numbers of which there are few different ones
_REPEATED = ("layer", "split", "alpha", "n_train", "n_test", "unit")


class BlockTables:
    """The tables of the blocks of a comparison, which are done.

    Parameters
    ----------
    planned : list of Planned
        The parts of a layer follow each other.
    study : Study
    """

    def __init__(self, planned: list[Planned], study: Study) -> None:
        self._planned = planned
        self._targets = study.targets.target.to_numpy().astype(object)
        self._sizes = pd.DataFrame(
            {
                "split": np.arange(len(study.splits)),
                "n_train": [len(development) for development, _ in study.splits],
                "n_test": [len(test) for _, test in study.splits],
            }
        )

    @property
    def sparse(self) -> list[Planned]:
        """Blocks of estimators that select features."""
        return [planned for planned in self._planned if planned.job.is_sparse]

    @cached_property
    def scores(self) -> Scores:
        """The scores as they lie in the files of the blocks.

        Raises
        ------
        AuralignError
            A file is gone, or cannot be read.
        """
        pieces: dict[tuple[str, str, int], list[Piece]] = {}
        names: dict[tuple[str, str], dict[int, str]] = {}
        numbers: dict[str, None] = {}
        for planned in self._planned:
            key = planned.features, planned.estimator
            pieces.setdefault((*key, planned.layer), []).append(Piece(planned.job.file("scores"), planned.part))
            names.setdefault(key, {})[planned.layer] = planned.layer_name
            numbers |= dict.fromkeys(
                name for name, kind in self._schema(planned, "scores") if pa.types.is_floating(kind)
            )
        models = []
        for (features, estimator), of_layer in names.items():
            layers = sorted(of_layer)
            layer_names = np.array([of_layer[layer] for layer in layers], dtype=object)
            models.append(Model(features, estimator, np.array(layers), layer_names))
        return StoredScores(models, self._targets, tuple(numbers), self._sizes, pieces)

    @staticmethod
    def _schema(planned: Planned, table: str) -> list[tuple[str, pa.DataType]]:
        path = planned.job.file(table)
        try:
            schema = pq.read_schema(path)
        except (OSError, pa.ArrowException) as error:
            raise AuralignError(
                f"{path}: {planned.job.label}: its results are gone. Run the same command again."
            ) from error
        return [(field.name, field.type) for field in schema]

    def parts(self, table: str) -> Iterator[tuple[Planned, pd.DataFrame]]:
        """Yield a table of every layer and estimator, up to `TARGETS_TOGETHER` targets at a time, rows in order.

        `target` is the position. Of estimators that fit all targets together, all of them come at a time.
        """
        wanted = self.sparse if table == "selected" else self._planned
        for _, of_layer in groupby(wanted, key=attrgetter(*_OF_LAYER)):
            for _, together in groupby(of_layer, key=lambda planned: planned.part.start // TARGETS_TOGETHER):
                own = list(together)
                read = [planned.job.need(table) for planned in own]
                yield own[0], read[0] if len(read) == 1 else in_order(pd.concat(read, ignore_index=True))

    def layers(self, table: str) -> Iterator[tuple[Planned, pd.DataFrame]]:
        """Yield a table of every layer and estimator, of all targets."""
        for _, of_layer in groupby(self.parts(table), key=lambda part: attrgetter(*_OF_LAYER)(part[0])):
            read = list(of_layer)
            yield read[0][0], pd.concat([own for _, own in read], ignore_index=True)

    def named(self, planned: Planned, table: pd.DataFrame) -> pd.DataFrame:
        """Put the names before a table of a block, as categories."""
        n_rows = len(table)
        names = {name: one_name(getattr(planned, name), n_rows) for name in ("features", "layer_name", "estimator")}
        names["layer"] = np.full(n_rows, planned.layer, dtype=np.int64)
        targets = pd.CategoricalDtype(pd.Index(self._targets))
        names["target"] = pd.Categorical.from_codes(table["target"].to_numpy(), dtype=targets)
        rest = table.columns.drop("target")
        return pd.DataFrame({**{name: names[name] for name in IDENTITY}, **{name: table[name] for name in rest}})

    def write(self, table: str, path: Path) -> None:
        """Write a table of all blocks into one file, a row group per part."""
        wanted = self.sparse if table == "selected" else self._planned
        columns = dict.fromkeys(name for planned in wanted for name, _ in self._schema(planned, table))
        with open_row_groups(path, _REPEATED) as file:
            for planned, part in self.parts(table):
                file.write(self.named(planned, part.reindex(columns=list(columns))))
