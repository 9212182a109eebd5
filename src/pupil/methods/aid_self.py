"""Adaptive instance distillation from a trained detector of the student's own architecture."""

from __future__ import annotations

from typing import Any

from torch import nn

from pupil.errors import UsageError, listed
from pupil.losses.aid import AIDLoss
from pupil.methods.aid import Granularity, aid
from pupil.methods.fbkd import Reduction, Variant
from pupil.methods.plan import Plan, needed, require
from pupil.tasks.task import Task

PAPER = AIDLoss.paper


def aid_self(
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
    """The student follows a trained one of its own architecture where that fits the labels (AID, self-distillation).

    L = L_task + weight * sum over levels of exp(-alpha D) (L_feature + L_attention + L_non-local)

    This is the method aid, and refuses a teacher of another architecture. Nothing is gained in size: it lifts a
    detector, often one that is to be a teacher afterwards. Start the student as the teacher was started, and not from
    the teacher's weights.

    Args:
        alpha: how fast trust fades.
        granularity: what is trusted: level_image, level, image or batch, see the method aid.
        setting: the published temperature and factors, see the method aid.
        reduction: image_mean or batch_norm, see the method aid.
        variant: of the masks and of attention transfer: code, or paper.
        factors: of the teacher's own losses, see the method aid.
        empty: whether images without objects are imitated.
        share: pull of the term relative to the labels.
        weight: fixes the weight instead.
    """
    require(task, "aid-self", "boxes")
    teacher = needed(teacher)
    ours, theirs = (_shapes(model) for model in (student, teacher))
    unlike = [name for name in {**ours, **theirs} if ours.get(name) != theirs.get(name)]
    if unlike:
        raise UsageError(
            "expected a teacher of the student's own architecture for method 'aid-self', got other weights at "
            f"{listed(unlike)}: use --method aid"
        )
    return aid(
        student,
        teacher,
        task,
        image,
        alpha=alpha,
        granularity=granularity,
        setting=setting,
        reduction=reduction,
        variant=variant,
        factors=factors,
        empty=empty,
        share=share,
        weight=weight,
    )


def _shapes(model: nn.Module) -> dict[str, tuple[int, ...]]:
    return {name: tuple(each.shape) for name, each in model.state_dict().items()}
