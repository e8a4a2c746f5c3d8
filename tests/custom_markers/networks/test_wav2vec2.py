"""The marker Wav2Vec2 against the library itself, on small networks with random weights; names without a hub."""

import functools
import http.server
import importlib.util
import json
import logging
import re
import threading
import time
from pathlib import Path

import huggingface_hub
import numpy as np
import pytest

from custom_markers.networks import wav2vec2
from custom_markers.networks.wav2vec2 import Wav2Vec2
from custom_markers.running.preflight import MissingInputs
from custom_markers.sounds.audio import AudioError, read_audio, resample

from ..conftest import HubLibrary, junifer

transformers = pytest.importorskip("transformers", reason="the extra `networks` is not installed")
torch = pytest.importorskip("torch")

TINY = {
    "hidden_size": 16,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "conv_dim": [8, 8, 8],
    "conv_stride": [5, 4, 4],
    "conv_kernel": [10, 4, 4],
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 2,
}
STABLE = {**TINY, "do_stable_layer_norm": True, "feat_extract_norm": "layer"}
NAME = "somebody/tiny-wav2vec2"
# of values of about 2; the library's means and variances of a sound are numpy's, ours torch's
TOLERANCE = 5e-6


@pytest.fixture(autouse=True)
def quiet():
    """The library's own progress bars and reports are not looked at here."""
    transformers.utils.logging.disable_progress_bar()


@pytest.fixture
def waves() -> np.ndarray:
    return (0.1 + 0.3 * np.random.default_rng(0).standard_normal((3, 4000))).astype(np.float32)


def save(folder: Path, config: dict = TINY, seed: int = 1, normalize: bool | None = True, cls: str = "Wav2Vec2Model"):
    """Write a network as its authors would, and return it."""
    torch.manual_seed(seed)
    network = getattr(transformers, cls)(transformers.Wav2Vec2Config(**config, vocab_size=9)).eval()
    network.save_pretrained(folder)
    if normalize is not None:
        transformers.Wav2Vec2FeatureExtractor(do_normalize=normalize).save_pretrained(folder)
    return network


def published(network, waves: np.ndarray, normalize: bool = True):
    """What the library gives for sounds that its own feature extractor prepared."""
    extract = transformers.Wav2Vec2FeatureExtractor(do_normalize=normalize)
    inputs = extract(list(waves), sampling_rate=16000, return_tensors="pt").input_values
    with torch.no_grad():
        return inputs, network(inputs, output_hidden_states=True)


def largest_difference(layers: list[np.ndarray], tensors) -> float:
    return max(float(np.abs(a - b.numpy()).max()) for a, b in zip(layers, tensors, strict=True))


# ---------------------------------------------------------------------------------------------- values


@pytest.mark.parametrize("normalize", [True, False])
def test_blocks_are_the_hidden_states_of_the_library(waves, tmp_path, normalize):
    network = save(tmp_path / "net", normalize=normalize)
    marker = Wav2Vec2(model=str(tmp_path / "net"), pooling="none")
    assert list(marker.layer_names().values()) == ["features", "embedding", "block00", "block01", "block02"]
    inputs, output = published(network, waves[:1], normalize)
    features, *hidden = marker.layers_of(waves[0])
    assert largest_difference(hidden, [state[0] for state in output.hidden_states]) < TOLERANCE
    with torch.no_grad():
        assert largest_difference([features], [network.feature_extractor(inputs)[0].T]) < TOLERANCE


def test_pooled_layers_are_means_over_frames(waves, tmp_path):
    network = save(tmp_path / "net")
    _, output = published(network, waves[:1])
    layers = Wav2Vec2(model=str(tmp_path / "net"), layers=["embedding", -1]).layers_of(waves[0])
    expected = [output.hidden_states[0][0].mean(dim=0), output.hidden_states[-1][0].mean(dim=0)]
    assert largest_difference(layers, expected) < TOLERANCE


def test_pre_norm_networks_have_the_final_norm_as_a_layer(waves, tmp_path):
    network = save(tmp_path / "net", STABLE)
    marker = Wav2Vec2(model=str(tmp_path / "net"), pooling="none")
    assert list(marker.layer_names().values())[-2:] == ["block02", "norm"]
    _, output = published(network, waves[:1])
    layers = marker.layers_of(waves[0])
    # hidden_states[-1] is the last block or the final norm, by version of the library: compare up to the last block
    assert largest_difference(layers[1:4], [state[0] for state in output.hidden_states[:3]]) < TOLERANCE
    assert largest_difference(layers[-1:], [output.last_hidden_state[0]]) < TOLERANCE
    with torch.no_grad():
        last = network.encoder.layer_norm(torch.from_numpy(layers[4]))
    assert largest_difference(layers[-1:], [last]) < TOLERANCE


