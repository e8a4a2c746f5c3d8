"""Recipes and the datasets built from them: three small files, a loopback server, git-annex as the oracle."""

import hashlib
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from auralign import datasets, phantom
from auralign.errors import DatasetError
from auralign.recipes import read_recipe

BIN = Path(sys.executable).parent
CONTENT = {"sounds/wav/a b.wav": b"first", "sounds/wav/b.wav": b"second", "data/c.mat": b"third"}
YML = """
name: small
title: A small dataset
description: Three files.
licence: CC0-1.0
citation: nobody
id: 11111111-2222-3333-4444-555555555555
date: 2020-02-02T00:00:00Z
table: small.tsv
"""


def tool(*command: str, cwd: Path) -> str:
    """Run git or datalad as a user would, with this environment's commands on the PATH."""
    env = os.environ | {"PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def write_recipe(folder: Path, base: str = "http://127.0.0.1:1/", rows: str = "", extra: str = "") -> Path:
    """`small.yml` and `small.tsv` in a folder; the table lists CONTENT unless rows are given."""
    folder.mkdir(parents=True, exist_ok=True)
    for path, content in () if rows else CONTENT.items():
        md5 = hashlib.md5(content).hexdigest()
        rows += f"{path}\t{len(content)}\t{md5}\t{path.replace(' ', '%20')}\n"
    (folder / "small.tsv").write_text(f"path\tsize\tmd5\turl\n{rows}")
    (folder / "small.yml").write_text(f"{YML}url_base: {base}\n{extra}")
    return folder / "small.yml"


def write_files(folder: Path, content: dict[str, bytes] = CONTENT) -> Path:
    """The files of CONTENT, below a folder."""
    for path, data in content.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    return folder


def build(folder: Path, **recipe) -> Path:
    """The dataset of a small recipe."""
    assert datasets.build(read_recipe(write_recipe(folder, **recipe)), folder / "small")
    return folder / "small"


@pytest.fixture
def server(tmp_path, monkeypatch):
    """A folder, and the address under which its files are served; git-annex is allowed to go there."""
    allowed = {"COUNT": "1", "KEY_0": "annex.security.allowed-ip-addresses", "VALUE_0": "127.0.0.1"}
    for name, value in allowed.items():
        monkeypatch.setenv(f"GIT_CONFIG_{name}", value)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    folder = write_files(tmp_path / "served")
    monkeypatch.setattr(SimpleHTTPRequestHandler, "log_message", lambda *args: None)
    handler = partial(SimpleHTTPRequestHandler, directory=folder)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as httpd:
        thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield folder, f"http://127.0.0.1:{httpd.server_port}/"
        httpd.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("extra", "rows", "told"),
    [
        ("colour: red\n", "", ["small.yml", "`colour`", "url_base"]),
        ("generator: phantom\n", "", ["either `table`"]),
        ("", "a.wav\t5\t123\ta.wav", ["line 2 of the table", "`md5`", "'123'"]),
        ("", "../a.wav\t5\t" + "0" * 32 + "\ta.wav", ["line 2 of the table", "`path`", "../a.wav"]),
        ("", ("a.wav\t5\t" + "0" * 32 + "\ta.wav\n") * 2, ["twice", "a.wav"]),
        ("", "a.wav\t5\t" + "0" * 32, ["line 2 of the table", "`url`"]),
    ],
)
def test_a_mistake_in_a_recipe_is_told_with_file_and_key(tmp_path, extra, rows, told):
    with pytest.raises(DatasetError) as error:
        read_recipe(write_recipe(tmp_path, extra=extra, rows=rows))
    for part in told:
        assert part in str(error.value)


def test_recipe_without_url_base_or_with_another_name_or_no_table(tmp_path):
    with pytest.raises(DatasetError, match="add `url_base`"):
        read_recipe(write_recipe(tmp_path, base='""'))
    path = write_recipe(tmp_path)
    with pytest.raises(DatasetError, match=r"`name` is 'small' but should be .*'other'"):
        read_recipe(path.rename(tmp_path / "other.yml"))
    (tmp_path / "small.tsv").unlink()
    with pytest.raises(DatasetError, match=r"small\.tsv"):
        read_recipe(tmp_path / "other.yml")
    (tmp_path / "other.yml").write_text("name: other\n")
    with pytest.raises(DatasetError, match=r"key `licence`: Field required\n"):
        read_recipe(tmp_path / "other.yml")


def test_natsound165_recipe(root):
    recipe = read_recipe(root / "datalad_dataset" / "natsound165.yml")
    paths = [row.path for row in recipe.files]
    assert len(paths) == len(set(paths)) == len({row.md5 for row in recipe.files}) == 167
    assert sum(path.startswith("sounds/wav/stim") and path.endswith(".wav") for path in paths) == 165
    assert {"sounds/category_labels.csv", "data/components.mat"} < set(paths)
    repository = "raw.githubusercontent.com/snormanhaignere/natsound165-neuron2015"
    commit = "b41b99ff620d7997dbf278fc770f58566707726a"
    assert recipe.urls(recipe.files[0])[0] == f"https://{repository}/{commit}/{paths[0]}"


