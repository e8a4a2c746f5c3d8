"""YAML that is read otherwise than it is meant: refused with line and column, and what to do."""

from datetime import date
from pathlib import Path

import pytest
import yaml
from junifer.utils import yaml as junifer_yaml

from auralign.config.reading import read_config
from auralign.datasets.recipes import read_recipe
from auralign.errors import ConfigError, DatasetError
from auralign.files.yaml_text import YamlError, read_junifer_yaml, read_yaml, write_yaml

CONFIG = """name: minimal
features:
  net: {storage: net.hdf5, marker: net}
targets: {kind: components, dataset: ../data}
splits: {kind: shuffle, train_size: 83, test_size: 82}
estimators: {ridge: {kind: ridge}}
"""


def _message(folder: Path, old: str, new: str) -> str:
    path = folder / "config.yml"
    path.write_text(CONFIG.replace(old, new), encoding="utf-8")
    with pytest.raises(ConfigError) as error:
        read_config(path)
    assert str(error.value).startswith(f"{path}: ")
    return str(error.value)


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        ("no", "a truth value"), ("Yes", "a truth value"), ("on", "a truth value"), ("off", "a truth value"),
        ("2024-01-01", "a date"), ("2024-13-45", "a date"), ("7", "a number"), ("1.5", "a number"),
        ("null", r"nothing \(null\)"), ("~", r"nothing \(null\)"),
    ],
)  # fmt: skip
def test_a_key_that_yaml_takes_for_something_else_is_to_be_quoted(tmp_path, key, meant):
    message = _message(tmp_path, "  net: {", f"  {key}: {{")
    assert f"line 3, column 3: YAML reads `{key}` as {meant.replace(chr(92), '')}" in message
    assert f'quote it: "{key}"' in message


def test_a_quoted_key_is_a_name(tmp_path):
    path = tmp_path / "config.yml"
    path.write_text(CONFIG.replace("  net: {", '  "no": {'), encoding="utf-8")
    assert list(read_config(path).features) == ["no"]


@pytest.mark.parametrize(
    ("old", "new", "place", "key"),
    [
        ("marker: net", "marker: 2024-01-01", "line 3, column 36", "features.net.marker"),
        ("marker: net", "marker: no", "line 3, column 36", "features.net.marker"),
        ("marker: net", "marker: 7", "line 3, column 36", "features.net.marker"),
        ("storage: net.hdf5", "storage: 12", "line 3, column 18", "features.net.storage"),
        ("name: minimal", "name: 2024-01-01", "line 1, column 7", "name"),
        (
            "name: minimal",
            "name: x\ntests: [{metric: r2, a: {features: no}, b: {}}]",
            "line 2, column 36",
            "tests.0.a.f",
        ),
    ],
)
def test_a_value_in_the_place_of_a_name_is_to_be_quoted(tmp_path, old, new, place, key):
    message = _message(tmp_path, old, new)
    value = new.split(": ")[-1].split("}")[0] if "tests" not in new else "no"
    assert f"  {key}" in message
    assert f"({place}: YAML reads `{value}` as " in message
    assert f'quote it: "{value}"' in message


def test_quotes_are_not_offered_where_they_do_not_help(tmp_path):
    for old, new in (("train_size: 83", "train_size: yes"), ("kind: shuffle", "kind: no")):
        assert "quote it" not in _message(tmp_path, old, new)


def test_every_mistake_has_its_line(tmp_path):
    message = _message(tmp_path, "test_size: 82", "test_size: 82, sed: 1")
    assert "splits.sed: unknown key" in message and "(line 5, column 56)" in message


@pytest.mark.parametrize(("number", "base"), [("0100", "of base 8"), ("010", "of base 8"), ("1:23", "of base 60")])
def test_numbers_of_other_bases_are_refused(tmp_path, number, base):
    message = _message(tmp_path, "train_size: 83", f"train_size: {number}")
    assert f"line 5, column 37: YAML reads `{number}` as a number {base}" in message


def test_anchors_and_merged_mappings_are_read():
    assert read_yaml("a: &a {x: 1}\nb: {<<: *a, y: 2}\n").content["b"] == {"x": 1, "y": 2}


