"""Every block of README and docs is run as printed, or says in the page's source why it is not."""

import os
import subprocess
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

import pytest
import yaml

from auralign.config.reading import read_config

from .blocks import Block, blocks_of, difference, tolerance_of
from .conftest import environment

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
PAGES.append(ROOT / "datalad_dataset" / "README.md")
RUN_ALL = os.environ.get("AURALIGN_DOCS") == "all"


def _is_done(block: Block) -> bool:
    """Whether a block is more than shown."""
    return block.directive not in ("not run", "goes into")


def _needs_checkout(page: Path) -> bool:
    return any(_is_done(block) for block in blocks_of(page))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_block_is_run_or_says_why_not(page):
    for block in blocks_of(page):
        if block.directive == "not run":
            assert len(block.argument) > 10, f"{block}: {block.argument!r} is no reason"
        if block.directive == "output":
            assert tolerance_of(block) >= 0


@pytest.mark.skipif(not RUN_ALL, reason="the pages' commands take minutes: AURALIGN_DOCS=all runs them, as CI does")
@pytest.mark.parametrize(
    "page", [page for page in PAGES if _needs_checkout(page)], ids=lambda page: page.relative_to(ROOT).as_posix()
)
def test_the_blocks_of_a_page_run_as_printed(page, checkout, quickstart, monkeypatch):
    monkeypatch.chdir(checkout)
    names: dict = {}
    printed = quickstart[1]  # the page's commands come after the quickstart, whose output README shows
    for block in blocks_of(page):
        if not _is_done(block):
            continue
        if block.directive == "output":
            problem = difference(block.text, printed, tolerance_of(block))
            assert problem is None, f"{block}: {problem}\n--- printed:\n{printed}"
        elif block.directive == "file":
            (checkout / block.argument).parent.mkdir(parents=True, exist_ok=True)
            (checkout / block.argument).write_text(block.text, encoding="utf-8")
        elif block.language == "python":
            with redirect_stdout(StringIO()) as said:
                exec(compile(block.text, str(block), "exec"), names)
            printed = said.getvalue() or printed
        elif block.language == "bash":
            printed = _run(block, checkout)


def _run(block: Block, folder: Path) -> str:
    """Run a block of bash; a command that fails ends it."""
    command = ["bash", "-euo", "pipefail", "-c", block.text]
    done = subprocess.run(command, cwd=folder, env=environment(folder, ROOT), capture_output=True, text=True)
    assert done.returncode == 0, f"{block}: exit status {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


FRAGMENTS = [block for page in PAGES for block in blocks_of(page) if block.directive == "goes into"]


@pytest.mark.parametrize("block", FRAGMENTS, ids=str)
def test_a_part_of_a_yaml_is_valid_where_it_belongs(block, tmp_path, monkeypatch):
    # a storage makes its folder, relative to where we are
    (tmp_path / "folder").mkdir()
    monkeypatch.chdir(tmp_path / "folder")
    # what the replaced keys were named by goes
    whole = yaml.safe_load((ROOT / block.argument).read_text(encoding="utf-8"))
    whole.pop("tests", None)
    parts = [yaml.safe_load(block.text)]
    if block.text.count("\ntargets:"):  # alternatives, a line each
        parts = [yaml.safe_load(line) for line in block.text.splitlines()]
    for part in parts:
        merged = tmp_path / Path(block.argument).name
        merged.write_text(yaml.safe_dump({**whole, **part}), encoding="utf-8")
        if block.argument.startswith("julearn_configs"):
            read_config(merged)
        else:
            _build(part)


def _build(part: dict) -> None:
    """Make the components that a part of a junifer YAML names."""
    from junifer.api import functions

    import custom_markers  # noqa: F401  registers them

    makers = {"datagrabber": functions._get_datagrabber, "storage": functions._get_storage}
    for key, content in part.items():
        if key == "markers":
            for marker in content:
                functions._get_marker(dict(marker))
        elif key in makers:
            makers[key](dict(content))
        else:
            assert key == "queue", key
