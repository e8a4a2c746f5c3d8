"""What was found, as plain text for a terminal."""

import textwrap
from collections.abc import Callable

import pandas as pd

from ..runs.results import Results
from .headline import details, details_title, headline
from .recovery import recovery
from .split_scores import SplitScores

WIDTH = 100


def describe(results: Results) -> str:
    """Return as plain text what was found: of encoding the headline, of other questions which numbers there are."""
    return "\n\n".join(DESCRIBED.get(name, _of_any)(results, name) for name in results.questions)


def _of_any(results: Results, question: str) -> str:
    """Say how many numbers of each measure there are, and their median."""
    values = results.measures(question=question).groupby("measure", sort=False)["value"]
    table = pd.DataFrame({"numbers": values.size(), "median": values.median()})
    return f"{results.name}: {question}; every number is in measures.parquet\n\n{table.to_string()}"


def _of_encoding(results: Results, question: str) -> str:
    """Say the headline, and what was recovered of a synthetic result."""
    splits = results.once(SplitScores)
    said = headline(splits)
    sentences = [f"{results.name}: {said.sentence}", *([said.people] if said.people else [])]
    parts = [textwrap.fill(sentence, WIDTH, break_long_words=False, break_on_hyphens=False) for sentence in sentences]
    parts += [f"\n{details_title(splits)}:\n", details(splits).to_string()]
    recovered = results.once(recovery)
    if recovered is not None:
        table = recovered[["target", "ceiling", "reached", "expected", "verdict"]]
        parts += ["\nsynthetic responses with known ceilings:\n", table.to_string(index=False, float_format="%.3f")]
    return "\n".join(parts)


# by question, what is said of its results in a terminal
DESCRIBED: dict[str, Callable[[Results, str], str]] = {"encoding": _of_encoding}
