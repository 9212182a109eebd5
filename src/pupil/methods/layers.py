"""Methods that compare one layer of the student with one of the teacher, and which layers when nobody has said."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial

from torch import Tensor, nn

from pupil.distiller import Term
from pupil.errors import UsageError
from pupil.lesson import Inputs, Lesson, Weight, features, same_size
from pupil.methods.maps import LayerMaps, laid_out, seen_size
from pupil.methods.plan import Plan, needed, require, with_teacher
from pupil.taps import RECEIVED, DryRun, LayerShape, dry_run
from pupil.tasks.class_matching import names_of
from pupil.tasks.task import Task

Layer = tuple[str, tuple[int, ...]]
# Auxiliary heads, the second head of transformers that were distilled, and the branch that says which lanes there are,
# in the names that libraries give them, and we.
SIDE = ("aux", "head_dist", "existence")


def between_layers(
    name: str,
    loss: Callable[[Layer, Layer], nn.Module],
    student: nn.Module,
    teacher: nn.Module | None,
    task: Task,
    image: Tensor,
    *,
    layer: str | None,
    teacher_layer: str | None,
    weight: Weight,
    only_maps: bool = True,
    further: Mapping[str, Term] | None = None,
    task_weight: Weight = 1.0,
) -> Plan:
    """The task loss and one term between a layer of the student and a layer of the teacher.

    Tokens and maps with their channels last become maps (N, C, H, W), unless both networks show tokens of one number
    and the loss takes those; maps of unlike size are brought to the smaller of the two.

    Args:
        name: the term's name.
        loss: makes the loss, given (name, shape) of the student's layer and of the teacher's.
        student: the network to be trained.
        teacher: the trained network.
        task: how both are called.
        image: a sample batch, to find the shapes.
        layer: the student's layer, None for the last feature before its classifier.
        teacher_layer: the teacher's layer, see :func:`pair_of_layers`.
        weight: the term's weight.
        only_maps: whether the loss compares maps (N, C, H, W) and nothing else.
        further: terms beside it.
        task_weight: weight of the task loss.

    Raises:
        UsageError: for a task of detectors; if a layer is unknown or cannot be tapped, or is no map where the loss
            compares maps.
    """
    require(task, name, "dense", "whole")
    teacher = needed(teacher)
    ours, theirs = pair_of_layers(student, teacher, task, image, layer, teacher_layer, maps=only_maps)
    to_maps: list[nn.Module] = [nn.Identity(), nn.Identity()]
    if only_maps or not len(ours[1]) == len(theirs[1]) == 3 or ours[1][1] != theirs[1][1]:
        pairs = [laid_out(shape, seen_size(model, image)) for model, (_, shape) in ((student, ours), (teacher, theirs))]
        to_maps = [to_map for to_map, _ in pairs]
        ours, theirs = (ours[0], pairs[0][1]), (theirs[0], pairs[1][1])
    if only_maps and not len(ours[1]) == len(theirs[1]) == 4:
        raise UsageError(
            f"expected two maps (N, C, H, W) for {name!r}, got the student's {ours[0]!r} {ours[1]} "
            f"and the teacher's {theirs[0]!r} {theirs[1]}: choose layers before any pooling (see `pupil layers`)"
        )
    inputs = partial(_maps, layers=features(ours[0], theirs[0]), to_maps=to_maps)
    term = Term(loss(ours, theirs), inputs, weight)
    tapped, terms = ([ours[0]], [theirs[0]]), {name: term, **(further or {})}
    return with_teacher(student, teacher, task, terms, layers=tapped, task_weight=task_weight)


def _maps(lesson: Lesson, *, layers: Inputs, to_maps: Sequence[nn.Module]) -> tuple[Tensor, Tensor]:
    """Both features as maps of one size, where they are maps."""
    student, teacher = (to_map(feature) for feature, to_map in zip(layers(lesson), to_maps, strict=True))
    return same_size(student, teacher, "smaller") if student.dim() == teacher.dim() == 4 else (student, teacher)


def pair_of_layers(
    student: nn.Module,
    teacher: nn.Module,
    task: Task,
    image: Tensor,
    layer: str | None,
    teacher_layer: str | None,
    *,
    maps: bool = False,
) -> tuple[Layer, Layer]:
    """One layer of each network, with its shape.

    Args:
        student: network that learns.
        teacher: network that teaches.
        task: how both are called.
        image: a sample batch.
        layer: the student's layer, None for the last feature before its classifier.
        teacher_layer: the teacher's, None for the student's name where the teacher has it, else the last feature.
        maps: whether the last feature is to have positions.

    Returns:
        (name, shape) of the student's layer and of the teacher's.
    """
    shapes = dry_run(student, image, task.call), dry_run(teacher, image, task.call)
    ours = layer or last_feature(student, shapes[0], _classes(student, task), maps=maps)
    if layer and teacher_layer is None and layer.removesuffix(RECEIVED) in shapes[1].layers:
        teacher_layer = layer
    theirs = teacher_layer or last_feature(teacher, shapes[1], _classes(teacher, task), maps=maps)
    return (ours, shapes[0].shape(ours)), (theirs, shapes[1].shape(theirs))


def _classes(model: nn.Module, task: Task) -> int:
    """How many channels its classifier has: a teacher may tell more classes apart than the task asks for."""
    return len(names_of(model) or task.classes)


def last_feature(model: nn.Module, shapes: DryRun, classes: int, *, maps: bool = False) -> str:
    """What the classifier receives: the input of the last convolution or linear layer of one channel a class.

    Passed over are the layers of auxiliary heads and branches, which run after the classifier in several libraries, and
    learned upsampling, which enlarges the logits that the classifier has given.

    Args:
        model: the network.
        shapes: a dry run of it.
        classes: number of classes.
        maps: whether to go back to the last layer of several positions, where the classifier receives vectors.

    Raises:
        UsageError: if no layer looks like a classifier.
    """
    found = reversed(list(shapes.layers.items()))
    for name, layer in found:
        weight = getattr(model.get_submodule(name), "weight", None)
        projects = isinstance(weight, Tensor) and weight.dim() > 1
        if projects and not any(side in name for side in SIDE) and _classifies(layer, classes):
            if not maps or len(layer.received or ()) > 2:
                return f"{name}{RECEIVED}"
            # A layer's parts have finished before it: the whole block comes first, going back.
            return next((before for before, each in found if each.problem is None and _has_positions(each)), name)
    raise UsageError(
        f"expected a layer that returns {classes} channels, one a class, got none: "
        "name the layer with --set layer=NAME (see `pupil layers`)"
    )


def stages_before_classifier(model: nn.Module, shown: LayerMaps, task: Task) -> list[str]:
    """The deepest layer of each resolution on the way down to the coarsest.

    What the classifier receives is looked at, what it and its own parts return is not. Where no classifier is found,
    all layers are looked at.
    """
    classifier = None
    with suppress(UsageError):
        classifier = last_feature(model, shown.found, _classes(model, task))
    return shown.stages(before=classifier)


def _classifies(layer: LayerShape, classes: int) -> bool:
    if layer.output is None or layer.received is None or layer.output[1:2] != (classes,):
        return False
    return layer.received[1] != classes or layer.received[2:] == layer.output[2:]


def _has_positions(layer: LayerShape) -> bool:
    shape = layer.output or ()
    return len(shape) > 2 and (shape[1] if len(shape) == 3 else math.prod(shape[2:])) > 1
