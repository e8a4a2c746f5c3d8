"""The two YAML files of a study of one's own: what goes into them, and why sounds and responses do not match."""

import json
import os
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from ..errors import ConfigError, DataError
from ..files.identifiers import normal_form, what_is_lacking
from ..files.notices import noted
from ..inputs.options import Targets
from ..inputs.responses import read_responses
from ..inputs.split_options import LEAST_TEST, SMALL_TEST
from ..inputs.stimuli import stimulus_order
from ..inputs.usable_targets import answered, usable_targets
from ..wording import counted

# endings of sound files, as libsndfile reads them
ENDINGS = {".wav", ".flac", ".ogg", ".mp3", ".aif", ".aiff"}
# development and test stimuli together; fewer than this cannot be parted
LEAST = 2 * LEAST_TEST
# lasso fits every target by itself: with more than this it is left to the user
MOST_LASSO_TARGETS = 50
# folder of each file, beside results/ and features/
FEATURES, COMPARISONS = "junifer_yamls", "julearn_configs"


@dataclass(frozen=True)
class Pair:
    """What the two files of a study are to say.

    Attributes
    ----------
    name : str
    values : dict of str to object
        Of the templates.
    sentence : str
        What was found.
    notes : list of str
        What the readers of the files remarked.
    """

    name: str
    values: dict[str, object]
    sentence: str
    notes: list[str]


def plan_pair(sounds: Path, responses: Path, name: str | None, out: Path, drop: bool = False) -> Pair:
    """Look at sounds and responses and settle what the two YAML files say.

    Parameters
    ----------
    sounds : Path
        A folder of sound files.
    responses : Path
        A table of responses (`kind: table` of a comparison).
    name : str or None
        Of the study; None: the folder's.
    out : Path
        Gets the folders of the two files; paths in these are relative to them.
    drop : bool
        Leave out stimuli and targets that lack something, instead of refusing them.

    Raises
    ------
    ConfigError
        The name cannot be one.
    DataError
        There are no sounds, or of several kinds; the table cannot be read; sounds and responses are not of the same
        stimuli; there are too few of them.
    """
    name = _name(sounds, name)
    ending, stimuli = _sounds(sounds)
    with noted() as notes:
        targets = answered(read_responses(Targets(kind="table", table=responses)))
        both = _in_both(sounds, ending, stimuli, responses, set(targets.stimulus.values), drop)
        train_size, test_size = _sizes(len(both))
        try:
            found = usable_targets(targets, responses, *(("drop", "available") if drop else ("error", "error")))
        except DataError as error:
            if drop:
                raise
            # the key that the message names is one of a file that is not written yet
            raise DataError(f"{error}\nWith --drop the files say that.") from error
    n_targets, n_repetitions = found.targets.sizes["target"], found.targets.sizes["repetition"]
    of_targets = counted(n_targets, "target")
    repeated = f", {n_repetitions} repetitions each" if n_repetitions > 1 else ""
    yamls = {"features_yaml": f"{FEATURES}/{name}.yml", "comparison_yaml": f"{COMPARISONS}/{name}.yml"}
    small = "" if test_size >= SMALL_TEST else f"; {test_size} test sounds are few, scores scatter widely"
    values = {
        **yamls,
        "name": _quoted(name),
        "sounds": sounds.resolve().name,
        "n_sounds": len(stimuli),
        "dataset": _quoted(_relative(sounds, out / FEATURES)),
        "pattern": _quoted(f"{{stimulus}}{ending}"),
        "storage": _quoted(f"../features/{name}/{name}.hdf5"),
        "responses": _quoted(_relative(responses, out / COMPARISONS)),
        "n_targets": of_targets,
        "n_responses": counted(len(both), "stimulus"),
        "repeated": repeated,
        "splits_comment": f"ten times, {train_size} sounds chosen at random to fit, {test_size} others to test{small}",
        "train_size": train_size,
        "test_size": test_size,
        "with_lasso": n_targets <= MOST_LASSO_TARGETS,
        "drop": drop,
    }
    sentence = f"{counted(len(both), 'sound')} with {of_targets}{repeated}; {train_size} to fit, {test_size} to test"
    return Pair(name, values, sentence, [*notes, *found.warnings])


