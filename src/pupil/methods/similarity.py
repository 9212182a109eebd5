"""Distillation of how alike any two images of the batch are."""

from __future__ import annotations

from torch import Tensor, nn

from pupil.losses.similarity import SimilarityLoss
from pupil.methods.layers import between_layers
from pupil.methods.plan import Plan, weighing
from pupil.tasks.task import Task

PAPER = SimilarityLoss.paper


def similarity(
    student: nn.Module,
    teacher: nn.Module | None,
    task: Task,
    image: Tensor,
    *,
    layer: str | None = None,
    teacher_layer: str | None = None,
    share: float = 0.3,
    weight: float | None = None,
) -> Plan:
    """The student matches the teacher's similarity of every pair of images in the batch (SP).

    L = L_task + weight * L_similarity

    Args:
        layer: the student's layer; None takes the last feature before its classifier.
        teacher_layer: the teacher's layer, where its name differs.
        share: pull of the term relative to the labels.
        weight: fixes the weight instead.
    """
    return between_layers(
        "similarity",
        lambda ours, theirs: SimilarityLoss(),
        student,
        teacher,
        task,
        image,
        layer=layer,
        teacher_layer=teacher_layer,
        weight=weighing(share, weight),
        only_maps=False,
    )
