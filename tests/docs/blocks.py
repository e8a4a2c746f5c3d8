"""The fenced blocks of a page, what the page's source says about each, and how output is compared.

An HTML comment on the line before a fence says what is to be done with the block; without one, a block of bash or
Python is run as it stands. Whole pages take minutes and are run where AURALIGN_DOCS=all, as CI sets it.

==========================================  ============================================================================
`<!-- not run: REASON -->`                  it is shown only
`<!-- file: PATH -->`                       it is saved there, and used by the commands that follow
`<!-- goes into: PATH -->`                  YAML: with its keys instead of those of PATH, that file must be valid
`<!-- output, numbers within TOLERANCE -->` what the block before it prints; a line `...` stands for any lines
==========================================  ============================================================================
"""

import re
from dataclasses import dataclass
from pathlib import Path

DIRECTIVES = ("not run", "file", "goes into", "output")
FENCE = re.compile(
    r"(?:^[ ]*<!-- (?P<said>[^\n]*?) -->\n)?^(?P<indent>[ ]*)```(?P<language>\w*)\n(?P<text>.*?)^[ ]*```$",
    re.MULTILINE | re.DOTALL,
)
NUMBER = re.compile(r"(?<![\w.])-?\d*\.?\d+(?:e-?\d+)?(?![\w])")


@dataclass(frozen=True)
class Block:
    """A fenced block: the line of its fence, its language ("" for none), its text, and the comment before it."""

    page: Path
    line: int
    language: str
    text: str
    directive: str | None
    argument: str

    def __str__(self) -> str:
        return f"{self.page.name}:{self.line}"


def blocks_of(page: Path) -> list[Block]:
    """Read the blocks of a page in order.

    Raises
    ------
    ValueError
        A comment before a block is none of those that are known, or a block that is neither bash nor Python has none.
    """
    content, blocks = page.read_text(encoding="utf-8"), []
    for found in FENCE.finditer(content):
        line = content.count("\n", 0, found.end("indent")) + 1
        said = found["said"]
        directive = next((word for word in DIRECTIVES if said is not None and re.match(rf"{word}\b", said)), None)
        if said is not None and directive is None:
            raise ValueError(f"{page.name}:{line}: <!-- {said} --> is none of {', '.join(DIRECTIVES)}.")
        argument = "" if directive is None else said[len(directive) :].lstrip(":, ").strip()
        if directive is not None and not argument:
            raise ValueError(f"{page.name}:{line}: <!-- {said} --> lacks its reason, path or tolerance.")
        if directive is None and found["language"] not in ("bash", "python"):
            raise ValueError(
                f"{page.name}:{line}: a block of {found['language'] or 'no language'} is neither run nor marked. Say "
                "in a comment before it what is to be done with it (tests/docs/blocks.py lists the comments)."
            )
        text = re.sub(rf"^{found['indent']}", "", found["text"], flags=re.MULTILINE)
        blocks.append(Block(page, line, found["language"], text, directive, argument))
    return blocks


def tolerance_of(block: Block) -> float:
    """Return the tolerance that an output block states."""
    found = re.fullmatch(r"numbers within (\S+)", block.argument)
    if found is None:
        raise ValueError(f"{block}: 'output, numbers within TOLERANCE' is expected, not {block.argument!r}.")
    return float(found[1])


def difference(expected: str, printed: str, tolerance: float) -> str | None:
    """Say how what was printed differs from what a page shows; None where it does not.

    Lines are compared in order; a line `...` of the page stands for any number of lines. White space may differ,
    numbers by `tolerance`. The page may begin later and end earlier than what was printed.
    """
    remaining = [line for line in printed.splitlines() if line.strip()]
    gap = True  # what is printed before the first line that is shown
    for line in (line for line in expected.splitlines() if line.strip()):
        if line.strip() == "...":
            gap = True
            continue
        skipped = []
        while remaining and not _alike(line, remaining[0], tolerance):
            skipped.append(remaining.pop(0))
            if not gap:
                return f"the page shows\n  {line}\nprinted is\n  {skipped[0]}"
        if not remaining:
            near = next((other for other in skipped if other.split()[:1] == line.split()[:1]), "nothing like it")
            return f"the page shows\n  {line}\nprinted is\n  {near}"
        remaining.pop(0)
        gap = False
    return None


def _alike(shown: str, printed: str, tolerance: float) -> bool:
    """Compare two lines: words must be equal, numbers within the tolerance."""
    if NUMBER.sub("#", " ".join(shown.split())) != NUMBER.sub("#", " ".join(printed.split())):
        return False
    pairs = zip(NUMBER.findall(shown), NUMBER.findall(printed), strict=True)
    return all(abs(float(a) - float(b)) <= tolerance + 1e-12 for a, b in pairs)
