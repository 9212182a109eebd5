"""Distillation of what correlates in the features of two detectors."""

from __future__ import annotations

from typing import Any

from torch import nn

from pupil.losses.pkd import PKDLoss
from pupil.methods.plan import Plan, weighing
from pupil.methods.pyramids import EachLevel, between_pyramids
from pupil.tasks.task import Task

PAPER = PKDLoss.paper


def pkd(
    student: nn.Module,
    teacher: nn.Module | None,
    task: Task,
    image: Any,
    *,
    share: float = 1.0,
    weight: float | None = None,
) -> Plan:
    """The channels of the student's pyramid correlate with the teacher's, whatever their scale (PKD).

    L = L_task + weight * sum over levels of (1 - Pearson's correlation, mean over channels)

    The paper's weight is 6 for Faster R-CNN and 10 for RetinaNet, at four levels. A 1x1 convolution that training
    discards adapts the student's channels where they are not as many; published are equal ones.

    Args:
        share: pull of the term relative to the labels.
        weight: fixes the weight instead.
    """
    return between_pyramids(
        "pkd",
        lambda channels, record: EachLevel(channels, _loss),
        student,
        teacher,
        task,
        image,
        weight=weighing(share, weight),
    )


def _loss(ours: int, theirs: int) -> PKDLoss:
    return PKDLoss() if ours == theirs else PKDLoss(ours, theirs)
