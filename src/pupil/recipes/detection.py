"""Object detection on any data, with any detector and any method."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pupil.recipes import training
from pupil.recipes.material import Material, check_data, few_of
from pupil.recipes.options import Detection, parse_numbers, parse_size
from pupil.run import Run

if TYPE_CHECKING:
    from pupil.data.detection.boxes import DetectionData
    from pupil.data.transforms import Transform
    from pupil.recipes.predictions import FoundBoxes
    from pupil.tasks.detection.task import DetectionTask

NAME = "detection"


def detection(
    options: Detection | None = None,
    datasets: tuple[DetectionData, DetectionData] | None = None,
    transform: Transform | None = None,
) -> Run:
    """Train a detector, alone or from a teacher.

    Command: `pupil train detection --data DIR --student torchvision:fasterrcnn_mobilenet_v3_large_320_fpn`
    Data: COCO, KITTI, Pascal VOC or YOLO as they are unpacked (`docs/data.md`), or drawn scenes.
    Hardware: one GPU; CPU for the small detectors of ours on small images.
    Expected result: detectors need long schedules, and none has been run here but in small.

    Args:
        options: see :class:`pupil.recipes.options.Detection`.
        datasets: training and validation data from Python instead of `options.data`, see
            :class:`pupil.data.detection.boxes.DetectionData`.
        transform: joint transform `(image, target) -> (image, target)` of the training images instead of the usual one.
    """
    return train_as(NAME, options or Detection(), datasets, transform)


def train_as(
    recipe: str,
    options: Detection,
    datasets: tuple[DetectionData, DetectionData] | None = None,
    transform: Transform | None = None,
) -> Run:
    """Train by the options, under the name of a recipe."""
    return training.train_as(recipe, options, partial(prepare, datasets=datasets, transform=transform))


def prepare(
    options: Detection,
    datasets: tuple[DetectionData, DetectionData] | None = None,
    transform: Transform | None = None,
) -> Material:
    """The task, the data and the transform that the options name."""
    from pupil.data.detection.formats import checked_boxes, described, detection_data, detection_format
    from pupil.data.detection.remarks import remark
    from pupil.data.detection.transforms import detection_transform
    from pupil.data.own_code import PYTHON

    scene_size, name, layout = parse_size(options.scene_size), options.data, None
    if datasets is not None:
        name = PYTHON
        datasets = (checked_boxes(datasets[0]), checked_boxes(datasets[1]))
    else:
        layout = detection_format(options.data, options.format)
        datasets = detection_data(
            options.data,
            format=options.format,
            scene_size=scene_size,
            labels=options.labels,
            seed=options.seed,
            strict=options.strict,
            skip=options.skip_bad_images,
        )
        if layout:
            print(described(layout, *datasets))
    data, val = datasets
    check_data(data, val, skip=options.skip_bad_images)
    remarks = [remark(val, "validation"), remark(data, "training")]
    # Both sets come from the same code as a rule: the one remark says it.
    if said := next(filter(None, remarks), None):
        print(said)
    record = {"data": name, "data_format": layout, **said_by(data), "scene_size": list(scene_size)}
    transform = transform or detection_transform(
        parse_size(options.size) if options.size else None,
        short=[int(each) for each in parse_numbers(options.short) or ()] or None,
        long=options.long,
        flip=options.flip,
        colour=options.colour,
        zoom_out=options.zoom_out,
        crop=options.crop,
    )
    return Material(NAME, task_from(record), data, few_of(val, options), transform, record)


def said_by(data: DetectionData) -> dict[str, Any]:
    """What data say of their boxes, as a run remembers it."""
    return {
        "classes": list(data.classes),
        "colours": [list(colour) for colour in data.colours],
        "metric": data.metric,
    }


def task_from(record: Mapping[str, Any], objective: Mapping[str, Any] | None = None) -> DetectionTask:
    """The task as run.json remembers it."""
    from pupil.tasks.detection.task import SCORE, DetectionTask

    return DetectionTask(
        record["classes"],
        metric=record["metric"],
        colours=record["colours"],
        objective=objective,
        score=record.get("drawn_from", SCORE),
    )


def validation_from(
    record: Mapping[str, Any], spec: str, format: str | None, *, split: str, own_classes: bool
) -> DetectionData:
    """A split of the data that a text names."""
    from pupil.data.detection.formats import detection_validation, unreadable
    from pupil.data.layouts import AUTO

    data = detection_validation(
        spec,
        classes=record["classes"],
        format=format or AUTO,
        scene_size=tuple(record["scene_size"]),
        split=split,
        own_classes=own_classes,
        skip=record.get("options", {}).get("skip_bad_images", False),
    )
    if said := unreadable(data):
        print(f"data: {said}")
    return data


def view_of(record: Mapping[str, Any]) -> None:
    """Images are predicted on as they are."""


def writer(record: Mapping[str, Any], task: DetectionTask, out: Path) -> FoundBoxes:
    """Boxes in COCO's form and overlays."""
    from pupil.recipes.predictions import FoundBoxes

    return FoundBoxes(out, task)
