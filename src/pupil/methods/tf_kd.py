"""Self-distillation from a virtual teacher, who is always right and equally unsure of all other classes."""

from __future__ import annotations

from torch import Tensor, nn

from pupil.distiller import Term
from pupil.lesson import Lesson, same_size
from pupil.losses.tf_kd import TfKDLoss, Variant
from pupil.methods.plan import Plan, planned, require, weighing
from pupil.tasks.task import Task

PAPER = TfKDLoss.paper


def tf_kd(
    student: nn.Module,
    teacher: nn.Module | None,
    task: Task,
    image: Tensor,
    *,
    temperature: float = 20.0,
    confidence: float = 0.99,
    variant: Variant = "paper",
    share: float = 0.1,
    weight: float | None = None,
) -> Plan:
    """The student matches a virtual teacher, with one probability for the right class and one for all others (Tf-KD).

    L = L_task + weight * KL(virtual teacher || student)

    No teacher is asked. The paper's other form, self-training, is method `kd` with a trained network of the student's
    own kind as teacher. In the paper the labels weigh 0.9 and the term 0.1, which is the share here.

    Args:
        temperature: softens the virtual teacher, and with variant "paper" the student too.
        confidence: the virtual teacher's probability of the right class.
        variant: "paper" or "code"; the code pulls the student towards even predictions, the harder the surer it is, so
            that a share measured at the start is too much: fix the weight, 0.1 / 0.9 for the authors'.
        share: pull of the term relative to the labels.
        weight: fixes the weight instead.
    """
    require(task, "tf-kd", "dense", "whole")
    ignored = getattr(task, "ignore_index", -100)
    loss = TfKDLoss(temperature=temperature, confidence=confidence, variant=variant, ignore_index=ignored)
    return planned(student, task, {"tf_kd": Term(loss, _at_labels, weighing(share, weight))})


def _at_labels(lesson: Lesson) -> tuple[Tensor, Tensor]:
    """The student's logits at the size of the labels, and these."""
    logits: Tensor = lesson.student.output
    target: Tensor = lesson.target
    if logits.dim() == 4:
        logits, _ = same_size(logits, target if target.dim() == 4 else target[:, None], "student")
    return logits, target
