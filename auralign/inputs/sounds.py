"""What is known of the sounds behind a junifer storage: a table beside it, and the sentences that follow from it.

`junifer run` appends a line per sound to `<name>.sounds.tsv` beside `<name>.hdf5`: its checksum, length, sampling rate
and channels, and what is doubtful about it. Readers take the last line of a sound.
"""

import csv
import io
import math
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from statistics import median
from typing import Any

from ..errors import DataError
from .stimuli import stimulus_order

COLUMNS = ("stimulus", "sha256", "n_samples", "sample_rate", "channels", "findings")
# a length is far from the others' beyond this factor, or beyond this many median absolute deviations (of log length)
FAR_FACTOR, FAR_DEVIATIONS = 1.25, 5.0
NAMED = 5  # sounds that a sentence names


class Finding(StrEnum):
    """What can be doubtful about a sound by itself."""

    SILENT = "silent"
    CANCELLING = "channels_cancel"
    CLIPPED = "clipped"
    OVER_RANGE = "over_range"
    OFFSET = "offset"


_SENTENCES = {
    Finding.SILENT: "{} silent: features of silence are constant",
    Finding.CANCELLING: "{} silent once the channels are averaged, because they cancel (opposite phase)",
    Finding.CLIPPED: "{} clipped: runs of samples stand at full scale",
    Finding.OVER_RANGE: "{} beyond full scale (floating-point samples outside of -1 to 1)",
    Finding.OFFSET: "{} shifted by a constant larger than the signal",
}


@dataclass(frozen=True)
class Sound:
    """A sound as it was read.

    Attributes
    ----------
    stimulus : str
    sha256 : str
        Of the file.
    n_samples : int
        Per channel.
    sample_rate : int
        Hz.
    channels : int
    findings : tuple of Finding
    """

    stimulus: str
    sha256: str
    n_samples: int
    sample_rate: int
    channels: int
    findings: tuple[Finding, ...] = ()

    @property
    def duration(self) -> float:
        """Seconds."""
        return self.n_samples / self.sample_rate

    def line(self) -> str:
        """Return its line of the table."""
        fields = (self.stimulus, self.sha256, self.n_samples, self.sample_rate, self.channels, ",".join(self.findings))
        return _row(*fields)


def _row(*fields: object) -> str:
    text = io.StringIO()
    csv.writer(text, delimiter="\t", lineterminator="\n").writerow(fields)
    return text.getvalue()


def sounds_path(storage: Path) -> Path:
    """Return the table of the sounds of a storage `<name>.hdf5`: `<name>.sounds.tsv` beside it."""
    return Path(storage).with_suffix(".sounds.tsv")


def read_sounds(storage: Path) -> dict[str, Sound]:
    """Read the table beside a storage.

    Parameters
    ----------
    storage : Path

    Returns
    -------
    dict of str to Sound
        By stimulus; empty where there is no table (features that another program or an older version extracted).

    Raises
    ------
    DataError
        A line is not as this package writes it.
    """
    path = sounds_path(storage)
    if not path.exists():
        return {}
    sounds = {}
    with open(path, encoding="utf-8", newline="") as file:
        rows = csv.reader(file, delimiter="\t")
        next(rows, None)
        for row in rows:
            try:
                stimulus, sha256, *numbers, found = row
                n_samples, sample_rate, channels = map(int, numbers)
                kinds = tuple(Finding(name) for name in found.split(",") if name)
            except ValueError as error:
                raise DataError(
                    f"{path}, line {rows.line_num}: not as `junifer run` writes it ({error}); expected "
                    f"{', '.join(COLUMNS)}. Delete the file and run `junifer run` again: stored features are kept."
                ) from error
            sounds[stimulus] = Sound(stimulus, sha256, n_samples, sample_rate, channels, kinds)
    return sounds


def write_sound(storage: Path, sound: Sound) -> None:
    """Append a sound to the table beside a storage, unless its last line there says the same.

    The caller makes sure that no other process does so at the same time. A line that a killed process left half
    written is removed.
    """
    path = sounds_path(storage)
    header = "\t".join(COLUMNS) + "\n"
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists():
        content = path.read_bytes()
        whole = content[: content.rfind(b"\n") + 1]
        if len(whole) < len(content):
            with open(path, "r+b") as file:
                file.truncate(len(whole))
        if _last_line(whole, sound.stimulus) == sound.line().encode():
            return
        header = "" if whole else header
    with open(path, "a", encoding="utf-8", newline="") as file:
        file.write(header + sound.line())


def _last_line(table: bytes, stimulus: str) -> bytes:
    """Return the last line of a stimulus in a table, found by its beginning: a run looks once for every sound."""
    beginning = _row(stimulus, "")[:-1].encode()
    at = table.rfind(b"\n" + beginning) + 1
    return table[at : table.find(b"\n", at + len(beginning)) + 1] if at else b""


