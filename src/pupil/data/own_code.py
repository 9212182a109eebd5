"""Data sets that come from the reader's own code: from a function that a text names, or from Python itself."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from pupil.data.names import Names
from pupil.errors import UsageError, listed
from pupil.imports import import_function

PYTHON = "python"  # what a run remembers of data sets that came from Python


class NamedClasses(Protocol):
    """A map-style data set of (image, target) that names its classes: all that the reader's own has to bring."""

    @property
    def classes(self) -> Sequence[str]: ...

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Any: ...


class OwnData:
    """A data set of the reader's own, known to say what a task needs; each task checks the items in its own way.

    Args:
        dataset: map-style, with `classes`.
        needed: its other attributes that the task needs.

    Attributes:
        classes: their names.
        names: of the items, for messages.

    Raises:
        UsageError: an attribute is missing, or there is no image.
    """

    def __init__(self, dataset: Any, *needed: str) -> None:
        kind = type(dataset).__name__
        for name in ("classes", *needed):
            if getattr(dataset, name, None) is None:
                raise UsageError(f"expected your data sets to have .{name}, got none: set it on {kind}")
        if not len(dataset):
            raise UsageError(f"expected at least one image in your data sets, got an empty {kind}: check what it reads")
        self.dataset = dataset
        self.names = Names(dataset)
        self.classes: Sequence[str] = tuple(map(str, dataset.classes))

    def __len__(self) -> int:
        return len(self.dataset)


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


def check_classes(
    val: NamedClasses, expected: Sequence[str], where: str, remedy: str = "name the same classes in the same order"
) -> None:
    """That data to score on have the classes that a network is to tell apart, in their order.

    Args:
        val: the data.
        expected: the classes.
        where: the data come from, for the error.
        remedy: what to do about others.

    Raises:
        UsageError: for others.
    """
    if list(val.classes) != list(expected):
        raise UsageError(
            f"expected the classes {listed(expected, 8)} in {where}, got {listed(val.classes, 8)}: {remedy}"
        )
