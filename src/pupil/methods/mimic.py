"""Distillation of a detector's features themselves, at every level of the pyramid."""

from __future__ import annotations

from typing import Any

from torch import nn

from pupil.losses.hint import HintLoss
from pupil.methods.plan import Plan, weighing
from pupil.methods.pyramids import EachLevel, between_pyramids
from pupil.networks.adapters import ChannelAdapter
from pupil.tasks.task import Task

PAPER = HintLoss.paper


def mimic(
    student: nn.Module,
    teacher: nn.Module | None,
    task: Task,
    image: Any,
    *,
    share: float = 1.0,
    weight: float | None = None,
) -> Plan:
    """The student matches the teacher's features at every level of the pyramid (FitNet).

    L = L_task + weight * sum over levels of the mean squared error

    Where the channels differ, a 1x1 convolution that training discards adapts the student's.

    Args:
        share: pull of the term relative to the labels.
        weight: fixes the weight instead.
    """
    return between_pyramids(
        "mimic",
        lambda channels, record: EachLevel(channels, _loss),
        student,
        teacher,
        task,
        image,
        weight=weighing(share, weight),
    )


def _loss(ours: int, theirs: int) -> HintLoss:
    return HintLoss(adapter=nn.Identity() if ours == theirs else ChannelAdapter(ours, theirs))
