"""Distillation of the target's probability and of the other classes', weighted apart."""

from __future__ import annotations

from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pupil.distiller import Term
from pupil.lesson import Lesson, dense_outputs
from pupil.losses.dkd import DKDLoss
from pupil.methods.plan import Plan, require, usual_temperature, weighing, with_teacher
from pupil.schedules import ramp_up
from pupil.tasks.task import Task

PAPER = DKDLoss.paper


def dkd(
    student: nn.Module,
    teacher: nn.Module | None,
    task: Task,
    image: Tensor,
    *,
    temperature: float | None = None,
    target_weight: float = 1.0,
    other_weight: float = 8.0,
    warmup: float = 1 / 12,
    share: float = 1.0,
    weight: float | None = None,
) -> Plan:
    """The student matches how sure the teacher is of the target, and what it thinks of the other classes (DKD).

    L = L_task + weight * (target_weight KL(target or not) + other_weight KL(among the other classes))

    Where labels are ignored there is no target, and the term is silent. It needs one class id for each image or
    position: mixed images are refused.

    Args:
        temperature: softens both distributions; None takes the usual 4 for whole images and 1 at every position.
        target_weight: of the target class against all others; 1 in the paper.
        other_weight: of the other classes among themselves; 8 in the paper on CIFAR-100, 0.5 on ImageNet.
        warmup: share of the run in which the weight grows from zero; 20 of 240 epochs in the paper.
        share: pull of the term relative to the labels.
        weight: fixes the weight instead; the authors use 1.
    """
    require(task, "dkd", "dense", "whole")
    loss = DKDLoss(
        temperature=usual_temperature(task, temperature), target_weight=target_weight, other_weight=other_weight
    )
    schedule = ramp_up(1.0, warmup) if warmup else 1.0
    inputs = partial(_with_target, ignored=getattr(task, "ignore_index", None))
    return with_teacher(student, teacher, task, {"dkd": Term(loss, inputs, weighing(share, weight, schedule))})


def _with_target(lesson: Lesson, *, ignored: int | None) -> tuple[Tensor, Tensor, Tensor]:
    """Both logits on one grid, and the class ids on it, negative where they are ignored."""
    student, teacher, _ = dense_outputs()(lesson)
    target = lesson.target
    if target.is_floating_point():
        return student, teacher, target
    if ignored is not None:
        target = torch.where(target == ignored, -1, target)
    if student.dim() == 4 and target.dim() == 3 and target.shape[1:] != student.shape[2:]:
        # Ids stay far below 2^24, where float32 is exact; "nearest-exact" samples the centre of each cell.
        target = F.interpolate(target[:, None].float(), size=student.shape[2:], mode="nearest-exact")[:, 0].long()
    return student, teacher, target
