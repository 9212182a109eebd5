"""The student alone: what every gain is measured against."""

from __future__ import annotations

from torch import Tensor, nn

from pupil.methods.plan import Plan, planned
from pupil.tasks.task import Task


def none(student: nn.Module, teacher: nn.Module | None, task: Task, image: Tensor) -> Plan:
    """The student and its labels, without any distillation.

    L = L_task
    """
    return planned(student, task)
