"""What is recorded of a run."""

import hashlib
import json
import shlex
import subprocess
import sys
from importlib.metadata import version

import numpy as np
import pandas as pd
import pytest

from auralign.config.reading import read_config
from auralign.errors import DataError
from auralign.runs import provenance
from auralign.runs.provenance import code_sha256, code_state, describe, describe_tables, git_state, read_provenance


def _git(folder, *arguments):
    command = ["git", "-c", "user.name=a", "-c", "user.email=a@b", "-C", str(folder), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def repository(tmp_path):
    folder = tmp_path / "repository"
    (folder / "package").mkdir(parents=True)
    _git(folder, "init", "-q")
    (folder / "package" / "__init__.py").write_text("")
    _git(folder, "add", ".")
    _git(folder, "commit", "-q", "-m", "first")
    return folder


def test_the_record_is_json_and_holds_settings_versions_and_libraries(small_config, tmp_path):
    record = json.loads(json.dumps(describe(read_config(small_config), {"net": {"version": "1"}}, tmp_path / "out")))
    assert record["config"]["name"] == "small"
    assert record["features"] == {"net": {"version": "1"}}
    assert record["versions"]["numpy"] == version("numpy") == np.__version__
    assert record["versions"]["julearn"] == version("julearn")
    assert record["python"] == ".".join(map(str, sys.version_info[:3]))
    assert shlex.split(record["command"]) == sys.argv
    assert any(library["user_api"] == "blas" and library["version"] for library in record["linear_algebra"])
    assert "filepath" not in json.dumps(record["linear_algebra"])


def test_the_text_of_the_configuration_is_recorded(small_config, tmp_path):
    record = describe(read_config(small_config), {}, tmp_path / "results" / "small", small_config)["config_file"]
    assert record["text"] == small_config.read_text()
    assert record["sha256"] == hashlib.sha256(small_config.read_bytes()).hexdigest()
    assert record["path"] == "../../small.yml"


def test_without_folder_and_file_nothing_is_recorded_relative_to_them(small_config):
    record = describe(read_config(small_config), {})
    assert not {"paths", "config_file"} & set(record)


def test_git_state_tells_commit_and_cleanness(repository):
    commit = _git(repository, "rev-parse", "HEAD")
    assert git_state(repository) == {"commit": commit, "clean": True}
    (repository / "package" / "__init__.py").write_text("x = 1\n")
    assert git_state(repository) == {"commit": commit, "clean": False}
    assert git_state(repository.parent) is None


def test_code_in_somebody_elses_repository_has_no_commit_of_it(repository, monkeypatch):
    installed = repository / "site-packages" / "auralign"
    installed.mkdir(parents=True)
    (installed / "__init__.py").write_text("")
    monkeypatch.setattr(provenance, "PACKAGE", installed)
    monkeypatch.setattr(provenance, "_commit_of_installation", lambda: None)
    assert code_state() is None
    # tracked files are that repository's own
    monkeypatch.setattr(provenance, "PACKAGE", repository / "package")
    assert code_state() == {"commit": _git(repository, "rev-parse", "HEAD"), "clean": True}
    # pip notes where it installed from
    monkeypatch.setattr(provenance, "PACKAGE", installed)
    monkeypatch.setattr(provenance, "_commit_of_installation", lambda: "abc")
    assert code_state() == {"commit": "abc", "clean": None}


def test_the_checksum_of_the_code_changes_with_any_of_its_files(repository, monkeypatch):
    package = repository / "package"
    monkeypatch.setattr(provenance, "PACKAGE", package)
    (package / "sub").mkdir()
    seen = [code_sha256()]
    for name, text in [("a.py", ""), ("a.py", "x = 1\n"), ("sub/b.py", "x = 1\n")]:
        (package / name).write_text(text)
        seen.append(code_sha256())
    (package / "a.py").rename(package / "c.py")
    seen.append(code_sha256())
    assert len(set(seen)) == 5
    (package / "notes.txt").write_text("not code")
    assert code_sha256() == seen[-1]


def test_tables_have_checksums_by_name(tmp_path):
    (tmp_path / "summary.tsv").write_text("a\tb\n1\t2\n")
    pd.DataFrame({"r2": [0.5]}).to_parquet(tmp_path / "scores.parquet", compression="gzip")
    files = [tmp_path / "summary.tsv", tmp_path / "scores.parquet"]
    first = describe_tables(files)
    assert first["summary.tsv"] == {"sha256": hashlib.sha256(b"a\tb\n1\t2\n").hexdigest()}
    pd.DataFrame({"r2": [0.5]}).to_parquet(tmp_path / "scores.parquet", compression="snappy")
    assert describe_tables(files) == first
    pd.DataFrame({"r2": [0.25]}).to_parquet(tmp_path / "scores.parquet")
    assert describe_tables(files)["scores.parquet"] != first["scores.parquet"]


@pytest.mark.parametrize("text", ["", "[]", '{"config": {"name": "x"}}', '{"config": 3, "inputs": {}, "versions": {}}'])
def test_a_damaged_record_is_named(tmp_path, text):
    with pytest.raises(DataError, match=r"provenance\.json: the file is missing.*auralign run"):
        read_provenance(tmp_path)
    (tmp_path / "provenance.json").write_text(text)
    with pytest.raises(DataError, match=r"provenance\.json: not the provenance of a result"):
        read_provenance(tmp_path)
