"""Lane detection on any data, with any segmentation or lane network and any method."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pupil.recipes import training
from pupil.recipes.material import Material, check_data, few_of
from pupil.recipes.options import Lanes, parse_range, parse_size
from pupil.run import Run

if TYPE_CHECKING:
    from pupil.data.lanes.lane_images import LaneData
    from pupil.data.transforms import Transform
    from pupil.recipes.predictions import LanePoints, Masks
    from pupil.tasks.lanes import LanesTask
    from pupil.tasks.task import Task

NAME = "lanes"


def lanes(
    options: Lanes | None = None,
    datasets: tuple[LaneData, LaneData] | None = None,
    transform: Transform | None = None,
) -> Run:
    """Train a lane network, alone, from itself or from a teacher.

    Command: `pupil train lanes --data scenes --method sad`
    Data: TuSimple, CULane or BDD100K as they are unpacked (`docs/data.md`), or drawn scenes.
    Hardware: CPU or one GPU.
    Expected result: `docs/results/lanes.md` shows one table on drawn scenes, with the exact commands.

    Args:
        options: see :class:`pupil.recipes.options.Lanes`.
        datasets: training and validation data from Python instead of `options.data`, see
            :class:`pupil.data.lanes.lane_images.LaneData`.
        transform: joint transform `(image, lanes) -> (image, mask)` of the training images instead of the usual one;
            its images have the size `options.size`.
    """
    return train_as(NAME, options or Lanes(), datasets, transform)


def train_as(
    recipe: str,
    options: Lanes,
    datasets: tuple[LaneData, LaneData] | None = None,
    transform: Transform | None = None,
) -> Run:
    """Train by the options, under the name of a recipe."""
    return training.train_as(recipe, options, partial(prepare, datasets=datasets, transform=transform))


def prepare(
    options: Lanes,
    datasets: tuple[LaneData, LaneData] | None = None,
    transform: Transform | None = None,
) -> Material:
    """The task, the data and the transform that the options name."""
    from pupil.data.lanes.formats import checked_lanes, described, lanes_data, lanes_format
    from pupil.data.lanes.transforms import lanes_transform
    from pupil.data.own_code import PYTHON

    size, name, layout = parse_size(options.size), options.data, None
    if datasets is not None:
        name = PYTHON
        datasets = (checked_lanes(datasets[0]), checked_lanes(datasets[1]))
    else:
        layout = lanes_format(options.data, options.format)
        datasets = lanes_data(
            options.data, format=options.format, scene_size=size, labels=options.labels, seed=options.seed
        )
        if layout:
            print(described(layout, *datasets))
    data, val = datasets
    check_data(data, val, skip=options.skip_bad_images)
    record = {
        "data": name,
        "data_format": layout,
        **said_by(data),
        "scene_size": list(size),
        "size": list(size),
        "top": options.top,
        "threshold": options.threshold,
        "smoothing": options.smoothing,
    }
    # Masks of BDD100K have one class of all lanes, and nearly every image has one.
    usual = 0.0 if data.metric == "bdd100k" else 0.1
    objective = {
        "background_weight": options.background_weight,
        "existence_weight": usual if options.existence_weight is None else options.existence_weight,
        "iou_weight": options.iou_weight,
    }
    transform = transform or lanes_transform(
        size,
        scale=parse_range(options.scale),
        rotation=options.rotation,
        colour=options.colour,
        top=options.top,
        width=options.line_width,
    )
    task, scored = task_from(record, objective), few_of(val, options)
    return Material(NAME, task, data, scored, transform, record, student=_sized(options.student, options.size))


def said_by(data: LaneData) -> dict[str, Any]:
    """What data say of their lanes, as a run remembers it."""
    return {
        "classes": list(data.classes),
        "colours": [list(colour) for colour in data.colours],
        "ignore_index": data.ignore_index,
        "rows": [float(row) for row in data.rows],
        "metric": data.metric,
        "frame": list(data.frame),
    }


def task_from(record: Mapping[str, Any], objective: Mapping[str, Any] | None = None) -> LanesTask:
    """The task as run.json remembers it."""
    from pupil.tasks.lanes import LanesTask

    return LanesTask(
        record["classes"],
        rows=record["rows"],
        metric=record["metric"],
        colours=record["colours"],
        size=tuple(record["size"]),
        ignore_index=record["ignore_index"],
        objective=objective,
        frame=tuple(record["frame"]),
        top=record["top"],
        decoding={"threshold": record["threshold"], "smoothing": record.get("smoothing")},
    )


def validation_from(
    record: Mapping[str, Any], spec: str, format: str | None, *, split: str, own_classes: bool
) -> LaneData:
    """The validation data that a text names."""
    from pupil.data.lanes.formats import lanes_validation
    from pupil.data.layouts import AUTO
    from pupil.data.own_code import check_classes

    scene_size = tuple(record["scene_size"])
    data = lanes_validation(spec, format=format or AUTO, scene_size=scene_size, split=split)
    # Slots are places: none stands for another by its name.
    check_classes(data, record["classes"], repr(spec), "score on data with as many slots")
    return data


def view_of(record: Mapping[str, Any]) -> None:
    """Images are predicted on as they are."""


def writer(record: Mapping[str, Any], task: Task, out: Path) -> LanePoints | Masks:
    """Points and overlays; for BDD100K masks and overlays."""
    from pupil.recipes.predictions import LanePoints, Masks

    return LanePoints(out, task) if record["rows"] else Masks(out, task, record["colours"])


def _sized(student: str, size: str) -> str:
    """A lane network of ours with an existence branch for images of this size, unless the text says another."""
    from pupil.models.lanes import NAMES
    from pupil.models.spec import parse

    if Path(student).is_dir():
        return student
    spec = parse(student)
    if spec.family != "pupil" or spec.name not in NAMES or "size" in spec.options:
        return student
    return f"{student}{'&' if spec.options else '?'}size={size}"
