"""RetinaNet: anchors on every level, focal loss."""

from __future__ import annotations

from typing import Any

from pupil.tasks.detection import dense
from pupil.tasks.detection.family import Family, Head, Pyramid
from pupil.tasks.detection.records import ImageBatch, Targets, TaskLosses


def task_losses(model: Any, images: ImageBatch, pyramid: Pyramid, head: Head, targets: Targets) -> TaskLosses:
    """ "classification" and "bbox_regression" by level and image; their mean over images is the loss of the batch."""
    anchors = model.anchor_generator(images, list(pyramid.values()))
    matched = dense.matches(model, targets, head, anchors)
    sizes = dense.anchors_of_levels(model, pyramid)
    return TaskLosses(dense.level_losses(model, targets, head, anchors, matched, sizes))


RETINANET = Family(dense.watched, dense.said, dense.outputs, dense.anchors_of_levels, task_losses)
