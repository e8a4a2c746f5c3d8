"""What junifer imports (`with: custom_markers`): the data type Audio, its data grabber and the markers."""

from .encodecmae.marker import EncodecMAE
from .logmel import LogMel
from .preflight import remember_queued_yaml
from .spectrotemporal import SpectroTemporal
from .stimuli import AudioStimuli

__all__ = ["AudioStimuli", "EncodecMAE", "LogMel", "SpectroTemporal"]

remember_queued_yaml()
