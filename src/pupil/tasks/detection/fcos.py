"""FCOS: every position of every level is a point; boxes, classes and centerness."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from pupil.functional.precision import precise
from pupil.tasks.detection import dense
from pupil.tasks.detection.family import Family, Head, Pyramid
from pupil.tasks.detection.records import ImageBatch, Targets, TaskLosses


def task_losses(model: Any, images: ImageBatch, pyramid: Pyramid, head: Head, targets: Targets) -> TaskLosses:
    """ "classification", "bbox_regression" and "bbox_ctrness" by level and image.

    The batch divides by the positives of all its images: its loss is the mean over images weighted by their positives.
    """
    from torchvision.models.detection.fcos import FCOSHead

    head = head or dense.outputs(model, images, pyramid)
    anchors = model.anchor_generator(images, list(pyramid.values()))
    sizes = dense.anchors_of_levels(model, pyramid)
    # The range of object sizes of the lowest and of the highest level is open, so the matching knows the levels.
    matched = dense.matches(model, targets, head, anchors, list(sizes))
    if type(model.head).compute_loss is not FCOSHead.compute_loss:
        return TaskLosses(dense.level_losses(model, targets, head, anchors, matched, sizes))
    together = torch.stack(matched)
    losses = _anchor_losses(model.head.box_coder, targets, head, torch.stack(anchors), together)
    return TaskLosses(dense.by_level(losses, together >= 0, sizes))


def _anchor_losses(coder: Any, targets: Targets, head: Head, anchors: Tensor, matched: Tensor) -> dict[str, Tensor]:
    """What torchvision's head adds up, anchor by anchor, (N, A) by name."""
    from torchvision.ops import generalized_box_iou_loss

    boxes, labels = dense.assigned(targets, matched)
    positive = matched >= 0
    found = coder.decode(precise(head["bbox_regression"]), anchors)
    sides = coder.encode(anchors, boxes)
    least_and_most = [side.aminmax(dim=-1) for side in (sides[..., [0, 2]], sides[..., [1, 3]])]
    horizontal, vertical = (least / most for least, most in least_and_most)
    centerness = F.binary_cross_entropy_with_logits(
        precise(head["bbox_ctrness"]).squeeze(2), (horizontal * vertical).sqrt(), reduction="none"
    )
    # What a point without a box has found and should have found is no number.
    return {
        "classification": dense.focal_losses(precise(head["cls_logits"]), labels, positive),
        "bbox_regression": generalized_box_iou_loss(found, boxes).masked_fill(~positive, 0),
        "bbox_ctrness": centerness.masked_fill(~positive, 0),
    }


FCOS = Family(dense.watched, dense.said, dense.outputs, dense.anchors_of_levels, task_losses)
