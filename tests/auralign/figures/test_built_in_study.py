"""Type in the figures of the built-in study, at the width at which a page shows them."""

import sys
from itertools import pairwise

import pytest
from matplotlib.axis import Axis
from matplotlib.text import Text

from auralign.config.reading import read_config
from auralign.figures import all_figures
from auralign.report.pictures import shown_width
from auralign.runs.compare import run_comparison
from auralign.runs.results import read_results

LEAST = 8.0  # points
# raised and lowered parts of matplotlib's formulas are that much smaller
SCRIPT = 0.7


@pytest.fixture(scope="module")
def figures(root, tmp_path_factory):
    """One figure of each kind of the gallery's three comparisons, with fewer voxels, layers, splits and alphas."""
    folder = tmp_path_factory.mktemp("built-in")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(root / "scripts"))
        import gallery

        network = gallery.network
        patch.setattr(gallery, "N_VOXELS", 120)
        # two layers and three: networks of unequal depth, of which little is fitted
        patch.setattr(gallery, "network", lambda x, seed, depth, permuted=False: network(x, seed, 1 + seed, permuted))
        study = gallery.make_inputs(folder)
        vertices = gallery.synthetic_vertices(study.voxel_table)
        roles = gallery.ROLES
    sys.modules.pop("gallery")
    made = {}
    for name in ("components", "beyond", "voxels"):
        config = folder / f"{name}.yml"
        text = config.read_text().replace("n_splits: 10", "n_splits: 2")
        config.write_text(text.replace("kind: lasso", "kind: lasso\n    n_alphas: 4\n    cv: 2\n    eps: 0.1"))
        run_comparison(read_config(config), folder / name)
        results = read_results(folder / name)
        for figure in all_figures(results, roles, vertices=vertices if name == "voxels" else None):
            made.setdefault(gallery.kind_of(figure, [*results.features, *results.estimators]), figure)
    for figure in made.values():
        figure.figure.draw_without_rendering()  # panels become square, and their texts move, when they are drawn
    return list(made.values())


def test_type_has_eight_points_where_a_page_shows_it(figures):
    assert len(figures) > 25
    for figure in figures:
        drawn = figure.figure
        scale = shown_width(figure) / (96 * drawn.get_figwidth())
        for text in drawn.findobj(Text):
            if text.get_text() and text.get_visible():
                part = SCRIPT if any(mark in text.get_text() for mark in ("^", "_{")) and "$" in text.get_text() else 1
                points = text.get_fontsize() * part * scale
                assert points >= LEAST, (figure.name, text.get_text(), points)


def _shown(axis: Axis) -> list[Text]:
    """Labels of the ticks that lie on an axis: matplotlib keeps others beyond its ends."""
    low, high = sorted(axis.get_view_interval())
    margin = 1e-6 * (high - low)
    shown = [tick.label1 for tick in axis.get_major_ticks() if low - margin <= tick.get_loc() <= high + margin]
    shown += [tick.label2 for tick in axis.get_major_ticks() if low - margin <= tick.get_loc() <= high + margin]
    return [text for text in shown if text.get_text() and text.get_visible()]


def test_tick_labels_of_an_axis_do_not_cover_each_other(figures):
    for figure in figures:
        for axes in (axes for axes in figure.figure.axes if axes.axison and axes.name != "3d"):
            for axis in (axes.xaxis, axes.yaxis):
                labels = _shown(axis)
                if any(text.get_rotation() % 90 for text in labels):
                    continue  # names that are turned stand apart by their distance
                boxes = [text.get_window_extent() for text in labels]
                for one, other in pairwise(boxes):
                    apart = max(other.x0 - one.x1, one.x0 - other.x1, other.y0 - one.y1, one.y0 - other.y1)
                    assert apart > -1.0, (figure.name, [text.get_text() for text in labels])


def test_every_text_lies_on_the_picture(figures):
    for figure in figures:
        drawn = figure.figure
        texts = [*drawn.texts, *(text for legend in drawn.legends for text in legend.get_texts())]
        for axes in (axes for axes in drawn.axes if axes.name != "3d"):
            texts += [axes.title, axes.xaxis.label, axes.yaxis.label]
            texts += [*_shown(axes.xaxis), *_shown(axes.yaxis)] if axes.axison else []
        for text in texts:
            if text.get_text() and text.get_visible():
                box = text.get_window_extent()
                inside = box.x0 >= -2 and box.x1 <= drawn.bbox.width + 2 and -2 <= box.y0 <= drawn.bbox.height
                assert inside, (figure.name, text.get_text(), box.extents, drawn.bbox.extents)
