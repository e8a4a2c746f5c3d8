"""The program behind `auralign features`: junifer's run and collect in one, and what the markers of a YAML would give.

It is a process of its own (`python -m custom_markers.program`), since nothing in auralign imports this package.
"""

import contextlib
import io
import logging
import os
import re
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
from junifer.api.functions import _get_datagrabber, _get_marker
from junifer.cli.cli import cli as junifer
from junifer.cli.parser import parse_yaml
from junifer.storage import HDF5FeatureStorage
from junifer.utils import configure_logging, yaml

from auralign.cli import command
from auralign.errors import AuralignError, ConfigError, did_you_mean
from auralign.wording import counted, duration, size

from .marker.base import AudioMarker
from .running.complaints import message_of
from .running.yaml_shape import check_yaml
from .sounds.audio import AudioError

# s of noise on which a marker is tried; a network that takes no second is given more
SECONDS = (1.0, 2.0, 10.0, 30.0)
# bytes of a stored value
FLOAT32 = 4

yaml_argument = click.argument("filepath", metavar="FILE", type=click.Path(path_type=Path))


@click.group(context_settings=command.HELP)
def main() -> None:
    """Features of sounds: run a junifer YAML, or say what its markers would give."""


@main.command()
@yaml_argument
@click.option("--element", "elements", multiple=True)
@click.option("--verbose", default="warning")
def run(filepath: Path, elements: tuple[str, ...], verbose: str) -> None:
    """Extract the features of every sound, then collect them into the file that the YAML names."""
    content = _read(filepath, "run")
    started = time.monotonic()
    with _in_plain_words(filepath):
        chosen = [part for element in elements for part in ("--element", element)]
        _junifer("run", str(filepath), *chosen, "--verbose", verbose)
        if content["storage"].get("single_output", False):
            return  # junifer writes one file at once, and there is nothing to collect
        said = io.StringIO()
        try:
            # its nested progress bars are only worth reading when something goes wrong
            with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
                _junifer("collect", str(filepath), "--verbose", "warning")
        except Exception:
            click.echo(said.getvalue(), err=True)
            raise
    storage = (filepath.resolve().parent / content["storage"]["uri"]).resolve()
    for line in _stored(storage):
        click.echo(line)
    extent = f"{size(storage.stat().st_size)}, {duration(time.monotonic() - started)}"
    click.echo(f"features: {os.path.relpath(storage)} ({extent})")


@main.command()
@yaml_argument
@click.argument("name", required=False, metavar="[MARKER]")
def layers(filepath: Path, name: str | None) -> None:
    """List the layers of every marker, with units and cost, before anything runs."""
    content = _read(filepath, "run")
    # before anything is made: a network takes a while
    names = [str(marker.get("name")) for marker in content.get("markers") or []]
    if name is not None and name not in names:
        raise ConfigError(
            f"{filepath}: there is no marker {name!r}.{did_you_mean(name, names)} It has: {', '.join(names)}."
        )
    with _in_plain_words(filepath):
        config = parse_yaml(filepath)
    durations = _durations(filepath, config.get("datagrabber") or {})
    failures = []
    for marker in config["markers"]:
        if name is None or marker["name"] == name:
            try:
                with _in_plain_words(filepath):
                    _show(_get_marker(dict(marker)), durations)
            except AuralignError as error:
                failures.append(str(error))
                click.echo(f"{marker['name']}: its layers cannot be told, see below\n")
    if failures:
        raise AuralignError("\n".join(failures))


# ------------------------------------------------------------------ running junifer


def _read(filepath: Path, of: str) -> dict[str, Any]:
    """Read a YAML after checking its shape, also where it does not get as far as `with: custom_markers`."""
    if filepath.is_dir():
        raise ConfigError(f"{filepath}: this is a folder. Name the YAML file itself.")
    if not filepath.is_file():
        raise ConfigError(f"{filepath}: there is no such file. `auralign features list` names those that come along.")
    with _in_plain_words(filepath):
        content = yaml.load(filepath)
        if not isinstance(content, dict):
            raise ConfigError(f"{filepath}: expected the keys with, datagrabber, markers and storage.")
        check_yaml(filepath, of)
        for key in ("markers", "storage"):
            if key not in content:
                raise ConfigError(f"{filepath}: the file lacks the key {key!r}.")
        if "uri" not in content["storage"]:
            raise ConfigError(f"{filepath}: storage lacks the key 'uri', the file that gets the features.")
    return content


def _junifer(*arguments: str) -> None:
    """Call a command of junifer in this process, as its own program would."""
    junifer.main(list(arguments), prog_name="junifer", standalone_mode=False)


@contextlib.contextmanager
def _in_plain_words(filepath: Path) -> Iterator[None]:
    """Turn what somebody wrote for a user into one of our errors; a bug keeps its traceback."""
    try:
        yield
    except (AuralignError, click.ClickException, click.Abort):
        raise
    except Exception as error:
        message = _of_yaml(error) or message_of(error, filepath)
        if message is None:
            raise
        message = message if filepath.name in message else f"{filepath}: {message}"
        raise (AuralignError if _of_yaml(error) is None else ConfigError)(message) from error


