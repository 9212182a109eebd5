"""Distillation of how the classes' spatial maps relate to each other."""

from __future__ import annotations

from torch import Tensor, nn

from pupil.distiller import Term
from pupil.lesson import dense_outputs
from pupil.losses.icsd import ICSDLoss, Variant
from pupil.methods.plan import Plan, require, weighing, with_teacher
from pupil.tasks.task import Task

PAPER = ICSDLoss.paper


def icsd(
    student: nn.Module,
    teacher: nn.Module | None,
    task: Task,
    image: Tensor,
    *,
    variant: Variant = "textbook_full",
    share: float = 1.0,
    weight: float | None = None,
) -> Plan:
    """The student matches the teacher's inter-class similarity matrix (ICSD).

    L = L_task + weight * L_icsd

    Args:
        variant: which matrix, see :func:`pupil.losses.icsd_loss`.
        share: pull of the term relative to the labels.
        weight: fixes the weight instead; the authors use 9500 for crops of 513 pixels.
    """
    require(task, "icsd", "dense")
    term = Term(ICSDLoss(variant=variant), dense_outputs(), weighing(share, weight))
    return with_teacher(student, teacher, task, {"icsd": term})
