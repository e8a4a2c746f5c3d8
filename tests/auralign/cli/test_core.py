"""What a plain `pip install auralign` can do: everything from tables on; what it cannot says how to get it."""

import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from auralign.extras import MODULES, require

# what the extras bring; None in sys.modules is what Python itself has for a module that cannot be imported
BARE = """
import sys
for name in {absent!r}:
    sys.modules[name] = None
from auralign.cli.app import entry
sys.argv[0] = "auralign"
entry()
"""
ABSENT = ["junifer", "torch", "soundfile", "soxr", "huggingface_hub", "platformdirs", "datalad", "nilearn", "nibabel"]
ABSENT += ["librosa", "transformers", "distributed"]


def _bare(*arguments: str, cwd: Path) -> subprocess.CompletedProcess:
    command = [sys.executable, "-c", BARE.format(absent=ABSENT), *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True)


def test_tables_are_compared_and_reported_without_any_extra(small_config, tmp_path):
    done = _bare("run", small_config.name, "--n-jobs", "1", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    done = _bare("report", "results/small", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "results" / "small" / "report.html").is_file()


@pytest.mark.parametrize(
    ("arguments", "extra", "missing"),
    [
        (("features", "run", "x.yml"), "features", "junifer, torch, soundfile, soxr, huggingface_hub, which are"),
        (("data", "get", "phantom"), "data", "datalad, which is"),
        (("quickstart",), "data", "datalad, which is"),
        (("study", "new", "here"), "data", "datalad, which is"),
    ],
)
def test_what_needs_an_extra_says_how_to_get_it_and_writes_nothing(arguments, extra, missing, tmp_path):
    done = _bare(*arguments, cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert f'{missing} not installed. Install: pip install "auralign[{extra}]"' in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.iterdir())


def test_an_extra_that_is_here_is_not_asked_for():
    assert require("features", "a test") is None


def test_every_module_by_which_an_extra_is_recognised_is_of_a_package_that_the_extra_names(root):
    extras = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    of_module = packages_distributions()
    for extra, modules in MODULES.items():
        named = {canonicalize_name(Requirement(line).name) for line in extras[extra]}
        for module in modules:
            assert {canonicalize_name(name) for name in of_module[module]} & named, f"{extra}: {module}"