def _of_yaml(error: Any) -> str | None:
    """Say where a file is no YAML: ruamel's errors carry a mark."""
    mark = getattr(error, "problem_mark", None)
    return None if mark is None else f"line {mark.line + 1} is not YAML: {error.problem}."


def _stored(storage: Path) -> Iterator[str]:
    """Say what a collected file holds, a line for each marker."""
    opened = HDF5FeatureStorage(uri=storage)
    held: dict[str, list[str]] = {}
    for md5, meta in opened.list_features().items():
        if found := re.fullmatch(r"Audio_(.+)_layer\d+", meta["name"]):
            held.setdefault(found[1], []).append(md5)
    for marker, features in held.items():
        sounds = len(opened.read(feature_md5=features[0])["element"])
        yield f"{marker}: {counted(len(features), 'layer')} of {counted(sounds, 'sound')}"


# ------------------------------------------------------------------ what a marker would give


@dataclass(frozen=True)
class Trial:
    """What a marker gave for some noise.

    Attributes
    ----------
    layers : dict of int to (str, tuple of int)
        By index: name and shape.
    seconds : float
        How long it computed, s.
    noise : float
        How long the noise is, s.
    parameters : int or None
        Numbers that a network has learned; None of a marker without a network.
    """

    layers: dict[int, tuple[str, tuple[int, ...]]]
    seconds: float
    noise: float
    parameters: int | None


def try_marker(marker: AudioMarker) -> Trial:
    """Give a marker some noise, one second where it takes that.

    Raises
    ------
    AudioError
        It takes none of `SECONDS`.
    """
    marker.prepare()
    for number, noise in enumerate(SECONDS, start=1):
        samples = np.random.default_rng(0).standard_normal(round(noise * marker.SAMPLE_RATE))
        wave = (0.1 * samples).astype(np.float32)
        try:
            marker.layers_of(wave)  # the first time something is set up
        except AudioError:
            if number == len(SECONDS):
                raise
            continue
        # other noise: a marker may remember its last sound
        started = time.perf_counter()
        values = marker.layers_of(wave[::-1].copy())
        seconds = time.perf_counter() - started
        break
    shapes = zip(marker.layer_names().items(), values, strict=True)
    network = getattr(marker, "_network", None)
    return Trial(
        {index: (name, layer.shape) for (index, name), layer in shapes},
        seconds,
        noise,
        None if network is None else sum(parameter.numel() for parameter in network.parameters()),
    )


def _show(marker: Any, durations: list[float] | None) -> None:
    """Print the layers and the cost of one marker."""
    kind = type(marker).__name__
    if not isinstance(marker, AudioMarker):
        click.echo(f"{marker.name} ({kind}): not a marker of this package, its layers are known once it has run\n")
        return
    trial = try_marker(marker)
    stored = FLOAT32 * sum(int(np.prod(shape)) for _, shape in trial.layers.values())
    of_noise = "one second of noise" if trial.noise == 1 else f"{trial.noise:g} s of noise (it takes no less)"
    click.echo(f"{marker.name} ({kind}): {counted(len(trial.layers), 'layer')}")
    if trial.parameters is not None:
        click.echo(f"  parameters  {trial.parameters:,}")
    click.echo(f"  time        {duration(trial.seconds)} for {of_noise}, measured")
    click.echo(f"  storage     {size(stored)} for that")
    if durations:
        series = any(len(shape) > 1 for _, shape in trial.layers.values())
        scale = [max(length / trial.noise, 1 if trial.noise > 1 else 0) for length in durations]
        total = stored * (sum(scale) if series else len(scale))
        extent = f"{counted(len(durations), 'sound')} of {sum(durations):.0f} s"
        click.echo(f"  in all      about {duration(trial.seconds * sum(scale))} and {size(total)} for {extent}")
        click.echo("              (computing and numbers alone: reading and storing a sound takes some 15 ms more)")
    width = max(len(name) for name, _ in trial.layers.values())
    for index, (name, shape) in trial.layers.items():
        frames = f", {shape[0]} frames" if len(shape) > 1 else ""
        click.echo(f"  {index:5d}  {name:{width}s}  {shape[-1]:7,d} units{frames}")
    click.echo()


def _durations(filepath: Path, config: dict[str, Any]) -> list[float] | None:
    """Return the lengths of the sounds that are here, s, by their headers; None where there are none to read."""
    import soundfile

    try:
        with _in_plain_words(filepath):
            grabber: Any = _get_datagrabber(dict(config))  # one of another kind has no such method
            paths = grabber._stimuli().values()
        return [soundfile.info(path).duration for path in paths if path.exists()]
    except (AuralignError, AttributeError, KeyError, RuntimeError, ImportError):
        return None  # what is wrong with the sounds is told when they are extracted


if __name__ == "__main__":
    # junifer's raise_error logs what it raises: the message would be there twice
    logging.getLogger("junifer").addFilter(lambda record: record.funcName != "raise_error")
    configure_logging(level="WARNING")
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:  # what `auralign features` set for the imports above
        signal.signal(signal.SIGINT, signal.default_int_handler)
    command.run(main, prog_name="auralign features")
