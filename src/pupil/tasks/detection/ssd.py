"""SSD and SSDLite: default boxes on every level, and hard negatives mined over all of an image."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from pupil.tasks.detection import dense
from pupil.tasks.detection.family import Family, Head, Pyramid
from pupil.tasks.detection.records import ImageBatch, Targets, TaskLosses


def task_losses(model: Any, images: ImageBatch, pyramid: Pyramid, head: Head, targets: Targets) -> TaskLosses:
    """ "bbox_regression" and "classification" of each image, (1, N): the negatives of a level depend on the others."""
    head = head or dense.outputs(model, images, pyramid)
    anchors = model.anchor_generator(images, list(pyramid.values()))
    images_losses = [
        model.compute_loss(
            [target], dense.one_image(head, index), [anchors[index]], [_matched(model, target["boxes"], anchors[index])]
        )
        for index, target in enumerate(targets)
    ]
    return TaskLosses({name: loss[None] for name, loss in dense.stacked(images_losses).items()})


def _matched(model: Any, boxes: Tensor, anchors: Tensor) -> Tensor:
    from torchvision.ops import box_iou

    if not len(boxes):
        return torch.full((len(anchors),), -1, dtype=torch.int64, device=anchors.device)
    matched: Tensor = model.proposal_matcher(box_iou(boxes, anchors))
    return matched


SSD = Family(dense.watched, dense.said, dense.outputs, dense.anchors_of_levels, task_losses)
