"""Distillation of who is near whom in the batch."""

from __future__ import annotations

from torch import Tensor, nn

from pupil.losses.pkt import PKTLoss, Variant
from pupil.methods.layers import between_layers
from pupil.methods.plan import Plan, weighing
from pupil.tasks.task import Task

PAPER = PKTLoss.paper


def pkt(
    student: nn.Module,
    teacher: nn.Module | None,
    task: Task,
    image: Tensor,
    *,
    variant: Variant = "paper",
    layer: str | None = None,
    teacher_layer: str | None = None,
    share: float = 1.0,
    weight: float | None = None,
) -> Plan:
    """The student finds as probable as the teacher which images of the batch are neighbours (PKT).

    L = L_task + weight * KL(neighbours of the teacher || of the student), on features averaged over their positions

    It needs three images or more in a batch.

    Args:
        variant: "code" counts an image among its own neighbours, see :func:`pupil.losses.pkt_loss`.
        layer: the student's layer; None takes the last feature before its classifier.
        teacher_layer: the teacher's layer, where its name differs.
        share: pull of the term relative to the labels.
        weight: fixes the weight instead.
    """
    return between_layers(
        "pkt",
        lambda ours, theirs: PKTLoss(variant=variant),
        student,
        teacher,
        task,
        image,
        layer=layer,
        teacher_layer=teacher_layer,
        weight=weighing(share, weight),
        only_maps=False,
    )
