"""What comes with the project beside its code: recipes of datasets, YAML files of features and of comparisons.

In a checkout these are folders at the top, where people edit them; a wheel carries copies inside this package
(setup.py puts them there).
"""

from pathlib import Path
from shutil import copyfile

from ..errors import AuralignError

FOLDERS = ("datalad_dataset", "junifer_yamls", "julearn_configs", "scripts")
_PACKAGE = Path(__file__).resolve().parents[1]


def shipped(folder: str) -> Path:
    """Return the folder of shipped files of one kind.

    Parameters
    ----------
    folder : str
        One of `FOLDERS`.

    Raises
    ------
    AuralignError
        It came neither with the checkout nor with the wheel.
    """
    checkout = _PACKAGE.parent
    # beside an installed package may lie somebody else's folder of this name
    places = [checkout / folder] if (checkout / "pyproject.toml").is_file() else []
    for place in [*places, _PACKAGE / "shipped" / folder]:
        if place.is_dir():
            return place
    raise AuralignError(f"{folder}/: this installation of auralign lacks these files. Install it again.")


def bring(folder: str, names: list[str], into: Path) -> list[Path]:
    """Copy shipped files that are not there yet, and return their paths.

    Parameters
    ----------
    folder : str
        One of `FOLDERS`.
    names : list of str
        Of files in it; one that is not shipped is passed over.
    into : Path
        Gets the files; a file that is there already is somebody's own and stays.
    """
    source, paths = shipped(folder), []
    for name in names:
        if (source / name).is_file():
            into.mkdir(parents=True, exist_ok=True)
            if not (into / name).exists():
                copyfile(source / name, into / name)
            paths.append(into / name)
    return paths
