"""Bringing content: a server on this machine in the place of a public host, and git-annex itself as the oracle."""

import hashlib
import os
import socket
import threading

import pytest

from auralign.datasets import building as datasets
from auralign.datasets import downloads
from auralign.datasets.recipes import read_recipe
from auralign.errors import DatasetError

BIG = bytes(range(256)) * 4000  # about a megabyte: more than one piece on the wire


def sums(*contents: bytes) -> list[str]:
    return [hashlib.md5(content).hexdigest() for content in contents]


def gets(server) -> list[tuple[str, int]]:
    """Path and first byte of every transfer."""
    return [(path, start) for method, path, start in server.asked if method == "GET"]


def test_get_by_address_is_checked_and_takes_only_what_is_asked_for(tmp_path, small, server, tool):
    dataset = small.build(tmp_path, base=server.base)
    assert downloads.fetch(dataset, ["data/c.mat"]) == 1
    assert [path for path in small.CONTENT if (dataset / path).exists()] == ["data/c.mat"]
    with pytest.raises(DatasetError, match=r"has no file data/d\.mat"):
        downloads.fetch(dataset, ["data/d.mat"])
    assert (downloads.get(dataset), downloads.get(dataset)) == (2, 0)
    assert {path: (dataset / path).read_bytes() for path in small.CONTENT} == small.CONTENT
    assert tool("git", "annex", "fsck", "--quiet", cwd=dataset) == ""


def test_get_refuses_wrong_content_and_says_which_and_why(tmp_path, small, server):
    server.files |= {"data/c.mat": b"thirt", "sounds/wav/a%20b.wav": b"firstt"}
    del server.files["sounds/wav/b.wav"]
    dataset = small.build(tmp_path, base=server.base)
    with pytest.raises(DatasetError) as error:
        downloads.get(dataset)
    lines = str(error.value).splitlines()
    assert lines[0].startswith("3 of 3 files could not be fetched") and "small --source" in lines[4]
    assert f"data/c.mat from {server.base}data/c.mat: wrong checksum: md5" in lines[1]
    assert all(digest in lines[1] for digest in sums(b"thirt", b"third"))
    assert f"a b.wav from {server.base}sounds/wav/a%20b.wav: wrong size: 6 bytes, wanted 5 bytes" in lines[2]
    assert f"sounds/wav/b.wav from {server.base}sounds/wav/b.wav: HTTP Error 404" in lines[3]
    assert not any((dataset / path).exists() for path in small.CONTENT)

    # what came wrong is not in the way of what comes right
    server.files |= {"data/c.mat": b"third", "sounds/wav/a%20b.wav": b"first", "sounds/wav/b.wav": b"second"}
    assert downloads.get(dataset) == 3


def test_a_broken_download_goes_on_where_it_broke(tmp_path, small, server):
    half = len(BIG) // 2
    server.files["big.bin"] = BIG
    server.broken.add("big.bin")
    dataset = small.build(tmp_path, base=server.base, rows=small.row("big.bin", BIG))
    with pytest.raises(DatasetError, match=r"big\.bin from .*big\.bin: the transfer broke"):
        downloads.get(dataset)
    assert not (dataset / "big.bin").exists()
    assert gets(server)[0] == ("big.bin", 0) and ("big.bin", half) in gets(server)

    server.broken.clear()
    server.asked.clear()
    assert downloads.get(dataset) == 1
    assert gets(server) == [("big.bin", half)]
    assert (dataset / "big.bin").read_bytes() == BIG


def test_parallel_get_asks_for_four_files_at_the_same_time(tmp_path, small, server, tool):
    content = {f"{i}.wav": f"content {i}".encode() for i in range(4)}
    server.files |= content
    dataset = small.build(tmp_path, base=server.base, rows="".join(small.row(*item) for item in content.items()))
    server.together = threading.Barrier(4)  # nobody is served before four have asked
    assert downloads.fetch(dataset, [], jobs=4) == 4
    tool("git", "annex", "drop", "--quiet", ".", cwd=dataset)
    tool("datalad", "get", "-J", "4", ".", cwd=dataset)
    assert not server.together.broken and sorted(gets(server)) == sorted([(path, 0) for path in content] * 2)
    assert {path: (dataset / path).read_bytes() for path in content} == content


def test_an_unknown_checksum_is_recorded_at_the_first_download_and_checked_ever_after(
    tmp_path, small, server, tool, caplog
):
    """Whether datalad or this package fetches: the commit says what the content must be."""
    server.files |= {"big.bin": BIG, "later.bin": b"later"}
    rows = small.row("big.bin") + small.row("later.bin")
    dataset = small.build(tmp_path, base=server.base, rows=rows)
    recipe = read_recipe(tmp_path / "small.yml")
    assert downloads.get_selected(recipe, dataset, ["big.bin"]) == 1
    assert f"big.bin: no checksum was known; recorded: {len(BIG)} bytes, md5 {sums(BIG)[0]}" in caplog.text
    assert os.readlink(dataset / "big.bin").endswith(f"/MD5E-s{len(BIG)}--{sums(BIG)[0]}.bin")
    assert "VURL" in os.readlink(dataset / "later.bin")
    assert "clean" in tool("datalad", "status", cwd=dataset)
    assert tool("git", "annex", "fsck", "--quiet", cwd=dataset) == ""
    assert [path.name[:4] for path in (dataset / ".git/annex/objects").glob("*/*/*")] == ["MD5E"]  # no second copy
    assert datasets.build(recipe, dataset) is False

    again = small.build(tmp_path / "again", base=server.base, rows=rows)
    assert downloads.get_selected(recipe, again, ["big.bin"]) == 1
    assert tool("git", "rev-parse", "HEAD", cwd=again) == tool("git", "rev-parse", "HEAD", cwd=dataset)

    tool("datalad", "clone", str(dataset), str(clone := tmp_path / "clone"), cwd=tmp_path)
    tool("git", "annex", "drop", "--quiet", "big.bin", cwd=dataset)
    changed = server.files["big.bin"] = BIG[:-1] + b"x"
    tool("datalad", "get", "big.bin", cwd=clone, status=1)
    with pytest.raises(DatasetError, match=r"big\.bin from .*big\.bin: wrong checksum") as error:
        downloads.get_selected(recipe, dataset, ["big.bin"])
    assert all(digest in str(error.value) for digest in sums(BIG, changed))
    assert not (dataset / "big.bin").exists() and not (clone / "big.bin").exists()
    server.files["big.bin"] = BIG
    assert downloads.get_selected(recipe, clone) == 2


