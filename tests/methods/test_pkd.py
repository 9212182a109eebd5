"""Pearson's correlation at every level of a pyramid."""

from __future__ import annotations

import torch

from methods.detectors import narrow, pair, planned
from pupil.losses import pkd_loss
from tasks.detection.detectors import batch, detector


def test_the_sum_over_levels() -> None:
    distiller = pair("pkd")
    lesson = distiller.lesson(*batch())
    levels = [(lesson.student.features[name], lesson.teacher.features[name]) for name in ("p3", "p4", "p5")]
    torch.testing.assert_close(distiller.terms["pkd"](lesson), sum(pkd_loss(*level) for level in levels))
    assert not list(distiller.losses.parameters())


def test_other_channels_are_adapted() -> None:
    distiller = planned("pkd", narrow("faster_rcnn"), detector("faster_rcnn", 1), weight=1.0)
    assert [tuple(each.shape) for each in distiller.losses.parameters()] == [(32, 16, 1, 1)] * 3
