"""The description of a result as an RO-Crate 1.1, against what its specification requires."""

import json
from datetime import datetime

import pytest
from rocrate.rocrate import ROCrate

from auralign.config.reading import read_config
from auralign.errors import DataError
from auralign.runs.compare import run_comparison
from auralign.runs.rerun.crate import write_crate


@pytest.fixture
def results(small_config, tmp_path):
    run_comparison(read_config(small_config), tmp_path / "results" / "small")
    return tmp_path / "results" / "small"


def _read(path) -> tuple[dict, dict[str, dict]]:
    content = json.loads(path.read_text())
    entities = {entity["@id"]: entity for entity in content["@graph"]}
    assert len(entities) == len(content["@graph"])  # one entity per identifier
    return content, entities


def _references(value) -> list[str]:
    if isinstance(value, dict):
        return [value["@id"]] if set(value) == {"@id"} else [r for v in value.values() for r in _references(v)]
    return [r for v in value for r in _references(v)] if isinstance(value, list) else []


@pytest.mark.parametrize("licence", ["https://creativecommons.org/publicdomain/zero/1.0/", "ask us"])
def test_a_crate_has_what_the_specification_requires(results, tmp_path, licence):
    content, entities = _read(write_crate(results, tmp_path, licence))
    assert content["@context"][0] == "https://w3id.org/ro/crate/1.1/context"
    descriptor = entities["ro-crate-metadata.json"]
    assert descriptor["@type"] == "CreativeWork"
    assert descriptor["conformsTo"] == {"@id": "https://w3id.org/ro/crate/1.1"}
    root = entities[descriptor["about"]["@id"]]
    assert (root["@id"], root["@type"]) == ("./", "Dataset")
    assert root["name"] and root["description"]
    assert datetime.fromisoformat(root["datePublished"]).tzinfo is not None
    assert root["license"] == ({"@id": licence} if licence.startswith("https:") else licence)
    # every reference leads to an entity of the graph, every file is part of the root and is there
    external = {"https://w3id.org/ro/crate/1.1"}
    assert set(_references(content["@graph"])) <= set(entities) | external
    files = {identifier for identifier, entity in entities.items() if entity["@type"] == "File"}
    assert files == {part["@id"] for part in root["hasPart"]}
    assert files == {"net.tsv", "plain.csv", "y.tsv"} | {
        f"results/small/{path.name}" for path in results.iterdir() if path.is_file()
    }
    assert all((tmp_path / file).is_file() for file in files)


def test_the_action_leads_from_inputs_and_software_to_results(results, tmp_path):
    _, entities = _read(write_crate(results, tmp_path))
    action = entities["#comparison"]
    assert {part["@id"] for part in action["object"]} == {"net.tsv", "plain.csv", "y.tsv"}
    assert "results/small/scores.parquet" in {part["@id"] for part in action["result"]}
    recorded = json.loads((results / "provenance.json").read_text())
    assert entities["y.tsv"]["sha256"] == recorded["inputs"][str(tmp_path / "y.tsv")]["sha256"]
    assert f"numpy {recorded['versions']['numpy']}" in entities[action["instrument"]["@id"]]["softwareRequirements"]


def test_inputs_outside_of_the_shared_folder_are_no_parts_of_it(results):
    path = write_crate(results)
    _, entities = _read(path)
    assert path.parent == results
    assert {part["@id"] for part in entities["./"]["hasPart"]} == {
        file.name for file in results.iterdir() if file.is_file() and file != path
    }
    spoken_of = [entities[part["@id"]] for part in entities["#comparison"]["object"]]
    assert {entity["name"] for entity in spoken_of} == {"net.tsv", "plain.csv", "y.tsv"}
    assert all(entity["@id"].startswith("#") and entity["@type"] == "CreativeWork" for entity in spoken_of)


def test_results_outside_of_the_shared_folder_are_refused(results, tmp_path):
    (tmp_path / "other").mkdir()
    with pytest.raises(DataError, match="does not lie in"):
        write_crate(results, tmp_path / "other")


def test_a_crate_is_the_same_whenever_it_is_written_and_names_files_as_addresses(results, tmp_path):
    (results / "a figure, ä.svg").write_text("<svg/>")
    first = write_crate(results, tmp_path).read_bytes()
    assert write_crate(results, tmp_path).read_bytes() == first
    _, entities = _read(tmp_path / "ro-crate-metadata.json")
    assert entities["results/small/a%20figure%2C%20%C3%A4.svg"] == {
        "@id": "results/small/a%20figure%2C%20%C3%A4.svg",
        "@type": "File",
        "name": "a figure, ä.svg",
        "encodingFormat": "image/svg+xml",
    }


def test_a_crate_is_read_back_by_rocrate(results, tmp_path):
    write_crate(results, tmp_path)
    crate = ROCrate(tmp_path)
    assert crate.name == "small"
    action = crate.root_dataset["mentions"]
    assert {part.id for part in action["object"]} == {"net.tsv", "plain.csv", "y.tsv"}
    assert action["instrument"]["name"] == "auralign"
