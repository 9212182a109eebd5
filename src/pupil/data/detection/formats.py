"""Training and validation data for detection from one text: a folder, drawn scenes, or the reader's own code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pupil.data.detection.box_images import BoxImages
from pupil.data.detection.boxes import FURTHER, METRICS, DetectionData
from pupil.data.detection.coco import COCOBoxes, COCOTraffic
from pupil.data.detection.drawn import DrawnBoxes
from pupil.data.detection.kitti import KITTIBoxes
from pupil.data.detection.remarks import check_objects
from pupil.data.detection.voc_xml import VOCBoxes
from pupil.data.detection.yolo import YOLOBoxes
from pupil.data.images import Unreadable
from pupil.data.layouts import AUTO, fitting_layout, has_layout
from pupil.data.own_code import OwnData, check_classes, from_code
from pupil.data.palette import distinct_colours
from pupil.data.views import as_image
from pupil.errors import UsageError, listed, unknown

DRAWN = ("drawn", "scenes")
FORMATS: dict[str, Any] = {
    "coco": COCOBoxes,
    "coco-traffic": COCOTraffic,
    "kitti": KITTIBoxes,
    "voc": VOCBoxes,
    "yolo": YOLOBoxes,
}
# Its folder is one of COCO as well: fewer classes are a choice, and never taken unasked.
ASKED_FOR = frozenset({"coco-traffic"})
SCENES = (1200, 200)
NAMED = 8  # classes that the line on the data names
FEW = 3  # boxes, below which a class is more likely a slip of the pen

# Drawing costs more than training a small network on what was drawn: a process draws each scene once.
drawn_boxes = lru_cache(maxsize=4)(DrawnBoxes)


def detection_data(
    spec: str,
    *,
    format: str = AUTO,
    scene_size: tuple[int, int] = (64, 96),
    scenes: tuple[int, int] = SCENES,
    labels: int | None = None,
    seed: int = 0,
    strict: bool = False,
    skip: bool = False,
) -> tuple[DetectionData, DetectionData]:
    """The training and the validation set that a text names.

    ==============================  ========================================================================
    ``drawn`` or ``scenes``         drawn street scenes, see :class:`pupil.data.detection.drawn.DrawnBoxes`
    ``DIR``                         a folder of COCO, KITTI, Pascal VOC or YOLO as it is unpacked or exported
    ``package.module:function``     called without arguments, returns the two data sets, see
                                    :class:`pupil.data.detection.boxes.DetectionData`
    ==============================  ========================================================================

    Args:
        spec: the text.
        format: coco, coco-traffic, kitti, voc or yolo; "auto" finds it.
        scene_size: (H, W) of drawn scenes, which are the same for every seed.
        scenes: how many drawn scenes there are to train and to validate on.
        labels: keep only this many training images.
        seed: which images of a folder `labels` keeps.
        strict: whether a box of a folder without area, or outside its image, is refused rather than left out.
        skip: whether images of a folder without a readable header are left out.

    Raises:
        UsageError: where there is no such data, it is not as detection data should be, or its two sets have other
            classes.

    Example:
        >>> train, val = detection_data("drawn", scenes=(40, 8), labels=10)
        >>> len(train), len(val), train.classes, train.metric
        (10, 8, ('car', 'person', 'sign'), 'coco')
    """
    name = detection_format(spec, format)
    if name is not None:
        try:
            train: DetectionData = FORMATS[name](spec, "train", labels=labels, seed=seed, strict=strict, skip=skip)
            check_objects(train, "training")
            return train, detection_validation(spec, classes=train.classes, format=name, strict=strict, skip=skip)
        except Unreadable as error:
            raise error.advised(skip=skip) from None
    if spec in DRAWN:
        train = drawn_boxes(scenes[0], scene_size, labels=labels, split="train")
        return train, drawn_boxes(scenes[1], scene_size, split="val")
    if labels is not None:
        raise UsageError(f"expected --labels with a data folder or drawn scenes, got --data {spec}: leave it out")
    own = from_code(spec)
    train, val = checked_boxes(own[0]), checked_boxes(own[1])
    check_classes(val, train.classes, repr(spec))
    return train, val


def detection_validation(
    spec: str,
    *,
    classes: Sequence[str] | None = None,
    format: str = AUTO,
    scene_size: tuple[int, int] = (64, 96),
    split: str = "val",
    strict: bool = False,
    own_classes: bool = False,
    skip: bool = False,
) -> DetectionData:
    """The validation set alone, or another split.

    Args:
        spec: as for :func:`detection_data`; a folder needs no training images here.
        classes: those that a network tells apart; None takes what the data say.
        format: coco, coco-traffic, kitti, voc or yolo; "auto" finds it.
        scene_size: (H, W) of drawn scenes.
        split: of drawn scenes or a folder: val, test, or another list of its.
        strict: as for :func:`detection_data`.
        own_classes: whether the data may have other classes, which are then theirs to name.
        skip: as for :func:`detection_data`.

    Raises:
        UsageError: where there is no such data, it has other classes, or no object of any.
    """
    name = detection_format(spec, format)
    if name is not None:
        # VOC's files have no list of classes, so a few of them need not show all.
        named = {"classes": classes} if name == "voc" and classes is not None else {}
        # What is not to be trained on counts in the scores of training images too.
        val: DetectionData = FORMATS[name](spec, split, ignored=True, strict=strict, skip=skip, **named)
    elif spec in DRAWN:
        val = drawn_boxes(SCENES[1], scene_size, split=split)
    else:
        val = checked_boxes(from_code(spec)[1])
    if classes is not None and not own_classes:
        check_classes(val, classes, repr(spec))
    check_objects(val, split)
    return val


def detection_format(spec: str, format: str = AUTO) -> str | None:
    """The name of a folder's layout; None for drawn scenes and the reader's own code, which have none.

    Raises:
        UsageError: where there is no such layout, the folder has none or several, or there is no folder to have one.
    """
    if not has_layout(spec, format, FORMATS, drawn=DRAWN):
        return None
    if format != AUTO:
        return format  # it says itself what is missing in the folder
    return fitting_layout(Path(spec), {name: kind for name, kind in FORMATS.items() if name not in ASKED_FOR})


def described(name: str, train: DetectionData, val: DetectionData) -> str:
    """One line on what was found in a folder.

    Example: `data: KITTI layout, 5985 training, 1496 validation images, 3 classes (Car, Pedestrian, Cyclist), 2 boxes
    cut to their images`.
    """
    parts = [
        f"data: {FORMATS[name].title} layout",
        f"{len(train)} training, {len(val)} validation images",
        f"{len(train.classes)} classes" + (f" ({listed(train.classes, NAMED)})" if len(train.classes) <= NAMED else ""),
    ]
    read = [each for each in (train, val) if isinstance(each, BoxImages)]
    if said := unreadable(train, val):
        parts.append(said)
    if rare := [f"{name!r} ({count})" for each in read[:1] for name, count in each.objects.items() if 0 < count < FEW]:
        parts.append(f"few training boxes of {listed(rare)}")
    mended = [each.mended for each in read]
    if cut := sum(each.cut for each in mended):
        parts.append(f"{_boxes(cut)} cut to {'its image' if cut == 1 else 'their images'}")
    without, outside = sum(each.without_area for each in mended), sum(each.outside for each in mended)
    if left_out := without + outside:
        first = next(each.first for each in mended if each.first is not None)
        kinds = {f"{_boxes(without)} without area": without, f"{_boxes(outside)} outside": outside}
        what = " and ".join(kind for kind, count in kinds.items() if count)
        parts.append(f"{what} left out{', the first' if left_out > 1 else ''} in {first}")
    return ", ".join(parts)


def unreadable(*datasets: DetectionData) -> str:
    """What was left out because it cannot be read; nothing where that is nothing."""
    paths = [path for each in datasets if isinstance(each, BoxImages) for path in each.unreadable]
    count = f"{len(paths)} image{'s' if len(paths) > 1 else ''}"
    return f"{count} that cannot be read left out: {listed(paths)}" if paths else ""


def _boxes(count: int) -> str:
    return f"{count} box{'es' if count > 1 else ''}"


def checked_boxes(dataset: Any) -> DetectionData:
    """A data set of the reader's own, once it is known to say what its labels mean; each item is checked when read.

    Raises:
        UsageError: see :class:`CheckedBoxes`.
    """
    found: DetectionData = (
        dataset if isinstance(dataset, BoxImages | DrawnBoxes | CheckedBoxes) else CheckedBoxes(dataset)
    )
    return found


class CheckedBoxes(OwnData):
    """A data set of the reader's own whose boxes are compared with its images and its classes when they are read.

    Args:
        dataset: map-style, of (image, target) as :class:`pupil.data.detection.boxes.DetectionData` says, with
            `classes`. Plain boxes are taken for left, top, right, bottom; `tv_tensors.BoundingBoxes` are converted. Its
            `colours` are distinct ones, and its `metric` is "coco", where it does not say.

    Raises:
        UsageError: it is empty, names no classes, names the background, or a metric that is none; on access to an item
            that is no such pair, or has boxes without area or outside the image, or labels that are no class.
    """

    def __init__(self, dataset: Any) -> None:
        super().__init__(dataset)
        if self.classes[:1] == ("background",):
            raise UsageError(
                'expected .classes without "background", got it as the first: leave it out; label 1 is the first class'
            )
        self.metric: str = getattr(dataset, "metric", None) or "coco"
        if self.metric not in METRICS:
            raise unknown("metric", self.metric, METRICS)
        colours: Sequence[Sequence[int]] | None = getattr(dataset, "colours", None)
        self.colours = distinct_colours(len(self.classes)) if colours is None else colours

    def __getitem__(self, index: int) -> tuple[Any, dict[str, Any]]:
        image, target = self.dataset[index]
        image = as_image(image)
        return image, _checked(target, (image.shape[1], image.shape[2]), len(self.classes), self.names[index])


def _checked(target: Any, size: tuple[int, int], classes: int, where: str) -> dict[str, Any]:
    from torchvision import tv_tensors
    from torchvision.transforms.v2 import functional

    if not isinstance(target, Mapping) or not {"boxes", "labels"} <= target.keys():
        got = listed(target, 8) if isinstance(target, Mapping) else type(target).__name__
        raise UsageError(f'expected a dict with "boxes" and "labels" as the target of {where}, got {got}')
    boxes, labels = target["boxes"], torch.as_tensor(target["labels"])
    if isinstance(boxes, tv_tensors.BoundingBoxes):
        boxes = functional.convert_bounding_box_format(boxes, new_format="XYXY")
    boxes = torch.as_tensor(boxes).as_subclass(Tensor).float()
    if not boxes.numel() and not labels.numel():
        # Of an empty list torch makes fractions without a second dimension.
        boxes, labels = boxes.reshape(0, 4), labels.reshape(0).long()
    if boxes.shape != (len(boxes), 4) or labels.shape != boxes.shape[:1] or labels.is_floating_point():
        raise UsageError(
            f"expected boxes (M, 4) and as many whole numbers as labels in {where}, "
            f"got {tuple(boxes.shape)} and {tuple(labels.shape)} {labels.dtype}".replace("torch.", "")
        )
    wrong = (labels < 0) | (labels > classes)
    if wrong.any():
        raise UsageError(
            f"expected labels from 1 to {classes}, or 0 for what has no class, in {where}, "
            f"got {listed(sorted({*labels[wrong].tolist()}), 5)}: count from 1, and name all the classes"
        )
    limit = torch.tensor([size[1], size[0], size[1], size[0]])
    cut = boxes.clamp(min=torch.zeros(4), max=limit)
    bad = ~((boxes[:, 2:] > boxes[:, :2]) & (cut[:, 2:] > cut[:, :2])).all(dim=1)
    if bad.any():
        raise UsageError(
            f"expected boxes left, top, right, bottom with an area inside the {size[1]}x{size[0]} image in {where}, "
            f"got {boxes[bad][0].tolist()}: leave it out, or give tv_tensors.BoundingBoxes with their format"
        )
    further = {name: torch.as_tensor(target[name]) for name in FURTHER if name in target}
    for name, values in further.items():
        if values.shape != labels.shape:
            raise UsageError(
                f"expected {name} of {len(labels)} boxes, one number each, in {where}, got {tuple(values.shape)}: "
                "give as many as there are boxes, or leave it out"
            )
    whole = tv_tensors.BoundingBoxes(cut, format="XYXY", canvas_size=size)
    return {**target, **further, "boxes": whole, "labels": labels.long()}
