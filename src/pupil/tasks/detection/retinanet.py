"""RetinaNet: anchors on every level, focal loss."""

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
    """ "classification" and "bbox_regression" by level and image; their mean over images is the loss of the batch."""
    head = head or dense.outputs(model, images, pyramid)
    anchors = model.anchor_generator(images, list(pyramid.values()))
    matched = dense.matches(model, targets, head, anchors)
    sizes = dense.anchors_of_levels(model, pyramid)
    if not _usual(model.head):
        return TaskLosses(dense.level_losses(model, targets, head, anchors, matched, sizes))
    together = torch.stack(matched)
    losses = _anchor_losses(model.head, targets, head, torch.stack(anchors), together)
    return TaskLosses(dense.by_level(losses, together >= 0, sizes))


def _usual(head: Any) -> bool:
    """Whether a head is torchvision's, with one of the two losses of boxes that its own detectors have."""
    from torchvision.models.detection import retinanet

    usual = retinanet.RetinaNetHead, retinanet.RetinaNetClassificationHead, retinanet.RetinaNetRegressionHead
    found = head, getattr(head, "classification_head", None), getattr(head, "regression_head", None)
    same = all(type(each) is kind for each, kind in zip(found, usual, strict=True))
    return same and head.regression_head._loss_type in ("l1", "giou")


def _anchor_losses(own: Any, targets: Targets, head: Head, anchors: Tensor, matched: Tensor) -> dict[str, Tensor]:
    """What torchvision's head adds up, anchor by anchor, (N, A) by name."""
    from torchvision.ops import generalized_box_iou_loss

    boxes, labels = dense.assigned(targets, matched)
    positive, unclear = matched >= 0, matched == own.classification_head.BETWEEN_THRESHOLDS
    regression = own.regression_head
    deltas, flat_boxes, flat_anchors = (
        each.flatten(0, 1) for each in (precise(head["bbox_regression"]), boxes, anchors)
    )
    if regression._loss_type == "l1":
        expected = regression.box_coder.encode_single(flat_boxes, flat_anchors)
        box_losses = F.l1_loss(deltas, expected, reduction="none").sum(-1)
    else:
        box_losses = generalized_box_iou_loss(regression.box_coder.decode_single(deltas, flat_anchors), flat_boxes)
    classification = dense.focal_losses(precise(head["cls_logits"]), labels, positive)
    # The delta of an anchor without a box is no number.
    return {
        "classification": classification.masked_fill(unclear, 0),
        "bbox_regression": box_losses.view_as(classification).masked_fill(~positive, 0),
    }


RETINANET = Family(dense.watched, dense.said, dense.outputs, dense.anchors_of_levels, task_losses)
