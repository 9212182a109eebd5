"""Which of a network's classes are the task's, where the two name them differently: by name, or by number."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from pupil.errors import UsageError, listed
from pupil.functional.constants import constant

SHOWN = 5


def matching(theirs: Sequence[str], ours: Sequence[str]) -> tuple[int, ...] | None:
    """For each class of the task the network's channel that stands for it; None where the channels are right as is.

    Classes match by name. Data without names number theirs, "class 0", "class 1" and so on, and numbers are no names:
    such classes match by position, and only as many by as many.

    Args:
        theirs: the network's classes, in the order of its channels.
        ours: the task's classes.

    Raises:
        UsageError: where the network lacks a class of the task; the missing ones are named.

    Example:
        >>> matching(["road", "car", "sky"], ["sky", "road"])
        (2, 0)
        >>> matching(["class 0", "class 1"], ["road", "car"]) is None
        True
    """
    theirs, ours = list(theirs), list(ours)
    if theirs == ours:
        return None
    numbered = [_numbered(names) for names in (theirs, ours)]
    if any(numbered) and set(theirs) != set(ours):
        if len(theirs) == len(ours):
            return None
        which = "its" if numbered[0] else "the data's"
        raise UsageError(
            f"expected a network of the data's {len(ours)} classes, got {len(theirs)}, and {which} classes have only "
            "numbers: name the classes of both, or train a network on this data"
        )
    if missing := [name for name in ours if name not in theirs]:
        raise UsageError(
            f"expected a network that knows the data's {len(ours)} classes, got none for {listed(missing, SHOWN)} "
            f"among its {listed(theirs, SHOWN)}: train a network on this data, or give the same classes the same names"
        )
    return tuple(theirs.index(name) for name in ours)


def names_of(model: object) -> tuple[str, ...] | None:
    """The classes that a network names in its attribute `classes`, or None where it names none.

    Example:
        >>> names_of(torch.nn.Conv2d(3, 2, 1)) is None
        True
    """
    names = getattr(model, "classes", None)
    # Networks of other people may mean a number by it.
    named = isinstance(names, list | tuple) and len(names) > 0 and all(isinstance(name, str) for name in names)
    return tuple(names) if named else None  # type: ignore[arg-type]


def selected(logits: Tensor, theirs: tuple[str, ...], ours: tuple[str, ...]) -> Tensor:
    """Logits of the network's classes as logits of the task's, see :func:`matching`.

    Shape:
        logits: (N, K', ...) to (N, K, ...). Logits of another number of channels than K' are left alone.

    Example:
        >>> selected(torch.tensor([[1.0, 2.0, 3.0]]), ("road", "car", "sky"), ("sky", "road"))
        tensor([[3., 1.]])
    """
    if theirs == ours or logits.shape[1:2] != (len(theirs),):
        return logits
    # An empty one says that the channels are right as they are.
    index = constant(("classes", theirs, ours), logits.device, lambda: torch.tensor(matching(theirs, ours) or []))
    return logits.index_select(1, index) if len(index) else logits


def _numbered(names: Sequence[str]) -> bool:
    return list(names) == [f"class {index}" for index in range(len(names))]
