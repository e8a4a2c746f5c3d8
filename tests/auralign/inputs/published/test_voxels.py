"""Voxels of the two studies, in small archives of exactly the published layout."""

import tracemalloc

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy.io import savemat

from auralign.errors import DataError
from auralign.inputs.published.regions import convert_regions, read_regions
from auralign.inputs.published.sounds import read_b2021_ids, read_categories, read_ids
from auralign.inputs.published.voxels import open_voxels, read_voxels

SOUNDS = ["stim5_alarm_clock", "stim7_applause", "stim11_baby_crying", "stim102_crumpling_paper"]
CATEGORIES = ["Mechanical", "HumNonVoc", "HumVoc", "EnvSound"]
# what the archive's fields are known or thought to be called; only the positions of the first and the fifth are sure
FIELDS = ["filename", "id", "cat_assignment_idx", "fmri_stim_idx", "category"]


def _stimuli(path, names=FIELDS, sounds=SOUNDS):
    kinds = ["S40", "i4", "i4", "i4", "S12"]
    rows = [
        (f"{sound}.wav".encode(), n, 1, n, c.encode())
        for n, (sound, c) in enumerate(zip(sounds, CATEGORIES, strict=True))
    ]
    np.save(path, np.array(rows, dtype=list(zip(names, kinds, strict=True))))


def _cells(values, shape):
    cells = np.empty(shape, dtype=object)
    for position, value in enumerate(values):
        cells.flat[position] = value
    return cells


def _regions(subjects, hemis, x, y, ids, roi):
    return pd.DataFrame(
        {
            "subj_idx": np.asarray(subjects, dtype=np.uint8),
            "hemi": hemis,
            "x_ras": np.asarray(x, dtype=np.int16),
            "y_ras": np.asarray(y, dtype=np.int16),
            "voxel_id": ids,
            "tonotopic": np.arange(len(ids)) % 2.0,
            "kell_r_reliability": np.linspace(0.3, 0.9, len(ids)),
            "roi_label_specific": ["A1" if r == "Primary" else r for r in roi],
            "roi_label_general": roi,
        }
    )


@pytest.fixture
def archive(tmp_path):
    """Return `data/neural` of an archive: NH2015 with five voxels, B2021 with three, whose sounds come scrambled."""
    random = np.random.default_rng(0)
    first, second = tmp_path / "NH2015", tmp_path / "B2021"
    first.mkdir()
    second.mkdir()
    _stimuli(first / "neural_stim_meta.npy")
    values = random.standard_normal((4, 5, 3))
    values[:, [1, 4], 2] = np.nan
    np.save(first / "voxel_features_array.npy", values)
    fields = [
        ("subj_idx", "u1"),
        ("hemi", "S2"),
        ("x_ras", "i2"),
        ("y_ras", "i2"),
        ("voxel_id", "i8"),
        ("n_reps", "u1"),
    ]
    rows = [
        (1, b"rh", -2, 4, 0, 3),
        (1, b"lh", 6, 8, 7, 2),
        (2, b"rh", -2, 4, 0, 3),
        (2, b"lh", 0, 0, 9, 3),
        (3, b"rh", 2, 2, 1, 2),
    ]
    np.save(first / "voxel_features_meta.npy", np.array(rows, dtype=fields))
    # only voxels with three repetitions, here not in the array's order
    table = _regions([2, 1, 2], ["lh", "rh", "rh"], [0, -2, -2], [0, 4, 4], [9, 0, 0], ["Primary", np.nan, "Lateral"])
    table.to_pickle(first / "df_roi_meta.pkl")

    names = ["stim999_new_music", *SOUNDS[::-1], "stim998_drums"]
    # as np.save writes what comes from MATLAB
    np.save(
        second / "voxel_features_array.npy", np.asfortranarray(random.standard_normal((6, 3, 3)).astype(np.float32))
    )
    np.save(second / "voxel_features_meta.npy", np.arange(3))
    info = {f"f{n}": 0 for n in range(7)} | {"stim_names": _cells([_cells([name], (1, 1)) for name in names], (6, 1))}
    savemat(second / "stim_info_v4.mat", {"stim_info": info})
    table = _regions([1, 2, 2], ["rh", "lh", "rh"], [1, 2, 3], [1, 2, 3], [0, 1, 2], ["Primary", "Primary", np.nan])
    table.iloc[::-1].to_pickle(second / "df_roi_meta.pkl")
    return tmp_path


