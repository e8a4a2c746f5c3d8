"""What junifer imports (`with: custom_markers`): the data type Audio, its data grabber and the markers."""

from .acoustic_summary import AcousticSummary
from .complaints import speak_plainly
from .encodecmae.marker import EncodecMAE
from .logmel import LogMel
from .preflight import remember_queued_yaml
from .spectrotemporal import SpectroTemporal
from .stimuli import AudioStimuli
from .wav2vec2 import Wav2Vec2
from .whisper.marker import Whisper

__all__ = ["AcousticSummary", "AudioStimuli", "EncodecMAE", "LogMel", "SpectroTemporal", "Wav2Vec2", "Whisper"]

speak_plainly()
remember_queued_yaml()
