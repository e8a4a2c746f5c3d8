"""The SpectroTemporal baseline: spectrotemporal modulation of the cochleagram, without any learning."""

from collections.abc import Callable
from functools import lru_cache
from typing import ClassVar, Literal

import numpy as np

from ..marker.base import AudioMarker
from ..marker.registration import register_marker
from .cochleagram import SAMPLE_RATE, cochleagram, resample_polyphase
from .modulation import modulation_power

COMPRESSIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {"power": np.copy, "sqrt": np.sqrt, "log": np.log}


@lru_cache(maxsize=1)
def _power(samples: bytes) -> np.ndarray:
    """Compute the features of one sound, float64; markers that differ in compression only share the last one."""
    power = modulation_power(cochleagram(np.frombuffer(samples))).ravel()
    power.setflags(write=False)
    return power


@register_marker
class SpectroTemporal(AudioMarker):
    """Power of a sound's cochleagram in 111 modulation filters x 211 cochlear channels.

    One layer, `spectemp`, of 23,421 units: all channels (low to high) of the first filter, then of the second, in the
    order of `modulation.filter_order`. This is the baseline of Tuckute et al. 2023.

    Sounds need not last 2 s as the published ones: cochlear filters are sampled at the sound's own frequencies, frames
    are as many as fit, and modulation filters and padding keep their published lengths (`modulation.temporal_filters`).
    Sounds of less than 0.2 s and silent ones are refused.

    Scaling units over stimuli (z-scores) needs other stimuli than the one at hand and belongs to the comparison.

    Parameters
    ----------
    compression : {"power", "sqrt", "log"}
        `power` as published; the square root or the natural logarithm of it. The few units with large power dominate
        a regression on `power`: `sqrt` and `log` are the fairer baselines.
    """

    _DEPENDENCIES: ClassVar[set] = {"soundfile", "scipy"}
    SAMPLE_RATE: ClassVar[int] = SAMPLE_RATE

    compression: Literal["power", "sqrt", "log"] = "power"

    def layer_names(self) -> dict[int, str]:
        """Return the one layer, `spectemp`."""
        return {0: "spectemp"}

    def resample(self, wave: np.ndarray, rate: int) -> np.ndarray:
        """Resample as the published features were, by scipy's polyphase filter; float64."""
        return resample_polyphase(wave, rate)

    def layers_of(self, wave: np.ndarray) -> list[np.ndarray]:
        """Compute the features, shape (23421,)."""
        power = _power(np.asarray(wave, dtype=np.float64).tobytes())
        return [COMPRESSIONS[self.compression](power)]
