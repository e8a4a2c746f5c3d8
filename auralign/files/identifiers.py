"""Identifiers of stimuli and targets: one form for all that look the same, and why two sides do not find each other."""

# ruff: noqa: RUF001  (signs that look like others are what this module is about)
import re
import unicodedata
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet

from ..errors import DataError
from .notices import InputWarning

# marks without width that spreadsheets and web pages leave in text: zero-width space, word joiner, byte order mark,
# and marks of writing direction. Joiners (U+200C, U+200D) stay: they decide how some scripts are spelt.
_INVISIBLE = dict.fromkeys(map(ord, "\u200b\u2060\ufeff\u200e\u200f\u202a\u202b\u202c"))
# letters and signs of other alphabets that are drawn like those of ASCII
_TWINS = str.maketrans(
    "АВЕЅІЈКМНОРСТХУаеоріѕјхсуΑΒΕΖΗΙΚΜΝΟΡΤΥΧοıɑ‐‑‒–—−‘’“”ʼ´⁄∕",
    "ABESIJKMHOPCTXYaeopisjxcyABEZHIKMNOPTYXoia------''\"\"''//",
)
# signs that are not drawn beside those of the categories Cf and Cc (soft hyphen, joiners)
_UNSEEN = re.compile("[\u034f\u115f\u1160\u3164\ufe00-\ufe0f\uffa0]")
_SOUND_FILE = re.compile(r"\.(wav|wave|flac|aiff?|mp3|ogg|opus|m4a|caf|au)$", re.IGNORECASE)


def normal_form(identifier: str) -> str:
    """Return the one form of an identifier in which identifiers are compared.

    Unicode NFC (an accented letter as one character, whereas macOS writes file names with the accent apart); every kind
    of space, such as the non-breaking one, is a plain space; none at either end; no marks without width.
    """
    text = str(identifier)
    if not text.isascii():  # in ASCII there are no accents, other spaces or marks
        text = unicodedata.normalize("NFC", text).translate(_INVISIBLE)
        text = "".join(" " if unicodedata.category(sign) == "Zs" else sign for sign in text)
    return text.strip()


def normalise(identifiers: Iterable[str], what: str, source: object, may_repeat: bool = True) -> list[str]:
    """Bring identifiers into `normal_form`, and say so where one was not.

    Parameters
    ----------
    identifiers : iterable of str
        An identifier may be there several times, as in a table with repetitions.
    what : str
        What they are of, for messages: `stimulus`, `target`, ...
    source : object
        The file or folder that they are from, for messages.
    may_repeat : bool
        Whether different spellings may become one identifier: of categories yes, of stimuli no.

    Returns
    -------
    list of str

    Raises
    ------
    DataError
        Two different identifiers become one although they name things that are told apart by them.

    Warns
    -----
    InputWarning
        An identifier was not in normal form.
    """
    identifiers = [str(identifier) for identifier in identifiers]
    forms = {identifier: normal_form(identifier) for identifier in dict.fromkeys(identifiers)}
    changed = [identifier for identifier, form in forms.items() if form != identifier]
    if not changed:
        return identifiers
    spelt: dict[str, str] = {}
    for identifier, form in forms.items():
        if form in spelt and not may_repeat:
            raise DataError(
                f"{source}: two names of {_plural(what)} are the same once accents, spaces and invisible marks are "
                f"written alike: {shown(spelt[form], identifier)} and {shown(identifier, spelt[form])}. Rename one of "
                "them."
            )
        spelt[form] = identifier
    first = changed[0]
    warnings.warn(
        f"{source}: {len(changed)} {'name' if len(changed) == 1 else 'names'} of {_plural(what)} "
        f"{'was' if len(changed) == 1 else 'were'} brought to one form (accents composed as in Unicode NFC, no spaces "
        f"at the ends, no invisible marks), for example {shown(first, forms[first])} to {shown(forms[first], first)}.",
        InputWarning,
        stacklevel=2,
    )
    return [forms[identifier] for identifier in identifiers]


def _plural(what: str) -> str:
    return {"stimulus": "stimuli", "category": "categories"}.get(what, f"{what}s")


def code_points(text: str) -> str:
    """Write out the characters of a text that are not plain ASCII, or are spaces: `U+0065 U+0301`."""
    return " ".join(f"U+{ord(sign):04X}" for sign in text)


def shown(identifier: str, other: str) -> str:
    """Quote an identifier and, where it differs from another one, the code points of what differs."""
    start = 0
    while start < min(len(identifier), len(other)) and identifier[start] == other[start]:
        start += 1
    end = 0
    while end < min(len(identifier), len(other)) - start and identifier[-1 - end] == other[-1 - end]:
        end += 1
    if start and start < len(identifier) and unicodedata.combining((identifier[start:] + " ")[0]):
        start -= 1  # a letter belongs to its accent
    part = identifier[start : len(identifier) - end]
    return f"'{identifier}' ({code_points(part)})" if part else f"'{identifier}'"


def _without_zeros(identifier: str) -> str:
    return re.sub(r"(?<!\d)0+(?=\d)", "", _without_point(identifier))


def _without_point(identifier: str) -> str:
    return re.sub(r"^(\d+)\.0+$", r"\1", identifier)


