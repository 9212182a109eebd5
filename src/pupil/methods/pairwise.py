"""Distillation of how alike any two places of the image are."""

from __future__ import annotations

from torch import Tensor, nn

from pupil.losses.pairwise import PairwiseLoss
from pupil.methods.layers import between_layers
from pupil.methods.plan import Plan, weighing
from pupil.tasks.task import Task

PAPER = PairwiseLoss.paper


def pairwise(
    student: nn.Module,
    teacher: nn.Module | None,
    task: Task,
    image: Tensor,
    *,
    layer: str | None = None,
    teacher_layer: str | None = None,
    share: float = 1.0,
    weight: float | None = None,
) -> Plan:
    """The student matches the teacher's affinity of every pair of positions (structured distillation, pair-wise).

    L = L_task + weight * L_pairwise

    Args:
        layer: the student's layer; None takes the last feature before its classifier.
        teacher_layer: the teacher's layer, where its name differs.
        share: pull of the term relative to the labels.
        weight: fixes the weight instead.
    """
    return between_layers(
        "pairwise",
        lambda ours, theirs: PairwiseLoss(),
        student,
        teacher,
        task,
        image,
        layer=layer,
        teacher_layer=teacher_layer,
        weight=weighing(share, weight),
    )
