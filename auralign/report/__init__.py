"""One self-contained page about results, and what was found as plain text."""

from ..runs.results import read_results
from .page import write_report
from .plain import describe

__all__ = ["describe", "read_results", "write_report"]
