"""Cityscapes as it is unpacked: `leftImg8bit` and `gtFine`."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from pupil.data.classes import Classes
from pupil.data.labelled import LabelledImages
from pupil.data.masks import PLAIN, renumbered
from pupil.data.palette import Colour
from pupil.errors import UsageError, listed

IGNORE_INDEX = 255
# The official id, the name and the colour of every class that is trained on, in the order of their train ids.
CLASSES: tuple[tuple[int, str, Colour], ...] = (
    (7, "road", (128, 64, 128)),
    (8, "sidewalk", (244, 35, 232)),
    (11, "building", (70, 70, 70)),
    (12, "wall", (102, 102, 156)),
    (13, "fence", (190, 153, 153)),
    (17, "pole", (153, 153, 153)),
    (19, "traffic light", (250, 170, 30)),
    (20, "traffic sign", (220, 220, 0)),
    (21, "vegetation", (107, 142, 35)),
    (22, "terrain", (152, 251, 152)),
    (23, "sky", (70, 130, 180)),
    (24, "person", (220, 20, 60)),
    (25, "rider", (255, 0, 0)),
    (26, "car", (0, 0, 142)),
    (27, "truck", (0, 0, 70)),
    (28, "bus", (0, 60, 100)),
    (31, "train", (0, 80, 100)),
    (32, "motorcycle", (0, 0, 230)),
    (33, "bicycle", (119, 11, 32)),
)
# Ids run from 0 to 33; a licence plate is -1, which a byte keeps as 255.
LABEL_IDS = dict.fromkeys((*range(34), 255), IGNORE_INDEX) | {
    label: train for train, (label, _, _) in enumerate(CLASSES)
}


class Cityscapes(LabelledImages):
    """`leftImg8bit/SPLIT/CITY/X_leftImg8bit.png` and `gtFine/SPLIT/CITY/X_gtFine_labelIds.png`.

    19 classes: the train ids. Masks `X_gtFine_labelTrainIds.png` are taken as they are where every image has one, else
    `labelIds` are renumbered; every other id is ignored (255).

    Args:
        root: the folder of both.
        split: train or val.
        labels: keep this many images, see :class:`LabelledImages`.
        seed: of that choice.
        cache: whether to keep decoded images in memory.

    Raises:
        UsageError: a folder or a mask is missing; and what `LabelledImages` raises.
    """

    title: ClassVar[str] = "Cityscapes"
    layout: ClassVar[str] = "leftImg8bit and gtFine"

    def __init__(
        self, root: str | Path, split: str, *, labels: int | None = None, seed: int = 0, cache: bool = False
    ) -> None:
        root = Path(root)
        images = sorted((root / "leftImg8bit" / split).glob("*/*_leftImg8bit.png"))
        if not images:
            raise UsageError(
                f"expected images CITY/*_leftImg8bit.png in {root / 'leftImg8bit' / split}, got none: pass --data DIR"
            )
        there = {path.name: path for path in (root / "gtFine" / split).glob("*/*_gtFine_label*Ids.png")}
        names = [path.name.removesuffix("_leftImg8bit.png") for path in images]
        ready = all(f"{name}_gtFine_labelTrainIds.png" in there for name in names)
        kind = "labelTrainIds" if ready else "labelIds"
        bare = [name for name in names if f"{name}_gtFine_{kind}.png" not in there]
        if bare:
            raise UsageError(
                f"expected a mask CITY/X_gtFine_{kind}.png in {root / 'gtFine' / split} for every image, got none for "
                f"{len(bare)} of {len(images)} ({listed(bare)})"
            )
        super().__init__(
            images,
            [there[f"{name}_gtFine_{kind}.png"] for name in names],
            Classes(tuple(name for _, name, _ in CLASSES), tuple(colour for *_, colour in CLASSES), IGNORE_INDEX),
            reader=PLAIN if ready else renumbered(LABEL_IDS),
            labels=labels,
            seed=seed,
            cache=cache,
        )

    @classmethod
    def fits(cls, root: Path) -> bool:
        """Whether a folder looks like one of this format."""
        return (root / "leftImg8bit").is_dir() and (root / "gtFine").is_dir()
