"""What the YAML file of a comparison may say, key by key: the options of its question, and how it is run."""

from __future__ import annotations

from ..options import Name
from ..questions.encoding.options import Encoding


class Comparison(Encoding):
    """A whole comparison, as a file of `julearn_configs/` says it."""

    name: Name
    scheduler: str | None = None
