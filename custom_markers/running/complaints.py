"""Failures of a `junifer` command as one message at the end of its output, instead of a traceback.

junifer logs an error, raises it, and leaves the rest to Python, which prints some forty lines of junifer's own code.
Importing this package (`with: custom_markers`) inside a `junifer` command changes what Python does with such an error:
what somebody wrote for the user is printed alone, with what is allowed where junifer does not say it. Errors that
nobody foresaw keep their traceback, without the part that lies in junifer and click. The exit status stays 1.
"""

import inspect
import linecache
import logging
import sys
import traceback
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

import click
import junifer
import ruamel.yaml
from junifer.pipeline import PipelineComponentRegistry
from junifer.utils import raise_error

import auralign
from auralign.errors import did_you_mean
from auralign.files.yaml_text import read_junifer_yaml

from .yaml_shape import check_yaml

JUNIFER = Path(junifer.__file__).parent
RUAMEL = Path(ruamel.yaml.__file__).parent
OURS = (Path(auralign.__file__).parent, Path(__file__).parents[1])
THEIRS = (JUNIFER, RUAMEL, Path(click.__file__).parent, Path(sys.executable).parent)
# what a YAML names under `with:` as a rule
OWN = (__name__.partition(".")[0],)
# what a YAML calls the component of each of junifer's steps
SECTIONS = {"datagrabber": "data grabber", "preprocessing": "preprocessor"}
BASE_CLASSES = ("BaseMarker", "BaseFeatureStorage", "PandasBaseFeatureStorage", "BasePreprocessor")


