"""A data set of drawn street scenes for segmentation, with rarer or noisier labels on request."""

from __future__ import annotations

import math
from copy import copy
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pupil.data.memory import Memory
from pupil.data.street.noise import corrupt
from pupil.data.street.scene import CLASSES, COLOURS, Scene, check_bounds, draw_scene
from pupil.errors import UsageError, unknown

SPLITS = ("train", "val", "test")


class StreetScenes:
    """Drawn street scenes as (image, mask) pairs, drawn on first access and then kept.

    Args:
        count: how many scenes there are.
        size: height and width in pixels.
        seed: which scenes; no two seeds or splits share one.
        labels: keep only the first so many scenes, as if labels were rarer; None keeps all.
        label_noise: how likely, from 0 to 1, a stretch of a border is drawn carelessly and a small thing is missed or
            misnamed; 0 leaves the labels exact. `scene` is exact always.
        split: `"train"`, `"val"` or `"test"`.

    Shape:
        An item is an image (3, H, W) uint8 and a mask (H, W) int64 of class indices, as torchvision's tensor types.

    Raises:
        UsageError: for a count, a size, a seed, labels or noise outside their bounds.

    Example:
        >>> scenes = StreetScenes(8, size=(32, 48))
        >>> image, mask = scenes[0]
        >>> image.shape, mask.shape, len(scenes.classes)
        (torch.Size([3, 32, 48]), torch.Size([32, 48]), 9)
        >>> len(StreetScenes(100, labels=20))
        20
    """

    classes = CLASSES
    colours = COLOURS
    ignore_index = 255

    def __init__(
        self,
        count: int,
        size: tuple[int, int] = (64, 96),
        seed: int = 0,
        labels: int | None = None,
        label_noise: float = 0.0,
        *,
        split: str = "train",
    ) -> None:
        if split not in SPLITS:
            raise unknown("split", split, SPLITS)
        if not 1 <= count < 2**31:
            raise UsageError(f"expected a positive count of scenes, got {count}: ask for one or more")
        if labels is not None and not 1 <= labels <= count:
            raise UsageError(f"expected 1 to {count} labels, got {labels}: ask for at most as many as there are scenes")
        if not 0 <= label_noise <= 1:
            raise UsageError(f"expected label noise from 0 to 1, got {label_noise}: it is a probability")
        check_bounds(seed, size)
        self.size = (int(size[0]), int(size[1]))
        self.label_noise = label_noise
        self._count = count
        # A seed of a scene is (seed, split, index) read as one number, so no two of them meet.
        self._first = (seed * len(SPLITS) + SPLITS.index(split)) << 31
        self._length = labels or count
        self._pairs = Memory(self._drawn, math.inf)

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        import torch
        from torchvision import tv_tensors

        image, target = (torch.from_numpy(array.copy()) for array in self._pairs(range(len(self))[index]))
        return tv_tensors.Image(image), tv_tensors.Mask(target.long())

    @cached_property
    def left_out(self) -> StreetScenes:
        """The scenes that `labels` left out."""
        others = copy(self)
        others._first += len(self)
        others._count -= len(self)
        others._length = others._count
        others._pairs = Memory(others._drawn, math.inf)
        return others

    def _drawn(self, index: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        scene = self.scene(index)
        mask = corrupt(scene, self.label_noise, self._first + index) if self.label_noise else scene.mask
        return scene.image, mask

    def scene(self, index: int) -> Scene:
        """The scene of an item with every label it has, all of them exact."""
        return draw_scene(self._first + range(len(self))[index], self.size)