@pytest.mark.parametrize("config", [TINY, STABLE])
def test_a_batch_gives_what_single_sounds_give(waves, config):
    single = Wav2Vec2(model="untrained", config=config, batch_size=1)
    batch = Wav2Vec2(model="untrained", config=config, batch_size=3).layers_of_batch(list(waves))
    for wave, layers in zip(waves, batch, strict=True):
        assert largest_difference(layers, map(torch.from_numpy, single.layers_of(wave))) < TOLERANCE


@pytest.mark.parametrize(("kind", "cls"), [("hubert", "HubertModel"), ("wavlm", "WavLMModel")])
@pytest.mark.parametrize("sizes", [TINY, STABLE])
def test_its_kin_work_alike(waves, kind, cls, sizes):
    config = {"model_type": kind, **sizes}
    marker = Wav2Vec2(model="untrained", config=config, pooling="none")
    layers = dict(zip(marker.layer_names().values(), marker.layers_of(waves[0]), strict=True))
    assert type(marker._network).__name__ == cls
    _, output = published(marker._network, waves[:1])
    assert largest_difference([layers["embedding"]], [output.hidden_states[0][0]]) < TOLERANCE
    assert largest_difference([layers["block01"]], [output.hidden_states[2][0]]) < TOLERANCE
    last = "norm" if "do_stable_layer_norm" in sizes else "block02"
    assert list(layers)[-1] == last
    assert largest_difference([layers[last]], [output.last_hidden_state[0]]) < TOLERANCE


def test_fine_tuned_weights_give_the_network_inside(waves, tmp_path):
    network = save(tmp_path / "net", cls="Wav2Vec2ForCTC")
    _, output = published(network.wav2vec2, waves[:1])
    layers = Wav2Vec2(model=str(tmp_path / "net"), layers=["block02"], pooling="none").layers_of(waves[0])
    assert largest_difference(layers, [output.last_hidden_state[0]]) < TOLERANCE


@pytest.mark.parametrize("normalize", [True, False])
def test_the_network_is_given_what_the_librarys_feature_extractor_gives(waves, tmp_path, normalize):
    # quiet sounds with an offset, whose variance is near the constant that is added to it; the network's own norms
    # would hide a wrong scale or offset in its layers
    sounds = waves * 1e-3 + np.float32([[0.0], [0.01], [0.5]])
    network = save(tmp_path / "net", normalize=normalize)
    marker = Wav2Vec2(model=str(tmp_path / "net"), batch_size=3)
    marker.prepare()
    given = []
    marker._network.register_forward_pre_hook(lambda module, args: given.append(args[0].clone()))
    marker.layers_of_batch(list(sounds))
    inputs, _ = published(network, sounds, normalize)
    assert given[0].shape == inputs.shape
    assert (given[0] - inputs).abs().max() < 1e-4
    assert inputs.std() > (0.5 if normalize else 0.0)


def test_normalize_overrides_the_file(waves, tmp_path):
    save(tmp_path / "net", STABLE, normalize=True)
    sound = waves[0] * 0.01 + 0.5
    stored = {
        normalize: Wav2Vec2(model=str(tmp_path / "net"), normalize=normalize, layers=["block02"]).layers_of(sound)[0]
        for normalize in (True, False, None)
    }
    np.testing.assert_array_equal(stored[None], stored[True])
    assert np.abs(stored[True] - stored[False]).max() > 0.1


def test_a_sound_without_a_frame_is_too_short(waves):
    # 10 + (4 - 1) * 5 + (4 - 1) * 20 samples
    marker = Wav2Vec2(model="untrained", config=TINY, layers=["features"], pooling="none")
    assert marker.layers_of(waves[0][:85])[0].shape == (1, 8)
    with pytest.raises(AudioError, match=r"84 samples at 16000 Hz are too short; at least 85 \(0\.0053 s\) are needed"):
        marker.layers_of(waves[0][:84])


