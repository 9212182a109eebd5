"""Drawn street scenes as detection data: the cars, persons and signs in them, with exact boxes."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from pupil.data.memory import Memory
from pupil.data.street import BOX_CLASSES, CLASSES, COLOURS, StreetScenes

# Benchmarks leave out what is too far away to be told, and a box of four pixels would mostly test that.
FAR = 1 / 16

Item = tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.int64], NDArray[np.float32]]


class DrawnBoxes:
    """Drawn street scenes as (image, target), drawn on first access and then kept.

    A box is that of the visible part of a thing, and its area that of the pixels. A thing of which less than a
    sixteenth of the image's height is seen, up or across, is drawn and has no box.

    Args:
        count: how many scenes there are.
        size: height and width in pixels.
        seed: which scenes.
        labels: keep only the first so many scenes.
        split: `"train"`, `"val"` or `"test"`.

    Attributes:
        scenes: the street scenes, with every other label they have.

    Shape:
        An item is an image (3, H, W) uint8 and a target, see :class:`pupil.data.detection.boxes.DetectionData`.

    Raises:
        UsageError: for a count, a size, a seed or labels outside the bounds of :class:`pupil.data.street.StreetScenes`.

    Example:
        >>> boxes = DrawnBoxes(2)
        >>> image, target = boxes[0]
        >>> sorted(target), target["boxes"].shape[1], boxes.classes
        (['area', 'boxes', 'labels'], 4, ('car', 'person', 'sign'))
    """

    metric: ClassVar[str] = "coco"
    classes = BOX_CLASSES
    colours = tuple(COLOURS[CLASSES.index(name)] for name in BOX_CLASSES)

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
        self._items = Memory(self._drawn, math.inf)

    def __len__(self) -> int:
        return len(self.scenes)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        from torchvision import tv_tensors

        image, *rows = (torch.from_numpy(array.copy()) for array in self._items(range(len(self))[index]))
        boxes = tv_tensors.BoundingBoxes(rows[0], format="XYXY", canvas_size=self.scenes.size)
        return tv_tensors.Image(image), {"boxes": boxes, "labels": rows[1], "area": rows[2]}

    def _drawn(self, index: int) -> Item:
        scene = self.scenes.scene(index)
        # A thing's pixels are numbered from 1, in the order of the boxes.
        area = np.bincount(scene.instances.ravel(), minlength=len(scene.boxes) + 1)[1:].astype(np.float32)
        sides = scene.boxes[:, 2:] - scene.boxes[:, :2]
        near = sides.max(axis=1, initial=0) >= FAR * self.scenes.size[0]
        return scene.image, scene.boxes[near], scene.labels[near] + 1, area[near]
