"""FGD sees the boxes as the student's transform has laid them."""

from __future__ import annotations

import pytest
import torch

from methods.detectors import pair
from pupil.errors import UsageError
from pupil.losses.fgd import SETTINGS, FGDLoss
from tasks.detection.detectors import batch, detector


@pytest.mark.parametrize(
    ("kind", "setting"),
    [("retinanet", "retinanet"), ("fcos", "fcos"), ("ssd", "retinanet"), ("faster_rcnn", "faster_rcnn")],
)
def test_the_setting_is_that_of_the_student(kind: str, setting: str) -> None:
    assert pair("fgd", kind).terms["fgd"].loss.setting == SETTINGS[setting]


def test_settings_and_variants_on_request() -> None:
    loss = pair("fgd", setting="mask_rcnn", variant="code").terms["fgd"].loss
    assert (loss.setting, loss.variant) == (SETTINGS["mask_rcnn"], "code")
    with pytest.raises(UsageError, match="unknown setting 'faster': did you mean faster_rcnn"):
        pair("fgd", setting="faster")


def test_boxes_are_in_pixels_of_the_batch() -> None:
    distiller = pair("fgd")
    images, targets = batch()
    lesson = distiller.lesson(images, targets)
    transformed, moved = detector("retinanet").transform(images, targets)
    loss: FGDLoss = distiller.terms["fgd"].loss
    size = tuple(transformed.tensors.shape[2:])
    shown = lesson.student.features, lesson.teacher.features
    boxes = [each["boxes"] for each in moved]
    torch.testing.assert_close(distiller.terms["fgd"](lesson), loss(*shown, boxes, size))
    assert not torch.equal(boxes[1], targets[1]["boxes"])
    assert distiller.terms["fgd"](lesson) != loss(*shown, [each["boxes"] for each in targets], size)