def test_it_runs_inside_junifer(make_yaml, sounds, tmp_path):
    from auralign.inputs.features import read_features
    from auralign.inputs.options import Features

    network = save(tmp_path / "net")
    yaml_file = make_yaml({"name": "w2v", "kind": "Wav2Vec2", "model": "net", "layers": ["features", 0.5]})
    for command in ("run", "collect"):
        assert junifer(command, yaml_file).exception is None
    layers = read_features("w2v", Features(storage=tmp_path / "features" / "features.hdf5", marker="w2v"))
    assert {index: layer.attrs["layer_name"] for index, layer in layers.items()} == {0: "features", 2: "block00"}
    wave = resample(*read_audio(sounds / "stim5_noise.wav"), 16000)
    _, output = published(network, wave[None])
    stored = layers[2].sel(stimulus="stim5_noise").values
    assert np.abs(stored - output.hidden_states[1][0].mean(dim=0).numpy()).max() < TOLERANCE


# ---------------------------------------------------------------------------------------------- untrained networks


def test_a_seed_gives_one_network_and_leaves_the_global_random_state():
    torch.manual_seed(5)
    state = torch.get_rng_state()
    shas = [Wav2Vec2(model="untrained", config=TINY, seed=seed).identity()["network_sha256"] for seed in (0, 0, 1)]
    assert shas[0] == shas[1] != shas[2]
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"config": {"hiden_size": 3}}, r"config: 'hiden_size' is no field of wav2vec2's .*Similar: hidden_size"),
        ({"config": {"model_type": "bert"}}, r"model_type: 'bert' is not one of wav2vec2, hubert, wavlm"),
        ({"config": {**TINY, "conv_dim": [8, 8]}}, r"config: .*'conv_dim': \[8, 8\]"),
        ({"config": {**TINY, "num_attention_heads": 3}}, r"config: .*num_attention_heads': 3"),
        ({"revision": "main"}, r"revision: 'main' is for networks of the hub"),
        ({"model": "./net", "config": TINY}, r"config: .* is for model: untrained; './net' brings its own"),
    ],
)
def test_wrong_parameters_are_explained(parameters, expected):
    with pytest.raises(ValueError, match=re.compile(expected, flags=re.DOTALL)):
        Wav2Vec2(**{"model": "untrained", **parameters}).prepare()


def test_without_the_library_its_installation_is_named(monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "transformers" else find(name))
    with pytest.raises(MissingInputs, match=re.escape('pip install "auralign[networks]"')):
        Wav2Vec2(model="untrained")


# ---------------------------------------------------------------------------------------------- folders


def test_files_are_identified_by_their_checksums_and_not_by_their_place(tmp_path):
    save(tmp_path / "a" / "net")
    save(tmp_path / "b" / "net")
    save(tmp_path / "c" / "net", seed=2)
    identities = [Wav2Vec2(model=str(tmp_path / folder / "net")).identity() for folder in "abc"]
    assert identities[0] == identities[1] != identities[2]
    assert identities[0]["model"] == "net"
    assert identities[0]["normalize"] is True
    assert sorted(identities[0]["weights_sha256"]) == ["config.json", "model.safetensors"]
    assert "network_sha256" not in identities[0]


def test_half_precision_files_are_computed_in_single_precision(waves, tmp_path):
    network = save(tmp_path / "net")
    network.half().save_pretrained(tmp_path / "net")
    marker = Wav2Vec2(model=str(tmp_path / "net"), layers=["block02"], pooling="none")
    _, output = published(network.float(), waves[:1])
    assert largest_difference(marker.layers_of(waves[0]), [output.last_hidden_state[0]]) < TOLERANCE


def test_pytorch_files_are_read(waves, tmp_path):
    network = save(tmp_path / "net")
    (tmp_path / "net" / "model.safetensors").unlink()
    torch.save(network.state_dict(), tmp_path / "net" / "pytorch_model.bin")
    marker = Wav2Vec2(model=str(tmp_path / "net"), layers=["block02"], pooling="none")
    assert sorted(marker.identity()["weights_sha256"]) == ["config.json", "pytorch_model.bin"]
    _, output = published(network, waves[:1])
    assert largest_difference(marker.layers_of(waves[0]), [output.last_hidden_state[0]]) < TOLERANCE


