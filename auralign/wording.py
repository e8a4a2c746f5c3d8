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


def duration(seconds: float) -> str:
    """Say how long: `4.2 ms`, `1.4 s`, `42 s`, `12 min`, `3.5 h`."""
    for unit, length, until in (("ms", 0.001, 0.1), ("s", 1, 120), ("min", 60, 7200)):
        if seconds < until:
            value = seconds / length
            return f"{value:.1f} {unit}" if value < 10 else f"{value:.0f} {unit}"
    return f"{seconds / 3600:.1f} h"


def size(n_bytes: float) -> str:
    """Say how much: `512 B`, `1.54 kB`, `93.7 MB`, `1.2 GB`; a kB is 1000 B."""
    for unit in ("B", "kB", "MB"):
        if n_bytes < 999.5:
            return f"{n_bytes:.3g} {unit}"
        n_bytes /= 1000
    return f"{n_bytes:,.3g} GB" if n_bytes < 999.5 else f"{n_bytes:,.0f} GB"
