"""Self-distillation from the student as it was at the end of the last epoch."""

from __future__ import annotations

from functools import partial

from torch import Tensor, nn

from pupil.distiller import Term
from pupil.errors import UsageError
from pupil.lesson import Lesson, dense_outputs
from pupil.losses.kd import KDLoss
from pupil.losses.ps_kd import PSKDLoss
from pupil.methods.plan import Plan, planned, require
from pupil.taps import Tapped
from pupil.tasks.task import Task
from pupil.teachers import MomentumTeacher

PAPER = PSKDLoss.paper


def ps_kd(
    student: nn.Module,
    teacher: nn.Module | None,
    task: Task,
    image: Tensor,
    *,
    trust: float = 0.8,
    every: float = 0.05,
) -> Plan:
    """The labels are softened by what the student itself said an epoch ago, ever more so (PS-KD).

    L = (1 - a) L_task + a KL(past student || student),  a = trust * progress, and 0 before the first epoch ends

    This is the cross-entropy to (1 - a) onehot + a p_past of :func:`pupil.losses.ps_kd_loss`, but for the entropy of
    p_past, which has no gradient; so any task loss takes the place of the labels' part. The mixture is the method's
    own, and there is no share.

    No teacher is asked. The authors' code keeps a table of what was said of each image in the last epoch, in training
    mode and of another view. Here the past student is asked about the very view, in evaluation mode: one more forward
    pass, no table, and mixed images and any task besides. In the code a grows by whole epochs and reaches `trust` in
    the last one, here it grows by steps.

    Args:
        trust: how much the past counts at the end; 0.8 in the paper.
        every: the share of the run after which the past student is renewed, 1 / epochs in the paper.
    """
    require(task, "ps-kd", "dense", "whole")
    if not 0.0 <= trust <= 1.0:
        raise UsageError(f"expected trust in [0, 1], got {trust}: 0.8 is the paper's")
    past, labels = (partial(weight, trust=trust, every=every) for weight in (_past, _labels))
    term = Term(KDLoss(), dense_outputs(getattr(task, "ignore_index", None)), past)
    teacher = MomentumTeacher(Tapped(student, call=task.call), every=every)
    return planned(student, task, {"ps_kd": term}, teacher=teacher, task_weight=labels)


def _past(lesson: Lesson, *, trust: float, every: float) -> float:
    return trust * lesson.progress if lesson.progress >= every else 0.0


def _labels(lesson: Lesson, *, trust: float, every: float) -> float:
    return 1.0 - _past(lesson, trust=trust, every=every)