@pytest.mark.parametrize("text", ["a: [", "{[a]: b}", "a: 1\na: 2", "\t- a"])
def test_what_is_no_yaml_is_an_error_with_its_line(text):
    with pytest.raises(YamlError, match=r"line [12], column"):
        read_yaml(text)


def test_nothing_in_a_yaml_file_ends_in_a_traceback(tmp_path):
    with pytest.raises(YamlError, match="not a YAML file that can be read"):
        read_yaml("[" * 5000)
    assert read_yaml("name: =").content == {"name": "="}
    (tmp_path / "c.yml").write_bytes("# a comment\nname: f\xfcr\n".encode("latin-1"))
    with pytest.raises(ConfigError, match=r"c\.yml: line 2 is not text in UTF-8\. Save the file as UTF-8"):
        read_config(tmp_path / "c.yml")


def test_recipes_are_read_alike(tmp_path, small):
    recipe = small.recipe(tmp_path, extra="subsets: {no: [sounds]}\n")
    line = 1 + recipe.read_text().splitlines().index("subsets: {no: [sounds]}")
    with pytest.raises(DatasetError, match=rf"line {line}, column 11: YAML reads `no` as a truth value"):
        read_recipe(recipe)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("y", "y"), ("N", "N"), ("_", "_"), ("1e3", "1e3"), ("1e-3", "1e-3"), ("1.0e3", "1.0e3"), ("0o12", "0o12"),
        ("1.0e-3", 1e-3), (".5", 0.5), ("-.inf", float("-inf")), ("1_000", 1000), ("0x1F", 31), ("0b11", 3),
        ("08", "08"), ("off", False), ("Yes", True), ("~", None), ("", None), ("2024-01-31", date(2024, 1, 31)),
        ('"off"', "off"), ("'012'", "012"),
    ],
)  # fmt: skip
def test_bare_words_mean_what_they_mean_to_pyyaml(text, value):
    for written in (f"[{text}]", f"- {text}", f"%YAML 1.2\n---\n[{text}]"):
        (read,) = read_yaml(written).content or [None]
        assert (read, type(read)) == (value, type(value))
        (by_pyyaml,) = yaml.safe_load(written) or [None]
        assert (read, type(read)) == (by_pyyaml, type(by_pyyaml))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: &x 1\nb: &x 2", r"line 2, column 4: the anchor &x is there twice\."),
        ("a: &x {c: 1}\nb: {<<: *x, <<: *x}", r"line 2, column 13: .* '<<' is there twice\. .* <<: \[\*a, \*b\]"),
        ("a: &x {b: 012}\nc: *x", r"line 1, column 11: YAML reads `012` as a number of base 8"),
        ("a: 2024-13-45", r"line 1, column 4: YAML reads `2024-13-45` as a date, .*month must be"),
        ("a: !!int x", r"line 1, column 4: YAML reads `x` as a number"),
        ("a: !!python/object:os.system {}", r"could not determine a constructor"),
    ],
)
def test_what_ruamel_would_let_pass_or_tell_without_a_place_is_refused(text, message):
    with pytest.raises(YamlError, match=message):
        read_yaml(text)


def test_an_anchor_inside_itself_ends():
    content = read_yaml("a: &x [*x]").content
    assert content["a"][0] is content["a"]


def test_what_is_written_is_read_back_in_its_order():
    content = {"name": "x", "off": ["no", "012", "1:30", "2024-01-01", "y", "", "é", "a: b", "#c"], "b": {"c": None}}
    content |= {"numbers": [1, 1e-5, 1.5e20, 1e20, -0.5, float("inf"), True], "empty": [], "none": {}}
    text = write_yaml(content)
    assert read_yaml(text).content == content
    assert list(read_yaml(text).content) == list(content)
    assert yaml.safe_load(text) == content
    assert text == yaml.safe_dump(content, sort_keys=False, allow_unicode=True)


def test_a_junifer_yaml_is_read_as_junifer_reads_it():
    text = "with: [a, b]\nmarkers: [{name: no, alpha: 1e-3, size: 012}]\n"
    assert read_junifer_yaml(text) == junifer_yaml.load(text)
    assert read_junifer_yaml(text)["markers"][0] == {"name": "no", "alpha": 0.001, "size": 12}
    with pytest.raises(YamlError, match=r"line 1, column 7"):
        read_junifer_yaml("a: [1,")
