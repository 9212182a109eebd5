"""Drawn street scenes as lane data: the lines around the camera's lane, exact, in four slots."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from pupil.data.lanes.lane_images import IGNORE_INDEX, distinct_lanes, lane_classes
from pupil.data.lanes.points import Points, at_rows, without_unseen
from pupil.data.memory import Memory
from pupil.data.street import Scene, StreetScenes

SLOTS = 4
HIGHEST = 0.42  # of the height: above it most scenes show no road
ROWS = 32  # about as many


class DrawnLanes:
    """Drawn street scenes as (image, lanes), drawn on first access and then kept.

    The slots are the second line left of the camera's lane, its left, its right, and the second to the right. A line
    goes on behind what stands in front of it, as the labels of the benchmarks do.

    Args:
        count: how many scenes there are.
        size: height and width in pixels.
        seed: which scenes.
        labels: keep only the first so many scenes.
        split: `"train"`, `"val"` or `"test"`.

    Attributes:
        scenes: the street scenes, with every other label they have.
        rows: whole rows from 0.42 of the height to the bottom, about 32.

    Shape:
        An item is an image (3, H, W) uint8 and lanes (4, R, 2) float32 at the rows, as torchvision's tensor types.

    Raises:
        UsageError: for a count, a size, a seed or labels outside the bounds of :class:`pupil.data.street.StreetScenes`.

    Example:
        >>> lanes = DrawnLanes(2, size=(48, 64))
        >>> image, points = lanes[0]
        >>> points.shape == (4, len(lanes.rows), 2), lanes.classes[1]
        (True, 'lane 1')
    """

    metric: ClassVar[str] = "tusimple"
    ignore_index: ClassVar[int] = IGNORE_INDEX
    classes = lane_classes(SLOTS)
    colours = distinct_lanes(SLOTS)

    def __init__(
        self,
        count: int,
        size: tuple[int, int] = (64, 96),
        seed: int = 0,
        labels: int | None = None,
        *,
        split: str = "train",
    ) -> None:
        self.scenes = StreetScenes(count, size, seed, labels, split=split)
        self.frame = self.scenes.size
        height = self.frame[0]
        self._rows = np.arange(math.ceil(HIGHEST * height), height, max(1, round((1 - HIGHEST) * height / ROWS)))
        self.rows = tuple(float(row) / height for row in self._rows)
        self._pairs = Memory(self._drawn, math.inf)

    def __len__(self) -> int:
        return len(self.scenes)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        from torchvision import tv_tensors

        image, lanes = (torch.from_numpy(array.copy()) for array in self._pairs(range(len(self))[index]))
        return tv_tensors.Image(image), tv_tensors.KeyPoints(lanes, canvas_size=self.frame)

    def _drawn(self, index: int) -> tuple[NDArray[np.uint8], Points]:
        scene = self.scenes.scene(index)
        return scene.image, self._lanes(scene)

    def _lanes(self, scene: Scene) -> Points:
        # A scene counts from the corner of the first pixel, a lane from its centre.
        x = np.stack([at_rows(_to_the_bottom(lane) - 0.5, self._rows) for lane in scene.lanes])
        x[(x < -0.5) | (x >= self.frame[1] - 0.5)] = np.nan
        lanes = np.stack([x, np.broadcast_to(self._rows, x.shape)], axis=-1)
        return without_unseen(lanes.astype(np.float32), self.frame)


def _to_the_bottom(lane: NDArray[np.float32]) -> NDArray[np.float64]:
    """The line with one more point: its near end is the last of the points inside the image, some rows too high."""
    further = 2 * lane[:1] - lane[1:2] if len(lane) > 1 else lane[:0]
    return np.concatenate([further, lane]).astype(np.float64)
