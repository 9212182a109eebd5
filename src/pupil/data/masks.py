"""From a mask file to class ids: as they stand, renumbered, or painted in colours; one look-up for all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pupil.data.images import image_size, mask_size, read_mask, read_rgb
from pupil.data.palette import Colour
from pupil.errors import UsageError, listed

Ids = NDArray[np.integer[Any]]


@dataclass(frozen=True)
class MaskReader:
    """How the mask files of a format are read.

    Args:
        read: the class ids (H, W) of a file.
        size: its height and width from the header alone; None where only reading it tells.
    """

    read: Callable[[Path], Ids]
    size: Callable[[Path], tuple[int, int] | None]


PLAIN = MaskReader(read_mask, mask_size)


def renumbered(ids: Mapping[int, int]) -> MaskReader:
    """Single-channel masks whose values stand for other ids.

    Args:
        ids: the class id, or the ignored id, of every value that may occur.

    Raises:
        UsageError: on reading: a value that has no id.
    """
    return MaskReader(partial(_renumbered, table=_table(ids)), mask_size)


def painted(ids: Mapping[Colour, int]) -> MaskReader:
    """Masks that show each class in a colour; a palette counts as the colours it shows.

    Args:
        ids: the class id, or the ignored id, of every colour that may occur.

    Raises:
        UsageError: on reading: a colour that has no id.
    """
    table = _table({(red << 16) + (green << 8) + blue: index for (red, green, blue), index in ids.items()})
    return MaskReader(partial(_painted, table=table), image_size)


def _table(ids: Mapping[int, int]) -> tuple[Ids, Ids]:
    """The values in order, and the id of each."""
    values = sorted(ids)
    numbers = [ids[value] for value in values]
    # As narrow as they can be: decoded masks are kept in memory.
    kind = np.min_scalar_type(max(numbers)) if min(numbers) >= 0 else np.dtype(np.int64)
    return np.array(values), np.array(numbers, kind)


def _renumbered(path: Path, *, table: tuple[Ids, Ids]) -> Ids:
    ids, strange = _looked_up(read_mask(path), table)
    if strange:
        raise UsageError(
            f"expected values {_runs(table[0])} in {path}, got {listed(strange, 5)}: "
            "is it the mask file of this layout? choose another one with --format"
        )
    return ids


def _painted(path: Path, *, table: tuple[Ids, Ids]) -> Ids:
    rgb = read_rgb(path).astype(np.int64)
    ids, strange = _looked_up((rgb[..., 0] << 16) + (rgb[..., 1] << 8) + rgb[..., 2], table)
    if strange:
        colours = [[value >> 16, value >> 8 & 255, value & 255] for value in strange]
        raise UsageError(
            f"expected the colours of {len(table[0])} known classes in {path}, got {listed(colours, 5)}: give each "
            "colour a class, and save masks without smoothing or lossy compression"
        )
    return ids


def _runs(values: Ids) -> str:
    """Values in ascending order, those that follow one another as one.

    Example:
        >>> _runs(np.array([0, 1, 2, 3, 255]))
        '0 to 3 and 255'
    """
    runs = np.split(values, np.flatnonzero(np.diff(values) > 1) + 1)
    return " and ".join(f"{run[0]} to {run[-1]}" if len(run) > 1 else f"{run[0]}" for run in runs)


def _looked_up(values: Ids, table: tuple[Ids, Ids]) -> tuple[Ids, list[int]]:
    """The id of every value, and the values that have none."""
    known, ids = table
    place = np.searchsorted(known, values).clip(max=len(known) - 1)
    strange = values[known[place] != values]
    return ids[place], np.unique(strange).tolist()