class _Writes:
    """An object that writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def test_code_in_a_pytorch_file_is_not_run(tmp_path):
    save(tmp_path / "net")
    (tmp_path / "net" / "model.safetensors").unlink()
    torch.save({"x": _Writes(tmp_path / "written")}, tmp_path / "net" / "pytorch_model.bin")
    with pytest.raises(MissingInputs, match=r"net: the network cannot be loaded"):
        Wav2Vec2(model=str(tmp_path / "net")).prepare()
    assert not (tmp_path / "written").exists()


def test_fine_tuned_weights_may_lack_the_mask_of_training(waves, tmp_path):
    network = save(tmp_path / "net")
    _drop_a_tensor(tmp_path / "net", "masked_spec_embed")
    _, output = published(network, waves[:1])
    marker = Wav2Vec2(model=str(tmp_path / "net"), layers=["block02"], pooling="none")
    assert largest_difference(marker.layers_of(waves[0]), [output.last_hidden_state[0]]) < TOLERANCE


def _truncate(folder: Path) -> None:
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:5000])


def _drop_a_tensor(folder: Path, name: str = "encoder.layers.1.feed_forward.output_dense.weight") -> None:
    from safetensors.torch import load_file, save_file

    tensors = load_file(folder / "model.safetensors")
    del tensors[name]
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


def _set(file: str, **values):
    def change(folder: Path) -> None:
        content = json.loads((folder / file).read_text())
        (folder / file).write_text(json.dumps({**content, **values}))

    return change


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (_truncate, r"net: the network cannot be loaded"),
        (_drop_a_tensor, r"net: the weights lack encoder\.layers\.1\.feed_forward\.output_dense\.weight"),
        (_set("config.json", intermediate_size=30), r"net: (the weights lack|the network cannot be loaded)"),
        (_set("config.json", model_type="whisper"), r"config\.json: model_type 'whisper' is not one of wav2vec2"),
        (lambda folder: (folder / "model.safetensors").unlink(), r"net is no network as `save_pretrained` writes it"),
        (lambda folder: (folder / "config.json").unlink(), r"net is no network as `save_pretrained` writes it"),
        (lambda folder: (folder / "preprocessor_config.json").unlink(), r"preprocessor_config\.json .*normalize: true"),
        (_set("preprocessor_config.json", sampling_rate=8000), r"sampling_rate is 8000"),
    ],
)
def test_a_folder_that_is_incomplete_or_damaged_is_refused(tmp_path, spoil, expected):
    save(tmp_path / "net")
    spoil(tmp_path / "net")
    with pytest.raises(MissingInputs, match=expected):
        Wav2Vec2(model=str(tmp_path / "net")).prepare()


def test_normalisation_can_be_said_where_no_file_says_it(waves, tmp_path):
    network = save(tmp_path / "net", normalize=None)
    _, output = published(network, waves[:1])
    marker = Wav2Vec2(model=str(tmp_path / "net"), normalize=True, layers=["block02"], pooling="none")
    assert largest_difference(marker.layers_of(waves[0]), [output.last_hidden_state[0]]) < TOLERANCE
    assert Wav2Vec2(model=str(tmp_path / "net"), normalize=False).identity()["normalize"] is False


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(MissingInputs, match=rf"there is no folder {re.escape(str(tmp_path))}/none"):
        Wav2Vec2(model=str(tmp_path / "none")).prepare()
    save(tmp_path / "net")
    with pytest.raises(ValueError, match=r"revision: 'v1' is for networks of the hub; .*/net is a folder"):
        Wav2Vec2(model=str(tmp_path / "net"), revision="v1").prepare()


# ---------------------------------------------------------------------------------------------- the hub


class HubServer(http.server.BaseHTTPRequestHandler):
    """As much of the hub as is asked for: the list of files of a repository, and each of them."""

    commit = "b" * 40
    folder: Path

    def do_HEAD(self):
        name = self.path.rsplit("/", 1)[-1]
        if "/api/models/" in self.path:
            siblings = [{"rfilename": path.name} for path in sorted(self.folder.iterdir())]
            self._reply(json.dumps({"id": NAME, "sha": self.commit, "siblings": siblings}).encode())
        elif (self.folder / name).is_file():
            self._reply((self.folder / name).read_bytes())
        else:
            self.send_error(404)

    def _reply(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("X-Repo-Commit", self.commit)
        self.send_header("ETag", f'"{hash(body)}"')
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    do_GET = do_HEAD

    def log_message(self, *args):
        pass


@pytest.fixture
def hub(monkeypatch, tmp_path):
    """The hub's client of this process, pointed to a server of this process and to an empty cache."""
    handler = type("Handler", (HubServer,), {"folder": tmp_path / "served"})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=functools.partial(server.serve_forever, poll_interval=0.05), daemon=True).start()
    endpoint = f"http://127.0.0.1:{server.server_address[1]}"
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hf"))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    download = functools.partial(huggingface_hub.hf_hub_download, endpoint=endpoint, cache_dir=tmp_path / "hf")
    monkeypatch.setattr(wav2vec2, "huggingface_hub", HubLibrary())
    monkeypatch.setattr(wav2vec2.huggingface_hub, "hf_hub_download", download)
    monkeypatch.setattr(wav2vec2.huggingface_hub, "HfApi", functools.partial(huggingface_hub.HfApi, endpoint=endpoint))

    def stop() -> None:
        server.shutdown()
        server.server_close()

    yield stop
    stop()


