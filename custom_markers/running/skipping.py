"""Going on without sounds that cannot be used (AURALIGN_ON_ERROR=skip), but not without most of them.

A fault of a marker or of its settings looks like a fault of every sound. Where more than half of the sounds fail alike,
the reason is not the sounds: the run stops and says so.
"""

import atexit
import logging
import os
import re
from collections import Counter
from pathlib import Path

import click

from ..sounds.audio import AudioError

logger = logging.getLogger("junifer")

ENOUGH = 10  # sounds that are tried before a run is stopped
FEWEST = 3  # failures that count as alike at the end of a shorter run


class TooManySkipped(RuntimeError):
    """More than half of the sounds fail alike: the reason is hardly the sounds."""


class Skipping:
    """The sounds that one marker was given, and those that it skipped.

    Parameters
    ----------
    marker : str
        The marker's name.
    """

    def __init__(self, marker: str) -> None:
        self.marker = marker
        self.reasons: list[str] = []
        self._alike: Counter[str] = Counter()
        self._example: dict[str, str] = {}
        self._tried: set[Path] = set()

    def used(self, path: Path) -> None:
        """Note a sound that has its features, from now or from an earlier run."""
        self._begin()
        self._tried.add(path)

    def failed(self, path: Path, error: AudioError) -> None:
        """Skip a sound, or raise where sounds are not to be skipped.

        Raises
        ------
        AudioError
            AURALIGN_ON_ERROR is not `skip`.
        TooManySkipped
        """
        reason = str(error) if str(path) in str(error) else f"{path}: {error}"
        if os.environ.get("AURALIGN_ON_ERROR", "stop") != "skip":
            raise AudioError(f"{reason}\nSet AURALIGN_ON_ERROR=skip to go on without such sounds.") from error
        self._begin()
        if not self.reasons:
            atexit.register(self._report)
        self._tried.add(path)
        self.reasons.append(reason)
        kind = _kind(reason, path)
        self._alike[kind] += 1
        self._example.setdefault(kind, reason)
        logger.warning(f"skipped: {reason}")
        if len(self._tried) >= ENOUGH:
            self._refuse_most()

    def _begin(self) -> None:
        """Arrange for the last look, at the end of the running command."""
        context = click.get_current_context(silent=True)
        if context is not None and not self._tried:
            context.call_on_close(self._look_at_the_end)

    def _look_at_the_end(self) -> None:
        if max(self._alike.values(), default=0) >= FEWEST:
            self._refuse_most()

    def _refuse_most(self) -> None:
        kind, count = max(self._alike.items(), key=lambda item: item[1])
        if count * 2 <= len(self._tried):
            return
        self._alike.clear()  # said once
        atexit.unregister(self._report)  # every sound was named when it was skipped; the error shall be the last word
        raise TooManySkipped(
            f"{self.marker}: {count} of the {len(self._tried)} sounds that were tried fail alike, so the reason is "
            f"hardly the sounds; the run stops in spite of AURALIGN_ON_ERROR=skip. The first: {self._example[kind]}\n"
            "Correct the marker, its parameters or the pattern of the data grabber. Features that are stored already "
            "are kept."
        )

    def _report(self) -> None:
        listing = "\n".join(f"  {reason}" for reason in self.reasons)
        print(
            f"{self.marker}: {len(self.reasons)} sounds were skipped (AURALIGN_ON_ERROR=skip):\n{listing}", flush=True
        )


def _kind(reason: str, path: Path) -> str:
    """Reduce a reason to what sounds can have in common: without its path and numbers."""
    # names without folder only where they are quoted: a sound `a.wav` must not lose every letter a of its reason
    for own in (str(path), f"'{path.name}'", f"'{path.stem}'"):
        reason = reason.replace(own, "")
    return re.sub(r"\d+", "#", reason)
