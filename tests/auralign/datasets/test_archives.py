"""Members of archives in a dataset: what git-annex then knows, and archives that mean harm or are damaged."""

import hashlib
import io
import os
import tarfile
from pathlib import Path

import pytest

from auralign.datasets import archives
from auralign.datasets import building as datasets
from auralign.errors import DatasetError

MEMBERS = {"data/neural/voxels.npy": b"voxels" * 1000, "data/neural/meta a.npy": b"meta", "data/stimuli/a.wav": b"a"}


def member(name: str, content: bytes = b"", **fields) -> tuple[tarfile.TarInfo, bytes]:
    """A member of an archive with any header that one likes."""
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for field, value in fields.items():
        setattr(info, field, value)
    return info, content


def pack(*members: tuple[tarfile.TarInfo, bytes], mode: str = "w", more: dict[str, bytes] = MEMBERS) -> bytes:
    """An archive of MEMBERS (or others) and further members."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as tar:
        for info, content in (*(member(*item) for item in more.items()), *members):
            tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


@pytest.fixture
def holding(tmp_path, small):
    """A function: the dataset that holds an archive, of whose checksum nothing was known."""

    def make(content: bytes, name: str = "data.tar", place: str = "here") -> Path:
        dataset = small.build(tmp_path / place, rows=small.row(name))
        assert datasets.supply(dataset, small.files(tmp_path / place / "files", {name: content})) == (1, [])
        return dataset

    return make


def present(dataset: Path) -> dict[str, bytes]:
    """What of the dataset's files is here, other than its own and archives."""
    files = (path for path in dataset.rglob("*") if path.is_file() and ".git" not in path.parts)
    content = {path.relative_to(dataset).as_posix(): path.read_bytes() for path in files}
    return {path: data for path, data in content.items() if path.startswith(("data/", "results/"))}


@pytest.mark.parametrize(("name", "mode"), [("data.tar", "w"), ("data.tar.gz", "w:gz")])
def test_members_become_annexed_files_once(holding, tool, tmp_path, monkeypatch, name, mode):
    ignore = tmp_path / "ignore"
    ignore.write_text("*.npy\ndata/\n")  # a user's own rules
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "core.excludesFile")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", str(ignore))
    dataset = holding(pack(mode=mode), name)

    assert archives.add_members(dataset, name, ["data/neural"]) == (2, [])
    assert set(present(dataset)) == {path for path in MEMBERS if "neural" in path}
    assert archives.add_members(dataset, name) == (1, [])
    head = tool("git", "rev-parse", "HEAD", cwd=dataset)
    assert archives.add_members(dataset, name) == (0, [])
    assert present(dataset) == MEMBERS
    for path, content in MEMBERS.items():
        digest = hashlib.md5(content).hexdigest()
        assert os.readlink(dataset / path).endswith(f"/MD5E-s{len(content)}--{digest}{Path(path).suffix}")
    assert tool("git", "status", "--porcelain", "--ignored", cwd=dataset) == ""
    assert tool("git", "annex", "fsck", "--quiet", cwd=dataset) == ""
    assert tool("git", "rev-parse", "HEAD", cwd=dataset) == head

    # a dropped member comes back from the archive, and is checked
    tool("git", "annex", "drop", "--quiet", "--force", "data/neural", cwd=dataset)
    assert len(present(dataset)) == 1
    assert archives.add_members(dataset, name) == (2, [])
    assert present(dataset) == MEMBERS and tool("git", "rev-parse", "HEAD", cwd=dataset) == head


def test_equal_archives_give_equal_commits_and_clones_get_members(holding, tool, tmp_path):
    first, second = (holding(pack(), place=place) for place in ("first", "second"))
    for dataset in (first, second):
        archives.add_members(dataset, "data.tar")
    assert tool("git", "rev-parse", "HEAD", cwd=first) == tool("git", "rev-parse", "HEAD", cwd=second)
    tool("git", "clone", "--quiet", str(first), str(clone := tmp_path / "clone"), cwd=tmp_path)
    tool("git", "annex", "get", "--quiet", "data/stimuli/a.wav", cwd=clone)
    assert present(clone) == {"data/stimuli/a.wav": b"a"}