def test_voxels_with_three_repetitions_come_with_what_is_known_of_them(archive):
    found = read_voxels(archive, "NH2015")
    values = np.load(archive / "NH2015" / "voxel_features_array.npy")
    assert found.dims == ("stimulus", "target", "repetition") and found.dtype == np.float64
    assert list(found.stimulus.values) == SOUNDS
    assert list(found.target.values) == ["NH2015_s1_rh_v00000", "NH2015_s2_rh_v00000", "NH2015_s2_lh_v00009"]
    np.testing.assert_array_equal(found.values, values[:, [0, 2, 3]])
    assert list(found.subject.values) == [1, 2, 2]
    assert list(found.hemi.values) == ["rh", "rh", "lh"]
    assert list(found.x.values) == [-2, -2, 0] and list(found.y.values) == [4, 4, 0]
    assert list(found.n_reps.values) == [3, 3, 3]
    # joined by subject, side and id, not by position
    assert list(found.roi.values) == ["", "Lateral", "Primary"]
    assert list(found.roi_specific.values) == ["", "Lateral", "A1"]
    assert list(found.mask_tonotopic.values) == [1.0, 0.0, 0.0]
    np.testing.assert_allclose(found.kell_r_reliability.values, [0.6, 0.9, 0.3])


def test_rows_follow_the_ids_wherever_they_stand(archive):
    before = read_voxels(archive, "NH2015")
    order = [2, 0, 3, 1]
    _stimuli(archive / "NH2015" / "neural_stim_meta.npy", sounds=[SOUNDS[row] for row in order])
    path = archive / "NH2015" / "voxel_features_array.npy"
    np.save(path, np.load(path)[order])
    xr.testing.assert_identical(read_voxels(archive, "NH2015"), before)


def test_two_repetitions_of_all_voxels(archive):
    found = read_voxels(archive, "NH2015", repetitions=2)
    values = np.load(archive / "NH2015" / "voxel_features_array.npy")
    np.testing.assert_array_equal(found.values, values[:, :, :2])
    assert list(found.n_reps.values) == [3, 2, 3, 3, 2]
    assert list(found.roi.values) == ["", "", "Lateral", "Primary", ""]
    with pytest.raises(DataError, match="1 repetitions of 3; possible are 3 or 2"):
        read_voxels(archive, "NH2015", repetitions=1)


def test_sounds_of_b2021_are_found_by_id(archive):
    found = read_voxels(archive, "B2021")
    values = np.load(archive / "B2021" / "voxel_features_array.npy")
    assert list(found.stimulus.values) == SOUNDS
    np.testing.assert_array_equal(found.values, values[[4, 3, 2, 1]])
    assert list(found.target.values) == ["B2021_s1_rh_v00000", "B2021_s2_lh_v00001", "B2021_s2_rh_v00002"]
    assert list(found.roi.values) == ["Primary", "Primary", ""]
    assert open_voxels(archive, "B2021").sizes["stimulus"] == 6
    _stimuli(archive / "NH2015" / "neural_stim_meta.npy", sounds=["stim1_other", *SOUNDS[1:]])
    with pytest.raises(DataError, match=r"stim_info_v4\.mat: 1 sounds of NH2015 are not among its 6: stim1_other"):
        read_voxels(archive, "B2021")


def test_subjects_and_regions_can_be_chosen(archive):
    chosen = read_voxels(archive, "NH2015", subjects=[2])
    assert list(chosen.target.values) == ["NH2015_s2_rh_v00000", "NH2015_s2_lh_v00009"]
    assert list(read_voxels(archive, "B2021", rois=["Primary"]).subject.values) == [1, 2]
    assert read_voxels(archive, "B2021", rois=["Primary"], subjects=[2]).sizes["target"] == 1
    with pytest.raises(DataError, match=r"no subject 9; there are \[1, 2\]"):
        read_voxels(archive, "B2021", subjects=[9])
    with pytest.raises(DataError, match=r"no roi 'Front'; there are \['Primary'\]"):
        read_voxels(archive, "B2021", rois=["Front"])
    with pytest.raises(DataError, match="no voxel is left"):
        read_voxels(archive, "NH2015", subjects=[3])


