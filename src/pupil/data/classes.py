"""What the ids in a data set's masks mean: class names, their colours, and the id that is ignored."""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pupil.data.images import read_mask
from pupil.data.palette import Colour, distinct_colours
from pupil.errors import UsageError, listed, unknown

_KEYS = ("classes", "colours", "ignore_index")


@dataclass(frozen=True)
class Classes:
    """The meaning of the ids in a mask: id `i` is `names[i]`, drawn in `colours[i]`; the ignored id is no class.

    A last name that stands for the ignored id ("void") is left out; an earlier one keeps its place, and so do
    those behind it. Colours that are not given are chosen apart.

    Args:
        names: one for each class, in the order of the ids.
        colours: red, green and blue from 0 to 255 for each class; none to have them chosen.
        ignore_index: the id of pixels without a label.

    Raises:
        UsageError: no class, a name given twice, or colours that do not match the names.

    Example:
        >>> Classes(("road", "sky", "void"), ignore_index=2).names
        ('road', 'sky')
    """

    names: tuple[str, ...]
    colours: tuple[Colour, ...] = ()
    ignore_index: int = 255

    def __post_init__(self) -> None:
        names, colours = self.names, self.colours or distinct_colours(len(self.names))
        if len(colours) != len(names):
            raise UsageError(f"expected a colour for each of {len(names)} classes, got {len(colours)}")
        if len(set(names)) < len(names):
            twice = dict.fromkeys(name for name in names if names.count(name) > 1)
            raise UsageError(f"expected class names that differ, got {listed(twice)} more than once")
        kept = len(names) - (self.ignore_index == len(names) - 1)
        if kept < 1:
            raise UsageError("expected at least one class beside the ignored one, got none")
        object.__setattr__(self, "names", names[:kept])
        object.__setattr__(self, "colours", colours[:kept])


def check_ids(ids: Any, count: int, ignore_index: int, where: object, remedy: str) -> None:
    """That every id in a mask is a class or the ignored one.

    Args:
        ids: array or tensor, of any shape.
        count: the number of classes.
        ignore_index: the id of pixels without a label.
        where: the mask, for the error.
        remedy: what to do about it.

    Raises:
        UsageError: an id below 0 or from the number of classes on.
    """
    wrong = ((ids < 0) | (ids >= count)) & (ids != ignore_index)
    if wrong.any():
        raise UsageError(
            f"expected label ids from 0 to {count - 1} or the ignored {ignore_index} in {where}, "
            f"got {listed(sorted({*ids[wrong].tolist()}), 5)}: {remedy}"
        )


def read_classes(path: Path) -> dict[str, Any]:
    """The arguments of `Classes` that a file `classes.json` holds, checked; none where there is no file.

    The file is an object with any of these: `{"classes": ["road", ...], "colours": [[128, 64, 128], ...],
    "ignore_index": 255}`.

    Raises:
        UsageError: the file is no such JSON.
    """
    if not path.exists():
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UsageError(f"cannot read {path}: it is not JSON ({error})") from error
    if not isinstance(found, dict):
        raise UsageError(f'expected {path} to hold an object like {{"classes": ["road", "sky"]}}, got {found!r:.60}')
    for key in found:
        if key not in _KEYS:
            raise UsageError(f"{path}: {unknown('key', key, _KEYS)}")
    names, colours, ignored = (found.get(key) for key in _KEYS)
    if names is not None and not (isinstance(names, list) and names and all(isinstance(n, str) for n in names)):
        raise UsageError(f'{path}: expected "classes" to be a list of names, got {names!r:.60}')
    if colours is not None and not (isinstance(colours, list) and all(map(_is_colour, colours))):
        raise UsageError(f'{path}: expected "colours" to be a list of [red, green, blue] from 0 to 255')
    if ignored is not None and type(ignored) is not int:
        raise UsageError(f'{path}: expected "ignore_index" to be a whole number, got {ignored!r:.60}')
    if names is not None and colours is not None and len(colours) != len(names):
        raise UsageError(f'{path}: expected a colour for each of {len(names)} "classes", got {len(colours)}')
    values = {
        "names": names and tuple(names),
        "colours": colours and tuple(map(tuple, colours)),
        "ignore_index": ignored,
    }
    return {key: value for key, value in values.items() if value is not None}


def names_from_masks(masks: Sequence[Path], ignore_index: int) -> tuple[str, ...]:
    """Names `class 0`, `class 1`, ... up to the largest id in the masks, for data that has no names of its own.

    Raises:
        UsageError: the masks hold no class, or only one, or leave ids out, as they do where an id that means
            "unlabelled" was not named.
    """
    with ThreadPoolExecutor(4) as pool:  # decoding leaves the interpreter's lock
        ids = set().union(*pool.map(_ids, masks)) - {ignore_index}
    largest = max(ids, default=-1)
    if absent := sorted(set(range(largest)) - ids - {ignore_index}):
        raise UsageError(
            f"expected the class ids 0 to {largest} in the masks of {masks[0].parent}, got none with {listed(absent)}: "
            f"pass --ignore-index {largest} if that means unlabelled, or name all the classes with --classes"
        )
    if largest < 1:
        found = "only class 0" if largest == 0 else "no class"
        raise UsageError(
            f"expected at least two classes in the masks of {masks[0].parent}, got {found} beside the ignored id "
            f"{ignore_index}: save class ids 0, 1, 2, ... or choose another ignored id with --ignore-index"
        )
    return tuple(f"class {index}" for index in range(largest + 1))


def _ids(path: Path) -> set[int]:
    return set(np.unique(read_mask(path)).tolist())


def _is_colour(colour: object) -> bool:
    return (
        isinstance(colour, list) and len(colour) == 3 and all(type(part) is int and 0 <= part <= 255 for part in colour)
    )
