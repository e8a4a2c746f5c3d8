"""What is saved beside a figure, and that it is the same every time."""

import os
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

import matplotlib
import pandas as pd
import pytest
from PIL import Image

from auralign.errors import AuralignError
from auralign.figures.saving import FigureOf
from auralign.figures.style import panels


def _draw(data: pd.DataFrame):
    figure, (axis,) = panels(1)
    axis.plot(data["x"], data["y"], clip_on=True, label="a")
    axis.set_title("a title")
    return figure


@pytest.fixture
def figure():
    data = pd.DataFrame({"x": [0, 1, 2], "y": [0.1, 0.25, 1 / 3]})
    return FigureOf("curve", "A curve", "What is drawn.", "A rising line.", data, _draw)


def test_the_figure_is_drawn_once_and_not_before_it_is_asked_for():
    calls = []
    data = pd.DataFrame({"x": [0], "y": [0]})
    figure = FigureOf("curve", "", "", "", data, lambda data: calls.append(1) or _draw(data))
    assert not calls
    assert figure.figure is figure.figure
    assert len(calls) == 1


def test_saved_files(figure, tmp_path):
    paths = figure.save(tmp_path / "figures")
    assert [path.name for path in paths] == ["curve.svg", "curve.png", "curve.tsv"]
    pd.testing.assert_frame_equal(pd.read_csv(paths[2], sep="\t"), figure.data)
    with Image.open(paths[1]) as image:
        assert image.width == pytest.approx(89 / 25.4 * 200, abs=1)
        assert image.info["Description"] == "A rising line."
    text = paths[0].read_text()
    assert ElementTree.fromstring(text).get("width") == f"{89 / 25.4 * 72:.6f}".rstrip("0") + "pt"
    assert "A rising line." in text
    assert "<text" not in text  # paths: no font is needed
    assert "<!-- a title -->" in text


def test_a_figure_that_turned_dark_is_the_one_drawn_dark(figure):
    other = FigureOf("curve", "A curve", "What is drawn.", "A rising line.", figure.data, _draw)
    light = figure.svg(), figure.png()
    expected = other.svg(dark=True), other.png(dark=True)
    figure.turn_dark()
    figure.turn_dark()
    assert (figure.svg(dark=True), figure.png(dark=True)) == expected != light
    assert (figure.svg(), figure.png()) == light  # drawn once more


def test_no_layout_comes_back_by_a_matplotlibrc(figure):
    with matplotlib.rc_context({"figure.constrained_layout.use": True}):
        assert figure.figure.get_layout_engine() is None
        assert figure.dark_figure.get_layout_engine() is None
        light, dark = ([axis.get_position().bounds for axis in one.axes] for one in (figure.figure, figure.dark_figure))
        assert light == dark


def test_equal_data_give_equal_bytes(figure):
    again = FigureOf(figure.name, figure.title, figure.caption, figure.alt, figure.data.copy(), _draw)
    assert figure.svg() == again.svg() == figure.svg()
    assert figure.png() == again.png()
    assert b"dc:date" not in figure.svg()
    assert figure.figure.get_layout_engine() is None  # laid out once, not at every drawing


# eight maps and a colour bar: their layout is among those that differ in the last digits between processes
PROGRAM = """
import hashlib
import matplotlib
import numpy as np
import matplotlib
import pandas as pd
from auralign.figures.maps import score_map
n = np.arange(60)
names = [f"v{i}" for i in n]
chosen = pd.DataFrame(dict(target=names, score=n / 60, n_layers=1))
sides = np.where(n % 2, "lh", "rh")
targets = pd.DataFrame(dict(target=names, x=2.0 * (n % 10), y=2.0 * (n // 10), hemi=sides, subject=n % 4))
print(hashlib.sha256(score_map(chosen, targets, subjects=True).svg()).hexdigest())
"""


def test_two_processes_make_the_same_bytes(root):
    made = [
        subprocess.run(
            [sys.executable, "-c", PROGRAM], cwd=root, env=os.environ | {"PYTHONHASHSEED": seed}, check=True,
            capture_output=True, text=True,
        ).stdout
        for seed in ("1", "2")
    ]  # fmt: skip
    assert len(made[0]) > 60
    assert len(set(made)) == 1


def test_a_note_leaves_the_original_as_it_was(figure):
    noted = figure.noting("Synthetic.")
    assert noted.caption == "What is drawn. Synthetic."
    assert figure.caption == "What is drawn."


def test_a_notebook_shows_the_png(figure):
    assert figure._repr_png_().startswith(b"\x89PNG")


def test_a_folder_that_cannot_be_written_is_named(figure, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(AuralignError, match=r"file.*figures cannot be written there"):
        figure.save(tmp_path / "file" / "figures")
