"""Published activations as features, in small archives of exactly the published layout."""

import os
import pickle

import h5py
import numpy as np
import pytest

from auralign.errors import DataError
from auralign.files.notices import InputWarning
from auralign.inputs.published.activations import open_activations
from auralign.inputs.published.networks import find_network, lookup, networks

SOUNDS = ["stim11_baby_crying", "stim5_alarm_clock", "stim102_crumpling_paper"]
ORDERED = ["stim5_alarm_clock", "stim11_baby_crying", "stim102_crumpling_paper"]


def _write_pickles(folder, keys, size=4, tail="_activations.pkl", seed=0):
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(seed)
    written = {}
    for sound in SOUNDS:
        written[sound] = {key: random.standard_normal(size).astype(np.float32) for key in keys}
        # extraction also left layers that were not used, in another order
        content = {"unused": np.zeros(2), **dict(reversed(written[sound].items()))}
        (folder / f"{sound}{tail}").write_bytes(pickle.dumps(content, protocol=3))
    return written


def _ids(path, sounds):
    np.save(path, np.array([(f"{sound}.wav".encode(),) for sound in sounds], dtype=[("filename", "S40")]))
    return path


def test_pickles_become_layers_in_the_order_of_the_table(tmp_path):
    keys = [layer.keys[0] for layer in find_network("AST").layers]
    written = _write_pickles(tmp_path / "AST", keys)
    permuted = _write_pickles(tmp_path / "AST", keys, tail="_activations_randnetw.pkl", seed=1)
    opened = open_activations(tmp_path, "AST")
    assert list(opened) == list(range(14))
    for index, read in opened.items():
        layer = read()
        assert layer.dims == ("stimulus", "unit") and layer.dtype == np.float64
        assert list(layer.stimulus.values) == ORDERED
        np.testing.assert_array_equal(layer.values, [written[sound][keys[index]] for sound in ORDERED])
    assert opened[1]().attrs["layer_name"] == "Encoder_1"
    assert opened[1]().attrs["metadata"]["published_name"] == "AST"
    assert keys[13] == "Final" and keys[12].endswith("--11")
    # again: what was read stays what it was
    np.testing.assert_array_equal(opened[3]().values, opened[3]().values)
    randnetw = open_activations(tmp_path, "AST", permuted=True)[2]()
    np.testing.assert_array_equal(randnetw.values, [permuted[sound][keys[2]] for sound in ORDERED])
    assert randnetw.attrs["metadata"]["permuted"] is True


def test_files_whose_names_have_accents_apart_are_found_by_the_composed_name(tmp_path):
    (tmp_path / "AST").mkdir()
    content = pickle.dumps({layer.keys[0]: np.ones(2, np.float32) for layer in find_network("AST").layers}, protocol=3)
    (tmp_path / "AST" / "stim1_cafe\u0301_activations.pkl").write_bytes(content)
    np.save(tmp_path / "ids.npy", np.array([("stim1_caf\u00e9.wav",)], dtype=[("filename", "U40")]))
    with pytest.warns(InputWarning, match=r"AST: 1 name of stimuli was brought to one form"):
        opened = open_activations(tmp_path, "AST", stimuli=tmp_path / "ids.npy")
    assert list(opened[0]().stimulus.values) == ["stim1_caf\u00e9"]


def test_keys_of_encodecmae_are_numbers(tmp_path):
    written = _write_pickles(tmp_path / "mel256-ec-base", range(10))
    opened = open_activations(tmp_path, "EnCodecMAE-Mixture")
    np.testing.assert_array_equal(opened[9]().values, [written[sound][9] for sound in ORDERED])
    assert [read().attrs["layer_name"] for read in opened.values()] == [str(index) for index in range(10)]


def test_another_key_of_the_table_is_found(tmp_path):
    names = ["Embedding", *(f"Encoder_{number}" for number in range(1, 13))]
    for final in ("Final", "Logits"):
        written = _write_pickles(tmp_path / "wav2vec", [*names, final])
        opened = open_activations(tmp_path, "wav2vec")
        np.testing.assert_array_equal(opened[13]().values, [written[sound][final] for sound in ORDERED])


@pytest.mark.parametrize(("network", "key"), [("ResNet50word", "conv1_relu1"), ("ResNet50music", "relu1")])
def test_rows_of_h5_are_named_by_the_order_of_the_archive(tmp_path, network, key):
    (tmp_path / network).mkdir()
    random = np.random.default_rng(0)
    keys = [key, "maxpool1", "layer1", "layer2", "layer3", "layer4", "avgpool"]
    with h5py.File(tmp_path / network / "natsound_activations_randnetw.h5", "w") as file:
        written = {name: random.random((3, size)).astype(np.float32) for size, name in enumerate(keys, start=3)}
        for name, values in written.items():
            file[name] = values
        file["final/signal/word_int"] = np.zeros((3, 2))
        file["layer_list"] = np.array([name.encode() for name in keys])
    stimuli = _ids(tmp_path / "neural_stim_meta.npy", SOUNDS)
    opened = open_activations(tmp_path, network, permuted=True, stimuli=stimuli)
    assert list(opened) == list(range(7))
    for index, name in enumerate(keys):
        layer = opened[index]()
        assert list(layer.stimulus.values) == ORDERED
        np.testing.assert_array_equal(layer.values, written[name][[1, 0, 2]])
    assert opened[0]().attrs["layer_name"] == "conv1_relu1"
    with pytest.raises(DataError, match="its rows have no names; give `stimuli`"):
        open_activations(tmp_path, network, permuted=True)
    with pytest.raises(DataError, match=r"natsound_activations\.h5: there is no such file"):
        open_activations(tmp_path, network, stimuli=stimuli)[0]()
    _ids(stimuli, SOUNDS[:2])
    with pytest.raises(DataError, match=r"layer 'avgpool' is float32 of shape \(3, 9\); expected .* \[2 sounds"):
        open_activations(tmp_path, network, permuted=True, stimuli=stimuli)[6]()


