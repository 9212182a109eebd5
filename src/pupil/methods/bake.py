"""Self-distillation from the predictions for similar images of the batch."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from torch import Tensor, nn

from pupil.data.class_batches import anchored
from pupil.distiller import Term
from pupil.lesson import outputs
from pupil.losses.kd import KDLoss
from pupil.methods.layers import last_feature
from pupil.methods.plan import Plan, planned, require
from pupil.paper import Paper
from pupil.taps import dry_run
from pupil.tasks.task import Task
from pupil.teachers import BatchEnsembleTeacher

PAPER = Paper(
    "Self-distillation with Batch Knowledge Ensembling Improves ImageNet Classification",
    "Y. Ge, X. Zhang, C. L. Choi, K. C. Cheung, P. Zhao, F. Zhu, X. Wang, R. Zhao, H. Li",
    "preprint",
    2021,
    "https://arxiv.org/abs/2104.13298",
    "yxgeee/BAKE",
)


def bake(
    student: nn.Module,
    teacher: nn.Module | None,
    task: Task,
    image: Tensor,
    *,
    temperature: float = 4.0,
    ensemble_weight: float = 0.5,
    positives: int = 3,
    layer: str | None = None,
    weight: float = 1.0,
) -> Plan:
    """The student matches its own predictions, blended with those for similar images of the batch (BAKE).

    L = L_task + weight * KL(Q || student),  Q = (1 - ensemble_weight) (I - ensemble_weight A)⁻¹ P

    P are the student's softened predictions, A is how alike it finds two images, and no teacher is asked. The batches
    consist of anchors and of other images of their classes: with 3 positives every fourth image is an anchor, so that
    in equally many steps each one is an anchor a quarter as often as another method shows it; the authors take four
    times the steps.

    The weight is 1 on all data sets of the paper, and no share of the task loss. Before the first step the predictions
    for all images agree, so that the term pulls at nearly nothing: the weight of an equal pull begins above 100 and
    falls to a tenth and less while the student learns. Held where it begins, it keeps the predictions as alike as they
    are then, and the student from learning.

    Args:
        temperature: softens the predictions.
        ensemble_weight: of the other images against an image's own prediction, in [0, 1); the paper takes 0.5, or 0.9
            with 1 positive.
        positives: how many images of its class come with each anchor: 3 as published for CIFAR-100, 1 for ImageNet.
        layer: what the images are compared by; None takes what the last linear layer receives.
        weight: of the term.
    """
    require(task, "bake", "whole")
    layer = layer or last_feature(student, dry_run(student, image, task.call), len(task.classes))
    ensemble = BatchEnsembleTeacher(layer, temperature=temperature, weight=ensemble_weight)
    term = Term(KDLoss(temperature=temperature), outputs, weight)
    plan = planned(student, task, {"bake": term}, teacher=ensemble, layers=[layer])
    return replace(plan, batches=partial(anchored, positives=positives))
