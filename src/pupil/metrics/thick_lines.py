"""Thick lines as masks, pixel for pixel as OpenCV draws them: benchmarks are defined by that.

A piece of a line is a rectangle and a disc at each end. All are convex, so each is an interval of columns in every row
that it meets, and a mask is the union of intervals. Legend: P points, E edges, H x W pixels.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pupil.errors import UsageError

Integers = NDArray[np.int64]
Intervals = tuple[Integers, Integers, Integers]  # rows, first columns, last columns
ONE = 1 << 16  # parts of a pixel, in which places are rounded
FARTHEST = 1e9  # pixels; what is farther away is moved there, so that integers hold it


def drawn(points: NDArray[np.float64], width: int, size: Sequence[int]) -> NDArray[np.bool_]:
    """A line through points, which are rounded first; fewer than two draw nothing.

    Args:
        points: (x, y), finite.
        width: of the line, an even number of pixels.
        size: (H, W).

    Shape:
        (P, 2) to (H, W) bool.

    Raises:
        UsageError: for an odd width.

    Reference:
        The pixels are those of `cv2.line` of OpenCV 5.0, 8-connected, with its 16 binary places and their rounding; of
        a line that leaves the image, a pixel or two at the border may differ.

    Example:
        >>> drawn(np.array([[2.0, 2.0], [4.0, 2.0]]), 2, (5, 8)).astype(int)
        array([[0, 0, 0, 0, 0, 0, 0, 0],
               [0, 0, 1, 1, 1, 0, 0, 0],
               [0, 1, 1, 1, 1, 1, 0, 0],
               [0, 0, 1, 1, 1, 0, 0, 0],
               [0, 0, 0, 0, 0, 0, 0, 0]])
    """
    if width < 2 or width % 2:
        raise UsageError(f"expected an even width of 2 pixels or more, got {width}: the benchmark takes 30")
    mask = np.zeros(size, dtype=bool)
    pixels = np.rint(np.clip(points, -FARTHEST, FARTHEST)).astype(np.int64)
    moves = (np.diff(pixels, axis=0) != 0).any(axis=1)
    # Points that all fall on one pixel are a dot.
    kept = moves if moves.any() else np.arange(len(moves)) == 0
    shape = np.array([size[1], size[0]])
    _, start, end = _clipped(pixels[:-1][kept], pixels[1:][kept], np.full(2, -width), shape + width - 1)
    places = np.unique(np.concatenate([start, end]), axis=0)
    parts = _discs(places, width // 2), _rectangles(start, end, width // 2, shape)
    rows, first, last = (np.concatenate(each) for each in zip(*parts, strict=True))
    first, last = np.maximum(first, 0), np.minimum(last, size[1] - 1)
    inside = (rows >= 0) & (rows < size[0]) & (first <= last)
    if inside.any():
        rows, first, last = rows[inside], first[inside], last[inside]
        # Only the box around the line is looked at, which is a small part of the image.
        top, left = rows.min(), first.min()
        box = (slice(top, rows.max() + 1), slice(left, last.max() + 1))
        mask[box] = _union(rows - top, first - left, last - left + 1)
    return mask


def _union(rows: Integers, start: Integers, stop: Integers) -> NDArray[np.bool_]:
    """Intervals [start, stop) of columns as a mask: one step up where each begins, one down where it ends."""
    height, width = int(rows.max()) + 1, int(stop.max()) + 1
    up, down = (np.bincount(rows * width + column, minlength=height * width) for column in (start, stop))
    covered: NDArray[np.bool_] = (up - down).reshape(height, width).cumsum(axis=1)[:, :-1] > 0
    return covered


def _discs(points: Integers, radius: int) -> Intervals:
    """Pixels within the radius of each point."""
    offset = np.arange(-radius, radius + 1)
    half = np.floor(np.sqrt(radius**2 - offset**2)).astype(np.int64)
    x, y = points[:, :1], points[:, 1:]
    return (y + offset).ravel(), (x - half).ravel(), (x + half).ravel()


def _rectangles(start: Integers, end: Integers, radius: int, shape: Integers) -> Intervals:
    """The rectangle along each piece: in every row all columns between the pixels that its four edges touch."""
    long = (start != end).any(axis=1)
    start, end = start[long], end[long]
    along = end - start
    aside = np.stack([along[:, 1], -along[:, 0]], axis=1) * (radius * ONE / np.hypot(*along.T))[:, None]
    aside = np.rint(aside).astype(np.int64)
    start, end = start * ONE, end * ONE
    corners = np.stack([start + aside, start - aside, end - aside, end + aside], axis=1)
    edge, x, y = _edges(corners.reshape(-1, 2), np.roll(corners, -1, axis=1).reshape(-1, 2), shape)
    rectangle, left, top = edge // 4, x.min(initial=0), y.min(initial=0)
    columns, rows = x.max(initial=0) - left + 1, y.max(initial=0) - top + 1
    # One number a pixel sorts several times sooner than three.
    place, x = np.divmod(np.sort((rectangle * rows + y - top) * columns + x - left), columns)
    changes = np.flatnonzero(np.diff(place))
    opens, closes = np.append(0, changes + 1)[: len(x)], np.append(changes, len(x) - 1)[: len(x)]
    return place[opens] % rows + top, x[opens] + left, x[closes] + left


def _edges(start: Integers, end: Integers, shape: Integers) -> tuple[Integers, Integers, Integers]:
    """The pixels of straight edges (E, 2), given in parts of a pixel: which edge each one is of, its x and its y.

    They are those of the outline, one a step along the longer side, and those at which rows are filled, one a row.
    """
    seen, ours, theirs = _clipped(start, end, np.zeros_like(shape), shape * ONE - 1)
    index = np.arange(len(seen))
    longer = np.where(np.abs(theirs - ours)[:, 0] > np.abs(theirs - ours)[:, 1], 0, 1)
    first, last = _ordered(ours, theirs, longer)
    step = _divided((last - first) * ONE, ((last - first)[index, longer] | 1)[:, None])
    step[index, longer] = ONE
    edge, steps = _counted((last // ONE - first // ONE)[index, longer])
    outline = _pixel(first[edge] + steps[:, None] * step[edge])

    top, bottom = _ordered(start, end, np.ones(len(start), np.int64))
    height = _pixel(bottom[:, 1]) - _pixel(top[:, 1])
    slope = _divided(2 * (bottom - top)[:, 0] + height, np.maximum(2 * height, 1))
    filled, rows = _counted(height)
    filling = np.stack([_pixel(top[filled, 0] + rows * slope[filled]), _pixel(top[filled, 1]) + rows], axis=1)
    pixels = np.concatenate([outline, _pixel(last), filling])
    return np.concatenate([seen[edge], seen, filled]), pixels[:, 0], pixels[:, 1]


def _clipped(start: Integers, end: Integers, low: Integers, high: Integers) -> tuple[Integers, Integers, Integers]:
    """The pieces that cross a box: which ones, and their ends, those outside moved along the piece to its border."""
    ends = start.copy(), end.copy()
    seen = np.ones(len(start), dtype=bool)
    for axis in (1, 0):
        moves = [np.clip(each[:, axis], low[axis], high[axis]) - each[:, axis] for each in ends]
        seen &= np.sign(moves[0]) * np.sign(moves[1]) <= 0
        for each, move in zip(ends, moves, strict=True):
            along, across = (ends[1] - ends[0])[:, axis], (ends[1] - ends[0])[:, 1 - axis]
            each[:, 1 - axis] += np.trunc(move * (across / np.where(along == 0, 1, along))).astype(np.int64)
            each[:, axis] += move
    return np.flatnonzero(seen), ends[0][seen], ends[1][seen]


def _ordered(start: Integers, end: Integers, axis: Integers) -> tuple[Integers, Integers]:
    """The ends of each edge, the smaller one along its axis first."""
    index = np.arange(len(start))
    swap = (end[index, axis] < start[index, axis])[:, None]
    return np.where(swap, end, start), np.where(swap, start, end)


def _counted(counts: Integers) -> tuple[Integers, Integers]:
    """So many steps for each edge: which edge each step is of, and its number."""
    edge = np.repeat(np.arange(len(counts)), counts)
    return edge, np.arange(len(edge)) - (counts.cumsum() - counts)[edge]


def _divided(values: Integers, by: Integers) -> Integers:
    """Integer division that rounds towards zero."""
    quotient: Integers = np.sign(values) * (np.abs(values) // by)
    return quotient


def _pixel(place: Integers) -> Integers:
    """The nearest pixel, halves upwards."""
    return (place + ONE // 2) // ONE
