"""FitNet at every level of a pyramid."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from methods.detectors import narrow, pair, planned
from tasks.detection.detectors import batch, detector


def test_the_mean_squared_error_of_each_level() -> None:
    distiller = pair("mimic", "faster_rcnn")
    lesson = distiller.lesson(*batch())
    levels = [(lesson.student.features[name], lesson.teacher.features[name]) for name in ("p3", "p4", "p5")]
    torch.testing.assert_close(distiller.terms["mimic"](lesson), sum(F.mse_loss(*level) for level in levels))
    assert not list(distiller.losses.parameters())


def test_other_channels_are_adapted_at_each_level() -> None:
    distiller = planned("mimic", narrow("retinanet"), detector("retinanet", 1), weight=1.0)
    assert [tuple(each.shape) for each in distiller.losses.parameters()] == [(32, 16, 1, 1)] * 3
