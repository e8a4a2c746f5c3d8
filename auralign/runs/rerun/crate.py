"""Describing a result as an RO-Crate 1.1 (JSON-LD), which archives and catalogues of research data read.

By `rocrate`, in the terms of https://w3id.org/ro/crate/1.1: a root dataset with its files, and one action that made the
result (software) from its inputs (objects), all taken from provenance.json. Nothing is copied or looked up.
"""

import json
import os
from pathlib import Path

from rocrate.model import ContextEntity, File
from rocrate.rocrate import ROCrate

from ...errors import DataError
from ...files.atomic import write_text_atomically
from ..input_files import locate, relocate_file
from ..provenance import read_provenance

NAME = "ro-crate-metadata.json"
VERSION = "1.1"
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
    crate = ROCrate(version=VERSION)
    crate.metadata.extra_terms.update(CHECKSUM)
    _describe(crate, provenance, licence)
    located = locate(provenance, results)
    inputs = [
        crate.add(_input(crate, relocate_file(recorded, located), record, root))
        for recorded, record in provenance["inputs"].items()
    ]
    files = (file for file in sorted(results.rglob("*")) if _is_content(file, results))
    outputs = [crate.add(_output(crate, file, root)) for file in files]
    crate.root_dataset["mentions"] = crate.add_action(
        crate.add(_software(crate, provenance)),
        "#comparison",
        object=inputs,
        result=outputs,
        properties={
            "name": f"compare {provenance['config']['name']}",
            "description": provenance.get("command", ""),
            "endTime": provenance["finished"],
        },
    )
    write_text_atomically(json.dumps(crate.metadata.generate(), indent=2) + "\n", root / NAME)
    return root / NAME


def _is_content(file: Path, results: Path) -> bool:
    hidden = any(part.startswith(".") for part in file.relative_to(results).parts)
    return not hidden and (file.is_file() or file.is_symlink()) and file.name != NAME


def _describe(crate: ROCrate, provenance: dict, licence: str) -> None:
    """Say of the whole what it is, from when, and under which licence."""
    crate.root_dataset["name"] = provenance["config"]["name"]
    crate.root_dataset["description"] = (
        f"How well {', '.join(provenance['config']['features'])} predict responses "
        f"({len(provenance['stimuli'])} stimuli, {len(provenance['splits'])} splits), cross-validated."
    )
    # when the result was made, so that its description is the same whenever it is written
    crate.root_dataset["datePublished"] = provenance["finished"]
    crate.root_dataset["license"] = licence
    if licence.startswith("https://"):
        terms = ContextEntity(crate, licence, {"@type": "CreativeWork", "name": licence})
        crate.root_dataset["license"] = crate.add(terms)


def _software(crate: ROCrate, provenance: dict) -> ContextEntity:
    versions, code = provenance["versions"], provenance["code"] or {"commit": "unknown"}
    return ContextEntity(
        crate,
        "#auralign",
        {
            "@type": "SoftwareApplication",
            "name": "auralign",
            "softwareVersion": f"{versions['auralign']}, commit {code['commit']}",
            "softwareRequirements": [f"{package} {number}" for package, number in versions.items() if number],
        },
    )


def _output(crate: ROCrate, file: Path, root: Path) -> File:
    kind = {"encodingFormat": TYPES[file.suffix]} if file.suffix in TYPES else {}
    return File(crate, dest_path=file.relative_to(root), properties={"name": file.name} | kind)


def _input(crate: ROCrate, file: Path, record: dict, root: Path) -> File | ContextEntity:
    """Describe an input file; one outside of the shared folder is only spoken of."""
    facts = {"name": file.name, "contentSize": str(record["size"]), "sha256": record["sha256"]}
    if file.is_relative_to(root):
        return File(crate, dest_path=file.relative_to(root), properties=facts)
    return ContextEntity(crate, f"#input-{record['sha256'][:16]}", {"@type": "CreativeWork"} | facts)
