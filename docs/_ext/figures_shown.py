"""Pictures of auralign's own figures for sphinx-gallery, which knows those of pyplot only."""

from pathlib import Path

from sphinx_gallery.scrapers import figure_rst

from auralign.figures.saving import FigureOf

DPI = 110


class FiguresShown:
    """Save every `FigureOf` that a block of an example gives a name; its description is the picture's alt text."""

    def __init__(self) -> None:
        self.shown: set[int] = set()
        self.example = ""

    def __repr__(self) -> str:
        return "FiguresShown"  # the same for every build, or the examples would seem to be outdated

    def __call__(self, block, block_vars: dict, gallery_conf: dict) -> str:
        if block_vars["src_file"] != self.example:
            self.example, self.shown = block_vars["src_file"], set()
        rst = ""
        for figure in list(block_vars["example_globals"].values()):
            if isinstance(figure, FigureOf) and id(figure) not in self.shown:
                self.shown.add(id(figure))
                path = Path(next(block_vars["image_path_iterator"]))
                path.write_bytes(figure.png(DPI))
                rst += figure_rst([str(path)], gallery_conf["src_dir"], figure.alt)
        return rst
