"""Responses in their file: read when they are asked for, the same numbers, and never more of them than needed."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from auralign.config.models import Comparison
from auralign.errors import DataError
from auralign.inputs import lazy_arrays
from auralign.inputs.arrays import store_array, store_parts
from auralign.inputs.lazy_arrays import open_responses, store_means, store_responses
from auralign.inputs.options import Targets
from auralign.inputs.repetitions import mean_response
from auralign.inputs.responses import read_responses
from auralign.inputs.study import load_study
from auralign.inputs.usable_targets import answered, count_repetitions, usable_targets

N, N_TARGETS = 12, 7
STIMULI, NAMES = [f"s{row:02d}" for row in range(N)], [f"v{column}" for column in range(N_TARGETS)]


@pytest.fixture
def values() -> np.ndarray:
    return np.random.default_rng(0).standard_normal((N, N_TARGETS, 3)).astype(np.float32)


@pytest.fixture
def read(monkeypatch) -> list[tuple[int, ...]]:
    """Shapes of what was read of files, one after the other."""
    shapes, real = [], lazy_arrays._FileArray._read

    def noted(self, key):
        found = real(self, key)
        shapes.append(found.shape)
        return found

    monkeypatch.setattr(lazy_arrays._FileArray, "_read", noted)
    return shapes


def opened(values: np.ndarray, folder) -> xr.DataArray:
    np.save(folder / "y.npy", values)
    return open_responses(folder / "y.npy", STIMULI, NAMES)


def in_memory(values: np.ndarray) -> xr.DataArray:
    coords = {"stimulus": STIMULI, "target": NAMES, "repetition": np.arange(values.shape[2])}
    return xr.DataArray(values.astype(np.float64), dims=("stimulus", "target", "repetition"), coords=coords)


def test_nothing_is_read_until_numbers_are_asked_for(values, tmp_path, read):
    lazy, whole = opened(values, tmp_path), in_memory(values)
    order = STIMULI[::-1]
    chosen = np.array([True, False, True, True, True, False, True])
    pairs = [
        (one, one.sel(stimulus=order[:5]), one.sel(stimulus=order)[:, chosen], one[:, chosen][:, 1:3], one[:, 3, 1:])
        for one in (lazy.assign_coords(roi=("target", list("abcdefg"))), whole)
    ]
    assert read == [] and lazy.dtype == np.float64
    for ours, theirs in zip(*pairs, strict=True):
        found = ours.to_numpy()
        assert found.dtype == np.float64 and ours.dims == theirs.dims
        np.testing.assert_array_equal(found, theirs.to_numpy())
    assert read == [(12, 7, 3), (5, 7, 3), (12, 5, 3), (12, 2, 3), (12, 2)]
    assert lazy.isel(stimulus=[2, 0]).stimulus.to_numpy().tolist() == ["s02", "s00"]


@pytest.mark.parametrize("at_once", [2, 100])
@pytest.mark.parametrize("kind", ["float32", "float64", ">f4", "int16", "float16"])
def test_what_is_stored_for_blocks_is_the_numbers_of_the_file(values, kind, at_once, tmp_path, monkeypatch):
    monkeypatch.setattr(lazy_arrays, "TARGETS_AT_ONCE", at_once)
    values = np.asfortranarray((100 * values).astype(kind))
    chosen = opened(values, tmp_path).sel(stimulus=STIMULI[::-1])[:, 1:]
    expected = values[::-1, 1:].astype(np.float64)
    folder = tmp_path / "scratch"
    folder.mkdir()
    stored = store_responses(chosen, folder)
    assert np.load(stored.path).dtype == (np.float32 if kind == "float32" else np.float64)
    assert stored.shape == expected.shape and stored.load().dtype == np.float64
    np.testing.assert_array_equal(stored.load(), expected)
    np.testing.assert_array_equal(stored.load(slice(1, 3)), expected[:, 1:3])
    np.testing.assert_array_equal(stored.take(np.array([3, 0])).load(), expected[[3, 0]])
    np.testing.assert_array_equal(store_means(chosen, folder).load()[:, :, 0], mean_response(expected))
    assert store_responses(chosen, folder).sha256 == stored.sha256
    assert sorted(folder.iterdir()) == sorted({stored.path, store_means(chosen, folder).path})


def test_other_numbers_have_another_checksum(values, tmp_path):
    whole = in_memory(values)
    stored = [store_responses(one, tmp_path) for one in (whole, whole + 1.0, whole[:, ::-1], whole[:, :3])]
    assert len({one.sha256 for one in stored}) == 4
    # in one part: the checksum of an array that is stored as a whole
    assert store_array(whole.to_numpy(), tmp_path).sha256 == stored[0].sha256


def test_what_cannot_be_stored_as_a_whole_leaves_no_file(values, tmp_path):
    def parts():
        yield slice(0, 2), values[:, :2]
        raise DataError("the file went away")

    with pytest.raises(DataError, match="went away"):
        store_parts(parts(), values.shape, np.dtype(np.float32), tmp_path)
    assert list(tmp_path.iterdir()) == []


def spoilt(values: np.ndarray, what: str) -> np.ndarray:
    values = values.astype(np.float64)
    if what == "gaps":
        values[2, 1], values[3, 1, 0], values[4, 5, 2] = np.nan, np.nan, np.nan
    elif what == "others":
        values[:, 0], values[5, 2, 1], values[:, 4], values[:, 6] = 3.0, np.inf, np.nan, 1e80
    elif what == "repetitions":
        values[1, :, 2], values[7, 3, 0] = np.nan, np.nan
    elif what == "all":
        values[0] = np.nan
    return values


@pytest.mark.parametrize("what", ["", "gaps", "others", "repetitions", "all"])
@pytest.mark.parametrize("missing_targets", ["error", "drop"])
@pytest.mark.parametrize("missing_repetitions", ["error", "available"])
def test_targets_are_looked_at_in_parts_as_in_one(
    values, what, missing_targets, missing_repetitions, tmp_path, monkeypatch
):
    lazy = opened(spoilt(values, what), tmp_path)
    found = []
    for at_once in (2, 3, 100):
        monkeypatch.setattr(lazy_arrays, "TARGETS_AT_ONCE", at_once)
        try:
            usable = usable_targets(answered(lazy), "y.npy", missing_targets, missing_repetitions)
        except DataError as error:
            found.append((str(error), None, None, None))
            continue
        counts = count_repetitions(usable.targets)
        numbers = None if counts is None else counts.to_numpy().tolist()
        found.append((usable.warnings, usable.dropped.to_numpy().tolist(), usable.targets.to_numpy().tolist(), numbers))
    assert repr(found[0]) == repr(found[1]) == repr(found[2])


def test_sentences_on_what_is_missing(values, tmp_path, monkeypatch):
    monkeypatch.setattr(lazy_arrays, "TARGETS_AT_ONCE", 2)
    usable = usable_targets(opened(spoilt(values, "others"), tmp_path), "y.npy", "drop")
    assert usable.dropped["target"].tolist() == ["v0", "v2", "v4", "v6"]
    assert usable.dropped["reason"].tolist() == [
        "constant over stimuli", "infinite", "missing for all stimuli", "constant over stimuli",
    ]  # fmt: skip
    assert usable.dropped["n_stimuli"].tolist() == [0, 1, N, 0]
    usable = usable_targets(opened(spoilt(values, "repetitions"), tmp_path), "y.npy", "error", "available")
    assert usable.warnings[0].startswith(f"2 of {N} stimuli lack repetitions (3.2% of all responses")
    assert count_repetitions(usable.targets)["n_repetitions_min"].tolist() == [3, 2, 3, 3, 3, 3, 3, 2, 3, 3, 3, 3]


@pytest.fixture
def study(values, tmp_path) -> Comparison:
    """A comparison on the voxels of a dataset."""
    dataset = tmp_path / "dataset"
    (dataset / "data").mkdir(parents=True)
    (dataset / "sounds").mkdir()
    np.save(dataset / "data" / "voxels.npy", values)
    table = pd.DataFrame({"target": NAMES, "subject": np.arange(N_TARGETS) % 2})
    table.to_csv(dataset / "data" / "voxels.tsv", sep="\t", index=False)
    pd.DataFrame({"stimulus": STIMULI}).to_csv(dataset / "sounds" / "stimuli.tsv", sep="\t", index=False)
    features = pd.DataFrame(np.random.default_rng(1).standard_normal((N, 3)), columns=list("abc"))
    features.assign(stimulus=STIMULI).to_csv(tmp_path / "x.tsv", sep="\t", index=False)
    return Comparison.model_validate(
        {
            "name": "c",
            "features": {"net": {"table": str(tmp_path / "x.tsv")}},
            "targets": {"kind": "voxels", "dataset": str(dataset)},
            "splits": {"kind": "shuffle", "n_splits": 2, "train_size": 8, "test_size": 4, "allow_small_test": True},
            "estimators": {"ridge": {"kind": "ridge"}},
        }
    )


def test_a_study_never_holds_more_responses_than_some_targets(study, values, tmp_path, read, monkeypatch):
    monkeypatch.setattr(lazy_arrays, "TARGETS_AT_ONCE", 2)
    loaded = load_study(study, tmp_path)
    stored = store_responses(loaded.targets, tmp_path)
    assert max(width for _, width, _ in read) == 2
    # one part to see that every stimulus was answered; then all of them to look at, and to store
    assert sum(width for _, width, _ in read) == 2 + 2 * N_TARGETS
    assert stored.path.stat().st_size < values.nbytes + 1000
    np.testing.assert_array_equal(stored.load(), values.astype(np.float64))
    assert loaded.targets.subject.to_numpy().tolist() == [0, 1, 0, 1, 0, 1, 0]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (np.ones((N, N_TARGETS, 3)) * 1j, "responses are complex numbers"),
        (np.full((N, N_TARGETS, 3), "1"), "responses are <U1; expected real numbers"),
        (np.full((N, N_TARGETS, 3), None), "not an array file that can be read"),
        (np.ones((N, N_TARGETS)), r"shape is \(12, 7\).*12 stimuli and 7 voxels"),
        (np.ones((N, 2, 3)), r"shape is \(12, 2, 3\)"),
    ],
)
def test_what_is_no_array_of_voxels_is_refused(study, content, message, tmp_path):
    np.save(study.targets.dataset / "data" / "voxels.npy", content)
    with pytest.raises(DataError, match=message):
        read_responses(Targets(kind="voxels", dataset=study.targets.dataset))
