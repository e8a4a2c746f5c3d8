"""What makes a sound doubtful, not unusable: silence, cancelling channels, clipping, over-range, offset."""

import logging
import math
from pathlib import Path

import click
import numpy as np

from auralign.inputs.sounds import Finding, describe, read_sounds

from .audio import Recording

logger = logging.getLogger("junifer")

SILENT_DB = -90.0  # re full scale; the dither of 16-bit audio is at about -96 dB
CANCELLING = 0.03  # root mean square of the mean over channels, as a part of that of the channels
CLIPPED_RUN = 3  # samples
CLIPPED_STEP = 4  # least significant bits: the step into a run, which a smooth peak of a low tone does not have
FINEST_BITS = 16  # material of more bits, or floats, was often clipped at 16


def findings(recording: Recording) -> list[Finding]:
    """List what is doubtful about a sound by itself.

    Parameters
    ----------
    recording : Recording

    Returns
    -------
    list of Finding
        In the order of `Finding`.
    """
    samples = recording.samples.astype(np.float64)  # [N, C]
    mixed = samples.mean(axis=1)
    offset = abs(mixed.mean())
    signal, channels = mixed.std(), math.sqrt((samples.std(axis=0) ** 2).mean())
    silent = 10 ** (SILENT_DB / 20)
    found = {
        Finding.SILENT: channels < silent,
        Finding.CANCELLING: channels >= silent and signal < CANCELLING * channels,
        Finding.CLIPPED: any(_is_clipped(channel, recording.bits) for channel in samples.T),
        Finding.OVER_RANGE: np.abs(samples).max() > 1,
        Finding.OFFSET: channels >= silent and signal >= CANCELLING * channels and offset > signal,
    }
    return [finding for finding, is_so in found.items() if is_so]


def _is_clipped(wave: np.ndarray, bits: int | None) -> bool:
    """Tell whether a channel has runs of equal samples at full scale that it enters or leaves by a step.

    A single peak at full scale is none, nor is the rounded top of a low tone.
    """
    bit = 2.0 ** (1 - min(bits or FINEST_BITS, FINEST_BITS))
    change = np.flatnonzero(np.diff(wave)) + 1
    first, end = np.append(0, change), np.append(change, len(wave))  # of runs of equal samples
    runs = (end - first >= CLIPPED_RUN) & (np.abs(wave[first]) >= 1 - bit) & (end - first < len(wave))
    level = wave[first[runs]]
    before, after = wave[np.maximum(first[runs] - 1, 0)], wave[np.minimum(end[runs], len(wave) - 1)]
    step = np.maximum(np.abs(level - before), np.abs(level - after))
    return bool((step > CLIPPED_STEP * bit).any())


_SUMMARIES = "custom_markers.sound_summaries"


def summarise_at_end(storage: Path, marker: str, rate: int) -> None:
    """Let the running `junifer` command end with the warnings on the sounds of a storage, once for all markers.

    Parameters
    ----------
    storage : Path
    marker : str
    rate : int
        Sampling rate in Hz that the marker works at.
    """
    context = click.get_current_context(silent=True)
    if context is None:
        return
    rates = context.meta.setdefault(_SUMMARIES, {}).setdefault(storage, {})
    if not rates:
        context.call_on_close(lambda: _summarise(storage, rates))
    rates[marker] = rate


def _summarise(storage: Path, rates: dict[str, int]) -> None:
    for sentence in describe(list(read_sounds(storage).values()), rates, storage.stem):
        logger.warning(sentence)
