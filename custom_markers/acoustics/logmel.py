"""The log-mel spectrum of a sound: the plainest acoustic features, as a baseline."""

from typing import Any, ClassVar

import numpy as np
from pydantic import Field, PrivateAttr

from ..marker.base import AudioMarker
from ..marker.registration import register_marker
from ..sounds.audio import AudioError, TooShortError


@register_marker
class LogMel(AudioMarker):
    """Mean and standard deviation over time of the log power in mel bands.

    One layer of 2 * n_mels units: the means of all bands, low to high, then their standard deviations. The bands and
    frames are those of EnCodecMAE's front end (26.6-ms windows every 13.25 ms, triangles on the scale
    1127 ln(1 + f/700) from 20 to 12000 Hz, natural logarithm), so that the baseline differs from the network by what
    the network adds and by nothing else.

    Parameters
    ----------
    n_mels : int
        Number of mel bands, 64 unless told.
    """

    _DEPENDENCIES: ClassVar[set] = {"soundfile", "soxr", "torch"}

    n_mels: int = Field(default=64, ge=2, le=256)

    _front_end: Any = PrivateAttr(None)

    def layer_names(self) -> dict[int, str]:
        """Return the one layer, `logmel`."""
        return {0: "logmel"}

    def layers_of(self, wave: np.ndarray) -> list[np.ndarray]:
        """Compute [means | standard deviations], shape (2 * n_mels,)."""
        import torch

        from ..networks.encodecmae.mel import MelFrontEnd

        if self._front_end is None:
            self._front_end = MelFrontEnd(self.n_mels)
        try:
            mel = self._front_end(torch.from_numpy(wave)[None])[0].double().numpy()  # [T, n_mels]
        except TooShortError as error:
            raise AudioError(f"{self.name}: {error}") from error
        return [np.concatenate([mel.mean(axis=0), mel.std(axis=0)])]
