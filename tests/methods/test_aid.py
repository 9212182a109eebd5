"""AID weighs FBKD by the teacher's own loss."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from methods.detectors import CLASSES, pair, planned
from pupil.errors import UsageError
from pupil.functional.importance import teacher_task_loss
from tasks.detection.detectors import KINDS, batch, detector


@pytest.mark.parametrize("granularity", ["level_image", "level", "image", "batch"])
@pytest.mark.parametrize("kind", KINDS)
def test_the_weights_are_those_of_the_teachers_own_loss(kind: str, granularity: str) -> None:
    distiller = pair("aid", kind, alpha=0.5, granularity=granularity)
    lesson = distiller.lesson(*batch())
    losses = lesson.teacher.output.task_losses
    own = teacher_task_loss(losses.level_loss, losses.shared_loss, granularity=granularity)
    weights = torch.exp(-0.5 * own)
    # SSD's losses belong to no level.
    rows = 1 if kind == "ssd" else 3
    assert weights.shape == {"level_image": (rows, 3), "level": (rows, 1), "image": (3,), "batch": ()}[granularity]
    expected = distiller.terms["aid"].loss.loss(lesson.student.features, lesson.teacher.features, weights)
    torch.testing.assert_close(distiller.terms["aid"](lesson), expected)
    assert expected < distiller.terms["aid"].loss.loss(lesson.student.features, lesson.teacher.features)


@pytest.mark.parametrize("kind", ["retinanet", "faster_rcnn"])
def test_without_alpha_it_is_fbkd(kind: str) -> None:
    values = []
    for name, options in (("aid", {"alpha": 0.0}), ("fbkd", {})):
        distiller = pair(name, kind, **options)
        values.append(distiller.terms[name](distiller.lesson(*batch())))
    torch.testing.assert_close(*values)


def test_asking_the_teacher_changes_nothing_of_what_the_student_draws() -> None:
    values = []
    for name in ("fbkd", "aid"):
        distiller = pair(name, "faster_rcnn")
        torch.manual_seed(0)
        values.append(distiller(*batch())["task"])
    assert values[0] == values[1]


def test_the_released_code() -> None:
    options = {"granularity": "level", "reduction": "batch_norm", "setting": "aid_one_stage"}
    assert pair("aid", **options)(*batch())["aid"].isfinite()
    for granularity in ("level_image", "image"):
        with pytest.raises(UsageError, match=f"level or batch with reduction batch_norm, got {granularity}: one norm"):
            pair("aid", granularity=granularity, reduction="batch_norm")


def test_a_teacher_of_other_classes_cannot_judge_itself() -> None:
    student, teacher = detector("retinanet", 0), detector("retinanet", 1)
    teacher.classes = CLASSES
    assert planned("aid", student, teacher).teacher is not None
    teacher.classes = CLASSES[::-1]
    message = "data's classes for AID, car, person, sign, got one of sign, person, car: its own loss .* --method fbkd"
    with pytest.raises(UsageError, match=message):
        planned("aid", student, teacher)
    assert planned("fbkd", student, teacher).teacher is not None


def test_a_teacher_without_losses_of_its_own_is_refused() -> None:
    distiller = pair("aid")
    lesson = distiller.lesson(*batch())
    shown = replace(lesson.teacher, output=replace(lesson.teacher.output, task_losses=None))
    with pytest.raises(UsageError, match="shows its own losses, got none: let its call fill `task_losses`"):
        distiller.terms["aid"](replace(lesson, teacher=shown))
