"""Self-distillation from the prediction for another image of the same class."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from torch import Tensor, nn

from pupil.data.class_batches import anchored
from pupil.distiller import Distiller, Term
from pupil.lesson import Inputs, Lesson
from pupil.losses.cs_kd import CSKDLoss
from pupil.methods.plan import Plan, require
from pupil.taps import Tapped
from pupil.tasks.task import Task

PAPER = CSKDLoss.paper


def cs_kd(
    student: nn.Module,
    teacher: nn.Module | None,
    task: Task,
    image: Tensor,
    *,
    temperature: float = 4.0,
    weight: float = 1.0,
) -> Plan:
    """The student says of an image what it says of another one of the same class (CS-KD).

    L = L_task(first half) + weight * KL(second half || first half)

    No teacher is asked. The second half of a batch brings another image of its class for each of the first, and is a
    target alone: as published, half of the images that a student sees carry no label loss, and in the steps of another
    method it sees half as many labels. Both halves are shown at once, so that batch normalisation sees them together.

    The weight is the paper's and no share: before the first step the student says nearly the same of all images, so
    that a share would be measured at nearly nothing. On a small network it came out at 44, and at 1 after 300 steps.

    Args:
        temperature: softens both predictions.
        weight: of the term.
    """
    require(task, "cs-kd", "whole")
    loss, inputs = task.objective()
    terms = {
        "task": Term(loss, partial(_first_half, inputs=inputs)),
        "cs_kd": Term(CSKDLoss(temperature=temperature), _logits, weight),
    }
    return Plan(Distiller(Tapped(student, call=task.call), None, terms), batches=partial(anchored, positives=1))


def _logits(lesson: Lesson) -> tuple[Tensor]:
    return (lesson.student.output,)


def _first_half(lesson: Lesson, *, inputs: Inputs) -> tuple[Any, ...]:
    """What the task loss receives, of the first half of the batch."""
    half = len(lesson.student.output) // 2
    features: Mapping[str, Tensor] = {name: each[:half] for name, each in lesson.student.features.items()}
    shown = replace(lesson.student, output=lesson.student.output[:half], features=features)
    return inputs(replace(lesson, image=lesson.image[:half], target=lesson.target[:half], student=shown))
