"""What detection data are, and what is done about boxes that lie outside their image or have no area."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pupil.data.own_code import NamedClasses
from pupil.errors import UsageError, unknown

METRICS = ("coco", "voc", "kitti")
FURTHER = ("area", "iscrowd", "difficult", "type", "truncation", "occlusion")  # of a target, beside boxes and labels
REACH = 0.5  # pixels by which rounding may take a box out of its image
NOTHING: Mapping[str, ArrayLike] = MappingProxyType({})


class DetectionData(NamedClasses, Protocol):
    """A map-style data set of (image, target), and what a task has to know about it.

    An image is (3, H, W), and a target a dict of tensors with one row a box, as torchvision's detectors take it:

    ==============  ===============  ==============================================================================
    ``boxes``       (M, 4), float32  left, top, right, bottom, `tv_tensors.BoundingBoxes`; a first pixel covers 0 to 1
    ``labels``      (M,), int64      1 for the first of `classes`; 0, the background, is what only a metric looks at
    ``area``        (M,), float32    of the object, which may be smaller than its box
    ``iscrowd``     (M,), int64      COCO: whether the box is that of many objects
    ``difficult``   (M,), int64      VOC: whether the object may be missed
    ``type``        (M,), int64      KITTI: place among the benchmark's types
    ``truncation``  (M,), float32    KITTI: share of the object outside the image
    ``occlusion``   (M,), int64      KITTI: 0 visible to 2 largely hidden, 3 unknown
    ==============  ===============  ==============================================================================

    Crowds, difficult objects and boxes without a class are there to be scored on, and left out of training data.

    Attributes:
        classes: their names, without the background.
        colours: of the classes.
        metric: "coco", "voc" or "kitti".
    """

    @property
    def colours(self) -> Sequence[Sequence[int]]: ...

    @property
    def metric(self) -> str: ...


class Annotation(NamedTuple):
    """What a file says about one image.

    Shape:
        boxes: (M, 4), left, top, right, bottom; labels: (M,), 1 for the first class, 0 for none; ignored: (M,), which
        boxes are not to train on; further: by name, (M,) each.
    """

    boxes: ArrayLike
    labels: ArrayLike
    ignored: ArrayLike
    further: Mapping[str, ArrayLike] = NOTHING


class BoxTable(NamedTuple):
    """The boxes of many images below one another: those of image i are the rows from ends[i - 1] to ends[i].

    Shape:
        boxes: (B, 4), float32; labels: (B,), int64; further: (B,) each; ends: one number an image.
    """

    boxes: NDArray[np.float32]
    labels: NDArray[np.int64]
    further: dict[str, NDArray[Any]]
    ends: NDArray[np.int64]

    def rows(self, image: int) -> slice:
        """Where the boxes of an image are."""
        return slice(int(self.ends[image - 1]) if image else 0, int(self.ends[image]))


class Mended(NamedTuple):
    """What was done about boxes that do not lie in their images.

    Args:
        cut: how many reached out of their image by more than half a pixel.
        without_area: how many were left out that have none, or are inverted.
        outside: how many were left out that lie beside their image.
        first: where the first of those left out is from, or None.
    """

    cut: int
    without_area: int
    outside: int
    first: object


def box_table(
    annotations: Sequence[Annotation],
    sizes: Sequence[tuple[int, int]],
    files: Sequence[object],
    *,
    ignored: bool,
    strict: bool = False,
) -> tuple[BoxTable, Mended]:
    """The boxes of all images, cut to their images and without those that have no area, and how many these were.

    Args:
        annotations: of each image.
        sizes: (H, W) of each.
        files: where each annotation is from, for errors.
        ignored: whether to keep the boxes that are not to train on.
        strict: whether a box without area, or outside its image, is refused.

    Raises:
        UsageError: with `strict`, for the first such box.

    Example:
        >>> one = Annotation([[-5, 0, 10, 10], [9, 9, 2, 2]], [1, 1], [False, False])
        >>> table, mended = box_table([one], [(8, 20)], ["one.xml"], ignored=False)
        >>> table.boxes.tolist(), table.further["area"].tolist(), mended
        ([[0.0, 0.0, 10.0, 8.0]], [80.0], Mended(cut=1, without_area=1, outside=0, first='one.xml'))
    """
    counts = np.array([len(np.reshape(each.boxes, (-1, 4))) for each in annotations], np.int64)
    said = _stacked([np.reshape(each.boxes, (-1, 4)) for each in annotations], np.float64).reshape(-1, 4)
    owner = np.repeat(np.arange(len(counts)), counts)
    frame = np.array(sizes, np.float64).reshape(-1, 2)[owner]
    # A box that is inverted, or beside its image, has no area once it is cut.
    inside = np.clip(said, 0, np.tile(frame[:, ::-1], 2))
    boxes = inside.astype(np.float32)
    whole = (boxes[:, 2:] > boxes[:, :2]).all(axis=1)
    skipped = _stacked([each.ignored for each in annotations], np.bool_)
    row = int(np.argmin(whole)) if not whole.all() else None
    if strict and row is not None:
        image = int(owner[row])
        number = row - int(counts[:image].sum()) + 1
        height, width = sizes[image]
        raise UsageError(
            f"expected boxes with an area inside the {width}x{height} image in {files[image]}, got "
            f"{[round(float(side), 2) for side in said[row]]} as box {number}: mend it, or leave out --strict"
        )
    kept = whole if ignored else whole & ~skipped
    names = annotations[0].further if annotations else ()
    further = {name: _stacked([each.further[name] for each in annotations])[kept] for name in names}
    boxes = boxes[kept]
    further.setdefault("area", (boxes[:, 2:] - boxes[:, :2]).prod(axis=1))
    labels = _stacked([each.labels for each in annotations], np.int64)[kept]
    ends = np.cumsum(np.bincount(owner[kept], minlength=len(counts)))
    cut = whole & (np.abs(said - inside) > REACH).any(axis=1)
    outside = ~whole & (said[:, 2:] > said[:, :2]).all(axis=1) & ~(inside[:, 2:] > inside[:, :2]).all(axis=1)
    first = None if row is None else files[owner[row]]
    mended = Mended(int(cut.sum()), int((~whole & ~outside).sum()), int(outside.sum()), first)
    return BoxTable(boxes, labels, further, ends), mended


def class_labels(names: Sequence[str], classes: Sequence[str], where: object) -> list[int]:
    """The label of each name, 1 for the first class.

    Raises:
        UsageError: for a name that is no class.

    Example:
        >>> class_labels(["car", "person"], ["person", "car"], "one.xml")
        [2, 1]
    """
    for name in names:
        if name not in classes:
            raise UsageError(f"{where}: {unknown('class', name, classes)}")
    return [classes.index(name) + 1 for name in names]


def class_names(names: Sequence[object], where: object) -> tuple[str, ...]:
    """The names of the classes, once they are known to be some, and to differ.

    Raises:
        UsageError: for none, or one given twice.
    """
    found = tuple(map(str, names))
    if not found or len(set(found)) < len(found):
        got = f"{next(name for name in found if found.count(name) > 1)!r} twice" if found else "none"
        raise UsageError(f"expected class names that differ in {where}, got {got}: name each class once")
    return found


def _stacked(arrays: Sequence[ArrayLike], dtype: Any = None) -> NDArray[Any]:
    return np.concatenate([np.asarray(each, dtype) for each in arrays]) if arrays else np.zeros(0, dtype)
