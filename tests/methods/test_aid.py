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
        # The student draws before the teacher: what that takes shows in the second step.
        values.append([distiller(*batch())["task"].item() for _ in range(2)])
    assert values[0] == values[1]
    assert values[0][0] != values[0][1]


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


def test_a_teacher_that_names_no_classes_is_counted() -> None:
    student, teacher = detector("retinanet", 0), detector("retinanet", 1, classes=5)
    with pytest.raises(UsageError, match=r"of 3 classes and the background \(4 channels\) from the teacher, got 6"):
        planned("aid", student, teacher)
    assert planned("fbkd", student, teacher).teacher is not None


def test_factors_of_the_teachers_own_losses() -> None:
    usual, without = (
        pair("aid", "fcos", alpha=0.5),
        pair("aid", "fcos", alpha=0.5, factors="bbox_ctrness=0, classification=2"),
    )
    lesson = usual.lesson(*batch())
    losses = lesson.teacher.output.task_losses
    own = 2 * losses.levels["classification"] + losses.levels["bbox_regression"]
    expected = usual.terms["aid"].loss.loss(lesson.student.features, lesson.teacher.features, torch.exp(-0.5 * own))
    torch.testing.assert_close(without.terms["aid"](lesson), expected)
    assert expected != usual.terms["aid"](lesson)
    with pytest.raises(UsageError, match="unknown loss of the teacher 'centerness': "):
        pair("aid", "fcos", factors="centerness=0")(*batch())
    for text, said in (
        ("bbox_ctrness", "factors as NAME=FACTOR with commas"),
        ("a=-1", "a finite factor of at least 0, got -1"),
    ):
        with pytest.raises(UsageError, match=said):
            pair("aid", "fcos", factors=text)


@pytest.mark.parametrize("granularity", ["level_image", "level", "image"])
def test_images_without_objects_can_be_left_out(granularity: str) -> None:
    distiller = pair("aid", granularity=granularity, empty=False)
    images, targets = batch()
    counts = [len(each["boxes"]) for each in targets]
    assert min(counts) == 0 < max(counts)
    lesson = distiller.lesson(images, targets)
    counted = torch.tensor([float(count > 0) for count in counts])
    losses = lesson.teacher.output.task_losses.at(granularity)
    loss = distiller.terms["aid"].loss
    expected = loss(lesson.student.features, lesson.teacher.features, losses, counted)
    torch.testing.assert_close(distiller.terms["aid"](lesson), expected)
    assert expected < loss(lesson.student.features, lesson.teacher.features, losses)
    # Nor do they count in the log.
    loss.trust.listening = True
    distiller.terms["aid"](lesson)
    weights = torch.exp(-0.1 * losses).expand(*losses.shape[:-1], len(counts))[..., counted > 0]
    assert loss.trust.take() == pytest.approx(weights.flatten().tolist())
    with pytest.raises(UsageError, match="images without objects too with reduction batch_norm, got empty=False"):
        pair("aid", granularity="level", reduction="batch_norm", empty=False)


def test_the_variant_of_masks() -> None:
    for name in ("aid", "fbkd", "aid-self"):
        values = [[*pair(name, variant=variant)(*batch()).values()][1] for variant in ("code", "paper")]
        assert values[0] != values[1]


def test_a_teacher_without_losses_of_its_own_is_refused() -> None:
    distiller = pair("aid")
    lesson = distiller.lesson(*batch())
    shown = replace(lesson.teacher, output=replace(lesson.teacher.output, task_losses=None))
    with pytest.raises(UsageError, match="shows its own losses, got none: let its call fill `task_losses`"):
        distiller.terms["aid"](replace(lesson, teacher=shown))
