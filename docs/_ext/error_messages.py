"""What goes wrong, and what to do: read off the source, so that the page cannot fall behind it.

Three directives. `error-causes` shows the entries of troubleshooting.yml: message, cause, remedy. `error-kinds` lists
the classes of errors, `error-messages` every message of the package, by room. A message is the template in a
`raise SomeError(...)`: `<path>` stands for what is filled in, `…` for what is put together on the spot.
"""

import ast
import re
from dataclasses import dataclass
from pathlib import Path

from docutils import nodes
from docutils.parsers.rst import Directive
from ruamel.yaml import YAML
from sphinx.util import logging

logger = logging.getLogger(__name__)

DOCS = Path(__file__).resolve().parents[1]
ROOT = DOCS.parent
CAUSES = DOCS / "troubleshooting.yml"
PACKAGES = ("auralign", "custom_markers")
# errors of a programmer's own making, not of a reader's files and keys
NOT_SHOWN = ("TypeError", "NotImplementedError", "KeyError", "AttributeError", "RuntimeError", "TimeoutError")
# caught inside the package, which says the rest
INNER = ("_Refused", "Refused", "ReadError", "Undeclared")


@dataclass(frozen=True)
class Message:
    """A `raise`: the package's room, the file relative to the checkout, its line, the error's class, the template."""

    room: str
    file: str
    line: int
    error: str
    template: str


def template_of(node: ast.expr, constants: dict[str, str]) -> str:
    """Write the text that an expression gives, with placeholders for what is only known when it is raised."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=parts):
            return "".join(template_of(part, constants) for part in parts)
        case ast.FormattedValue(value=ast.Name(id=name)) if name in constants:
            return constants[name]
        case ast.FormattedValue(value=ast.Name(id=name) | ast.Attribute(attr=name)):
            return f"<{name.strip('_')}>"
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return template_of(left, constants) + template_of(right, constants)
        case ast.Call(
            func=ast.Attribute(value=ast.Constant(value=str(between)), attr="join"), args=[ast.List(elts=parts)]
        ):
            return between.join(template_of(part, constants) for part in parts)
        case ast.IfExp(body=body):
            return template_of(body, constants)
        case _:
            return "…"


def constants_of(tree: ast.Module) -> dict[str, str]:
    """Return the module's constants of text and numbers as a message shows them."""
    pairs = (
        (node.targets[0].id, node.value.value)
        for node in tree.body
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and isinstance(node.value, ast.Constant)
    )
    return {name: str(value) for name, value in pairs if isinstance(value, str | int | float)}


def messages(root: Path = ROOT) -> list[Message]:
    """Read every message of the packages, in the order of their files and lines.

    Messages that are put together elsewhere (nothing but placeholders) are left out.
    """
    found = []
    for file in sorted(path for package in PACKAGES for path in (root / package).rglob("*.py")):
        relative = file.relative_to(root)
        room = ".".join(relative.parts[:2]).removesuffix(".py")
        tree = ast.parse(file.read_text(encoding="utf-8"))
        constants = constants_of(tree)
        for node in ast.walk(tree):
            if not (isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and node.exc.args):
                continue
            error = ast.unparse(node.exc.func).rpartition(".")[2]
            template = " ".join(template_of(node.exc.args[0], constants).split())
            if error in (*NOT_SHOWN, *INNER) or not re.search(r"[a-z]{3}", re.sub(r"<\w+>", "", template)):
                continue
            found.append(Message(room, relative.as_posix(), node.lineno, error, template))
    return sorted(found, key=lambda message: (message.room, message.file, message.line))


def causes(path: Path = CAUSES) -> list[dict[str, str]]:
    """Read troubleshooting.yml: entries of `message` (a part of a template), `cause`, `do`, optionally `file`."""
    return YAML(typ="safe").load(path.read_text(encoding="utf-8"))


def where_raised(entry: dict[str, str], known: list[Message]) -> list[Message]:
    """Return the messages that contain what an entry of troubleshooting.yml quotes."""
    return [message for message in known if entry["message"] in message.template]


def sentence(text: str) -> list[nodes.Node]:
    """Turn a text with `code` in it into nodes."""
    parts = text.split("`")
    return [nodes.literal(text=part) if number % 2 else nodes.Text(part) for number, part in enumerate(parts) if part]


@dataclass(frozen=True)
class Kind:
    """A class of errors: its name, the file that has it, and what its docstring says."""

    name: str
    file: str
    words: str


def kinds(root: Path = ROOT) -> list[Kind]:
    """Read the classes of errors that the packages define, those of auralign/errors.py first."""
    found = []
    for file in sorted(path for package in PACKAGES for path in (root / package).rglob("*.py")):
        for node in ast.parse(file.read_text(encoding="utf-8")).body:
            above = ast.unparse(node.bases[0]) if isinstance(node, ast.ClassDef) and node.bases else ""
            if not above.endswith(("Error", "Exception")) or node.name in INNER:
                continue
            words = " ".join((ast.get_docstring(node) or "").partition("\n\n")[0].split())
            found.append(Kind(node.name, file.relative_to(root).as_posix(), words))
    return sorted(found, key=lambda kind: (kind.file != "auralign/errors.py", kind.file))


class ErrorKinds(Directive):
    """The classes of errors and what each says of itself."""

    def run(self) -> list[nodes.Node]:
        items = []
        for kind in kinds():
            term = nodes.term("", "", nodes.literal(text=kind.name))
            term += [nodes.Text(" ("), nodes.literal(text=kind.file), nodes.Text(")")]
            body = nodes.definition("", nodes.paragraph("", "", *sentence(kind.words)))
            items.append(nodes.definition_list_item("", term, body))
        return [nodes.definition_list("", *items)]


class ErrorCauses(Directive):
    """The curated entries, each a section that can be linked to."""

    def run(self) -> list[nodes.Node]:
        known, shown = messages(), []
        for entry in causes():
            raised = where_raised(entry, known)
            if not raised:
                logger.warning("%s: no `raise` of the package says %r any more.", CAUSES.name, entry["message"])
                continue
            item = nodes.definition_list_item()
            term = nodes.term("", "", nodes.literal(text=raised[0].template))
            body = nodes.definition()
            body += nodes.paragraph("", "", nodes.strong(text="Cause. "), *sentence(entry["cause"]))
            body += nodes.paragraph("", "", nodes.strong(text="What to do. "), *sentence(entry["do"]))
            item += [term, body]
            shown.append(item)
        return [nodes.definition_list("", *shown, classes=["causes"])]


class ErrorMessages(Directive):
    """All messages, a list for each room, folded up."""

    def run(self) -> list[nodes.Node]:
        by_room: dict[str, list[Message]] = {}
        for message in messages():
            by_room.setdefault(message.room, []).append(message)
        shown: list[nodes.Node] = []
        for room, own in by_room.items():
            heading = f"<details><summary><code>{room}</code>: {len(own)} messages</summary>"
            shown.append(nodes.raw("", heading, format="html"))
            items = nodes.bullet_list()
            for message in own:
                text = [nodes.literal(text=message.template), nodes.Text(f" ({message.error}, ")]
                text += [nodes.literal(text=message.file), nodes.Text(")")]
                items += nodes.list_item("", nodes.paragraph("", "", *text))
            shown += [items, nodes.raw("", "</details>", format="html")]
        return shown


def setup(app) -> dict:
    app.add_directive("error-causes", ErrorCauses)
    app.add_directive("error-kinds", ErrorKinds)
    app.add_directive("error-messages", ErrorMessages)
    return {"parallel_read_safe": True}
