"""Distillation of a layer's features themselves."""

from __future__ import annotations

from torch import Tensor, nn

from pupil.losses.hint import HintLoss
from pupil.methods.layers import Layer, between_layers
from pupil.methods.plan import Plan, weighing
from pupil.networks.adapters import adapter
from pupil.tasks.task import Task

PAPER = HintLoss.paper


def hint(
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
    """The student matches the teacher's features through a 1x1 convolution that training discards (FitNet).

    L = L_task + weight * L_hint

    Args:
        layer: the student's layer; None takes the last feature before its classifier.
        teacher_layer: the teacher's layer, where its name differs.
        share: pull of the term relative to the labels.
        weight: fixes the weight instead.
    """
    return between_layers(
        "hint",
        _loss,
        student,
        teacher,
        task,
        image,
        layer=layer,
        teacher_layer=teacher_layer,
        weight=weighing(share, weight),
        only_maps=False,
    )


def _loss(ours: Layer, theirs: Layer) -> HintLoss:
    return HintLoss(adapter=adapter(ours[1], theirs[1], student_layer=ours[0], teacher_layer=theirs[0]))
