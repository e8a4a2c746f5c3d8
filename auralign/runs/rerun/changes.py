"""What changed since a result was computed: inputs, settings, tables, code and versions."""

import os
import platform
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ...config.models import TASK, Comparison, comparison_model
from ...errors import DataError
from ...files.checksums import sha256_of
from ...questions.measures import FILE as MEASURES
from ...questions.question import Question, get_question
from ..columns import column_names
from ..input_files import input_files, locate, relocate, relocate_file, why_missing
from ..provenance import (
    code_sha256,
    code_state,
    describe_tables,
    git_state,
    linear_algebra,
    read_provenance,
    versions,
)


@dataclass(frozen=True)
class Check:
    """A recorded result, and what is not any more as it was when it was computed.

    Attributes
    ----------
    results : Path
    provenance : dict
    config : Comparison
        With the paths where the inputs are now.
    inputs, tables, environment : list of str
        What changed, in words: input files and datasets; tables of the results folder; code and versions.
    """

    results: Path
    provenance: dict
    config: Comparison
    inputs: list[str]
    tables: list[str]
    environment: list[str]


def check(results: Path) -> Check:
    """Find the inputs of a result and compare inputs, tables and environment with its provenance.

    Raises
    ------
    DataError
        There is no such result; inputs are missing (every one is named, and how to get it); the configuration is one of
        another version of auralign.
    """
    provenance = read_provenance(results)
    located = locate(provenance, results)
    files = {recorded: relocate_file(recorded, located) for recorded in provenance["inputs"]}
    missing = {file: reason for file in files.values() if (reason := why_missing(file)) is not None}
    if missing:
        lines = "\n  ".join(f"{file}: {reason}" for file, reason in missing.items())
        raise DataError(f"{results}: {len(missing)} of its inputs are missing:\n  {lines}")
    for file in compared_files(provenance):
        column_names(results / file)  # fail here, before anything is computed
    try:
        model = comparison_model(provenance["config"].get("task", TASK))
        config = model.model_validate(relocate(provenance["config"], located))
    except ValidationError as error:
        raise DataError(
            f"{results / 'provenance.json'}: the configuration of auralign {_code(provenance)} cannot be "
            f"read by this version; verify with that one. {error}"
        ) from error
    return Check(
        results=results,
        provenance=provenance,
        # a cluster's workers would not see the temporary folder
        config=config.model_copy(update={"scheduler": None}),
        inputs=[
            *_changed_inputs(provenance, files, config),
            *_changed_datasets(provenance, located),
            *_changed_settings(provenance, results),
        ],
        tables=_changed_tables(provenance, results),
        environment=_changed_environment(provenance),
    )


def compared_files(provenance: dict) -> dict[str, list[Question]]:
    """List the tables of a result that are compared number by number, each with the questions whose numbers it holds.

    A question has a table for it, or else its measures are taken.
    """
    files: dict[str, list[Question]] = {}
    for question in map(get_question, provenance.get("questions", [TASK])):
        own = [table.file for table in question.tables.values() if table.rows]
        for file in own or [MEASURES]:
            files.setdefault(file, []).append(question)
    return files


def _changed_inputs(provenance: dict, files: dict[str, Path], config: Comparison) -> list[str]:
    lines = []
    for recorded, file in files.items():
        old, new = provenance["inputs"][recorded]["sha256"], sha256_of(file)
        if old != new:
            size = f"{provenance['inputs'][recorded]['size']} -> {file.stat().st_size} bytes"
            lines.append(f"{_shown(file)}: sha256 {old} -> {new} ({size})")
    new_files = set(input_files(config)) - set(files.values())
    return lines + [f"{_shown(file)}: was not there when the result was computed" for file in sorted(new_files)]


def _changed_datasets(provenance: dict, located: dict[str, Path]) -> list[str]:
    lines = []
    for recorded, old in provenance.get("datasets", {}).items():
        folder = located.get(recorded, Path(recorded))
        new = git_state(folder)
        if old is not None and new is not None and old != new:
            lines.append(f"dataset {_shown(folder)}: {_commit(old)} -> {_commit(new)}")
    return lines


def _changed_settings(provenance: dict, results: Path) -> list[str]:
    recorded = provenance.get("config_file")
    if recorded is None:
        return []
    file = Path(os.path.normpath(results.absolute() / recorded["path"]))
    if not file.is_file() or sha256_of(file) == recorded["sha256"]:
        return []
    return [f"{_shown(file)}: the settings were changed; what is verified are the recorded ones"]


def _changed_tables(provenance: dict, results: Path) -> list[str]:
    recorded = provenance.get("tables", {})
    there = {name: results / name for name in recorded if (results / name).is_file()}
    now = describe_tables(there.values())
    absent = [f"{name}: is not there any more" for name in recorded if name not in there]
    changed = [f"{name}: was changed after the run" for name in there if now[name] != recorded[name]]
    return absent + changed


def _changed_environment(provenance: dict) -> list[str]:
    lines = []
    now: dict[str, Any] = {"code": code_state(), "code_sha256": code_sha256(), "versions": versions()}
    sums = {record.get("code_sha256") for record in (provenance, now)}
    if provenance.get("code") != now["code"] or len(sums) > 1:
        # another commit need not have touched the package
        same = ": the same files" if len(sums) == 1 else ""
        lines.append(f"auralign: {_code(provenance)} -> {_code(now)}{same}")
    for name, version in now["versions"].items():
        if name in provenance["versions"] and provenance["versions"][name] != version:
            lines.append(f"{name}: {provenance['versions'][name]} -> {version}")
    for name, version in {"Python": platform.python_version(), "platform": platform.platform()}.items():
        if provenance[name.lower()] != version:
            lines.append(f"{name}: {provenance[name.lower()]} -> {version}")
    blas = [_blas(libraries) for libraries in (provenance.get("linear_algebra", []), linear_algebra())]
    if blas[0] and blas[0] != blas[1]:
        lines.append(f"linear algebra: {blas[0]} -> {blas[1]}")
    return lines


def _blas(libraries: list[dict]) -> str:
    """Name the loaded BLAS libraries; the processor's architecture decides which of their kernels compute."""
    names = {
        f"{library['internal_api']} {library['version']} ({library['architecture']})"
        for library in libraries
        if library["user_api"] == "blas"
    }
    return ", ".join(sorted(names))


def _shown(path: Path) -> str:
    """Shorten a path for reading."""
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)


def _commit(state: dict) -> str:
    return f"commit {state['commit'][:12]}" + (", with changes" if state.get("clean") is False else "")


def _code(record: dict) -> str:
    """Say which auralign: version, commit and the checksum of its files."""
    commit = _commit(record["code"]) if record.get("code") else "no commit known"
    sources = f", files {record['code_sha256'][:12]}" if "code_sha256" in record else ""
    return f"{record['versions'].get('auralign')} ({commit}{sources})"


def describe_check(checked: Check) -> str:
    """Say in words when a result was computed and what changed since."""
    recorded = checked.provenance
    lines = [f"{checked.results}: computed {recorded.get('finished')} with auralign {_code(recorded)}"]
    changes = {"inputs": checked.inputs, "tables": checked.tables, "code and versions": checked.environment}
    for what, found in changes.items():
        if found:
            lines += [f"changed {what}:", *(f"  {line}" for line in found)]
    if same := [what for what, found in changes.items() if not found]:
        lines.append(f"unchanged: {', '.join(same)}")
    if "tables" not in recorded:
        lines.append("no checksums of the tables were recorded: whether they were changed cannot be told")
    return "\n".join(lines)
