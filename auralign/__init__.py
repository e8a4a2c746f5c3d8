"""auralign: how well do audio networks predict the human auditory cortex?

`import auralign as au` offers a small surface on arrays, which needs no YAML; a name is imported when it is first used.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .errors import AuralignError
    from .library.dividing import splits
    from .library.encode import encode
    from .library.fitting import fit
    from .library.model import Model
    from .library.reading import read_features, read_responses
    from .library.result import Result
    from .library.saving import load_model, save_model
    from .library.studies import read_results, run
    from .phantom.arrays import phantom
    from .report.from_python import report

__version__ = "0.1.0"
# rooms that have the name of a public function and can be called as it
_ROOMS = ("phantom", "report")
# by other name: the module that has it
_PLACES = {
    "AuralignError": "errors",
    "Model": "library.model",
    "Result": "library.result",
    "encode": "library.encode",
    "fit": "library.fitting",
    "load_model": "library.saving",
    "read_features": "library.reading",
    "read_responses": "library.reading",
    "read_results": "library.studies",
    "run": "library.studies",
    "save_model": "library.saving",
    "splits": "library.dividing",
}
__all__ = [
    "AuralignError",
    "Model",
    "Result",
    "__version__",
    "encode",
    "fit",
    "load_model",
    "phantom",
    "read_features",
    "read_responses",
    "read_results",
    "report",
    "run",
    "save_model",
    "splits",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for."""
    if name in _ROOMS:
        return importlib.import_module(f".{name}", __name__)
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}; there are {', '.join(__all__)}")
    return getattr(importlib.import_module(f".{_PLACES[name]}", __name__), name)


def __dir__() -> list[str]:
    """List the public names, whether they have been imported or not."""
    return sorted({*globals(), *__all__})