def test_opening_reads_nothing_and_reading_only_what_is_asked_for(archive):
    base = archive / "B2021"
    shape, n = (165, 26_792, 3), 26_792
    big = np.lib.format.open_memmap(base / "voxel_features_array.npy", "w+", np.float64, shape)  # a sparse file
    wanted = np.array([3, 20_000])
    big[:, wanted] = np.arange(165.0)[:, None, None] + [[[1.0], [2.0]]]
    big.flush()
    del big
    np.save(base / "voxel_features_meta.npy", np.arange(n))
    subjects = np.where(np.isin(np.arange(n), wanted), 5, 6)
    zeros = np.zeros(n, dtype=int)
    _regions(subjects, ["rh"] * n, zeros, zeros, np.arange(n), ["Primary"] * n).to_pickle(base / "df_roi_meta.pkl")
    sounds = [f"stim{3 * number + 1}_x" for number in range(165)]
    savemat(base / "stim_info_v4.mat", {"stim_info": {"stim_names": _cells(sounds, (1, 165))}})
    rows = [(f"{sound}.wav".encode(),) for sound in sounds]
    np.save(archive / "NH2015" / "neural_stim_meta.npy", np.array(rows, dtype=[("filename", "S40")]))

    size = 165 * n * 3 * 8
    tracemalloc.start()
    opened = open_voxels(archive, "B2021")
    assert opened.sizes == {"stimulus": 165, "target": n, "repetition": 3}
    assert isinstance(opened.variable.values.base, np.memmap) or isinstance(opened.variable.values, np.memmap)
    found = read_voxels(archive, "B2021", subjects=[5])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < size / 3
    np.testing.assert_array_equal(found.values[:, 0, 0], np.arange(165) + 1.0)
    np.testing.assert_array_equal(found.values[:, 1, 2], np.arange(165) + 2.0)


