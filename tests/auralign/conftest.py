"""Small datasets, and an HTTP server on this machine in the place of a public host."""

import hashlib
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from auralign import datasets
from auralign.recipes import read_recipe

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


class Small:
    """A dataset `small` of three files."""

    CONTENT = {"sounds/wav/a b.wav": b"first", "sounds/wav/b.wav": b"second", "data/c.mat": b"third"}

    @staticmethod
    def row(path: str, content: bytes | None = None, url: str | None = None) -> str:
        """A line of the table; without content, one whose size and checksum are not known."""
        known = f"{len(content)}\t{hashlib.md5(content).hexdigest()}" if content is not None else "\t"
        return f"{path}\t{known}\t{url or path.replace(' ', '%20')}\n"

    def recipe(self, folder: Path, base: str = "http://127.0.0.1:1/", rows: str = "", extra: str = "") -> Path:
        """`small.yml` and `small.tsv` in a folder; the table lists CONTENT unless rows are given."""
        folder.mkdir(parents=True, exist_ok=True)
        rows = rows or "".join(self.row(path, content) for path, content in self.CONTENT.items())
        header = "path\tkind\tsize\tmd5\turl" if "\tdataset\t" in rows else "path\tsize\tmd5\turl"
        (folder / "small.tsv").write_text(f"{header}\n{rows}")
        (folder / "small.yml").write_text(f"{YML}url_base: {base}\n{extra}")
        return folder / "small.yml"

    def files(self, folder: Path, content: dict[str, bytes] = CONTENT) -> Path:
        """The files of CONTENT, or others, below a folder."""
        for path, data in content.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(data)
        return folder

    def build(self, folder: Path, **recipe: str) -> Path:
        """The built dataset, without content."""
        assert datasets.build(read_recipe(self.recipe(folder, **recipe)), folder / "small")
        return folder / "small"


@pytest.fixture
def small() -> Small:
    return Small()


@pytest.fixture
def tool() -> Callable[..., str]:
    """Run git or datalad as a user would, with this environment's commands on the PATH."""

    def run(*command: str, cwd: Path, status: int = 0) -> str:
        env = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
        done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True)
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout.strip()

    return run


class Served:
    """What the server offers, and what it was asked for.

    `files`: path -> content. `broken`: paths of which only the first half is sent before the connection closes.
    `refused`: paths answered by 503. `together`: a barrier at which every transfer waits for others. `asked`: method,
    path and first byte of every request.
    """

    def __init__(self, files: dict[str, bytes]):
        self.files, self.base = dict(files), ""
        self.broken: set[str] = set()
        self.refused: set[str] = set()
        self.together: threading.Barrier | None = None
        self.asked: list[tuple[str, str, int]] = []


@pytest.fixture
def server(monkeypatch, small):
    """An HTTP server that sends parts of files, as public hosts do; git-annex is allowed to go there."""
    allowed = {"COUNT": "1", "KEY_0": "annex.security.allowed-ip-addresses", "VALUE_0": "127.0.0.1"}
    for name, value in allowed.items():
        monkeypatch.setenv(f"GIT_CONFIG_{name}", value)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    served = Served({path.replace(" ", "%20"): content for path, content in small.CONTENT.items()})

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *args):
            pass

        def do_HEAD(self):
            self.do_GET()

        def do_GET(self):
            path = self.path.lstrip("/")
            start = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").split("-")[0])
            served.asked.append((self.command, path, start))
            content = served.files.get(path)
            if content is None or path in served.refused:
                return self.send_error(404 if content is None else 503)
            if start and start >= len(content):
                return self.send_error(416)
            self.send_response(206 if start else 200)
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
            self.send_header("Content-Length", str(len(content) - start))
            self.end_headers()
            if self.command == "HEAD":
                return None
            if served.together:
                served.together.wait(30)
            if path in served.broken:
                self.wfile.write(content[start : len(content) // 2])
                self.close_connection = True
            else:
                self.wfile.write(content[start:])
            return None

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as httpd:
        served.base = f"http://127.0.0.1:{httpd.server_port}/"
        thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield served
        httpd.shutdown()
        thread.join()
