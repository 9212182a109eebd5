"""Scores of object detection as COCO, Pascal VOC and KITTI count them, gathered over a data set."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from pupil.errors import UsageError, unknown
from pupil.imports import import_package
from pupil.metrics.kitti import (
    LEVELS,
    RULES,
    TYPES,
    KITTIDetections,
    KITTIObjects,
    KITTIRule,
    kitti_scores,
)
from pupil.metrics.voc import ALL, VOCDetections, VOCObjects, voc_scores

Boxes = Sequence[Mapping[str, Tensor]]

# The score that stands in a results table.
SCORES = {"coco": "map", "voc": "map_50", "kitti": "ap_moderate"}
SUMMARY = ("map", "map_50", "map_75", "map_small", "map_medium", "map_large", "mar_100")
DETECTION = ("labels", "scores", "boxes")
OBJECT = ("labels", "boxes", "area", "iscrowd", "difficult", "type", "truncation", "occlusion")
WHOLE = ("labels", "iscrowd")
SIZES = {"small": (0.0, 32.0**2), "medium": (32.0**2, 96.0**2), "large": (96.0**2, np.inf)}  # as COCO has them
UNKNOWN = -1  # type of an object where the data name none


class DetectionMetrics:
    """The scores of one benchmark, in [0, 1].

    =======  =============================================================================================
    coco     map: average precision over IoU 0.5 to 0.95, mean over classes; map_50, map_75; map_small,
             map_medium, map_large: objects under 32², under 96² pixels, and above; mar_100: recall with
             100 detections an image; map/CLASS. By torchmetrics and faster-coco-eval
    voc      map_50: mean over classes of the area under the curve at IoU 0.5; map_50_small, map_50_medium,
             map_50_large: objects of COCO's sizes; map_50/CLASS. See :func:`pupil.metrics.voc_scores`
    kitti    ap_easy, ap_moderate, ap_hard: mean over classes at 40 steps of recall, ap11_easy and so on at
             11, as until 2019, and the same with /CLASS; map_50 as for voc, which articles report. See
             :func:`pupil.metrics.kitti_scores`
    =======  =============================================================================================

    A class or size without any object has no score, and is in no mean; "kitti" counts it as 0, as its kit does.

    Args:
        classes: their names, without the background.
        metric: "coco", "voc" or "kitti".

    Shape:
        prediction and target: one dict an image. Both have boxes (M, 4) and labels (M,), 1 for the first class, and
        predictions scores (M,); further entries of a target as in :class:`pupil.data.detection.boxes.DetectionData`.
        With "voc" and "kitti" an object of label 0 may be missed; "coco" leaves it out.

    Raises:
        UsageError: for an unknown metric; for "coco" without faster-coco-eval.

    Example:
        >>> car = {"boxes": torch.tensor([[0.0, 0, 20, 20]]), "labels": torch.tensor([1])}
        >>> scores = DetectionMetrics(["car", "person"], "voc")
        >>> scores.update([{**car, "scores": torch.tensor([0.9])}], [car])
        >>> scores.compute()
        {'map_50': 1.0, 'map_50_small': 1.0, 'map_50/car': 1.0}
    """

    def __init__(self, classes: Sequence[str], metric: str = "coco") -> None:
        if metric not in SCORES:
            raise unknown("metric", metric, SCORES)
        self.metric = metric
        kinds: Mapping[str, Callable[[tuple[str, ...]], _Scores]] = {"coco": _COCO, "voc": _VOC, "kitti": _KITTI}
        self._scores = kinds[metric](tuple(classes))

    def update(self, prediction: Boxes, target: Boxes) -> None:
        """Count one batch."""
        if len(prediction) != len(target):
            raise UsageError(f"expected one dict an image, got {len(prediction)} predictions and {len(target)} targets")
        if len(prediction):
            self._scores.update(prediction, target)

    def compute(self) -> dict[str, float]:
        """The scores over everything counted so far; their first is the mean over classes."""
        return self._scores.compute()


class _Scores(Protocol):
    def update(self, prediction: Boxes, target: Boxes) -> None: ...

    def compute(self) -> dict[str, float]: ...


class _Kept:
    """Predictions and targets of all images, and of all processes once they are asked for."""

    def __init__(self, classes: tuple[str, ...]) -> None:
        from torchmetrics import CatMetric

        self.classes = classes
        # One row of numbers: of each image how many detections and objects it has, then these.
        self.kept = CatMetric(nan_strategy="disable")
        # A process may get no image at all, and is asked for what it has all the same: the others wait for it.
        self.kept.update(torch.zeros(0))

    def update(self, prediction: Boxes, target: Boxes) -> None:
        for found, objects in zip(prediction, target, strict=True):
            device = found["boxes"].device
            counts = torch.tensor([len(found["labels"]), len(objects["labels"])], device=device)
            tables = [counts, _table(found, DETECTION), _table({**_defaults(objects["labels"]), **objects}, OBJECT)]
            self.kept.to(device).update(torch.cat([each.to(device).flatten().float() for each in tables]))

    def images(self) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
        """The arrays of each image."""
        numbers = np.asarray(torch.as_tensor(self.kept.compute()).cpu().double())
        place = 0
        while place < len(numbers):
            found, objects = numbers[place : place + 2].astype(int)
            middle = place + 2 + found * (len(DETECTION) + 3)
            end = middle + objects * (len(OBJECT) + 3)
            yield _arrays(numbers[place + 2 : middle], DETECTION), _arrays(numbers[middle:end], OBJECT)
            place = end

    def voc(self, *areas: tuple[float, float]) -> list[Any]:
        """The average precision of each class as VOC counts it, (K,), of the objects within each range of areas."""
        predictions, targets = [], []
        for found, objects in self.images():
            predictions.append(VOCDetections(*(found[name] for name in VOCDetections._fields)))
            targets.append(VOCObjects(*(objects[name] for name in VOCObjects._fields)))
        return [voc_scores(predictions, targets, len(self.classes), area=area).ap for area in areas]


class _COCO(_Kept):
    def __init__(self, classes: tuple[str, ...]) -> None:
        import_package("faster_coco_eval", "detection", "the scores of COCO")
        super().__init__(classes)

    def compute(self) -> dict[str, float]:
        from torchmetrics.detection import MeanAveragePrecision

        # What is given has been gathered: its own way needs as many images from every process.
        scores = MeanAveragePrecision(class_metrics=True, backend="faster_coco_eval", sync_on_compute=False)
        # It counts the best 100 of an image, and would warn of detectors that give more.
        scores.warn_on_many_detections = False
        for found, objects in self.images():
            named = objects["labels"] > 0
            counted = {name: objects[name][named] for name in ("boxes", "labels", "area", "iscrowd")}
            scores.update([_tensors(found)], [_tensors(counted)])
        scored = scores.compute()
        means = {name: float(scored[name]) for name in SUMMARY}
        labels, of_class = scored["classes"].reshape(-1).tolist(), scored["map_per_class"].reshape(-1).tolist()
        means |= {f"map/{self.classes[label - 1]}": value for label, value in zip(labels, of_class, strict=True)}
        # It says -1 where there was no object.
        return {"map": float("nan")} | {name: value for name, value in means.items() if value >= 0}


class _VOC(_Kept):
    def compute(self) -> dict[str, float]:
        ap, *by_size = self.voc(ALL, *SIZES.values())
        sizes = {f"map_50_{name}": _mean(each) for name, each in zip(SIZES, by_size, strict=True)}
        of_class = {f"map_50/{name}": float(value) for name, value in zip(self.classes, ap, strict=True)}
        return {"map_50": _mean(ap)} | {name: value for name, value in (sizes | of_class).items() if value == value}


class _KITTI(_Kept):
    def compute(self) -> dict[str, float]:
        names = np.array(["DontCare", *self.classes])
        predictions, targets = [], []
        for found, objects in self.images():
            labels, types = objects["labels"].astype(int), objects["type"].astype(int)
            said = np.where(types == UNKNOWN, names[labels], np.array(TYPES)[types])
            detected = names[found["labels"].astype(int)]
            predictions.append(KITTIDetections(detected, found["boxes"], found["scores"]))
            # Labels have two decimals. As float32, 0.15 is above the 0.15 that is easy, and a height of 25 above 25.
            boxes, truncation = objects["boxes"].round(3), objects["truncation"].round(3)
            targets.append(KITTIObjects(said, boxes, truncation, objects["occlusion"]))
        rules = {name: RULES.get(name, KITTIRule(0.5)) for name in self.classes}
        scored = kitti_scores(predictions, targets, rules=rules)
        tables = {"ap": scored.ap40, "ap11": scored.ap11}
        means = {
            f"{kind}_{level}": float(values.mean())
            for kind, ap in tables.items()
            for level, values in zip(LEVELS, ap.T, strict=True)
        }
        of_class = {
            f"{kind}_{level}/{name}": float(value)
            for kind, ap in tables.items()
            for name, values in zip(self.classes, ap, strict=True)
            for level, value in zip(LEVELS, values, strict=True)
        }
        first = SCORES["kitti"]
        (voc,) = self.voc(ALL)
        return {first: means[first], **means, "map_50": _mean(voc), **of_class}


def _mean(ap: Any) -> float:
    """The mean over the classes that have objects."""
    there = ap[np.isfinite(ap)]
    return float(there.mean()) if len(there) else float("nan")


def _defaults(labels: Tensor) -> dict[str, Tensor]:
    """What own data need not say: an object is visible and easy, of the type of its class, as large as its box."""
    zeros = torch.zeros_like(labels)
    # torchmetrics takes the area of the box where it is told 0.
    return {**dict.fromkeys(OBJECT[2:], zeros), "type": zeros + UNKNOWN}


def _table(entries: Mapping[str, Tensor], names: Sequence[str]) -> Tensor:
    columns = [entries[name].detach().as_subclass(Tensor).float() for name in names]
    return torch.cat([each if each.dim() == 2 else each[:, None] for each in columns], dim=1)


def _arrays(numbers: Any, names: Sequence[str]) -> dict[str, Any]:
    """The columns of a table by name; boxes have four."""
    rows = numbers.reshape(-1, len(names) + 3)
    place = names.index("boxes")
    columns = np.split(rows, [*range(1, place + 1), *range(place + 4, rows.shape[1])], axis=1)
    return {name: column if name == "boxes" else column[:, 0] for name, column in zip(names, columns, strict=True)}


def _tensors(arrays: Mapping[str, Any]) -> dict[str, Tensor]:
    """The arrays of an image as torchmetrics takes them."""
    return {
        name: torch.from_numpy(array).to(torch.int64 if name in WHOLE else torch.float32)
        for name, array in arrays.items()
    }
