"""A folder in which a page's commands run: like a checkout in which `bash scripts/quickstart.sh` was run."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from filelock import FileLock

# make_venv of scripts/venv.sh makes an environment from constraints.txt; the tests have one already
VENV = 'say() { printf "%s\\n" "== $*"; }\nmake_venv() { :; }\n'


def environment(folder: Path, root: Path) -> dict[str, str]:
    """The variables with which a page's commands run: this environment's programs, this code, a home of their own."""
    (folder / "home").mkdir(exist_ok=True)
    person = {"NAME": "auralign", "EMAIL": "auralign@localhost"}
    return {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(root),
        "OMP_NUM_THREADS": "1",
        "HOME": str(folder / "home"),
        **{f"GIT_{role}_{key}": value for role in ("AUTHOR", "COMMITTER") for key, value in person.items()},
    }


@pytest.fixture(scope="session")
def quickstart(root, tmp_path_factory, worker_id) -> tuple[Path, str]:
    """A checkout in which the quickstart was run once for all workers, and what it printed."""
    shared = tmp_path_factory.getbasetemp()
    shared = shared if worker_id == "master" else shared.parent
    folder, printed = shared / "quickstart", shared / "quickstart.txt"
    with FileLock(shared / "quickstart.lock"):
        if not printed.exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            for name in ("scripts", "junifer_yamls", "julearn_configs", "constraints.txt"):
                source = root / name
                (shutil.copytree if source.is_dir() else shutil.copy)(source, folder / name)
            (folder / "datalad_dataset").mkdir()
            for recipe in (*(root / "datalad_dataset").glob("*.yml"), *(root / "datalad_dataset").glob("*.tsv")):
                shutil.copy(recipe, folder / "datalad_dataset")
            for name in ("auralign", "custom_markers", "benchmarks", "tests", "docs"):
                (folder / name).symlink_to(root / name)
            (folder / "scripts" / "venv.sh").write_text(VENV)
            command = ["bash", "scripts/quickstart.sh"]
            done = subprocess.run(command, cwd=folder, env=environment(folder, root), capture_output=True, text=True)
            assert done.returncode == 0, done.stdout + done.stderr
            printed.write_text(done.stdout, encoding="utf-8")
    return folder, printed.read_text(encoding="utf-8")


@pytest.fixture
def checkout(quickstart, tmp_path) -> Path:
    """A copy of the checkout, for one page."""
    folder = tmp_path / "auralign"
    shutil.copytree(quickstart[0], folder, symlinks=True)
    return folder


@pytest.fixture(scope="session")
def worker_id(request) -> str:
    """The name of the xdist worker, "master" without xdist (also where it is not installed)."""
    return getattr(request.config, "workerinput", {}).get("workerid", "master")
