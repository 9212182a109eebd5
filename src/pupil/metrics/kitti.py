"""The 2-D object benchmark of KITTI: average precision at three levels of difficulty.

Legend: M labelled objects and D detections of an image, K classes, 3 levels, 41 steps of recall. A box is (left, top,
right, bottom) in pixels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pupil.errors import UsageError

STEPS = 41
DONT_CARE = "DontCare"
TYPES = ("Car", "Van", "Truck", "Pedestrian", "Person_sitting", "Cyclist", "Tram", "Misc", DONT_CARE)
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


class KITTIRule(NamedTuple):
    """When a detection of a class is right.

    Args:
        overlap: what the IoU has to exceed.
        neighbours: types of objects that are neither right nor wrong to find.
    """

    overlap: float
    neighbours: tuple[str, ...] = ()


class KITTILevel(NamedTuple):
    """Which labelled objects count at a level: higher than `height` pixels, not beyond `occlusion` and `truncation`."""

    height: float
    occlusion: int
    truncation: float


RULES: Mapping[str, KITTIRule] = MappingProxyType(
    {
        "Car": KITTIRule(0.7, ("Van",)),
        "Pedestrian": KITTIRule(0.5, ("Person_sitting",)),
        "Cyclist": KITTIRule(0.5),
    }
)
LEVELS: Mapping[str, KITTILevel] = MappingProxyType(
    {"easy": KITTILevel(40, 0, 0.15), "moderate": KITTILevel(25, 1, 0.30), "hard": KITTILevel(25, 2, 0.50)}
)


class KITTIObjects(NamedTuple):
    """The labelled objects of one image in the order of its file, those of other classes and DontCare among them.

    Shape:
        types: M names; boxes: (M, 4); truncation: (M,), from 0 to 1; occlusion: (M,), from 0 to 3.
    """

    types: Sequence[str]
    boxes: ArrayLike
    truncation: ArrayLike
    occlusion: ArrayLike


class KITTIDetections(NamedTuple):
    """What a network found in one image.

    Shape:
        types: D names; boxes: (D, 4); scores: (D,).
    """

    types: Sequence[str]
    boxes: ArrayLike
    scores: ArrayLike


class KITTIScores(NamedTuple):
    """The scores of a list of images, as shares in [0, 1].

    Args:
        ap40: mean of the precision at 40 steps of recall, without recall 0; the benchmark's own since 2019.
        ap11: mean at 11 steps, with recall 0; the benchmark's own before.
        precision: at each of the 41 steps.
        objects: how many labelled objects count.

    Shape:
        ap40, ap11, objects: (K, 3), classes and levels in the order of the rules and levels; precision: (K, 3, 41).
    """

    ap40: Floats
    ap11: Floats
    precision: Floats
    objects: NDArray[np.int64]


class _Image(NamedTuple):
    """An image's objects and detections as arrays, with their overlaps: IoU (M, D), and by DontCare boxes (D,)."""

    types: NDArray[np.str_]
    heights: Floats
    truncation: Floats
    occlusion: NDArray[np.int64]
    found: NDArray[np.str_]
    low: Floats
    scores: Floats
    iou: Floats
    covered: Floats


class _Case(NamedTuple):
    """An image as one class and level see it: which objects and detections take part, and which only as ignored."""

    valid: Flags
    real: Flags
    scores: Floats
    iou: Floats
    excused: Flags


def kitti_scores(
    predictions: Sequence[KITTIDetections],
    targets: Sequence[KITTIObjects],
    *,
    rules: Mapping[str, KITTIRule] = RULES,
    levels: Mapping[str, KITTILevel] = LEVELS,
) -> KITTIScores:
    """Score detections as the benchmark does; it ranks by the moderate level.

    A detection is right if its IoU with an object of its class exceeds the rule's. Objects beyond the level and
    those of a neighbouring type are ignored: to find them is neither right nor wrong. So are detections lower than
    the level, of whatever class, and those that lie in a DontCare box.

    1. The scores of right detections, each object's best one, give up to 41 thresholds, the nearest to each recall
       0, 1/40, ..., 1.
    2. At each of them objects take the free detection of the highest IoU; precision = right / (right + wrong), and at
       each recall the best precision of any recall from there on. Where recall never comes to, it is 0.

    Args:
        predictions: what was found in each image.
        targets: the labelled objects of each.
        rules: of the classes to score, by name.
        levels: by name.

    Raises:
        UsageError: for lists of different lengths, or arrays that do not belong together.

    Reference:
        A. Geiger, P. Lenz, R. Urtasun, "Are we ready for Autonomous Driving? The KITTI Vision Benchmark Suite", CVPR
        2012, and its development kit. Objects just as high as a level's limit are ignored, as in the current kit; the
        first one counted them.

    Example:
        >>> car = [[100.0, 100, 200, 160]]
        >>> found = KITTIDetections(["Car"], car, [0.9])
        >>> scores = kitti_scores([found], [KITTIObjects(["Car"], car, [0.0], [0])])
        >>> scores.ap11[0].round(3).tolist(), scores.objects[0].tolist()
        ([0.091, 0.091, 0.091], [1, 1, 1])
    """
    if len(predictions) != len(targets):
        raise UsageError(f"expected predictions for {len(targets)} images, as many as targets, got {len(predictions)}")
    images = [_image(*pair, number) for number, pair in enumerate(zip(predictions, targets, strict=True))]
    precision = np.zeros((len(rules), len(levels), STEPS))
    objects = np.zeros(precision.shape[:2], np.int64)
    for row, (name, rule) in enumerate(rules.items()):
        for column, level in enumerate(levels.values()):
            cases = [_case(image, name, rule, level) for image in images]
            objects[row, column] = sum(int(case.valid.sum()) for case in cases)
            curve = _precision([case for case in cases if case.iou.size or case.real.any()], rule, objects[row, column])
            precision[row, column, : len(curve)] = curve
    return KITTIScores(precision[..., 1:].mean(axis=-1), precision[..., ::4].mean(axis=-1), precision, objects)


