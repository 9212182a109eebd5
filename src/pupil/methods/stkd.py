"""Distillation on mixed images."""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor, nn

from pupil.data.mixing import Kind, Mixing
from pupil.distiller import Term
from pupil.lesson import dense_outputs
from pupil.losses.kd import KDLoss
from pupil.methods.plan import Plan, require, weighing, with_teacher
from pupil.paper import Paper
from pupil.tasks.task import Task

PAPER = Paper(
    "Similarity Transfer for Knowledge Distillation",
    "H. Zhao, K. Gong, X. Sun, J. Dong, H. Yu",
    "arXiv",
    2021,
    "https://arxiv.org/abs/2103.10047",
)


def stkd(
    student: nn.Module,
    teacher: nn.Module | None,
    task: Task,
    image: Tensor,
    *,
    temperature: float = 4.0,
    kind: Kind = "mixup",
    concentration: float = 1.0,
    each: bool = False,
    probability: float = 1.0,
    share: float = 1.0,
    weight: float | None = None,
    task_weight: float = 1.0,
) -> Plan:
    """The student matches the teacher on mixtures of two images, whose classes show how alike the two are (STKD).

    L = task_weight * L_task(mixed labels) + weight * KL(teacher(mixed) || student(mixed))

    Only the paper's abstract could be read and no code was published: both networks see the same virtual image, as the
    abstract says; temperature, weights and the distribution of the mixing share are ours.

    Args:
        temperature: softens both distributions.
        kind: "mixup" blends two images, "cutmix" covers a box of one with the other; for maps the latter keeps labels
            whole.
        concentration: of the Beta distribution that mixing shares are drawn from.
        each: whether every image has a mixing share of its own, instead of one for the batch.
        probability: how many of the batches are mixed.
        share: pull of the term relative to the labels.
        weight: fixes the weight instead; with task_weight 0.1 and 0.9 here it is the usual recipe of the CIFAR tables.
        task_weight: weight of the mixed labels.
    """
    require(task, "stkd", "dense", "whole")
    ignored = getattr(task, "ignore_index", None)
    term = Term(KDLoss(temperature=temperature), dense_outputs(ignored), weighing(share, weight))
    plan = with_teacher(student, teacher, task, {"stkd": term}, task_weight=task_weight)
    return replace(plan, mix=Mixing(len(task.classes), kind, concentration, each, probability, ignored))
