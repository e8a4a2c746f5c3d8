"""A finding in words, and findings of one kind."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One finding: what it is about, and the sentence."""

    about: str
    text: str


@dataclass(frozen=True)
class Group:
    """Findings of one kind under a heading, with the files that hold their numbers and a note on how to read them."""

    heading: str
    findings: list[Finding]
    source: str
    note: str = ""
