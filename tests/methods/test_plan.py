"""What all methods share: the task alone, a frozen teacher, and how a term is weighed."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from pupil.distiller import Term
from pupil.errors import UsageError
from pupil.lesson import Activations, Lesson, dense_outputs
from pupil.losses import KDLoss
from pupil.methods.plan import needed, planned, require, usual_temperature, weighing, with_teacher
from pupil.schedules import Share, linear, weight_at
from pupil.tasks.classification import ClassificationTask
from pupil.tasks.detection.task import DetectionTask
from pupil.tasks.segmentation import SegmentationTask

TASK = SegmentationTask(["road", "car"])


def at(progress: float) -> Lesson:
    return Lesson(None, None, Activations(None), progress=progress)


def test_without_terms_it_is_the_task_loss_whose_options_reach_it() -> None:
    student = nn.Conv2d(3, 2, 1)
    plan = planned(student, TASK, label_smoothing=0.25)
    assert list(plan.distiller.terms) == ["task"]
    assert plan.distiller.terms["task"].loss.label_smoothing == 0.25
    assert plan.distiller.teacher is None


def test_a_teacher_of_the_methods_own_sees_the_tapped_layers_and_a_term_reads_it() -> None:
    def teacher(lesson: Lesson) -> Activations:
        return Activations(2.0 * lesson.student.features["0"])

    term = Term(nn.MSELoss(), lambda lesson: (lesson.student.output, lesson.teacher.output))
    student = nn.Sequential(nn.Conv2d(3, 2, 1))
    distiller = planned(student, TASK, {"own": term}, teacher=teacher, layers=["0"], task_weight=0.0).distiller
    image = torch.rand(1, 3, 4, 4)
    terms = distiller(image, torch.zeros(1, 4, 4, dtype=torch.long))
    assert list(terms) == ["task", "own"]
    assert terms["task"] == 0.0
    torch.testing.assert_close(terms["own"], student(image).square().mean())


def test_with_teacher_keeps_the_task_first_and_the_teacher_out_of_the_parameters() -> None:
    student, teacher = nn.Conv2d(3, 2, 1), nn.Conv2d(3, 2, 1)
    term = Term(KDLoss(), dense_outputs(), 0.0)
    distiller = with_teacher(student, teacher, TASK, {"kd": term}, task_weight=0.5).distiller
    assert list(distiller.terms) == ["task", "kd"]
    assert distiller.terms["task"].weight == 0.5
    assert {id(each) for each in distiller.parameters()} == {id(each) for each in student.parameters()}
    terms = distiller(torch.rand(1, 3, 4, 4), torch.zeros(1, 4, 4, dtype=torch.long))
    assert terms["kd"] == 0.0
    assert terms["task"] > 0.0


def test_a_number_fixes_the_weight_and_nothing_else_is_a_share() -> None:
    assert weighing(0.5, 3.0) == 3.0
    assert weight_at(weighing(0.5, 3.0, linear(1.0, 0.0)), at(0.25)) == pytest.approx(2.25)
    share = weighing(0.5, None, linear(1.0, 0.0))
    assert isinstance(share, Share)
    share.ratio = 8.0
    assert weight_at(share, at(0.25)) == pytest.approx(3.0)


def test_the_teacher_is_given_back_or_asked_for() -> None:
    teacher = nn.Identity()
    assert needed(teacher) is teacher
    with pytest.raises(UsageError, match="got none: pass --teacher RUN, or use --method none"):
        needed(None)


def test_a_method_is_refused_where_networks_answer_otherwise() -> None:
    require(TASK, "cwd", "dense")
    require(TASK, "kd", "whole", "dense")
    wanted = (
        "expected a task with one prediction an image or boxes of objects for method 'mine', got segmentation with a "
    )
    with pytest.raises(UsageError, match=f"{wanted}prediction at every position: choose another method"):
        require(TASK, "mine", "whole", "boxes")
    with pytest.raises(UsageError, match="at every position for method 'cwd', got detection with boxes of objects: "):
        require(DetectionTask(["car"]), "cwd", "dense")


def test_the_usual_temperature_is_that_of_the_kind() -> None:
    tasks = ClassificationTask(["cat", "dog"]), TASK
    assert [usual_temperature(task, None) for task in tasks] == [4.0, 1.0]
    assert usual_temperature(TASK, 2.0) == 2.0