class _Runs:
    def __init__(self, command):
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


def test_a_pickle_that_would_run_a_command_is_refused_by_name(tmp_path):
    _write_pickles(tmp_path / "mel256-ec-base", range(10))
    bad = tmp_path / "mel256-ec-base" / "stim102_crumpling_paper_activations.pkl"
    bad.write_bytes(pickle.dumps({0: _Runs(f"touch {tmp_path / 'ran'}")}))
    with pytest.raises(DataError, match=r"stim102_crumpling_paper_activations\.pkl: refused: .* posix\.system"):
        open_activations(tmp_path, "mel256-ec-base")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({key: np.zeros(4) for key in range(9)}, r"no layer '9' \(9 of mel256-ec-base\); there are \[0, 1"),
        ({key: np.zeros(5) for key in range(10)}, "layer '0' has 5 units, but 4 in the files before it"),
        ({key: np.zeros((1, 4)) for key in range(10)}, r"layer 0 holds float64 of shape \(1, 4\); expected one vector"),
        ({key: np.array(["a"] * 4) for key in range(10)}, "layer 0 holds <U1"),
        ({key: 1.0 for key in range(10)}, "layer 0 holds float; expected one vector"),
        (np.zeros(4), "holds a ndarray; expected a dict of layers"),
    ],
)
def test_other_contents_are_refused_with_file_and_layer(tmp_path, content, expected):
    _write_pickles(tmp_path / "mel256-ec-base", range(10))
    # the last of the files by name
    bad = tmp_path / "mel256-ec-base" / "stim5_alarm_clock_activations.pkl"
    bad.write_bytes(pickle.dumps(content))
    with pytest.raises(DataError, match=rf"stim5_alarm_clock_activations\.pkl: .*{expected}"):
        open_activations(tmp_path, "mel256-ec-base")


def test_what_is_missing_is_named(tmp_path):
    with pytest.raises(DataError, match=r"no published network 'ASTT'; there are .*AST \(AST\)"):
        open_activations(tmp_path, "ASTT")
    with pytest.raises(DataError, match="AST: there is no such folder"):
        open_activations(tmp_path, "AST")
    _write_pickles(tmp_path / "mel256-ec-base", range(10))
    with pytest.raises(DataError, match=r"no file that ends in _activations_randnetw\.pkl"):
        open_activations(tmp_path, "mel256-ec-base", permuted=True)
    stimuli = _ids(tmp_path / "neural_stim_meta.npy", [*SOUNDS, "stim7_applause"])
    with pytest.raises(DataError, match=r"1 sounds have no file stim7_applause_activations\.pkl"):
        open_activations(tmp_path, "mel256-ec-base", stimuli=stimuli)
    _ids(stimuli, SOUNDS[:2])
    layer = open_activations(tmp_path, "mel256-ec-base", stimuli=stimuli)[0]()
    assert list(layer.stimulus.values) == ORDERED[:2]


def test_the_table_has_the_published_numbers_of_networks_and_layers():
    # the 20 networks of figures 2 and 5 have 190 layers
    tasks = ("word", "speaker", "music", "audioset", "multitask")
    inhouse = [f"{base}{task}" for base in ("Kell2018", "ResNet50") for task in tasks]
    counts = {"Kell2018word": 9, "ResNet50word": 7, "AST": 14, "wav2vec": 14, "S2T": 13, "VGGish": 13, "DCASE2020": 5}
    counts |= {"DS2": 8, "ZeroSpeech2020": 5, "sepformer": 33, "metricGAN": 4, "spectemp": 1, "mel256-ec-base": 10}
    assert {name: len(networks()[name].layers) for name in counts} == counts
    names = {*inhouse, *counts} - {"mel256-ec-base"}
    assert len(names) == 20 and sum(len(networks()[name].layers) for name in names) == 190
    for network in networks().values():
        assert [layer.index for layer in network.layers] == list(range(len(network.layers)))
        keys = [key for layer in network.layers for key in layer.keys]
        assert len(set(keys)) == len(keys), network.name
    names = [network.published_name for network in networks().values()]
    assert len(set(names)) == len(names)
    assert lookup("vgGISH").name == "VGGish" and lookup("cochcnn9-genre").name == "Kell2018music"
    assert lookup("nothing") is None