def test_what_git_annex_alone_has_recorded_is_checked_too(tmp_path, small, server, tool):
    """A first `datalad get` leaves the key as it is, and git-annex would take other content of the same length."""
    server.files["big.bin"] = BIG
    dataset = small.build(tmp_path, base=server.base, rows=small.row("big.bin"))
    tool("datalad", "get", "big.bin", cwd=dataset)
    tool("git", "annex", "drop", "--quiet", "big.bin", cwd=dataset)
    changed = server.files["big.bin"] = BIG[:-1] + b"x"
    for _ in range(2):
        with pytest.raises(DatasetError, match=r"big\.bin from .*big\.bin: wrong checksum: sha256") as error:
            downloads.fetch(dataset, ["big.bin"])
        assert all(hashlib.sha256(content).hexdigest() in str(error.value) for content in (BIG, changed))
        assert not (dataset / "big.bin").exists()
    server.files["big.bin"] = BIG
    assert downloads.fetch(dataset, ["big.bin"]) == 1


def test_another_address_is_tried_where_one_fails(tmp_path, small, server):
    rows = small.row("b.wav", b"second", "moved/b.wav sounds/wav/b.wav")
    dataset = small.build(tmp_path, base=server.base, rows=rows)
    assert downloads.get(dataset) == 1
    assert (dataset / "b.wav").read_bytes() == b"second"
    del server.files["sounds/wav/b.wav"]
    lost = small.build(tmp_path / "lost", base=server.base, rows=rows)
    with pytest.raises(DatasetError) as error:
        downloads.get(lost)
    assert all(f"from {server.base}{url}: HTTP Error 404" in str(error.value) for url in rows.split("\t")[3].split())


@pytest.mark.parametrize("listening", [False, True])
def test_host_that_cannot_be_reached_or_never_answers(tmp_path, small, server, listening):
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        if listening:
            sock.listen()
        dataset = small.build(tmp_path, base=f"http://127.0.0.1:{sock.getsockname()[1]}/")
        with pytest.raises(DatasetError) as error:
            downloads.fetch(dataset, [], timeout=0.5)
    for path in small.CONTENT:
        assert path in str(error.value)
    assert ("does not answer within 0.5 s" if listening else "cannot be reached") in str(error.value)
    assert "small --source" in str(error.value)


def test_a_file_that_its_origin_holds_damaged_is_refused_by_name(tmp_path, small, tool):
    dataset = small.build(tmp_path)
    datasets.supply(dataset, small.files(tmp_path / "files"))
    tool("datalad", "clone", str(dataset), str(clone := tmp_path / "clone"), cwd=tmp_path)
    damaged = (dataset / "data/c.mat").resolve()
    os.chmod(damaged, 0o644)
    damaged.write_bytes(b"thirt")
    with pytest.raises(DatasetError, match=r"1 of 3 files could not .*\n  data/c\.mat from .*"):
        downloads.get(clone)
    assert not (clone / "data/c.mat").exists() and (clone / "sounds/wav/b.wav").read_bytes() == b"second"


def test_a_dataset_of_the_table_is_attached_and_what_is_selected_of_it_comes(tmp_path, small, server, tool):
    public = small.build(tmp_path / "public", base=server.base)
    rows = f"data/inner\tdataset\t\t\t{public.as_uri()}\n"
    path = small.recipe(tmp_path / "here", rows=rows, extra="subsets: {mats: [data/inner/data/*.mat]}\n")
    recipe = read_recipe(path)
    dataset = small.build(tmp_path / "here", rows=rows)
    assert not (dataset / "data").exists()
    assert f"datalad clone -d . {public.as_uri()} data/inner" in (dataset / "README.md").read_text()

    assert downloads.get_selected(recipe, dataset) == 0
    assert (dataset / "data/inner/data/c.mat").is_symlink() and not (dataset / "data/inner/data/c.mat").exists()
    assert downloads.get_selected(recipe, dataset, ["mats"]) == 1
    assert [p for p in small.CONTENT if (dataset / "data/inner" / p).exists()] == ["data/c.mat"]
    assert "clean" in tool("datalad", "status", cwd=dataset)
    assert downloads.attach(dataset, "data/inner", public.as_uri()) is False

    # a clone knows its subdataset, and attaches the same commit
    tool("datalad", "clone", str(dataset), str(clone := tmp_path / "clone"), cwd=tmp_path)
    assert downloads.attach(clone, "data/inner", public.as_uri()) is True
    assert tool("git", "submodule", "status", cwd=clone) == tool("git", "submodule", "status", cwd=dataset)
    with pytest.raises(
        DatasetError, match=r"other could not be attached to .* from http://127\.0\.0\.1:1/x: .*reached"
    ):
        downloads.attach(dataset, "other", "http://127.0.0.1:1/x")