def _without_file(identifier: str) -> str:
    return _SOUND_FILE.sub("", re.split(r"[/\\]", identifier)[-1])


def _skeleton(identifier: str) -> str:
    seen = (sign for sign in unicodedata.normalize("NFKC", identifier) if not _UNSEEN.match(sign))
    return "".join(sign for sign in seen if unicodedata.category(sign) not in ("Cf", "Cc")).translate(_TWINS)


# in what two names of one stimulus may differ: how to see it, what to say, whether their code points are shown
_DIFFERENCES: list[tuple[Callable[[str], str], str, bool]] = [
    (_without_point, "a whole number was written with a decimal point; write it as text, without the point", False),
    (
        _without_zeros,
        "leading zeros were lost, as where a spreadsheet reads names as numbers; write them as text",
        False,
    ),
    (_without_file, "one has the folder or the ending of a sound file; write the name alone", False),
    (str.lower, "they differ in capitals only; write them alike", False),
    (_skeleton, "they look alike, but are written with other characters; write them alike", True),
    (lambda s: re.sub(r"[\s_-]+", " ", _skeleton(s)).lower(), "they differ in spaces, dashes and the like", True),
    (lambda s: _without_zeros(_without_file(s)).casefold(), "they differ in zeros, capitals or ending", False),
]


def explain_differences(sources: Mapping[str, AbstractSet[str]]) -> tuple[list[str], dict[str, set[str]]]:
    """Find names that differ between sources, but are likely meant to be the same.

    Parameters
    ----------
    sources : mapping of str to set of str
        By name of the source, the identifiers that it has.

    Returns
    -------
    sentences : list of str
        One for each pair of sources and kind of difference, without a full stop.
    explained : dict of str to set of str
        By name of the source, the identifiers that it lacks for one of these reasons.
    """
    held: dict[frozenset[str], list[str]] = {}
    for source, identifiers in sources.items():
        held.setdefault(frozenset(identifiers), []).append(source)
    groups = [(names, identifiers) for identifiers, names in held.items()]
    sentences: list[str] = []
    explained: dict[str, set[str]] = {source: set() for source in sources}
    for number, (a, in_a) in enumerate(groups):
        for b, in_b in groups[number + 1 :]:
            only_a, only_b = sorted(in_a - in_b), sorted(in_b - in_a)
            for form, why, with_points in _DIFFERENCES:
                pairs = _pairs(only_a, only_b, form)
                if not pairs:
                    continue
                one, other = pairs[0]
                names = (shown(one, other), shown(other, one)) if with_points else (f"'{one}'", f"'{other}'")
                more = f", and {len(pairs) - 1} more alike" if len(pairs) > 1 else ""
                sentences.append(f"{', '.join(a)} have {names[0]} where {', '.join(b)} have {names[1]}{more}: {why}")
                ones, others = {one for one, _ in pairs}, {other for _, other in pairs}
                for lacking, identifiers in ((a, others), (b, ones)):
                    for source in lacking:
                        explained[source] |= identifiers
                only_a = [name for name in only_a if name not in ones]
                only_b = [name for name in only_b if name not in others]
    return sentences, explained


def _pairs(a: Sequence[str], b: Sequence[str], form: Callable[[str], str]) -> list[tuple[str, str]]:
    """Pair the names of two sides that have the same form, each with one of the other side."""
    there: dict[str, list[str]] = {}
    for name in b:
        there.setdefault(form(name), []).append(name)
    pairs = []
    for name in a:
        if candidates := there.get(form(name)):
            pairs.append((name, candidates.pop(0)))
    return pairs


def what_is_lacking(
    sources: Mapping[str, AbstractSet[str]], order: Callable[[Iterable[str]], list[str]]
) -> tuple[list[str], list[str]]:
    """Say which identifiers each source lacks that another one has, and why where the names tell.

    Parameters
    ----------
    sources : mapping of str to set of str
        By name of the source (in the plural, as `responses (y.tsv)`), the stimuli that it has.
    order : callable
        Puts stimuli in order.

    Returns
    -------
    spelt, lacking : list of str
        Sentences without a full stop, both empty where all sources have the same stimuli: which names are likely meant
        to be the same and in what they differ; and what is lacking beside these.
    """
    spelt, explained = explain_differences(sources)
    lacking = []
    anywhere = set().union(*sources.values())
    for source, present in sources.items():
        absent = order(anywhere - present - explained[source])
        if absent:
            more = f" and {len(absent) - 20} more" if len(absent) > 20 else ""
            lacking.append(f"{source} lack {len(absent)} stimuli: {', '.join(absent[:20])}{more}")
    return spelt, lacking


def near_names(absent: Sequence[str], there: Iterable[str]) -> str:
    """Say how the first of some names that are not there is written there, as a sentence after a space, or nothing."""
    for form, why, with_points in _DIFFERENCES:
        if pairs := _pairs(absent, sorted(set(there) - set(absent)), form):
            one, other = pairs[0]
            names = (shown(one, other), shown(other, one)) if with_points else (f"'{one}'", f"'{other}'")
            return f" {names[1]} is there in the place of {names[0]}: {why}."
    return ""