def test_a_name_is_downloaded_once_and_works_offline_ever_after(hub, waves, tmp_path, monkeypatch):
    network = save(tmp_path / "served")
    (tmp_path / "served" / "training_args.bin").write_bytes(b"not needed")
    marker = Wav2Vec2(model=NAME, layers=["block02"], pooling="none")
    _, output = published(network, waves[:1])
    assert largest_difference(marker.layers_of(waves[0]), [output.last_hidden_state[0]]) < TOLERANCE
    identity = marker.identity()
    assert (identity["model"], identity["model_revision"]) == (NAME, HubServer.commit)
    cached = {path.name for path in (tmp_path / "hf").glob("models--*/snapshots/*/*")}
    assert cached == {"config.json", "model.safetensors", "preprocessor_config.json"}
    hub()
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    assert Wav2Vec2(model=NAME, layers=["block02"], pooling="none").identity() == identity
    pinned = Wav2Vec2(model=NAME, revision=HubServer.commit, layers=["block02"], pooling="none")
    assert pinned.identity() == identity
    # the pin itself is no part of the metadata, the commit is
    metadata = [{"meta": {}}, {"meta": {}}]
    marker.update_meta(metadata[0], "marker")
    pinned.update_meta(metadata[1], "marker")
    assert metadata[0] == metadata[1]


def test_weights_in_the_older_format_are_taken_where_there_are_no_others(hub, tmp_path):
    network = save(tmp_path / "served")
    (tmp_path / "served" / "model.safetensors").unlink()
    torch.save(network.state_dict(), tmp_path / "served" / "pytorch_model.bin")
    assert sorted(Wav2Vec2(model=NAME).identity()["weights_sha256"]) == ["config.json", "pytorch_model.bin"]


def test_a_repository_without_weights_is_refused(hub, tmp_path):
    save(tmp_path / "served")
    (tmp_path / "served" / "model.safetensors").unlink()
    with pytest.raises(MissingInputs, match=r"the repository lacks weights"):
        Wav2Vec2(model=NAME).prepare()


def test_a_hub_that_is_gone_is_given_up_on_with_advice(hub, tmp_path):
    hub()
    start = time.monotonic()
    with pytest.raises(MissingInputs) as caught:
        Wav2Vec2(model=NAME, revision="v2").prepare()
    assert time.monotonic() - start < 10
    for part in (
        f"the network {NAME!r} at revision v2 was not found",
        f"hub cache {tmp_path / 'hf'}: nothing",
        "Connect",
        f"hf download {NAME}",
        "HF_HOME",
        "model: ./my_folder",
    ):
        assert part in str(caught.value)


def test_a_hub_that_never_answers_is_given_up_on(monkeypatch, hub):
    answer = threading.Event()

    class Silent:
        def model_info(self, *args, **options):
            answer.wait(30)

    monkeypatch.setattr(wav2vec2, "huggingface_hub", HubLibrary())
    monkeypatch.setattr(wav2vec2.huggingface_hub, "HfApi", Silent)
    monkeypatch.setattr(wav2vec2, "ANSWER_DEADLINE", 0.2)
    start = time.monotonic()
    with pytest.raises(MissingInputs, match=r"TimeoutError: no answer within 0\.2 seconds"):
        Wav2Vec2(model=NAME).prepare()
    assert time.monotonic() - start < 5
    answer.set()


def test_missing_names_and_sounds_are_told_before_anything_is_computed(make_yaml, hub, tmp_path, caplog):
    hub()
    caplog.set_level(logging.WARNING)
    markers = [{"name": name, "kind": "Wav2Vec2", "model": f"somebody/{name}"} for name in ("one", "two")]
    result = junifer("run", make_yaml(*markers))
    assert isinstance(result.exception, MissingInputs)
    assert "'somebody/one' was not found" in str(result.exception)
    assert "'somebody/two' was not found" in str(result.exception)
    assert not (tmp_path / "features").exists() or not list((tmp_path / "features").iterdir())