def test_natsound165_recipe_lists_the_files_that_we_have(root, real_data):
    recipe = read_recipe(root / "datalad_dataset" / "natsound165.yml")
    local = {path.name: path for path in real_data.rglob("*") if path.is_file()}
    for row in recipe.files:
        content = local[Path(row.path).name].read_bytes()
        assert (row.size, row.md5) == (len(content), hashlib.md5(content).hexdigest()), row.path


def test_build_is_clean_deterministic_and_alone(tmp_path, monkeypatch):
    """Inside another repository (as here, and even while that one runs a hook), twice: the same commit."""
    outer = tmp_path / "outer"
    outer.mkdir()
    tool("git", "init", "--quiet", cwd=outer)
    (outer / ".gitignore").write_text("/datalad_dataset/\n")
    monkeypatch.setenv("GIT_DIR", str(outer / ".git"))
    first = build(outer / "datalad_dataset")
    second = build(tmp_path / "elsewhere")
    monkeypatch.delenv("GIT_DIR")

    assert tool("git", "rev-parse", "HEAD", cwd=first) == tool("git", "rev-parse", "HEAD", cwd=second)
    assert "clean" in tool("datalad", "status", cwd=first)
    assert tool("git", "status", "--porcelain", cwd=first) == ""
    assert tool("git", "status", "--porcelain", cwd=outer) == "?? .gitignore"
    assert not [*outer.glob(".gitmodules"), *outer.glob("datalad_dataset/.small*")]
    assert "id = 11111111-2222-3333-4444-555555555555\n" in (first / ".datalad/config").read_text()

    # git-annex itself, given the files, arrives at the same keys.
    files = write_files(tmp_path / "files")
    for path in CONTENT:
        key = tool("git", "annex", "calckey", "--backend=MD5E", str(files / path), cwd=first)
        assert os.readlink(first / path).endswith(f"/{key}")


def test_building_again_leaves_it_and_a_changed_recipe_is_refused(tmp_path):
    dataset = build(tmp_path)
    datasets.supply(dataset, write_files(tmp_path / "files"))
    recipe = read_recipe(write_recipe(tmp_path))
    assert datasets.build(recipe, dataset) is False
    reworded = recipe.model_copy(update={"description": "Three files, described better."})
    assert datasets.build(reworded, dataset) is False

    changed = read_recipe(write_recipe(tmp_path, rows=f"d.wav\t3\t{'0' * 32}\td.wav"))
    with pytest.raises(DatasetError, match=r"mv .*small .*small\.old .* --source .*small\.old"):
        datasets.build(changed, dataset)
    assert (dataset / "sounds/wav/b.wav").read_bytes() == b"second"

    # The advice works: what the old dataset holds satisfies the new one.
    dataset.rename(tmp_path / "small.old")
    assert datasets.build(recipe, dataset) is True
    assert datasets.supply(dataset, tmp_path / "small.old") == (3, [])


def test_a_folder_that_is_no_dataset_of_ours_is_left_alone(tmp_path):
    (tmp_path / "small").mkdir()
    (tmp_path / "small" / "mine.txt").write_text("mine")
    with pytest.raises(DatasetError, match="left as it is"):
        datasets.build(read_recipe(write_recipe(tmp_path)), tmp_path / "small")
    assert [path.name for path in (tmp_path / "small").iterdir()] == ["mine.txt"]


def test_build_that_fails_leaves_nothing(tmp_path):
    """README.md is the builder's own file."""
    recipe = read_recipe(write_recipe(tmp_path, rows=f"README.md\t3\t{'0' * 32}\treadme\n"))
    with pytest.raises(DatasetError, match=r"fromkey .* failed"):
        datasets.build(recipe, tmp_path / "small")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["small.tsv", "small.yml"]


def test_supply_refuses_a_wrong_file_by_name_and_keeps_the_others(tmp_path):
    dataset = build(tmp_path)
    source = write_files(tmp_path / "source", {"wav/a b.wav": b"first", "deep/down/b.wav": b"secont"})
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
    write_files(source, {"other/b.wav": b"second", "c.mat": b"third"})
    assert datasets.supply(dataset, source) == (2, [])
    assert datasets.supply(dataset, source) == (0, [])
    assert tool("git", "annex", "fsck", "--quiet", cwd=dataset) == ""


def test_supply_from_no_folder_and_into_no_dataset(tmp_path):
    with pytest.raises(DatasetError, match="is not a folder"):
        datasets.supply(build(tmp_path), tmp_path / "nowhere")
    with pytest.raises(DatasetError, match="build it with"):
        datasets.supply(tmp_path, tmp_path)