def test_what_means_harm_is_refused_by_name_and_the_rest_is_added(holding, tool, tmp_path):
    outside = tmp_path / "outside.txt"
    bad = {
        str(outside): "its path is absolute",
        "../outside.txt": "leads outside",
        "data/../../outside.txt": "leads outside",
        "data/a\nb": "cannot be printed",
        "README.md": "is a file of the dataset itself",
        "data.tar/inside": "data.tar is a file or another dataset",
    }
    links = [
        member("data/passwd", type=tarfile.SYMTYPE, linkname="/etc/passwd"),
        member("data/up", type=tarfile.SYMTYPE, linkname="../../outside.txt"),
        member("data/hard", type=tarfile.LNKTYPE, linkname="../outside.txt"),
        member("data/itself", type=tarfile.SYMTYPE, linkname="itself"),
        member("data/folder", type=tarfile.SYMTYPE, linkname="neural"),
    ]
    devices = [member("data/pipe", type=tarfile.FIFOTYPE), member("data/disk", type=tarfile.BLKTYPE)]
    hidden = [".git/hooks/post-commit", "data/.DS_Store", "data/._a.wav", ".datalad/config", ".gitattributes"]
    kept = [
        member("./data/stimuli/b.wav", b"b"),
        member("data/stimuli/c.wav", type=tarfile.SYMTYPE, linkname="../neural/meta a.npy"),
        member("data/stimuli/d.wav", type=tarfile.LNKTYPE, linkname="data/stimuli/a.wav"),
        member("data/empty", type=tarfile.DIRTYPE),
    ]
    dataset = holding(pack(*(member(name, b"bad") for name in [*bad, *hidden]), *links, *devices, *kept))
    before = (dataset / "README.md").read_bytes(), (dataset / ".datalad/config").read_bytes()

    number, problems = archives.add_members(dataset, "data.tar")
    assert number == len(MEMBERS) + 3 and len(problems) == len(bad) + len(links) + len(devices)
    reasons = bad | {info.name: "which is no file of the archive" for info, _ in links}
    reasons |= {info.name: "a device or a pipe" for info, _ in devices}
    for name, reason in reasons.items():
        assert any(f"data.tar: {name!r} is refused" in problem and reason in problem for problem in problems), name
    links_to = {"data/stimuli/b.wav": b"b", "data/stimuli/c.wav": b"meta", "data/stimuli/d.wav": b"a"}
    assert present(dataset) == MEMBERS | links_to
    assert not outside.exists() and not (tmp_path / "here/outside.txt").exists()
    assert not (dataset / ".git/hooks/post-commit").exists() and not (dataset / "data/.DS_Store").exists()
    assert ((dataset / "README.md").read_bytes(), (dataset / ".datalad/config").read_bytes()) == before
    assert tool("git", "status", "--porcelain", cwd=dataset) == ""


def test_what_is_there_is_not_replaced(holding, small, tool):
    dataset = holding(pack(member("data/stimuli/a.wav", b"A"), member("data/stimuli/a.wav", b"aa")))
    small.files(dataset, {"data/neural/meta a.npy": b"mine", "data/neural/voxels.npy/x": b"mine"})
    number, problems = archives.add_members(dataset, "data.tar")
    assert number == 1 and len(problems) == 4
    assert sum("there already, with another content" in problem for problem in problems) == 4
    assert (dataset / "data/neural/meta a.npy").read_bytes() == b"mine"
    assert (dataset / "data/stimuli/a.wav").read_bytes() == b"a"
    assert "data/neural/" in tool("git", "status", "--porcelain", cwd=dataset)

    # another archive has members of the same names
    replace(dataset, pack(more={"data/stimuli/a.wav": b"long"}))
    assert "another content (1 bytes, not 4)" in archives.add_members(dataset, "data.tar")[1][0]
    tool("git", "annex", "drop", "--quiet", "--force", "data/stimuli", cwd=dataset)
    replace(dataset, pack(more={"data/stimuli/a.wav": b"c"}))
    assert f"md5 {hashlib.md5(b'c').hexdigest()}" in archives.add_members(dataset, "data.tar")[1][0]
    assert not (dataset / "data/stimuli/a.wav").exists()