def write_pair(pair: Pair, out: Path, force: bool = False) -> tuple[Path, Path]:
    """Write the two files of a study and return their paths.

    Raises
    ------
    ConfigError
        A file of this name is there and `force` is not given, or it cannot be written.
    """
    paths = out / FEATURES / f"{pair.name}.yml", out / COMPARISONS / f"{pair.name}.yml"
    there = [path for path in paths if path.exists()]
    if there and not force:
        raise ConfigError(
            f"{' and '.join(map(str, there))}: there already, and left alone. Give the study another --name, or "
            "--force to replace."
        )
    templates = Environment(
        loader=PackageLoader("auralign.cli"), trim_blocks=True, keep_trailing_newline=True, undefined=StrictUndefined
    )
    try:
        for path, template in zip(paths, ("features.yml.j2", "comparison.yml.j2"), strict=True):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(templates.get_template(template).render(pair.values), encoding="utf-8")
    except OSError as error:
        raise ConfigError(
            f"{error.filename or out}: cannot be written ({error.strerror}). Choose another --out."
        ) from error
    return paths


def _name(sounds: Path, name: str | None) -> str:
    """Return a name that can be one of files: letters, digits, points, dashes."""
    if name is None:
        name = re.sub(r"[^A-Za-z0-9._-]+", "_", sounds.resolve().name).strip("._-") or "study"
    elif not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
        raise ConfigError(
            f"--name {name}: letters, digits, points, dashes and underscores make a name, such as my_study."
        )
    return name


def _sounds(folder: Path) -> tuple[str, list[str]]:
    """Return the ending of the sound files of a folder, and their names without it, in order."""
    if not folder.is_dir():
        what = "is a file, not a folder of sounds" if folder.exists() else "there is no such folder"
        raise DataError(f"{folder}: {what}. Give the folder that holds the sound files.")
    # hidden files are no sounds: macOS puts ._x beside x on foreign disks
    files = [path for path in folder.iterdir() if path.suffix.lower() in ENDINGS and not path.name.startswith(".")]
    if not files:
        below = Counter(path.parent for path in folder.rglob("*") if path.suffix.lower() in ENDINGS)
        (place, number), *_ = below.most_common(1) or [(folder, 0)]
        hint = f" There are {counted(number, 'sound file')} in {place}: give that folder." if below else ""
        raise DataError(f"{folder}: holds no sound files ({', '.join(sorted(ENDINGS))}).{hint}")
    endings = Counter(path.suffix for path in files)
    if len(endings) > 1:
        listing = ", ".join(f"{n} {ending}" for ending, n in endings.most_common())
        raise DataError(f"{folder}: holds sound files of several endings ({listing}). Keep those of one ending there.")
    ending = files[0].suffix
    return ending, stimulus_order(normal_form(path.name.removesuffix(ending)) for path in files)


def _in_both(
    sounds: Path, ending: str, stimuli: list[str], responses: Path, answered: set[str], drop: bool
) -> set[str]:
    """Return the stimuli that have a sound and a response; where others are left, `drop` must allow that."""
    sources = {f"sounds ({sounds}, {ending})": set(stimuli), f"responses ({responses})": answered}
    both = set(stimuli) & answered
    spelt, lacking = what_is_lacking(sources, stimulus_order)
    if spelt:
        raise DataError("sounds and responses are not named alike:\n  " + "\n  ".join([*spelt, *lacking]))
    if not both:
        raise DataError("no sound has a response:\n  " + "\n  ".join(lacking))
    if lacking and not drop:
        raise DataError(
            "sounds and responses are not of the same stimuli:\n  "
            + "\n  ".join(lacking)
            + "\nSupply what is lacking, "
            "or leave it out knowingly with --drop."
        )
    return both


def _sizes(n: int) -> tuple[int, int]:
    """Part n stimuli in halves, as the published study did (83 and 82 of 165)."""
    if n < LEAST:
        raise DataError(
            f"{n} sounds have responses, which are too few: at least {LEAST} are needed, {LEAST_TEST} to fit and "
            f"{LEAST_TEST} to test on."
        )
    return n - n // 2, n // 2


def _relative(path: Path, start: Path) -> str:
    """Return a path relative to a folder."""
    return os.path.relpath(path.absolute(), start.absolute())


def _quoted(text: str) -> str:
    """Quote a text for YAML where it needs that."""
    return text if re.fullmatch(r"[A-Za-z][\w./-]*|\.\.?/[\w./-]*", text) else json.dumps(text, ensure_ascii=False)
