"""Methods that compare two detectors, level by level of their pyramids."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from pupil.distiller import Term
from pupil.errors import UsageError, listed
from pupil.lesson import Activations, Inputs, Lesson, Weight, teacher_of
from pupil.methods.plan import Plan, needed, planned, require
from pupil.networks.modes import evaluating
from pupil.tasks.detection import DetectorRecord, detector_call
from pupil.tasks.task import Task
from pupil.teachers import FrozenTeacher

# For each level, by name and from the largest map on, those of student and teacher.
Channels = Mapping[str, tuple[int, int]]
TABLE = "docs/detection.md lists which detectors can teach which"


def levels(lesson: Lesson) -> tuple[Any, ...]:
    """What both networks showed, each level by its name."""
    return lesson.student.features, teacher_of(lesson).features


def between_pyramids(
    name: str,
    loss: Callable[[Channels, DetectorRecord], nn.Module],
    student: nn.Module,
    teacher: nn.Module | None,
    task: Task,
    image: Any,
    *,
    weight: Weight,
    inputs: Inputs = levels,
    judged: bool = False,
) -> Plan:
    """The task loss and one term between the pyramids of two detectors.

    Args:
        name: the method's name.
        loss: makes the loss, given the channels of each level and what the student's heads showed.
        student: the detector to be trained.
        teacher: the trained detector.
        task: how both are called.
        image: a sample batch, to find the levels.
        weight: the term's weight.
        inputs: what the loss receives.
        judged: whether the teacher also shows its own losses, image by image.

    Raises:
        UsageError: for a task without detectors, or pyramids of other levels, named with both.
    """
    require(task, name, "boxes")
    teacher = needed(teacher)
    channels, record = compared(student, teacher, task, image)
    # Its heads are asked for its own losses alone.
    call = detector_call(teacher, heads=False, losses=judged)
    term = Term(loss(channels, record), inputs, weight)
    return planned(student, task, {name: term}, teacher=FrozenTeacher(teacher, call=call))


def compared(student: nn.Module, teacher: nn.Module, task: Task, image: Any) -> tuple[Channels, DetectorRecord]:
    """The channels of both networks at each level, and what the student's heads showed.

    The teacher is shown the batch that the student has transformed, as in training.

    Raises:
        UsageError: for levels of other names or strides, or transforms that disagree.
    """
    ours = _shown(student, image, task)
    theirs = _shown(teacher, image if ours.batch is None else ours.batch[0], task)
    names = [shown.output.levels for shown in (ours, theirs)]
    if names[0] != names[1]:
        raise UsageError(
            f"expected a teacher with the levels of the student's pyramid, got {listed(names[1], 8)} of the teacher "
            f"and {listed(names[0], 8)} of the student: build both on a pyramid of the same levels; {TABLE}"
        )
    shapes = {name: (ours.features[name].shape, theirs.features[name].shape) for name in names[0]}
    for name, (mine, other) in shapes.items():
        if mine[2:] != other[2:]:
            raise UsageError(
                f"expected pyramids of the same strides, got {tuple(mine)} of the student and {tuple(other)} of the "
                f"teacher at level {name!r}: build both on a pyramid of the same levels; {TABLE}"
            )
    return {name: (mine[1], other[1]) for name, (mine, other) in shapes.items()}, ours.output


class EachLevel(nn.Module):
    """The sum of one loss over the levels of two pyramids, with an adapter of its own at each.

    Args:
        channels: those of student and teacher at each level, by name.
        loss: makes the loss of a level from them.

    Shape:
        student, teacher: (N, C, H, W) by the name of the level; returns a scalar.
    """

    def __init__(self, channels: Channels, loss: Callable[[int, int], nn.Module]) -> None:
        super().__init__()
        self.channels = dict(channels)
        self.parts = nn.ModuleList(loss(*pair) for pair in self.channels.values())

    def forward(self, student: Mapping[str, Tensor], teacher: Mapping[str, Tensor]) -> Tensor:
        parts = zip(self.channels, self.parts, strict=True)
        return torch.stack([part(student[name], teacher[name]) for name, part in parts]).sum()

    def extra_repr(self) -> str:
        return ", ".join(self.channels)


def _shown(model: nn.Module, image: Any, task: Task) -> Activations:
    """What a network shows of a batch, without a trace."""
    devices = {each.device for each in model.parameters() if each.device.type == "cuda"}
    with torch.random.fork_rng(devices=list(devices)), torch.no_grad(), evaluating(model):
        return task.call(model, image)
