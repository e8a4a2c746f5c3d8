"""What was found, as plain text for a terminal."""

from ..results import Results
from ..summary import headline
from .recovery import recovery


def describe(results: Results) -> str:
    """Return the headline of a result, and what was recovered of a synthetic one, as plain text."""
    parts = [
        f"{results.name}: median r2_corr over splits, best layer (chosen on these scores)\n",
        headline(results.summary).to_string(),
    ]
    recovered = recovery(results)
    if recovered is not None:
        table = recovered[["target", "ceiling", "reached", "expected", "verdict"]]
        parts += ["\nsynthetic responses with known ceilings:\n", table.to_string(index=False, float_format="%.3f")]
    return "\n".join(parts)
