"""What is gathered and written in one go is, in every part, what junifer's storage writes feature by feature."""

import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
from junifer.markers import BaseMarker
from junifer.storage import HDF5FeatureStorage
from junifer.storage.utils import process_meta

import custom_markers.marker.base as marker_base
from auralign.inputs.features import read_features
from auralign.inputs.options import Features
from custom_markers.acoustics.logmel import LogMel
from custom_markers.running.gathering import GatheringStorage
from custom_markers.running.storing import StimulusFile

from ..conftest import junifer

ELEMENT = {"stimulus": "stim5_noise"}


def _values(*shape: int, dtype: type = np.float32) -> np.ndarray:
    return np.random.default_rng(len(shape) + shape[0]).standard_normal(shape).astype(dtype)


# by name: kind, and what a marker's `compute` gives of it
FEATURES = {
    "layer00": ("vector", {"data": _values(4), "col_names": None}),
    "layer01": ("vector", {"data": -_values(4), "col_names": None}),
    "layer02": ("vector", {"data": _values(3), "col_names": None}),  # of another width
    "layer03": ("vector", {"data": 2 * _values(4), "col_names": None}),
    "doubles": ("vector", {"data": _values(4, dtype=np.float64), "col_names": None}),
    "integers": ("vector", {"data": np.arange(4), "col_names": None}),
    "labelled": ("vector", {"data": _values(4), "col_names": list("abcd")}),
    "listed": ("vector", {"data": [1.5, 2.5], "col_names": None}),
    "series": ("timeseries", {"data": _values(5, 4), "col_names": None}),
    "doubled series": ("timeseries", {"data": _values(5, 4, dtype=np.float64), "col_names": None}),
    "matrix": ("matrix", {"data": _values(2, 2), "col_names": ["a", "b"], "row_names": ["c", "d"]}),
}


def _meta(name: str) -> dict:
    return {"element": ELEMENT, "dependencies": {"numpy"}, "marker": {"name": name, "rate": 24000}, "type": "Audio"}


def _parts(path: Path) -> dict:
    """Return everything that is in a file by its name: attributes, and of data sets type, shape, coding and bytes."""
    parts: dict = {}

    def note(name: str, node: h5py.Group | h5py.Dataset) -> None:
        parts[name] = {key: str(value) for key, value in node.attrs.items()}
        if isinstance(node, h5py.Dataset):
            coding = node.chunks, node.compression, node.compression_opts
            parts[name] |= {"": (str(node.dtype), node.shape, coding, node[()].tobytes())}

    with h5py.File(path, "r") as file:
        file.visititems(note)
    return parts


def _by_junifer(folder: Path, features: dict, **options) -> Path:
    storage = HDF5FeatureStorage(uri=folder / "junifer" / "features.hdf5", single_output=False, **options)
    for name, (kind, output) in features.items():
        storage.store(kind=kind, meta=_meta(name), **output)
    return Path(storage._fetch_correct_uri_for_io(element=ELEMENT))


def _gathered(folder: Path, features: dict, **options) -> Path:
    storage = HDF5FeatureStorage(uri=folder / "ours" / "features.hdf5", single_output=False, **options)
    file, gathered = StimulusFile(storage, ELEMENT), GatheringStorage(storage)
    for name, (kind, output) in features.items():
        md5, metadata, element = process_meta(_meta(name))
        gathered.keep(kind, md5, element, metadata, **output)
    file.write(gathered, "sum")
    file.commit()
    return file.path


@pytest.mark.parametrize("options", [{}, {"compression": 0}, {"force_float32": False}], ids=str)
def test_the_file_holds_what_junifer_writes(tmp_path, options):
    theirs, ours = _by_junifer(tmp_path, FEATURES, **options), _gathered(tmp_path, FEATURES, **options)
    assert theirs.name == ours.name
    assert _parts(ours) == _parts(theirs)
    assert len(_parts(ours)) > 5 * len(FEATURES)
    assert ours.stat().st_size < theirs.stat().st_size


def test_features_join_those_that_are_stored_already(tmp_path):
    names = list(FEATURES)
    _gathered(tmp_path, {name: FEATURES[name] for name in names[:2]})
    ours = _gathered(tmp_path, {name: FEATURES[name] for name in names[2:]})
    assert _parts(ours) == _parts(_by_junifer(tmp_path, FEATURES))


def test_features_that_are_stored_already_are_written_in_their_place(tmp_path):
    first = _gathered(tmp_path, FEATURES)
    before = _parts(first)
    assert _parts(_gathered(tmp_path, FEATURES)) == before


def test_a_kind_that_junifer_does_not_store_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"junifer stores no 'image'\. Allowed: vector, "):
        _gathered(tmp_path, {"layer00": ("image", {"data": _values(4)})})
    assert not list(tmp_path.glob("ours/*"))


def test_what_comes_by_junifers_store_is_gathered_alike(tmp_path):
    storage = HDF5FeatureStorage(uri=tmp_path / "ours" / "features.hdf5", single_output=False)
    file, gathered = StimulusFile(storage, ELEMENT), GatheringStorage(storage)
    for name, (kind, output) in FEATURES.items():
        gathered.store(kind=kind, meta=_meta(name), **output)
    assert not list(tmp_path.glob("ours/*"))
    file.write(gathered, "sum")
    file.commit()
    assert _parts(file.path) == _parts(_by_junifer(tmp_path, FEATURES))


def test_a_marker_that_stores_in_its_own_way_is_asked(make_yaml, monkeypatch):
    asked = []

    def store(self, type_, feature, out, storage):
        asked.append((type_, feature, sorted(out), out["meta"]["marker"]["name"]))
        BaseMarker.store(self, type_, feature, out | {"data": 2 * out["data"]}, storage)

    yaml_file = make_yaml({"name": "logmel", "kind": "LogMel", "n_mels": 8})
    assert junifer("run", yaml_file).exception is None
    assert junifer("collect", yaml_file).exception is None
    storage = yaml_file.parent / "features" / "features.hdf5"
    plain = read_features("logmel", Features(storage=storage, marker="logmel"))[0]
    shutil.rmtree(storage.parent)
    monkeypatch.setattr(LogMel, "store", store)
    assert junifer("run", yaml_file).exception is None
    assert asked == [("Audio", "layer00", ["col_names", "data", "meta"], "logmel_layer00")] * 3
    assert junifer("run", yaml_file).exception is None  # all there
    assert len(asked) == 3
    assert junifer("collect", yaml_file).exception is None
    doubled = read_features("logmel", Features(storage=storage, marker="logmel"))[0]
    assert (doubled == 2 * plain).all()


def test_metadata_are_made_once_for_all_sounds(make_yaml, untrained, monkeypatch):
    made = []
    monkeypatch.setattr(marker_base, "process_meta", lambda meta: made.append(meta) or process_meta(meta))
    yaml_file = make_yaml(untrained)
    for command in ("run", "collect"):
        assert junifer(command, yaml_file).exception is None
    assert len(made) == 3  # layers, not layers x sounds
    storage = yaml_file.parent / "features" / "features.hdf5"
    assert all(
        layer.shape == (3, 24) for layer in read_features("net", Features(storage=storage, marker="net")).values()
    )
