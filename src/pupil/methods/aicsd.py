"""Inter-class similarity, pixel-wise distillation and labels under adaptive loss weighting."""

from __future__ import annotations

from torch import Tensor, nn

from pupil.distiller import Term
from pupil.lesson import dense_outputs
from pupil.losses.icsd import ICSDLoss, Variant
from pupil.losses.kd import KDLoss
from pupil.methods.plan import Plan, require, weighing, with_teacher
from pupil.schedules import adaptive
from pupil.tasks.task import Task

PAPER = ICSDLoss.paper


def aicsd(
    student: nn.Module,
    teacher: nn.Module | None,
    task: Task,
    image: Tensor,
    *,
    variant: Variant = "textbook_full",
    share: float = 2.0,
    pixel_share: float = 1.0,
    weight: float | None = None,
    pixel_weight: float | None = None,
) -> Plan:
    """The teacher leads at first and the labels at the end (AICSD: ICSD with adaptive loss weighting).

    L = progress (L_task + weight L_icsd) + (1 - progress) pixel_weight KL(teacher || student)

    Args:
        variant: which inter-class matrix, see :func:`pupil.losses.icsd_loss`.
        share: pull of the inter-class term relative to the labels.
        pixel_share: pull of the pixel-wise term relative to the labels.
        weight: fixes the weight of the inter-class term instead; the authors use 9500 for crops of 513 pixels.
        pixel_weight: fixes the weight of the pixel-wise term instead.
    """
    require(task, "aicsd", "dense")
    labels, fading = adaptive(of="labels"), adaptive(of="teacher")
    terms = {
        "icsd": Term(ICSDLoss(variant=variant), dense_outputs(), weighing(share, weight, labels)),
        "pixel": Term(KDLoss(), dense_outputs(), weighing(pixel_share, pixel_weight, fading)),
    }
    return with_teacher(student, teacher, task, terms, task_weight=labels)
