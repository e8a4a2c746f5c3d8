"""The errors that a command prints without a traceback."""

import difflib
from collections.abc import Iterable


class AuralignError(Exception):
    """Something that the reader can mend; the message says what, in which file, what was allowed and what to do."""


class ConfigError(AuralignError):
    """A comparison's configuration is wrong."""


class DataError(AuralignError):
    """Features, responses or stimuli cannot be used together."""


class WorkerLost(AuralignError):
    """A process that computed a block ended without an answer, again and again."""


class DatasetError(AuralignError):
    """A recipe or a dataset is not as it should be, or its files cannot be had."""


def did_you_mean(given: str, allowed: Iterable[str], n: int = 3) -> str:
    """Return the sentence " Did you mean x or y?" for a name that is not allowed, "" where none is near.

    Parameters
    ----------
    given : str
        What the user wrote; capitals do not matter.
    allowed : iterable of str
        What could have been meant.
    n : int
        Most names in the sentence.
    """
    by_lower = {name.lower(): name for name in allowed}
    close = difflib.get_close_matches(given.lower(), by_lower, n=n, cutoff=0.6)
    return f" Did you mean {' or '.join(by_lower[name] for name in close)}?" if close else ""
