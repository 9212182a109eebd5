"""Semantic segmentation on any data, with any models and any method."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pupil.errors import UsageError
from pupil.recipes import training
from pupil.recipes.material import Material, check_data, few_of
from pupil.recipes.options import Segmentation, parse_list, parse_numbers, parse_range, parse_size
from pupil.run import Run

if TYPE_CHECKING:
    from pupil.data.own_code import NamedClasses
    from pupil.data.segmentation import SegmentationData
    from pupil.data.transforms import Transform
    from pupil.recipes.predictions import Masks
    from pupil.tasks.segmentation import SegmentationTask
    from pupil.tasks.task import Task

NAME = "segmentation"


def segmentation(
    options: Segmentation | None = None,
    datasets: tuple[NamedClasses, NamedClasses] | None = None,
    transform: Transform | None = None,
) -> Run:
    """Train a segmentation network, alone or from a teacher.

    Command: `pupil train segmentation --data DIR --student pupil:small --teacher runs/big --method aicsd`
    Data: `DIR/train/images/NAME.jpg`, `DIR/train/masks/NAME.png` and the same under `DIR/val`; VOC, Cityscapes, ADE20K
    or CamVid as they are unpacked (`docs/data.md`); or drawn scenes.
    Hardware: CPU or one GPU.
    Expected result: `docs/results/camvid.md` shows one table, with the exact commands.

    Args:
        options: see :class:`pupil.recipes.options.Segmentation`.
        datasets: training and validation data from Python instead of `options.data`; each has `classes`, and may
            have `colours` and `ignore_index` (255).
        transform: joint transform `(image, mask) -> (image, mask)` of the training images, on torchvision's
            `tv_tensors`, instead of the usual one; its images have the size `options.size`.
    """
    return train_as(NAME, options or Segmentation(), datasets, transform)


def train_as(
    recipe: str,
    options: Segmentation,
    datasets: tuple[NamedClasses, NamedClasses] | None = None,
    transform: Transform | None = None,
) -> Run:
    """Train by the options, under the name of a recipe."""
    return training.train_as(recipe, options, partial(prepare, datasets=datasets, transform=transform))


def prepare(
    options: Segmentation,
    datasets: tuple[NamedClasses, NamedClasses] | None = None,
    transform: Transform | None = None,
) -> Material:
    """The task, the data and the transform that the options name."""
    from pupil.data.batches import MixedBatches
    from pupil.data.formats import described
    from pupil.data.layouts import AUTO
    from pupil.data.own_code import PYTHON
    from pupil.data.segmentation import DRAWN, checked_data, data_format, segmentation_data
    from pupil.data.street import StreetScenes
    from pupil.data.transforms import training_transform
    from pupil.data.unlabelled import PartlyLabelled, unlabelled_images
    from pupil.methods import ALONE, method_name

    if options.unlabelled and (options.teacher is None or method_name(options.method) in ALONE):
        given = f"--method {options.method}" if options.teacher else "no --teacher"
        raise UsageError(f"expected a teacher to label the images of --unlabelled, got {given}: leave one of them out")
    size, name, layout = parse_size(options.size), options.data, None
    if datasets is not None:
        name = DRAWN if isinstance(datasets[0], StreetScenes) else PYTHON
    else:
        layout = data_format(options.data, options.format)
        datasets = segmentation_data(
            options.data,
            format=layout or AUTO,
            scene_size=size,
            classes=parse_list(options.classes),
            ignore_index=options.ignore_index,
            labels=options.labels,
            label_noise=options.label_noise,
            seed=options.seed,
        )
        if layout:
            print(described(options.data, layout, *datasets))
    data, val = (checked_data(each) for each in datasets)
    check_data(data, val, skip=options.skip_bad_images)
    record = {
        "data": name,
        "data_format": layout,
        **said_by(data),
        "scene_size": list(size),
        "size": None if options.evaluation_size == "own" else list(parse_size(options.evaluation_size or options.size)),
        "window": None if options.window is None else list(parse_size(options.window)),
    }
    objective = {
        "label_smoothing": options.label_smoothing,
        "class_weights": parse_numbers(options.class_weights),
        "dice": options.dice,
        "auxiliary_weight": options.auxiliary_weight,
    }
    transform = transform or training_transform(
        size,
        scale=parse_range(options.scale),
        base=options.base,
        flip=options.flip,
        colour=options.colour,
        ignore_index=data.ignore_index,
    )
    images, batches = data, None
    if options.unlabelled:
        unlabelled = unlabelled_images(options.unlabelled, data)
        images = PartlyLabelled(data, unlabelled)
        batches = partial(MixedBatches, second=len(unlabelled), share=options.unlabelled_share)
        print(f"data: {len(unlabelled)} images that the teacher alone labels")
    return Material(NAME, task_from(record, objective), images, few_of(val, options), transform, record, batches)


def said_by(data: SegmentationData) -> dict[str, Any]:
    """What data say of their masks, as a run remembers it."""
    return {
        "classes": list(data.classes),
        "colours": [list(colour) for colour in data.colours],
        "ignore_index": data.ignore_index,
    }


def task_from(record: Mapping[str, Any], objective: Mapping[str, Any] | None = None) -> SegmentationTask:
    """The task as run.json remembers it: how a trained network is evaluated and drawn later."""
    from pupil.tasks.segmentation import SegmentationTask

    return SegmentationTask(
        record["classes"],
        ignore_index=record["ignore_index"],
        colours=record["colours"],
        size=record["size"] and tuple(record["size"]),
        window=record["window"] and tuple(record["window"]),
        objective=objective,
    )


def validation_from(
    record: Mapping[str, Any], spec: str, format: str | None, *, split: str, own_classes: bool
) -> SegmentationData:
    """A split of the data that a text names, with the run's classes unless they may have their own."""
    from pupil.data.layouts import AUTO
    from pupil.data.segmentation import validation_data

    return validation_data(
        spec,
        classes=record["classes"],
        ignore_index=record["ignore_index"],
        format=format or AUTO,
        scene_size=tuple(record["scene_size"]),
        own_classes=own_classes,
        split=split,
    )


def view_of(record: Mapping[str, Any]) -> None:
    """Images are predicted on as they are."""


def writer(record: Mapping[str, Any], task: Task, out: Path) -> Masks:
    """Masks and overlays."""
    from pupil.recipes.predictions import Masks

    return Masks(out, task, record["colours"])
