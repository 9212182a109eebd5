"""The scene parsing benchmark of ADE20K as it is unpacked: `ADEChallengeData2016`."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from pupil.data.classes import Classes
from pupil.data.folder import paired
from pupil.data.labelled import LabelledImages
from pupil.data.masks import renumbered
from pupil.errors import UsageError

IGNORE_INDEX = 255
SPLITS = {"train": "training", "val": "validation"}
NAMES = (
    "wall building sky floor tree ceiling road bed windowpane grass cabinet sidewalk person earth door table mountain "
    "plant curtain chair car water painting sofa shelf house sea mirror rug field armchair seat fence desk rock "
    "wardrobe lamp bathtub railing cushion base box column signboard chest_of_drawers counter sand sink skyscraper "
    "fireplace refrigerator grandstand path stairs runway case pool_table pillow screen_door stairway river bridge "
    "bookcase blind coffee_table toilet flower book hill bench countertop stove palm kitchen_island computer "
    "swivel_chair boat bar arcade_machine hovel bus towel light truck tower chandelier awning streetlight booth "
    "television_receiver airplane dirt_track apparel pole land bannister escalator ottoman bottle buffet poster stage "
    "van ship fountain conveyer_belt canopy washer plaything swimming_pool stool barrel basket waterfall tent bag "
    "minibike cradle oven ball food step tank trade_name microwave pot animal bicycle lake dishwasher screen blanket "
    "sculpture hood sconce vase traffic_light tray ashcan fan pier crt_screen plate monitor bulletin_board shower "
    "radiator glass clock flag"
)


class ADE20K(LabelledImages):
    """`images/training/X.jpg` and `annotations/training/X.png`, and the same in `validation`.

    150 classes. A mask's 0 means "something else" and is ignored (255); 1 to 150 become the classes 0 to 149.

    Args:
        root: the folder `ADEChallengeData2016`, or the one above it.
        split: train or val.
        labels: keep this many images, see :class:`LabelledImages`.
        seed: of that choice.
        cache: whether to keep decoded images in memory.

    Raises:
        UsageError: a folder or a mask is missing; and what `LabelledImages` raises.
    """

    title: ClassVar[str] = "ADE20K"
    layout: ClassVar[str] = "images/training and annotations/training"

    def __init__(
        self, root: str | Path, split: str, *, labels: int | None = None, seed: int = 0, cache: bool = False
    ) -> None:
        folder, part = _found(Path(root)), SPLITS.get(split, split)
        if folder is None:
            raise UsageError(f"expected {self.layout} in {root} or its ADEChallengeData2016, got no such folders")
        images, masks = paired(folder / "images" / part, folder / "annotations" / part)
        names = tuple(name.replace("_", " ") for name in NAMES.split())
        super().__init__(
            images,
            masks,
            Classes(names, ignore_index=IGNORE_INDEX),
            reader=renumbered({0: IGNORE_INDEX} | {index + 1: index for index in range(len(names))}),
            labels=labels,
            seed=seed,
            cache=cache,
        )

    @classmethod
    def fits(cls, root: Path) -> bool:
        """Whether a folder looks like one of this format."""
        return _found(root) is not None


def _found(root: Path) -> Path | None:
    pairs = [
        (place / "images" / part, place / "annotations" / part)
        for place in (root, root / "ADEChallengeData2016")
        for part in SPLITS.values()
    ]
    return next((images.parents[1] for images, masks in pairs if images.is_dir() and masks.is_dir()), None)
