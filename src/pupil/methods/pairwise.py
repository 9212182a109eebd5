"""Distillation of how alike any two places of the image are."""

from __future__ import annotations

from torch import Tensor, nn

from pupil.distiller import Term
from pupil.lesson import dense_outputs
from pupil.losses.kd import KDLoss
from pupil.losses.pairwise import PairwiseLoss, Pool
from pupil.methods.layers import between_layers
from pupil.methods.plan import Plan, weighing
from pupil.tasks.task import Task

PAPER = PairwiseLoss.paper


def pairwise(
    student: nn.Module,
    teacher: nn.Module | None,
    task: Task,
    image: Tensor,
    *,
    layer: str | None = None,
    teacher_layer: str | None = None,
    pool: Pool = "average",
    patch: float = 2.0,
    norm_gradient: bool = True,
    share: float = 1.0,
    weight: float | None = None,
    pixel_share: float = 0.0,
    pixel_weight: float | None = None,
) -> Plan:
    """The student matches the teacher's affinity of every pair of positions (structured distillation, pair-wise).

    L = L_task + weight * L_pairwise + pixel_weight * KL(teacher || student)

    Args:
        layer: the student's layer; None takes the last feature before its classifier.
        teacher_layer: the teacher's layer, where its name differs.
        pool: how the positions of a patch become one, "average" or "max".
        patch: side of a patch in positions; below 1, its share of the map.
        norm_gradient: False takes the norm of a feature for a constant, as the authors' code does.
        share: pull of the term relative to the labels.
        weight: fixes the weight instead.
        pixel_share: pull of a pixel-wise term beside it, which the paper adds; 0 leaves it out.
        pixel_weight: fixes the weight of the pixel-wise term instead.
    """
    pixel = Term(KDLoss(), dense_outputs(), weighing(pixel_share, pixel_weight))
    return between_layers(
        "pairwise",
        lambda ours, theirs: PairwiseLoss(pool=pool, patch=patch, norm_gradient=norm_gradient),
        student,
        teacher,
        task,
        image,
        layer=layer,
        teacher_layer=teacher_layer,
        weight=weighing(share, weight),
        further={"pixel": pixel} if pixel_share or pixel_weight else None,
    )
