"""The layouts in which labelled images lie on disk, and which of them a folder has."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pupil.data.ade20k import ADE20K
from pupil.data.camvid import CamVid
from pupil.data.cityscapes import Cityscapes
from pupil.data.folder import SegmentationFolder
from pupil.data.labelled import LabelledImages
from pupil.data.layouts import AUTO, fitting_layout
from pupil.data.painted import PaintedFolder
from pupil.data.voc import VOC, AugmentedVOC
from pupil.errors import unknown

if TYPE_CHECKING:
    from pupil.data.segmentation import SegmentationData

FORMATS: dict[str, Any] = {
    "folder": SegmentationFolder,
    "painted": PaintedFolder,
    "voc": VOC,
    "voc-sbd": AugmentedVOC,
    "cityscapes": Cityscapes,
    "ade20k": ADE20K,
    "camvid": CamVid,
}
# Its folder is one of VOC as well: more labels are a choice, and never taken unasked.
ASKED_FOR = frozenset({"voc-sbd"})
NAMES = (AUTO, *FORMATS)


def open_format(name: str) -> Callable[..., LabelledImages]:
    """The data set of a format, called with the folder and the split.

    Raises:
        UsageError: for a name that is none.
    """
    if name not in FORMATS:
        raise unknown("format", name, NAMES)
    found: Callable[..., LabelledImages] = FORMATS[name]
    return found


def find_format(root: str | Path, name: str = AUTO) -> str:
    """The name of the format that a folder has: as it is told, or as its sub-folders show.

    Args:
        root: the folder.
        name: of the format, or "auto".

    Raises:
        UsageError: for no folder, a name that is none, and a folder that fits no layout or several.
    """
    if name != AUTO:
        open_format(name)
        return name
    found = {each: kind for each, kind in FORMATS.items() if each not in ASKED_FOR}
    return fitting_layout(Path(root), found, plain="folder")


def described(root: str | Path, name: str, train: SegmentationData, val: SegmentationData) -> str:
    """One line on what was found in a folder: layout, images, classes.

    Example: `data: Pascal VOC layout, 1464 training, 1449 validation images, 21 classes, id 255 ignored`.
    """
    parts = [
        f"data: {FORMATS[name].title} layout",
        f"{len(train)} training, {len(val)} validation images",
        f"{len(train.classes)} classes",
        f"id {train.ignore_index} ignored",
    ]
    if name == "voc" and AugmentedVOC.fits(Path(root)):
        parts.append("SBD's labels with --format voc-sbd")
    return ", ".join(parts)