def speak_plainly() -> None:
    """Inside the program `junifer`, print errors as messages; elsewhere (tests, notebooks) nothing changes.

    Raises
    ------
    ConfigError
        The YAML that the command was given lacks what the command needs.
    """
    context = click.get_current_context(silent=True)
    if context is None or Path(context.find_root().info_name or "").stem != "junifer":
        return
    yaml_file = context.params.get("filepath")
    before = sys.excepthook

    def show(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        message = message_of(error, yaml_file) if isinstance(error, Exception) else None
        if message is None:
            before(kind, error.with_traceback(_of_interest(trace)), error.__traceback__)
        else:
            sys.stdout.flush()
            print(f"error: {message}", file=sys.stderr)

    sys.excepthook = show
    # junifer's raise_error logs what it raises: the message would be there twice
    logging.getLogger("junifer").addFilter(lambda record: record.funcName != "raise_error")
    if yaml_file is not None:
        check_yaml(Path(yaml_file), context.info_name or "")


def message_of(error: BaseException, yaml_file: Path | None = None) -> str | None:
    """Return what to tell the user of an error that ended a `junifer` command.

    Parameters
    ----------
    error : Exception
        With its traceback.
    yaml_file : Path, optional
        The file that the command was given; messages that do not name it begin with it.

    Returns
    -------
    str or None
        None where nobody wrote the error for a user (a bug, here or in a marker of the user's): it needs its traceback.
    """
    frames = list(traceback.walk_tb(error.__traceback__))
    if not frames:
        return None
    # who said so: junifer raises through a function of its own
    speaker = next((frame for frame, _ in reversed(frames) if frame.f_code is not raise_error.__code__), frames[0][0])
    for explain in (_wrong_kind, _wrong_parameters, _missing_key, _missing_module, _missing_file):
        message = explain(error, speaker, yaml_file)
        if message is not None:
            break
    else:
        if _is_wrapper(speaker) and error.__cause__ is not None:
            named = speaker.f_locals["init_params"].get("name")
            message = message_of(error.__cause__)
            if message is None:
                return None
            message = f"{speaker.f_locals['step']} {named!r}: {message}" if named else message
        elif _is_meant_for_users(error, *frames[-1]):
            message = str(error)
        elif isinstance(error, OSError) and error.filename is not None:
            message = f"{error.filename}: {error.strerror}"
        else:
            return None
    marker = _marker_of(frames)
    if marker is not None and isinstance(error, ValueError) and marker.name not in message:
        message = f"marker {marker.name!r} ({type(marker).__name__}): {message}"
    if yaml_file is not None and yaml_file.name not in message:
        message = f"{yaml_file}: {message}"
    return message


# ------------------------------------------------------------------ what junifer says too shortly


def _wrong_kind(error: BaseException, frame: FrameType, yaml_file: Path | None) -> str | None:
    """Explain a `kind` that nobody registered: junifer says "Invalid name"."""
    if frame.f_code is not PipelineComponentRegistry.get_class.__code__ or not isinstance(error, ValueError):
        return None
    step, name = frame.f_locals["step"], frame.f_locals["name"]
    known = sorted(set(PipelineComponentRegistry().step_components(step)) - set(BASE_CLASSES))
    of_sounds = [kind for kind in known if _takes_sounds(step, kind)]
    others = len(known) - len(of_sounds)
    listing = f"Allowed for sounds: {', '.join(of_sounds)}" if of_sounds else f"Allowed: {', '.join(known)}"
    listing += f", and {others} of junifer's own for brain images." if of_sounds and others else "."
    own = "A class of your own must carry @register_marker, and its file must be named under `with:`."
    return (
        f"there is no {SECTIONS.get(step, step)} of the kind {name!r}.{did_you_mean(str(name), known)} {listing}"
        f"{' ' + own if step == 'marker' else ''}"
    )


def _takes_sounds(step: str, kind: str) -> bool:
    """Tell whether a component is one for sounds: our own and the user's are, junifer's are not, but for storages."""
    if step == "storage":
        return kind == "HDF5FeatureStorage"  # the only one that can be checked for old values (see `storing`)
    component = PipelineComponentRegistry().components[step][kind]
    return (
        step in ("marker", "datagrabber")
        and not isinstance(component, str)
        and component.__module__.partition(".")[0] != "junifer"
    )


def _wrong_parameters(error: BaseException, frame: FrameType, yaml_file: Path | None) -> str | None:
    """Explain parameters that the constructor of a component of junifer's does not take, or lacks."""
    if not _is_wrapper(frame) or not isinstance(error.__cause__, TypeError):
        return None
    *_, (last, _) = traceback.walk_tb(error.__cause__.__traceback__)
    if not _is_wrapper(last):  # the constructor was entered: it is another problem
        return None
    step, name, given = (frame.f_locals[key] for key in ("step", "name", "init_params"))
    allowed = inspect.signature(frame.f_locals["klass"]).parameters
    wrong = [key for key in given if key not in allowed]
    lacking = [key for key, one in allowed.items() if one.default is one.empty and key not in given]
    what = f"does not take {', '.join(map(repr, wrong))}" if wrong else f"needs {', '.join(map(repr, lacking))}"
    hint = did_you_mean(wrong[0], allowed) if wrong else ""
    return f"the {SECTIONS.get(step, step)} {name} {what}.{hint} Its parameters: {', '.join(allowed)}."


def _missing_key(error: BaseException, frame: FrameType, yaml_file: Path | None) -> str | None:
    """Explain a key that junifer looks up in the YAML without asking whether it is there."""
    asking: FrameType | None = frame
    while asking is not None and _is_in(asking.f_code.co_filename, RUAMEL):
        asking = asking.f_back
    if not isinstance(error, KeyError) or asking is None:
        return None
    if not any(_is_in(asking.f_code.co_filename, JUNIFER / folder) for folder in ("cli", "api")):
        return None
    parts = {"_get_marker": "a marker", "_get_datagrabber": "datagrabber", "_get_storage": "storage"}
    return f"{parts.get(asking.f_code.co_name, 'the file')} lacks the key {error.args[0]!r}."


def _missing_module(error: BaseException, frame: FrameType, yaml_file: Path | None) -> str | None:
    """Explain a module of `with:` that is not installed."""
    if yaml_file is None or not isinstance(error, ModuleNotFoundError) or error.name not in _with(yaml_file):
        return None
    near = [file.stem for file in yaml_file.parent.glob("*.py")]
    hint = f" A file beside the YAML is written with its ending: {error.name}.py." if error.name in near else ""
    return f"with: there is no module {error.name!r} in this environment.{hint or did_you_mean(error.name, OWN)}"


def _missing_file(error: BaseException, frame: FrameType, yaml_file: Path | None) -> str | None:
    """Explain a file of `with:` that is not there."""
    from junifer.cli.parser import parse_yaml  # a junifer command has imported it; for others it takes seconds

    if frame.f_code is not parse_yaml.__code__ or not str(error).startswith("File in 'with' section"):
        return None
    missing = Path(str(error).partition(": ")[2])
    near = sorted(file.name for file in missing.parent.glob("*.py")) if missing.parent.is_dir() else []
    listing = f" In that folder: {', '.join(near)}." if near else ""
    return f"with: there is no file {missing}.{did_you_mean(missing.name, near)}{listing}"


# ------------------------------------------------------------------ whose error it is


def _is_wrapper(frame: FrameType) -> bool:
    """Tell whether it is junifer's wrapper around constructors ("Failed to create marker ...")."""
    return frame.f_code is PipelineComponentRegistry.build_component_instance.__code__


def _is_meant_for_users(error: BaseException, frame: FrameType, line: int) -> bool:
    """Tell whether somebody wrote the message on purpose.

    That is an error class of ours, or a `raise` in our or junifer's code. A ValueError of numpy, or one that `int("x")`
    raises in a line of ours, is none.
    """
    packages = ("auralign", "custom_markers")
    if type(error).__module__.partition(".")[0] in packages:
        return True
    file = frame.f_code.co_filename
    raised = linecache.getline(file, line).lstrip().startswith("raise ")
    return raised and any(_is_in(file, folder) for folder in (JUNIFER, *OURS))


def _marker_of(frames: list[tuple[FrameType, int]]) -> Any:
    """Return the marker in whose methods an error arose, None where it was none's.

    junifer asks one marker to validate, which prepares all of them: the innermost one is meant.
    """
    from junifer.markers import BaseMarker  # seconds, which only a run that has failed takes

    owners = [frame.f_locals.get("self") for frame, _ in frames]
    # one that could not be made has no name yet
    markers = [owner for owner in owners if isinstance(owner, BaseMarker) and getattr(owner, "name", None)]
    return markers[-1] if markers else None


def _of_interest(trace: TracebackType | None) -> TracebackType | None:
    """Leave out of a traceback how the program got to the first frame of the user's code, or else of ours."""
    for known in ((*OURS, *THEIRS), THEIRS):
        start = trace
        while start is not None:
            file = start.tb_frame.f_code.co_filename
            if not any(_is_in(file, folder) for folder in known) and not file.startswith("<frozen"):
                return start
            start = start.tb_next
    return trace


def _is_in(file: str, folder: Path) -> bool:
    return folder in Path(file).parents


def _with(yaml_file: Path | None) -> list[str]:
    """Return what a YAML names under `with:`."""
    if yaml_file is None:
        return []
    named = read_junifer_yaml(yaml_file.read_text(encoding="utf-8")).get("with", [])
    return [named] if isinstance(named, str) else list(named)
