"""The public names: each is on the page of the reference, has a docstring in numpydoc's form, and is in an example."""

import ast
import inspect
import re
from pathlib import Path

import pytest
from numpydoc.validate import validate

import auralign

ROOT = Path(__file__).resolve().parents[2]
PUBLIC = sorted(name for name in auralign.__all__ if not name.startswith("__"))
REFERENCE = (ROOT / "docs" / "api" / "index.rst").read_text(encoding="utf-8")
EXAMPLES = sorted((ROOT / "docs" / "examples").glob("plot_*.py"))
# codes of numpydoc: a summary and its form, every parameter described and none else, sections in order
CHECKED = {
    "GL05", "GL06", "GL07", "GL08", "SS01", "SS02", "SS03", "SS04", "PR01", "PR02", "PR06", "PR10", "RT01", "YD01",
}  # fmt: skip
# what the library makes for its user has attributes instead of parameters
MADE_BY_THE_LIBRARY = {"auralign.Model": {"PR01"}, "auralign.Result": {"PR01"}}
# classes of what functions return: an example shows them without their names
RETURNED = {"Model", "Result"}


@pytest.mark.parametrize("name", PUBLIC)
def test_a_public_name_is_in_the_reference(name):
    assert re.search(rf"^   {re.escape(name)}$", REFERENCE, re.MULTILINE), f"docs/api/index.rst does not list {name}"


def test_the_reference_lists_public_names_only():
    listed = re.findall(r"^   ([A-Za-z_]\w*)$", REFERENCE, re.MULTILINE)
    assert sorted(set(listed)) == PUBLIC


# rooms that can be called, and what they call
CALLED = {"phantom": "auralign.phantom.arrays.phantom", "report": "auralign.report.from_python.report"}


def _docstrings() -> list[str]:
    """Dotted names of the public functions and classes, and of the classes' own methods."""
    found = []
    for name in PUBLIC:
        thing = getattr(auralign, name)
        found.append(CALLED.get(name, f"auralign.{name}"))
        if inspect.isclass(thing) and not issubclass(thing, Exception):
            methods = (m for m, value in vars(thing).items() if not m.startswith("_") and inspect.isfunction(value))
            found += [f"auralign.{name}.{method}" for method in methods]
    return found


@pytest.mark.parametrize("name", _docstrings())
def test_a_public_docstring_has_the_form_of_numpydoc(name):
    found = validate(name)
    codes = CHECKED - MADE_BY_THE_LIBRARY.get(name, set())
    # "Return one row per ..." needs no section that says it again
    codes -= {"RT01"} if found["docstring"].startswith("Return ") else set()
    wrong = [f"{code}: {message}" for code, message in found["errors"] if code in codes]
    assert not wrong, f"{name}: {wrong}"


def _names_used(file: Path) -> set[str]:
    """The names of `auralign` that an example uses."""
    nodes = ast.walk(ast.parse(file.read_text(encoding="utf-8")))
    return {
        n.attr for n in nodes if isinstance(n, ast.Attribute) and isinstance(n.value, ast.Name) and n.value.id == "au"
    }


def test_every_public_function_is_in_an_example():
    used = set().union(*(_names_used(file) for file in EXAMPLES))
    assert used == set(PUBLIC) - RETURNED


def test_there_are_a_dozen_examples_with_a_title_and_a_picture():
    assert len(EXAMPLES) >= 12
    for file in EXAMPLES:
        text = file.read_text(encoding="utf-8")
        assert re.match(r'"""\n.+\n=+\n\n', text), f"{file.name}: a title underlined by = comes first"
        assert "plt.subplots" in text or re.search(r"= (\w+_map|layer_scores|result\.plot)\(", text), (
            f"{file.name}: no picture"
        )
