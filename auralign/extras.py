"""Parts of auralign that a plain `pip install auralign` leaves out, and how to get them."""

from importlib.util import find_spec

from .errors import AuralignError

# by extra of pyproject.toml: modules by which it is recognised; `auralign doctor` looks at every requirement
# (what else is optional is asked for where it is imported: transformers, librosa, distributed)
MODULES = {
    "features": ("junifer", "torch", "soundfile", "soxr", "huggingface_hub"),
    "data": ("datalad",),
    "brain": ("nibabel", "nilearn"),
}


def require(extra: str, what: str) -> None:
    """Refuse to go on without an extra.

    Parameters
    ----------
    extra : str
        A key of `MODULES`.
    what : str
        Who needs it, to begin a sentence.

    Raises
    ------
    AuralignError
        A module of it is not installed; the message says how to get it.
    """
    missing = [module for module in MODULES[extra] if find_spec(module) is None]
    if missing:
        verb = "is" if len(missing) == 1 else "are"
        raise AuralignError(
            f'{what} needs {", ".join(missing)}, which {verb} not installed. Install: pip install "auralign[{extra}]"'
        )