def test_clone_get_drop_get(tmp_path, server):
    """What DataLad's own commands do with a built dataset, and a clone of it."""
    dataset = build(tmp_path, base=server[1])
    tool("datalad", "clone", str(dataset), str(clone := tmp_path / "clone"), cwd=tmp_path)
    for _ in range(2):
        tool("datalad", "get", ".", cwd=clone)
        assert {path: (clone / path).read_bytes() for path in CONTENT} == CONTENT
        tool("datalad", "drop", ".", cwd=clone)
        assert not any((clone / path).exists() for path in CONTENT)
    assert (datasets.get(dataset), datasets.get(dataset)) == (3, 0)
    assert {path: (dataset / path).read_bytes() for path in CONTENT} == CONTENT


def test_fetch_takes_only_what_is_asked_for(tmp_path, server):
    dataset = build(tmp_path, base=server[1])
    assert datasets.fetch(dataset, ["data/c.mat"]) == 1
    assert [path for path in CONTENT if (dataset / path).exists()] == ["data/c.mat"]
    with pytest.raises(DatasetError, match=r"has no file data/d\.mat"):
        datasets.fetch(dataset, ["data/d.mat"])


def test_get_refuses_wrong_content_and_says_which_and_why(tmp_path, server):
    folder, base = server
    (folder / "data/c.mat").write_bytes(b"thirt")
    (folder / "sounds/wav/b.wav").unlink()
    dataset = build(tmp_path, base=base)
    with pytest.raises(DatasetError) as error:
        datasets.get(dataset)
    lines = str(error.value).splitlines()
    assert lines[0].startswith("2 of 3 files could not be fetched") and "--source" in lines[3]
    assert f"data/c.mat from {base}data/c.mat: wrong checksum" in lines[1]
    assert all(hashlib.md5(content).hexdigest() in lines[1] for content in (b"thirt", b"third"))
    assert f"sounds/wav/b.wav from {base}sounds/wav/b.wav" in lines[2] and "not found" in lines[2].lower()
    assert (dataset / "sounds/wav/a b.wav").read_bytes() == b"first"
    assert not (dataset / "data/c.mat").exists()

    write_files(folder)
    assert datasets.get(dataset) == 2


def test_the_second_address_is_tried_where_the_first_fails(tmp_path, server):
    rows = f"b.wav\t6\t{hashlib.md5(b'second').hexdigest()}\tmoved/b.wav sounds/wav/b.wav"
    dataset = build(tmp_path, base=server[1], rows=rows)
    assert datasets.get(dataset) == 1
    assert (dataset / "b.wav").read_bytes() == b"second"


@pytest.mark.parametrize("listening", [False, True])
def test_host_that_cannot_be_reached_or_never_answers(tmp_path, server, listening):
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        if listening:
            sock.listen()
        dataset = build(tmp_path, base=f"http://127.0.0.1:{sock.getsockname()[1]}/")
        start = time.monotonic()
        with pytest.raises(DatasetError) as error:
            datasets.fetch(dataset, [], timeout=0.5)
        assert time.monotonic() - start < 10
    for path in CONTENT:
        assert path in str(error.value)
    assert ("does not answer within 0.5 s" if listening else "cannot be reached") in str(error.value)
    assert "small --source" in str(error.value)


def test_phantom_is_cloned_and_got_like_any_other(tmp_path, root, monkeypatch):
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


def command(root: Path, *arguments: str, **env: str) -> subprocess.CompletedProcess:
    """The command where its environment is not activated and git knows nobody."""
    bare = {"PATH": os.defpath, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    line = [sys.executable, root / "scripts" / "build_datasets.py", *arguments]
    return subprocess.run(line, env=bare | env, capture_output=True, text=True)


def test_command_builds_supplies_and_tells_by_its_status(tmp_path, root):
    write_recipe(tmp_path)
    at = ("--root", str(tmp_path))
    source = write_files(tmp_path / "source", dict(list(CONTENT.items())[:2]))
    env = {"HOME": str(tmp_path / "home")}
    done = command(root, *at, **env)
    assert (done.returncode, done.stderr) == (0, "") and "small: built in" in done.stdout

    done = command(root, "small", "--source", str(source), *at, **env)
    assert done.returncode == 1 and "2 files taken" in done.stdout and "data/c.mat: no file" in done.stderr
    write_files(source)
    done = command(root, "small", "--source", str(source), *at, **env)
    assert done.returncode == 0 and "1 files taken" in done.stdout

    done = command(root, "smal", *at, **env)
    assert done.returncode == 2 and "no recipe smal" in done.stderr and "small" in done.stderr
    assert command(root, "--source", str(source), *at, **env).returncode == 2
    assert not (tmp_path / "home" / ".gitconfig").exists()
