"""What a reader of the results should know of the inputs, said while they are read: a run prints and records it."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager


class InputWarning(UserWarning):
    """An input was read in a way that its owner should know of; the message is a sentence that names the file."""


@contextmanager
def noted() -> Iterator[list[str]]:
    """Collect the `InputWarning`s of a block instead of showing them; other warnings are shown as ever.

    Yields
    ------
    list of str
        Filled at the end of the block: every message once, in the order in which they came.
    """
    notes: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", InputWarning)
        yield notes
    for warning in caught:
        if not issubclass(warning.category, InputWarning):
            warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
        elif str(warning.message) not in notes:
            notes.append(str(warning.message))
