"""Replacing values in the text of YAML files."""

import pytest
import yaml

from auralign.errors import ConfigError
from auralign.runs.rerun.yaml_scalars import replace_values

TEXT = """# a comment about paths: ../a.tsv
features:   # the sets
  mine: {table: ../a.tsv, layers: [0, 1]}   # ../a.tsv again
  "other one":
    table: '../b c.tsv'
markers:
  - name: first
  - {name: second, checkpoint: "x.pt"}
anchor: &path ../a.tsv
alias: *path
"""


@pytest.fixture
def file(tmp_path):
    (tmp_path / "f.yml").write_text(TEXT)
    return tmp_path / "f.yml"


def test_only_the_named_values_change(file):
    values = {
        ("features", "mine", "table"): "../../inputs/files/a.tsv",
        ("features", "other one", "table"): "../../b c.tsv",
        ("markers", 1, "checkpoint"): "../x.pt",
    }
    text = replace_values(file, values)
    expected = yaml.safe_load(TEXT)
    expected["features"]["mine"]["table"] = "../../inputs/files/a.tsv"
    expected["features"]["other one"]["table"] = "../../b c.tsv"
    expected["markers"][1]["checkpoint"] = "../x.pt"
    assert yaml.safe_load(text) == expected
    old, new = TEXT.splitlines(), text.splitlines()
    assert [number for number, (a, b) in enumerate(zip(old, new, strict=True)) if a != b] == [2, 4, 7]
    assert new[2] == "  mine: {table: ../../inputs/files/a.tsv, layers: [0, 1]}   # ../a.tsv again"


@pytest.mark.parametrize("value", ["yes", "1e3", "2020-01-01", "a: b", "- x", "with space", "über", "{x}", "#x", ""])
def test_a_value_is_read_back_as_the_text_that_was_given(file, value):
    content = yaml.safe_load(replace_values(file, {("markers", 0, "name"): value}))
    assert content["markers"][0]["name"] == value


@pytest.mark.parametrize("place", [("features", "none", "table"), ("markers", 7, "name"), ("features",), ("x", 0)])
def test_a_place_that_is_not_written_out_is_named(file, place):
    with pytest.raises(ConfigError, match=rf"f\.yml: {'.'.join(map(str, place))} is not written out"):
        replace_values(file, {place: "x"})
