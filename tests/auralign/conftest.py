"""Small datasets and a server in the place of a public host; tables of results, and two small comparisons."""

import hashlib
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from auralign.config.reading import read_config
from auralign.datasets import building as datasets
from auralign.datasets.recipes import read_recipe
from auralign.runs.compare import run_comparison
from auralign.runs.results import Results, read_results

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


SETS = {"net": 3, "plain": 1}


def _scores(
    sets: dict[str, int] | None = None,
    targets: tuple[str, ...] = ("first", "second"),
    estimators: tuple[str, ...] = ("ridge",),
    n_splits: int = 6,
    seed: int = 0,
) -> pd.DataFrame:
    """Random scores; feature sets with their numbers of layers."""
    random, rows = np.random.default_rng(seed), []
    for features, n_layers in (sets or SETS).items():
        for layer in range(n_layers):
            for target in targets:
                for estimator in estimators:
                    for split in range(n_splits):
                        r2_corr = random.uniform(0.2, 0.8)
                        rows.append((features, layer, f"l{layer}", target, estimator, split, r2_corr))
    columns = ["features", "layer", "layer_name", "target", "estimator", "split", "r2_corr"]
    table = pd.DataFrame(rows, columns=columns)
    extra = {"r2": table["r2_corr"] - 0.1, "r2_dev": table["r2_corr"] + random.normal(0, 0.1, len(table))}
    return table.assign(**extra, alpha=10.0 ** random.integers(-2, 3, len(table)), n_train=20, n_test=10)


@pytest.fixture
def make_scores() -> Callable[..., pd.DataFrame]:
    return _scores


@pytest.fixture
def make_summary() -> Callable[[pd.DataFrame], pd.DataFrame]:
    """Medians and standard deviations over splits, counted by numpy."""

    def summarise(scores: pd.DataFrame) -> pd.DataFrame:
        keys, rows = ["features", "layer", "layer_name", "target", "estimator"], []
        for key, own in scores.groupby(keys, sort=False):
            row = dict(zip(keys, key, strict=True)) | {"n_splits": len(own)}
            for metric in ("r2", "r2_corr"):
                row[f"{metric}_median"] = np.median(own[metric])
                row[f"{metric}_sd"] = np.std(own[metric], ddof=1)
            rows.append(row)
        return pd.DataFrame(rows)

    return summarise


def _features(folder: Path, stimuli: list[str], x: np.ndarray) -> None:
    def write(name: str, layers: list[np.ndarray]) -> None:
        tables = [
            pd.DataFrame(layer, columns=[f"u{i}" for i in range(layer.shape[1])]).assign(stimulus=stimuli, layer=number)
            for number, layer in enumerate(layers)
        ]
        pd.concat(tables).to_csv(folder / f"{name}.tsv", sep="\t", index=False)

    random = np.random.default_rng(5)
    mixed = x @ random.standard_normal((x.shape[1], x.shape[1]))
    write("net", [x, np.tanh(mixed), mixed[:, ::-1] ** 2])
    write("plain", [x[:, :3]])
    write("noise", [random.standard_normal(x.shape) for _ in range(2)])
    for step in (0, 100, 200):
        write(f"run-step{step:06d}", [x + (200 - step) / 50 * random.standard_normal(x.shape), x])


@pytest.fixture(scope="session")
def inputs(tmp_path_factory) -> Path:
    """A folder of features and responses: two components, and 30 voxels of 5 subjects in three repetitions."""
    folder = tmp_path_factory.mktemp("inputs")
    random = np.random.default_rng(3)
    stimuli = [f"stim{n}_sound" for n in range(1, 31)]
    x = random.standard_normal((30, 8))
    _features(folder, stimuli, x)
    signal = x[:, :3] @ random.standard_normal((3, 30))  # [stimulus, voxel]
    components = pd.DataFrame(signal[:, :2] + random.standard_normal((30, 2)), columns=["low", "high"])
    components.assign(stimulus=stimuli).to_csv(folder / "components.tsv", sep="\t", index=False)
    names = [f"v{n:02d}" for n in range(30)]
    noisy = [pd.DataFrame(signal + 0.7 * random.standard_normal(signal.shape), columns=names) for _ in range(3)]
    voxels = pd.concat([table.assign(stimulus=stimuli, repetition=r) for r, table in enumerate(noisy)])
    voxels.to_csv(folder / "voxels.tsv", sep="\t", index=False)
    n = np.arange(30)
    about = {"subject": 1 + n % 5, "hemi": np.where(n < 15, "lh", "rh"), "x": 2.0 * (n % 6), "y": 2.0 * (n // 6)}
    table = pd.DataFrame({"target": names, **about, "roi": np.where(n // 5 % 2, "core", "belt")})
    table.to_csv(folder / "targets.tsv", sep="\t", index=False)
    labels = pd.DataFrame({"stimulus": stimuli, "category": np.where(np.arange(30) % 3, "speech", "music")})
    labels.to_csv(folder / "stimuli.tsv", sep="\t", index=False)
    return folder


def _run(inputs: Path, name: str, text: str) -> Results:
    config = inputs / f"{name}.yml"
    shared = "splits: {kind: shuffle, n_splits: 4, train_size: 18, test_size: 12, seed: 1}\n"
    config.write_text(f"name: {name}\n{text}{shared}", encoding="utf-8")
    run_comparison(read_config(config), inputs / "results" / name)
    return read_results(inputs / "results" / name)


@pytest.fixture(scope="session")
def components(inputs) -> Results:
    """Two components, ridge and lasso, a baseline of one layer, categories."""
    return _run(
        inputs,
        "components",
        """
features: {net: {table: net.tsv}, plain: {table: plain.tsv}}
targets: {kind: table, table: components.tsv}
stimuli: {table: stimuli.tsv}
estimators: {ridge: {kind: ridge, alphas: {logspace: [-2, 3, 6]}}, lasso: {kind: lasso, n_alphas: 10, cv: 3}}
""",
    )


@pytest.fixture(scope="session")
def voxels(inputs) -> Results:
    """Thirty voxels with places, regions and subjects; a joined set and a training series."""
    return _run(
        inputs,
        "voxels",
        """
features:
  net: {table: net.tsv}
  plain: {table: plain.tsv}
  noise: {table: noise.tsv}
  both: {join: [net, plain]}
  run-step000000: {table: run-step000000.tsv}
  run-step000100: {table: run-step000100.tsv}
  run-step000200: {table: run-step000200.tsv}
targets: {kind: table, table: voxels.tsv, target_table: targets.tsv}
estimators: {ridge: {kind: ridge, alphas: {logspace: [-2, 3, 6]}}}
""",
    )
