"""What a method asks for, and how the parts that all methods share are put together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import nn
from torch.optim import Optimizer

from pupil.data.batches import MakeBatches
from pupil.data.mixing import Mix
from pupil.data.views import Source
from pupil.distiller import Distiller, Term
from pupil.errors import UsageError
from pupil.lesson import KINDS, Kind, Teacher, Weight
from pupil.schedules import Share, scaled
from pupil.taps import Tapped
from pupil.tasks.task import Task
from pupil.teachers import FrozenTeacher


@dataclass(frozen=True)
class Plan:
    """What a method asks for.

    Args:
        distiller: wired and sized for the student, teacher and task at hand.
        batches: given the training data, makes the batch sampler of a run, where images are not to come as they fall;
            see :mod:`pupil.data.class_batches`.
        mix: mixes the images and the targets of a batch, see :mod:`pupil.data.mixing`.
        optimizers: by the name of a term, makes the optimizer of that term's own parameters: for an opponent of the
            student, which learns at another pace.
    """

    distiller: Distiller
    batches: Callable[[Source], MakeBatches] | None = None
    mix: Mix | None = None
    optimizers: Mapping[str, Callable[[Iterable[nn.Parameter]], Optimizer]] = field(default_factory=dict)


def planned(
    student: nn.Module,
    task: Task,
    terms: Mapping[str, Term] | None = None,
    *,
    teacher: Teacher | None = None,
    layers: Iterable[str] = (),
    task_weight: Weight = 1.0,
    **objective: Any,
) -> Plan:
    """The task loss and further terms, between a student and whatever teaches it.

    Args:
        student: the network to be trained.
        task: how it is called, and the task loss.
        terms: the method's own lines of the objective.
        teacher: what turns a lesson into activations, where anything does.
        layers: which layers to tap in the student.
        task_weight: weight of the task loss, where the method sets or schedules it.
        objective: options of the task loss.
    """
    loss, inputs = task.objective(**objective)
    lines = {"task": Term(loss, inputs, task_weight), **(terms or {})}
    return Plan(Distiller(Tapped(student, layers, task.call), teacher, lines))


def with_teacher(
    student: nn.Module,
    teacher: nn.Module | None,
    task: Task,
    terms: Mapping[str, Term],
    *,
    layers: tuple[Iterable[str], Iterable[str]] = ((), ()),
    task_weight: Weight = 1.0,
) -> Plan:
    """The task loss and further terms, between a student and a frozen teacher.

    Args:
        student: the network to be trained.
        teacher: the trained network.
        task: how both are called, and the task loss.
        terms: the method's own lines of the objective.
        layers: which layers to tap in the student and in the teacher.
        task_weight: weight of the task loss, where the method sets or schedules it.
    """
    frozen = FrozenTeacher(needed(teacher), layers[1], task.call)
    return planned(student, task, terms, teacher=frozen, layers=layers[0], task_weight=task_weight)


def needed(teacher: nn.Module | None) -> nn.Module:
    """The teacher, or the error that says there is none."""
    if teacher is None:
        raise UsageError("expected a teacher for this method, got none: pass --teacher RUN, or use --method none")
    return teacher


def require(task: Task, method: str, *kinds: Kind) -> None:
    """Refuse a method where the task's networks answer with something else than it compares."""
    if task.kind not in kinds:
        raise UsageError(
            f"expected a task with {' or '.join(KINDS[kind] for kind in kinds)} for method {method!r}, "
            f"got {task.name} with {KINDS[task.kind]}: choose another method (see `pupil methods`)"
        )


def weighing(share: float, weight: float | None, schedule: Weight = 1.0) -> Weight:
    """The weight of a term: a share of the task loss's pull, unless a number fixes it."""
    return Share(share, schedule) if weight is None else scaled(weight, schedule)


def usual_temperature(task: Task, temperature: float | None) -> float:
    """The temperature that was asked for, or the field's usual one: 4 for whole images, 1 at every position."""
    if temperature is not None:
        return temperature
    return 4.0 if task.kind == "whole" else 1.0
