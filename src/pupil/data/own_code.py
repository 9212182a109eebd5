"""Data sets that come from the reader's own code: from a function that a text names, or from Python itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pupil.errors import UsageError
from pupil.imports import import_function

PYTHON = "python"  # what a run remembers of data sets that came from Python


def is_code(spec: str) -> bool:
    """Whether a text names the reader's own code rather than a folder."""
    return ":" in spec and not Path(spec).exists()


def from_code(spec: str) -> tuple[Any, Any]:
    """The two data sets (train, val) that a function of the reader's own returns.

    Raises:
        UsageError: where there is no such function, or it returns something else.
    """
    pair = import_function(spec)()
    if not (isinstance(pair, tuple | list) and len(pair) == 2):
        raise UsageError(f"expected {spec!r} to return two data sets (train, val), got {type(pair).__name__}")
    return pair[0], pair[1]
