"""Which slot a lane takes: slots run left to right, and the two in the middle border the lane that is driven in."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pupil.data.lanes.points import found
from pupil.errors import UsageError

LOWEST = 10  # points that say where a lane goes on below them


def lane_slots(lanes: Sequence[NDArray[np.floating]], slots: int, size: tuple[int, int]) -> list[int]:
    """The slot of each lane, by where it meets the bottom of the image.

    Lanes left of the middle fill the left half of the slots from the middle outwards, the others the right half. More
    lanes on one side than it has slots move all lanes over, so that none is lost while there are slots.

    Args:
        lanes: (P, 2) each, in any order, each with a point.
        slots: how many there are.
        size: (H, W) of the image.

    Raises:
        UsageError: for more lanes than slots.

    Example:
        >>> left, right = np.array([[10.0, 60], [40, 20]]), np.array([[90.0, 60], [60, 20]])
        >>> lane_slots([right, left], 4, (64, 96))
        [2, 1]
    """
    if len(lanes) > slots:
        raise UsageError(f"expected at most {slots} lanes in an image, got {len(lanes)}: mend the label")
    bottoms = [bottom(lane, size[0] - 1) for lane in lanes]
    left = sum(x < (size[1] - 1) / 2 for x in bottoms)
    first = min(max(slots // 2 - left, 0), slots - len(lanes))
    return [first + rank for rank in ranks(bottoms)]


def bottom(lane: NDArray[np.floating], row: float) -> float:
    """Where a lane meets a row below it: the straight line through its lowest points, carried on.

    Example:
        >>> bottom(np.array([[4.0, 0], [3, 2]]), 6.0)
        1.0
    """
    points = np.asarray(lane, np.float64)[found(lane)]
    x, y = points[np.argsort(-points[:, 1], kind="stable")[:LOWEST]].T
    spread = y - y.mean()
    slope = (spread * x).sum() / square if (square := (spread**2).sum()) else 0.0
    return float(x.mean() + slope * (row - y.mean()))


def ranks(values: Sequence[float]) -> list[int]:
    """The place of each value among all of them, from the smallest.

    Example:
        >>> ranks([5.0, 1.0, 3.0])
        [2, 0, 1]
    """
    places: list[int] = np.argsort(np.argsort(values, kind="stable"), kind="stable").tolist()
    return places
