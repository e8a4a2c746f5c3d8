"""Encoding as a question: what it is, without what computes it, so that results are read without solvers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pandas as pd

from ..question import Place, Question
from . import measures
from .options import Encoding
from .table_files import TABLES

if TYPE_CHECKING:
    from ...inputs.study import Study
    from .plan import EncodingPlan


class EncodingQuestion(Question[Encoding]):
    """How well does every layer predict every response?"""

    name = "encoding"
    options = Encoding
    tables = TABLES
    measures = measures.MEASURES
    modules = ("auralign.questions.encoding.blocks",)
    # where two alphas predict alike, rounding chooses between them
    choices = ("alpha", "params")

    def needs_categories(self, options: Encoding) -> bool:
        """Tell whether stimuli are permuted within categories."""
        return options.needs_categories

    def plan(self, options: Encoding, study: Study, place: Place) -> EncodingPlan:
        """Check estimators, tests and hypotheses against the study, and plan its blocks."""
        from .plan import EncodingPlan

        return EncodingPlan(options, study, place)

    def older_measures(
        self, get: Callable[[str], pd.DataFrame | None]
    ) -> tuple[tuple[str, ...], Iterator[pd.DataFrame]] | None:
        """Make measures of the tables of a folder of an earlier version."""
        scores, summary, chance = (get(name) for name in ("scores", "summary", "above_chance"))
        if scores is None or summary is None:
            return None
        targets = summary.drop_duplicates("target").reset_index(drop=True)
        dims = measures.target_dims(targets)
        made = measures.of_tables({"above_chance": chance}, measures.blocks_of(scores, dims), targets, dims)
        return measures.dims_of(dims, "noise_ceiling_low" in targets, chance is not None), made
