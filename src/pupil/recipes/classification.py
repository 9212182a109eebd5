"""Classification on any images, with any models and any method."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pupil.recipes import training
from pupil.recipes.material import Material, check_data, few_of
from pupil.recipes.options import Classification, parse_range, parse_size
from pupil.run import Run

if TYPE_CHECKING:
    from pupil.data.classification import Prepared
    from pupil.data.mixing import Kind
    from pupil.data.own_code import NamedClasses
    from pupil.data.transforms import Transform
    from pupil.recipes.predictions import Probabilities
    from pupil.tasks.classification import ClassificationTask
    from pupil.tasks.task import Task

NAME = "classification"


def classification(
    options: Classification | None = None,
    datasets: tuple[NamedClasses, NamedClasses] | None = None,
    transform: Transform | None = None,
) -> Run:
    """Train a classifier, alone, from itself or from a teacher.

    Command: `pupil train classification --data DIR --student pupil:resnet20 --method bake`
    Data: `DIR/train/CLASS/NAME.jpg` and the same under `DIR/val`, plain or as `train.zip` and `val.zip`; CIFAR-10 and
    CIFAR-100 as torchvision unpacks them (`docs/data.md`).
    Hardware: CPU or one GPU.
    Expected result: `docs/results/cifar10.md` shows one table, with the exact commands.

    Args:
        options: see :class:`pupil.recipes.options.Classification`.
        datasets: training and validation data from Python instead of `options.data`: (image, class id), each with
            `classes`, and with `labels` or `targets`, the class of each image, where the method batches by class.
        transform: `(image, class id) -> (image, class id)` of the training images instead of the usual one; its
            images have the size `options.size`.
    """
    return train_as(NAME, options or Classification(), datasets, transform)


def train_as(
    recipe: str,
    options: Classification,
    datasets: tuple[NamedClasses, NamedClasses] | None = None,
    transform: Transform | None = None,
) -> Run:
    """Train by the options, under the name of a recipe."""
    return training.train_as(recipe, options, partial(prepare, datasets=datasets, transform=transform))


def prepare(
    options: Classification,
    datasets: tuple[NamedClasses, NamedClasses] | None = None,
    transform: Transform | None = None,
) -> Material:
    """The task, the data and the transform that the options name."""
    from pupil.data.classification import checked_classes, classification_data, classification_format
    from pupil.data.image_transforms import crop_transform
    from pupil.data.mixing import Mixing
    from pupil.data.own_code import PYTHON
    from pupil.data.views import Views

    size, name, layout = parse_size(options.size), options.data, None
    if datasets is not None:
        name = PYTHON
    else:
        layout = classification_format(options.data, options.format)
        datasets = classification_data(options.data, format=options.format, labels=options.labels, seed=options.seed)
    data, val = (checked_classes(each) for each in datasets)
    check_data(data, val, skip=options.skip_bad_images)
    if layout:
        print(f"data: {len(data)} training, {len(val)} validation images, {len(data.classes)} classes")
    record = {
        "data": name,
        "data_format": layout,
        **said_by(data),
        "folders": list(getattr(data, "folders", data.classes)),
        "size": list(size),
    }
    crop = options.crop
    if crop == "auto":
        image, _, _ = Views(data, skip=options.skip_bad_images)[0, 0]
        crop = "pad" if tuple(image.shape[-2:]) == size else "zoom"
    transform = transform or crop_transform(
        size, crop=crop, zoom=parse_range(options.zoom), flip=options.flip, colour=options.colour
    )
    kind: Kind = "mixup" if options.mixup else "cutmix"
    strength = options.mixup or options.cutmix
    objective = {"label_smoothing": options.label_smoothing, "auxiliary_weight": options.auxiliary_weight}
    return Material(
        NAME,
        task_from(record, objective),
        data,
        few_of(_seen(val, record), options),
        transform,
        record,
        mix=Mixing(len(data.classes), kind, strength) if strength else None,
    )


def said_by(data: NamedClasses) -> dict[str, Any]:
    """What data say of their labels, as a run remembers it."""
    return {"classes": list(data.classes)}


def task_from(record: Mapping[str, Any], objective: Mapping[str, Any] | None = None) -> ClassificationTask:
    """The task as run.json remembers it."""
    from pupil.tasks.classification import ClassificationTask

    return ClassificationTask(record["classes"], objective=objective)


def validation_from(
    record: Mapping[str, Any], spec: str, format: str | None, *, split: str, own_classes: bool
) -> Prepared:
    """A split of the data that a text names, cropped as the run's network sees images."""
    from pupil.data.classification import classification_validation
    from pupil.data.layouts import AUTO
    from pupil.data.own_code import check_classes

    opened = partial(classification_validation, spec, format=format or AUTO, split=split)
    data = opened(folders=None if own_classes else record["folders"])
    if not own_classes:
        check_classes(data, record["classes"], repr(spec))
    elif set(getattr(data, "folders", record["folders"])) < set(record["folders"]):
        # Folders that only lack images of some classes are no data of other classes.
        data = opened(folders=record["folders"])
    return _seen(data, record)


def view_of(record: Mapping[str, Any]) -> Transform:
    """The centre of an image at the size that the run's network sees."""
    from pupil.data.image_transforms import centre_transform

    return centre_transform(tuple(record["size"]))


def writer(record: Mapping[str, Any], task: Task, out: Path) -> Probabilities:
    """One table of the likeliest classes."""
    from pupil.recipes.predictions import Probabilities

    return Probabilities(out, task.classes)


def _seen(data: NamedClasses, record: Mapping[str, Any]) -> Prepared:
    from pupil.data.classification import Prepared

    return Prepared(data, view_of(record))
