"""The marker SpectroTemporal inside junifer."""

import numpy as np
import pytest
import soundfile

import custom_markers.acoustics.spectrotemporal as module
from auralign.inputs.features import read_features
from auralign.inputs.options import Features
from custom_markers.acoustics.cochleagram import cochleagram, resample_polyphase
from custom_markers.acoustics.modulation import modulation_power
from custom_markers.sounds.audio import AudioError, read_audio

from ..conftest import junifer


def _marker(compression: str) -> dict:
    return {"name": compression, "kind": "SpectroTemporal", "compression": compression}


def _succeed(command, yaml_file):
    result = junifer(command, yaml_file)
    if result.exception:
        raise result.exception


def _features(yaml_file, marker):
    storage = yaml_file.parent / yaml_file.stem / f"{yaml_file.stem}.hdf5"
    return read_features(marker, Features(storage=storage, marker=marker))


def test_the_three_compressions_are_stored_from_one_pass(make_yaml, sounds, monkeypatch):
    passes = []

    def counted(wave):
        passes.append(1)
        return modulation_power(wave)

    monkeypatch.setattr(module, "modulation_power", counted)
    module._power.cache_clear()
    yaml_file = make_yaml(_marker("power"), _marker("sqrt"), _marker("log"))
    _succeed("run", yaml_file)
    _succeed("collect", yaml_file)
    assert len(passes) == 3  # sounds, not sounds x markers
    stored = {name: _features(yaml_file, name) for name in ("power", "sqrt", "log")}
    for layers in stored.values():
        assert list(layers) == [0]
        assert layers[0].attrs["layer_name"] == "spectemp"
        assert layers[0].shape == (3, 23421)
    for stimulus in ("stim5_noise", "stim102_tone"):
        wave = resample_polyphase(*read_audio(sounds / f"{stimulus}.wav"))
        power = modulation_power(cochleagram(wave)).ravel()
        for name, expected in {"power": power, "sqrt": np.sqrt(power), "log": np.log(power)}.items():
            np.testing.assert_allclose(stored[name][0].sel(stimulus=stimulus).values, expected, rtol=1e-6)


def test_a_short_and_a_silent_sound_are_refused_by_name(make_yaml, sounds):
    yaml_file = make_yaml(_marker("power"))
    soundfile.write(sounds / "stim1_short.wav", np.random.default_rng(0).standard_normal(4410) * 0.1, 44100)
    result = junifer("run", yaml_file)
    assert isinstance(result.exception, AudioError)
    assert f"{sounds / 'stim1_short.wav'}: a sound of 0.100 s is too short" in str(result.exception)
    soundfile.write(sounds / "stim1_short.wav", np.zeros(44100), 44100)
    result = junifer("run", yaml_file)
    assert f"{sounds / 'stim1_short.wav'}: the sound is silent" in str(result.exception)


def test_an_unknown_compression_is_refused(make_yaml):
    result = junifer("run", make_yaml({**_marker("power"), "compression": "cube"}))
    assert isinstance(result.exception, RuntimeError)
    assert "compression = 'cube'" in str(result.exception)


@pytest.mark.parametrize("rate", [8000, 22050, 48000])
def test_other_sampling_rates_and_durations_give_the_same_units(make_yaml, sounds, rate):
    for path in sounds.iterdir():
        path.unlink()
    soundfile.write(sounds / "stim1_noise.wav", np.random.default_rng(0).standard_normal(rate // 3) * 0.1, rate)
    yaml_file = make_yaml(_marker("log"))
    _succeed("run", yaml_file)
    _succeed("collect", yaml_file)
    values = _features(yaml_file, "log")[0].values
    assert values.shape == (1, 23421)
    assert np.isfinite(values).all()
