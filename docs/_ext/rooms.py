"""One page per room for who works on auralign: its modules, what each is for, and its functions and classes.

The pages are written to docs/api/rooms/ when the site is built, from the source as it is; git ignores them. Nothing is
imported for them, so that they need no network library, and one docstring with odd markup cannot stop the site.
"""

import ast
import re
import tomllib
from pathlib import Path

DOCS = Path(__file__).resolve().parents[1]
ROOT = DOCS.parent
FOLDER = DOCS / "api" / "rooms"
PACKAGES = ("auralign", "custom_markers")
INTRODUCTION = """The rooms
=========

For who works on auralign: what lies where. From above to below: arrows run down, no room imports from one above it, and
CI checks that (``lint-imports``, the contract is in ``pyproject.toml``). ``custom_markers`` is what junifer imports;
nothing in ``auralign`` imports it.

.. toctree::
   :maxdepth: 1

"""


def rooms(root: Path = ROOT) -> dict[str, list[Path]]:
    """Return the rooms (by dotted names) and their files: folders, and modules that stand beside them."""
    found: dict[str, list[Path]] = {}
    for package in PACKAGES:
        for file in sorted((root / package).rglob("*.py")):
            parts = file.relative_to(root).with_suffix("").parts
            if parts != (package, "__init__"):
                found.setdefault(".".join(parts[:2]), []).append(file)
    return found


def summary(node: ast.Module | ast.FunctionDef | ast.ClassDef) -> str:
    """Return the first paragraph of a docstring, with its `code` as RST has it and nothing else that RST would read."""
    paragraph = " ".join((ast.get_docstring(node) or "").partition("\n\n")[0].split())
    parts = re.split(r"`+", paragraph)
    plain = [re.sub(r"([*|\\_<>\[\]])", r"\\\1", part) for part in parts[::2]]
    code = [f"\\ ``{part.strip()}``\\ " for part in parts[1::2]]
    return "".join(text + (code[number] if number < len(code) else "") for number, text in enumerate(plain))


def page(room: str, files: list[Path], root: Path = ROOT) -> str:
    """Write the page of one room."""
    lines = [f"``{room}``", "=" * (len(room) + 4), ""]
    for file in files:
        tree = ast.parse(file.read_text(encoding="utf-8"))
        relative = file.relative_to(root).as_posix()
        if file.name == "__init__.py":
            lines += ([] if file == files[0] else [f"``{relative}``", "-" * (len(relative) + 4), ""]) + [
                summary(tree),
                "",
            ]
            continue
        lines += [f"``{relative}``", "-" * (len(relative) + 4), "", summary(tree), ""]
        kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
        public = [node for node in tree.body if isinstance(node, kinds) and not node.name.startswith("_")]
        for node in public:
            lines += [f"``{node.name}``", f"   {summary(node) or '—'}", ""]
    return "\n".join(lines)


def layers(root: Path = ROOT) -> list[str]:
    """Return the rooms from above to below, as the contracts of layers in pyproject.toml have them."""
    with (root / "pyproject.toml").open("rb") as file:
        contracts = tomllib.load(file)["tool"]["importlinter"]["contracts"]
    named = (layer for contract in contracts if contract["type"] == "layers" for layer in contract["layers"])
    modules = (module.strip() for layer in named for module in re.split("[:|]", layer))
    return [module for module in modules if module.count(".") == 1]


def contents(found: dict[str, list[Path]], root: Path = ROOT) -> str:
    """Write the page that leads to the rooms: in the order of the contract, what it does not name behind."""
    order = layers(root)
    names = sorted(found, key=lambda room: (order.index(room) if room in order else len(order), room))
    return INTRODUCTION + "".join(f"   {room}\n" for room in names)


def write_pages(app, config) -> None:
    """Write what differs from what is there, so that unchanged pages are not read again."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    found = rooms()
    pages = {f"{room}.rst": page(room, files) for room, files in found.items()} | {"index.rst": contents(found)}
    for old in FOLDER.glob("*.rst"):
        if old.name not in pages:
            old.unlink()
    for name, text in pages.items():
        file = FOLDER / name
        if not file.exists() or file.read_text(encoding="utf-8") != text:
            file.write_text(text, encoding="utf-8")


def setup(app) -> dict:
    app.connect("config-inited", write_pages)
    return {"parallel_read_safe": True}
