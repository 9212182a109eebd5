"""FCOS: every position of every level is a point; boxes, classes and centerness."""

from __future__ import annotations

from typing import Any

from pupil.tasks.detection import dense
from pupil.tasks.detection.family import Family, Head, Pyramid
from pupil.tasks.detection.records import ImageBatch, Targets, TaskLosses


def task_losses(model: Any, images: ImageBatch, pyramid: Pyramid, head: Head, targets: Targets) -> TaskLosses:
    """ "classification", "bbox_regression" and "bbox_ctrness" by level and image.

    The batch divides by the positives of all its images: its loss is the mean over images weighted by their positives.
    """
    anchors = model.anchor_generator(images, list(pyramid.values()))
    sizes = dense.anchors_of_levels(model, pyramid)
    # The range of object sizes of the lowest and of the highest level is open, so the matching knows the levels.
    matched = dense.matches(model, targets, head, anchors, list(sizes))
    return TaskLosses(dense.level_losses(model, targets, head, anchors, matched, sizes))


FCOS = Family(dense.watched, dense.said, dense.outputs, dense.anchors_of_levels, task_losses)
