"""Distillation of a detector's pyramid, objects and background apart."""

from __future__ import annotations

from functools import partial
from typing import Any, Literal

from torch import nn

from pupil.errors import unknown
from pupil.lesson import Lesson
from pupil.losses.fgd import SETTINGS, FGDLoss
from pupil.methods.plan import Plan, weighing
from pupil.methods.pyramids import Channels, between_pyramids, levels
from pupil.tasks.detection import DetectorRecord
from pupil.tasks.task import Task

PAPER = FGDLoss.paper
Variant = Literal["paper", "code"]


def fgd(
    student: nn.Module,
    teacher: nn.Module | None,
    task: Task,
    image: Any,
    *,
    setting: str | None = None,
    variant: Variant = "paper",
    share: float = 1.0,
    weight: float | None = None,
) -> Plan:
    """The student follows the teacher inside boxes, outside, where the teacher looks, and as a whole (FGD).

    L = L_task + weight * sum over levels of (L_foreground + L_background + L_attention + L_global)

    The published factors of the parts hold among one another; how much they pull together is a share. With weight=1
    they are as published, for 256 channels and images of 800 x 1333.

    Args:
        setting: the published temperature and factors: retinanet, gfl, solo, fcos, reppoints, faster_rcnn or
            mask_rcnn; None is that of the student's kind.
        variant: what a box covers: paper, or code, which mirrors it.
        share: pull of the term relative to the labels.
        weight: fixes the weight instead.
    """
    loss = partial(_loss, setting=setting, variant=variant)
    return between_pyramids("fgd", loss, student, teacher, task, image, weight=weighing(share, weight), inputs=_boxed)


def _loss(channels: Channels, record: DetectorRecord, *, setting: str | None, variant: Variant) -> FGDLoss:
    dense = "fcos" if "bbox_ctrness" in record.head else "retinanet"
    name = setting or ("faster_rcnn" if record.two_stage else dense)
    if name not in SETTINGS:
        raise unknown("setting", name, SETTINGS)
    return FGDLoss(channels, SETTINGS[name], variant=variant)


def _boxed(lesson: Lesson) -> tuple[Any, ...]:
    """Both pyramids, the boxes of each image and the size of the batch, as the student saw them."""
    boxes = [each["boxes"] for each in lesson.target]
    return *levels(lesson), boxes, tuple(lesson.image.tensors.shape[2:])
