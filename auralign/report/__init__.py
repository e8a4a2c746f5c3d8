"""One self-contained page about results, and what was found as plain text.

The module can be called, as `auralign.report(...)` (`from_python.report`).
"""

import sys
import types
from typing import Any

from ..runs.results import read_results
from .from_python import report
from .page import write_report
from .plain import describe

__all__ = ["describe", "read_results", "write_report"]


class _Callable(types.ModuleType):
    """This room, which has the name of a public function: once it is imported, `auralign.report` is the module."""

    def __call__(self, *args: Any, **options: Any) -> Any:
        """Write the report of results; see `auralign.report.from_python.report`."""
        return report(*args, **options)


sys.modules[__name__].__class__ = _Callable