def _image(found: KITTIDetections, objects: KITTIObjects, number: int) -> _Image:
    boxes, truth = (np.asarray(each.boxes, np.float64).reshape(-1, 4) for each in (found, objects))
    scores, truncation = (np.asarray(each, np.float64).reshape(-1) for each in (found.scores, objects.truncation))
    occlusion = np.asarray(objects.occlusion, np.int64).reshape(-1)
    if not len(found.types) == len(boxes) == len(scores):
        raise UsageError(
            f"expected a type, a box and a score for each detection of image {number}, got {len(found.types)} types, "
            f"{len(boxes)} boxes and {len(scores)} scores"
        )
    if not len(objects.types) == len(truth) == len(truncation) == len(occlusion):
        raise UsageError(
            f"expected a type, a box, a truncation and an occlusion for each object of image {number}, got "
            f"{len(objects.types)} types, {len(truth)} boxes, {len(truncation)} and {len(occlusion)}"
        )
    types = np.array(objects.types, dtype=np.str_)
    shared = _intersection(truth, boxes)
    area = _area(boxes)
    union = _area(truth)[:, None] + area - shared
    inside = shared[types == DONT_CARE] / np.where(area > 0, area, 1)
    return _Image(
        types,
        truth[:, 3] - truth[:, 1],
        truncation,
        occlusion,
        np.array(found.types, dtype=np.str_),
        # The kit keeps the height of a detection as a whole number.
        np.trunc(np.abs(boxes[:, 3] - boxes[:, 1])),
        scores,
        np.where(shared > 0, shared / np.where(union > 0, union, 1), 0),
        inside.max(axis=0, initial=0),
    )


def _case(image: _Image, name: str, rule: KITTIRule, level: KITTILevel) -> _Case:
    own = image.types == name
    counts = (image.heights > level.height) & (image.occlusion <= level.occlusion)
    valid = own & counts & (image.truncation <= level.truncation)
    takes_part = own | np.isin(image.types, rule.neighbours)
    # Height comes before the class: a low detection of another class takes part too.
    low = image.low < level.height
    real = (image.found == name) & ~low
    detected = low | real
    return _Case(
        valid[takes_part],
        real[detected],
        image.scores[detected],
        image.iou[takes_part][:, detected],
        (image.covered > rule.overlap)[detected],
    )


def _precision(cases: Sequence[_Case], rule: KITTIRule, objects: int) -> Floats:
    """The best precision from each threshold on."""
    if not objects:
        return np.zeros(0)
    scores = np.concatenate([np.zeros(0), *(_right_scores(case, rule.overlap) for case in cases)])
    thresholds = _thresholds(scores, objects)
    right, wrong = np.zeros((2, len(thresholds)), np.int64)
    for case in cases:
        hits, misses = _count(case, rule.overlap, thresholds)
        right, wrong = right + hits, wrong + misses
    share = right / np.maximum(right + wrong, 1)
    return np.asarray(np.maximum.accumulate(share[::-1])[::-1])


def _right_scores(case: _Case, overlap: float) -> Floats:
    """The scores of the detections that objects take where each takes the one of the highest score."""
    free = np.ones(len(case.scores), np.bool_)
    kept: list[float] = []
    for valid, iou in zip(case.valid, case.iou, strict=True):
        near = (iou > overlap) & free
        if near.any():
            best = int(np.where(near, case.scores, -np.inf).argmax())
            free[best] = False
            if valid and case.real[best]:
                kept.append(float(case.scores[best]))
    return np.array(kept)


def _thresholds(scores: Floats, objects: int) -> Floats:
    """The scores at which recall is nearest to its steps 0, 1/40, ..., 1."""
    kept: list[float] = []
    recall = 0.0
    ordered = np.sort(scores)[::-1]
    for index, score in enumerate(ordered, start=1):
        last = index == len(ordered)
        if not last and (index + 1) / objects - recall < recall - index / objects:
            continue
        kept.append(float(score))
        recall += 1 / (STEPS - 1)
    return np.array(kept[:STEPS])


def _count(case: _Case, overlap: float, thresholds: Floats) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """How many detections are right and wrong at each threshold, all thresholds at once."""
    free = case.scores >= thresholds[:, None]
    at = np.arange(len(thresholds))
    right = np.zeros(len(thresholds), np.int64)
    for valid, iou in zip(case.valid, case.iou, strict=True):
        near = free & (iou > overlap)
        if not near.any():
            continue
        # Real ones come before ignored ones; of the ignored, the first will do.
        best = np.where(near & case.real, 2 + iou, near).argmax(axis=1)
        taken = near[at, best]
        free[at[taken], best[taken]] = False
        right += taken & valid & case.real[best]
    wrong = free & case.real & ~case.excused
    return right, wrong.sum(axis=1)


def _intersection(first: Floats, second: Floats) -> Floats:
    """The area that each box of the one shares with each of the other, (M, D)."""
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum(first[:, None, 2:], second[None, :, 2:])
    return np.asarray((high - low).clip(0).prod(axis=-1))


def _area(boxes: Floats) -> Floats:
    return np.asarray((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]))
