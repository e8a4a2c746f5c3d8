"""`auralign doctor`: what is there, what is missing, and how to get it."""

import json
import shutil
from collections import namedtuple
from importlib.metadata import PackageNotFoundError

import pytest
from click.testing import CliRunner

from auralign.cli import doctor

REQUIRED = [
    "numpy>=1.26",
    "pandas>=99",
    "absent-core>=2",
    'junifer==0.0.7; extra == "features"',
    'absent-data>=1; extra == "data"',
    'auralign[features]; extra == "networks"',
    'absent-network; extra == "networks"',
]
HAVE = {"numpy": "1.26.4", "pandas": "2.2.3", "junifer": "0.0.7+local"}


@pytest.fixture
def machine(monkeypatch):
    """A machine whose packages are those of `HAVE`, with git and no GPU."""

    def version(name: str) -> str:
        if name not in HAVE:
            raise PackageNotFoundError(name)
        return HAVE[name]

    monkeypatch.setattr(doctor, "requires", lambda name: REQUIRED)
    monkeypatch.setattr(doctor, "version", version)
    monkeypatch.setattr(doctor, "_gpu", lambda: doctor.Finding("GPU", False, "none", "none is needed", needed=False))


def _doctor(*arguments: str, status: int) -> str:
    done = CliRunner().invoke(doctor.main, arguments)
    assert done.exit_code == status, done.output
    return done.output


def test_packages_are_held_against_what_auralign_asks_for(machine):
    said = _doctor("--for", "run", status=1)
    assert "ok       packages: numpy 1.26.4\n" in said
    assert 'missing  pandas: 2.2.3, but >=99 is needed\n         -> pip install "pandas>=99"\n' in said
    assert 'missing  absent-core: not installed\n         -> pip install "auralign", or alone: ' in said
    assert "ok       packages of [features]: junifer 0.0.7+local\n" in said
    # to run alone, data are not needed; nobody needs a network
    assert "absent   absent-data: not installed\n" in said
    assert "absent   absent-network: not installed (the marker Wav2Vec2)\n" in said
    assert 'pip install "auralign[networks]", or alone: pip install "absent-network"' in said
    assert said.endswith("missing: pandas, absent-core (to run)\n")


def test_what_is_to_be_done_decides_what_is_needed(machine):
    assert "missing  absent-data" in _doctor("--for", "data", status=1)
    listed = json.loads(_doctor("--for", "features", "--json", status=1))
    needed = {finding["name"]: finding["needed"] for finding in listed}
    assert needed["packages of [features]"]
    assert not needed["absent-data"]
    assert not needed["git-annex"]
    assert {"name", "ok", "state", "remedy", "needed"} == set(listed[0])


def test_a_machine_that_has_everything_is_told_so(machine, monkeypatch):
    monkeypatch.setattr(doctor, "requires", lambda name: ["numpy>=1.26"])
    said = _doctor("--for", "run", status=0)
    assert said.endswith("everything that is needed is there (to run)\n")


def test_programs_and_identity_that_are_not_there_say_how_to_get_them(machine, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda *args, **kwargs: None)
    said = _doctor(status=1)
    assert "missing  git: not found\n         -> Debian: apt-get install git\n" in said
    assert 'missing  git-annex: not found\n         -> pip install "auralign[data]"' in said
    assert "missing  datalad: not found\n" in said
    assert "absent   git identity: not set: DataLad then commits as auralign@localhost\n         -> git config" in said
    assert "git, git-annex, datalad (to run, features, data)" in said


def test_the_disk_is_that_of_the_folder_that_is_to_be(machine, monkeypatch, tmp_path):
    usage = namedtuple("usage", "total used free")
    asked = []
    monkeypatch.setattr(shutil, "disk_usage", lambda place: asked.append(place) or usage(10e9, 8e9, 2e9))
    said = _doctor("--folder", str(tmp_path / "not" / "yet"), status=1)
    assert f"missing  disk: 2 GB free at {tmp_path}\n" in said
    assert asked == [tmp_path]


def test_another_python_is_refused(machine, monkeypatch):
    monkeypatch.setattr(doctor.sys, "version_info", (3, 13, 0))
    assert "missing  Python: " in _doctor(status=1)


def test_this_machine_can_be_examined():
    findings = list(doctor.examine(doctor.Path(".")))
    names = [finding.name for finding in findings]
    assert names[:2] == ["Python", "packages"]
    assert {"git", "git-annex", "datalad", "git identity", "disk", "GPU"} <= set(names)
    assert all(finding.state for finding in findings)
    assert all(finding.remedy for finding in findings if not finding.ok)
