"""What results note of their estimators, so that figures and reports need neither the plug-in nor its name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from .options import EstimatorOptions
from .plugin import Can
from .registry import alpha_grid, options_of, origin, plugin_of


@dataclass(frozen=True)
class Record:
    """An estimator of a results folder.

    Attributes
    ----------
    kind : str
    can : Can
    alphas : list of float, or None
        Those on offer, where they do not depend on the data.
    words : str
        How the hyper-parameters were chosen.
    equation : str
        What is minimised, in plain signs.
    references : tuple of str
    """

    kind: str
    can: Can
    alphas: list[float] | None
    words: str
    equation: str
    references: tuple[str, ...]


def describe(options: EstimatorOptions) -> dict[str, Any]:
    """Describe an estimator for provenance.json: where its code is, and the attributes of `Record`."""
    plugin = plugin_of(options)
    record = Record(
        options.kind,
        plugin.abilities(options),
        alpha_grid(options),
        "" if plugin.words is None else plugin.words(options),
        plugin.equation,
        plugin.references,
    )
    return {"origin": origin(options), **asdict(record)}


def recorded(provenance: Mapping[str, Any]) -> dict[str, Record]:
    """Read what provenance.json notes of the estimators, by label.

    Results of earlier versions note nothing; of these all estimators are among those that are shipped today, and are
    described as they would be now.

    Raises
    ------
    pydantic.ValidationError
        Nothing is noted of an estimator that is not shipped.
    """
    notes = provenance.get("estimators", {})
    settings = provenance["config"]["estimators"]
    return {label: _record(notes.get(label) or describe(options_of(settings[label]))) for label in settings}


def _record(note: Mapping[str, Any]) -> Record:
    known = {field.name for field in fields(Can)}
    can = Can(**{name: value for name, value in note["can"].items() if name in known})
    references = tuple(note["references"])
    return Record(note["kind"], can, note["alphas"], note["words"], note["equation"], references)
