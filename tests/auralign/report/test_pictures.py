"""Pictures of the page: for light and dark pages, at a width at which they can be read, alphas at the end."""

import base64
import re
import shutil
from pathlib import Path

import pandas as pd
import pytest
from matplotlib.colors import to_rgb

from auralign.config.reading import read_config
from auralign.figures.contrast import DARK_MAP, DARK_PAGE, DARK_TEXT, contrast
from auralign.figures.layer_axis import LayerAxis
from auralign.report import page as page_module
from auralign.report import write_report
from auralign.report.layers_shown import with_depth
from auralign.runs.compare import run_comparison

STYLE = (Path(page_module.__file__).parent / "templates" / "report.css").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("pictures") / "out"


@pytest.fixture
def page(made, small_config, tmp_path) -> str:
    """The page of `small_config`, with its figures."""
    if not (made / "report.html").exists():
        run_comparison(read_config(small_config), made)
        write_report([made])
    return Path(shutil.copytree(made, tmp_path / "out") / "report.html").read_text(encoding="utf-8")


def _schemes() -> dict[str, dict[str, str]]:
    """Colours of the page by scheme and name."""
    blocks = re.findall(r":root \{(.*?)\}", STYLE, re.S)
    light, dark = (dict(re.findall(r"--([\w-]+): (#\w+);", block)) for block in blocks[:2])
    return {"light": light, "dark": light | dark}


def test_every_figure_has_a_rendering_for_dark_pages(page):
    figures = re.findall(r"<figure.*?</figure>", page, re.S)
    assert len(figures) > 3
    for figure in figures:
        source, media = re.search(r'<source srcset="([^"]+)" media="([^"]+)">', figure).groups()
        light = re.search(r'<img src="([^"]+)"', figure)[1]
        assert media == "screen and (prefers-color-scheme: dark)"  # paper is white
        contents = [base64.b64decode(uri.split(",")[1]).decode() for uri in (light, source)]
        assert DARK_PAGE in contents[1]
        assert DARK_PAGE not in contents[0]
        assert "#ffffff" in contents[0]


def test_no_figure_is_shown_narrower_than_it_is(page):
    for tag in re.findall(r'<img src="data:[^>]+>', page):
        width = int(re.search(r' width="(\d+)"', tag)[1])
        assert f"min-width: {width}px" in tag
        assert width >= 89 / 25.4 * 96
    assert not re.search(r"figure img[^{]*\{[^}]*max-width", STYLE)


def test_alphas_and_diagnostics_are_in_the_appendix_which_comes_last(page):
    sections = re.findall(r'<section aria-labelledby="([\w-]+).*?</section>', page, re.S)
    assert sections[-1] == "appendix"
    figures, appendix = (
        re.search(rf'<section aria-labelledby="{key}".*?</section>', page, re.S)[0] for key in ("figures", "appendix")
    )
    assert set(re.findall(r'data-save="(\w+)\.', appendix)) == {"alphas", "diagnostics"}
    assert not {"alphas", "diagnostics"} & set(re.findall(r'data-save="(\w+)\.', figures))
    assert '<a href="#appendix">Appendix</a>' in page


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_of_the_page_has_contrast(scheme):
    colours = _schemes()[scheme]
    for text in ("text", "muted", "accent"):
        for page in ("page", "card"):
            assert contrast(colours[text], colours[page]) >= 4.5, (text, page)
    assert contrast(colours["text"], colours["warn-page"]) >= 4.5
    assert contrast(colours["warn"], colours["page"]) >= 3.0  # lines only


def test_text_over_the_shadow_of_an_edge_has_contrast():
    for scheme, shade in (("light", 0), ("dark", 255)):
        colours = _schemes()[scheme]
        opacity = float(re.search(rf"--shadow: rgb\({shade} {shade} {shade} / ([.\d]+)\)", STYLE)[1])
        darkest = tuple(opacity * shade / 255 + (1 - opacity) * channel for channel in to_rgb(colours["page"]))
        assert contrast(colours["text"], darkest) >= 4.5
        assert contrast(darkest, colours["page"]) >= 1.5  # and the shadow is seen


def test_figures_for_dark_pages_have_the_colours_of_the_dark_page():
    dark = _schemes()["dark"]
    assert (dark["card"], dark["text"], dark["line"], dark["figure"]) == (DARK_PAGE, DARK_TEXT, DARK_MAP, DARK_PAGE)
    assert _schemes()["light"]["figure"] == "#fff"


def test_every_scrolling_region_shows_a_shadow_and_has_a_label(page):
    rule = re.search(r"^\.scroll, pre, \.equation, \.drawn \{ background:.*?\}", STYLE, re.S | re.M)[0]
    assert rule.count("var(--shadow)") == rule.count("var(--cover)") - 1 == 4
    assert "background-attachment: local, local, local, local, scroll, scroll, scroll, scroll" in rule
    for tag in re.findall(r'<(?:div|pre)[^>]*(?:class="scroll[^"]*"|tabindex="0")[^>]*>', page):
        assert 'tabindex="0"' in tag and "aria-label=" in tag and re.search(r'role="(region|group)"', tag), tag


def test_tables_name_layers_and_give_their_depth():
    layers = LayerAxis.of(
        pd.DataFrame(
            {
                "features": ["a"] * 3 + ["b"] * 5 + ["one"],
                "layer": [0, 1, 2, 0, 1, 2, 3, 4, 0],
                "layer_name": [*"xyz", *"pqrst", "bands"],
            }
        )
    )
    table = pd.DataFrame({"features": ["a", "b", "one", "both"], "layer": [2, 2, 0, 1], "unique": 0.1})
    shown = with_depth(table, layers)
    assert list(shown) == ["features", "layer", "layer_name", "depth", "unique"]
    assert shown["layer_name"].tolist() == ["z", "r", "bands", "1"]
    assert shown["depth"].tolist()[:2] == [1.0, 0.5]
    assert shown["depth"].isna().tolist() == [False, False, True, True]
    choice = pd.DataFrame({"features": ["b", "one"], "naive_layer": [3, 0], "nested_layer": [1.0, None]})
    named = with_depth(choice, layers)
    assert named["naive_layer"].tolist() == ["s (0.75)", "bands"]
    assert named["nested_layer"].tolist() == ["q (0.25)", None]
    assert list(table) == ["features", "layer", "unique"]  # what was given is left as it was