def test_fields_are_taken_by_name_else_by_position_and_type(tmp_path):
    path = tmp_path / "neural_stim_meta.npy"
    _stimuli(path)
    assert read_ids(path) == SOUNDS
    assert read_categories(path).to_dict("list") == {"stimulus": SOUNDS, "category": CATEGORIES}
    _stimuli(path, names=["a", "b", "c", "d", "e"])
    assert read_categories(path).to_dict("list") == {"stimulus": SOUNDS, "category": CATEGORIES}
    # by name before position
    moved = np.load(path).astype([("b", "S40"), ("x", "i4"), ("y", "i4"), ("z", "i4"), ("filename", "S12")])
    np.save(path, moved)
    assert read_ids(path) == CATEGORIES
    np.save(path, np.zeros(4, dtype=[("n", "i4"), ("m", "S4")]))
    with pytest.raises(DataError, match=r"expected filename or field 0 of kind SU; there are \['n \(int32\)'"):
        read_ids(path)
    np.save(path, np.zeros(4))
    with pytest.raises(DataError, match="there are none"):
        read_ids(path)
    np.save(path, np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(DataError, match=r"neural_stim_meta\.npy: not an array file that can be read without running"):
        read_ids(path)


def test_the_field_of_stim_info_is_taken_by_name_else_by_position(tmp_path):
    path = tmp_path / "stim_info_v4.mat"
    cells = _cells([f"{sound}.wav" for sound in SOUNDS], (1, 4))
    savemat(path, {"stim_info": {f"f{n}": n for n in range(7)} | {"sounds": cells}})
    assert read_b2021_ids(path) == SOUNDS
    savemat(path, {"stim_info": {"stim_names": cells, "other": 1}})
    assert read_b2021_ids(path) == SOUNDS
    savemat(path, {"stim_info": {"other": 1}})
    with pytest.raises(DataError, match=r"expected stim_names or field 7"):
        read_b2021_ids(path)
    savemat(path, {"stim_info": {"stim_names": _cells([1.0, 2.0], (1, 2))}})
    with pytest.raises(DataError, match=r"a cell holds .*; expected text"):
        read_b2021_ids(path)


def _break(archive, study, what):
    base = archive / study
    table = pd.read_pickle(base / "df_roi_meta.pkl")
    if what == "moved":
        table.loc[0, "x_ras"] = 77
    elif what == "short":
        table = table.iloc[1:]
    elif what == "twice":
        table = pd.concat([table, table.iloc[:1]])
    elif what == "column":
        table = table.drop(columns="voxel_id")
    elif what == "shape":
        np.save(base / "voxel_features_array.npy", np.zeros((4, 4, 3)))
    elif what == "two":
        np.save(base / "voxel_features_array.npy", np.zeros((6, 3, 2)))
    elif what == "complex":
        np.save(base / "voxel_features_array.npy", np.zeros((4, 5, 3), dtype=complex))
    elif what == "nan":
        values = np.load(base / "voxel_features_array.npy")
        values[1, 0, 2] = np.nan
        np.save(base / "voxel_features_array.npy", values)
    table.to_pickle(base / "df_roi_meta.pkl")


@pytest.mark.parametrize(
    ("study", "what", "expected"),
    [
        ("NH2015", "moved", r"df_roi_meta\.pkl: 1 voxels lie elsewhere than in voxel_features_meta\.npy"),
        ("NH2015", "short", r"1 voxels with three repetitions are not in it: \[\(2, 'lh', 9\)\]"),
        ("NH2015", "twice", r"the voxel \(2, 'lh', 9\) is there more than once"),
        ("NH2015", "column", "the column 'voxel_id' is missing"),
        ("NH2015", "shape", r"shape is \(4, 4, 3\), but there are 4 stimuli and 5 targets"),
        ("NH2015", "nan", "responses of 1 targets are not finite: NH2015_s1_rh_v00000"),
        ("B2021", "short", r"df_roi_meta\.pkl: 1 voxels of voxel_features_meta\.npy are not in it: \[2\]"),
        ("B2021", "twice", "the voxel 2 is there more than once"),
        ("B2021", "shape", "shape is"),
        ("B2021", "two", r"3 repetitions of 2; possible are 3 or 2"),
        ("NH2015", "complex", r"complex128 of shape \(4, 5, 3\); expected numbers"),
    ],
)
def test_files_that_do_not_belong_together_are_refused(archive, study, what, expected):
    _break(archive, study, what)
    with pytest.raises(DataError, match=expected):
        read_voxels(archive, study)


def test_missing_files_are_named(archive):
    (archive / "B2021" / "df_roi_meta.pkl").unlink()
    with pytest.raises(DataError, match=r"df_roi_meta\.tsv or df_roi_meta\.pkl is missing"):
        open_voxels(archive, "B2021")
    (archive / "NH2015" / "df_roi_meta.pkl").unlink()
    assert "roi" not in read_voxels(archive, "NH2015").coords
    with pytest.raises(DataError, match="to choose by roi"):
        read_voxels(archive, "NH2015", rois=["Primary"])
    (archive / "NH2015" / "voxel_features_array.npy").unlink()
    with pytest.raises(DataError, match=r"voxel_features_array\.npy: there is no such file"):
        read_voxels(archive, "NH2015")
    with pytest.raises(DataError, match="no study 'X'"):
        open_voxels(archive, "X")


def test_a_converted_table_stands_in_for_the_pickle_and_names_the_targets(archive, tmp_path):
    base = archive / "NH2015"
    before = read_voxels(archive, "NH2015")
    written = convert_regions(base / "df_roi_meta.pkl", base / "df_roi_meta.tsv", "NH2015")
    table = pd.read_csv(base / "df_roi_meta.tsv", sep="\t")
    assert list(table["target"]) == ["NH2015_s2_lh_v00009", "NH2015_s1_rh_v00000", "NH2015_s2_rh_v00000"]
    pd.testing.assert_frame_equal(
        table.drop(columns="target"), pd.read_pickle(base / "df_roi_meta.pkl"), check_dtype=False
    )
    assert list(written.columns) == list(table.columns)
    (base / "df_roi_meta.pkl").unlink()
    xr.testing.assert_identical(read_voxels(archive, "NH2015"), before)
    assert len(read_regions(base / "df_roi_meta.tsv")) == 3

    pd.DataFrame({"comp": ["lowfreq"], "comp_idx": [0]}).to_pickle(tmp_path / "c.pkl")
    assert list(convert_regions(tmp_path / "c.pkl", tmp_path / "c.tsv")["target"]) == ["lowfreq"]
    with pytest.raises(DataError, match=r"ends in \.tsv"):
        convert_regions(tmp_path / "c.pkl", tmp_path / "c.csv")
    with pytest.raises(DataError, match="cannot be written"):
        convert_regions(tmp_path / "c.pkl", tmp_path / "nowhere" / "c.tsv")
