"""One self-contained page about results, and what was found as plain text.

The module can be called, as `auralign.report(...)` (`from_python.report`). Its names are imported when they are first
used: what was found is said after every run, and needs none of the libraries that draw the page.
"""

import importlib
import sys
import types
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..runs.results import read_results
    from .page import write_report
    from .plain import describe

# by name: the module that has it
_PLACES = {"describe": ".plain", "read_results": "..runs.results", "write_report": ".page"}
__all__ = ["describe", "read_results", "write_report"]


def __getattr__(name: str) -> Any:
    """Import a name when it is first asked for."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_PLACES[name], __name__), name)


class _Callable(types.ModuleType):
    """This room, which has the name of a public function: once it is imported, `auralign.report` is the module."""

    def __call__(self, *args: Any, **options: Any) -> Any:
        """Write the report of results; see `auralign.report.from_python.report`."""
        from .from_python import report

        return report(*args, **options)


sys.modules[__name__].__class__ = _Callable
