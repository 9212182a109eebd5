"""Distillation of the class distribution, of whole images or at every position."""

from __future__ import annotations

from torch import Tensor, nn

from pupil.distiller import Term
from pupil.lesson import dense_outputs
from pupil.losses.kd import KDLoss
from pupil.methods.plan import Plan, require, usual_temperature, weighing, with_teacher
from pupil.tasks.task import Task

PAPER = KDLoss.paper


def kd(
    student: nn.Module,
    teacher: nn.Module | None,
    task: Task,
    image: Tensor,
    *,
    temperature: float | None = None,
    share: float = 1.0,
    weight: float | None = None,
) -> Plan:
    """The student matches the teacher's class probabilities, of the image or at every position.

    L = L_task + weight * KL(teacher || student)

    Args:
        temperature: softens both distributions; None is 4 for whole images and 1 at every position, the field's usual.
        share: pull of the term relative to the labels.
        weight: fixes the weight instead.
    """
    require(task, "kd", "dense", "whole")
    term = Term(KDLoss(temperature=usual_temperature(task, temperature)), dense_outputs(), weighing(share, weight))
    return with_teacher(student, teacher, task, {"kd": term})
