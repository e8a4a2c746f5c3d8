"""What was found, as plain text for a terminal."""

import textwrap

from ..runs.results import Results
from .headline import details, details_title, headline
from .recovery import recovery
from .split_scores import SplitScores

WIDTH = 100


def describe(results: Results) -> str:
    """Return the headline of a result, and what was recovered of a synthetic one, as plain text."""
    splits = SplitScores(results)
    said = headline(splits)
    sentences = [f"{results.name}: {said.sentence}", *([said.people] if said.people else [])]
    parts = [textwrap.fill(sentence, WIDTH, break_long_words=False, break_on_hyphens=False) for sentence in sentences]
    parts += [f"\n{details_title(splits)}:\n", details(splits).to_string()]
    recovered = recovery(results)
    if recovered is not None:
        table = recovered[["target", "ceiling", "reached", "expected", "verdict"]]
        parts += ["\nsynthetic responses with known ceilings:\n", table.to_string(index=False, float_format="%.3f")]
    return "\n".join(parts)
