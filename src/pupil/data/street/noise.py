"""Labels as a hurried annotator would draw them: careless borders, small things missed or misnamed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pupil.data.street.scene import Scene
from pupil.data.street.world import BOX_KINDS, BUILDING, CAR, PERSON, SIGN, TREE

# What a small thing is taken for.
_MISTAKEN = {CAR: BUILDING, PERSON: SIGN, SIGN: TREE}


def corrupt(scene: Scene, probability: float, seed: int) -> NDArray[np.uint8]:
    """A careless copy of a scene's mask.

    Each thing that has a box is, with the given probability, either missed (its pixels take the label beside it) or
    given another class. Then, over the given share of the image, borders move by up to two pixels in 64 rows.

    Args:
        scene: the exact labels.
        probability: from 0, an exact copy, to 1.
        seed: of the noise; the same seed makes the same mistakes.

    Shape:
        (H, W) uint8.
    """
    random = np.random.default_rng((seed, 2))
    mask = scene.mask.copy()
    height, width = mask.shape
    for number, (box, label) in enumerate(zip(scene.boxes.astype(int), scene.labels, strict=True), start=1):
        chance, missed = random.random(2)
        if chance >= probability:
            continue
        visible = scene.instances == number
        if missed < 0.5:
            beside = box[0] - 1 if box[0] > 0 else min(box[2], width - 1)
            mask[visible] = np.broadcast_to(mask[:, beside : beside + 1], mask.shape)[visible]
        else:
            mask[visible] = _MISTAKEN[BOX_KINDS[label]]
    careless = _smooth(random.random((1, 5, 7)), (height, width))[0]
    reach = 2.0 * height / 64
    down, right = _smooth(random.uniform(-1, 1, (2, 9, 13)), (height, width)) * reach
    moved = careless < np.quantile(careless, probability)
    here = np.indices(mask.shape)
    rows = np.clip(here[0] + np.where(moved, np.rint(down), 0).astype(int), 0, height - 1)
    columns = np.clip(here[1] + np.where(moved, np.rint(right), 0).astype(int), 0, width - 1)
    return np.asarray(mask[rows, columns])


def _smooth(values: NDArray[np.float64], size: tuple[int, int]) -> NDArray[np.float64]:
    """A coarse grid interpolated to the size of the image. Shape: (C, h, w) to (C, H, W)."""
    for axis, length in ((1, size[0]), (2, size[1])):
        place = np.linspace(0, values.shape[axis] - 1, length)
        low = np.minimum(place.astype(int), values.shape[axis] - 2)
        share = (place - low).reshape([-1 if other == axis else 1 for other in range(3)])
        values = np.take(values, low, axis) * (1 - share) + np.take(values, low + 1, axis) * share
    return values