def sound_warnings(storage: Path) -> list[str]:
    """Say what is doubtful about the sounds of a storage.

    Parameters
    ----------
    storage : Path
        The collected file, `<name>.hdf5`, or the one that `junifer collect` would write.

    Returns
    -------
    list of str
        A sentence per kind of doubt, with names; empty where nothing is doubtful or known.

    Raises
    ------
    DataError
        The table beside the storage is damaged.
    """
    sounds = read_sounds(storage)
    if not sounds:
        return []
    rates, stored = _collected(storage)
    present = [sound for stimulus, sound in sounds.items() if stored is None or stimulus in stored]
    return describe(present, rates, Path(storage).stem)


def describe(sounds: Sequence[Sound], rates: dict[str, int], of: str) -> list[str]:
    """Say what is doubtful about sounds.

    Parameters
    ----------
    sounds : sequence of Sound
    rates : dict of str to int
        Sampling rates in Hz that markers work at, by marker.
    of : str
        What the sounds belong to, for the sentences.

    Returns
    -------
    list of str
    """
    sentences = []
    for finding, sentence in _SENTENCES.items():
        if names := [sound.stimulus for sound in sounds if finding in sound.findings]:
            sentences.append(f"Sounds of {of}: {sentence.format(_named(names))}.")
    if far := _far_lengths(sounds):
        usual = median(sound.duration for sound in sounds)
        sentences.append(
            f"Sounds of {of}: {_named(far)} far from the others in length ({usual:.3g} s in the middle). A file that "
            "was cut off looks like this."
        )
    sentences += _low_rates(sounds, rates, of)
    by_checksum = defaultdict(list)
    for sound in sounds:
        by_checksum[sound.sha256].append(sound.stimulus)
    if alike := [stimulus_order(names) for names in by_checksum.values() if len(names) > 1]:
        groups = [" = ".join(names) for names in alike[:NAMED]]
        more = f" and {len(alike) - NAMED} more" if len(alike) > NAMED else ""
        sentences.append(
            f"Sounds of {of}: the same recording is there more than once: {', '.join(groups)}{more}. A split that puts "
            "one into development and the other into test scores what it has seen; keep them together with "
            "`splits: {kind: group_shuffle, groups: <column>}`, a column of the stimuli table that names the recording."
        )
    return sentences


def _named(sounds: Iterable[str | tuple[str, str]]) -> str:
    """Write `3 of them are`: the first few names in order, how many more there are, and the verb."""
    notes = dict(sound if isinstance(sound, tuple) else (sound, "") for sound in sounds)
    names = [name + notes[name] for name in stimulus_order(notes)]
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return f"{', '.join(names[:NAMED])}{more} {'is' if len(names) == 1 else 'are'}"


def _far_lengths(sounds: Sequence[Sound]) -> list[tuple[str, str]]:
    """Name the sounds whose length is far from the others', with their length."""
    if len(sounds) < 3 or any(sound.n_samples == 0 for sound in sounds):
        return []
    logs = [math.log(sound.duration) for sound in sounds]
    middle = median(logs)
    spread = median(abs(value - middle) for value in logs)
    limit = max(math.log(FAR_FACTOR), FAR_DEVIATIONS * spread)
    return [
        (sound.stimulus, f" ({sound.duration:.3g} s)")
        for sound, value in zip(sounds, logs, strict=True)
        if abs(value - middle) > limit
    ]


def _low_rates(sounds: Sequence[Sound], rates: dict[str, int], of: str) -> list[str]:
    """Say which sounds have a lower sampling rate than the markers work at."""
    if not sounds:
        return []
    low = {marker: rate for marker, rate in rates.items() if any(sound.sample_rate < rate for sound in sounds)}
    if not low:
        return []
    highest = max(low.values())
    below = [(sound.stimulus, f" ({sound.sample_rate} Hz)") for sound in sounds if sound.sample_rate < highest]
    markers = ", ".join(f"{marker} ({rate} Hz)" for marker, rate in low.items())
    all_alike = 1 < len(below) == len(sounds) and len({note for _, note in below}) == 1
    who = f"all {len(sounds)}{below[0][1]} are" if all_alike else _named(below)
    return [
        f"Sounds of {of}: {who} below the sampling rate of {markers}; there is nothing above half of a sound's own "
        "sampling rate, where the network was trained to hear something."
    ]


_FEATURE = re.compile(r"Audio_(.+)_layer\d+")


def _collected(storage: Path) -> tuple[dict[str, int], set[str] | None]:
    """Return the sampling rate of every marker of a storage, and its stimuli; nothing and None if not collected."""
    from junifer.storage import HDF5FeatureStorage

    rates: dict[str, int] = {}
    if not Path(storage).is_file():
        return rates, None
    try:
        collected = HDF5FeatureStorage(uri=storage)
        features = collected.list_features()
        for meta in features.values():
            found = _FEATURE.fullmatch(meta["name"])
            if found and "sample_rate" in meta.get("marker", {}):
                rates[found[1]] = int(meta["marker"]["sample_rate"])
        stimuli = set()
        for md5 in list(features)[:1]:
            key = features[md5]["_element_keys"][0]
            stored: Any = collected.read(feature_md5=md5)
            stimuli = {str(element[key]) for element in stored["element"]}
        return rates, stimuli
    except (OSError, KeyError, RuntimeError, ValueError):
        return rates, None  # whoever reads its features tells that it is damaged
