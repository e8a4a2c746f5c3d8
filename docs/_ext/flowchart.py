"""The flowchart of "which analysis do I need?", drawn from the table of the same page: one source, and text for all.

The picture is inline SVG: its boxes are links, its colours those of the theme (light or dark), nothing is fetched.
"""

import html
import re
import textwrap
from dataclasses import dataclass
from pathlib import Path

from docutils import nodes
from docutils.parsers.rst import Directive

PAGE = Path(__file__).resolve().parents[1] / "which_analysis.md"
ROW = re.compile(r"^\| (?P<question>[^|]+\?) \| (?P<answer>[^|]+) \| (?P<read>[^|]+) \|$", re.MULTILINE)
LINK = re.compile(r"\[([^]]+)\]\(([^)]+)\)")

# in units of the picture
WIDTH, QUESTION, ANSWER, LINE, PADDING, GAP = 760, 300, 380, 17, 12, 26


@dataclass(frozen=True)
class Step:
    """A question, what to do if the answer is yes, and (text, address) of where it is described."""

    question: str
    answer: str
    links: tuple[tuple[str, str], ...]


def steps(text: str) -> list[Step]:
    """Read the table of the page."""
    return [Step(row["question"], row["answer"], tuple(LINK.findall(row["read"]))) for row in ROW.finditer(text)]


def address(target: str) -> str:
    """Turn a link between sources into one between built pages."""
    target = re.sub(r"^examples/(\w+)\.py", r"auto_examples/\1.html", target)
    return re.sub(r"\.md(?=#|$)", ".html", target)


def _lines(text: str, x: float, y: float, width: int) -> tuple[list[str], float]:
    """Wrap a text (7 units per letter); return its `text` elements and the y after the last line."""
    elements = []
    for line in textwrap.wrap(text.replace("`", ""), int(width / 7)):
        y += LINE
        elements.append(f'<text x="{x}" y="{y}">{html.escape(line)}</text>')
    return elements, y


def drawing(table: list[Step]) -> str:
    """Draw the steps below each other: question to the left, what to do to the right."""
    parts, y = [], 4.0
    x_answer = WIDTH - ANSWER
    for number, step in enumerate(table):
        question, bottom = _lines(step.question, PADDING, y + PADDING - 4, QUESTION - 2 * PADDING)
        answer, below = _lines(step.answer, x_answer + PADDING, y + PADDING - 4, ANSWER - 2 * PADDING)
        below += LINE
        x, links = x_answer + PADDING, []
        for text, target in step.links:
            links.append(
                f'<a href="{html.escape(address(target))}"><text class="link" x="{x}" y="{below}">'
                f"{html.escape(text)}</text></a>"
            )
            x += 7 * len(text) + 22
        height = max(bottom, below) + PADDING - y
        middle = y + height / 2
        parts += [f'<rect class="question" x="1" y="{y}" width="{QUESTION}" height="{height}" rx="14"/>', *question]
        parts += [f'<rect class="answer" x="{x_answer}" y="{y}" width="{ANSWER - 1}" height="{height}" rx="3"/>']
        parts += [*answer, *links]
        parts.append(f'<path d="M{QUESTION + 1} {middle} H{x_answer - 2}" marker-end="url(#arrow)"/>')
        parts.append(f'<text class="word" x="{(QUESTION + x_answer) / 2 - 10}" y="{middle - 6}">yes</text>')
        y += height
        if number < len(table) - 1:
            parts.append(f'<path d="M{QUESTION / 2} {y} V{y + GAP - 2}" marker-end="url(#arrow)"/>')
            parts.append(f'<text class="word" x="{QUESTION / 2 + 8}" y="{y + GAP / 2 + 4}">no</text>')
        y += GAP
    arrow = (
        '<defs><marker id="arrow" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8" '
        'orient="auto"><path d="M0 0 L8 4 L0 8 z"/></marker></defs>'
    )
    title = "Which analysis do I need? A question on the left, what to do if the answer is yes on the right."
    return (
        f'<svg class="flowchart" viewBox="0 0 {WIDTH} {y - GAP + 4:.0f}" role="img" aria-label="{title}" '
        f'xmlns="http://www.w3.org/2000/svg">{arrow}{"".join(parts)}</svg>'
    )


class Flowchart(Directive):
    """The flowchart of the page's own table."""

    def run(self) -> list[nodes.Node]:
        self.state.document.settings.env.note_dependency(str(PAGE))
        return [nodes.raw("", drawing(steps(PAGE.read_text(encoding="utf-8"))), format="html")]


def setup(app) -> dict:
    app.add_directive("analysis-flowchart", Flowchart)
    return {"parallel_read_safe": True}
