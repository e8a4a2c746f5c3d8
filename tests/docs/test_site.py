"""The site builds without a network and without a warning, and what it reads off the source is there."""

import os
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
import yaml
from docutils.nodes import make_id

from .conftest import environment

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
sys.path.insert(0, str(DOCS / "_ext"))

import error_messages  # noqa: E402
import flowchart  # noqa: E402
import rooms  # noqa: E402

# as CI does
RUN_ALL = os.environ.get("AURALIGN_DOCS") == "all"
BUILT_BESIDE = ("_build", "auto_examples", "api/rooms", "api/generated", "api/backreferences")


class Links(HTMLParser):
    """The anchors of a page and the addresses that it links to or shows."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.anchors, self.addresses = set(), []
        self.feed(page.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for key, value in attrs:
            if key == "id" or (tag == "a" and key == "name"):
                self.anchors.add(value)
            elif key in ("href", "src") and value:
                self.addresses.append((tag, value))


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """The site, built from a copy so that nothing is written beside the sources; its examples are run."""
    if not RUN_ALL:
        pytest.skip("building the site with its examples takes a minute: AURALIGN_DOCS=all does it, as CI does")
    root = tmp_path_factory.mktemp("site")
    for path in ROOT.iterdir():
        if path.name in ("auralign", "custom_markers", "datalad_dataset") or path.suffix in (".md", ".toml"):
            (root / path.name).symlink_to(path)
    shutil.copytree(DOCS, root / "docs", ignore=lambda folder, _: [Path(name).name for name in BUILT_BESIDE])
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html"]
    done = subprocess.run(
        [*command, "docs", "html"], cwd=root, env=environment(root, root), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return root / "html"


def test_every_link_of_the_site_leads_somewhere(site):
    pages = {page: Links(page) for page in site.rglob("*.html")}
    assert len(pages) > 40
    broken = []
    for page, links in pages.items():
        for _, address in links.addresses:
            parts = urlsplit(address)
            if parts.scheme or parts.netloc or (address.startswith("#") and not parts.fragment):
                continue
            target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
            target = target / "index.html" if target.is_dir() else target
            wrong = not target.exists() or (
                parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].anchors
            )
            if wrong:
                broken.append(f"{page.relative_to(site)}: {address}")
    assert not broken


def test_pages_load_nothing_from_elsewhere(site):
    loading = ("script", "img", "iframe", "source")
    for page in site.rglob("*.html"):
        outside = [value for tag, value in Links(page).addresses if tag in loading and urlsplit(value).netloc]
        assert not outside, page


def test_a_function_of_the_reference_lists_the_examples_that_use_it(site):
    for example in sorted((DOCS / "examples").glob("plot_*.py")):
        called = re.findall(r"\bau\.([a-z_]+)\(", example.read_text(encoding="utf-8"))
        assert called, example.name
        for name in set(called):
            page = (site / "api" / "generated" / f"auralign.{name}.html").read_text(encoding="utf-8")
            article = page[page.index("<article") : page.index("</article>")]
            assert f"auto_examples/{example.stem}.html" in article, f"au.{name} does not list {example.name}"


def test_the_flowchart_has_every_row_of_its_table(site):
    table = flowchart.steps(flowchart.PAGE.read_text(encoding="utf-8"))
    rows = [line for line in flowchart.PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    assert len(table) == len(rows) - 1  # its head
    drawn = (site / "which_analysis.html").read_text(encoding="utf-8")
    assert drawn.count('class="question"') == len(table)


def test_the_glossary_shows_every_word_once(site):
    from auralign.report import glossary

    shown = (site / "glossary.html").read_text(encoding="utf-8")
    for kind, words in (("term", glossary.TERMS), ("column", glossary.COLUMNS)):
        for word in words:
            assert shown.count(f'id="{kind}-{make_id(word)}"') == 1, word


def test_messages_that_are_explained_are_raised():
    known = error_messages.messages(ROOT)
    entries = error_messages.causes()
    assert len(entries) >= 20
    for entry in entries:
        assert set(entry) == {"message", "cause", "do"}
        assert error_messages.where_raised(entry, known), f"no `raise` says {entry['message']!r}; was it changed?"


def test_messages_are_read_with_their_placeholders(tmp_path):
    module = tmp_path / "auralign" / "room" / "module.py"
    module.parent.mkdir(parents=True)
    module.write_text(
        'LIMIT = 3\n\ndef f(path, names):\n    raise DataError(\n        f"{path}: {len(names)} names, '
        'at most {LIMIT}. " "Remove some."\n    )\n'
    )
    (message,) = error_messages.messages(tmp_path)
    assert message.template == "<path>: … names, at most 3. Remove some."
    assert (message.room, message.error, message.line) == ("auralign.room", "DataError", 4)


def test_the_kinds_of_errors_are_those_of_the_package():
    import auralign.errors

    found = {kind.name: kind for kind in error_messages.kinds(ROOT)}
    own = {name for name, value in vars(auralign.errors).items() if isinstance(value, type)}
    assert own - {"Iterable"} <= set(found)
    assert next(iter(found)) == "AuralignError"
    assert all(kind.words for kind in found.values())


def test_every_module_is_on_the_page_of_its_room():
    found = rooms.rooms(ROOT)
    assert {"auralign.estimators", "auralign.questions", "custom_markers.networks"} <= set(found)
    page = rooms.page("auralign.estimators", found["auralign.estimators"], ROOT)
    for file in found["auralign.estimators"][1:]:
        assert f"``{file.relative_to(ROOT).as_posix()}``" in page
    listed = re.findall(r"^   ([a-z_]+\.\w+)$", rooms.contents(found, ROOT), re.MULTILINE)
    assert sorted(listed) == sorted(found)
    assert listed.index("auralign.cli") < listed.index("auralign.estimators") < listed.index("auralign.errors")


def test_the_hooks_before_a_commit_have_the_versions_of_ci():
    pins = dict(
        line.split("==")
        for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
        if line and not line.startswith("#")
    )
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    (ruff,) = (repo for repo in hooks["repos"] if repo["repo"].endswith("ruff-pre-commit"))
    assert ruff["rev"] == f"v{pins['ruff']}"


def test_the_workflow_only_calls_the_script_of_ci():
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8"))
    (job,) = workflow["jobs"].values()
    assert [step["run"] for step in job["steps"] if "run" in step] == [".ci/run"]
    assert job["strategy"]["matrix"]["python"] == ["3.11", "3.12"]


def test_the_citation_is_complete():
    # the required keys of version 1.2.0 of the Citation File Format, of the file and of each reference
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert {"cff-version", "message", "title", "authors"} <= set(citation)
    assert citation["cff-version"] == "1.2.0"
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert str(citation["version"]) == re.search(r'^version = "(.+)"$', project, re.MULTILINE)[1]
    for reference in citation["references"]:
        assert {"authors", "title", "type"} <= set(reference)
        for author in reference["authors"]:
            assert set(author) in ({"family-names", "given-names"}, {"name"})
        assert re.fullmatch(r"10\.\d{4,}/\S+", reference.get("doi", "10.0000/none"))
