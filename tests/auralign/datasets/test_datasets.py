"""Datasets built from recipes: small files, git, git-annex, datalad and junifer as the oracles."""

import hashlib
import importlib.util
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import click
import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner, Result
from junifer.datagrabber import PatternDataladDataGrabber

import custom_markers  # noqa: F401  (registers the data type Audio)
from auralign.datasets import building as datasets
from auralign.datasets import downloads
from auralign.datasets.recipes import read_recipe
from auralign.errors import DatasetError
from auralign.phantom import study as phantom


def test_build_is_clean_deterministic_and_alone(tmp_path, small, tool, monkeypatch):
    """Inside another repository (as here, and even while that one runs a hook), twice: the same commit."""
    outer = tmp_path / "outer"
    outer.mkdir()
    tool("git", "init", "--quiet", cwd=outer)
    (outer / ".gitignore").write_text("/datalad_dataset/\n")
    monkeypatch.setenv("GIT_DIR", str(outer / ".git"))
    first = small.build(outer / "datalad_dataset")
    second = small.build(tmp_path / "elsewhere")
    monkeypatch.delenv("GIT_DIR")

    assert tool("git", "rev-parse", "HEAD", cwd=first) == tool("git", "rev-parse", "HEAD", cwd=second)
    assert "clean" in tool("datalad", "status", cwd=first)
    assert tool("git", "status", "--porcelain", cwd=first) == ""
    assert tool("git", "status", "--porcelain", cwd=outer) == "?? .gitignore"
    assert not [*outer.glob(".gitmodules"), *outer.glob("datalad_dataset/.small*")]
    assert "id = 11111111-2222-3333-4444-555555555555\n" in (first / ".datalad/config").read_text()

    # git-annex itself, given the files, arrives at the same keys.
    files = small.files(tmp_path / "files")
    for path in small.CONTENT:
        key = tool("git", "annex", "calckey", "--backend=MD5E", str(files / path), cwd=first)
        assert os.readlink(first / path).endswith(f"/{key}")


def test_building_again_leaves_it_and_a_changed_recipe_is_refused(tmp_path, small):
    dataset = small.build(tmp_path)
    datasets.supply(dataset, small.files(tmp_path / "files"))
    recipe = read_recipe(small.recipe(tmp_path))
    assert datasets.build(recipe, dataset) is False
    reworded = recipe.model_copy(update={"description": "Three files, described better."})
    assert datasets.build(reworded, dataset) is False

    changed = read_recipe(small.recipe(tmp_path, rows=f"d.wav\t3\t{'0' * 32}\td.wav"))
    with pytest.raises(DatasetError, match=r"mv .*small .*small\.old .* --source .*small\.old"):
        datasets.build(changed, dataset)
    assert (dataset / "sounds/wav/b.wav").read_bytes() == b"second"

    # The advice works: what the old dataset holds satisfies the new one.
    dataset.rename(tmp_path / "small.old")
    assert datasets.build(recipe, dataset) is True
    assert datasets.supply(dataset, tmp_path / "small.old") == (3, [])


def test_a_folder_that_is_no_dataset_of_ours_is_left_alone(tmp_path, small):
    (tmp_path / "small").mkdir()
    (tmp_path / "small" / "mine.txt").write_text("mine")
    with pytest.raises(DatasetError, match="left as it is"):
        datasets.build(read_recipe(small.recipe(tmp_path)), tmp_path / "small")
    assert [path.name for path in (tmp_path / "small").iterdir()] == ["mine.txt"]


def test_build_that_fails_leaves_nothing(tmp_path, small):
    """README.md is the builder's own file."""
    recipe = read_recipe(small.recipe(tmp_path, rows=f"README.md\t3\t{'0' * 32}\treadme\n"))
    with pytest.raises(DatasetError, match=r"fromkey .* failed"):
        datasets.build(recipe, tmp_path / "small")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["small.tsv", "small.yml"]


