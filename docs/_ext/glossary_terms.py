"""The glossary, from the one place that holds the words: auralign/report/glossary.py, which the report shows, too."""

from docutils import nodes
from docutils.parsers.rst import Directive
from error_messages import sentence

from auralign.report import glossary


class GlossaryTerms(Directive):
    """`terms` or `columns` of the glossary as a list of definitions, each with an anchor of its own."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        which = self.arguments[0]
        entries = {"terms": glossary.TERMS, "columns": glossary.COLUMNS}[which]
        items = []
        for name in sorted(entries, key=str.lower):
            anchor = f"{which[:-1]}-{nodes.make_id(name)}"
            label = nodes.literal(text=name) if which == "columns" else nodes.Text(name)
            term = nodes.term("", "", label, ids=[anchor])
            text = nodes.paragraph("", "", *sentence(entries[name]))
            items.append(nodes.definition_list_item("", term, nodes.definition("", text)))
        return [nodes.definition_list("", *items, classes=["glossary"])]


def setup(app) -> dict:
    app.add_directive("glossary-terms", GlossaryTerms)
    return {"parallel_read_safe": True}
