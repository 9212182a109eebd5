"""Lanes as points: what is kept of them, where they are at given rows, and how they look as a mask.

A lane is an array (P, 2) of (x, y), counted in pixels from the centre of the first one, as the labels of the
benchmarks are. A point is there where x and y are finite; a row y whose x is NaN was looked at and shows no lane.
Legend: S slots, P points, R rows, H x W pixels.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

Points = NDArray[np.float32]


def found(lanes: ArrayLike) -> NDArray[np.bool_]:
    """Which points are there. Shape: (..., P, 2) to (..., P)."""
    known: NDArray[np.bool_] = np.isfinite(np.asarray(lanes)).all(axis=-1)
    return known


def without_unseen(lanes: Points, size: tuple[int, int]) -> Points:
    """The lanes, those that lie beyond one border of the image emptied.

    A lane that is seen keeps its points outside the image, so that its last piece still reaches the image's border.

    Args:
        lanes: (S, P, 2).
        size: (H, W) of the image.

    Example:
        >>> lanes = np.array([[[-3, 1], [2, 2]], [[-3, 1], [-9, 2]]], np.float32)
        >>> without_unseen(lanes, (4, 6)).tolist()
        [[[-3.0, 1.0], [2.0, 2.0]], [[nan, 1.0], [nan, 2.0]]]
    """
    bounds = np.array([size[1], size[0]]) - 0.5
    beyond = np.concatenate([lanes < -0.5, lanes >= bounds], axis=-1)
    missing = ~np.isfinite(lanes).all(axis=-1, keepdims=True)
    unseen = (beyond | missing).all(axis=-2).any(axis=-1, keepdims=True)
    x = np.where(unseen, np.nan, lanes[..., 0])
    return np.stack([x, lanes[..., 1]], axis=-1).astype(np.float32)


def at_rows(lane: ArrayLike, rows: ArrayLike) -> NDArray[np.float64]:
    """Where a lane is at some rows: linear between its points, NaN above the highest and below the lowest of them.

    Args:
        lane: (P, 2).
        rows: (R,).

    Shape:
        returned: (R,).

    Example:
        >>> at_rows([[8, 0], [4, 4]], [2, 4, 6]).tolist()
        [6.0, 4.0, nan]
    """
    lane = np.asarray(lane, np.float64)
    lane = lane[found(lane)]
    if not len(lane):
        return np.full(np.shape(rows), np.nan)
    lane = lane[np.argsort(lane[:, 1], kind="stable")]
    x: NDArray[np.float64] = np.interp(np.asarray(rows, np.float64), lane[:, 1], lane[:, 0], left=np.nan, right=np.nan)
    return x


def drawn_mask(lanes: ArrayLike, size: Sequence[int], width: int) -> NDArray[np.uint8]:
    """A mask in which lane k of S is drawn as id k, over background 0; where two cross, the later one is on top.

    Args:
        lanes: (S, P, 2).
        size: (H, W) of the mask.
        width: of a line, in pixels; an odd one lies evenly around the points.

    Example:
        >>> drawn_mask([[[1, 0], [1, 2]], [[3, 0], [3, 1]]], (3, 5), 1).tolist()
        [[0, 1, 0, 2, 0], [0, 1, 0, 2, 0], [0, 1, 0, 0, 0]]
    """
    from PIL import Image, ImageDraw

    mask = Image.new("L", (size[1], size[0]), 0)
    pen = ImageDraw.Draw(mask)
    # Pillow cuts off what follows the point.
    whole = np.floor(np.asarray(lanes, np.float64) + 0.5)
    for number, lane in enumerate(whole, start=1):
        points = [(x, y) for x, y in lane[found(lane)].tolist()]
        if len(points) > 1:
            pen.line(points, fill=number, width=width, joint="curve")
        elif points:
            (x, y), half = points[0], width // 2
            pen.rectangle((x - half, y - half, x + half, y + half), fill=number)
    return np.asarray(mask)
