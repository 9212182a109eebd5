"""Distillation of a detector, the more so the better the teacher itself fits the labels."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial
from typing import Any, Literal

import torch
from torch import nn

from pupil.errors import UsageError, listed
from pupil.lesson import Lesson, teacher_of
from pupil.losses.aid import AIDLoss
from pupil.methods.fbkd import Reduction, Variant, fbkd_of
from pupil.methods.plan import Plan, needed, require, weighing
from pupil.methods.pyramids import Channels, between_pyramids, levels
from pupil.networks.background import check_background
from pupil.tasks.class_matching import names_of
from pupil.tasks.detection import DetectorRecord
from pupil.tasks.task import Task

PAPER = AIDLoss.paper
Granularity = Literal["level_image", "level", "image", "batch"]


def aid(
    student: nn.Module,
    teacher: nn.Module | None,
    task: Task,
    image: Any,
    *,
    alpha: float = 0.1,
    granularity: Granularity = "level_image",
    setting: str | None = None,
    reduction: Reduction = "image_mean",
    variant: Variant = "code",
    factors: str | None = None,
    empty: bool = True,
    share: float = 1.0,
    weight: float | None = None,
) -> Plan:
    """The student follows the teacher less where the teacher itself is far from the labels (AID, on FBKD).

    L = L_task + weight * sum over levels of exp(-alpha D) (L_feature + L_attention + L_non-local)

    D is the teacher's own loss, in evaluation mode. The parts and their factors are those of the method fbkd, so that
    the two differ by AID alone. A strong teacher has a small D on the images that it was trained on, and weights near 1
    tell little apart: alpha = -ln(0.8) / the mean of D brings their mean near 0.8. The log has their spread, and the
    report an alpha to try. A share is measured with the weights in place: it restores the pull that they take away, and
    what is left of AID is how the pull is spread.

    Args:
        alpha: how fast trust fades; 0 is fbkd.
        granularity: what is trusted: level_image, each level of an image; level, as in the authors' code; image, as in
            the paper; or batch. A detector without losses by level is trusted alike at all of them.
        setting: the published temperature and factors: one_stage, two_stage, aid_one_stage, aid_two_stage or
            aid_two_stage_baseline; None is that of the student's kind, without AID's own.
        reduction: one norm an image, image_mean, or one over the batch, batch_norm, as in the authors' code, for
            granularity level or batch.
        variant: of the masks and of attention transfer: code, or paper.
        factors: of the teacher's own losses in D, as NAME=FACTOR with commas; those that are not named have 1. The
            soft targets of FCOS's centerness never let it reach 0: bbox_ctrness=0 leaves it out.
        empty: whether images without objects are imitated; their D is small, so nearly at full weight.
        share: pull of the term relative to the labels.
        weight: fixes the weight instead.
    """
    require(task, "aid", "boxes")
    if reduction == "batch_norm" and granularity not in ("level", "batch"):
        raise UsageError(
            f"expected granularity level or batch with reduction batch_norm, got {granularity}: one norm over the "
            "batch has no part of an image; set reduction=image_mean"
        )
    if reduction == "batch_norm" and not empty:
        raise UsageError(
            "expected images without objects too with reduction batch_norm, got empty=False: one norm over the batch "
            "has no part of an image; set reduction=image_mean"
        )
    teacher = needed(teacher)
    theirs = names_of(teacher)
    if theirs is None:
        check_background(teacher, len(task.classes), "the teacher")
    elif theirs != tuple(task.classes):
        raise UsageError(
            f"expected a teacher of the data's classes for AID, {listed(task.classes, 8)}, got one of "
            f"{listed(theirs, 8)}: its own loss needs labels that it knows; use --method fbkd"
        )
    loss = partial(_loss, alpha=alpha, setting=setting, reduction=reduction, variant=variant)
    inputs = partial(_judged, granularity=granularity, factors=_factors(factors), empty=empty)
    chosen = weighing(share, weight)
    return between_pyramids("aid", loss, student, teacher, task, image, weight=chosen, inputs=inputs, judged=True)


def _loss(
    channels: Channels,
    record: DetectorRecord,
    *,
    alpha: float,
    setting: str | None,
    reduction: Reduction,
    variant: Variant,
) -> AIDLoss:
    return AIDLoss(fbkd_of(channels, record, setting=setting, reduction=reduction, variant=variant), alpha=alpha)


def _factors(text: str | None) -> dict[str, float]:
    """The numbers in NAME=FACTOR,NAME=FACTOR."""
    factors = {}
    for name, _, said in (each.strip().partition("=") for each in (text or "").split(",") if each.strip()):
        try:
            factors[name] = float(said)
        except ValueError:
            raise UsageError(f"expected factors as NAME=FACTOR with commas, got {text!r}: bbox_ctrness=0") from None
        if not 0 <= factors[name] < math.inf:
            raise UsageError(f"expected a finite factor of at least 0, got {said} for {name!r}: 0 leaves that out")
    return factors


def _judged(lesson: Lesson, *, granularity: Granularity, factors: Mapping[str, float], empty: bool) -> tuple[Any, ...]:
    """Both pyramids, the teacher's own loss, and which images count where that is not all."""
    losses = teacher_of(lesson).output.task_losses
    if losses is None:
        raise UsageError("expected a teacher that shows its own losses, got none: let its call fill `task_losses`")
    task_loss = losses.scaled(factors).at(granularity)
    if empty:
        return *levels(lesson), task_loss
    counted = torch.tensor([float(len(each["labels"]) > 0) for each in lesson.target])
    # A blocking copy would wait for all that the GPU has been given.
    return *levels(lesson), task_loss, counted.to(task_loss.device, non_blocking=True)
