"""Distillation of a detector's pyramid in place, in summary and in relation."""

from __future__ import annotations

from functools import partial
from typing import Any, Literal

from torch import nn

from pupil.errors import unknown
from pupil.losses.fbkd import SETTINGS, FBKDLoss
from pupil.methods.plan import Plan, weighing
from pupil.methods.pyramids import Channels, between_pyramids
from pupil.tasks.detection import DetectorRecord
from pupil.tasks.task import Task

PAPER = FBKDLoss.paper
Reduction = Literal["image_mean", "batch_norm"]
Variant = Literal["code", "paper"]


def fbkd(
    student: nn.Module,
    teacher: nn.Module | None,
    task: Task,
    image: Any,
    *,
    setting: str | None = None,
    reduction: Reduction = "image_mean",
    variant: Variant = "code",
    share: float = 1.0,
    weight: float | None = None,
) -> Plan:
    """The student attends to what the teacher attends to, and relates positions as it does, at every level (FBKD).

    L = L_task + weight * sum over levels of (L_feature + L_attention + L_non-local)

    The published factors of the three parts hold among one another; how much they pull together is a share. With
    weight=1 and reduction=batch_norm all is as published, for images of 800 x 1333 and two of them on a GPU.

    Args:
        setting: the published temperature and factors: one_stage, two_stage, aid_one_stage, aid_two_stage or
            aid_two_stage_baseline; None is that of the student's kind.
        reduction: one norm an image, image_mean, or one over the batch, batch_norm, as in the authors' code.
        variant: of the masks and of attention transfer: code, or paper.
        share: pull of the term relative to the labels.
        weight: fixes the weight instead.
    """
    loss = partial(fbkd_of, setting=setting, reduction=reduction, variant=variant)
    return between_pyramids("fbkd", loss, student, teacher, task, image, weight=weighing(share, weight))


def fbkd_of(
    channels: Channels, record: DetectorRecord, *, setting: str | None, reduction: Reduction, variant: Variant
) -> FBKDLoss:
    """The loss for a student of one or two stages."""
    name = setting or ("two_stage" if record.two_stage else "one_stage")
    if name not in SETTINGS:
        raise unknown("setting", name, SETTINGS)
    return FBKDLoss(channels, SETTINGS[name], reduction=reduction, variant=variant)
