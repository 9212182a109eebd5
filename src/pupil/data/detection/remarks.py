"""What labels show about the data at the start: that there are boxes, and that classes are counted from 1."""

from __future__ import annotations

import torch

from pupil.data.detection.box_images import BoxImages
from pupil.data.detection.boxes import DetectionData
from pupil.data.detection.drawn import DrawnBoxes
from pupil.data.views import Views
from pupil.errors import UsageError, listed

LOOKED_AT = 64  # images of the reader's own, spread over the data: their labels are not known without reading them


def check_objects(data: DetectionData, split: str) -> None:
    """That there is something to find: single images may show nothing, but not all of them.

    Raises:
        UsageError: if the files of a folder have no box of any class.
    """
    if isinstance(data, BoxImages) and not any(data.objects.values()):
        raise UsageError(
            f"expected boxes of {listed(data.classes, 8)} in the {split} images, got none in {len(data)}: label some"
        )


def remark(data: DetectionData, split: str) -> str | None:
    """One line about labels 0, which are there to be scored alone, and about data without boxes; None without either.

    Of data of the reader's own a few images are read; what cannot be read is left to the training.

    Args:
        data: any detection data.
        split: what to call them.

    Raises:
        UsageError: if there is no box of any class, as far as all images have been looked at; and what they raise.

    Example: `data: 4 of 8 boxes in 8 validation images have no class (label 0), 'large' has no box: labels count from
    1`.
    """
    check_objects(data, split)
    if isinstance(data, BoxImages | DrawnBoxes):
        return None
    views = Views(data, skip=True)
    places = range(0, len(data), -(-len(data) // LOOKED_AT))
    labels = torch.cat([views[place, 0][1]["labels"] for place in places])
    counts = labels.bincount(minlength=1 + len(data.classes)).tolist()
    images = f"{len(places)}{'' if len(places) == len(data) else f' of {len(data)}'} {split} images"
    if len(labels) == counts[0]:  # as also where there are no labels
        if len(places) == len(data):
            got = f"{counts[0]} without a class (label 0)" if counts[0] else "none"
            raise UsageError(
                f"expected boxes of {listed(data.classes, 8)} in the {split} images, got {got} in {len(data)}: "
                "label some, from 1 for the first class"
            )
        return f"data: no box of {listed(data.classes, 8)} in {images} that were looked at: labels count from 1"
    if not counts[0]:
        return None
    absent = [repr(name) for name, count in zip(data.classes, counts[1:], strict=True) if not count]
    missing = f", {listed(absent)} {'has' if len(absent) == 1 else 'have'} no box" if absent else ""
    return f"data: {counts[0]} of {len(labels)} boxes in {images} have no class (label 0){missing}: labels count from 1"
