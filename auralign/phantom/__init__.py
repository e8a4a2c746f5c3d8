"""The built-in synthetic study. The module can be called, as `auralign.phantom()`: its arrays (`arrays.phantom`)."""

import sys
import types
from typing import Any


class _Callable(types.ModuleType):
    """This room, which has the name of a public function: once it is imported, `auralign.phantom` is the module."""

    def __call__(self, *args: Any, **options: Any) -> Any:
        """Make the study as arrays; see `auralign.phantom.arrays.phantom`."""
        from .arrays import phantom

        return phantom(*args, **options)


sys.modules[__name__].__class__ = _Callable