@pytest.mark.parametrize("when", ["before the members are annexed", "before they are committed"])
def test_an_interrupted_call_can_be_repeated(holding, tool, monkeypatch, when):
    dataset = holding(pack())

    def interrupt(*args):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(archives, "_flush" if "annexed" in when else "commit", interrupt)
        archives.add_members(dataset, "data.tar")
    assert tool("git", "status", "--porcelain", cwd=dataset) != ""
    assert archives.add_members(dataset, "data.tar")[1] == []
    assert present(dataset) == MEMBERS
    assert tool("git", "status", "--porcelain", cwd=dataset) == ""
    tracked = tool("git", "ls-tree", "-r", "-z", "--name-only", "HEAD", cwd=dataset).split("\0")
    assert set(MEMBERS) < set(tracked)


def replace(dataset: Path, content: bytes) -> None:
    """Another archive, which git-annex does not know."""
    (dataset / "data.tar").unlink()
    (dataset / "data.tar").write_bytes(content)


def test_a_damaged_archive_is_told_and_what_came_before_is_added(holding):
    dataset, before = holding(pack()), {}
    for name, number in {"cut": 1, "short": 1, "noise": 1, "endless": 2, "packed": None}.items():
        members = {f"data/{name}1": b"1", f"data/{name}2": os.urandom(5000)}
        whole = pack(more=members, mode="w:gz" if name == "packed" else "w")
        second = whole.find(b"data/%b2" % name.encode())
        replace(
            dataset,
            {
                "cut": whole[: second + 700],  # in a member
                "short": whole[:second],  # before a header
                "noise": whole[:second] + b"\xff" * 512 + whole[second + 512 :],  # for a header
                "endless": whole[: second + 512 + 5120],  # without the blocks of zeros
                "packed": whole[:4000],
            }[name],
        )
        added, problems = archives.add_members(dataset, "data.tar")
        assert len(problems) == 1 and problems[0].startswith("data.tar: it is damaged"), name
        assert "get it again" in problems[0] and number in (None, added), (name, added)
        before |= dict(list(members.items())[:added])
        assert present(dataset) == before


def test_no_archive_no_content_no_such_member(holding, tmp_path, tool):
    dataset = holding(b"this is no archive")
    with pytest.raises(DatasetError, match=r"data\.tar is no tar file"):
        archives.add_members(dataset, "data.tar")
    tool("git", "annex", "drop", "--quiet", "--force", "data.tar", cwd=dataset)
    with pytest.raises(DatasetError, match=r"content of data\.tar is not in .*: .* small --get --subset data\.tar"):
        archives.add_members(dataset, "data.tar")
    with pytest.raises(DatasetError, match="build it with"):
        archives.add_members(tmp_path, "data.tar")
    replace(dataset, pack())
    unknown = "data.tar: no member is chosen by 'nothing'"
    assert archives.add_members(dataset, "data.tar", ["data/neural", "nothing"]) == (2, [unknown])


def test_members_go_beside_an_archive_in_a_folder_and_in_batches(holding, monkeypatch, tool):
    monkeypatch.setattr(archives, "BATCH", 2)
    members = {f"{i}.txt": str(i).encode() for i in range(5)}
    dataset = holding(pack(more=members), "results/all.tar")
    assert archives.add_members(dataset, "results/all.tar") == (5, [])
    assert present(dataset).keys() - {"results/all.tar"} == {f"results/{name}" for name in members}
    assert tool("git", "status", "--porcelain", cwd=dataset) == ""