def test_supply_refuses_a_wrong_file_by_name_and_keeps_the_others(tmp_path, small, tool):
    dataset = small.build(tmp_path)
    source = small.files(tmp_path / "source", {"wav/a b.wav": b"first", "deep/down/b.wav": b"secont"})
    state = {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in source.glob("**/*.wav")}
    number, problems = datasets.supply(dataset, source)

    assert number == 1 and len(problems) == 2
    assert problems[0].startswith("data/c.mat: no file of this name")
    found, wanted = (hashlib.md5(content).hexdigest() for content in (b"secont", b"second"))
    assert "sounds/wav/b.wav: refused" in problems[1] and found in problems[1] and wanted in problems[1]
    assert (dataset / "sounds/wav/a b.wav").read_bytes() == b"first"
    assert not (dataset / "sounds/wav/b.wav").exists()
    assert state == {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in source.glob("**/*.wav")}
    assert tool("git", "status", "--porcelain", cwd=dataset) == ""

    # Another file of the same name is right: it is taken, and what is present is not asked for again.
    small.files(source, {"other/b.wav": b"second", "c.mat": b"third"})
    assert datasets.supply(dataset, source) == (2, [])
    assert datasets.supply(dataset, source) == (0, [])
    assert tool("git", "annex", "fsck", "--quiet", cwd=dataset) == ""


def test_supply_from_no_folder_and_into_no_dataset(tmp_path, small):
    with pytest.raises(DatasetError, match="is not a folder"):
        datasets.supply(small.build(tmp_path), tmp_path / "nowhere")
    with pytest.raises(DatasetError, match="build it with"):
        datasets.supply(tmp_path, tmp_path)


def test_phantom_is_cloned_and_got_like_any_other(tmp_path, root, tool, monkeypatch):
    """With sounds that take no time to make: test_phantom.py is about the real ones."""
    rows = 5
    study = phantom.Phantom(
        sounds=np.arange(rows * 4, dtype=np.int16).reshape(rows, 4),
        stimuli=[f"stim{n}_x" for n in range(rows)],
        categories=["Music"] * rows,
        signals=np.zeros((rows, 6)),
        components=np.ones((rows, 6)),
        weights=np.ones((6, 10)),
        voxels=np.ones((rows, 10, 3), np.float32),
        targets=pd.DataFrame({"target": list("abcdef")}),
        voxel_table=pd.DataFrame({"target": range(10)}),
    )
    monkeypatch.setattr(phantom, "generate", lambda seed, n_voxels: study)
    recipe = read_recipe(root / "datalad_dataset" / "phantom.yml")
    assert "SYNTHETIC" in recipe.title and "SYNTHETIC" in recipe.description
    assert datasets.build(recipe, tmp_path / "phantom") is True
    assert datasets.build(recipe, tmp_path / "phantom") is False
    moved = tmp_path.with_name(tmp_path.name + "_moved")
    shutil.copytree(tmp_path, moved, symlinks=True)
    dataset = moved / "phantom"
    shutil.rmtree(tmp_path / ".origins")  # the copy has its origin beside it

    wav = dataset / f"sounds/wav/{study.stimuli[0]}.wav"
    assert wav.is_symlink() and not wav.exists()
    assert (dataset / "data/targets.tsv").read_text().startswith("target")  # text comes with the clone
    assert datasets.get(dataset) == rows + 2  # and components.mat and voxels.npy
    assert wav.stat().st_size == 44 + 2 * 4
    assert tool("git", "status", "--porcelain", cwd=dataset) == ""
    assert tool("git", "annex", "fsck", "--quiet", cwd=dataset) == ""
    with pytest.raises(DatasetError, match=r"from where it was cloned from: .*origin"):
        datasets.get(tmp_path / "phantom")


def test_clone_get_drop_get(tmp_path, small, server, tool):
    """What DataLad's own commands do with a built dataset, and a clone of it."""
    dataset = small.build(tmp_path, base=server.base)
    tool("datalad", "clone", str(dataset), str(clone := tmp_path / "clone"), cwd=tmp_path)
    for _ in range(2):
        tool("datalad", "get", ".", cwd=clone)
        assert {path: (clone / path).read_bytes() for path in small.CONTENT} == small.CONTENT
        tool("datalad", "drop", ".", cwd=clone)
        assert not any((clone / path).exists() for path in small.CONTENT)


@pytest.mark.parametrize("name", ["natsound165", "song165", "tuckute2023", "encodecmae", "podcast"])
def test_every_shipped_recipe_builds_clean_and_says_what_cannot_be_had(tmp_path, root, tool, monkeypatch, name):
    recipe = read_recipe(root / "datalad_dataset" / f"{name}.yml")
    assert datasets.build(recipe, tmp_path / name) is True
    dataset = tmp_path / name
    assert tool("git", "status", "--porcelain", cwd=dataset) == ""
    assert tool("git", "annex", "fsck", "--quiet", cwd=dataset) == ""
    files = {row.path for row in recipe.files if row.kind == "file"}
    assert set(tool("git", "annex", "find", "--include=*", cwd=dataset).splitlines()) == files
    assert all(part in (dataset / "README.md").read_text() for part in (recipe.title, recipe.licence, recipe.citation))

    def no_network(urls, timeout):
        return {urlsplit(url).netloc: f"{urlsplit(url).netloc} cannot be reached" for url in urls}

    monkeypatch.setattr(downloads, "_silent_hosts", no_network)
    with pytest.raises(DatasetError) as error:
        datasets.get_selected(recipe, dataset)
    for row in recipe.files:
        hosts = {urlsplit(url).netloc for url in recipe.urls(row)}
        line = next(line for line in str(error.value).splitlines() if line.strip().startswith(f"{row.path} "))
        assert any(f"{host} cannot be reached" in line for host in hosts)


