"""Average precision of object detection as Pascal VOC has counted it since 2010.

Legend: M labelled objects and D detections of an image, K classes. A box is (left, top, right, bottom) in pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pupil.errors import UsageError

Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]
ANY = 0
# What a detection has hit, beside the numbers of objects: none, or none that this count is about.
NOTHING, NO_MATTER = -1, -2
ALL = (0.0, np.inf)


class VOCObjects(NamedTuple):
    """The labelled objects of one image.

    Shape:
        labels: (M,), 1 for the first class, 0 for what may be any of them; boxes: (M, 4); difficult: (M,), whether an
        object may be missed. One of label 0 always may.
    """

    labels: ArrayLike
    boxes: ArrayLike
    difficult: ArrayLike


class VOCDetections(NamedTuple):
    """What a network found in one image.

    Shape:
        labels: (D,), 1 for the first class; boxes: (D, 4); scores: (D,).
    """

    labels: ArrayLike
    boxes: ArrayLike
    scores: ArrayLike


class VOCScores(NamedTuple):
    """The scores of a list of images.

    Shape:
        ap: (K,), NaN for a class without objects; objects: (K,), how many count.
    """

    ap: Floats
    objects: Numbers


def voc_scores(
    predictions: Sequence[VOCDetections],
    targets: Sequence[VOCObjects],
    classes: int,
    *,
    overlap: float = 0.5,
    area: tuple[float, float] = ALL,
) -> VOCScores:
    """The area under the curve of precision over recall, class by class.

    Detections of all images come in the order of their scores. One is right if the object of its class with which it
    has the highest IoU, at least `overlap`, has not been found before; it counts for nothing if that object may be
    missed; else it is wrong. Precision is made monotone: at each recall it is the best from there on.

    Args:
        predictions: what was found in each image.
        targets: the labelled objects of each.
        classes: number of classes K.
        overlap: the least IoU.
        area: from which area in square pixels on an object counts, and from which on no longer. Others may be missed,
            and a detection of another area that hits nothing counts for nothing, as COCO has it.

    Raises:
        UsageError: for lists of different lengths.

    Reference:
        M. Everingham et al., "The PASCAL Visual Object Classes Challenge: A Retrospective", IJCV 2015, and its
        development kit. The kit counts the last pixel of a box as inside; here it ends at `right` and `bottom`.

    Example:
        >>> objects = VOCObjects([1, 1], [[0, 0, 10, 10], [20, 0, 30, 10]], [False, False])
        >>> found = VOCDetections([1, 1], [[0, 0, 10, 10], [50, 0, 60, 10]], [0.9, 0.5])
        >>> voc_scores([found], [objects], 1).ap.tolist()
        [0.5]
    """
    if len(predictions) != len(targets):
        raise UsageError(f"expected predictions for {len(targets)} images, as many as targets, got {len(predictions)}")
    per_class = [_class(predictions, targets, label, overlap, area) for label in range(1, classes + 1)]
    return VOCScores(np.array([ap for ap, _ in per_class]), np.array([count for _, count in per_class], np.int64))


def _class(
    predictions: Sequence[VOCDetections],
    targets: Sequence[VOCObjects],
    label: int,
    overlap: float,
    area: tuple[float, float],
) -> tuple[float, int]:
    """The average precision of a class, and how many objects count."""
    scores, hits, missable = [np.zeros(0)], [np.zeros(0, np.int64)], [np.zeros(0, np.bool_)]
    first = 0
    for found, objects in zip(predictions, targets, strict=True):
        mine, labels = np.asarray(found.labels) == label, np.asarray(objects.labels)
        theirs = (labels == label) | (labels == ANY)
        boxes = np.asarray(objects.boxes, np.float64).reshape(-1, 4)[theirs]
        detected = np.asarray(found.boxes, np.float64).reshape(-1, 4)[mine]
        iou = _iou(detected, boxes)
        scores.append(np.asarray(found.scores, np.float64)[mine])
        # Objects are numbered through all images.
        near = iou.max(axis=1, initial=-1) >= overlap
        missed = np.where(_within(detected, area), NOTHING, NO_MATTER)
        hits.append(np.where(near, first + (iou.argmax(axis=1) if len(boxes) else 0), missed))
        difficult = (np.asarray(objects.difficult, np.bool_) | (labels == ANY))[theirs]
        missable.append(difficult | ~_within(boxes, area))
        first += len(boxes)
    may_be_missed = np.concatenate(missable)
    count = int((~may_be_missed).sum())
    if not count:
        return np.nan, 0
    ordered = np.concatenate(hits)[np.argsort(-np.concatenate(scores), kind="stable")]
    ordered = ordered[ordered != NO_MATTER]
    ordered = ordered[(ordered == NOTHING) | ~may_be_missed[ordered]]
    right = np.zeros(len(ordered), np.bool_)
    found_objects, places = np.unique(ordered, return_index=True)
    right[places[found_objects >= 0]] = True
    return _area_under(right, count), count


def _area_under(right: NDArray[np.bool_], objects: int) -> float:
    hits = np.cumsum(right)
    precision = hits / np.arange(1, len(hits) + 1)
    best = np.maximum.accumulate(precision[::-1])[::-1]
    # Recall grows by one object at each right detection, and nowhere else.
    return float(best[right].sum() / objects)


def _iou(first: Floats, second: Floats) -> Floats:
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum(first[:, None, 2:], second[None, :, 2:])
    shared = (high - low).clip(0).prod(axis=-1)
    union = _areas(first)[:, None] + _areas(second)[None] - shared
    return np.asarray(shared / np.where(union > 0, union, 1))


def _areas(boxes: Floats) -> Floats:
    return np.asarray((boxes[:, 2:] - boxes[:, :2]).prod(axis=-1))


def _within(boxes: Floats, area: tuple[float, float]) -> NDArray[np.bool_]:
    areas = _areas(boxes)
    return (area[0] <= areas) & (areas < area[1])
