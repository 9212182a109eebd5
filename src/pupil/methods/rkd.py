"""Distillation of distances and angles between the images of the batch."""

from __future__ import annotations

from torch import Tensor, nn

from pupil.losses.rkd import RKDLoss
from pupil.methods.layers import between_layers
from pupil.methods.plan import Plan, weighing
from pupil.tasks.task import Task

PAPER = RKDLoss.paper


def rkd(
    student: nn.Module,
    teacher: nn.Module | None,
    task: Task,
    image: Tensor,
    *,
    distance: float = 1.0,
    angle: float = 2.0,
    layer: str | None = None,
    teacher_layer: str | None = None,
    share: float = 1.0,
    weight: float | None = None,
) -> Plan:
    """The student's images lie to one another as the teacher's: distances of pairs and angles of triples (RKD).

    L = L_task + weight * (distance L_distance + angle L_angle), on features averaged over their positions

    It needs three images or more in a batch.

    Args:
        distance: weight of the distances; 0 leaves them out.
        angle: weight of the angles; 0 leaves them out.
        layer: the student's layer; None takes the last feature before its classifier.
        teacher_layer: the teacher's layer, where its name differs.
        share: pull of the term relative to the labels.
        weight: fixes the weight instead; the authors use 25 in classification.
    """
    return between_layers(
        "rkd",
        lambda ours, theirs: RKDLoss(distance=distance, angle=angle),
        student,
        teacher,
        task,
        image,
        layer=layer,
        teacher_layer=teacher_layer,
        weight=weighing(share, weight),
        only_maps=False,
    )
