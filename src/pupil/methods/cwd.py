"""Distillation of where each channel is active."""

from __future__ import annotations

from torch import Tensor, nn

from pupil.distiller import Term
from pupil.lesson import dense_outputs
from pupil.losses.cwd import CWDLoss
from pupil.methods.layers import between_layers
from pupil.methods.plan import Plan, require, weighing, with_teacher
from pupil.tasks.task import Task

PAPER = CWDLoss.paper


def cwd(
    student: nn.Module,
    teacher: nn.Module | None,
    task: Task,
    image: Tensor,
    *,
    temperature: float = 4.0,
    layer: str | None = None,
    teacher_layer: str | None = None,
    share: float = 2.0,
    weight: float | None = None,
) -> Plan:
    """The student matches the spatial distribution of each of the teacher's channels (CWD).

    L = L_task + weight * L_cwd, on the logits, or on a layer through a 1x1 convolution that training discards.

    Args:
        temperature: softens the distribution over positions.
        layer: the student's layer; None compares the logits.
        teacher_layer: the teacher's layer, where its name differs.
        share: pull of the term relative to the labels.
        weight: fixes the weight instead; the authors use 3 on logits and 50 on features.
    """
    require(task, "cwd", "dense")
    scale = weighing(share, weight)
    if layer is None:
        term = Term(CWDLoss(temperature=temperature), dense_outputs(), scale)
        return with_teacher(student, teacher, task, {"cwd": term})
    return between_layers(
        "cwd",
        lambda ours, theirs: CWDLoss(ours[1][1], theirs[1][1], temperature=temperature),
        student,
        teacher,
        task,
        image,
        layer=layer,
        teacher_layer=teacher_layer,
        weight=scale,
    )
