"""What junifer imports (`with: custom_markers`): the data type Audio, its data grabber and the markers."""

from .acoustics.acoustic_summary import AcousticSummary
from .acoustics.logmel import LogMel
from .acoustics.spectrotemporal import SpectroTemporal
from .networks.encodecmae.marker import EncodecMAE
from .networks.wav2vec2 import Wav2Vec2
from .networks.whisper.marker import Whisper
from .running.complaints import speak_plainly
from .running.preflight import remember_queued_yaml
from .stimuli import AudioStimuli

__all__ = ["AcousticSummary", "AudioStimuli", "EncodecMAE", "LogMel", "SpectroTemporal", "Wav2Vec2", "Whisper"]

speak_plainly()
remember_queued_yaml()
