"""The student alone, with softened labels: the cheapest thing that distillation has to beat."""

from __future__ import annotations

from torch import Tensor, nn

from pupil.methods.plan import Plan, planned, require
from pupil.paper import Paper
from pupil.tasks.task import Task

PAPER = Paper(
    "Rethinking the Inception Architecture for Computer Vision",
    "C. Szegedy, V. Vanhoucke, S. Ioffe, J. Shlens, Z. Wojna",
    "CVPR",
    2016,
    "https://arxiv.org/abs/1512.00567",
)


def label_smoothing(
    student: nn.Module, teacher: nn.Module | None, task: Task, image: Tensor, *, smoothing: float = 0.1
) -> Plan:
    """The student and its labels, a share of each label spread evenly over the classes.

    L = CE(student, (1 - smoothing) onehot + smoothing / K)

    Args:
        smoothing: the share that is spread, in [0, 1).
    """
    require(task, "label-smoothing", "dense", "whole")
    return planned(student, task, label_smoothing=smoothing)
