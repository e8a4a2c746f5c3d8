"""Describing a result as an RO-Crate 1.1 (JSON-LD), which archives and catalogues of research data read.

The terms are those of https://w3id.org/ro/crate/1.1: a root dataset with its files, and one action that made the result
(software) from its inputs (objects), all taken from provenance.json.
"""

import json
import os
from pathlib import Path

from ...errors import DataError
from ...files.atomic import write_text_atomically
from ..input_files import locate, relocate_file
from ..provenance import read_provenance

NAME = "ro-crate-metadata.json"
CONTEXT = "https://w3id.org/ro/crate/1.1/context"
# not in RO-Crate's own list of terms
CHECKSUM = {"sha256": "https://schema.org/sha256"}
NO_LICENCE = "No licence was given: ask the authors. Inputs have licences of their own."
TYPES = {
    ".tsv": "text/tab-separated-values",
    ".json": "application/json",
    ".html": "text/html",
    ".parquet": "application/vnd.apache.parquet",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".hdf5": "application/x-hdf5",
}


def write_crate(results: Path, root: Path | None = None, licence: str = NO_LICENCE) -> Path:
    """Write `ro-crate-metadata.json` of a result.

    Parameters
    ----------
    results : Path
        A results folder.
    root : Path, optional
        The folder that is shared, of which the results are a part (a study); by default the results folder.
    licence : str
        Of the shared folder: an address (https://...) or a text.

    Returns
    -------
    Path
        The file, in `root`.

    Raises
    ------
    DataError
        There is no such result, or it does not lie in `root`.
    """
    provenance = read_provenance(results)
    root = Path(os.path.abspath(root or results))
    results = Path(os.path.abspath(results))
    if not results.is_relative_to(root):
        raise DataError(f"{results}: the result does not lie in {root}, the folder to be described.")
    outputs = [_output(file, root) for file in sorted(results.rglob("*")) if _is_content(file, results)]
    located = locate(provenance, results)
    inputs = [
        _input(relocate_file(recorded, located), record, root) for recorded, record in provenance["inputs"].items()
    ]
    text = json.dumps(
        {"@context": [CONTEXT, CHECKSUM], "@graph": _graph(provenance, inputs, outputs, licence)}, indent=2
    )
    write_text_atomically(text + "\n", root / NAME)
    return root / NAME


def _is_content(file: Path, results: Path) -> bool:
    hidden = any(part.startswith(".") for part in file.relative_to(results).parts)
    return not hidden and (file.is_file() or file.is_symlink()) and file.name != NAME


def _graph(provenance: dict, inputs: list[dict], outputs: list[dict], licence: str) -> list[dict]:
    name, code = provenance["config"]["name"], provenance["code"] or {"commit": "unknown"}
    parts = [entity for entity in (*inputs, *outputs) if entity["@type"] == "File"]
    software = {
        "@id": "#auralign",
        "@type": "SoftwareApplication",
        "name": "auralign",
        "softwareVersion": f"{provenance['versions']['auralign']}, commit {code['commit']}",
        "softwareRequirements": [f"{package} {number}" for package, number in provenance["versions"].items() if number],
    }
    action = {
        "@id": "#comparison",
        "@type": "CreateAction",
        "name": f"compare {name}",
        "description": provenance.get("command", ""),
        "endTime": provenance["finished"],
        "instrument": {"@id": "#auralign"},
        "object": _references(inputs),
        "result": _references(outputs),
    }
    dataset = {
        "@id": "./",
        "@type": "Dataset",
        "name": name,
        "description": f"How well {', '.join(provenance['config']['features'])} predict responses "
        f"({len(provenance['stimuli'])} stimuli, {len(provenance['splits'])} splits), cross-validated.",
        "datePublished": provenance["finished"],
        "license": {"@id": licence} if licence.startswith("https://") else licence,
        "hasPart": _references(parts),
        "mentions": {"@id": "#comparison"},
    }
    descriptor = {
        "@id": NAME,
        "@type": "CreativeWork",
        "conformsTo": {"@id": CONTEXT.removesuffix("/context")},
        "about": {"@id": "./"},
    }
    terms = [{"@id": licence, "@type": "CreativeWork", "name": licence}] if licence.startswith("https://") else []
    return [descriptor, dataset, action, software, *terms, *inputs, *outputs]


def _references(entities: list[dict]) -> list[dict]:
    return [{"@id": entity["@id"]} for entity in entities]


def _output(file: Path, root: Path) -> dict:
    entity = {"@id": file.relative_to(root).as_posix(), "@type": "File", "name": file.name}
    return entity | ({"encodingFormat": TYPES[file.suffix]} if file.suffix in TYPES else {})


def _input(file: Path, record: dict, root: Path) -> dict:
    """Describe an input file; one outside of the shared folder is only spoken of."""
    inside = file.is_relative_to(root)
    return {
        "@id": file.relative_to(root).as_posix() if inside else f"#input-{record['sha256'][:16]}",
        "@type": "File" if inside else "CreativeWork",
        "name": file.name,
        "contentSize": str(record["size"]),
        "sha256": record["sha256"],
    }
