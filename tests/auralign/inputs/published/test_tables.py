"""The published numbers that come along."""

import re
from pathlib import Path

import pytest

from auralign.inputs.published.networks import lookup
from auralign.inputs.published.tables import COLUMNS, read_reference

NOTES = Path(__file__).resolve().parents[5] / "shared" / "reference" / "published_results.md"
LABELS = {"Low freq": "lowfreq", "High freq": "highfreq", "Broadband": "envsounds"}


@pytest.fixture(scope="module")
def reference():
    return read_reference()


@pytest.fixture(scope="module")
def notes():
    """Return the tables of the study's notes: {label: [[cell, ...], ...]}, the header first."""
    if not NOTES.is_file():
        pytest.skip(f"the notes are not at {NOTES}")
    tables = {}
    for part in NOTES.read_text(encoding="utf-8").split("\n##### ")[1:]:
        lines = [line.strip().strip("|") for line in part.splitlines() if line.startswith("|")]
        rows = [[cell.strip() for cell in line.split("|")] for line in lines]
        tables[part.split(".")[0]] = [row for row in rows if re.search(r"[^-\s]", "".join(row))]
    return tables


def _number(cell: str) -> float:
    return float(cell.lstrip("~").split(" ")[0])


def _target(label: str) -> str:
    return LABELS.get(label, label.lower())


def test_every_number_has_its_place(reference):
    assert list(reference.columns) == COLUMNS
    assert reference["value"].notna().all() and (reference["precision"] >= 0).all()
    assert (reference[["table", "quantity", "dataset", "target", "source"]] != "").all().all()
    keys = [column for column in COLUMNS if column not in ("value", "precision")]
    assert not reference.duplicated(keys).any()
    scores = reference[~reference["quantity"].isin(["count", "rsa_relative_best_layer_wilcoxon_W"])]
    assert scores["value"].between(0, 1).all()
    compared = reference[reference["table"].isin(["C1", "C2", "C3", "C4a", "C5", "C7", "C8"])]
    assert all(lookup(name) for name in compared["features"].unique())


def test_known_numbers(reference):
    def value(**keys):
        rows = reference
        for column, wanted in keys.items():
            rows = rows[rows[column] == wanted]
        assert len(rows) == 1
        return rows["value"].item()

    baseline = {"table": "C7", "features": "SpectroTemporal"}
    names = ["lowfreq", "highfreq", "envsounds", "pitch", "speech", "music"]
    assert [value(target=name, **baseline) for name in names] == [0.71, 0.55, 0.45, 0.53, 0.66, 0.34]
    assert value(table="C3", quantity="r2_corr_c_subject_mean", target="Primary", layer=3) == 0.7941
    assert value(table="C3", quantity="r2_corr_c_subject_sem", target="Posterior", layer=9) == 0.0150
    assert value(table="C1", features="EnCodecMAE-Music", target="lowfreq", layer=3) == 0.870
    assert value(table="C5", target="speech", layer=9, step=450_000) == 0.917
    assert value(table="C6", quantity="rsa", features="VGGish", dataset="B2021", network="permuted") == 0.213
    relative = {"table": "C9", "quantity": "r2_corr_c_relative_best_layer", "features": "AST"}
    assert value(dataset="B2021", target="Primary", **relative) == 0.336
    assert value(table="C11", quantity="r2_corr_nested", features="BEATs It3", dataset="NH2015") == 0.383
    assert value(table="C11", quantity="rsa_nested", features="ECMAE (LL)", dataset="B2021") == 0.389


def test_layer_tables_are_those_of_the_notes(reference, notes):
    for table in ("C1", "C2", "C4a", "C4b", "C4d", "C4e"):
        rows, labels = reference[reference["table"] == table], 2 if table == "C1" else 1
        for row in notes[table][1:]:
            variant = f"EnCodecMAE-{row[labels - 1]}" if table in ("C1", "C2") else "EnCodecMAE-Mixture"
            target = "all" if table == "C2" else _target(row[0])
            one = rows[(rows["features"] == variant) & (rows["target"] == target)].sort_values("layer")
            assert one["layer"].tolist() == list(range(10))
            assert one["value"].tolist() == [_number(cell) for cell in row[labels : labels + 10]], (table, row[:2])
        assert len(rows) == 10 * (len(notes[table]) - 1)


def test_training_steps_and_regions_are_those_of_the_notes(reference, notes):
    rows = reference[reference["table"] == "C5"]
    assert len(rows) == 600
    for row in notes["C5"][1:]:
        one = rows[(rows["target"] == row[0].lower()) & (rows["layer"] == int(row[1]))].sort_values("step")
        assert one["step"].tolist() == list(range(50_000, 500_001, 50_000))
        assert one["value"].tolist() == [_number(cell) for cell in row[2:]]
        assert [precision == 0.02 for precision in one["precision"]] == ["~" in cell for cell in row[2:]]
    rows, region = reference[reference["table"] == "C3"], ""
    for row in notes["C3"][1:]:
        region = region if row[0] == "SEM" else row[0]
        quantity = "r2_corr_c_subject_sem" if row[0] == "SEM" else "r2_corr_c_subject_mean"
        one = rows[(rows["target"] == region) & (rows["quantity"] == quantity)].sort_values("layer")
        assert one["value"].tolist() == [float(cell) for cell in row[1:]]


def test_tables_of_all_networks_are_those_of_the_notes(reference, notes):
    header = [("r2_corr_c_best_layer", "NH2015", "trained"), ("r2_corr_c_best_layer_sem", "NH2015", "trained")]
    header += [("r2_corr_c_best_layer", "NH2015", "permuted")]
    header += [("r2_corr_c_best_layer", "B2021", network) for network in ("trained", "permuted")]
    header += [("rsa", dataset, network) for dataset in ("NH2015", "B2021") for network in ("trained", "permuted")]
    rows = reference[reference["table"] == "C6"].set_index(["features", "quantity", "dataset", "network"])["value"]
    expected = {
        (row[0], *column): float(cell)
        for row in notes["C6"][1:-1]
        for column, cell in zip(header, row[1:], strict=True)
        if cell not in ("", "(same)")
    }
    assert rows[rows.index.get_level_values("quantity") != "rsa_noise_ceiling"].to_dict() == expected
    rows = reference[reference["table"].str.startswith("C7")]
    rows = rows.set_index(["table", "features", "network", "target"])["value"]
    expected = {}
    for row in notes["C7"][1:]:
        printed, name = "Fig4" in row[0].replace(" ", ""), row[0].split(" (")[0]
        table = "C7-Fig4" if printed and name != "SpectroTemporal" else "C7"
        network = "trained" if row[1] == "-" else row[1]
        for target, cell in zip(notes["C7"][0][2:], row[2:], strict=True):
            expected[table, name, network, target] = _number(cell)
    assert rows.to_dict() == expected
