"""Distillation of how predictions correlate, within each one and within each class."""

from __future__ import annotations

from torch import Tensor, nn

from pupil.distiller import Term
from pupil.lesson import dense_outputs
from pupil.losses.dist import DISTLoss
from pupil.methods.plan import Plan, require, usual_temperature, weighing, with_teacher
from pupil.tasks.task import Task

PAPER = DISTLoss.paper


def dist(
    student: nn.Module,
    teacher: nn.Module | None,
    task: Task,
    image: Tensor,
    *,
    temperature: float | None = None,
    inter: float = 1.0,
    intra: float = 1.0,
    share: float = 1.0,
    weight: float | None = None,
) -> Plan:
    """The student's softened classes correlate with the teacher's, in every prediction and over the batch (DIST).

    L = L_task + weight * (inter (1 - correlation over classes) + intra (1 - correlation over the batch))

    Args:
        temperature: softens both distributions; None takes the usual 4 for whole images and 1 at every position.
        inter: weight of the correlations over the classes.
        intra: weight of the correlations over images and positions.
        share: pull of the term relative to the labels.
        weight: fixes the weight instead.
    """
    require(task, "dist", "dense", "whole")
    loss = DISTLoss(temperature=usual_temperature(task, temperature), inter=inter, intra=intra)
    return with_teacher(student, teacher, task, {"dist": Term(loss, dense_outputs(), weighing(share, weight))})
