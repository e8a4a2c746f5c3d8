"""A series of checkpoints along training: one feature set per step."""

import numpy as np
import pytest

from auralign.inputs.features import read_features
from auralign.inputs.options import Features
from custom_markers.networks.encodecmae.checkpoint import save_checkpoint, untrained
from custom_markers.networks.encodecmae.network import NetworkConfig
from custom_markers.networks.encodecmae.series import checkpoints_by_step, name_of_step
from custom_markers.running.preflight import MissingInputs

from ...conftest import SMALL, junifer

STEPS = {2000: 5, 500: 6, 100_000: 7}  # seeds of the networks that stand for training steps


@pytest.fixture
def runs(tmp_path):
    folder = tmp_path / "runs"
    folder.mkdir()
    for step, seed in STEPS.items():
        save_checkpoint(untrained(NetworkConfig(**SMALL), seed), folder / f"step{step}.pt")
    return folder


def features_of(yaml_file, marker):
    storage = yaml_file.parent / yaml_file.stem / f"{yaml_file.stem}.hdf5"
    return read_features(marker, Features(storage=storage, marker=marker))


def run_and_collect(yaml_file):
    for command in ("run", "collect"):
        result = junifer(command, yaml_file)
        if result.exception:
            raise result.exception


def test_a_series_equals_one_marker_per_step(make_yaml, runs):
    series = {"name": "mix", "kind": "EncodecMAE", "checkpoint": {"pattern": "runs/step{step}.pt", "steps": [*STEPS]}}
    listed = {"name": "mix", "kind": "EncodecMAE", "checkpoint": [f"runs/step{step}.pt" for step in STEPS]}
    single = [
        {"name": f"mix-step{step:06d}", "kind": "EncodecMAE", "checkpoint": f"runs/step{step}.pt"} for step in STEPS
    ]
    files = [
        make_yaml(series, name="series"), make_yaml(listed, name="listed"), make_yaml(*single, name="single")
    ]  # fmt: skip
    for yaml_file in files:
        run_and_collect(yaml_file)
    values = {}
    for step in STEPS:
        sets = [features_of(yaml_file, f"mix-step{step:06d}") for yaml_file in files]
        for layers in sets[1:]:
            for index, layer in layers.items():
                np.testing.assert_array_equal(layer.values, sets[0][index].values)
                assert layer.attrs["metadata"] == sets[0][index].attrs["metadata"]
        values[step] = sets[0][2].values
        assert sets[0][2].attrs["metadata"]["checkpoint"] == f"step{step}.pt"
    assert np.abs(values[500] - values[2000]).max() > 1e-3


def test_a_second_run_of_a_series_computes_only_a_new_step(make_yaml, runs, monkeypatch):
    checkpoint = {"pattern": "runs/step{step}.pt", "steps": [500]}
    run_and_collect(make_yaml({"name": "mix", "kind": "EncodecMAE", "checkpoint": checkpoint}))
    computed = []
    from custom_markers.networks.encodecmae.marker import EncodecMAE

    original = EncodecMAE.layers_of_batch
    monkeypatch.setattr(
        EncodecMAE, "layers_of_batch", lambda self, waves: computed.append(self.name) or original(self, waves)
    )
    checkpoint["steps"].append(2000)
    run_and_collect(make_yaml({"name": "mix", "kind": "EncodecMAE", "checkpoint": checkpoint}))
    assert computed == ["mix-step002000"] * 3


def test_every_missing_checkpoint_of_a_series_is_named_at_once(make_yaml, runs):
    checkpoint = {"pattern": "runs/step{step:06d}.pt", "steps": [500, 2000]}
    result = junifer("run", make_yaml({"name": "mix", "kind": "EncodecMAE", "checkpoint": checkpoint}))
    assert isinstance(result.exception, MissingInputs)
    assert "step000500.pt" in str(result.exception)
    assert "step002000.pt" in str(result.exception)


@pytest.mark.parametrize(
    ("checkpoint", "expected"),
    [
        ({"pattern": "a/step{step}.pt", "steps": [3, 1]}, {1: "a/step1.pt", 3: "a/step3.pt"}),
        ({"pattern": "{step:06d}.pt", "steps": [50000]}, {50000: "050000.pt"}),
        (["r/Step-20.pt", "step1/model_step_3.pt"], {3: "step1/model_step_3.pt", 20: "r/Step-20.pt"}),
    ],
)
def test_steps_are_read_in_ascending_order(checkpoint, expected):
    assert list(checkpoints_by_step(checkpoint).items()) == list(expected.items())


@pytest.mark.parametrize(
    ("checkpoint", "message"),
    [
        ({"pattern": "a.pt", "steps": [1]}, r"'a.pt' must hold \{step\} exactly once"),
        ({"pattern": "{step}{step}.pt", "steps": [1]}, "exactly once"),
        ({"pattern": "{step}{x}.pt", "steps": [1]}, "exactly once"),
        ({"pattern": "{step}.pt", "steps": []}, "no steps"),
        ({"pattern": "{step}.pt", "steps": [1, 1]}, "the step 1 twice"),
        ({"pattern": "{step}.pt", "steps": [1.5]}, "whole numbers"),
        ({"pattern": "{step}.pt"}, "keys pattern and steps"),
        (["a.pt"], "'a.pt' does not say its training step"),
        ([], "no steps"),
    ],
)
def test_a_wrong_series_is_refused(checkpoint, message):
    with pytest.raises(ValueError, match=message):
        checkpoints_by_step(checkpoint)


def test_steps_are_named_with_six_digits():
    assert name_of_step("mixture", 50_000) == "mixture-step050000"
