"""The wheel, built once and installed in a virtual environment outside of the checkout."""

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from dataclasses import dataclass
from pathlib import Path

import pytest
from filelock import FileLock

# what a build reads; of a checkout's folders only what git has in them
PARTS = ("pyproject.toml", "setup.py", "README.md", "LICENSE", "auralign", "custom_markers", "scripts")
DATA = ("junifer_yamls", "julearn_configs", "datalad_dataset")


@dataclass(frozen=True)
class Installed:
    """An installed wheel: the file itself, and the environment that it is installed in."""

    wheel: Path
    folder: Path

    @property
    def python(self) -> Path:
        return self.folder / "bin" / "python"

    def run(self, *command: str, cwd: Path, status: int = 0) -> subprocess.CompletedProcess:
        """Run a command of the environment in a folder, as a user would."""
        # git-annex and datalad are programs of this environment; nothing leads to the checkout
        path = os.pathsep.join([str(self.folder / "bin"), str(Path(sys.executable).parent), os.environ["PATH"]])
        env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        env |= {"PATH": path, "OMP_NUM_THREADS": "1"}
        done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True)
        assert done.returncode == status, done.stdout + done.stderr
        return done


@pytest.fixture(scope="session")
def shared(tmp_path_factory) -> Path:
    """A folder that all workers of pytest-xdist share."""
    folder = tmp_path_factory.getbasetemp()
    return folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder


@pytest.fixture(scope="session")
def installed(root, shared) -> Installed:
    """The wheel in a fresh environment, which has this environment's other packages but not the checkout."""
    folder = shared / "installed"
    with FileLock(shared / "installed.lock"):
        if not (folder / "done").exists():
            shutil.rmtree(folder, ignore_errors=True)
            _install(_build(root, folder / "source"), folder / "venv")
            (folder / "done").touch()
    (wheel,) = (folder / "source" / "dist").glob("*.whl")
    return Installed(wheel, folder / "venv")


def _build(root: Path, source: Path) -> Path:
    """Build the wheel from a copy: a build leaves folders behind, from which a later one takes what is long gone."""
    source.mkdir(parents=True)
    for name in PARTS:
        if (root / name).is_dir():
            shutil.copytree(root / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(root / name, source / name)
    for name in DATA:
        (source / name).mkdir()
        for path in (root / name).iterdir():
            if path.is_file():
                shutil.copy(path, source / name)
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    done = subprocess.run([*command, "--wheel-dir", "dist", "."], cwd=source, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = (source / "dist").glob("auralign-*.whl")
    return wheel


def _install(wheel: Path, folder: Path) -> None:
    venv.create(folder, with_pip=False, symlinks=True)
    python = folder / "bin" / "python"
    command = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-deps", "--no-index"]
    done = subprocess.run([*command, str(wheel)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    (packages,) = (folder / "lib").glob("python*/site-packages")
    # a path in a .pth file is searched, but its own .pth files, which lead to the checkout, are not read
    (packages / "other_packages.pth").write_text(sysconfig.get_path("purelib") + "\n")
