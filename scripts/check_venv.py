#!/usr/bin/env python
"""Tell whether the environment of this Python holds a distribution and all it needs, as constraints.txt has it.

Usage: check_venv.py auralign[test]. Exit status 0: it matches. 1: it does not; the reason is printed. Needs only the
standard library and what pip brings, because the environment may be empty.
"""

import re
import sys
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def canonical(name: str) -> str:
    """Return a distribution's name in its normal form."""
    return re.sub(r"[-_.]+", "-", name).lower()


def constraints() -> dict[str, str]:
    """Read constraints.txt: normal name -> version."""
    pins = {}
    for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines():
        line = line.split("#")[0].strip()
        if line:
            name, version = line.split(";")[0].split("==")
            pins[canonical(name)] = version.strip()
    return pins


def mismatch(wanted: str) -> str | None:
    """Walk through the requirements of `wanted` and return the first that does not match."""
    from pip._vendor.packaging.requirements import Requirement

    pins, seen, queue = constraints(), set(), [Requirement(wanted)]
    while queue:
        requirement = queue.pop()
        name = canonical(requirement.name)
        if (name, frozenset(requirement.extras)) in seen:
            continue
        seen.add((name, frozenset(requirement.extras)))
        try:
            found = distribution(requirement.name)
        except PackageNotFoundError:
            return f"{requirement.name} is not installed"
        # the local part (2.13.0+cpu) names a build, not a version; what a build brings along is not constrained
        if name in pins and found.version.split("+")[0] != pins[name]:
            return f"{requirement.name} is {found.version}, constraints.txt says {pins[name]}"
        if name == "auralign" and not str(found.read_text("direct_url.json") or "").count(ROOT.as_uri()):
            return f"auralign is installed from another folder than {ROOT}"
        for text in found.requires or []:
            child = Requirement(text)
            extras = requirement.extras or {""}
            if child.marker is None or any(child.marker.evaluate({"extra": extra}) for extra in extras):
                queue.append(child)
    return None


if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        print(__doc__)
        sys.exit(0 if sys.argv[1:] in (["-h"], ["--help"]) else 2)
    reason = mismatch(sys.argv[1])
    if reason:
        print(reason)
        sys.exit(1)
