"""The lanes of BDD100K as the authors of SAD label them: a mask an image, lane or not."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import numpy as np

from pupil.data.classes import Classes
from pupil.data.images import first_size, mask_size, read_mask
from pupil.data.labelled import LabelledImages
from pupil.data.lanes.lane_images import lines_of
from pupil.data.masks import Ids, MaskReader
from pupil.errors import UsageError

LISTS = ("{}_gt_bdd.txt", "{}_gt.txt")


class BDD100K(LabelledImages):
    """`list/train_gt_bdd.txt`, `list/val_gt_bdd.txt`, `list/test_gt_bdd.txt`: an image and a mask a line.

    Two classes, background and lane; a pixel is lane where its mask is above 0, be it 1 or 255. Lines are usually
    8 pixels wide in masks to train on and 2 in those to test on, which nothing here changes. What follows the two paths
    in a line is not read.

    Args:
        root: the folder of `list`.
        split: train, val or test.
        labels: keep this many images, see :class:`~pupil.data.labelled.LabelledImages`.
        seed: of that choice.

    Attributes:
        rows: none; its predictions are masks.

    Raises:
        UsageError: a list is missing or a line of it is malformed; and what `LabelledImages` raises.
    """

    title: ClassVar[str] = "BDD100K lanes"
    layout: ClassVar[str] = "list/train_gt_bdd.txt"
    metric: ClassVar[str] = "bdd100k"
    rows: ClassVar[tuple[float, ...]] = ()

    def __init__(self, root: str | Path, split: str, *, labels: int | None = None, seed: int = 0) -> None:
        root = Path(root)
        path = next((path for each in LISTS if (path := root / "list" / each.format(split)).is_file()), None)
        path = path or root / "list" / LISTS[0].format(split)
        pairs = []
        for number, line in enumerate(lines_of(path, "a list of images"), start=1):
            words = line.split()
            if len(words) == 1:
                raise UsageError(
                    f"expected an image and a mask in {path}, line {number}, got {line[:60]!r}: mend that line"
                )
            if words:
                pairs.append((root / words[0].lstrip("/"), root / words[1].lstrip("/")))
        images, masks = zip(*pairs, strict=True)
        super().__init__(
            images,
            masks,
            Classes(("background", "lane"), ((0, 0, 0), (255, 255, 255))),
            reader=MaskReader(_lane, mask_size),
            labels=labels,
            seed=seed,
        )
        self.frame = first_size(self.images)

    @classmethod
    def fits(cls, root: Path) -> bool:
        """Whether a folder looks like one of this format."""
        return any((root / "list" / LISTS[0].format(split)).is_file() for split in ("train", "val", "test"))


def _lane(path: Path) -> Ids:
    return (read_mask(path) > 0).astype(np.uint8)
