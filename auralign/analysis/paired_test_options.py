"""What an entry of the `tests` of a comparison may say; `paired_tests` runs them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ..options import Options
from ..scoring.metrics import Metric


class Selector(Options):
    """Rows of the scores on one side of a test; what is not said is matched between both sides.

    `layer: nested` is chosen split by split inside the development stimuli, `layer: best` on the test stimuli.
    """

    features: str | None = None
    layer: Annotated[int, Field(strict=True, ge=0)] | Literal["nested", "best"] | None = None
    estimator: str | None = None


class Test(Options):
    """One comparison of two selections of scores, paired over splits."""

    # by default the primary metric of the comparison
    metric: Metric | None = None
    a: Selector
    b: Selector