def test_what_is_supplied_without_a_known_checksum_is_recorded(tmp_path, small, tool, caplog):
    dataset = small.build(tmp_path, rows=small.row("data/c.mat") + small.row("d.mat", b"fourth"))
    source = small.files(tmp_path / "source", {"c.mat": b"third", "d.mat": b"fourth"})
    assert datasets.supply(dataset, source, ["data/c.mat"]) == (1, [])
    digest = hashlib.md5(b"third").hexdigest()
    assert f"data/c.mat: no checksum was known; recorded: 5 bytes, md5 {digest}" in caplog.text
    assert os.readlink(dataset / "data/c.mat").endswith(f"/MD5E-s5--{digest}.mat")
    assert tool("git", "status", "--porcelain", cwd=dataset) == ""
    tool("git", "annex", "drop", "--quiet", "--force", "data/c.mat", cwd=dataset)
    small.files(source, {"c.mat": b"other"})
    number, problems = datasets.supply(dataset, source)
    assert number == 1 and digest in problems[0]


def test_drop_drops_only_what_can_be_had_again(tmp_path, small, server):
    dataset = small.build(tmp_path, base=server.base)
    paths = list(small.CONTENT)
    assert datasets.drop(dataset, []) == []
    assert datasets.get(dataset) == 3
    assert datasets.drop(dataset, []) == [] and all((dataset / path).exists() for path in paths)
    del server.files["data/c.mat"]
    stayed = datasets.drop(dataset, paths)
    assert len(stayed) == 1 and stayed[0].startswith("data/c.mat: ")
    assert [path for path in paths if (dataset / path).exists()] == ["data/c.mat"]


@pytest.mark.filterwarnings("ignore:At least one file is not clean")
def test_junifer_grabs_by_uri_and_leaves_a_clone_as_it_found_it(tmp_path, small, server, tool, monkeypatch):
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    dataset = small.build(tmp_path, base=server.base)
    tool("datalad", "clone", str(dataset), str(clone := tmp_path / "clone"), cwd=tmp_path)
    datasets.fetch(clone, ["sounds/wav/b.wav", "data/c.mat"])
    for folder in (clone, tmp_path / "fresh"):
        grabber = PatternDataladDataGrabber(
            types=["Audio"],
            patterns={"Audio": {"pattern": "sounds/wav/{stimulus}.wav"}},
            replacements=["stimulus"],
            uri=str(dataset),
            datadir=folder,
        )
        with grabber:
            found = {element: grabber[element]["Audio"]["path"].read_bytes() for element in grabber.get_elements()}
            assert found == {"a b": b"first", "b": b"second"}
    assert not (tmp_path / "fresh").exists()
    assert [path for path in small.CONTENT if (clone / path).exists()] == ["sounds/wav/b.wav", "data/c.mat"]
    assert tool("git", "status", "--porcelain", cwd=clone) == ""


def test_a_subdataset_of_a_study_gets_drops_and_takes_files(tmp_path, small, server, tool):
    dataset = small.build(tmp_path, base=server.base)
    study = tmp_path / "study"
    tool("datalad", "create", str(study), cwd=tmp_path)
    tool("datalad", "clone", "-d", ".", str(dataset), "inputs/small", cwd=study)
    tool("git", "submodule", "--quiet", "absorbgitdirs", cwd=study)  # as `git clone --recurse-submodules` leaves it
    assert (study / "inputs/small/.git").is_file()
    assert datasets.get(study / "inputs/small") == 3
    tool("datalad", "drop", "inputs/small", "--what", "filecontent", cwd=study)
    assert not any((study / "inputs/small" / path).exists() for path in small.CONTENT)
    assert datasets.supply(study / "inputs/small", small.files(tmp_path / "files")) == (3, [])
    assert {path: (study / "inputs/small" / path).read_bytes() for path in small.CONTENT} == small.CONTENT
    assert "clean" in tool("datalad", "status", cwd=study)


