"""Numbers and names in sentences."""

from collections.abc import Sequence


def counted(n: int, what: str) -> str:
    """Say how many: `1 target`, `6 targets`, `2 categories`, `7,694 voxels`, `2 stimuli`."""
    if n == 1:
        return f"1 {what}"
    irregular = {"stimulus": "stimuli", "category": "categories"}
    return f"{n:,} {irregular.get(what, what + 's')}"


def listed(names: Sequence[str], most: int = 6) -> str:
    """Join names for a caption: `a, b and c`; of more than `most` the first ones and how many more."""
    names = [str(name) for name in names]
    if len(names) > most:
        return f"{', '.join(names[:most])} and {len(names) - most} more"
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
