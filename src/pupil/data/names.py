"""What the items of a data set are called in messages."""

from __future__ import annotations

from collections.abc import Sized
from typing import Any


class Names:
    """The name of each item of one data set, or of several behind one another, made when it is asked for.

    It is the data set's own, from its attribute `names`, or else "item 3 of Photos".

    Args:
        datasets: anything with a length.

    Example:
        >>> Names(range(2), range(9))[3]
        'item 1 of range'
    """

    def __init__(self, *datasets: Sized) -> None:
        self.datasets = datasets

    def __len__(self) -> int:
        return sum(map(len, self.datasets))

    def __getitem__(self, index: int) -> str:
        for dataset in self.datasets:
            if index < len(dataset):
                names = own_names(dataset)
                return f"item {index} of {type(dataset).__name__}" if names is None else str(names[index])
            index -= len(dataset)
        raise IndexError(f"expected an item that is there, got {index} behind the last")


def own_names(dataset: Sized) -> Any:
    """What a data set itself calls its items, or None; `names` of another length are those of its classes."""
    names = getattr(dataset, "names", None)
    return names if isinstance(names, Sized) and len(names) == len(dataset) else None
