"""CamVid in its two usual forms: SegNet's masks of ids, and the painted masks of the 32 original classes."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from pupil.data.classes import Classes
from pupil.data.folder import paired
from pupil.data.images import is_painted
from pupil.data.labelled import LabelledImages
from pupil.data.masks import PLAIN, painted
from pupil.data.palette import Colour
from pupil.errors import UsageError

# Each of the 11 classes with its own colour first, and after it those of the original classes that belong to it.
CLASSES: dict[str, tuple[Colour, ...]] = {
    "sky": ((128, 128, 128),),
    # building, wall, archway, bridge, tunnel
    "building": ((128, 0, 0), (64, 192, 0), (192, 0, 128), (0, 128, 64), (64, 0, 64)),
    # column or pole, traffic cone
    "pole": ((192, 192, 128), (0, 0, 64)),
    # road, markings of lanes and of anything else; SegNet's own colour of markings
    "road": ((128, 64, 128), (128, 0, 192), (192, 0, 64), (255, 69, 0)),
    # pavement, parking block, shoulder; SegNet's own colour of pavement
    "pavement": ((0, 0, 192), (64, 192, 128), (128, 128, 192), (60, 40, 222)),
    # tree, other vegetation
    "tree": ((128, 128, 0), (192, 192, 0)),
    # sign, other text, traffic light
    "sign": ((192, 128, 128), (128, 128, 64), (0, 64, 64)),
    "fence": ((64, 64, 128),),
    # car, pick-up, truck or bus, train, other moving things
    "car": ((64, 0, 128), (64, 128, 192), (192, 128, 192), (192, 64, 128), (128, 64, 64)),
    # pedestrian, child, cart or pram, animal
    "pedestrian": ((64, 64, 0), (192, 128, 64), (64, 0, 192), (64, 128, 64)),
    # bicyclist, motorcycle
    "bicyclist": ((0, 128, 192), (192, 0, 192)),
}
VOID: Colour = (0, 0, 0)
IGNORE_INDEX = 11
# The folder of masks beside a split's folder of images, and what follows an image's name.
MASKS = (("{}annot", ".png"), ("{}_labels", "_L.png"))


class CamVid(LabelledImages):
    """`SPLIT/NAME.png` with `SPLITannot/NAME.png` (SegNet), or with `SPLIT_labels/NAME_L.png` (the original colours).

    11 classes; void is 11 and ignored. Painted masks of the 32 original classes are grouped into the 11.

    Args:
        root: the folder of the splits.
        split: train, val or test.
        labels: keep this many images, see :class:`LabelledImages`.
        seed: of that choice.
        cache: whether to keep decoded images in memory.

    Raises:
        UsageError: a folder or a mask is missing; and what `LabelledImages` raises.
    """

    title: ClassVar[str] = "CamVid"
    layout: ClassVar[str] = "train with trainannot or train_labels"

    def __init__(
        self, root: str | Path, split: str, *, labels: int | None = None, seed: int = 0, cache: bool = False
    ) -> None:
        root = Path(root)
        form = _form(root, split)
        if form is None:
            raise UsageError(f"expected {split} with {split}annot or {split}_labels in {root}, got no such folders")
        images, masks = paired(root / split, root / form[0].format(split), form[1])
        ids = {colour: index for index, colours in enumerate(CLASSES.values()) for colour in colours}
        super().__init__(
            images,
            masks,
            Classes(tuple(CLASSES), tuple(colours[0] for colours in CLASSES.values()), IGNORE_INDEX),
            reader=painted({**ids, VOID: IGNORE_INDEX}) if is_painted(masks[0]) else PLAIN,
            labels=labels,
            seed=seed,
            cache=cache,
        )

    @classmethod
    def fits(cls, root: Path) -> bool:
        """Whether a folder looks like one of this format."""
        return any(_form(root, split) for split in ("train", "val", "test"))


def _form(root: Path, split: str) -> tuple[str, str] | None:
    if not (root / split).is_dir():
        return None
    return next((form for form in MASKS if (root / form[0].format(split)).is_dir()), None)
