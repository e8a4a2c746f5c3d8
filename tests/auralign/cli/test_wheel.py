"""`pip install auralign` elsewhere: the wheel alone, in folders that are empty."""

import io
import os
import re
import shutil
import zipfile

import pandas as pd
import pytest
from filelock import FileLock

from auralign.inputs.options import Targets
from auralign.inputs.responses import read_responses

# what takes minutes is run where CI says so, as the pages are
RUN_ALL = os.environ.get("AURALIGN_DOCS") == "all"
N_SOUNDS = 165


def test_the_wheel_has_every_file_that_the_packages_have_and_the_folders_to_copy_from(root, installed):
    held = set(zipfile.ZipFile(installed.wheel).namelist())
    for package in ("auralign", "custom_markers"):
        files = [path for path in (root / package).rglob("*") if path.is_file() and "__pycache__" not in path.parts]
        assert [path for path in files if path.relative_to(root).as_posix() not in held] == []
    shipped = {name.removeprefix("auralign/shipped/") for name in held if name.startswith("auralign/shipped/")}
    for folder in ("junifer_yamls", "julearn_configs", "datalad_dataset"):
        assert {f"{folder}/{path.name}" for path in (root / folder).glob("*.yml")} <= shipped
    assert {"datalad_dataset/natsound165.tsv", "scripts/compare.py", "scripts/build_datasets.py"} <= shipped


def test_what_is_imported_is_the_installed_copy(installed, tmp_path):
    code = "import auralign, custom_markers; print(auralign.__file__); print(custom_markers.__file__)"
    places = installed.run(str(installed.python), "-c", code, cwd=tmp_path).stdout.split()
    assert len(places) == 2
    assert all(place.startswith(f"{installed.folder}/lib/python") for place in places)


@pytest.fixture(scope="module")
def quickstart(installed, shared):
    """A folder that was empty before `auralign quickstart`, and what that printed; once for all workers."""
    if not RUN_ALL:
        pytest.skip("the quickstart of the wheel takes a minute: AURALIGN_DOCS=all runs it, as CI does")
    folder, printed = shared / "wheel_quickstart", shared / "wheel_quickstart.txt"
    with FileLock(shared / "wheel_quickstart.lock"):
        if not printed.exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            printed.write_text(installed.run("auralign", "quickstart", cwd=folder).stdout, encoding="utf-8")
    return folder, printed.read_text(encoding="utf-8")


def test_the_quickstart_runs_in_an_empty_folder(quickstart, root):
    folder, printed = quickstart
    expected = (root / "README.md").read_text(encoding="utf-8")
    (headline,) = re.findall(r"The best of 2 feature sets, logmel \(ridge\), predicts \d+ %", expected)[:1]
    assert headline in printed
    assert "music    0.900    0.014       not                              not recovered, as expected" in printed
    assert (folder / "results" / "quickstart" / "report.html").is_file()
    assert sorted(path.name for path in folder.iterdir()) == [
        "datalad_dataset",
        "features",
        "julearn_configs",
        "junifer_yamls",
        "results",
    ]


def test_what_the_quickstart_made_becomes_a_study(quickstart, installed, tmp_path):
    folder, _ = quickstart
    study = tmp_path / "study"
    done = installed.run("auralign", "study", "new", str(study), cwd=folder)
    assert "a DataLad dataset with 1 subdataset(s)" in done.stdout
    assert {"compare.py", "report.py", "verify.py", "run.sh"} <= {path.name for path in (study / "code").iterdir()}
    # elsewhere there is nothing to make one of
    told = installed.run("auralign", "study", "new", str(tmp_path / "other"), cwd=tmp_path, status=2).stderr
    assert "julearn_configs/quickstart.yml: there is no such comparison in this folder" in told
    assert "auralign quickstart" in told


def test_four_commands_lead_from_a_folder_of_wavs_and_a_table_to_a_report(quickstart, installed, tmp_path):
    """The path of a first-time user: plain files, no dataset, nothing but the wheel."""
    dataset = quickstart[0] / "datalad_dataset" / "phantom"
    responses = read_responses(Targets(kind="components", dataset=dataset))[:N_SOUNDS, :, 0].to_pandas()
    responses.to_csv(tmp_path / "responses.tsv", sep="\t")
    (tmp_path / "my_wavs").mkdir()
    for stimulus in responses.index:
        shutil.copyfile(dataset / "sounds" / "wav" / f"{stimulus}.wav", tmp_path / "my_wavs" / f"{stimulus}.wav")

    def auralign(*arguments: str) -> str:
        return installed.run("auralign", *arguments, cwd=tmp_path).stdout

    half = N_SOUNDS - N_SOUNDS // 2, N_SOUNDS // 2
    said = auralign("init", "my_wavs", "responses.tsv")
    assert f"{N_SOUNDS} sounds with 6 targets; {half[0]} to fit, {half[1]} to test" in said
    said = auralign("features", "run", "junifer_yamls/my_wavs.yml")
    assert f"untrained: 4 layers of {N_SOUNDS} sounds\n" in said
    assert f"logmel: 1 layer of {N_SOUNDS} sounds\n" in said
    said = auralign("run", "julearn_configs/my_wavs.yml")
    assert "results: results/my_wavs    report: auralign report results/my_wavs" in said
    assert "report: results/my_wavs/report.html" in auralign("report", "results/my_wavs")
    summary = pd.read_csv(tmp_path / "results" / "my_wavs" / "summary.tsv", sep="\t")
    assert set(summary["features"]) == {"logmel", "untrained"}
    # what is driven by acoustics is found, what is drawn at random is not
    best = summary.groupby("target")["r2_corr_median"].max()
    assert best["lowfreq"] > 0.8
    assert best["music"] < 0.15


FIT = """
import sys
import auralign as au

features = au.read_features("features/quickstart/quickstart.hdf5", marker="small")
model = au.fit(features[1], au.read_responses("datalad_dataset/phantom", kind="components"))
au.save_model(model, sys.argv[1])
model.predict(features[1]).to_csv(sys.argv[2], sep="\t")
"""


def test_a_saved_model_predicts_a_wav_as_the_features_of_that_sound(quickstart, installed, tmp_path):
    folder, model, of_features = quickstart[0], tmp_path / "model", tmp_path / "of_features.tsv"
    installed.run(str(installed.python), "-c", FIT, str(model), str(of_features), cwd=folder)
    expected = pd.read_csv(of_features, sep="\t", index_col="stimulus").iloc[[3, 40]]
    wavs = [f"datalad_dataset/phantom/sounds/wav/{stimulus}.wav" for stimulus in expected.index]
    # test_predict.py: what is written with --out is what is printed
    printed = installed.run("auralign", "predict", str(model), *wavs, cwd=folder).stdout
    predicted = pd.read_csv(io.StringIO(printed), sep="\t", index_col="stimulus")
    pd.testing.assert_frame_equal(predicted, expected, rtol=1e-8, atol=0)