@pytest.fixture(scope="module")
def script(root) -> click.Command:
    """The command, in this process."""
    spec = importlib.util.spec_from_file_location("build_datasets", root / "scripts" / "build_datasets.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.main


def test_command_selects_gets_and_unpacks(tmp_path, small, server, script):
    archive = shutil.make_archive(str(tmp_path / "all"), "tar", small.files(tmp_path / "packed"))
    server.files["all.tar"] = Path(archive).read_bytes()
    rows = small.row("all.tar") + small.row("data/d.mat", b"third", "data/c.mat")
    small.recipe(tmp_path, base=server.base, rows=rows, extra="subsets: {archive: [all.tar]}\n")

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(script, ["--root", str(tmp_path), *arguments])

    done = run("small", "--get", "--subset", "archive", "--jobs", "2", "--unpack", "--members", "sounds")
    assert done.exception is None, done.output
    assert "small: 1 files fetched\nsmall: 2 members of all.tar added\n" in done.output
    dataset = tmp_path / "small"
    assert (dataset / "sounds/wav/a b.wav").read_bytes() == b"first"
    assert not (dataset / "data/c.mat").exists() and not (dataset / "data/d.mat").exists()
    done = run("small", "--source", str(tmp_path / "packed"), "--subset", "data/d.mat")
    assert isinstance(done.exception, DatasetError) and "data/d.mat: no file of this name" in str(done.exception)
    # members are no files of the recipe: what was dropped of them is not sought on the network
    downloads.call("git", "annex", "drop", "--force", "sounds", cwd=dataset)
    done = run("small", "--get", "--unpack")
    assert done.exception is None and "1 files fetched\nsmall: 3 members" in done.output
    downloads.call("git", "annex", "drop", "--force", "all.tar", cwd=dataset)
    assert "no archive is here" in str(run("small", "--unpack").exception)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["smal"], "no recipe smal .* small"),
        (["--source", "."], "--source belongs to one NAME"),
        (["--get", "--subset", "data"], "--subset belongs to one NAME"),
        (["small", "--subset", "data"], "always built whole"),
        (["small", "--get", "--members", "data"], "--members belongs to --unpack"),
    ],
)
def test_wrong_usage_is_told_before_anything_is_done(tmp_path, small, script, arguments, told):
    small.recipe(tmp_path)
    with pytest.raises(click.UsageError, match=told):
        script(["--root", str(tmp_path), *arguments], standalone_mode=False)
    assert not (tmp_path / "small").exists()


def test_command_tells_by_its_status_and_needs_no_activated_environment(tmp_path, root, small):
    """Nor a name for git."""
    small.recipe(tmp_path)
    source = small.files(tmp_path / "source", dict(list(small.CONTENT.items())[:2]))
    bare = {"PATH": os.defpath, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    line = [sys.executable, root / "scripts/build_datasets.py", "small", "--source", source, "--root", tmp_path]
    done = subprocess.run(line, env=bare | {"HOME": str(tmp_path / "home")}, capture_output=True, text=True)
    assert done.returncode == 1 and "small: built in" in done.stdout and "2 files taken" in done.stdout
    assert "error: small: 1 problems:\n  data/c.mat: no file" in done.stderr
    assert not (tmp_path / "home" / ".gitconfig").exists()


def test_the_readme_adds_ones_own_dataset_as_it_shows(tmp_path, root, small, tool):
    text = (root / "datalad_dataset" / "README.md").read_text()
    block = next(block for block in re.findall(r"```bash\n(.*?)```", text, re.DOTALL) if "cat > mine.yml" in block)
    (tmp_path / "datalad_dataset").mkdir()
    source = small.files(tmp_path / "my sounds", small.CONTENT | {"sounds/.DS_Store": b"x"})
    block = block.replace("FOLDER", shlex.quote(str(source)))
    block = block.replace("scripts/build_datasets.py", f"{root}/scripts/build_datasets.py --root datalad_dataset")
    said = tool("bash", "-euc", block, cwd=tmp_path)
    assert re.fullmatch(r"mine: built in [\d.]+ s\nmine: 3 files taken from .*my sounds", said)
    dataset = tmp_path / "datalad_dataset" / "mine"
    assert {path: (dataset / path).read_bytes() for path in small.CONTENT} == small.CONTENT
    addresses = tool("git", "annex", "whereis", "sounds/wav/a b.wav", cwd=dataset)
    assert "https://example.org/sounds/wav/a%20b.wav" in addresses
