"""The gallery is whole, and the lines of the notebook page run."""

import re

import auralign.figures
from auralign.figures import FigureOf


def test_the_gallery_shows_every_picture_with_words(root):
    page = (root / "docs" / "gallery.md").read_text(encoding="utf-8")
    shown = re.findall(r"!\[(.+?)\]\(gallery/(\S+?\.png)\)", page)
    folder = root / "docs" / "gallery"
    assert sorted(name for _, name in shown) == sorted(path.name for path in folder.iterdir())
    assert len(shown) >= 25
    assert all(len(words) > 40 for words, _ in shown)
    assert sum(path.stat().st_size for path in folder.iterdir()) < 1.5e6
    assert page.count("The responses are synthetic.") == len(shown)


def test_the_lines_of_the_notebook_page_run(root, components, tmp_path, monkeypatch):
    page = (root / "docs" / "notebook.md").read_text(encoding="utf-8")
    first, second = re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL)[:2]
    assert len([line for line in first.splitlines() if line]) == 3
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    first, second = (text.replace("results/quickstart", str(components.folder)) for text in (first, second))
    *lines, shown = first.strip().splitlines()
    exec("\n".join(lines), names)
    assert isinstance(eval(shown, names), FigureOf)
    exec(second, names)
    assert len(list((tmp_path / "figures").glob("*.svg"))) == 16


def test_the_notebook_page_names_every_function(root):
    page = (root / "docs" / "notebook.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`.+?) \|", page, flags=re.MULTILINE)
    named = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    lower = {name for name in auralign.figures.__all__ if name[0].islower()}
    not_figures = {"all_figures", "excluded_targets", "feature_looks", "stimulus_predictions", "training_series"}
    assert lower - not_figures == named
